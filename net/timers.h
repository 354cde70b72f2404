#ifndef MOOT_NET_TIMERS_H
#define MOOT_NET_TIMERS_H

/* A heap of moot_timer, ordered by deadline, then by start. Pure: both transports drive it with
 * their own clock. The links are in the timers, so nothing here allocates or fails. */
#include "transport.h"

struct moot_timers {
    struct moot_timer *root;
    size_t count;
    uint64_t next_sequence;
};

void moot__timers_init(struct moot_timers *timers);

/* Start, or restart with a new deadline. O(1). */
void moot__timers_start(struct moot_timers *timers, struct moot_timer *timer, uint64_t deadline_ns);

/* Does nothing if it is not started. Amortised O(log n), O(1) for the typical timer that never
 * fires. */
void moot__timers_stop(struct moot_timers *timers, struct moot_timer *timer);

/* The earliest deadline, or MOOT_NEVER_NS. */
uint64_t moot__timers_next_ns(const struct moot_timers *timers);

/* Take the earliest timer that is due at `now_ns` off the heap, or NULL. The caller fires it. */
struct moot_timer *moot__timers_take_due(struct moot_timers *timers, uint64_t now_ns);

#endif
