#include "budget.h"

#include <stdatomic.h>

#include "config.h"
#include "engine/base/check.h"

struct moot_budget {
    const struct moot_allocator *allocator;
    atomic_uint references;
    unsigned count;
    struct moot_limiter limiters[];
};

int moot_budget_new(const struct moot_allocator *allocator, struct moot_plan *plan,
                    struct moot_budget **out)
{
    *out = NULL;
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
        struct moot_limiter_options quota = moot__provider_quota(&plan->providers[i], NULL);
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
