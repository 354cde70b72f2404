/* The real transport's sockets on loopback: every promise of net/transport.h that a caller leans
 * on. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/socket.h"
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

static const struct moot_address loopback = {.bytes = {127, 0, 0, 1}};

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

/* Out of descriptors, accepting pauses and comes back; connecting says so. */
static void exhausted_descriptors_pause_accepting(void **state)
{
    struct test_loop *test = *state;
    struct test_pair pair;
    struct rlimit before, now;
    int spare[512], spares = 0;
    test_pair_listen(&pair, test);
    pair.client = test_pair_connect(&pair, &pair.acceptor.address);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = (struct rlimit){.rlim_cur = 256, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    while (spares < 512 && (spare[spares] = dup(0)) >= 0)
        spares++;
    struct moot_stream *stream;
    assert_int_equal(test->transport->ops->connect(test->transport, &loopback, &stream),
                     MOOT_ECONNECT);
    assert_int_equal(errno, EMFILE);
    assert_null(stream);
    test_loop_run_turns(test, 20);
    assert_int_equal(pair.accepted, 0);
    while (spares > 0)
        close(spare[--spares]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(test_loop_run_until_count(test, &pair.accepted, 1));
    moot__stream_close(pair.client);
    moot__stream_close(pair.server);
    test->transport->ops->unlisten(test->transport, &pair.acceptor);
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

static void assert_options(int fd)
{
    int value = 0;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_not_equal(value, 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    assert_int_not_equal(value, 0);
    assert_int_not_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

/* Accepted sockets have them from the listening one, without a call of ours. */
static void every_socket_has_our_options(void **state)
{
    (void)state;
    struct moot_address address;
    bool is_made;
    int listening = moot__socket_listen(&loopback, &address);
    int connecting = moot__socket_connect(&address, &is_made);
    assert_true(listening >= 0 && connecting >= 0);
    int accepted = -EAGAIN;
    for (int i = 0; i < 1000000 && accepted == -EAGAIN; i++)
        accepted = moot__socket_accept(listening);
    assert_true(accepted >= 0);
    assert_options(connecting);
    assert_options(accepted);
    moot__socket_close(accepted, true);
    moot__socket_close(connecting, true);
    moot__socket_close(listening, false);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_socket_has_our_options),
        ON_LOOP(bytes_arrive_and_the_end_is_seen),
        ON_LOOP(unwanted_readiness_is_not_told_and_not_spun_on),
        ON_LOOP(full_socket_says_again_and_becomes_writable),
        ON_LOOP(reset_by_the_peer_is_an_error_and_final),
        ON_LOOP(refused_connection_tells_why),
        ON_LOOP(address_in_use_is_refused_at_once),
        ON_LOOP(listening_may_stop_in_the_middle_of_accepting),
        ON_LOOP(exhausted_descriptors_pause_accepting),
        ON_LOOP(stream_may_close_in_its_own_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
