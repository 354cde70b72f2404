/* Giving up a TLS handshake: deadlines, cancels in each phase, failing allocations. */
#include "tests/support/test.h"

#include <stdio.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "tests/support/failing_alloc.h"
#include "tests/support/tls_bench.h"

static void deadline_ends_a_stalled_handshake(void **state)
{
    struct tls_bench bench;
    struct tls_link link = {0};
    struct moot_stream *peer;
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    assert_true(memnet_pair(&bench.net, &link.client_lower, &peer));
    link.connect.on_done = tls_on_connected;
    link.connect.owner = &link;
    struct moot_tls_connect_options options = {.client = bench.client,
                                               .lower = link.client_lower,
                                               .host = MOOT_VIEW("api.test"),
                                               .deadline_ns =
                                                   bench.net.now_ns + 10 * MOOT_NS_PER_S};
    uint64_t before_ns = bench.net.now_ns;
    assert_int_equal(moot__tls_connect(&link.connect, &options), MOOT_OK);
    assert_true(memnet_run_until(&bench.net, &link.connected, 1));
    assert_int_equal(link.connect.status, MOOT_ETIMEDOUT);
    assert_true(link.connect.handshake_ns >= bench.net.now_ns - before_ns - MOOT_NS_PER_MS);
    moot__stream_close(peer);
    tls_bench_deinit(&bench);
}

/* Cancel both sides after 0, 1, 2 ... turns of the loop, with work held and not, until a handshake
 * was fast enough. */
static void cancel_in_each_phase(void **state)
{
    for (int hold = 0; hold < 2; hold++) {
        bool finished = false;
        for (int turns = 0; turns < 40 && !finished; turns++) {
            struct tls_bench bench;
            struct tls_link link = {0};
            tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
            tls_link_start(&link, &bench, "api.test", "key");
            for (int i = 0; i < turns; i++) {
                bench.net.hold_work = hold && i + 2 >= turns;
                memnet_turn(&bench.net);
            }
            finished = link.connected && link.accepted;
            int before = link.connected + link.accepted;
            moot__tls_handshake_cancel(&link.connect);
            moot__tls_handshake_cancel(&link.connect);
            moot__tls_handshake_cancel(&link.accept);
            assert_null(link.connect.internal);
            bench.net.hold_work = false;
            memnet_run_idle(&bench.net);
            assert_int_equal(link.connected + link.accepted, before);
            tls_link_close(&link);
            tls_bench_deinit(&bench);
        }
        assert_true(finished);
    }
}

/* A deadline while a worker has the context: told at once, let go later. */
static void deadline_during_work(void **state)
{
    struct tls_bench bench;
    struct tls_link link = {0};
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    bench.net.hold_work = true;
    assert_true(memnet_pair(&bench.net, &link.client_lower, &link.server_lower));
    link.connect.on_done = tls_on_connected;
    link.connect.owner = &link;
    struct moot_tls_connect_options options = {.client = bench.client,
                                               .lower = link.client_lower,
                                               .host = MOOT_VIEW("api.test"),
                                               .session_key = MOOT_VIEW("k"),
                                               .deadline_ns = bench.net.now_ns + MOOT_NS_PER_S};
    assert_int_equal(moot__tls_connect(&link.connect, &options), MOOT_OK);
    assert_true(memnet_run_until(&bench.net, &link.connected, 1));
    assert_int_equal(link.connect.status, MOOT_ETIMEDOUT);
    moot__tls_client_free(bench.client); /* legal at any time */
    bench.client = NULL;
    bench.net.hold_work = false;
    memnet_run_idle(&bench.net);
    assert_int_equal(bench.net.works_done, 1);
    moot__stream_close(link.server_lower);
    tls_bench_deinit(&bench);
}

/* One whole conversation with our Nth allocation failing: one completion each, nothing left. */
static bool converse_with_failing(const struct tls_fixture *fixture,
                                  struct moot_failing_alloc *memory, enum moot_tls_version version)
{
    struct tls_bench bench = {0};
    struct tls_link link = {.bench = &bench};
    char byte;
    memnet_init(&bench.net, &memory->allocator);
    bool ok = moot__tls_client_new(&bench.net.transport, fixture->trust, version, &bench.client) ==
                  MOOT_OK &&
              moot__tls_server_new(&bench.net.transport, fixture->identity, version,
                                   &bench.server) == MOOT_OK &&
              memnet_pair(&bench.net, &link.client_lower, &link.server_lower);
    if (ok) {
        link.connect = (struct moot_tls_handshake){.on_done = tls_on_connected, .owner = &link};
        link.accept = (struct moot_tls_handshake){.on_done = tls_on_accepted, .owner = &link};
        struct moot_tls_connect_options options = {.client = bench.client,
                                                   .lower = link.client_lower,
                                                   .host = MOOT_VIEW("api.test"),
                                                   .session_key = MOOT_VIEW("key")};
        bool connecting = moot__tls_connect(&link.connect, &options) == MOOT_OK;
        bool accepting =
            moot__tls_accept(&link.accept, bench.server, link.server_lower, 0) == MOOT_OK;
        if (!connecting)
            moot__stream_close(link.client_lower);
        if (!accepting)
            moot__stream_close(link.server_lower);
        memnet_run_idle(&bench.net);
        assert_int_equal(link.connected, connecting);
        assert_int_equal(link.accepted, accepting);
        ok = link.client && link.server && moot__stream_write(link.server, "x", 1) == 1 &&
             moot__stream_read(link.client, &byte, 1) == 1;
        if (link.client)
            moot__stream_close(link.client);
        if (link.server)
            moot__stream_close(link.server);
    }
    moot__tls_client_free(bench.client);
    moot__tls_server_free(bench.server);
    memnet_run_idle(&bench.net);
    memnet_deinit(&bench.net);
    return ok;
}

static void allocations_fail_in_turn(void **state)
{
    enum moot_tls_version versions[] = {MOOT_TLS_1_2, MOOT_TLS_DEFAULT};
    for (size_t i = 0; i < moot__countof(versions); i++) {
        struct moot_failing_alloc memory;
        for (size_t nth = 1; nth < 200; nth++) {
            moot__failing_alloc_init(&memory, nth);
            bool ok = converse_with_failing(*state, &memory, versions[i]);
            assert_int_equal(moot__failing_alloc_live(&memory), 0);
            if (!moot__failing_alloc_failed(&memory)) {
                assert_true(ok);
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline_ends_a_stalled_handshake),
        cmocka_unit_test(cancel_in_each_phase),
        cmocka_unit_test(deadline_during_work),
        cmocka_unit_test(allocations_fail_in_turn),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
