#ifndef MOOT_TEST_PAIR_H
#define MOOT_TEST_PAIR_H

/* Two ends of a loopback connection on one test loop, with counted callbacks. */
#include "loop.h"

struct test_pair {
    struct test_loop *test;
    struct moot_acceptor acceptor;
    struct moot_stream *client, *server;
    int accepted, client_ready, server_ready;
    unsigned client_bits; /* every readiness that the client was told */
    int accepts_max;      /* then it stops listening, from the callback; 0: never */
};

/* Listen on 127.0.0.1; the first connection becomes `server`, later ones are aborted. */
void test_pair_listen(struct test_pair *pair, struct test_loop *test);

/* A stream connecting to `address`, owned by the pair. */
struct moot_stream *test_pair_connect(struct test_pair *pair, const struct moot_address *address);

/* Listen, connect, wait until both ends are there, stop listening; counters at 0. */
void test_pair_make(struct test_pair *pair, struct test_loop *test);

#endif
