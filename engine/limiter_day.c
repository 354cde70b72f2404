/* Quotas of a day. Nothing is spread over the day: they are used as fast as those of the minute
 * allow, and when one is gone everybody waits.
 *
 * Providers count a day in three ways: from midnight somewhere, over the last 24 hours, or as a
 * bucket that fills over a day. We keep to what is right for all: never more than the quota in any
 * 24 hours. Used units are kept by the hour and come back when their hour is a day old, so a day is
 * up to an hour too long, never too short.
 *
 * A slice is one number, the hour in its upper bits and the units in its lower ones, so that it can
 * be taken over for a new hour and counted in at once. */
#include "engine/base/check.h"
#include "limiter_internal.h"

#define HOUR_NS     (3600 * MOOT_NS_PER_S)
#define UNIT_BITS   40
#define UNITS_MAX   ((UINT64_C(1) << UNIT_BITS) - 1)
#define DAY_POLL_NS MOOT_NS_PER_S /* others give back what they did not use */

static uint64_t hour_of(uint64_t at_ns)
{
    return at_ns / HOUR_NS;
}

static _Atomic uint64_t *slice_of(struct moot_limiter *limiter, unsigned meter, uint64_t hour)
{
    return &limiter->meters->days[meter][hour % MOOT_LIMITER_DAY_SLICES];
}

/* Into an hour that is over as well, unless its slice has been taken over since. */
static void add(struct moot_limiter *limiter, unsigned meter, uint64_t hour, uint64_t units)
{
    _Atomic uint64_t *slice = slice_of(limiter, meter, hour);
    uint64_t seen = atomic_load(slice), next;
    do {
        if (seen >> UNIT_BITS > hour)
            return;
        uint64_t used = seen >> UNIT_BITS == hour ? seen & UNITS_MAX : 0;
        uint64_t sum = units < UNITS_MAX - used ? used + units : UNITS_MAX;
        next = hour << UNIT_BITS | sum;
    } while (!atomic_compare_exchange_weak(slice, &seen, next));
}

static void take_back(struct moot_limiter *limiter, unsigned meter, uint64_t hour, uint64_t units)
{
    _Atomic uint64_t *slice = slice_of(limiter, meter, hour);
    uint64_t seen = atomic_load(slice), used;
    do {
        used = seen & UNITS_MAX;
        if (seen >> UNIT_BITS != hour)
            return;
    } while (!atomic_compare_exchange_weak(slice, &seen, seen - (used < units ? used : units)));
}

/* What the last day used; and the first hour of it that used anything. */
static uint64_t used_of(struct moot_limiter *limiter, unsigned meter, uint64_t hour,
                        uint64_t *first)
{
    uint64_t sum = 0;
    *first = hour;
    for (unsigned i = 0; i < MOOT_LIMITER_DAY_SLICES; i++) {
        uint64_t seen = atomic_load(&limiter->meters->days[meter][i]);
        uint64_t of = seen >> UNIT_BITS, units = seen & UNITS_MAX;
        if (units == 0 || of > hour || of + MOOT_LIMITER_DAY_SLICES <= hour)
            continue;
        sum += units;
        *first = of < *first ? of : *first;
    }
    return sum;
}

/* Taken first and looked at then, so that of several at once none gets more than there is; they
 * may all be refused, and come again. What is larger than the quota passes when nothing is used. */
static int take(struct moot_limiter *limiter, unsigned meter, uint64_t units,
                struct moot_grant *grant, uint64_t *retry_at_ns)
{
    uint64_t now_ns = grant->sent_at_ns, hour = hour_of(now_ns), first;
    add(limiter, meter, hour, units);
    uint64_t used = used_of(limiter, meter, hour, &first);
    if (used <= limiter->per_day[meter] || used <= units) {
        grant->charged_day[meter] = units;
        return MOOT_OK;
    }
    take_back(limiter, meter, hour, units);
    uint64_t back_ns = (first + MOOT_LIMITER_DAY_SLICES) * HOUR_NS;
    atomic_store(&limiter->day_until_ns, back_ns);
    *retry_at_ns = back_ns < now_ns + DAY_POLL_NS ? back_ns : now_ns + DAY_POLL_NS;
    return MOOT_EAGAIN;
}

int moot__limiter_day_take(struct moot_limiter *limiter, const uint64_t estimate[MOOT_METERS],
                           struct moot_grant *grant, uint64_t *retry_at_ns)
{
    uint64_t output = estimate[MOOT_METER_OUTPUT] * atomic_load(&limiter->output_share) >> 10;
    const uint64_t units[MOOT_DAY_METERS] = {1, estimate[MOOT_METER_INPUT] + output};
    bool is_any = false;
    for (unsigned i = 0; i < MOOT_DAY_METERS; i++) {
        if (limiter->per_day[i] == 0)
            continue;
        is_any = true;
        int rc = take(limiter, i, units[i], grant, retry_at_ns);
        if (rc)
            return rc;
    }
    if (is_any)
        atomic_store(&limiter->day_until_ns, 0);
    return MOOT_OK;
}

void moot__limiter_day_give_back(struct moot_limiter *limiter, struct moot_grant *grant)
{
    for (unsigned i = 0; i < MOOT_DAY_METERS; i++) {
        if (grant->charged_day[i])
            take_back(limiter, i, hour_of(grant->sent_at_ns), grant->charged_day[i]);
        grant->charged_day[i] = 0;
    }
}

void moot__limiter_day_settle(struct moot_limiter *limiter, struct moot_grant *grant,
                              uint64_t tokens)
{
    uint64_t charged = grant->charged_day[MOOT_DAY_TOKENS], hour = hour_of(grant->sent_at_ns);
    if (limiter->per_day[MOOT_DAY_TOKENS] == 0)
        return;
    if (tokens > charged)
        add(limiter, MOOT_DAY_TOKENS, hour, tokens - charged);
    else if (tokens < charged)
        take_back(limiter, MOOT_DAY_TOKENS, hour, charged - tokens);
}
