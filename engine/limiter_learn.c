/* What rate a limiter learns at the end of an episode, where no quota was given.
 *
 * It is what the provider accepted since the epoch began, over the time that this took, waiting
 * included. That rate is taken (x 0.9; a first one may be far off, since a full bucket was emptied,
 * so it may fall freely until a clean period has confirmed it), and an epoch begins. A provider
 * that was shut for longer than a quota can explain tells by what it accepted before, if that is
 * enough; the time it was shut counts neither there, nor in the next epoch, nor as a window. */
#include "engine/base/check.h"
#include "limiter_internal.h"

#define LEARN_FIRST      0.9  /* of the measured rate, until one was confirmed */
#define LEARN_AGAIN      0.95 /* of the measured rate, within the two below of the old one */
#define LEARN_CUT_LEAST  0.9
#define LEARN_CUT_MOST   0.7
#define RATE_FLOOR_MILLI 1000                 /* one a minute */
#define WINDOW_NS        (60 * MOOT_NS_PER_S) /* what an estimate looks back */
#define LEARN_ACCEPTED   10 /* fewer answers in less than LEARN_SPAN_NS teach nothing */
#define LEARN_SPAN_NS    (10 * MOOT_NS_PER_S)
#define SHUT_NS          (75 * MOOT_NS_PER_S) /* a minute, and what rounding and a probe add */
#define DRY_SPAN_NS      (5 * MOOT_NS_PER_S)  /* between two refusals, to measure by them */
#define DRY_SHARE        0.97

static uint64_t measured_milli(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t since_ns = limiter->adapt.started_ns;
    if (limiter->adapt.opened_ns > since_ns + WINDOW_NS)
        since_ns = limiter->adapt.opened_ns - WINDOW_NS;
    struct moot_limiter_mark from = moot__limiter_mark_at(limiter, since_ns);
    uint64_t span_ns = moot__ns_until(from.at_ns, now_ns);
    if (span_ns < MOOT_NS_PER_MS)
        span_ns = MOOT_NS_PER_MS;
    int64_t accepted = accepted_now(limiter) - from.accepted;
    double milli = (double)(accepted > 0 ? accepted : 0) * MILLI_NS_PER_MIN / (double)span_ns;
    return milli < RATE_FLOOR_MILLI ? RATE_FLOOR_MILLI : (uint64_t)milli;
}

/* Whether the epoch is long enough, or has seen enough, for its rate to mean anything. The probe
 * alone makes no rate: how long the provider was shut is not how fast it is. */
static bool can_learn(struct moot_limiter *limiter, uint64_t now_ns)
{
    struct moot_limiter_mark from = moot__limiter_mark_at(limiter, limiter->adapt.started_ns);
    int64_t accepted = accepted_now(limiter) - from.accepted;
    return accepted >= LEARN_ACCEPTED ||
           (accepted > 1 && moot__ns_until(limiter->adapt.started_ns, now_ns) >= LEARN_SPAN_NS);
}

/* At a refusal the provider has nothing left. What it accepted from one such moment to another is
 * what came back meanwhile: its rate, whatever was in the bucket before. */
void moot__limiter_measure_dry(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t span_ns = moot__ns_until(limiter->adapt.dry_ns, now_ns);
    int64_t accepted = accepted_now(limiter) - limiter->adapt.dry_accepted;
    bool is_first = limiter->adapt.dry_ns == 0;
    if (!is_first && (span_ns < DRY_SPAN_NS || accepted < LEARN_ACCEPTED))
        return;
    limiter->adapt.dry_milli = 0;
    if (!is_first)
        limiter->adapt.dry_milli =
            (uint64_t)((double)accepted * MILLI_NS_PER_MIN / (double)span_ns);
    limiter->adapt.dry_ns = now_ns;
    limiter->adapt.dry_accepted = accepted_now(limiter);
}

static void learn(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t old = atomic_load(&limiter->rate_milli[MOOT_METER_REQUESTS]);
    double measured = (double)measured_milli(limiter, now_ns);
    double rate = measured * (limiter->adapt.is_confirmed ? LEARN_AGAIN : LEARN_FIRST);
    if (limiter->adapt.dry_milli)
        rate = (double)limiter->adapt.dry_milli * DRY_SHARE;
    double least = limiter->adapt.dry_milli ? 1 : LEARN_CUT_LEAST;
    if (old && rate > (double)old * least)
        rate = (double)old * least;
    if (limiter->adapt.is_confirmed && rate < (double)old * LEARN_CUT_MOST)
        rate = (double)old * LEARN_CUT_MOST;
    if (rate < RATE_FLOOR_MILLI)
        rate = RATE_FLOOR_MILLI;
    uint64_t dry = limiter->adapt.dry_milli;
    limiter->adapt.throttled_milli[MOOT_METER_REQUESTS] = dry   ? dry
                                                          : old ? old
                                                                : (uint64_t)measured;
    atomic_store(&limiter->rate_milli[MOOT_METER_REQUESTS], (uint64_t)rate);
}

/* Whether a probe was refused: then the wait is part of how long the provider took to let through
 * what it did. A first probe that is accepted says that the pause was for nothing. */
static bool needed_to_wait(const struct moot_limiter *limiter)
{
    return limiter->adapt.probes_refused > 0;
}

/* A quota of a minute has something left again within a minute. Who is shut for longer, as by a
 * hint of two minutes, is so for a reason that no rate can tell. */
bool moot__limiter_was_shut(const struct moot_limiter *limiter, uint64_t now_ns)
{
    return moot__ns_until(limiter->adapt.opened_ns, now_ns) > SHUT_NS;
}

bool moot__limiter_learn(struct moot_limiter *limiter, uint64_t now_ns)
{
    bool learns = limiter->is_learning && limiter->adapt.window.began_ns == 0;
    bool was_shut = moot__limiter_was_shut(limiter, now_ns);
    uint64_t end_ns = was_shut ? limiter->adapt.opened_ns : now_ns;
    bool can = can_learn(limiter, end_ns);
    if (learns && !can && !was_shut)
        return false;
    if (learns && can && (limiter->adapt.may_cut || !limiter->adapt.is_confirmed))
        learn(limiter, needed_to_wait(limiter) ? end_ns : limiter->adapt.opened_ns);
    if (was_shut)
        limiter->adapt.dry_ns = limiter->adapt.dry_milli = 0;
    limiter->adapt.started_ns = now_ns;
    limiter->adapt.started_accepted = accepted_now(limiter);
    return true;
}
