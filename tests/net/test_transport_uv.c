/* The real transport: time, tasks, threads, and an end that leaves nothing behind with anything
 * under way. Its sockets are in test_transport_uv_sockets.c. */
#include "tests/support/test.h"

#include <pthread.h>

#include "engine/base/check.h"
#include "net/transport_uv.h"
#include "tests/support/pair.h"

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

/* Timers, tasks, time. */

struct ticker {
    struct moot_timer timer;
    struct moot_transport *transport;
    uint64_t fired_ns;
    int count, restarts;
};

static void on_tick(struct moot_timer *timer)
{
    struct ticker *ticker = moot__container_of(timer, struct ticker, timer);
    ticker->count++;
    ticker->fired_ns = moot__clock_ns(ticker->transport);
    if (ticker->restarts-- > 0)
        moot__timer_start(ticker->transport, timer, 0); /* in the past */
}

static void timer_fires_once_and_never_early(void **state)
{
    struct test_loop *test = *state;
    struct ticker ticker = {.timer = {.on_fire = on_tick}, .transport = test->transport};
    uint64_t deadline_ns = moot__clock_ns(test->transport) + 3 * MOOT_NS_PER_MS + 1;
    moot__timer_start(test->transport, &ticker.timer, MOOT_NEVER_NS);
    moot__timer_start(test->transport, &ticker.timer, deadline_ns);
    assert_int_equal(ticker.count, 0);
    assert_true(test_loop_run_until_count(test, &ticker.count, 1));
    assert_true(ticker.fired_ns >= deadline_ns);
    test_loop_run_turns(test, 5);
    assert_int_equal(ticker.count, 1);
}

static void stopped_timer_is_silent(void **state)
{
    struct test_loop *test = *state;
    struct ticker stopped = {.timer = {.on_fire = on_tick}, .transport = test->transport};
    struct ticker later = stopped;
    moot__timer_start(test->transport, &stopped.timer, 0);
    moot__timer_start(test->transport, &later.timer,
                      moot__clock_ns(test->transport) + 2 * MOOT_NS_PER_MS);
    moot__timer_stop(test->transport, &stopped.timer);
    assert_true(test_loop_run_until_count(test, &later.count, 1));
    assert_int_equal(stopped.count, 0);
}

static void timer_restarted_in_the_past_does_not_take_the_loop(void **state)
{
    struct test_loop *test = *state;
    struct ticker ticker = {
        .timer = {.on_fire = on_tick}, .transport = test->transport, .restarts = 1000000};
    moot__timer_start(test->transport, &ticker.timer, 0);
    for (int i = 0; i < 5; i++)
        test_loop_run_turns(test, 1);
    assert_true(ticker.count <= 5);
    moot__timer_stop(test->transport, &ticker.timer);
}

struct poster {
    struct moot_task task;
    struct moot_transport *transport;
    int count, reposts;
};

static void on_task(struct moot_task *task)
{
    struct poster *poster = moot__container_of(task, struct poster, task);
    poster->count++;
    if (poster->reposts-- > 0)
        moot__task_post(poster->transport, task);
}

static void tasks_run_from_the_loop_in_bounded_rounds(void **state)
{
    struct test_loop *test = *state;
    struct poster endless = {.transport = test->transport, .reposts = 1000000};
    struct poster once = {.transport = test->transport}, cancelled = once;
    moot__task_init(&endless.task, on_task);
    moot__task_init(&once.task, on_task);
    moot__task_init(&cancelled.task, on_task);
    moot__task_post(test->transport, &endless.task);
    moot__task_post(test->transport, &once.task);
    moot__task_post(test->transport, &once.task);
    moot__task_post(test->transport, &cancelled.task);
    moot__task_cancel(test->transport, &cancelled.task);
    assert_int_equal(once.count, 0);
    test_loop_run_turns(test, 5);
    assert_int_equal(once.count, 1);
    assert_int_equal(cancelled.count, 0);
    assert_in_range(endless.count, 5, 11);
    moot__task_cancel(test->transport, &endless.task);
}

static void time_and_randomness_are_sane(void **state)
{
    struct test_loop *test = *state;
    uint64_t before_ns = moot__clock_ns(test->transport);
    assert_true(moot__now_ns(test->transport) >= before_ns);
    assert_true(moot__wall_ns(test->transport) > UINT64_C(1700000000) * MOOT_NS_PER_S);
    unsigned char a[16], b[16], many[1000] = {0};
    for (int i = 0; i < 40; i++) {
        moot__random(test->transport, a, sizeof a);
        moot__random(test->transport, b, sizeof b);
        assert_memory_not_equal(a, b, sizeof a);
    }
    moot__random(test->transport, many, sizeof many);
    assert_memory_not_equal(many, many + 500, 500);
}

static void only_holders_keep_the_loop_running(void **state)
{
    struct test_loop *test = *state;
    struct ticker ticker = {.timer = {.on_fire = on_tick}, .transport = test->transport};
    moot__timer_start(test->transport, &ticker.timer, MOOT_NEVER_NS);
    assert_int_equal(uv_loop_alive(&test->loop), 0);
    moot__transport_hold(test->transport);
    moot__transport_hold(test->transport);
    moot__transport_let_go(test->transport);
    assert_int_not_equal(uv_loop_alive(&test->loop), 0);
    moot__transport_let_go(test->transport);
    assert_int_equal(uv_loop_alive(&test->loop), 0);
    struct poster poster = {.transport = test->transport, .reposts = 2};
    moot__task_init(&poster.task, on_task);
    moot__task_post(test->transport, &poster.task);
    assert_int_equal(uv_run(&test->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(poster.count, 3);
    moot__timer_stop(test->transport, &ticker.timer);
}

/* Work and lookups. */

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

struct asker {
    struct moot_resolve resolve;
    int done;
};

static void on_resolved(struct moot_resolve *resolve)
{
    moot__container_of(resolve, struct asker, resolve)->done++;
}

static void ask(struct asker *asker, struct test_loop *test, const char *host)
{
    *asker = (struct asker){.resolve = {.on_done = on_resolved, .port = 443}};
    moot__view_copy(moot__view_str(host), asker->resolve.host, sizeof asker->resolve.host);
    struct moot_transport *transport = test->transport;
    assert_int_equal(transport->ops->resolve(transport, &asker->resolve), MOOT_OK);
    assert_int_equal(asker->done, 0);
}

static void names_resolve_or_tell_why(void **state)
{
    struct test_loop *test = *state;
    struct asker literal, local, wrong;
    ask(&literal, test, "127.0.0.9");
    ask(&local, test, "localhost");
    ask(&wrong, test, "a name with spaces");
    assert_true(test_loop_run_until_count(test, &literal.done, 1));
    assert_true(test_loop_run_until_count(test, &local.done, 1));
    assert_true(test_loop_run_until_count(test, &wrong.done, 1));
    assert_int_equal(literal.resolve.status, MOOT_OK);
    assert_int_equal(literal.resolve.count, 1);
    struct moot_address expected = {.bytes = {127, 0, 0, 9}, .port = 443};
    assert_memory_equal(&literal.resolve.addresses[0], &expected, sizeof expected);
    assert_int_equal(local.resolve.status, MOOT_OK);
    assert_true(local.resolve.count >= 1);
    assert_int_equal(wrong.resolve.status, MOOT_EDNS);
    assert_true(wrong.resolve.detail[0] != '\0');
    struct asker empty = {.resolve = {.on_done = on_resolved}};
    assert_int_equal(test->transport->ops->resolve(test->transport, &empty.resolve), MOOT_EINVAL);
}

static void cancelled_lookups_are_forgotten(void **state)
{
    struct test_loop *test = *state;
    static struct asker askers[40];
    for (size_t i = 0; i < 40; i++)
        ask(&askers[i], test, "127.0.0.1");
    for (size_t i = 0; i < 40; i += 2)
        test->transport->ops->resolve_cancel(test->transport, &askers[i].resolve);
    for (size_t i = 0; i < 40; i++)
        if (i % 2 == 1)
            assert_true(test_loop_run_until_count(test, &askers[i].done, 1));
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(askers[i].done, (int)(i % 2));
}

/* The end. */

static void close_drops_all_that_is_under_way(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    static struct asker askers[20];
    struct ticker ticker = {.timer = {.on_fire = on_tick}, .transport = test->transport};
    struct poster poster = {.transport = test->transport};
    test_pair_listen(&pair, test);
    for (int i = 0; i < 5; i++)
        moot__stream_want(test_pair_connect(&pair, &pair.acceptor.address),
                          MOOT_READABLE | MOOT_WRITABLE);
    for (size_t i = 0; i < 20; i++)
        ask(&askers[i], test, "localhost");
    moot__timer_start(test->transport, &ticker.timer, 0);
    moot__task_init(&poster.task, on_task);
    moot__task_post(test->transport, &poster.task);
    moot__transport_hold(test->transport);
    moot__transport_uv_close(test->transport, on_test_closed, test);
    assert_int_equal(test->closed, 0);
    test->transport = NULL;
    assert_int_equal(uv_run(&test->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(test->closed, 1);
    assert_int_equal(ticker.count + poster.count + pair.accepted + pair.client_ready, 0);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(askers[i].done, 0);
}

struct closer {
    struct moot_task task;
    struct test_loop *test;
};

static void close_from_task(struct moot_task *task)
{
    struct test_loop *test = moot__container_of(task, struct closer, task)->test;
    moot__transport_uv_close(test->transport, on_test_closed, test);
    test->transport = NULL;
}

static void close_is_legal_in_a_callback(void **state)
{
    struct test_loop *test = *state;
    struct closer closer = {.test = test};
    struct poster after = {.transport = test->transport};
    moot__task_init(&closer.task, close_from_task);
    moot__task_init(&after.task, on_task);
    moot__task_post(test->transport, &closer.task);
    moot__task_post(test->transport, &after.task);
    assert_int_equal(uv_run(&test->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(test->closed, 1);
    assert_int_equal(after.count, 0);
    assert_false(moot__list_is_linked(&after.task.node));
}

static void *one_of_two_threads(void *data)
{
    struct test_loop *test = data;
    struct test_pair pair;
    static _Thread_local struct asker askers[20];
    static _Thread_local struct gate gates[20];
    test_pair_make(&pair, test);
    for (size_t i = 0; i < 20; i++) {
        ask(&askers[i], test, "127.0.0.1");
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

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_and_close_leave_nothing),
        ON_LOOP(timer_fires_once_and_never_early),
        ON_LOOP(stopped_timer_is_silent),
        ON_LOOP(timer_restarted_in_the_past_does_not_take_the_loop),
        ON_LOOP(tasks_run_from_the_loop_in_bounded_rounds),
        ON_LOOP(time_and_randomness_are_sane),
        ON_LOOP(only_holders_keep_the_loop_running),
        ON_LOOP(work_is_done_once_each),
        ON_LOOP(close_waits_for_running_work_and_skips_the_rest),
        ON_LOOP(names_resolve_or_tell_why),
        ON_LOOP(cancelled_lookups_are_forgotten),
        ON_LOOP(close_drops_all_that_is_under_way),
        ON_LOOP(close_is_legal_in_a_callback),
        cmocka_unit_test(two_transports_on_two_threads_share_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
