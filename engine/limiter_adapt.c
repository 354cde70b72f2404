/* How a limiter learns what a provider allows: cuts, pauses, probes, growth.
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
 * Learning. With no quota given, the end of an episode tells what the provider lets through:
 * limiter_learn.c. The rate that is taken grows while it is used and nothing is throttled: by 5 %
 * a period, by 1 % near the rate that was throttled last, by 10 % beyond it. A given quota is cut
 * to 0.8 and grows back the same way.
 *
 * Windows. A provider that lets pass anew at the end of a minute is learned by whole windows
 * instead: limiter_window.c.
 *
 * Noise. Some refusals have nothing to do with our rate: an overloaded region, a proxy, a
 * neighbour. When several cuts in a row leave the share of refusals where it was, and most is still
 * accepted, cutting is futile: rates go back to where they were before, and refusals only delay the
 * requests that met them, until hardly any comes any more or most of all do.
 *
 * Adapting is done by one thread at a time, through a flag that is tried and never waited for: who
 * does not get it leaves the work to the next answer. */
#include "engine/base/check.h"
#include "limiter_internal.h"

#define CUT               0.8
#define GROWTH            0.05
#define GROWTH_NEAR       0.01 /* within 5 % of the rate that was throttled last */
#define GROWTH_BEYOND     0.10 /* above it: that one was too low */
#define USED_ENOUGH       0.8
#define CLEAN_PERIOD_NS   (10 * MOOT_NS_PER_S)
#define CLEAN_PERIODS_MAX 6 /* that one answer can make good: a minute */
#define COOLDOWN_MIN_NS   MOOT_NS_PER_S
#define COOLDOWN_MAX_NS   (15 * MOOT_NS_PER_S)
#define BACKOFF_MIN_NS    (200 * MOOT_NS_PER_MS)
#define BACKOFF_NEXT_NS   (1600 * MOOT_NS_PER_MS) /* of an episode that goes on with another */
#define BACKOFF_MAX_NS    (5 * MOOT_NS_PER_S)
#define CONCURRENCY_FLOOR 1
#define FUTILE_CUTS       3
#define FUTILE_GIVEN_BACK 2     /* times what was in flight */
#define FUTILE_ANSWERS    8     /* fewer since the last cut say nothing about it */
#define NOISE_MOST        0.6   /* a share of refusals above it is a limit, not noise */
#define NOISE_TOO_MUCH    0.5   /* of what was sent: it was a limit after all */
#define NOISE_OVER        0.002 /* below it, for some windows, the noise is over */
#define NOISE_QUIET       8     /* so many */
#define NOISE_ANSWERS     64
#define NOISE_STEP        8  /* rates come back in so many times what they are, */
#define NOISE_STEPS       3  /* and after so many windows all of it */
#define NOISE_SENT        32 /* so many say that most are refused, however few are answered */
#define ROUND_MIN         4
#define PACE_GAP_LEAST_NS (50 * MOOT_NS_PER_US)
#define SHARE_ANSWERS     32   /* make a sample of what answers use */
#define SHARE_LEAST       16   /* of SHARE_ALL */
#define RESERVE_GROWTH    1.25 /* a clean period, */
#define RESERVE_SHARE_MAX (64 * SHARE_ALL)
#define ROUND_NS_MIN      (250 * MOOT_NS_PER_MS) /* a fast server must not be flooded at once */

/* More was estimated at once than the provider cares to set aside? Then it was that. */
static bool cut_reserve(struct moot_limiter *limiter)
{
    uint32_t share = atomic_load(&limiter->reserve_share);
    if (share <= RESERVE_SHARE_START)
        return false;
    limiter->adapt.is_reserve_found = true;
    share /= 2;
    atomic_store(&limiter->reserve_share,
                 share > RESERVE_SHARE_START ? share : RESERVE_SHARE_START);
    return true;
}

/* Some providers set aside what is asked for at most, some count what was used: a part of a minute
 * is safe with both, and more is tried while nothing is refused. */
static void grow_reserve(struct moot_limiter *limiter)
{
    uint32_t share = atomic_load(&limiter->reserve_share);
    if (!limiter->only_used && !limiter->adapt.is_reserve_found && share < RESERVE_SHARE_MAX)
        atomic_store(&limiter->reserve_share, (uint32_t)((double)share * RESERVE_GROWTH));
}

static void cut_quota(struct moot_limiter *limiter)
{
    if (cut_reserve(limiter))
        return;
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        uint64_t rate = atomic_load(&limiter->rate_milli[i]);
        if (limiter->adapt.quota_milli[i] == 0)
            continue;
        limiter->adapt.throttled_milli[i] = rate;
        rate = (uint64_t)((double)rate * CUT);
        uint64_t floor = limiter->adapt.quota_milli[i] / 20;
        atomic_store(&limiter->rate_milli[i], rate > floor ? rate : floor + 1);
    }
}

/* While nothing is known, calls leave evenly, twice as fast as a full limit needs: so that a
 * refusal is heard before many more have left. */
static void pace_start(struct moot_limiter *limiter, uint32_t limit)
{
    bool is_start = !limiter->adapt.was_cut && atomic_load(&limiter->is_learning);
    uint64_t gap_ns = is_start ? limiter->adapt.latency_ns / (2 * (uint64_t)limit) : 0;
    if (!moot__limiter_is_failing(limiter))
        atomic_store(&limiter->breaker.gap_ns, gap_ns > PACE_GAP_LEAST_NS ? gap_ns : 0);
}

static void cut_concurrency(struct moot_limiter *limiter)
{
    limiter->adapt.was_cut = true;
    limiter->adapt.round = 0;
    pace_start(limiter, 1); /* no more */
    bool is_paced =
        limiter->is_learning && atomic_load(&limiter->rate_milli[MOOT_METER_REQUESTS]) != 0;
    if (!limiter->is_adaptive || is_paced) /* one brake at a time */
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

/* ---- Noise ---- */

/* Of what was sent, not of what was answered: refusals come sooner than answers. */
static uint64_t sent_since_cut(struct moot_limiter *limiter)
{
    uint64_t refused = limiter->adapt.refused_since_cut;
    uint64_t sent = moot__ns_until(limiter->adapt.granted_at_count, atomic_load(&limiter->granted));
    return sent > refused ? sent : refused;
}

static double refused_share(struct moot_limiter *limiter)
{
    uint64_t sent = sent_since_cut(limiter);
    return sent ? (double)limiter->adapt.refused_since_cut / (double)sent : 0;
}

static void count_from_here(struct moot_limiter *limiter)
{
    limiter->adapt.accepted_since_cut = limiter->adapt.refused_since_cut = 0;
    limiter->adapt.granted_at_count = atomic_load(&limiter->granted);
}

static void keep_rates(struct moot_limiter *limiter)
{
    for (unsigned i = 0; i < MOOT_METERS; i++)
        limiter->adapt.kept_milli[i] = atomic_load(&limiter->rate_milli[i]);
    limiter->adapt.kept_limit = atomic_load(&limiter->in_flight_limit);
    limiter->adapt.kept_in_flight = atomic_load(&limiter->in_flight);
    limiter->adapt.kept_granted = atomic_load(&limiter->granted);
}

/* Back to what was in force before the futile cuts, by steps: it may have been a limit after all.
 */
static void restore_rates(struct moot_limiter *limiter)
{
    bool is_last = limiter->adapt.noisy_windows >= NOISE_STEPS;
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        uint64_t kept = limiter->adapt.kept_milli[i], rate = atomic_load(&limiter->rate_milli[i]);
        bool is_far = rate > 0 && (kept == 0 || rate < kept / NOISE_STEP);
        atomic_store(&limiter->rate_milli[i], is_far && !is_last ? rate * NOISE_STEP : kept);
    }
    atomic_store(&limiter->in_flight_limit, limiter->adapt.kept_limit);
    limiter->adapt.was_cut = false;
    if (limiter->is_learning && atomic_load(&limiter->rate_milli[MOOT_METER_REQUESTS]) == 0)
        atomic_store(&limiter->meters->arrival_ns[MOOT_METER_REQUESTS], 0);
}

/* About to cut: did the last cut help? After some that did not, give them up. */
static bool is_futile(struct moot_limiter *limiter)
{
    uint64_t answers = sent_since_cut(limiter);
    double share = refused_share(limiter);
    bool is_first = limiter->adapt.last_cut_ns == 0;
    if (!is_first && answers < FUTILE_ANSWERS)
        return false; /* too few to tell: they count for the next cut as well */
    if (is_first || limiter->adapt.was_clean_since_cut || share > NOISE_MOST) {
        limiter->adapt.futile = 0;
        keep_rates(limiter);
    } else {
        limiter->adapt.futile++;
    }
    limiter->adapt.was_clean_since_cut = false;
    count_from_here(limiter);
    /* Calls in flight give back what they do not use, and let others pass at a quota's end. */
    uint64_t since = moot__ns_until(limiter->adapt.kept_granted, atomic_load(&limiter->granted));
    if (limiter->adapt.futile < FUTILE_CUTS ||
        since <= FUTILE_GIVEN_BACK * (uint64_t)limiter->adapt.kept_in_flight)
        return false;
    limiter->adapt.is_noisy = true;
    moot__limiter_no_window(limiter);
    limiter->adapt.quiet_windows = limiter->adapt.noisy_windows = 0;
    restore_rates(limiter);
    return true;
}

static void end_noise(struct moot_limiter *limiter)
{
    limiter->adapt.is_noisy = false;
    limiter->adapt.futile = 0;
}

/* Most of what was sent, not of what was answered, is refused: that is a limit after all. */
static bool is_limit(struct moot_limiter *limiter)
{
    uint64_t sent = sent_since_cut(limiter);
    return sent >= NOISE_SENT &&
           (double)limiter->adapt.refused_since_cut > NOISE_TOO_MUCH * (double)sent;
}

/* While refusals are noise: one more answer. Returns whether they still are. */
static bool stay_noisy(struct moot_limiter *limiter)
{
    if (limiter->adapt.is_noisy && is_limit(limiter))
        end_noise(limiter);
    uint64_t answers = limiter->adapt.refused_since_cut + limiter->adapt.accepted_since_cut;
    /* Refusals come sooner than answers: a window must be long against what is in flight. */
    uint64_t enough = NOISE_ANSWERS + 4 * (uint64_t)atomic_load(&limiter->in_flight_limit);
    if (limiter->adapt.noisy_windows < NOISE_STEPS)
        enough = NOISE_SENT / 2 + 2 * (uint64_t)atomic_load(&limiter->in_flight);
    if (!limiter->adapt.is_noisy || answers < enough)
        return limiter->adapt.is_noisy;
    double share = refused_share(limiter);
    count_from_here(limiter);
    limiter->adapt.quiet_windows = share < NOISE_OVER ? limiter->adapt.quiet_windows + 1 : 0;
    if (limiter->adapt.quiet_windows == NOISE_QUIET || share > NOISE_TOO_MUCH) {
        end_noise(limiter);
    } else if (limiter->adapt.noisy_windows < NOISE_STEPS) {
        limiter->adapt.noisy_windows++;
        restore_rates(limiter);
    }
    return limiter->adapt.is_noisy;
}

/* ---- Episodes ---- */

static uint64_t longer(uint64_t backoff_ns)
{
    return 2 * backoff_ns < BACKOFF_MAX_NS ? 2 * backoff_ns : BACKOFF_MAX_NS;
}

/* The pause before the first probe. */
static uint64_t backoff_first(const struct moot_limiter *limiter, bool goes_on)
{
    uint64_t longer_ns = longer(limiter->adapt.backoff_ns);
    if (!goes_on)
        return BACKOFF_MIN_NS;
    return longer_ns < BACKOFF_NEXT_NS ? longer_ns : BACKOFF_NEXT_NS;
}

/* The first throttled answer of an episode. Learning waits for the episode's end. */
static void episode_open(struct moot_limiter *limiter, uint64_t now_ns)
{
    moot__limiter_measure_dry(limiter, now_ns);
    uint64_t last_ns = limiter->adapt.last_cut_ns;
    limiter->adapt.may_cut = last_ns == 0 || now_ns >= last_ns + cooldown_ns(limiter);
    if (limiter->adapt.window.began_ns && limiter->adapt.window.is_dry) /* one cut a window */
        limiter->adapt.may_cut = false;
    bool goes_on = moot__limiter_run_opens(limiter, now_ns);
    if (limiter->adapt.may_cut && is_futile(limiter))
        return;
    atomic_store(&limiter->probe, PROBE_WAITING);
    limiter->adapt.opened_ns = now_ns;
    limiter->adapt.backoff_ns = backoff_first(limiter, goes_on);
    limiter->adapt.probes_refused = 0;
    if (!limiter->adapt.may_cut)
        return;
    limiter->adapt.last_cut_ns = now_ns;
    cut_concurrency(limiter);
    cut_quota(limiter);
    atomic_fetch_add(&limiter->cuts, 1);
}

/* The requests that waited out a pause must not leave in one burst after it. */
static void empty_bucket(struct moot_limiter *limiter, enum moot_meter meter, uint64_t now_ns)
{
    uint64_t one = cost_ns(1, atomic_load(&limiter->rate_milli[meter]));
    if (one > 0)
        raise_to(&limiter->meters->arrival_ns[meter],
                 now_ns + (one > limiter->burst_ns ? one : limiter->burst_ns));
}

static void empty_buckets(struct moot_limiter *limiter, uint64_t now_ns)
{
    for (unsigned i = 0; i < MOOT_METERS; i++)
        empty_bucket(limiter, (enum moot_meter)i, now_ns);
}

/* A probe got through. The rate becomes what the provider let through, if nobody told us. */
void moot__limiter_close_episode(struct moot_limiter *limiter, uint64_t now_ns)
{
    atomic_store(&limiter->probe, PROBE_CLEAR);
    clean_restart(limiter, now_ns);
    moot__limiter_run_closes(limiter, now_ns);
    empty_bucket(limiter, MOOT_METER_REQUESTS, now_ns);
    if (moot__limiter_learn(limiter, now_ns))
        empty_bucket(limiter, MOOT_METER_REQUESTS, now_ns);
}

static void grow_meter(struct moot_limiter *limiter, unsigned i)
{
    uint64_t rate = atomic_load(&limiter->rate_milli[i]);
    uint64_t quota = limiter->adapt.quota_milli[i];
    if (rate == 0 || (quota && rate >= quota))
        return;
    uint64_t throttled = limiter->adapt.throttled_milli[i];
    double share = (double)rate / (double)(throttled ? throttled : 1);
    double near = moot__limiter_window_growth(limiter, GROWTH_NEAR);
    double growth = share < 0.95 ? GROWTH : share < 1.05 ? near : GROWTH_BEYOND;
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
    limiter->adapt.was_clean_since_cut = true;
    grow_reserve(limiter);
    uint64_t granted = atomic_load(&limiter->granted); /* cancels take from it */
    uint64_t used = moot__ns_until(limiter->adapt.granted_at_clean, granted);
    uint64_t rate = atomic_load(&limiter->rate_milli[MOOT_METER_REQUESTS]);
    double could = (double)rate * (double)span_ns / MILLI_NS_PER_MIN;
    if (!limiter->is_learning || (double)used >= USED_ENOUGH * could) {
        limiter->adapt.is_confirmed = true;
        /* For each of the periods: where a minute lets one answer come, several went by. */
        uint64_t periods = span_ns / CLEAN_PERIOD_NS;
        periods = periods < CLEAN_PERIODS_MAX ? periods : CLEAN_PERIODS_MAX;
        for (unsigned i = 0; i < MOOT_METERS * periods; i++)
            grow_meter(limiter, i % MOOT_METERS);
    }
    clean_restart(limiter, now_ns);
}

/* As many clean successes as the limit is wide make a round; a round that used the limit raises
 * it: doubling until the first cut, then by a twentieth; by an eighth while a rate of requests is
 * in force, which guards against most refusals by itself. */
static void grow_concurrency(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint32_t limit = atomic_load(&limiter->in_flight_limit);
    if (!limiter->is_adaptive || ++limiter->adapt.round < (limit > ROUND_MIN ? limit : ROUND_MIN))
        return;
    if (now_ns < moot__ns_add(limiter->adapt.round_began_ns, ROUND_NS_MIN))
        return;
    limiter->adapt.round = 0;
    limiter->adapt.round_began_ns = now_ns;
    pace_start(limiter, limit);
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
    limit += step < room ? step : room;
    atomic_store(&limiter->in_flight_limit, limit);
    pace_start(limiter, limit);
}

/* What answers use of what they were estimated at: the mean of the last, slowly. */
static void learn_share(struct moot_limiter *limiter)
{
    if (++limiter->adapt.answers_since_share < SHARE_ANSWERS)
        return;
    limiter->adapt.answers_since_share = 0;
    uint64_t estimated = atomic_exchange(&limiter->estimated_output, 0);
    uint64_t used = atomic_exchange(&limiter->used_output, 0);
    if (estimated == 0)
        return;
    double share = (double)used / (double)estimated * SHARE_ALL;
    share = share < SHARE_LEAST ? SHARE_LEAST : share > SHARE_ALL ? SHARE_ALL : share;
    uint32_t old = atomic_load(&limiter->output_share);
    if (old != SHARE_ALL)
        share = (3 * (double)old + share) / 4;
    atomic_store(&limiter->output_share, (uint32_t)share);
}

static void answer(struct moot_limiter *limiter, uint64_t sent_at_ns, uint64_t now_ns)
{
    if (moot__breaker_answer(&limiter->breaker, sent_at_ns, now_ns))
        empty_buckets(limiter, now_ns);
}

void moot__limiter_on_answer(struct moot_limiter *limiter, uint64_t sent_at_ns, uint64_t now_ns)
{
    if (!adapt_enter(limiter))
        return;
    answer(limiter, sent_at_ns, now_ns);
    adapt_leave(limiter);
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
    limiter->adapt.accepted_since_cut += is_after_cut;
    moot__ignore(stay_noisy(limiter));
    learn_share(limiter);
    answer(limiter, sent_at_ns, now_ns);
    uint32_t probe = atomic_load(&limiter->probe);
    if (probe == PROBE_OUT && is_after_cut) {
        moot__limiter_close_episode(limiter, now_ns);
        atomic_store(&limiter->pause_until_ns, now_ns);
    } else if (probe == PROBE_CLEAR) {
        moot__limiter_windows(limiter, now_ns, cooldown_ns(limiter));
        moot__limiter_mark(limiter, now_ns);
        grow_rates(limiter, now_ns);
        grow_concurrency(limiter, now_ns);
    }
    adapt_leave(limiter);
}

/* A refusal of something sent after the last cut: an episode opens, or its probe was refused. */
static void refuse(struct moot_limiter *limiter, uint64_t now_ns, uint64_t retry_after_ns)
{
    if (atomic_load(&limiter->probe) == PROBE_CLEAR) {
        episode_open(limiter, now_ns);
        if (limiter->adapt.is_noisy) { /* what was sent before is not counted against it */
            atomic_store(&limiter->cut_at_ns, now_ns);
            return;
        }
    } else {
        atomic_store(&limiter->probe, PROBE_WAITING);
        limiter->adapt.backoff_ns = longer(limiter->adapt.backoff_ns);
        limiter->adapt.probes_refused++;
    }
    if (retry_after_ns == 0)
        raise_to(&limiter->pause_until_ns, now_ns + limiter->adapt.backoff_ns);
    limiter->adapt.run.refused_ns = now_ns;
    atomic_store(&limiter->cut_at_ns, now_ns);
}

void moot__limiter_on_throttle(struct moot_limiter *limiter, uint64_t sent_at_ns, uint64_t now_ns,
                               uint64_t retry_after_ns)
{
    atomic_fetch_add(&limiter->throttled, 1);
    if (retry_after_ns > MOOT_LIMITER_PAUSE_MAX_NS)
        retry_after_ns = MOOT_LIMITER_PAUSE_MAX_NS;
    if (!adapt_enter(limiter)) {
        pause_all(limiter, now_ns + retry_after_ns);
        return;
    }
    uint64_t cut_at_ns = atomic_load(&limiter->cut_at_ns);
    bool is_after_cut = cut_at_ns == 0 || sent_at_ns > cut_at_ns;
    limiter->adapt.refused_since_cut += is_after_cut;
    moot__limiter_windows(limiter, now_ns, cooldown_ns(limiter));
    if (sent_at_ns <= limiter->adapt.dry_ns)
        limiter->adapt.dry_accepted--; /* it was on its way when that was noted as accepted */
    if (!stay_noisy(limiter)) {
        pause_all(limiter, now_ns + retry_after_ns);
        if (is_after_cut)
            refuse(limiter, now_ns, retry_after_ns);
        clean_restart(limiter, now_ns);
    }
    adapt_leave(limiter);
}

void moot__limiter_on_failure(struct moot_limiter *limiter, const struct moot_failure *failure,
                              uint64_t now_ns)
{
    if (!adapt_enter(limiter))
        return;
    limiter->adapt.round = 0;
    clean_restart(limiter, now_ns);
    moot__ignore(
        moot__breaker_fail(&limiter->breaker, failure, atomic_load(&limiter->in_flight), now_ns));
    adapt_leave(limiter);
}

void moot__limiter_begin_epoch(struct moot_limiter *limiter, uint64_t now_ns)
{
    if (!adapt_enter(limiter))
        return;
    limiter->adapt.started_ns = now_ns;
    clean_restart(limiter, now_ns);
    adapt_leave(limiter);
}
