/* The real transport's threads. What it has in common with the simulated one is in
 * test_transport_contract.c, its sockets are in test_transport_uv_sockets.c. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/base/check.h"
#include "net/transport_uv.h"
#include "tests/support/pair.h"
#include "tests/support/probes.h"

static int set_up(void **state)
{
    static struct test_loop test;
    test_loop_init(&test);
    *state = &test;
    return 0;
}

static int tear_down(void **state)
{
    test_loop_deinit(*state);
    return 0;
}

/* Work. */

struct gate {
    struct moot_work work;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_open, has_begun;
    int done, status;
};

static void gate_init(struct gate *gate)
{
    *gate = (struct gate){.is_open = false};
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

static void gate_run(struct moot_work *work)
{
    struct gate *gate = moot__container_of(work, struct gate, work);
    pthread_mutex_lock(&gate->lock);
    gate->has_begun = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->is_open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_done(struct moot_work *work)
{
    struct gate *gate = moot__container_of(work, struct gate, work);
    gate->done++;
    gate->status = work->status;
}

static void gate_submit(struct gate *gate, struct test_loop *test)
{
    gate_init(gate);
    gate->work = (struct moot_work){.run = gate_run, .done = gate_done};
    struct moot_transport *transport = test->transport;
    assert_int_equal(transport->ops->work_submit(transport, &gate->work), MOOT_OK);
}

static void gate_await(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->has_begun)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->is_open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void work_is_done_once_each(void **state)
{
    struct test_loop *test = *state;
    static struct gate gates[50];
    for (size_t i = 0; i < 50; i++)
        gate_submit(&gates[i], test);
    test_loop_run_turns(test, 3);
    for (size_t i = 0; i < 50; i++)
        gate_open(&gates[i]);
    for (size_t i = 0; i < 50; i++) {
        assert_true(test_loop_run_until_count(test, &gates[i].done, 1));
        assert_int_equal(gates[i].status, MOOT_OK);
    }
    test_loop_run_turns(test, 3);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(gates[i].done, 1);
}

static void on_test_closed(void *data)
{
    ((struct test_loop *)data)->closed++;
}

static void close_waits_for_running_work_and_skips_the_rest(void **state)
{
    struct test_loop *test = *state;
    static struct gate gates[4]; /* two threads: two run, two wait */
    for (size_t i = 0; i < 4; i++)
        gate_submit(&gates[i], test);
    gate_await(&gates[0]);
    gate_await(&gates[1]);
    moot__transport_uv_close(test->transport, on_test_closed, test);
    struct moot_work late = {.run = gate_run, .done = gate_done};
    assert_int_equal(test->transport->ops->work_submit(test->transport, &late), MOOT_EBUSY);
    test->transport = NULL;
    assert_int_equal(gates[2].done, 0);
    test_loop_run_turns(test, 3);
    assert_int_equal(gates[2].done + gates[3].done, 2);
    assert_int_equal(gates[2].status, MOOT_ECANCELED);
    assert_int_equal(test->closed, 0);
    gate_open(&gates[0]);
    gate_open(&gates[1]);
    assert_int_equal(uv_run(&test->loop, UV_RUN_DEFAULT), 0); /* held by the work alone */
    assert_int_equal(test->closed, 1);
    assert_int_equal(gates[0].done + gates[1].done, 2);
    assert_int_equal(gates[0].status, MOOT_OK);
}

/* The end. */

static void *one_of_two_threads(void *data)
{
    struct test_loop *test = data;
    struct test_pair pair;
    static _Thread_local struct test_asker askers[20];
    static _Thread_local struct gate gates[20];
    test_pair_make(&pair, test);
    for (size_t i = 0; i < 20; i++) {
        test_ask(&askers[i], test, "127.0.0.1");
        gate_submit(&gates[i], test);
        gate_open(&gates[i]);
    }
    for (size_t i = 0; i < 20; i++) {
        assert_true(test_loop_run_until_count(test, &askers[i].done, 1));
        assert_true(test_loop_run_until_count(test, &gates[i].done, 1));
    }
    moot__stream_close(pair.client);
    moot__stream_close(pair.server);
    return NULL;
}

static void two_transports_on_two_threads_share_nothing(void **state)
{
    (void)state;
    struct test_loop tests[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        test_loop_init(&tests[i]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_two_threads, &tests[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    test_loop_deinit(&tests[1]);
    test_loop_deinit(&tests[0]);
}

static void new_and_close_leave_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct test_loop test;
        test_loop_init(&test);
        test_loop_deinit(&test);
    }
}

/* Descriptors. */

/* How many the kernel's table has room for. */
static unsigned long room_for_descriptors(void)
{
    char line[128];
    unsigned long room = 0;
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (room == 0 && fgets(line, sizeof line, status))
        if (strncmp(line, "FDSize:", 7) == 0)
            room = strtoul(line + 7, NULL, 10);
    fclose(status);
    return room;
}

static void a_burst_of_sockets_finds_room_for_its_descriptors(void **state)
{
    moot__ignore(state == NULL); /* the transport was made by set_up */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    bool is_low = limit.rlim_cur < MOOT_LIMIT_DESCRIPTORS_AHEAD;
    assert_true(room_for_descriptors() >= (is_low ? limit.rlim_cur : MOOT_LIMIT_DESCRIPTORS_AHEAD));
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_and_close_leave_nothing),
        ON_LOOP(a_burst_of_sockets_finds_room_for_its_descriptors),
        ON_LOOP(work_is_done_once_each),
        ON_LOOP(close_waits_for_running_work_and_skips_the_rest),
        cmocka_unit_test(two_transports_on_two_threads_share_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
