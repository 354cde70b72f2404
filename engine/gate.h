#ifndef MOOT_GATE_H
#define MOOT_GATE_H

/* Who goes next to one provider: an engine's queue in front of the shared limiter. First in, first
 * out, in two ranks: calls of conversations under way go before first calls of new ones, so that
 * what was begun is finished. A large request at the head is waited for, never overtaken.
 *
 * Pure: no timer of its own. The engine pumps after entering, after settling, and at next_ns.
 *
 * Thread: the engine's loop only; the limiter behind it is shared. */
#include "engine/base/list.h"
#include "limiter.h"

/* How long anybody waits for a provider that fails and has never answered. */
#define MOOT_GATE_PATIENCE_FIRST_NS (60 * MOOT_NS_PER_S)

enum moot_rank {
    MOOT_RANK_UNDER_WAY,
    MOOT_RANK_NEW,
    MOOT_RANKS,
};

/* Embedded in its owner. Zero-initialise, moot__gate_waiter_init, and fill the estimates. */
struct moot_waiter {
    struct moot_list node; /* in the gate, or in the list of those granted */
    enum moot_rank rank;
    uint64_t input_tokens, output_tokens; /* estimates */
    uint64_t entered_ns;
    uint64_t patience_ns;    /* how long to wait for a provider that fails; 0: for ever, */
    uint64_t began_ns;       /* at most from here on */
    struct moot_grant grant; /* held once granted */
};

struct moot_gate {
    struct moot_limiter *limiter;
    struct moot_list queues[MOOT_RANKS];
    uint64_t next_ns; /* when to pump again; MOOT_NEVER_NS: nobody waits */
    size_t waiting;
};

void moot__gate_init(struct moot_gate *gate, struct moot_limiter *limiter);

/* No one may be waiting. */
void moot__gate_deinit(struct moot_gate *gate);

void moot__gate_waiter_init(struct moot_waiter *waiter);

/* Queue at the end of its rank. Never grants by itself: pump afterwards. */
void moot__gate_enter(struct moot_gate *gate, struct moot_waiter *waiter, uint64_t now_ns);

/* Leave the queue, or the list of those granted; then the grant is cancelled. Does nothing if it is
 * in neither, which is also the state of a waiter whose owner took it from the list. */
void moot__gate_leave(struct moot_gate *gate, struct moot_waiter *waiter);

/* Move everyone who may send now to the end of `granted`, in order. Returns how many. */
size_t moot__gate_pump(struct moot_gate *gate, uint64_t now_ns, struct moot_list *granted);

/* The provider fails: move everyone whose patience is at its end to the end of `expired`. */
void moot__gate_expire(struct moot_gate *gate, uint64_t now_ns, struct moot_list *expired);

/* When to pump next if nothing else happens; MOOT_NEVER_NS when nobody waits. */
static inline uint64_t moot__gate_next_ns(const struct moot_gate *gate)
{
    return gate->waiting ? gate->next_ns : MOOT_NEVER_NS;
}

#endif
