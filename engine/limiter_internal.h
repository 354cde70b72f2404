#ifndef MOOT_LIMITER_INTERNAL_H
#define MOOT_LIMITER_INTERNAL_H

/* What limiter.c, which lets pass, and those that learn how much need. */
#include "limiter.h"

enum probe_state {
    PROBE_CLEAR,   /* no episode */
    PROBE_WAITING, /* paused; the next grant is the probe */
    PROBE_OUT,     /* the probe is out; pause_until_ns is when it counts as accepted */
};

/* Shares are in 1024ths. */
#define SHARE_ALL           1024
#define RESERVE_SHARE_START 819 /* 0.8 */

#define MILLI_NS_PER_MIN 60e12 /* nanoseconds of a minute, in thousandths */

/* A day is longer than any sane debt, and keeps sums far from overflow. */
#define COST_MAX_NS (86400 * MOOT_NS_PER_S)

static inline uint64_t cost_ns(uint64_t units, uint64_t rate_milli)
{
    if (rate_milli == 0 || units == 0)
        return 0;
    if (units > INT64_MAX / 2)
        return COST_MAX_NS;
    /* Signed numbers, since a machine converts those in one instruction. */
    double cost = (double)(int64_t)units * MILLI_NS_PER_MIN / (double)(int64_t)rate_milli;
    return cost < (double)COST_MAX_NS ? (uint64_t)(int64_t)cost : COST_MAX_NS;
}

/* Adapting is done by one thread at a time; who does not get in goes on. */
static inline bool adapt_enter(struct moot_limiter *limiter)
{
    return !atomic_flag_test_and_set_explicit(&limiter->adapting, memory_order_acquire);
}

static inline void adapt_leave(struct moot_limiter *limiter)
{
    atomic_flag_clear_explicit(&limiter->adapting, memory_order_release);
}

static inline void raise_to(_Atomic uint64_t *value, uint64_t least)
{
    uint64_t seen = atomic_load(value);
    while (seen < least && !atomic_compare_exchange_weak(value, &seen, least)) {
    }
}

/* Never below 0: a rate that came or went in between may have moved the arrival under us. */
static inline void lower_by(_Atomic uint64_t *value, uint64_t amount)
{
    uint64_t seen = atomic_load(value);
    while (!atomic_compare_exchange_weak(value, &seen, seen > amount ? seen - amount : 0)) {
    }
}

/* limiter_day.c: take a request and its tokens of the day's quotas, all or nothing. MOOT_EAGAIN
 * with *retry_at_ns. Give it back; or correct the tokens by those that were really used. */
MOOT_NODISCARD int moot__limiter_day_take(struct moot_limiter *limiter,
                                          const uint64_t estimate[MOOT_METERS],
                                          struct moot_grant *grant, uint64_t *retry_at_ns);
void moot__limiter_day_give_back(struct moot_limiter *limiter, struct moot_grant *grant);
void moot__limiter_day_settle(struct moot_limiter *limiter, struct moot_grant *grant,
                              uint64_t tokens);

/* limiter_share.c: the calls in flight of all that spend from the same meters. */
uint64_t moot__limiter_at_once(struct moot_limiter *limiter, uint64_t now_ns);

/* The provider asked for a pause: the other processes heed it as well. */
static inline void pause_all(struct moot_limiter *limiter, uint64_t until_ns)
{
    raise_to(&limiter->pause_until_ns, until_ns);
    if (limiter->meters != &limiter->own)
        raise_to(&limiter->meters->pause_until_ns, until_ns);
}

/* limiter_adapt.c: the first request is about to leave; rates are measured from here. */
void moot__limiter_begin_epoch(struct moot_limiter *limiter, uint64_t now_ns);

/* limiter_adapt.c, inside adapt_enter: the probe counts as accepted, the episode is over. */
void moot__limiter_close_episode(struct moot_limiter *limiter, uint64_t now_ns);

/* limiter_learn.c, inside adapt_enter. An episode opens: the provider has nothing left. An episode
 * is over: take the rate that it tells and begin an epoch; false if the epoch tells none and goes
 * on. */
void moot__limiter_measure_dry(struct moot_limiter *limiter, uint64_t now_ns);
bool moot__limiter_learn(struct moot_limiter *limiter, uint64_t now_ns);

/* Whether the episode that ends now took too long for any quota of a minute. */
bool moot__limiter_was_shut(const struct moot_limiter *limiter, uint64_t now_ns);

/* What the provider let through so far: sent and not refused. Answers come late (a long reply takes
 * a minute), refusals come at once, so this is known long before the successes are. */
static inline int64_t accepted_now(struct moot_limiter *limiter)
{
    return (int64_t)atomic_load(&limiter->granted) - (int64_t)atomic_load(&limiter->throttled);
}

/* limiter_marks.c, inside adapt_enter: note what is accepted by now, once a second at most; and the
 * newest note that is not younger than `since_ns`, the epoch's start if there is none. */
void moot__limiter_mark(struct moot_limiter *limiter, uint64_t now_ns);
struct moot_limiter_mark moot__limiter_mark_at(const struct moot_limiter *limiter,
                                               uint64_t since_ns);

/* The same at once; and the newest that is not younger, `best` if there is none. */
void moot__limiter_mark_now(struct moot_limiter *limiter, uint64_t now_ns);
struct moot_limiter_mark moot__limiter_mark_since(const struct moot_limiter *limiter,
                                                  uint64_t since_ns, struct moot_limiter_mark best);

/* limiter_window.c, inside adapt_enter. An episode opens, and whether it goes on with an earlier
 * one; an episode is over. */
bool moot__limiter_run_opens(struct moot_limiter *limiter, uint64_t now_ns);
void moot__limiter_run_closes(struct moot_limiter *limiter, uint64_t now_ns);

/* An answer came: see whether windows end. Nothing is refused for `quiet_ns` when a run is over. */
void moot__limiter_windows(struct moot_limiter *limiter, uint64_t now_ns, uint64_t quiet_ns);

/* How fast to grow near the rate that was refused last, instead of `growth`. */
double moot__limiter_window_growth(const struct moot_limiter *limiter, double growth);

/* Refusals have nothing to do with our rate, and so none with windows. */
void moot__limiter_no_window(struct moot_limiter *limiter);

#endif
