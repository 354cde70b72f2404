/* The configuration's `batch` section as options, for callers to lay their own over. */
#include <moot/batch.h>

#include "engine/base/check.h"
#include "engine/config.h"

static unsigned to_unsigned(uint64_t value)
{
    return value < UINT32_MAX ? (unsigned)value : UINT32_MAX;
}

void moot_batch_options_init(struct moot_batch_options *options, struct moot_plan *plan)
{
    assert(plan);
    const struct moot_batch_settings *settings = &plan->batch;
    *options = (struct moot_batch_options){
        .size = sizeof *options,
        .plan = plan,
        .stream = settings->stream,
        .concurrency = to_unsigned(settings->concurrency),
        .loops = to_unsigned(settings->loops),
        .row_timeout_ns = settings->row_timeout_ns,
        .has_errors_max = settings->errors_max > 0,
        .errors_max = settings->errors_max,
        .errors_percent_max = settings->errors_percent,
        .cost_max = settings->cost_max,
    };
}
