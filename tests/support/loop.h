#ifndef MOOT_TEST_LOOP_H
#define MOOT_TEST_LOOP_H

/* A loop with a transport on it, for tests. It never waits longer than it has to and never for
 * ever, and at the end nothing of ours may be left: no handle and no descriptor. loop.c is over
 * libuv; tests/sim/loop.c, with the same functions, over the simulated transport: a program links
 * one. */
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "net/transport.h"

struct test_loop {
    uv_loop_t loop;                   /* over libuv only */
    struct moot_sim *sim;             /* in simulation only */
    struct moot_transport *transport; /* NULL once it was closed */
    uv_timer_t guard;                 /* wakes a run that waits in vain */
    int closed;                       /* calls of on_closed */
    size_t fds;                       /* open before */
};

void test_loop_init(struct test_loop *test);

/* Run the loop until `condition(context)`; false after 10 s of wall time or a million turns. */
bool test_loop_run_until(struct test_loop *test, bool (*condition)(void *context), void *context);

/* The same for a counter: until it is at least `count`. */
bool test_loop_run_until_count(struct test_loop *test, const int *counter, int count);

/* A few turns that do not wait, to show that something does not happen. */
void test_loop_run_turns(struct test_loop *test, unsigned turns);

/* Whether anything holds the loop, and a run until nothing does; it fails the test if that takes
 * too long. */
bool test_loop_is_alive(struct test_loop *test);
void test_loop_run_dry(struct test_loop *test);

/* Begin to close the transport; `closed` counts the end of it. */
void test_loop_close(struct test_loop *test);

/* Close the transport (if it is not closed) and the loop; fails the test when anything is left. */
void test_loop_deinit(struct test_loop *test);

/* Descriptors open in this process. */
size_t test_count_fds(void);

#endif
