/* The server on real loopback sockets: bytes, ends and times as a client of the kernel sees them.
 */
#include "bench/emulator/server.h"

#include <stdio.h>

#include "client.h"
#include "tests/support/loop.h"

struct remote {
    struct test_loop *test;
    struct moot_stream *stream;
    const char *to_send;
    char text[1 << 16];
    size_t len;
    const char *goal; /* done when this arrived */
    int ended;        /* 1: FIN, a negative error, 0: open */
    int done;
};

static void remote_on_ready(struct moot_stream *stream, unsigned ready)
{
    struct remote *remote = stream->owner;
    if ((ready & MOOT_WRITABLE) && *remote->to_send) {
        ptrdiff_t taken = moot__stream_write(stream, remote->to_send, strlen(remote->to_send));
        if (taken > 0)
            remote->to_send += taken;
    }
    ptrdiff_t got = moot__stream_read(stream, remote->text + remote->len,
                                      sizeof remote->text - 1 - remote->len);
    if (got > 0)
        remote->len += (size_t)got;
    else if (got != MOOT_EAGAIN)
        remote->ended = got == 0 ? 1 : (int)got;
    remote->text[remote->len] = '\0';
    remote->done = remote->ended || (remote->goal && strstr(remote->text, remote->goal));
    moot__stream_want(stream, remote->done       ? 0
                              : *remote->to_send ? MOOT_READABLE | MOOT_WRITABLE
                                                 : MOOT_READABLE);
}

static void remote_open(struct remote *remote, struct test_loop *test,
                        const struct moot_emulator_server *server, const char *request,
                        const char *goal)
{
    struct moot_address address = moot__emulator_server_address(server);
    struct moot_transport *transport = test->transport;
    memset(remote, 0, sizeof *remote);
    remote->test = test;
    remote->to_send = request;
    remote->goal = goal;
    assert_int_equal(transport->ops->connect(transport, &address, &remote->stream), MOOT_OK);
    remote->stream->owner = remote;
    remote->stream->on_ready = remote_on_ready;
    moot__stream_want(remote->stream, MOOT_WRITABLE | MOOT_READABLE);
}

static void remote_wait(struct remote *remote)
{
    assert_true(test_loop_run_until_count(remote->test, &remote->done, 1));
}

static struct moot_emulator_server *serve(struct test_loop *test,
                                          const struct moot_emulator_options *emulator)
{
    struct moot_emulator_server *server;
    struct moot_emulator_server_options options = {
        .transport = test->transport,
        .address = {.bytes = {127, 0, 0, 1}},
        .emulator = emulator,
    };
    assert_int_equal(moot__emulator_server_open(&options, &server), MOOT_OK);
    assert_int_not_equal(moot__emulator_server_address(server).port, 0);
    return server;
}

static void make_request(char *out, size_t size, const char *body)
{
    int len =
        snprintf(out, size, "POST " CHAT " HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
    assert_in_range(len, 1, size - 1);
}

static void answers_come_over_sockets(void **state)
{
    (void)state;
    struct test_loop test;
    struct remote remote;
    char request[512];
    test_loop_init(&test);
    struct moot_emulator_server *server = serve(&test, NULL);
    make_request(request, sizeof request, HELLO);
    remote_open(&remote, &test, server, request, "\"total_tokens\":8}}");
    remote_wait(&remote);
    assert_has(remote.text, "m heard: a bc def");
    assert_int_equal(remote.ended, 0);
    moot__stream_close(remote.stream);
    moot__emulator_server_close(server);
    test_loop_deinit(&test);
}

static void tokens_keep_their_schedule(void **state)
{
    (void)state;
    struct test_loop test;
    struct remote remote;
    char request[512];
    struct moot_emulator_options options = moot_emulator_options_default();
    struct moot_emulator_log_entry first, entry;
    options.answer = MOOT_EMULATOR_GENERATED;
    options.reply_tokens_min = options.reply_tokens_max = 20;
    options.first_token_ns = 20 * MOOT_NS_PER_MS;
    options.inter_token_ns = 2 * MOOT_NS_PER_MS;
    test_loop_init(&test);
    struct moot_emulator_server *server = serve(&test, &options);
    make_request(request, sizeof request, HELLO_STREAM);
    remote_open(&remote, &test, server, request, "[DONE]");
    remote_wait(&remote);
    const struct moot_emulator *emulator = moot__emulator_server_emulator(server);
    assert_true(moot_emulator_log(emulator, 0, &first));
    for (size_t i = 0; i < 20; i++) {
        assert_true(moot_emulator_log(emulator, i, &entry));
        assert_int_equal(entry.planned_ns, first.planned_ns + i * options.inter_token_ns);
        assert_in_range(entry.sent_ns, entry.planned_ns, entry.planned_ns + 5 * MOOT_NS_PER_S);
    }
    moot__stream_close(remote.stream);
    moot__emulator_server_close(server);
    test_loop_deinit(&test);
}

/* How does the connection end under this fault? */
static int end_of(enum moot_emulator_fault fault, const char *body)
{
    struct test_loop test;
    struct remote remote;
    char request[512];
    struct moot_emulator_rule rule = {.fault = fault, .rate = 1};
    struct moot_emulator_options options = moot_emulator_options_default();
    options.rules = &rule;
    options.rule_count = 1;
    test_loop_init(&test);
    struct moot_emulator_server *server = serve(&test, &options);
    make_request(request, sizeof request, body);
    remote_open(&remote, &test, server, request, NULL);
    remote_wait(&remote);
    moot__stream_close(remote.stream);
    moot__emulator_server_close(server);
    test_loop_deinit(&test);
    return remote.ended;
}

static void connections_end_as_the_fault_says(void **state)
{
    (void)state;
    assert_int_equal(end_of(MOOT_EMULATOR_FAULT_CLOSE_BODY, HELLO), 1);
    assert_int_equal(end_of(MOOT_EMULATOR_FAULT_CLOSE_STATUS, HELLO_STREAM), 1);
    assert_true(end_of(MOOT_EMULATOR_FAULT_RESET_ACCEPT, HELLO) <
                0); /* while connecting, or after */
    assert_int_equal(end_of(MOOT_EMULATOR_FAULT_RESET_BODY, HELLO), MOOT_ERESET);
    assert_int_equal(end_of(MOOT_EMULATOR_FAULT_RESET_END, HELLO_STREAM), MOOT_ERESET);
}

struct seen {
    struct moot_emulator_server *server;
    uint64_t abandoned, stalled;
};

static bool has_seen(void *context)
{
    const struct seen *seen = context;
    const struct moot_emulator_ledger *ledger =
        moot_emulator_ledger(moot__emulator_server_emulator(seen->server));
    return ledger->abandoned >= seen->abandoned &&
           ledger->faults[MOOT_EMULATOR_FAULT_STALL_HEAD] >= seen->stalled;
}

static void clients_may_leave_at_any_time(void **state)
{
    (void)state;
    struct test_loop test;
    struct remote remote;
    char request[512];
    struct moot_emulator_rule rule = {
        .fault = MOOT_EMULATOR_FAULT_STALL_HEAD, .first = 2, .last = 2};
    struct moot_emulator_options options = moot_emulator_options_default();
    options.rules = &rule;
    options.rule_count = 1;
    options.inter_token_ns = 100 * MOOT_NS_PER_S;
    test_loop_init(&test);
    struct moot_emulator_server *server = serve(&test, &options);
    make_request(request, sizeof request, HELLO_STREAM);
    remote_open(&remote, &test, server, request, "\"content\":\"m\"");
    remote_wait(&remote);
    moot__stream_abort(remote.stream); /* in the middle of a stream */
    struct seen seen = {server, 1, 0};
    assert_true(test_loop_run_until(&test, has_seen, &seen));
    remote_open(&remote, &test, server, request, "\r\n\r\n");
    remote_wait(&remote);
    seen.stalled = 1;
    assert_true(test_loop_run_until(&test, has_seen, &seen));
    moot__stream_close(remote.stream); /* of a stalled answer */
    test_loop_run_turns(&test, 10);
    remote_open(&remote, &test, server, request, "\"content\":\"m\"");
    remote_wait(&remote);
    moot__emulator_server_close(server); /* with an answer under way */
    remote.done = 0;
    moot__stream_want(remote.stream, MOOT_READABLE);
    remote_wait(&remote);
    assert_int_equal(remote.ended, MOOT_ERESET);
    moot__stream_close(remote.stream);
    test_loop_deinit(&test);
}

static bool has_billed(void *context)
{
    const struct seen *seen = context;
    return moot_emulator_ledger(moot__emulator_server_emulator(seen->server))->billed > 0;
}

static bool has_asked(void *context)
{
    const struct seen *seen = context;
    return moot_emulator_ledger(moot__emulator_server_emulator(seen->server))->requests > 0;
}

/* The client is gone before its answer begins, and the answer stalls: nobody is left to end it. */
static void a_stalled_answer_to_nobody_ends_the_connection(void **state)
{
    (void)state;
    struct test_loop test;
    struct remote remote;
    char request[512];
    struct moot_emulator_rule rule = {
        .fault = MOOT_EMULATOR_FAULT_STALL_END, .first = 1, .last = 1};
    struct moot_emulator_options options = moot_emulator_options_default();
    options.rules = &rule;
    options.rule_count = 1;
    options.whole_ns = 50 * MOOT_NS_PER_MS;
    test_loop_init(&test);
    struct moot_emulator_server_options one = {.transport = test.transport,
                                               .address = {.bytes = {127, 0, 0, 1}},
                                               .emulator = &options,
                                               .connections_max = 1};
    struct seen seen = {0};
    assert_int_equal(moot__emulator_server_open(&one, &seen.server), MOOT_OK);
    make_request(request, sizeof request, HELLO);
    remote_open(&remote, &test, seen.server, request, NULL);
    assert_true(test_loop_run_until(&test, has_asked, &seen));
    moot__stream_close(remote.stream);
    assert_true(test_loop_run_until(&test, has_billed, &seen));
    test_loop_run_turns(&test, 10);
    remote_open(&remote, &test, seen.server, request, "\"total_tokens\":8}}");
    remote_wait(&remote);
    assert_int_equal(remote.ended, 0); /* the only connection was free again */
    moot__stream_close(remote.stream);
    moot__emulator_server_close(seen.server);
    test_loop_deinit(&test);
}

static bool all_done(void *context)
{
    const struct remote *remotes = context;
    for (int i = 0; i < 40; i++)
        if (!remotes[i].done)
            return false;
    return true;
}

static void many_clients_are_served_at_once(void **state)
{
    (void)state;
    static struct remote remotes[40];
    struct test_loop test;
    char request[512];
    struct moot_emulator_options options = moot_emulator_options_default();
    options.answer = MOOT_EMULATOR_GENERATED;
    options.reply_tokens_min = options.reply_tokens_max = 100;
    options.whole_ns = options.first_token_ns = 5 * MOOT_NS_PER_MS;
    test_loop_init(&test);
    struct moot_emulator_server *server = serve(&test, &options);
    make_request(request, sizeof request, HELLO_STREAM);
    for (int i = 0; i < 40; i++)
        remote_open(&remotes[i], &test, server, request, "[DONE]");
    assert_true(test_loop_run_until(&test, all_done, remotes));
    const struct moot_emulator_ledger *ledger =
        moot_emulator_ledger(moot__emulator_server_emulator(server));
    assert_int_equal(ledger->answered, 40);
    assert_int_equal(ledger->tokens_out, 4000);
    for (int i = 0; i < 40; i++)
        moot__stream_close(remotes[i].stream);
    moot__emulator_server_close(server);
    test_loop_deinit(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_over_sockets),
        cmocka_unit_test(tokens_keep_their_schedule),
        cmocka_unit_test(connections_end_as_the_fault_says),
        cmocka_unit_test(clients_may_leave_at_any_time),
        cmocka_unit_test(a_stalled_answer_to_nobody_ends_the_connection),
        cmocka_unit_test(many_clients_are_served_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
