/* The pool: who may share a connection, how long one is kept, how many. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "tests/support/call_bench.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static struct moot_origin *origin_of(struct call_bench *bench, const char *url, const char *proxy,
                                     uint64_t identity)
{
    struct moot_origin_spec spec = {.proxy = moot__view_str(proxy), .identity = identity};
    assert_int_equal(moot__url_parse(moot__view_str(url), 0, &spec.url, NULL), MOOT_OK);
    struct moot_origin *origin;
    assert_int_equal(moot__pool_origin(&bench->pool, &spec, &origin), MOOT_OK);
    return origin;
}

static void one_call(struct call_bench *bench, struct call_probe *probe, struct moot_origin *origin,
                     unsigned peer)
{
    struct moot_call_request request = call_request(origin);
    assert_int_equal(call_start(bench, probe, &request), MOOT_OK);
    memnet_run_idle(&bench->net);
    assert_true(peer < bench->peer_count);
    call_say(bench, peer, HELLO);
    call_expect(bench, probe, MOOT_OK);
}

/* Any difference in scheme, host, port, proxy or identity is another origin; spelling is not. */
static void origins_differ_in_anything(void **state)
{
    (void)state;
    static const struct {
        const char *url, *proxy;
        uint64_t identity;
    } specs[] = {
        {"http://a.test", "", 1},
        {"https://a.test", "", 1},
        {"https://a.test:80", "", 1},
        {"http://a.test:8080", "", 1},
        {"http://b.test", "", 1},
        {"http://a.test", "", 2},
        {"http://a.test", "http://proxy.test", 1},
        {"http://a.test", "http://u:p@proxy.test", 1},
        {"http://a.test", "http://u:q@proxy.test", 1},
        {"http://a.test", "http://proxy.test:3128", 1},
        {"http://a.test", "http://proxy.test", 11},
        {"http://[::1]", "", 1},
        {"http://127.0.0.1", "", 1},
    };
    static struct call_bench bench;
    struct moot_origin *origins[moot__countof(specs)];
    call_bench_init(&bench, NULL);
    for (size_t i = 0; i < moot__countof(specs); i++) {
        origins[i] = origin_of(&bench, specs[i].url, specs[i].proxy, specs[i].identity);
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(origins[i], origins[j]);
        assert_ptr_equal(origins[i],
                         origin_of(&bench, specs[i].url, specs[i].proxy, specs[i].identity));
    }
    assert_ptr_equal(origins[0], origin_of(&bench, "http://A.Test:80/path", "", 1));
    call_bench_deinit(&bench);
}

static void other_identities_get_other_connections(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    one_call(&bench, &probe, origin_of(&bench, "http://a.test", "", 1), 0);
    one_call(&bench, &probe, origin_of(&bench, "http://a.test", "", 2), 1);
    one_call(&bench, &probe, origin_of(&bench, "http://a.test", "", 1), 0);
    assert_true(probe.call.times.reused);
    assert_int_equal(bench.peer_count, 2);
    call_bench_deinit(&bench);
}

static void proxies_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"https://proxy.test", "socks5://proxy.test", "proxy.test"};
    static struct call_bench bench;
    call_bench_init(&bench, NULL);
    for (size_t i = 0; i < moot__countof(bad); i++) {
        struct moot_origin_spec spec = {.url = {.host = MOOT_VIEW("a.test"), .port = 80},
                                        .proxy = moot__view_str(bad[i])};
        struct moot_origin *origin;
        assert_int_equal(moot__pool_origin(&bench.pool, &spec, &origin), MOOT_EINVAL);
        assert_null(origin);
    }
    call_bench_deinit(&bench);
}

/* A burst makes as many connections as calls; afterwards the newest is used, the others grow old.
 */
static void idle_connections_are_swept_after_50_seconds(void **state)
{
    (void)state;
    enum { BURST = 3 };
    static struct call_bench bench;
    static struct call_probe probes[BURST];
    call_bench_init(&bench, NULL);
    struct moot_origin *origin = origin_of(&bench, "http://a.test", "", 1);
    struct moot_call_request request = call_request(origin);
    for (int i = 0; i < BURST; i++)
        assert_int_equal(call_start(&bench, &probes[i], &request), MOOT_OK);
    memnet_run_idle(&bench.net);
    for (unsigned i = 0; i < BURST; i++) {
        call_say(&bench, i, HELLO);
        bench.net.now_ns += MOOT_NS_PER_S;
    }
    assert_int_equal(bench.pool.open, BURST);
    uint64_t idle_ns = bench.net.now_ns;
    one_call(&bench, &probes[0], origin, BURST - 1); /* the newest */
    for (size_t left = BURST; left > 0; left--) {
        while (bench.pool.open == left)
            assert_true(memnet_turn(&bench.net));
        assert_int_equal(bench.pool.open, left - 1);
        uint64_t age_ns = bench.net.now_ns - idle_ns;
        uint64_t due_ns = (left == BURST ? 47 : left == BURST - 1 ? 48 : 50) * MOOT_NS_PER_S;
        assert_in_range(age_ns, due_ns - MOOT_NS_PER_MS, due_ns + MOOT_NS_PER_MS);
    }
    call_bench_deinit(&bench);
}

/* The timer is late; what is too old is not used all the same. */
static void an_old_connection_is_not_used(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    struct moot_origin *origin = origin_of(&bench, "http://a.test", "", 1);
    one_call(&bench, &probe, origin, 0);
    bench.net.now_ns += 51 * MOOT_NS_PER_S;
    one_call(&bench, &probe, origin, 1);
    assert_false(probe.call.times.reused);
    assert_int_equal(bench.pool.open, 1);
    call_bench_deinit(&bench);
}

static void a_refused_connection_says_where(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    bench.net.refuse_connects = true;
    struct moot_call_request request = call_request(origin_of(&bench, "http://a.test", "", 1));
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
    call_expect(&bench, &probe, MOOT_ECONNECT);
    assert_int_equal(probe.call.error.phase, MOOT_PHASE_CONNECT);
    assert_non_null(strstr(probe.call.error.message, "127.0.0.1 port 80: refused by the test"));
    assert_false(probe.call.sent);
    call_bench_deinit(&bench);
}

static void https_needs_a_client(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    struct moot_call_request request = call_request(origin_of(&bench, "https://a.test", "", 1));
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
    call_expect(&bench, &probe, MOOT_ETLS);
    assert_int_equal(bench.peers[0].got_bytes, 0);
    call_bench_deinit(&bench);
}

static void tls_sessions_are_resumed(void **state)
{
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, *state);
    struct moot_origin *origin = origin_of(&bench, "https://api.test", "", 1);
    for (unsigned i = 0; i < 2; i++) {
        struct moot_call_request request = call_request(origin);
        assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
        memnet_run_idle(&bench.net);
        call_say(&bench, i, HELLO);
        call_expect(&bench, &probe, MOOT_OK);
        assert_int_equal(probe.call.times.resumed, i > 0);
        call_hang_up(&bench, i);
        assert_int_equal(bench.pool.open, 0);
    }
    assert_int_equal(bench.pool.handshakes, 1);
    assert_int_equal(bench.pool.resumed, 1);
    call_bench_deinit(&bench);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, *state);
    struct moot_call_request request = call_request(origin_of(&bench, "https://b.test", "", 1));
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
    call_expect(&bench, &probe, MOOT_ECERT);
    assert_int_equal(probe.call.error.phase, MOOT_PHASE_TLS);
    assert_false(probe.call.sent);
    call_bench_deinit(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_differ_in_anything),
        cmocka_unit_test(other_identities_get_other_connections),
        cmocka_unit_test(proxies_that_are_none_are_refused),
        cmocka_unit_test(idle_connections_are_swept_after_50_seconds),
        cmocka_unit_test(an_old_connection_is_not_used),
        cmocka_unit_test(a_refused_connection_says_where),
        cmocka_unit_test(https_needs_a_client),
        cmocka_unit_test_setup_teardown(tls_sessions_are_resumed, tls_setup, tls_teardown),
        cmocka_unit_test_setup_teardown(a_certificate_for_another_name_is_refused, tls_setup,
                                        tls_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
