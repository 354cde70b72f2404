#include "outlook.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/budget.h"
#include "engine/config.h"

#define WAIT_LEAST_NS MOOT_NS_PER_S /* a shorter one is no news */

static void note_wait(const struct moot_provider *provider, enum moot_batch_wait wait,
                      uint64_t wait_ns, struct moot_batch_progress *out)
{
    if (wait < out->wait || (wait == out->wait && wait_ns <= out->wait_ns))
        return;
    out->wait = wait;
    out->wait_ns = wait_ns;
    moot__view_copy(provider->name, out->waiting_for, sizeof out->waiting_for);
}

static void look_at(const struct moot_provider *provider, struct moot_limiter *limiter,
                    uint64_t now_ns, struct moot_batch_progress *out)
{
    struct moot_limiter_snapshot now;
    moot__limiter_snapshot(limiter, &now);
    if (now.breaker.state == MOOT_BREAKER_OPEN) {
        note_wait(provider, MOOT_BATCH_WAIT_OUTAGE, moot__ns_until(now_ns, now.breaker.next_ns),
                  out);
        out->failing_ns = moot__ns_until(now.breaker.since_ns, now_ns);
        moot__view_copy(moot__view_str(now.breaker.cause), out->cause, sizeof out->cause);
        return;
    }
    uint64_t until_ns =
        now.day_until_ns > now.pause_until_ns ? now.day_until_ns : now.pause_until_ns;
    for (unsigned i = 0; i < MOOT_METERS; i++)
        if (now.per_minute[i] && now.full_at_ns[i] > until_ns)
            until_ns = now.full_at_ns[i];
    uint64_t wait_ns = moot__ns_until(now_ns, until_ns);
    if (wait_ns > WAIT_LEAST_NS + limiter->burst_ns)
        note_wait(provider, MOOT_BATCH_WAIT_QUOTA, wait_ns, out);
}

/* How long a provider's rate of requests needs for its part of so many rows. */
static uint64_t time_for(const struct moot_plan *plan, size_t provider,
                         struct moot_limiter *limiter, uint64_t rows)
{
    struct moot_limiter_snapshot now;
    uint64_t calls = 0;
    moot__limiter_snapshot(limiter, &now);
    for (size_t i = 0; i < plan->flow.count; i++)
        calls += plan->agents.items[plan->flow.steps[i].agent].provider == provider;
    uint64_t per_minute = now.per_minute[MOOT_METER_REQUESTS];
    if (per_minute == 0)
        return 0;
    return (uint64_t)((double)rows * (double)calls / (double)per_minute * 60e9);
}

void moot__batch_outlook(const struct moot_plan *plan, struct moot_budget *budget, uint64_t now_ns,
                         uint64_t rows_left, struct moot_batch_progress *out)
{
    for (size_t i = 0; i < plan->provider_count; i++) {
        struct moot_limiter *limiter = moot__budget_limiter(budget, (unsigned)i);
        look_at(&plan->providers[i], limiter, now_ns, out);
        uint64_t least_ns = rows_left ? time_for(plan, i, limiter, rows_left) : 0;
        if (least_ns > out->remaining_ns)
            out->remaining_ns = least_ns;
    }
}
