/* The limiter: how fast, how many at once, and when not at all.
 *
 * Rates. Each meter is a bucket in the form of the generic cell rate algorithm: one number, the
 * theoretical arrival time, at which the bucket will be full again. A request of cost c (in
 * nanoseconds of refill) fits when max(arrival, now) + c - now <= burst; it then moves the arrival
 * time by c. Settling moves it back (a refund) or on (a debt). One atomic a meter is all the state,
 * so loops on several threads share it without a lock. A reservation takes the meters one by one
 * and hands back what it took if a later one refuses; a rival may see that for a moment and wait a
 * little longer than needed, never shorter.
 *
 * The quota is used up to `headroom` (0.97): clocks drift, and providers count at their own door.
 * With one second of burst, no window of a minute sees more than the quota. */
#include "limiter.h"

#include <string.h>

#include "engine/base/check.h"
#include "limiter_internal.h"

#define DEFAULT_HEADROOM 0.97
#define DEFAULT_BURST_NS MOOT_NS_PER_S
#define PROBE_HOLD_NS    MOOT_NS_PER_S

void moot__limiter_init(struct moot_limiter *limiter, const struct moot_limiter_options *options,
                        uint64_t now_ns)
{
    memset(limiter, 0, sizeof *limiter);
    limiter->meters = &limiter->own;
    memcpy(limiter->per_day, options->per_day, sizeof limiter->per_day);
    limiter->headroom = options->headroom > 0 ? options->headroom : DEFAULT_HEADROOM;
    assert(limiter->headroom <= 1);
    limiter->burst_ns = options->burst_ns ? options->burst_ns : DEFAULT_BURST_NS;
    bool is_given = false;
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        double milli = (double)options->per_minute[i] * 1000.0 * limiter->headroom;
        limiter->given_milli[i] = limiter->adapt.quota_milli[i] = (uint64_t)milli;
        is_given = is_given || options->per_minute[i];
        atomic_init(&limiter->rate_milli[i], limiter->given_milli[i]);
        atomic_init(&limiter->meters->arrival_ns[i], now_ns);
    }
    atomic_init(&limiter->is_learning, !is_given);
    atomic_init(&limiter->output_share, SHARE_ALL);
    atomic_init(&limiter->reserve_share, RESERVE_SHARE_START);
    limiter->is_adaptive = options->concurrency == 0;
    limiter->only_used = options->only_used;
    limiter->concurrency_max =
        options->concurrency_max ? options->concurrency_max : MOOT_LIMITER_CONCURRENCY_MAX;
    uint32_t limit = options->concurrency;
    if (limiter->is_adaptive)
        limit = limiter->concurrency_max < MOOT_LIMITER_CONCURRENCY_START
                    ? limiter->concurrency_max
                    : MOOT_LIMITER_CONCURRENCY_START;
    atomic_init(&limiter->in_flight_limit, limit);
    atomic_flag_clear(&limiter->adapting);
    limiter->adapt.started_ns = now_ns;
    limiter->adapt.clean_since_ns = now_ns;
}

void moot__limiter_share(struct moot_limiter *limiter, struct moot_limiter_meters *meters)
{
    assert(limiter->meters == &limiter->own && !limiter->is_learning);
    limiter->meters = meters;
}

/* --- reserving ------------------------------------------------------------------------------- */

static int slot_take(struct moot_limiter *limiter)
{
    uint32_t limit = atomic_load(&limiter->in_flight_limit);
    uint32_t seen = atomic_load(&limiter->in_flight);
    do {
        if (seen >= limit)
            return MOOT_EAGAIN;
    } while (!atomic_compare_exchange_weak(&limiter->in_flight, &seen, seen + 1));
    uint32_t peak = atomic_load(&limiter->in_flight_peak);
    while (peak < seen + 1 &&
           !atomic_compare_exchange_weak(&limiter->in_flight_peak, &peak, seen + 1)) {
    }
    return MOOT_OK;
}

static void slot_give_back(struct moot_limiter *limiter)
{
    uint32_t before = atomic_fetch_sub(&limiter->in_flight, 1);
    assert(before > 0);
    moot__ignore(before);
}

/* When may a cost be added to this arrival time? A bucket holds one request at least; what is
 * larger than the bucket waits until it is full. */
static uint64_t fits_at_ns(uint64_t arrival_ns, uint64_t cost, uint64_t burst_ns)
{
    uint64_t room = cost < burst_ns ? burst_ns - cost : 0;
    return arrival_ns > room ? arrival_ns - room : 0;
}

/* Providers set aside what a request may use at most (max_tokens), until its answer ends. We charge
 * what answers really use, and so must see to it that all estimates together stay within what a
 * provider can have set aside: a part of its minute. */
static bool is_too_much_ahead(struct moot_limiter *limiter, uint64_t now_ns, uint64_t units,
                              uint64_t rate)
{
    uint64_t at_once = moot__limiter_at_once(limiter, now_ns); /* this one is among them */
    uint64_t most = (rate >> 10) * atomic_load(&limiter->reserve_share) >> 10;
    return at_once > 1 && units > most / at_once;
}

static int meter_take(struct moot_limiter *limiter, enum moot_meter meter, uint64_t rate,
                      uint64_t units, struct moot_grant *grant, uint64_t *retry_at_ns)
{
    uint64_t now_ns = grant->sent_at_ns;
    /* An estimate of nothing waits as well, and brings the bucket up to now: what the call really
     * uses is charged from there, and would otherwise be a debt in the past. */
    uint64_t cost = cost_ns(units, rate);
    uint64_t seen = atomic_load(&limiter->meters->arrival_ns[meter]);
    uint64_t next;
    do {
        uint64_t at_ns = fits_at_ns(seen, cost, limiter->burst_ns);
        if (at_ns > now_ns) {
            *retry_at_ns = at_ns;
            return MOOT_EAGAIN;
        }
        next = (seen > now_ns ? seen : now_ns) + cost;
    } while (!atomic_compare_exchange_weak(&limiter->meters->arrival_ns[meter], &seen, next));
    grant->charged_ns[meter] = cost;
    return MOOT_OK;
}

static void meters_give_back(struct moot_limiter *limiter, struct moot_grant *grant)
{
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        lower_by(&limiter->meters->arrival_ns[i], grant->charged_ns[i]);
        grant->charged_ns[i] = 0;
    }
    moot__limiter_day_give_back(limiter, grant);
}

static uint64_t paused_until_ns(struct moot_limiter *limiter)
{
    uint64_t own_ns = atomic_load(&limiter->pause_until_ns);
    uint64_t others_ns = atomic_load(&limiter->meters->pause_until_ns);
    return own_ns > others_ns ? own_ns : others_ns;
}

/* The pause and the probe. MOOT_OK: go on, and *is_probe tells whether this one is the probe. */
static int pass_pause(struct moot_limiter *limiter, uint64_t now_ns, bool *is_probe,
                      uint64_t *retry_at_ns)
{
    *is_probe = false;
    uint64_t until_ns = paused_until_ns(limiter);
    if (until_ns > now_ns) {
        *retry_at_ns = until_ns;
        return MOOT_EAGAIN;
    }
    uint32_t probe = atomic_load(&limiter->probe);
    if (probe == PROBE_OUT && adapt_enter(limiter)) {
        if (atomic_load(&limiter->probe) == PROBE_OUT)
            moot__limiter_close_episode(limiter, now_ns);
        adapt_leave(limiter);
    }
    *is_probe = probe == PROBE_WAITING;
    return MOOT_OK;
}

static int take_probe(struct moot_limiter *limiter, uint64_t now_ns, uint64_t *retry_at_ns)
{
    uint32_t expected = PROBE_WAITING;
    if (atomic_compare_exchange_strong(&limiter->probe, &expected, PROBE_OUT)) {
        raise_to(&limiter->pause_until_ns, now_ns + PROBE_HOLD_NS);
        return MOOT_OK;
    }
    *retry_at_ns = now_ns + MOOT_LIMITER_POLL_NS; /* another thread's is the probe */
    return MOOT_EAGAIN;
}

/* All meters that are in force. */
static int meters_take(struct moot_limiter *limiter, const uint64_t estimate[MOOT_METERS],
                       struct moot_grant *grant, uint64_t *retry_at_ns)
{
    uint64_t output = estimate[MOOT_METER_OUTPUT];
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        uint64_t rate = atomic_load(&limiter->rate_milli[i]);
        if (rate == 0)
            continue;
        uint64_t units = estimate[i];
        if (i >= MOOT_METER_OUTPUT) {
            uint64_t input = i == MOOT_METER_TOKENS ? estimate[MOOT_METER_INPUT] : 0;
            if (!limiter->only_used &&
                is_too_much_ahead(limiter, grant->sent_at_ns, input + output, rate)) {
                *retry_at_ns = grant->sent_at_ns + MOOT_LIMITER_POLL_NS;
                return MOOT_EAGAIN;
            }
            units = input + (output * atomic_load(&limiter->output_share) >> 10);
        }
        int rc = meter_take(limiter, (enum moot_meter)i, rate, units, grant, retry_at_ns);
        if (rc)
            return rc;
    }
    return moot__limiter_day_take(limiter, estimate, grant, retry_at_ns);
}

int moot__limiter_reserve(struct moot_limiter *limiter, uint64_t now_ns,
                          const uint64_t estimate[MOOT_METERS], struct moot_grant *grant,
                          uint64_t *retry_at_ns)
{
    assert(estimate[MOOT_METER_REQUESTS] == 1);
    *grant =
        (struct moot_grant){.sent_at_ns = now_ns, .output_tokens = estimate[MOOT_METER_OUTPUT]};
    bool is_probe;
    int rc = pass_pause(limiter, now_ns, &is_probe, retry_at_ns);
    if (rc)
        return rc;
    if (slot_take(limiter)) {
        *retry_at_ns = now_ns + MOOT_LIMITER_POLL_NS;
        return MOOT_EAGAIN;
    }
    rc = meters_take(limiter, estimate, grant, retry_at_ns);
    if (!rc)
        rc = moot__breaker_take(&limiter->breaker, now_ns, retry_at_ns);
    if (!rc && is_probe)
        rc = take_probe(limiter, now_ns, retry_at_ns);
    if (rc) {
        meters_give_back(limiter, grant);
        slot_give_back(limiter);
        assert(*retry_at_ns > now_ns);
        return rc;
    }
    grant->is_held = true;
    grant->is_probe = is_probe;
    if (atomic_fetch_add(&limiter->granted, 1) == 0)
        moot__limiter_begin_epoch(limiter, now_ns);
    return MOOT_OK;
}

static void meter_correct(struct moot_limiter *limiter, enum moot_meter meter, uint64_t charged,
                          uint64_t units)
{
    uint64_t rate = atomic_load(&limiter->rate_milli[meter]);
    if (rate == 0)
        return;
    uint64_t really = cost_ns(units, rate);
    if (really > charged)
        atomic_fetch_add(&limiter->meters->arrival_ns[meter], really - charged);
    else if (really < charged)
        lower_by(&limiter->meters->arrival_ns[meter], charged - really);
}

void moot__limiter_settle(struct moot_limiter *limiter, struct moot_grant *grant,
                          uint64_t input_tokens, uint64_t output_tokens)
{
    if (!grant->is_held)
        return;
    grant->is_held = false;
    meter_correct(limiter, MOOT_METER_INPUT, grant->charged_ns[MOOT_METER_INPUT], input_tokens);
    meter_correct(limiter, MOOT_METER_OUTPUT, grant->charged_ns[MOOT_METER_OUTPUT], output_tokens);
    meter_correct(limiter, MOOT_METER_TOKENS, grant->charged_ns[MOOT_METER_TOKENS],
                  input_tokens + output_tokens);
    moot__limiter_day_settle(limiter, grant, input_tokens + output_tokens);
    if (output_tokens) {
        atomic_fetch_add(&limiter->estimated_output, grant->output_tokens);
        atomic_fetch_add(&limiter->used_output, output_tokens);
    }
    slot_give_back(limiter);
}

void moot__limiter_cancel(struct moot_limiter *limiter, struct moot_grant *grant)
{
    if (!grant->is_held)
        return;
    grant->is_held = false;
    meters_give_back(limiter, grant);
    slot_give_back(limiter);
    uint32_t expected = PROBE_OUT;
    if (grant->is_probe)
        moot__ignore(atomic_compare_exchange_strong(&limiter->probe, &expected, PROBE_WAITING));
    atomic_fetch_sub(&limiter->granted, 1);
}

void moot__limiter_snapshot(struct moot_limiter *limiter, struct moot_limiter_snapshot *snapshot)
{
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        snapshot->per_minute[i] = atomic_load(&limiter->rate_milli[i]) / 1000;
        snapshot->full_at_ns[i] = atomic_load(&limiter->meters->arrival_ns[i]);
    }
    snapshot->in_flight = atomic_load(&limiter->in_flight);
    snapshot->in_flight_limit = atomic_load(&limiter->in_flight_limit);
    snapshot->pause_until_ns = paused_until_ns(limiter);
    snapshot->day_until_ns = atomic_load(&limiter->day_until_ns);
    snapshot->granted = atomic_load(&limiter->granted);
    snapshot->succeeded = atomic_load(&limiter->succeeded);
    snapshot->throttled = atomic_load(&limiter->throttled);
    snapshot->cuts = atomic_load(&limiter->cuts);
    moot__breaker_view(&limiter->breaker, &snapshot->breaker);
    snapshot->is_learned = limiter->is_learning && snapshot->per_minute[MOOT_METER_REQUESTS] > 0;
}
