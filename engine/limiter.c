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
 * With one second of burst, no window of a minute sees more than the quota.
 *
 * Episodes. The first throttled answer opens an episode: one cut, and a pause. What was sent before
 * the cut cannot cut again. After the pause one request goes first, the probe; the rest waits
 * until it succeeds or a second passes without a refusal. A refused probe doubles the pause.
 *
 *      clear --throttled: cut, pause--> waiting --pause over, one grant--> out --success, or 1 s-->
 *        ^                                 ^                                |             clear
 *        |                                 +-------- throttled: pause x2 ---+
 *        +-- a throttled answer within the cooldown (1..15 s from our own latencies, never from
 *            the provider's hint) pauses and probes, but does not cut
 *
 * Learning. With no quota given, the end of an episode tells what the provider lets through: what
 * it accepted since the epoch began, over the time that this took, waiting included. That rate
 * is taken (x 0.9; a first one may be far off, since a full bucket was emptied, so it may fall
 * freely until a clean period has confirmed it), and grows while it is used and nothing is
 * throttled: by 5 % a period, by 1 % near the rate that was throttled last, by 10 % beyond it. A
 * given quota is cut to 0.8 and grows back the same way.
 *
 * Adapting is done by one thread at a time, through a flag that is tried and never waited for: who
 * does not get it leaves the work to the next answer. */
#include "limiter.h"

#include <string.h>

#include "engine/base/check.h"

enum probe_state {
    PROBE_CLEAR,   /* no episode */
    PROBE_WAITING, /* paused; the next grant is the probe */
    PROBE_OUT,     /* the probe is out; pause_until_ns is when it counts as accepted */
};

#define DEFAULT_HEADROOM  0.97
#define DEFAULT_BURST_NS  MOOT_NS_PER_S
#define CUT               0.8
#define LEARN_FIRST       0.9  /* of the measured rate, until one was confirmed */
#define LEARN_AGAIN       0.95 /* of the measured rate, within the two below of the old one */
#define LEARN_CUT_LEAST   0.9
#define LEARN_CUT_MOST    0.7
#define GROWTH            0.05
#define GROWTH_NEAR       0.01 /* within 5 % of the rate that was throttled last */
#define GROWTH_BEYOND     0.10 /* above it: that one was too low */
#define RATE_FLOOR_MILLI  1000 /* one a minute */
#define USED_ENOUGH       0.8
#define CLEAN_PERIOD_NS   (10 * MOOT_NS_PER_S)
#define WINDOW_NS         (60 * MOOT_NS_PER_S) /* what an estimate looks back */
#define MARK_INTERVAL_NS  MOOT_NS_PER_S
#define COOLDOWN_MIN_NS   MOOT_NS_PER_S
#define COOLDOWN_MAX_NS   (15 * MOOT_NS_PER_S)
#define BACKOFF_MIN_NS    (200 * MOOT_NS_PER_MS)
#define BACKOFF_MAX_NS    (5 * MOOT_NS_PER_S)
#define PROBE_HOLD_NS     MOOT_NS_PER_S
#define CONCURRENCY_FLOOR 1
#define ROUND_MIN         4
#define MILLI_NS_PER_MIN  60e12 /* nanoseconds of a minute, in thousandths */

static uint64_t cost_ns(uint64_t units, uint64_t rate_milli)
{
    if (rate_milli == 0 || units == 0)
        return 0;
    double cost = (double)units * MILLI_NS_PER_MIN / (double)rate_milli;
    /* A day is longer than any sane debt, and keeps sums far from overflow. */
    double day = 86400.0 * (double)MOOT_NS_PER_S;
    return (uint64_t)(cost < day ? cost : day);
}

static bool adapt_enter(struct moot_limiter *limiter)
{
    return !atomic_flag_test_and_set_explicit(&limiter->adapting, memory_order_acquire);
}

static void adapt_leave(struct moot_limiter *limiter)
{
    atomic_flag_clear_explicit(&limiter->adapting, memory_order_release);
}

static void raise_to(_Atomic uint64_t *value, uint64_t least)
{
    uint64_t seen = atomic_load(value);
    while (seen < least && !atomic_compare_exchange_weak(value, &seen, least)) {
    }
}

void moot__limiter_init(struct moot_limiter *limiter, const struct moot_limiter_options *options,
                        uint64_t now_ns)
{
    memset(limiter, 0, sizeof *limiter);
    double headroom = options->headroom > 0 ? options->headroom : DEFAULT_HEADROOM;
    assert(headroom <= 1);
    limiter->burst_ns = options->burst_ns ? options->burst_ns : DEFAULT_BURST_NS;
    limiter->is_learning = true;
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        double milli = (double)options->per_minute[i] * 1000.0 * headroom;
        limiter->quota_milli[i] = (uint64_t)milli;
        if (options->per_minute[i])
            limiter->is_learning = false;
        atomic_init(&limiter->rate_milli[i], limiter->quota_milli[i]);
        atomic_init(&limiter->arrival_ns[i], now_ns);
    }
    limiter->is_adaptive = options->concurrency == 0;
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
    limiter->adapt.backoff_ns = BACKOFF_MIN_NS;
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

static int meter_take(struct moot_limiter *limiter, enum moot_meter meter, uint64_t units,
                      uint64_t now_ns, struct moot_grant *grant, uint64_t *retry_at_ns)
{
    uint64_t cost = cost_ns(units, atomic_load(&limiter->rate_milli[meter]));
    if (cost == 0)
        return MOOT_OK;
    uint64_t seen = atomic_load(&limiter->arrival_ns[meter]);
    uint64_t next;
    do {
        uint64_t at_ns = fits_at_ns(seen, cost, limiter->burst_ns);
        if (at_ns > now_ns) {
            *retry_at_ns = at_ns;
            return MOOT_EAGAIN;
        }
        next = (seen > now_ns ? seen : now_ns) + cost;
    } while (!atomic_compare_exchange_weak(&limiter->arrival_ns[meter], &seen, next));
    grant->charged_ns[meter] = cost;
    return MOOT_OK;
}

static void meters_give_back(struct moot_limiter *limiter, struct moot_grant *grant)
{
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        atomic_fetch_sub(&limiter->arrival_ns[i], grant->charged_ns[i]);
        grant->charged_ns[i] = 0;
    }
}

static void episode_close(struct moot_limiter *limiter, uint64_t now_ns);

/* The pause and the probe. MOOT_OK: go on, and *is_probe tells whether this one is the probe. */
static int pass_pause(struct moot_limiter *limiter, uint64_t now_ns, bool *is_probe,
                      uint64_t *retry_at_ns)
{
    *is_probe = false;
    uint64_t until_ns = atomic_load(&limiter->pause_until_ns);
    if (until_ns > now_ns) {
        *retry_at_ns = until_ns;
        return MOOT_EAGAIN;
    }
    uint32_t probe = atomic_load(&limiter->probe);
    if (probe == PROBE_OUT && adapt_enter(limiter)) {
        if (atomic_load(&limiter->probe) == PROBE_OUT)
            episode_close(limiter, now_ns);
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

int moot__limiter_reserve(struct moot_limiter *limiter, uint64_t now_ns,
                          const uint64_t estimate[MOOT_METERS], struct moot_grant *grant,
                          uint64_t *retry_at_ns)
{
    assert(estimate[MOOT_METER_REQUESTS] == 1);
    *grant = (struct moot_grant){.sent_at_ns = now_ns};
    bool is_probe;
    int rc = pass_pause(limiter, now_ns, &is_probe, retry_at_ns);
    if (rc)
        return rc;
    if (slot_take(limiter)) {
        *retry_at_ns = now_ns + MOOT_LIMITER_POLL_NS;
        return MOOT_EAGAIN;
    }
    for (unsigned i = 0; i < MOOT_METERS && !rc; i++)
        rc = meter_take(limiter, (enum moot_meter)i, estimate[i], now_ns, grant, retry_at_ns);
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
    atomic_fetch_add(&limiter->granted, 1);
    return MOOT_OK;
}

static void meter_correct(struct moot_limiter *limiter, enum moot_meter meter, uint64_t charged,
                          uint64_t units)
{
    uint64_t really = cost_ns(units, atomic_load(&limiter->rate_milli[meter]));
    if (really > charged)
        atomic_fetch_add(&limiter->arrival_ns[meter], really - charged);
    else if (really < charged)
        atomic_fetch_sub(&limiter->arrival_ns[meter], charged - really);
}

void moot__limiter_settle(struct moot_limiter *limiter, struct moot_grant *grant,
                          uint64_t input_tokens, uint64_t output_tokens)
{
    if (!grant->is_held)
        return;
    grant->is_held = false;
    meter_correct(limiter, MOOT_METER_INPUT, grant->charged_ns[MOOT_METER_INPUT], input_tokens);
    meter_correct(limiter, MOOT_METER_OUTPUT, grant->charged_ns[MOOT_METER_OUTPUT], output_tokens);
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

/* --- adapting: everything below runs inside adapt_enter/adapt_leave --------------------------- */

/* What the provider let through so far: sent and not refused. Answers come late (a long reply takes
 * a minute), refusals come at once, so this is known long before the successes are. */
static int64_t accepted_now(struct moot_limiter *limiter)
{
    return (int64_t)atomic_load(&limiter->granted) - (int64_t)atomic_load(&limiter->throttled);
}

static void mark(struct moot_limiter *limiter, uint64_t now_ns)
{
    unsigned newest = (limiter->adapt.mark_next + MOOT_LIMITER_MARKS - 1) % MOOT_LIMITER_MARKS;
    if (limiter->adapt.mark_count > 0 &&
        now_ns < limiter->adapt.marks[newest].at_ns + MARK_INTERVAL_NS)
        return;
    limiter->adapt.marks[limiter->adapt.mark_next] =
        (struct moot_limiter_mark){now_ns, accepted_now(limiter)};
    limiter->adapt.mark_next = (limiter->adapt.mark_next + 1) % MOOT_LIMITER_MARKS;
    if (limiter->adapt.mark_count < MOOT_LIMITER_MARKS)
        limiter->adapt.mark_count++;
}

/* The newest mark that is not younger than `since_ns`; the epoch's start if there is none. */
static struct moot_limiter_mark mark_at(const struct moot_limiter *limiter, uint64_t since_ns)
{
    struct moot_limiter_mark best = {limiter->adapt.started_ns, 0};
    for (unsigned i = 0; i < limiter->adapt.mark_count; i++) {
        struct moot_limiter_mark candidate = limiter->adapt.marks[i];
        if (candidate.at_ns <= since_ns && candidate.at_ns >= best.at_ns)
            best = candidate;
    }
    return best;
}

static uint64_t measured_milli(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t since_ns = limiter->adapt.started_ns;
    if (limiter->adapt.opened_ns > since_ns + WINDOW_NS)
        since_ns = limiter->adapt.opened_ns - WINDOW_NS;
    struct moot_limiter_mark from = mark_at(limiter, since_ns);
    uint64_t span_ns = moot__ns_until(from.at_ns, now_ns);
    if (span_ns < MOOT_NS_PER_MS)
        span_ns = MOOT_NS_PER_MS;
    int64_t accepted = accepted_now(limiter) - from.accepted;
    double milli = (double)(accepted > 0 ? accepted : 0) * MILLI_NS_PER_MIN / (double)span_ns;
    return milli < RATE_FLOOR_MILLI ? RATE_FLOOR_MILLI : (uint64_t)milli;
}

static void learn(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t old = atomic_load(&limiter->rate_milli[MOOT_METER_REQUESTS]);
    double measured = (double)measured_milli(limiter, now_ns);
    double rate = measured * (limiter->adapt.is_confirmed ? LEARN_AGAIN : LEARN_FIRST);
    if (old && rate > (double)old * LEARN_CUT_LEAST)
        rate = (double)old * LEARN_CUT_LEAST;
    if (limiter->adapt.is_confirmed && rate < (double)old * LEARN_CUT_MOST)
        rate = (double)old * LEARN_CUT_MOST;
    if (rate < RATE_FLOOR_MILLI)
        rate = RATE_FLOOR_MILLI;
    limiter->adapt.throttled_milli[MOOT_METER_REQUESTS] = old ? old : (uint64_t)measured;
    atomic_store(&limiter->rate_milli[MOOT_METER_REQUESTS], (uint64_t)rate);
}

static void cut_quota(struct moot_limiter *limiter)
{
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        uint64_t rate = atomic_load(&limiter->rate_milli[i]);
        if (limiter->quota_milli[i] == 0)
            continue;
        limiter->adapt.throttled_milli[i] = rate;
        rate = (uint64_t)((double)rate * CUT);
        uint64_t floor = limiter->quota_milli[i] / 20;
        atomic_store(&limiter->rate_milli[i], rate > floor ? rate : floor + 1);
    }
}

static void cut_concurrency(struct moot_limiter *limiter)
{
    limiter->adapt.was_cut = true;
    limiter->adapt.round = 0;
    if (!limiter->is_adaptive)
        return;
    uint32_t limit = atomic_load(&limiter->in_flight_limit);
    limit = (uint32_t)((double)limit * CUT);
    atomic_store(&limiter->in_flight_limit, limit > CONCURRENCY_FLOOR ? limit : CONCURRENCY_FLOOR);
}

static void clean_restart(struct moot_limiter *limiter, uint64_t now_ns)
{
    limiter->adapt.clean_since_ns = now_ns;
    limiter->adapt.granted_at_clean = atomic_load(&limiter->granted);
}

static uint64_t cooldown_ns(const struct moot_limiter *limiter)
{
    uint64_t span_ns = 2 * limiter->adapt.latency_ns;
    if (span_ns < COOLDOWN_MIN_NS)
        return COOLDOWN_MIN_NS;
    return span_ns < COOLDOWN_MAX_NS ? span_ns : COOLDOWN_MAX_NS;
}

/* The first throttled answer of an episode. Learning waits for the episode's end. */
static void episode_open(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t last_ns = limiter->adapt.last_cut_ns;
    atomic_store(&limiter->probe, PROBE_WAITING);
    limiter->adapt.opened_ns = now_ns;
    limiter->adapt.backoff_ns = BACKOFF_MIN_NS;
    limiter->adapt.may_cut = last_ns == 0 || now_ns >= last_ns + cooldown_ns(limiter);
    if (!limiter->adapt.may_cut)
        return;
    limiter->adapt.last_cut_ns = now_ns;
    cut_concurrency(limiter);
    cut_quota(limiter);
    atomic_fetch_add(&limiter->cuts, 1);
}

/* The requests that waited out a pause must not leave in one burst after it. */
static void empty_bucket(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t one = cost_ns(1, atomic_load(&limiter->rate_milli[MOOT_METER_REQUESTS]));
    if (one > 0)
        raise_to(&limiter->arrival_ns[MOOT_METER_REQUESTS],
                 now_ns + (one > limiter->burst_ns ? one : limiter->burst_ns));
}

/* A probe got through. The rate becomes what the provider let through, if nobody told us. */
static void episode_close(struct moot_limiter *limiter, uint64_t now_ns)
{
    if (limiter->is_learning && (limiter->adapt.may_cut || !limiter->adapt.is_confirmed))
        learn(limiter, now_ns);
    empty_bucket(limiter, now_ns);
    limiter->adapt.started_ns = now_ns;
    limiter->adapt.mark_count = 0;
    limiter->adapt.mark_next = 0;
    mark(limiter, now_ns);
    clean_restart(limiter, now_ns);
    atomic_store(&limiter->probe, PROBE_CLEAR);
}

static void grow_meter(struct moot_limiter *limiter, unsigned i)
{
    uint64_t rate = atomic_load(&limiter->rate_milli[i]);
    uint64_t quota = limiter->quota_milli[i];
    if (rate == 0 || (quota && rate >= quota))
        return;
    uint64_t throttled = limiter->adapt.throttled_milli[i];
    double share = (double)rate / (double)(throttled ? throttled : 1);
    double growth = share < 0.95 ? GROWTH : share < 1.05 ? GROWTH_NEAR : GROWTH_BEYOND;
    double grown = (double)rate * (1 + growth) + 1;
    if (quota && grown > (double)quota)
        grown = (double)quota;
    atomic_store(&limiter->rate_milli[i], (uint64_t)grown);
}

/* A period without throttling: rates that were cut or learned grow, if they were used. */
static void grow_rates(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t span_ns = moot__ns_until(limiter->adapt.clean_since_ns, now_ns);
    if (span_ns < CLEAN_PERIOD_NS)
        return;
    uint64_t used = atomic_load(&limiter->granted) - limiter->adapt.granted_at_clean;
    uint64_t rate = atomic_load(&limiter->rate_milli[MOOT_METER_REQUESTS]);
    double could = (double)rate * (double)span_ns / MILLI_NS_PER_MIN;
    if (!limiter->is_learning || (double)used >= USED_ENOUGH * could) {
        limiter->adapt.is_confirmed = true;
        for (unsigned i = 0; i < MOOT_METERS; i++)
            grow_meter(limiter, i);
    }
    clean_restart(limiter, now_ns);
}

/* As many clean successes as the limit is wide make a round; a round that used the limit raises
 * it: doubling until the first cut, then by a twentieth; by an eighth while a rate of requests is
 * in force, which guards against most refusals by itself. */
static void grow_concurrency(struct moot_limiter *limiter)
{
    uint32_t limit = atomic_load(&limiter->in_flight_limit);
    if (!limiter->is_adaptive || ++limiter->adapt.round < (limit > ROUND_MIN ? limit : ROUND_MIN))
        return;
    limiter->adapt.round = 0;
    uint32_t now_in_flight = atomic_load(&limiter->in_flight);
    uint32_t peak = atomic_exchange(&limiter->in_flight_peak, now_in_flight);
    if ((double)peak < USED_ENOUGH * (double)limit)
        return;
    uint32_t step = limit;
    if (limiter->adapt.was_cut) {
        bool is_paced = atomic_load(&limiter->rate_milli[MOOT_METER_REQUESTS]) != 0;
        step = limit / (is_paced ? 8 : 20);
        step = step ? step : 1;
    }
    uint32_t room = limiter->concurrency_max - limit;
    atomic_store(&limiter->in_flight_limit, limit + (step < room ? step : room));
}

void moot__limiter_on_success(struct moot_limiter *limiter, uint64_t sent_at_ns, uint64_t now_ns)
{
    atomic_fetch_add(&limiter->succeeded, 1);
    if (!adapt_enter(limiter))
        return;
    uint64_t latency_ns = moot__ns_until(sent_at_ns, now_ns);
    uint64_t old_ns = limiter->adapt.latency_ns;
    limiter->adapt.latency_ns = old_ns ? old_ns - old_ns / 8 + latency_ns / 8 : latency_ns;
    bool is_after_cut = sent_at_ns > atomic_load(&limiter->cut_at_ns);
    uint32_t probe = atomic_load(&limiter->probe);
    if (probe == PROBE_OUT && is_after_cut) {
        episode_close(limiter, now_ns);
        atomic_store(&limiter->pause_until_ns, now_ns);
    } else if (probe == PROBE_CLEAR) {
        mark(limiter, now_ns);
        grow_rates(limiter, now_ns);
        grow_concurrency(limiter);
    }
    adapt_leave(limiter);
}

void moot__limiter_on_throttle(struct moot_limiter *limiter, uint64_t sent_at_ns, uint64_t now_ns,
                               uint64_t retry_after_ns)
{
    atomic_fetch_add(&limiter->throttled, 1);
    if (retry_after_ns > MOOT_LIMITER_PAUSE_MAX_NS)
        retry_after_ns = MOOT_LIMITER_PAUSE_MAX_NS;
    raise_to(&limiter->pause_until_ns, now_ns + retry_after_ns);
    if (!adapt_enter(limiter))
        return;
    uint64_t cut_at_ns = atomic_load(&limiter->cut_at_ns);
    if (cut_at_ns == 0 || sent_at_ns > cut_at_ns) {
        if (atomic_load(&limiter->probe) == PROBE_CLEAR) {
            episode_open(limiter, now_ns);
        } else {
            atomic_store(&limiter->probe, PROBE_WAITING);
            uint64_t doubled_ns = 2 * limiter->adapt.backoff_ns;
            limiter->adapt.backoff_ns = doubled_ns < BACKOFF_MAX_NS ? doubled_ns : BACKOFF_MAX_NS;
        }
        if (retry_after_ns == 0)
            raise_to(&limiter->pause_until_ns, now_ns + limiter->adapt.backoff_ns);
        atomic_store(&limiter->cut_at_ns, now_ns);
    }
    clean_restart(limiter, now_ns);
    adapt_leave(limiter);
}

void moot__limiter_on_error(struct moot_limiter *limiter, uint64_t now_ns)
{
    if (!adapt_enter(limiter))
        return;
    limiter->adapt.round = 0;
    clean_restart(limiter, now_ns);
    adapt_leave(limiter);
}

void moot__limiter_snapshot(struct moot_limiter *limiter, struct moot_limiter_snapshot *snapshot)
{
    for (unsigned i = 0; i < MOOT_METERS; i++)
        snapshot->per_minute[i] = atomic_load(&limiter->rate_milli[i]) / 1000;
    snapshot->in_flight = atomic_load(&limiter->in_flight);
    snapshot->in_flight_limit = atomic_load(&limiter->in_flight_limit);
    snapshot->pause_until_ns = atomic_load(&limiter->pause_until_ns);
    snapshot->granted = atomic_load(&limiter->granted);
    snapshot->succeeded = atomic_load(&limiter->succeeded);
    snapshot->throttled = atomic_load(&limiter->throttled);
    snapshot->cuts = atomic_load(&limiter->cuts);
    snapshot->is_learned = limiter->is_learning && snapshot->per_minute[MOOT_METER_REQUESTS] > 0;
}
