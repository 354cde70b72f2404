/* Windows that end: a provider that counts from one moment to another, and then lets pass anew.
 *
 * Such a provider is known by its refusals. A bucket, into which the quota flows back evenly, has
 * room for one more after a moment; a window has none until it ends. So a run of episodes that took
 * long, and in which next to nothing was let through, ended with a window. What was accepted in the
 * minute until then is the quota, and the next window ends a minute later.
 *
 * What the calls in flight do not use of their estimates is given back when they end, and lets some
 * pass in between: about as many as were in flight. They neither end a run nor count against it.
 *
 * From then on rates are learned once a window, at its end: if something was refused in it, what
 * was accepted in it is the quota, whatever kind of counting it was. A bit less is used, and a
 * little more with each window in which nothing was refused. */
#include "engine/base/check.h"
#include "limiter_internal.h"

#define WINDOW_NS       (60 * MOOT_NS_PER_S)
#define WAIT_LEAST_NS   (5 * MOOT_NS_PER_S)
#define WAIT_REFILLS    6     /* a bucket has room for so many more meanwhile, at least */
#define LET_THROUGH     4     /* one of so many of the quota is next to nothing */
#define LET_THROUGH_FEW 8     /* beside what was in flight */
#define SHARE           0.985 /* of the quota that was found */
#define GROWTH_WINDOWS  10    /* without a refusal, until rates grow as fast as ever */

static int64_t accepted_at(const struct moot_limiter *limiter, uint64_t at_ns)
{
    return moot__limiter_mark_since(limiter, at_ns, (struct moot_limiter_mark){0, 0}).accepted;
}

/* What calls that end may give back. */
static int64_t given_back(const struct moot_limiter *limiter)
{
    return limiter->adapt.run.in_flight + LET_THROUGH_FEW;
}

static void learn(struct moot_limiter *limiter, int64_t accepted)
{
    uint64_t milli = (uint64_t)(accepted > 0 ? accepted : 1) * 1000;
    limiter->adapt.throttled_milli[MOOT_METER_REQUESTS] = milli;
    atomic_store(&limiter->rate_milli[MOOT_METER_REQUESTS], (uint64_t)((double)milli * SHARE));
    limiter->adapt.is_confirmed = true;
    limiter->adapt.dry_milli = 0;
    limiter->adapt.window.clean = 0;
}

bool moot__limiter_run_opens(struct moot_limiter *limiter, uint64_t now_ns)
{
    int64_t accepted = accepted_now(limiter);
    bool goes_on = limiter->adapt.run.is_ending && limiter->is_learning &&
                   accepted - limiter->adapt.run.accepted <= given_back(limiter);
    if (!goes_on) {
        limiter->adapt.run.since_ns = now_ns;
        limiter->adapt.run.accepted = accepted;
        limiter->adapt.run.in_flight = atomic_load(&limiter->in_flight);
    }
    goes_on = goes_on || (limiter->adapt.window.began_ns && limiter->adapt.window.is_dry);
    limiter->adapt.window.is_dry = true;
    return goes_on;
}

void moot__limiter_run_closes(struct moot_limiter *limiter, uint64_t now_ns)
{
    limiter->adapt.run.closed_ns = now_ns;
    limiter->adapt.run.is_ending = !moot__limiter_was_shut(limiter, now_ns);
    moot__limiter_mark_now(limiter, now_ns);
}

/* Nothing was refused for a while after the last episode of a run: did a window end with it? The
 * minute before is taken from the last refusal, since too much is corrected a window later, and too
 * little would have to grow. */
static void see_end(struct moot_limiter *limiter, uint64_t now_ns, uint64_t quiet_ns)
{
    uint64_t end_ns = limiter->adapt.run.closed_ns, refused_ns = limiter->adapt.run.refused_ns;
    if (!limiter->adapt.run.is_ending || now_ns < end_ns + quiet_ns)
        return;
    limiter->adapt.run.is_ending = false;
    int64_t at_end = accepted_at(limiter, end_ns);
    int64_t minute =
        at_end - accepted_at(limiter, refused_ns > WINDOW_NS ? refused_ns - WINDOW_NS : 0);
    int64_t through = at_end - limiter->adapt.run.accepted - given_back(limiter);
    double wait_ns = (double)moot__ns_until(limiter->adapt.run.since_ns, end_ns);
    double least = WAIT_REFILLS + LET_THROUGH * (double)(through > 0 ? through : 0);
    if (!limiter->is_learning || wait_ns < (double)WAIT_LEAST_NS ||
        wait_ns * (double)minute < (double)WINDOW_NS * least)
        return;
    learn(limiter, minute);
    limiter->adapt.window.began_ns = end_ns;
    limiter->adapt.window.is_dry = false;
}

/* Windows end whether somebody looks or not. */
static void roll(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t began_ns = limiter->adapt.window.began_ns, end_ns = began_ns + WINDOW_NS;
    if (began_ns == 0 || now_ns < end_ns)
        return;
    if (limiter->adapt.window.is_dry && limiter->is_learning && now_ns < end_ns + WINDOW_NS)
        learn(limiter, accepted_now(limiter) - accepted_at(limiter, began_ns));
    else
        limiter->adapt.window.clean++;
    limiter->adapt.window.is_dry = false;
    limiter->adapt.window.began_ns = now_ns - (now_ns - end_ns) % WINDOW_NS;
}

void moot__limiter_windows(struct moot_limiter *limiter, uint64_t now_ns, uint64_t quiet_ns)
{
    see_end(limiter, now_ns, quiet_ns);
    roll(limiter, now_ns);
}

double moot__limiter_window_growth(const struct moot_limiter *limiter, double growth)
{
    uint32_t clean = limiter->adapt.window.clean;
    if (limiter->adapt.window.began_ns == 0 || clean >= GROWTH_WINDOWS)
        return growth;
    return growth * (clean + 1) / GROWTH_WINDOWS;
}

void moot__limiter_no_window(struct moot_limiter *limiter)
{
    limiter->adapt.run.is_ending = false;
    limiter->adapt.window.began_ns = 0;
}
