/* The real transport's sockets on loopback, where they meet the system's limits and options. */
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
        ON_LOOP(exhausted_descriptors_pause_accepting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
