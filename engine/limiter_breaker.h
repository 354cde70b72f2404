#ifndef MOOT_LIMITER_BREAKER_H
#define MOOT_LIMITER_BREAKER_H

/* The limiter's circuit breaker: a provider that fails for everybody is left alone but for single
 * probes, and comes back by a trickle that grows. Part of a limiter and shared like it; every
 * function may be called from any thread and nothing waits. Times are the limiter's clock's. */
#include <moot/error.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/clock.h"
#include "engine/base/view.h"

enum moot_breaker_state {
    MOOT_BREAKER_CLOSED,    /* calls pass */
    MOOT_BREAKER_OPEN,      /* one passes now and then */
    MOOT_BREAKER_HALF_OPEN, /* one was answered: they pass at a pace that grows */
};

enum { MOOT_BREAKER_CAUSE_BYTES = 192 };

/* Whose fault a failure is. */
enum moot_fault {
    MOOT_FAULT_NONE,     /* not of this kind: an answer came, or nothing was asked */
    MOOT_FAULT_UNSURE,   /* the request itself may be what the provider stumbles over */
    MOOT_FAULT_PROVIDER, /* any request would have met it */
};

struct moot_failure {
    enum moot_fault fault;
    uint64_t who;           /* which row: one that fails alone says nothing of the provider */
    uint64_t sent_at_ns;    /* the grant's */
    struct moot_view cause; /* for people; holds no secret */
};

struct moot_breaker {
    _Atomic uint32_t state;
    _Atomic uint64_t gap_ns;   /* at least, between two calls; 0: none, whatever the state */
    _Atomic uint64_t next_ns;  /* when the next may pass */
    _Atomic uint64_t since_ns; /* not closed: of the first failure, or of the latest answer */
    _Atomic uint64_t opens;
    _Atomic uint32_t cause_version; /* odd while it is written */
    _Atomic uint64_t cause[MOOT_BREAKER_CAUSE_BYTES / sizeof(uint64_t)];
    struct {                       /* by one thread at a time, as the limiter's `adapt` */
        uint32_t run;              /* failures without an answer between them */
        uint64_t last_who;         /* of the latest */
        uint64_t run_ns;           /* when it began */
        uint64_t moved_ns;         /* what was sent until then says nothing of the present state */
        uint64_t failed_ns;        /* open: when a probe failed last */
        uint64_t spacing_ns;       /* of probes, before jitter */
        double pace, step, target; /* calls a second: now, more with each answer, at last */
        uint64_t held_ns;          /* since when the pace is the target; 0: it is not */
        double rate;               /* answers a second, smoothed */
        uint64_t mark_ns;
        uint32_t answers; /* since then */
    } own;
};

/* What a breaker waits for; a picture, not a transaction. */
struct moot_breaker_view {
    enum moot_breaker_state state;
    uint64_t since_ns, next_ns;
    uint64_t opens;
    char cause[MOOT_BREAKER_CAUSE_BYTES]; /* of the latest failure that it knows, or "" */
};

void moot__breaker_view(struct moot_breaker *breaker, struct moot_breaker_view *view);

/* May a call leave now? MOOT_OK, and it counts as the one; or MOOT_EAGAIN with *retry_at_ns. */
MOOT_NODISCARD int moot__breaker_take(struct moot_breaker *breaker, uint64_t now_ns,
                                      uint64_t *retry_at_ns);

/* The following only by the thread that is inside adapt_enter. `in_flight`: calls under way.
 * True: the state changed. */
bool moot__breaker_fail(struct moot_breaker *breaker, const struct moot_failure *failure,
                        uint32_t in_flight, uint64_t now_ns);
bool moot__breaker_answer(struct moot_breaker *breaker, uint64_t sent_at_ns, uint64_t now_ns);

#endif
