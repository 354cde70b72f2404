#include "budget.h"

#include <stdatomic.h>

#include "config.h"
#include "engine/base/check.h"

enum { QUOTAS_MAX = 64 };

struct moot_budget {
    const struct moot_allocator *allocator;
    atomic_uint references;
    unsigned count;
    struct moot_limiter limiters[];
};

int moot_budget_new(const struct moot_allocator *allocator, struct moot_plan *plan,
                    struct moot_budget **out)
{
    return moot_budget_new_with(allocator, plan, NULL, 0, out);
}

/* Quotas in the plan's own terms. */
static int read_quotas(const struct moot_plan *plan, const struct moot_quota *quotas, size_t count,
                       struct moot_quota_override *out)
{
    if (count > QUOTAS_MAX)
        return MOOT_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        if (!moot__plan_provider(plan, quotas[i].provider))
            return MOOT_ENOTFOUND;
        out[i].provider = quotas[i].provider;
        out[i].per_minute[MOOT_METER_REQUESTS] = quotas[i].requests_per_minute;
        out[i].per_minute[MOOT_METER_INPUT] = quotas[i].input_tokens_per_minute;
        out[i].per_minute[MOOT_METER_OUTPUT] = quotas[i].output_tokens_per_minute;
    }
    return MOOT_OK;
}

int moot_budget_new_with(const struct moot_allocator *allocator, struct moot_plan *plan,
                         const struct moot_quota *quotas, size_t quota_count,
                         struct moot_budget **out)
{
    struct moot_quota_override items[QUOTAS_MAX];
    struct moot_plan_overrides overrides = {.quotas = items, .quota_count = quota_count};
    *out = NULL;
    int rc = read_quotas(plan, quotas, quota_count, items);
    if (rc)
        return rc;
    size_t count = plan->provider_count;
    struct moot_budget *budget =
        moot__calloc(allocator, 1, sizeof *budget + count * sizeof budget->limiters[0]);
    if (!budget)
        return MOOT_ENOMEM;
    budget->allocator = allocator;
    atomic_init(&budget->references, 1);
    budget->count = (unsigned)count;
    /* Buckets start full at time 0, so any later clock finds them full as well. */
    for (size_t i = 0; i < count; i++) {
        struct moot_limiter_options quota = moot__provider_quota(&plan->providers[i], &overrides);
        moot__limiter_init(&budget->limiters[i], &quota, 0);
    }
    *out = budget;
    return MOOT_OK;
}

struct moot_budget *moot_budget_ref(struct moot_budget *budget)
{
    atomic_fetch_add_explicit(&budget->references, 1, memory_order_relaxed);
    return budget;
}

void moot_budget_unref(struct moot_budget *budget)
{
    if (budget && atomic_fetch_sub_explicit(&budget->references, 1, memory_order_acq_rel) == 1)
        moot__free(budget->allocator, budget);
}

struct moot_limiter *moot__budget_limiter(struct moot_budget *budget, unsigned provider)
{
    assert(provider < budget->count);
    return &budget->limiters[provider];
}

unsigned moot__budget_count(const struct moot_budget *budget)
{
    return budget->count;
}
