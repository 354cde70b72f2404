/* The real transport's sockets on loopback, where they meet the system's limits and options. */
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/base/check.h"
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

/* A turn that takes long, in the callback of a socket or in the task that this one posts. */
struct stall {
    struct test_pair pair;
    struct moot_task task;
    struct moot_timer deadline;
    bool in_task, says_so;
    int read, fired;
    int read_before; /* the deadline */
};

static struct moot_transport *transport_of(struct stall *stall)
{
    return stall->pair.test->transport;
}

static void read_byte(struct moot_stream *stream)
{
    char byte;
    assert_int_equal(moot__stream_read(stream, &byte, 1), 1);
}

static void client_reads(struct moot_stream *stream, unsigned ready)
{
    struct stall *stall = stream->owner;
    moot__ignore(ready);
    read_byte(stream);
    stall->read++;
}

static void on_deadline(struct moot_timer *timer)
{
    struct stall *stall = moot__container_of(timer, struct stall, deadline);
    stall->fired++;
    stall->read_before = stall->read;
}

/* The client's byte comes, then its deadline passes, and only then does the loop go on. */
static void hold_up(struct moot_task *task)
{
    struct stall *stall = moot__container_of(task, struct stall, task);
    struct moot_transport *transport = transport_of(stall);
    uint64_t began_ns = moot__now_ns(transport), until_ns = began_ns + 5 * MOOT_NS_PER_MS;
    moot__timer_start(transport, &stall->deadline, began_ns + MOOT_NS_PER_MS);
    assert_int_equal(moot__stream_write(stall->pair.server, "x", 1), 1);
    while (moot__clock_ns(transport) < until_ns)
        ;
    assert_true(moot__now_ns(transport) == began_ns);
    if (!stall->says_so)
        return;
    moot__refresh_now(transport);
    assert_true(moot__now_ns(transport) >= until_ns);
}

static void server_stalls(struct moot_stream *stream, unsigned ready)
{
    struct stall *stall = stream->owner;
    moot__ignore(ready);
    read_byte(stream);
    if (stall->in_task)
        moot__task_post(transport_of(stall), &stall->task);
    else
        hold_up(&stall->task);
}

static void check_stall(struct test_loop *test, bool in_task, bool says_so)
{
    struct stall stall = {
        .in_task = in_task, .says_so = says_so, .deadline = {.on_fire = on_deadline}};
    test_pair_make(&stall.pair, test);
    moot__task_init(&stall.task, hold_up);
    stall.pair.client->on_ready = client_reads;
    stall.pair.server->on_ready = server_stalls;
    stall.pair.client->owner = stall.pair.server->owner = &stall;
    moot__stream_want(stall.pair.client, MOOT_READABLE);
    moot__stream_want(stall.pair.server, MOOT_READABLE);
    assert_int_equal(moot__stream_write(stall.pair.client, "x", 1), 1);
    assert_true(test_loop_run_until_count(test, &stall.fired, 1));
    assert_int_equal(stall.read_before, 1);
    moot__stream_close(stall.pair.client);
    moot__stream_close(stall.pair.server);
}

static void bytes_that_came_during_a_stall_are_read_before_a_deadline_fires(void **state)
{
    for (unsigned i = 0; i < 4; i++)
        check_stall(*state, i & 1, i & 2);
}

/* Reads more than there is, twice: all that the first poll told is known at once. */
struct drain {
    struct test_pair pair;
    int reads;
    ptrdiff_t got[2];
};

static void server_drains(struct moot_stream *stream, unsigned ready)
{
    struct drain *drain = stream->owner;
    char bytes[8];
    moot__ignore(ready);
    if (drain->reads > 0)
        return;
    while (drain->reads < 2)
        drain->got[drain->reads++] = moot__stream_read(stream, bytes, sizeof bytes);
}

static void check_drain(struct test_loop *test, bool is_closed, ptrdiff_t second)
{
    struct drain drain = {.reads = 0};
    test_pair_make(&drain.pair, test);
    drain.pair.server->on_ready = server_drains;
    drain.pair.server->owner = &drain;
    moot__stream_want(drain.pair.server, MOOT_READABLE);
    assert_int_equal(moot__stream_write(drain.pair.client, "abc", 3), 3);
    if (is_closed)
        moot__stream_close(drain.pair.client);
    assert_true(test_loop_run_until_count(test, &drain.reads, 2));
    assert_int_equal(drain.got[0], 3);
    assert_int_equal(drain.got[1], second);
    if (!is_closed)
        moot__stream_close(drain.pair.client);
    moot__stream_close(drain.pair.server);
}

static void an_end_behind_the_bytes_is_known_at_once(void **state)
{
    check_drain(*state, false, MOOT_EAGAIN);
    check_drain(*state, true, 0);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_socket_has_our_options),
        ON_LOOP(an_end_behind_the_bytes_is_known_at_once),
        ON_LOOP(exhausted_descriptors_pause_accepting),
        ON_LOOP(bytes_that_came_during_a_stall_are_read_before_a_deadline_fires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
