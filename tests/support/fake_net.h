#ifndef MOOT_TEST_FAKE_NET_H
#define MOOT_TEST_FAKE_NET_H

/* A transport for unit tests whose every answer the test gives by hand: time stands still until it
 * is moved, lookups and connections wait until they are told how they end. */
#include "net/timers.h"
#include "net/transport.h"

enum { FAKE_MAX = 2048 };

enum fake_outcome { FAKE_PENDING, FAKE_MADE, FAKE_REFUSED };

struct fake_stream {
    struct moot_stream base;
    struct moot_address address;
    enum fake_outcome outcome;
    unsigned wanted;
    bool is_open;
};

struct fake_net {
    struct moot_transport base;
    uint64_t now_ns;
    struct moot_timers timers;
    struct moot_list tasks;
    struct moot_resolve *lookups[FAKE_MAX]; /* in order of asking; NULL: answered or cancelled */
    unsigned lookup_count, cancel_count;
    int resolve_error; /* what resolve returns instead of beginning; MOOT_OK: it begins */
    struct fake_stream streams[64];
    unsigned stream_count;
    int connect_error; /* the same for connect */
};

void fake_net_init(struct fake_net *net, const struct moot_allocator *allocator);

/* Run posted tasks and due timers until there are none. */
void fake_net_run(struct fake_net *net);
void fake_net_advance(struct fake_net *net, uint64_t span_ns); /* move time, then run */

/* End a lookup: with these IP literals, separated by spaces, or, if NULL, with MOOT_EDNS. */
void fake_net_answer(struct fake_net *net, unsigned lookup, const char *addresses);

/* End a connection attempt, telling its owner if it wants to know. */
void fake_net_decide(struct fake_net *net, unsigned stream, enum fake_outcome outcome);

unsigned fake_net_open_streams(const struct fake_net *net);

#endif
