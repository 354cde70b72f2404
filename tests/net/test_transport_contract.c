/* What net/transport.h promises, whoever keeps it. Compiled twice: over the real transport, and
 * over the simulated one; tests/support/loop.h has an implementation for each. */
#include "tests/support/test.h"

#include <errno.h>

#include "engine/base/check.h"
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

/* Timers, tasks, time. */

static void timer_fires_once_and_never_early(void **state)
{
    struct test_loop *test = *state;
    struct test_ticker ticker = test_ticker_on(test->transport);
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
    struct test_ticker stopped = test_ticker_on(test->transport);
    struct test_ticker later = test_ticker_on(test->transport);
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
    struct test_ticker ticker = test_ticker_on(test->transport);
    ticker.restarts = 1000000;
    moot__timer_start(test->transport, &ticker.timer, 0);
    for (int i = 0; i < 5; i++)
        test_loop_run_turns(test, 1);
    assert_true(ticker.count <= 5);
    moot__timer_stop(test->transport, &ticker.timer);
}

static void tasks_run_from_the_loop_in_bounded_rounds(void **state)
{
    struct test_loop *test = *state;
    struct test_poster endless, once, cancelled;
    test_poster_init(&endless, test->transport);
    test_poster_init(&once, test->transport);
    test_poster_init(&cancelled, test->transport);
    endless.reposts = 1000000;
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
    struct test_ticker ticker = test_ticker_on(test->transport);
    moot__timer_start(test->transport, &ticker.timer, MOOT_NEVER_NS);
    assert_false(test_loop_is_alive(test));
    moot__transport_hold(test->transport);
    moot__transport_hold(test->transport);
    moot__transport_let_go(test->transport);
    assert_true(test_loop_is_alive(test));
    moot__transport_let_go(test->transport);
    assert_false(test_loop_is_alive(test));
    struct test_poster poster;
    test_poster_init(&poster, test->transport);
    poster.reposts = 2;
    moot__task_post(test->transport, &poster.task);
    test_loop_run_dry(test);
    assert_int_equal(poster.count, 3);
    moot__timer_stop(test->transport, &ticker.timer);
}

/* Work and lookups. */

static void work_runs_once_and_is_done_once(void **state)
{
    struct test_loop *test = *state;
    static struct test_worker workers[20];
    for (size_t i = 0; i < 20; i++)
        test_work(&workers[i], test);
    assert_true(test_loop_is_alive(test));
    test_loop_run_dry(test);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(workers[i].runs, 1);
        assert_int_equal(workers[i].done, 1);
        assert_int_equal(workers[i].status, MOOT_OK);
    }
}

static void closing_still_ends_all_work(void **state)
{
    struct test_loop *test = *state;
    static struct test_worker workers[20];
    for (size_t i = 0; i < 20; i++)
        test_work(&workers[i], test);
    test_loop_close(test);
    test_loop_run_dry(test);
    assert_int_equal(test->closed, 1);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(workers[i].done, 1);
        assert_int_equal(workers[i].runs, workers[i].status == MOOT_OK);
        assert_true(workers[i].status == MOOT_OK || workers[i].status == MOOT_ECANCELED);
    }
}

static void names_resolve_or_tell_why(void **state)
{
    struct test_loop *test = *state;
    struct test_asker literal, local, wrong;
    test_ask(&literal, test, "127.0.0.9");
    test_ask(&local, test, "localhost");
    test_ask(&wrong, test, "a name with spaces");
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
    struct moot_resolve empty = {.on_done = literal.resolve.on_done};
    assert_int_equal(test->transport->ops->resolve(test->transport, &empty), MOOT_EINVAL);
}

static void cancelled_lookups_are_forgotten(void **state)
{
    struct test_loop *test = *state;
    static struct test_asker askers[40];
    for (size_t i = 0; i < 40; i++)
        test_ask(&askers[i], test, "127.0.0.1");
    for (size_t i = 0; i < 40; i += 2)
        test->transport->ops->resolve_cancel(test->transport, &askers[i].resolve);
    for (size_t i = 0; i < 40; i++)
        if (i % 2 == 1)
            assert_true(test_loop_run_until_count(test, &askers[i].done, 1));
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(askers[i].done, (int)(i % 2));
}

/* Sockets. */

static void bytes_arrive_and_the_end_is_seen(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    char data[16];
    test_pair_make(&pair, test);
    moot__stream_want(pair.server, MOOT_READABLE);
    assert_int_equal(moot__stream_read(pair.server, data, sizeof data), MOOT_EAGAIN);
    assert_int_equal(moot__stream_write(pair.client, "hello", 5), 5);
    assert_true(test_loop_run_until_count(test, &pair.server_ready, 2)); /* level-triggered */
    assert_int_equal(moot__stream_read(pair.server, data, sizeof data), 5);
    assert_memory_equal(data, "hello", 5);
    pair.server_ready = 0;
    moot__stream_close(pair.client);
    assert_true(test_loop_run_until_count(test, &pair.server_ready, 1));
    assert_int_equal(moot__stream_read(pair.server, data, sizeof data), 0);
    assert_true(pair.server->ops->ended_cleanly(pair.server));
    moot__stream_close(pair.server);
}

static void unwanted_readiness_is_not_told_and_not_spun_on(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    char data[16];
    test_pair_make(&pair, test);
    moot__stream_want(pair.server, MOOT_READABLE);
    moot__stream_want(pair.server, 0);
    assert_int_equal(moot__stream_write(pair.client, "x", 1), 1);
    test_loop_run_turns(test, 5);
    assert_int_equal(pair.server_ready, 0);
    moot__stream_want(pair.server, MOOT_READABLE);
    assert_true(test_loop_run_until_count(test, &pair.server_ready, 1));
    assert_int_equal(moot__stream_read(pair.server, data, sizeof data), 1);
    moot__stream_abort(pair.server);
    moot__stream_abort(pair.client);
}

static void full_socket_says_again_and_becomes_writable(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    static char block[256 << 10];
    test_pair_make(&pair, test);
    size_t sent = 0, got = 0;
    ptrdiff_t n;
    while ((n = moot__stream_write(pair.client, block, sizeof block)) > 0)
        sent += (size_t)n;
    assert_int_equal(n, MOOT_EAGAIN);
    moot__stream_want(pair.client, MOOT_WRITABLE);
    test_loop_run_turns(test, 3);
    assert_int_equal(pair.client_ready, 0);
    for (int turn = 0; turn < 100000 && got < sent; turn++) {
        test_loop_run_turns(test, 1);
        while ((n = moot__stream_read(pair.server, block, sizeof block)) > 0)
            got += (size_t)n;
    }
    assert_int_equal(got, sent);
    assert_true(test_loop_run_until_count(test, &pair.client_ready, 1));
    assert_int_equal(pair.client_bits, MOOT_WRITABLE);
    moot__stream_close(pair.client);
    moot__stream_close(pair.server);
}

static void reset_by_the_peer_is_an_error_and_final(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    char data[16];
    test_pair_make(&pair, test);
    moot__stream_want(pair.client, MOOT_READABLE);
    moot__stream_abort(pair.server);
    assert_true(test_loop_run_until_count(test, &pair.client_ready, 1));
    assert_int_equal(moot__stream_read(pair.client, data, sizeof data), MOOT_ERESET);
    assert_int_equal(moot__stream_read(pair.client, data, sizeof data), MOOT_ERESET);
    assert_int_equal(moot__stream_write(pair.client, "x", 1), MOOT_ERESET); /* and no SIGPIPE */
    moot__stream_close(pair.client);
}

static void refused_connection_tells_why(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    test_pair_listen(&pair, test);
    struct moot_address closed_port = pair.acceptor.address;
    test->transport->ops->unlisten(test->transport, &pair.acceptor);
    struct moot_stream *stream = test_pair_connect(&pair, &closed_port);
    moot__stream_want(stream, MOOT_WRITABLE);
    assert_true(test_loop_run_until_count(test, &pair.client_ready, 1));
    char detail[64];
    assert_int_equal(test->transport->ops->connect_result(stream, detail, sizeof detail),
                     MOOT_ECONNECT);
    assert_string_equal(detail, "Connection refused");
    assert_int_equal(moot__stream_write(stream, "x", 1), MOOT_ECONNECT);
    moot__stream_close(stream);
}

static void address_in_use_is_refused_at_once(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    test_pair_listen(&pair, test);
    struct moot_acceptor second = {.on_accept = pair.acceptor.on_accept};
    struct moot_transport *transport = test->transport;
    assert_int_equal(transport->ops->listen(transport, &pair.acceptor.address, &second),
                     MOOT_ECONNECT);
    assert_int_equal(errno, EADDRINUSE);
    assert_null(second.internal);
    transport->ops->unlisten(transport, &pair.acceptor);
}

static void listening_may_stop_in_the_middle_of_accepting(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    struct moot_stream *streams[5];
    test_pair_listen(&pair, test);
    pair.accepts_max = 2;
    struct moot_address address = pair.acceptor.address;
    for (size_t i = 0; i < 5; i++)
        streams[i] = test_pair_connect(&pair, &address);
    assert_true(test_loop_run_until_count(test, &pair.accepted, 2));
    test_loop_run_turns(test, 3);
    assert_int_equal(pair.accepted, 2);
    for (size_t i = 0; i < 5; i++)
        moot__stream_abort(streams[i]);
    moot__stream_abort(pair.server);
}

static void close_and_free_from_within(struct moot_stream *stream, unsigned ready)
{
    struct test_pair *pair = stream->owner;
    (void)ready;
    pair->client_ready++;
    moot__stream_close(stream);
    pair->client = NULL;
}

static void stream_may_close_in_its_own_callback(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    test_pair_make(&pair, test);
    pair.client->on_ready = close_and_free_from_within;
    moot__stream_want(pair.client, MOOT_READABLE | MOOT_WRITABLE);
    assert_true(test_loop_run_until_count(test, &pair.client_ready, 1));
    test_loop_run_turns(test, 3);
    assert_int_equal(pair.client_ready, 1);
    moot__stream_close(pair.server);
}

/* The end. */

static void close_drops_all_that_is_under_way(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    static struct test_asker askers[20];
    struct test_ticker ticker = test_ticker_on(test->transport);
    struct test_poster poster;
    test_pair_listen(&pair, test);
    for (int i = 0; i < 5; i++)
        moot__stream_want(test_pair_connect(&pair, &pair.acceptor.address),
                          MOOT_READABLE | MOOT_WRITABLE);
    for (size_t i = 0; i < 20; i++)
        test_ask(&askers[i], test, "localhost");
    moot__timer_start(test->transport, &ticker.timer, 0);
    test_poster_init(&poster, test->transport);
    moot__task_post(test->transport, &poster.task);
    moot__transport_hold(test->transport);
    test_loop_close(test);
    assert_int_equal(test->closed, 0);
    test_loop_run_dry(test);
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
    test_loop_close(test);
}

static void close_is_legal_in_a_callback(void **state)
{
    struct test_loop *test = *state;
    struct closer closer = {.test = test};
    struct test_poster after;
    moot__task_init(&closer.task, close_from_task);
    test_poster_init(&after, test->transport);
    moot__task_post(test->transport, &closer.task);
    moot__task_post(test->transport, &after.task);
    test_loop_run_dry(test);
    assert_int_equal(test->closed, 1);
    assert_int_equal(after.count, 0);
    assert_false(moot__list_is_linked(&after.task.node));
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(timer_fires_once_and_never_early),
        ON_LOOP(stopped_timer_is_silent),
        ON_LOOP(timer_restarted_in_the_past_does_not_take_the_loop),
        ON_LOOP(tasks_run_from_the_loop_in_bounded_rounds),
        ON_LOOP(time_and_randomness_are_sane),
        ON_LOOP(only_holders_keep_the_loop_running),
        ON_LOOP(work_runs_once_and_is_done_once),
        ON_LOOP(closing_still_ends_all_work),
        ON_LOOP(names_resolve_or_tell_why),
        ON_LOOP(cancelled_lookups_are_forgotten),
        ON_LOOP(bytes_arrive_and_the_end_is_seen),
        ON_LOOP(unwanted_readiness_is_not_told_and_not_spun_on),
        ON_LOOP(full_socket_says_again_and_becomes_writable),
        ON_LOOP(reset_by_the_peer_is_an_error_and_final),
        ON_LOOP(refused_connection_tells_why),
        ON_LOOP(address_in_use_is_refused_at_once),
        ON_LOOP(listening_may_stop_in_the_middle_of_accepting),
        ON_LOOP(stream_may_close_in_its_own_callback),
        ON_LOOP(close_drops_all_that_is_under_way),
        ON_LOOP(close_is_legal_in_a_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
