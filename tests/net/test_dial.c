/* Dialling: the order and the pace of attempts, who wins, what is refused, one end in every case;
 * on a transport moved by hand, and once on real sockets. */
#include "tests/support/test.h"

#include <arpa/inet.h>

#include "engine/base/check.h"
#include "net/dial.h"
#include "tests/support/fake_net.h"
#include "tests/support/pair.h"

struct call {
    struct moot_dial dial;
    int done;
};

static struct fake_net net;
static struct moot_dns dns;

static void on_done(struct moot_dial *dial)
{
    moot__container_of(dial, struct call, dial)->done++;
}

static void start(struct call *call, const char *host, bool allow_link_local)
{
    *call = (struct call){.dial = {.on_done = on_done}};
    moot__dial_start(&call->dial,
                     &(struct moot_dial_options){.transport = &net.base,
                                                 .dns = &dns,
                                                 .host = moot__view_str(host),
                                                 .port = 443,
                                                 .allow_link_local = allow_link_local});
    assert_int_equal(call->done, 0);
    fake_net_run(&net);
}

static int set_up(void **state)
{
    (void)state;
    fake_net_init(&net, NULL);
    moot__dns_init(&dns, &net.base);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    moot__dns_deinit(&dns);
    assert_true(moot__list_is_empty(&net.tasks));
    assert_int_equal(net.timers.count, 0);
    assert_int_equal(fake_net_open_streams(&net), 0);
    return 0;
}

static void assert_target(unsigned stream, const char *expected)
{
    char text[INET6_ADDRSTRLEN];
    const struct moot_address *address = &net.streams[stream].address;
    assert_true(stream < net.stream_count);
    assert_non_null(
        inet_ntop(address->is_ipv6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof text));
    assert_string_equal(text, expected);
    assert_int_equal(address->port, 443);
}

static void families_take_turns_250_ms_apart(void **state)
{
    (void)state;
    struct call call;
    start(&call, "x.example", false);
    fake_net_answer(&net, 0, "2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2");
    assert_int_equal(net.stream_count, 1);
    fake_net_advance(&net, 250 * MOOT_NS_PER_MS - 1);
    assert_int_equal(net.stream_count, 1);
    fake_net_advance(&net, 1);
    assert_int_equal(net.stream_count, 2);
    fake_net_advance(&net, 250 * MOOT_NS_PER_MS);
    fake_net_advance(&net, 250 * MOOT_NS_PER_MS);
    fake_net_advance(&net, MOOT_NS_PER_S);
    assert_int_equal(net.stream_count, 4);
    assert_target(0, "2001:db8::1");
    assert_target(1, "192.0.2.1");
    assert_target(2, "2001:db8::2");
    assert_target(3, "192.0.2.2");
    assert_int_equal(call.done, 0);
    fake_net_decide(&net, 1, FAKE_PENDING); /* a false alarm */
    fake_net_decide(&net, 1, FAKE_MADE);
    assert_int_equal(call.done, 1);
    assert_int_equal(call.dial.status, MOOT_OK);
    assert_ptr_equal(call.dial.stream, &net.streams[1].base);
    assert_int_equal(net.streams[1].wanted, 0);
    assert_int_equal(fake_net_open_streams(&net), 1);
    assert_int_equal(call.dial.connect_ns, 1750 * MOOT_NS_PER_MS);
    assert_int_equal(call.dial.resolve_ns, 0);
    moot__stream_close(call.dial.stream);
    start(&call, "x.example", false); /* IPv4 won, so it goes first now */
    assert_target(4, "192.0.2.1");
    moot__dial_cancel(&call.dial);
    assert_int_equal(call.done, 0);
}

static void failure_starts_the_next_at_once(void **state)
{
    (void)state;
    struct call call;
    start(&call, "x.example", false);
    fake_net_advance(&net, 7);
    fake_net_answer(&net, 0, "192.0.2.1 192.0.2.2");
    fake_net_decide(&net, 0, FAKE_REFUSED);
    assert_int_equal(net.stream_count, 2);
    fake_net_advance(&net, 5);
    fake_net_decide(&net, 1, FAKE_REFUSED);
    assert_int_equal(call.done, 1);
    assert_int_equal(call.dial.status, MOOT_ECONNECT);
    assert_int_equal(call.dial.phase, MOOT_PHASE_CONNECT);
    assert_string_equal(call.dial.detail, "192.0.2.2 port 443: refused by the test");
    assert_int_equal(call.dial.resolve_ns, 7);
    assert_int_equal(call.dial.connect_ns, 5);
    assert_null(call.dial.stream);
}

static void failure_waits_for_the_others(void **state)
{
    (void)state;
    struct call call;
    start(&call, "x.example", false);
    fake_net_answer(&net, 0, "192.0.2.1 192.0.2.2");
    fake_net_advance(&net, 250 * MOOT_NS_PER_MS);
    fake_net_decide(&net, 1, FAKE_REFUSED);
    assert_int_equal(call.done, 0);
    fake_net_decide(&net, 0, FAKE_MADE);
    assert_int_equal(call.done, 1);
    assert_int_equal(call.dial.status, MOOT_OK);
    moot__stream_close(call.dial.stream);
}

static void names_that_fail_say_so(void **state)
{
    (void)state;
    struct call call;
    start(&call, "nowhere.example", false);
    fake_net_answer(&net, 0, NULL);
    assert_int_equal(call.done, 1);
    assert_int_equal(call.dial.status, MOOT_EDNS);
    assert_int_equal(call.dial.phase, MOOT_PHASE_RESOLVE);
    assert_string_equal(call.dial.detail, "nowhere.example: no such name, says the test");
    start(&call, "", false);
    assert_int_equal(call.done, 1);
    assert_int_equal(call.dial.status, MOOT_EINVAL);
    assert_int_equal(call.dial.phase, MOOT_PHASE_RESOLVE);
}

static void connections_that_cannot_begin_end_once(void **state)
{
    (void)state;
    static const int errors[] = {MOOT_ECONNECT, MOOT_ENOMEM, MOOT_EBUSY};
    for (size_t i = 0; i < moot__countof(errors); i++) {
        struct call call;
        net.connect_error = errors[i];
        start(&call, "10.0.0.1", false);
        assert_int_equal(call.done, 1);
        assert_int_equal(call.dial.status, errors[i]);
        assert_int_equal(call.dial.phase, MOOT_PHASE_CONNECT);
    }
}

static void link_local_and_metadata_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"169.254.169.254",  "169.254.0.1",
                                          "fe80::1",          "febf::1",
                                          "fd00:ec2::254",    "::ffff:169.254.169.254",
                                          "::ffff:a9fe:a9fe", "64:ff9b::169.254.169.254",
                                          "::169.254.169.254"};
    static const char *const allowed[] = {"169.253.255.255", "169.255.0.0",   "fec0::1",
                                          "127.0.0.1",       "fd00:ec2::253", "::1",
                                          "::ffff:10.0.0.1"};
    struct call call;
    for (size_t i = 0; i < moot__countof(refused); i++) {
        start(&call, refused[i], false);
        assert_int_equal(call.done, 1);
        assert_int_equal(call.dial.status, MOOT_ECONNECT);
        assert_non_null(strstr(call.dial.detail, "refused"));
        assert_int_equal(net.stream_count, 0);
    }
    for (size_t i = 0; i < moot__countof(allowed); i++) {
        start(&call, allowed[i], false);
        assert_int_equal(net.stream_count, i + 1);
        moot__dial_cancel(&call.dial);
    }
    start(&call, refused[0], true);
    assert_int_equal(net.stream_count, moot__countof(allowed) + 1);
    moot__dial_cancel(&call.dial);
}

/* Two answers of one name, one of them a trap: only the other is tried. */
static void rebinding_reaches_only_the_harmless_address(void **state)
{
    (void)state;
    struct call call;
    start(&call, "rebind.example", false);
    fake_net_answer(&net, 0, "169.254.169.254 192.0.2.1");
    fake_net_advance(&net, MOOT_NS_PER_S);
    assert_int_equal(net.stream_count, 1);
    assert_target(0, "192.0.2.1");
    fake_net_decide(&net, 0, FAKE_REFUSED);
    assert_int_equal(call.done, 1);
}

static void cancel_is_silent_at_every_point(void **state)
{
    (void)state;
    struct call call = {.dial = {.on_done = on_done}};
    moot__dial_cancel(&call.dial); /* never started */
    start(&call, "x.example", false);
    moot__dial_cancel(&call.dial);
    assert_int_equal(net.cancel_count, 1);
    start(&call, "x.example", false);
    fake_net_answer(&net, 1, "192.0.2.1 192.0.2.2 192.0.2.3");
    fake_net_advance(&net, 250 * MOOT_NS_PER_MS);
    assert_int_equal(fake_net_open_streams(&net), 2);
    moot__dial_cancel(&call.dial);
    moot__dial_cancel(&call.dial);
    assert_int_equal(fake_net_open_streams(&net), 0);
    fake_net_advance(&net, MOOT_NS_PER_S);
    assert_int_equal(net.stream_count, 2);
    moot__dial_start(&call.dial,
                     &(struct moot_dial_options){.transport = &net.base, .dns = &dns, .port = 1});
    moot__dial_cancel(&call.dial); /* before it could tell that there is no host */
    fake_net_run(&net);
    assert_int_equal(call.done, 0);
}

/* Real sockets: connected, and refused. */

static void real_sockets_connect_and_are_refused(void **state)
{
    (void)state;
    struct test_loop test;
    struct test_pair pair;
    struct call call = {.dial = {.on_done = on_done}};
    struct moot_dns names;
    test_loop_init(&test);
    moot__dns_init(&names, test.transport);
    test_pair_listen(&pair, &test);
    struct moot_dial_options options = {.transport = test.transport,
                                        .dns = &names,
                                        .host = MOOT_VIEW("localhost"),
                                        .port = pair.acceptor.address.port};
    moot__dial_start(&call.dial, &options);
    assert_true(test_loop_run_until_count(&test, &call.done, 1));
    assert_string_equal(call.dial.detail, "");
    assert_int_equal(call.dial.status, MOOT_OK);
    assert_true(call.dial.connect_ns > 0);
    assert_int_equal(moot__stream_write(call.dial.stream, "x", 1), 1);
    assert_true(test_loop_run_until_count(&test, &pair.accepted, 1));
    moot__stream_close(call.dial.stream);
    moot__stream_close(pair.server);
    test.transport->ops->unlisten(test.transport, &pair.acceptor);
    options.host = MOOT_VIEW("127.0.0.1");
    moot__dial_start(&call.dial, &options);
    assert_true(test_loop_run_until_count(&test, &call.done, 2));
    assert_int_equal(call.dial.status, MOOT_ECONNECT);
    assert_non_null(strstr(call.dial.detail, "Connection refused"));
    moot__dns_deinit(&names);
    test_loop_deinit(&test);
}

#define ON_NET(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_NET(families_take_turns_250_ms_apart),
        ON_NET(failure_starts_the_next_at_once),
        ON_NET(failure_waits_for_the_others),
        ON_NET(names_that_fail_say_so),
        ON_NET(connections_that_cannot_begin_end_once),
        ON_NET(link_local_and_metadata_addresses_are_refused),
        ON_NET(rebinding_reaches_only_the_harmless_address),
        ON_NET(cancel_is_silent_at_every_point),
        cmocka_unit_test(real_sockets_connect_and_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
