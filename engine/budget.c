#include "budget.h"

#include <stdatomic.h>

#include "config.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "quota_file.h"

enum { QUOTAS_MAX = 64 };

struct moot_budget {
    const struct moot_allocator *allocator;
    atomic_uint references;
    unsigned count;
    struct item {
        struct moot_limiter limiter;
        struct moot_quota_file file;
    } items[];
};

int moot_budget_new(const struct moot_allocator *allocator, struct moot_plan *plan,
                    struct moot_budget **out)
{
    return moot_budget_new_with(allocator, plan, NULL, out, NULL);
}

/* Quotas in the plan's own terms. */
static int read_quotas(const struct moot_plan *plan, const struct moot_budget_options *options,
                       struct moot_quota_override *out, struct moot_error_info *info)
{
    const struct moot_quota *quotas = options->quotas;
    if (options->quota_count > QUOTAS_MAX)
        return moot__fail(info, MOOT_ELIMIT, MOOT_PHASE_NONE, "more than %d quotas", QUOTAS_MAX);
    for (size_t i = 0; i < options->quota_count; i++) {
        if (!moot__plan_provider(plan, quotas[i].provider))
            return moot__fail(info, MOOT_ENOTFOUND, MOOT_PHASE_NONE,
                              "a quota names a provider that the configuration does not have; "
                              "without a `providers` section it is `default`");
        out[i].provider = quotas[i].provider;
        out[i].per_minute[MOOT_METER_REQUESTS] = quotas[i].requests_per_minute;
        out[i].per_minute[MOOT_METER_INPUT] = quotas[i].input_tokens_per_minute;
        out[i].per_minute[MOOT_METER_OUTPUT] = quotas[i].output_tokens_per_minute;
    }
    return MOOT_OK;
}

/* Buckets start full at time 0, so any later clock finds them full as well. */
static int start(struct item *item, const struct moot_provider *provider,
                 const struct moot_plan_overrides *overrides, struct moot_error_info *info)
{
    struct moot_limiter_options quota = moot__provider_quota(provider, overrides);
    moot__limiter_init(&item->limiter, &quota, 0);
    if (provider->share.len == 0)
        return MOOT_OK;
    int rc = moot__quota_file_open(&item->file, provider->share.ptr, &quota, info);
    if (rc == MOOT_OK)
        moot__limiter_share(&item->limiter, item->file.meters);
    return rc;
}

int moot_budget_new_with(const struct moot_allocator *allocator, struct moot_plan *plan,
                         const struct moot_budget_options *options, struct moot_budget **out,
                         struct moot_error_info *info)
{
    static const struct moot_budget_options nothing = {.size = sizeof nothing};
    struct moot_quota_override items[QUOTAS_MAX];
    options = options ? options : &nothing;
    struct moot_plan_overrides overrides = {.quotas = items, .quota_count = options->quota_count};
    assert(options->size == sizeof *options);
    *out = NULL;
    int rc = read_quotas(plan, options, items, info);
    if (rc)
        return rc;
    size_t count = plan->provider_count;
    struct moot_budget *budget =
        moot__calloc(allocator, 1, sizeof *budget + count * sizeof budget->items[0]);
    if (!budget)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "out of memory");
    budget->allocator = allocator;
    atomic_init(&budget->references, 1);
    budget->count = (unsigned)count;
    for (size_t i = 0; i < count; i++)
        budget->items[i].file.fd = -1;
    for (size_t i = 0; i < count && rc == MOOT_OK; i++)
        rc = start(&budget->items[i], &plan->providers[i], &overrides, info);
    if (rc == MOOT_OK)
        *out = budget;
    else
        moot_budget_unref(budget);
    return rc;
}

struct moot_budget *moot_budget_ref(struct moot_budget *budget)
{
    atomic_fetch_add_explicit(&budget->references, 1, memory_order_relaxed);
    return budget;
}

void moot_budget_unref(struct moot_budget *budget)
{
    if (!budget || atomic_fetch_sub_explicit(&budget->references, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < budget->count; i++)
        moot__quota_file_close(&budget->items[i].file);
    moot__free(budget->allocator, budget);
}

struct moot_limiter *moot__budget_limiter(struct moot_budget *budget, unsigned provider)
{
    assert(provider < budget->count);
    return &budget->items[provider].limiter;
}

unsigned moot__budget_count(const struct moot_budget *budget)
{
    return budget->count;
}
