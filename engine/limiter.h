#ifndef MOOT_LIMITER_H
#define MOOT_LIMITER_H

/* What one provider allows, shared by every engine of the process: a rate of requests, of input
 * tokens and of output tokens, a number of calls in flight, and pauses that the provider asked for.
 *
 * One call: reserve (before the request leaves, with estimates) -> settle (with what it really
 * used) or cancel (it never left). Whatever the provider answered is told with on_success,
 * on_throttle or on_error, so that the limiter can adapt.
 *
 * Pure of clocks: the caller passes a monotonic time, one and the same clock for all engines.
 *
 * Thread: every function may be called from any thread; nothing here ever waits. The memory must
 * stay in place and outlive its users; there is nothing to deinit. */
#include <moot/error.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/clock.h"
#include "limiter_breaker.h"

enum moot_meter {
    MOOT_METER_REQUESTS,
    MOOT_METER_INPUT,  /* tokens */
    MOOT_METER_OUTPUT, /* tokens */
    MOOT_METER_TOKENS, /* of both kinds together */
    MOOT_METERS,
};

/* What is counted by the day. */
enum moot_day_meter {
    MOOT_DAY_REQUESTS,
    MOOT_DAY_TOKENS, /* of both kinds together */
    MOOT_DAY_METERS,
};

struct moot_rates; /* agents/rate_headers.h */

enum {
    MOOT_LIMITER_CONCURRENCY_START = 20,
    MOOT_LIMITER_CONCURRENCY_MAX = 4096, /* the default ceiling of the adaptive limit */
    MOOT_LIMITER_MARKS = 128,
    MOOT_LIMITER_DAY_SLICES = 25, /* an hour each: the one that runs, and a day before it */
    MOOT_LIMITER_MEMBERS = 64,    /* processes whose calls in flight are told apart */
};

/* How long a loop waits before it asks again when every slot is taken: the slot may be given back
 * by another loop, which knows nothing of this one's queue. */
#define MOOT_LIMITER_POLL_NS (UINT64_C(10) * MOOT_NS_PER_MS)

/* The longest pause that one answer of a provider can cause. */
#define MOOT_LIMITER_PAUSE_MAX_NS (UINT64_C(120) * MOOT_NS_PER_S)

struct moot_limiter_options {
    uint64_t per_minute[MOOT_METERS];  /* the quota; 0: not known, nothing is held back */
    uint64_t per_day[MOOT_DAY_METERS]; /* in any 24 hours, at any speed; 0: no such quota */
    uint32_t concurrency;              /* calls in flight; 0: adaptive */
    bool only_used;                    /* the provider sets nothing aside for answers */
    uint32_t concurrency_max;          /* ceiling of the adaptive limit; 0: the default */
    uint64_t burst_ns;                 /* size of the buckets as a time of refill; 0: one second */
    double headroom;                   /* share of the quota that is used, (0, 1]; 0: 0.97 */
};

/* What a reservation took. Opaque to callers but for sent_at_ns. */
struct moot_grant {
    uint64_t sent_at_ns;              /* when it was granted, by the rules of then */
    uint64_t charged_ns[MOOT_METERS]; /* what was added to each theoretical arrival time */
    uint64_t charged_day[MOOT_DAY_METERS];
    uint64_t output_tokens; /* the estimate */
    bool is_held, is_probe;
};

/* What is spent of a quota: all that processes have in common that map it from one file. Atomics,
 * each meaningful by itself, so that whoever is killed in the midst leaves nothing to be mended:
 * what it had reserved flows back with the time. */
struct moot_limiter_meters {
    _Atomic uint64_t arrival_ns[MOOT_METERS]; /* GCRA: when the bucket will be full again */
    _Atomic uint64_t pause_until_ns;          /* as the provider asked one for all */
    _Atomic uint64_t days[MOOT_DAY_METERS][MOOT_LIMITER_DAY_SLICES]; /* limiter_day.c */
    struct {
        _Atomic uint64_t seen_ns, in_flight; /* when it reserved last, and how many were out */
    } members[MOOT_LIMITER_MEMBERS];
};

struct moot_limiter_mark {
    uint64_t at_ns;
    int64_t accepted;
};

/* What the provider's headers tell of a meter. */
struct moot_limiter_told {
    uint64_t milli;   /* quota x headroom; 0: nothing that could be used */
    uint64_t seen_ns; /* when it was told last, or less */
    bool is_long;     /* of a window longer than a minute: no rate */
    bool is_moving;   /* something was left once: to be believed when nothing is */
};

struct moot_limiter {
    /* Written at init only. */
    uint64_t given_milli[MOOT_METERS]; /* quota x headroom in thousandths a minute; 0: none given */
    uint64_t burst_ns;
    double headroom;
    uint32_t concurrency_max;
    bool is_adaptive; /* the limit of calls in flight */
    bool only_used;   /* estimates of answers are nothing that the provider sets aside */
    uint64_t per_day[MOOT_DAY_METERS];
    struct moot_limiter_meters *meters; /* own, or those of several processes */

    /* Shared by threads, each meaningful by itself. */
    _Atomic uint64_t rate_milli[MOOT_METERS]; /* in force; 0: unlimited */
    _Atomic uint64_t pause_until_ns;
    _Atomic uint32_t in_flight;
    _Atomic uint32_t in_flight_limit;
    _Atomic uint32_t in_flight_peak; /* since the last round */
    _Atomic uint32_t probe;          /* enum probe_state in limiter.c */
    _Atomic uint64_t cut_at_ns;      /* requests granted up to here change nothing any more */
    _Atomic uint64_t granted, succeeded, throttled, cuts;
    _Atomic uint64_t day_until_ns; /* a day's quota is gone until then, or sooner; 0: it is not */
    _Atomic uint32_t member;       /* whose place in meters->members is ours, from 1 on; 0: none */
    struct moot_breaker breaker;
    _Atomic bool is_learning;       /* no quota is known: a rate of requests is learned */
    _Atomic uint32_t output_share;  /* what answers use of their estimates, in 1024ths */
    _Atomic uint32_t reserve_share; /* of a minute's tokens that may be estimated at once, same */
    _Atomic uint64_t estimated_output, used_output; /* since output_share was found */

    /* Only inside adapt_enter/adapt_leave, which never wait: who does not get in goes on. */
    atomic_flag adapting;
    struct {
        uint64_t quota_milli[MOOT_METERS]; /* the least of what was given and told; 0: neither */
        struct moot_limiter_told told[MOOT_METERS];
        uint32_t answers_since_share;
        bool is_reserve_found;                 /* reserve_share does not grow any more */
        uint64_t started_ns;                   /* of the epoch: when rates began to be measured */
        int64_t started_accepted;              /* what was accepted until then */
        uint64_t opened_ns;                    /* of the episode: its first throttled answer */
        uint64_t dry_ns;                       /* an earlier refusal, and */
        int64_t dry_accepted;                  /* what was accepted until then */
        uint64_t dry_milli;                    /* the rate between the last two; 0: not known */
        uint64_t granted_at_count;             /* `granted` when the two counts below began */
        uint64_t backoff_ns;                   /* the pause after the next failed probe */
        uint64_t clean_since_ns;               /* of the running clean period */
        uint64_t granted_at_clean;             /* `granted` then */
        uint64_t throttled_milli[MOOT_METERS]; /* the rate at which it throttled last */
        uint64_t latency_ns;                   /* smoothed, of successes */
        uint64_t accepted_since_cut, refused_since_cut; /* of what was sent after it */
        uint32_t futile;                                /* cuts in a row that changed nothing */
        bool is_noisy;                                  /* refusals do not depend on our rate */
        bool was_clean_since_cut;                       /* a whole period without a refusal */
        uint32_t quiet_windows, noisy_windows;
        uint64_t kept_milli[MOOT_METERS]; /* in force before the first of the futile cuts */
        uint32_t kept_limit, kept_in_flight;
        uint64_t kept_granted;
        uint32_t round; /* clean successes of this concurrency round */
        uint64_t round_began_ns;
        uint64_t last_cut_ns;
        bool was_cut;            /* slow start is over */
        bool may_cut;            /* this episode: it did not begin within the cooldown */
        bool is_confirmed;       /* the learned rate held for a clean period */
        uint32_t probes_refused; /* of this episode */
        struct {                 /* of episodes with next to nothing accepted in between */
            uint64_t since_ns, refused_ns, closed_ns; /* first and last refusal, last end */
            int64_t accepted, in_flight;              /* at its first */
            bool is_ending;                           /* unless something is refused soon */
        } run;
        struct {               /* of the provider's, a minute long */
            uint64_t began_ns; /* 0: none is known */
            uint32_t clean;    /* so many since something was refused */
            bool is_dry;       /* something was refused in this one */
        } window;
        unsigned mark_count, mark_next;
        struct moot_limiter_mark marks[MOOT_LIMITER_MARKS];
    } adapt;

    struct moot_limiter_meters own;
};

/* For progress lines and metrics; a picture, not a transaction. */
struct moot_limiter_snapshot {
    uint64_t per_minute[MOOT_METERS]; /* in force; 0: unlimited */
    uint64_t full_at_ns[MOOT_METERS]; /* when its bucket will be full again */
    uint32_t in_flight, in_flight_limit;
    uint64_t pause_until_ns; /* in the past: not paused */
    uint64_t day_until_ns;   /* a day's quota is gone until then; 0: it is not */
    uint64_t granted, succeeded, throttled, cuts;
    bool is_learned; /* the rate of requests was found, not given */
    struct moot_breaker_view breaker;
};

/* Starts with full buckets, which hold one burst. */
void moot__limiter_init(struct moot_limiter *limiter, const struct moot_limiter_options *options,
                        uint64_t now_ns);

/* From here on spend from these, which other processes may spend from as well; right after init,
 * and with quotas given, since what is learned by trying is each process's own. They must outlive
 * the limiter, and hold 0 where nobody has spent yet. */
void moot__limiter_share(struct moot_limiter *limiter, struct moot_limiter_meters *meters);

/* May a request of about this many tokens leave now? All meters and a slot, or nothing at all. The
 * estimate of both kinds together is their sum and is not read.
 * MOOT_OK fills *grant. MOOT_EAGAIN sets *retry_at_ns (> now_ns) to when it is worth to ask again.
 * A request larger than a bucket is granted when the bucket is full, and leaves a debt. */
MOOT_NODISCARD int moot__limiter_reserve(struct moot_limiter *limiter, uint64_t now_ns,
                                         const uint64_t estimate[MOOT_METERS],
                                         struct moot_grant *grant, uint64_t *retry_at_ns);

/* The call is over: give the slot back, and correct the meters by what it really used. A request
 * that was rejected used no tokens but counts as a request. Does nothing if already done. */
void moot__limiter_settle(struct moot_limiter *limiter, struct moot_grant *grant,
                          uint64_t input_tokens, uint64_t output_tokens);

/* The request never left: give everything back. Does nothing if settled or cancelled before. */
void moot__limiter_cancel(struct moot_limiter *limiter, struct moot_grant *grant);

/* An answer came that shows no sign of strain. */
void moot__limiter_on_success(struct moot_limiter *limiter, uint64_t sent_at_ns, uint64_t now_ns);

/* The provider throttled (429 or the like). `retry_after_ns` is its hint, 0 if it gave none. */
void moot__limiter_on_throttle(struct moot_limiter *limiter, uint64_t sent_at_ns, uint64_t now_ns,
                               uint64_t retry_after_ns);

/* An answer, of whatever status, told of quotas. Believed as far as it makes sense: a limit holds
 * from here on, but never above what was given; little that is left delays, a minute at most. */
void moot__limiter_on_rates(struct moot_limiter *limiter, const struct moot_rates *rates,
                            uint64_t now_ns);

/* Another answer came, such as a 400: no success, but the provider is there. */
void moot__limiter_on_answer(struct moot_limiter *limiter, uint64_t sent_at_ns, uint64_t now_ns);

/* It failed in another way (5xx, timeout, reset): growth pauses, and a run of them opens the
 * breaker. Not for MOOT_FAULT_NONE. */
void moot__limiter_on_failure(struct moot_limiter *limiter, const struct moot_failure *failure,
                              uint64_t now_ns);

/* Whether the breaker is not closed: calls wait for the provider, not for its quota. */
static inline bool moot__limiter_is_failing(struct moot_limiter *limiter)
{
    return atomic_load(&limiter->breaker.state) != MOOT_BREAKER_CLOSED;
}

void moot__limiter_snapshot(struct moot_limiter *limiter, struct moot_limiter_snapshot *snapshot);

#endif
