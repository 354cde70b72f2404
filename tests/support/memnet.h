#ifndef MOOT_TEST_MEMNET_H
#define MOOT_TEST_MEMNET_H

/* A transport in memory: connected pairs of streams with short reads and writes at will, virtual
 * time, tasks, work that runs on the same thread when the test lets it, and names, all of them
 * 127.0.0.1. */
#include <stdbool.h>
#include <stddef.h>

#include "engine/base/rng.h"
#include "net/timers.h"
#include "net/transport.h"

enum { MEMNET_LOOKUPS_MAX = 8 };

struct memnet {
    struct moot_transport transport;
    struct moot_timers timers;
    struct moot_list tasks, works, streams;
    struct moot_acceptor *acceptor; /* one listens */
    struct moot_rng rng;
    uint64_t now_ns;
    unsigned turn;
    size_t chunk_max;     /* bytes moved by one read or write: 1..chunk_max; 0: all */
    size_t pipe_max;      /* bytes in flight one way; 0: 64 KiB */
    bool hold_work;       /* work stays queued */
    bool hold_lookups;    /* names stay unanswered */
    bool hold_connects;   /* connections stay unanswered; the server does not see them */
    bool refuse_connects; /* connections are refused */
    struct moot_resolve *lookups[MEMNET_LOOKUPS_MAX];
    unsigned works_done, reads, writes, streams_open, held;
};

void memnet_init(struct memnet *net, const struct moot_allocator *allocator);
void memnet_deinit(struct memnet *net); /* fails the test when anything is left */

/* Two connected streams; false when there is no memory. */
bool memnet_pair(struct memnet *net, struct moot_stream **a, struct moot_stream **b);

/* What the other end did, as the network would show it to `stream`'s peer. */
void memnet_send_fin(struct moot_stream *stream);
void memnet_send_reset(struct moot_stream *stream);

/* One turn of the loop; when nothing was to do, time jumps to the next timer. False when idle. */
bool memnet_turn(struct memnet *net);

/* Turn until the counter is at least `count`; false when idle or after 200,000 turns. */
bool memnet_run_until(struct memnet *net, const int *counter, int count);
void memnet_run_idle(struct memnet *net); /* until nothing is left to do but time */

#endif
