#ifndef MOOT_TEST_PROBES_H
#define MOOT_TEST_PROBES_H

/* A timer, a task, a work and a lookup that count their callbacks. */
#include "loop.h"

struct test_ticker {
    struct moot_timer timer;
    struct moot_transport *transport;
    uint64_t fired_ns;
    int count, restarts; /* restarts itself, in the past, so many times */
};
struct test_ticker test_ticker_on(struct moot_transport *transport);

struct test_poster {
    struct moot_task task;
    struct moot_transport *transport;
    int count, reposts;
};
void test_poster_init(struct test_poster *poster, struct moot_transport *transport);

struct test_asker {
    struct moot_resolve resolve;
    int done;
};
void test_ask(struct test_asker *asker, struct test_loop *test, const char *host);

struct test_worker {
    struct moot_work work;
    int runs, done, status;
};
void test_work(struct test_worker *worker, struct test_loop *test);

#endif
