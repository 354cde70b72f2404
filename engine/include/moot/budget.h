#ifndef MOOT_BUDGET_H
#define MOOT_BUDGET_H

#include <stddef.h>
#include <stdint.h>

#include <moot/alloc.h>
#include <moot/error.h>
#include <moot/plan.h>
#include <moot/version.h>
#include <moot/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the providers of a plan allow: requests and tokens a minute, calls at once.
 * Reference-counted and lock-free; share one among all engines, on any threads, that spend the same
 * quota. */
struct moot_budget;

/* Make a budget for the providers of `plan`. MOOT_ENOMEM, and as moot_budget_new_with where quotas
 * are shared. Any thread. */
MOOT_API MOOT_NODISCARD int moot_budget_new(const struct moot_allocator *allocator,
                                            struct moot_plan *plan, struct moot_budget **out);

/* What stands over a provider's quota in the plan; 0 leaves the plan's. */
struct moot_quota {
    struct moot_view provider;
    uint64_t requests_per_minute, input_tokens_per_minute, output_tokens_per_minute;
};

struct moot_budget_options {
    size_t size; /* sizeof this struct */
    const struct moot_quota *quotas;
    size_t quota_count;
};

/* The same with quotas of the caller's, and a message in `info` on failure; `options` and `info`
 * may be NULL. MOOT_ENOTFOUND if the plan has no provider of a name; MOOT_ELIMIT for more than 64
 * quotas; MOOT_ENOMEM. Any thread.
 *
 * A provider whose configuration says `share: PATH` spends together with all processes of this host
 * that name the same file, which is made if it is not there and stays when the budget goes. Then
 * also MOOT_ECONFIG if the file is not what it must be, MOOT_EIO or MOOT_ENOSPC if it cannot be
 * opened. */
MOOT_API MOOT_NODISCARD int moot_budget_new_with(const struct moot_allocator *allocator,
                                                 struct moot_plan *plan,
                                                 const struct moot_budget_options *options,
                                                 struct moot_budget **out,
                                                 struct moot_error_info *info);

MOOT_API struct moot_budget *moot_budget_ref(struct moot_budget *budget);
MOOT_API void moot_budget_unref(struct moot_budget *budget); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
