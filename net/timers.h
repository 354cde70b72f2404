#ifndef MOOT_NET_TIMERS_H
#define MOOT_NET_TIMERS_H

/* An intrusive binary heap of moot_timer, ordered by deadline, then by start. Pure: both transports
 * drive it with their own clock. */
#include "transport.h"

struct moot_timers {
    const struct moot_allocator *allocator;
    struct moot_timer **heap;
    size_t count, cap;
    uint64_t next_sequence;
};

void moot__timers_init(struct moot_timers *timers, const struct moot_allocator *allocator);
void moot__timers_deinit(struct moot_timers *timers);

/* Start or restart. MOOT_ENOMEM leaves a timer that was not started as it was. */
MOOT_NODISCARD int moot__timers_start(struct moot_timers *timers, struct moot_timer *timer,
                                      uint64_t deadline_ns);
void moot__timers_stop(struct moot_timers *timers, struct moot_timer *timer);

/* The earliest deadline, or MOOT_NEVER_NS. */
uint64_t moot__timers_next_ns(const struct moot_timers *timers);

/* Take the earliest timer that is due at `now_ns` off the heap, or NULL. The caller fires it. */
struct moot_timer *moot__timers_take_due(struct moot_timers *timers, uint64_t now_ns);

#endif
