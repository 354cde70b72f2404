/* Whom a client trusts, how sessions are resumed and shared by a burst, and what is minted. */
#include "tests/support/test.h"

#include <stdio.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "tests/support/failing_alloc.h"
#include "tests/support/tls_bench.h"

enum { DAY_S = 24 * 60 * 60 };

static void expect_refusal(const struct tls_fixture *fixture, const char *host, const char *reason)
{
    struct tls_bench bench;
    struct tls_link link = {0};
    tls_bench_init(&bench, fixture, MOOT_TLS_DEFAULT);
    tls_link_start(&link, &bench, host, "");
    tls_link_finish(&link);
    if (reason) {
        assert_int_equal(link.connect.status, MOOT_ECERT);
        if (!strstr(link.connect.detail, reason))
            fail_msg("\"%s\" does not say \"%s\"", link.connect.detail, reason);
    } else {
        assert_string_equal(link.connect.detail, "");
        assert_int_equal(link.connect.status, MOOT_OK);
    }
    tls_link_close(&link);
    tls_bench_deinit(&bench);
}

/* --- whom we trust --------------------------------------------------------------------------- */

static void names_are_verified(void **state)
{
    expect_refusal(*state, "api.test", NULL);
    expect_refusal(*state, "API.test.", NULL);
    expect_refusal(*state, "one.wild.test", NULL);
    expect_refusal(*state, "127.0.0.1", NULL);
    expect_refusal(*state, "::1", NULL);
    expect_refusal(*state, "other.test", "is for api.test, *.wild.test, 127.0.0.1");
    expect_refusal(*state, "api.test.evil", "not for api.test.evil");
    expect_refusal(*state, "a.b.wild.test", "not for");
    expect_refusal(*state, "127.0.0.2", "not for 127.0.0.2");
    expect_refusal(*state, "::2", "not for ::2");
}

static void common_name_does_not_count(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    tls_mint_for(&fixture, NULL, 0, MOOT_VIEW("api.test"));
    expect_refusal(&fixture, "api.test", "no subjectAltName");
    tls_fixture_deinit(&fixture);
    tls_mint_for(&fixture, NULL, 0, MOOT_VIEW("127.0.0.1"));
    expect_refusal(&fixture, "127.0.0.1", "no subjectAltName");
    tls_fixture_deinit(&fixture);
}

static void expect_bad_date(uint64_t when_ns, const char *reason)
{
    struct tls_fixture fixture;
    struct moot_view name = MOOT_VIEW("api.test");
    struct moot_tls_mint_options options = {
        .names = &name, .name_count = 1, .wall_ns = when_ns, .days = 2};
    assert_int_equal(moot__tls_mint(NULL, &options, &fixture.minted), MOOT_OK);
    assert_int_equal(
        moot__tls_trust_parse(NULL, moot__view_str(fixture.minted.ca_pem), &fixture.trust, NULL),
        MOOT_OK);
    assert_int_equal(moot__tls_identity_parse(NULL, moot__view_str(fixture.minted.certificate_pem),
                                              moot__view_str(fixture.minted.key_pem),
                                              &fixture.identity, NULL),
                     MOOT_OK);
    expect_refusal(&fixture, "api.test", reason);
    tls_fixture_deinit(&fixture);
}

static void dates_are_verified(void **state)
{
    (void)state;
    expect_bad_date(tls_wall_ns() - UINT64_C(30) * DAY_S * MOOT_NS_PER_S, "expired on");
    expect_bad_date(tls_wall_ns() + UINT64_C(30) * DAY_S * MOOT_NS_PER_S, "not valid before");
}

static void other_authorities_are_refused(void **state)
{
    struct tls_fixture other, crossed;
    struct moot_view name = MOOT_VIEW("api.test");
    tls_mint_for(&other, &name, 1, (struct moot_view){0});
    crossed = other;
    crossed.trust = ((struct tls_fixture *)*state)->trust;
    /* It has the same name, so that only the signature tells. */
    expect_refusal(&crossed, "api.test", "certificate");
    tls_fixture_deinit(&other);
}

static void hosts_are_required(void **state)
{
    struct tls_bench bench;
    struct moot_stream *a, *b;
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    assert_true(memnet_pair(&bench.net, &a, &b));
    char longest[300];
    memset(longest, 'a', sizeof(longest));
    struct moot_view hosts[] = {{0}, MOOT_VIEW("."), MOOT_VIEW("a\0b"), {longest, sizeof(longest)}};
    for (size_t i = 0; i < moot__countof(hosts); i++) {
        struct moot_tls_handshake handshake = {.on_done = tls_on_connected};
        struct moot_tls_connect_options options = {
            .client = bench.client, .lower = a, .host = hosts[i]};
        assert_int_equal(moot__tls_connect(&handshake, &options), MOOT_EINVAL);
        assert_null(handshake.internal);
    }
    moot__stream_close(a);
    moot__stream_close(b);
    tls_bench_deinit(&bench);
}

static void trusts_fail_closed(void **state)
{
    const struct tls_fixture *fixture = *state;
    struct moot_tls_trust *trust;
    struct moot_error_info info;
    assert_int_equal(moot__tls_trust_parse(NULL, MOOT_VIEW("no certificate"), &trust, &info),
                     MOOT_ECONFIG);
    assert_null(trust);
    assert_int_equal(moot__tls_trust_parse(NULL, MOOT_VIEW(""), &trust, NULL), MOOT_ECONFIG);
    assert_int_equal(moot__tls_trust_load(NULL, "/nonexistent/ca.pem", &trust, &info),
                     MOOT_ECONFIG);
    assert_non_null(strstr(info.message, "/nonexistent/ca.pem"));
    char bundle[8192];
    int len = snprintf(bundle, sizeof(bundle),
                       "%s-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                       fixture->minted.ca_pem);
    assert_int_equal(moot__tls_trust_parse(NULL, moot__view(bundle, (size_t)len), &trust, &info),
                     MOOT_OK);
    assert_int_equal(info.code, MOOT_OK);
    assert_non_null(strstr(info.message, "1 of the certificates"));
    moot__tls_trust_unref(trust);
}

static void identities_are_checked(void **state)
{
    const struct tls_fixture *fixture = *state;
    struct tls_fixture other;
    struct moot_tls_identity *identity;
    struct moot_error_info info;
    tls_mint_for(&other, NULL, 0, MOOT_VIEW("x"));
    struct moot_view certificate = moot__view_str(fixture->minted.certificate_pem);
    assert_int_equal(moot__tls_identity_parse(
                         NULL, certificate, moot__view_str(other.minted.key_pem), &identity, &info),
                     MOOT_ECONFIG);
    assert_non_null(strstr(info.message, "does not belong"));
    assert_int_equal(moot__tls_identity_parse(NULL, certificate, MOOT_VIEW("x"), &identity, &info),
                     MOOT_ECONFIG);
    assert_int_equal(moot__tls_identity_parse(NULL, MOOT_VIEW(""), MOOT_VIEW(""), &identity, &info),
                     MOOT_ECONFIG);
    assert_null(identity);
    tls_fixture_deinit(&other);
}

/* --- sessions -------------------------------------------------------------------------------- */

static void second_connect_resumes(void **state)
{
    enum moot_tls_version versions[] = {MOOT_TLS_1_2, MOOT_TLS_DEFAULT};
    for (size_t i = 0; i < moot__countof(versions); i++) {
        struct tls_bench bench;
        struct tls_link link = {0};
        tls_bench_init(&bench, *state, versions[i]);
        tls_link_make(&link, &bench, "key");
        assert_false(link.connect.resumed);
        tls_link_close(&link);
        tls_link_make(&link, &bench, "key");
        assert_true(link.connect.resumed);
        tls_link_close(&link);
        tls_link_make(&link, &bench, "another key");
        assert_false(link.connect.resumed);
        tls_link_close(&link);
        tls_link_make(&link, &bench, "");
        assert_false(link.connect.resumed);
        tls_link_close(&link);
        tls_bench_deinit(&bench);
    }
}

enum { BURST = 20 };

/* The streams' owners read as soon as they have them, as a pool does. */
static void read_all(struct moot_stream *stream, unsigned ready)
{
    char byte;
    if (ready & MOOT_READABLE)
        moot__ignore(moot__stream_read(stream, &byte, 1) > 0);
}

static void on_burst_connected(struct moot_tls_handshake *handshake)
{
    tls_on_connected(handshake);
    handshake->stream->on_ready = read_all;
    moot__stream_want(handshake->stream, MOOT_READABLE);
}

static void run_burst(struct tls_bench *bench, struct tls_link *links, int *resumed)
{
    int both = 0;
    for (int i = 0; i < BURST; i++) {
        links[i].both = &both;
        tls_link_start(&links[i], bench, "api.test", "key");
        links[i].connect.on_done = on_burst_connected;
    }
    assert_true(memnet_run_until(&bench->net, &both, 2 * BURST));
    *resumed = 0;
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(links[i].connect.status, MOOT_OK);
        *resumed += links[i].connect.resumed;
        tls_link_close(&links[i]);
    }
}

static void burst_shakes_hands_once(void **state)
{
    enum moot_tls_version versions[] = {MOOT_TLS_1_2, MOOT_TLS_DEFAULT};
    for (size_t i = 0; i < moot__countof(versions); i++) {
        struct tls_bench bench;
        struct tls_link links[BURST] = {0};
        int resumed;
        tls_bench_init(&bench, *state, versions[i]);
        run_burst(&bench, links, &resumed);
        assert_int_equal(resumed, BURST - 1);
        run_burst(&bench, links, &resumed);
        assert_int_equal(resumed, BURST);
        tls_bench_deinit(&bench);
    }
}

/* After a minute the session is on probation; a server that forgot it costs one handshake, not 20.
 */
static void burst_survives_a_forgetful_server(void **state)
{
    const struct tls_fixture *fixture = *state;
    struct tls_bench bench;
    struct tls_link links[BURST] = {0};
    int resumed;
    tls_bench_init(&bench, fixture, MOOT_TLS_DEFAULT);
    run_burst(&bench, links, &resumed);
    moot__tls_server_free(bench.server);
    struct tls_fixture restarted = *fixture;
    assert_int_equal(moot__tls_identity_parse(NULL, moot__view_str(fixture->minted.certificate_pem),
                                              moot__view_str(fixture->minted.key_pem),
                                              &restarted.identity, NULL),
                     MOOT_OK);
    assert_int_equal(moot__tls_server_new(&bench.net.transport, restarted.identity,
                                          MOOT_TLS_DEFAULT, &bench.server),
                     MOOT_OK);
    bench.net.now_ns += 61 * MOOT_NS_PER_S;
    run_burst(&bench, links, &resumed);
    assert_int_equal(resumed, BURST - 1);
    moot__tls_identity_unref(restarted.identity);
    tls_bench_deinit(&bench);
}

static void cancelled_leader_is_followed(void **state)
{
    struct tls_bench bench;
    struct tls_link links[3] = {0};
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    for (int i = 0; i < 3; i++)
        tls_link_start(&links[i], &bench, "api.test", "key");
    moot__tls_handshake_cancel(&links[0].connect);
    assert_true(memnet_run_until(&bench.net, &links[1].connected, 1));
    assert_true(memnet_run_until(&bench.net, &links[2].connected, 1));
    memnet_run_idle(&bench.net);
    assert_int_equal(links[0].connected, 0);
    assert_int_equal(links[0].accepted, 1);
    assert_int_equal(links[0].accept.status, MOOT_ERESET);
    assert_false(links[1].connect.resumed);
    assert_int_equal(links[1].connect.status, MOOT_OK);
    assert_int_equal(links[2].connect.status, MOOT_OK);
    tls_link_close(&links[1]);
    tls_link_close(&links[2]);
    tls_bench_deinit(&bench);
}

static void failed_leader_frees_the_others(void **state)
{
    struct tls_bench bench;
    struct tls_link links[3] = {0};
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    for (int i = 0; i < 3; i++)
        tls_link_start(&links[i], &bench, "api.test", "key");
    memnet_send_reset(links[0].server_lower);
    for (int i = 0; i < 3; i++)
        assert_true(memnet_run_until(&bench.net, &links[i].connected, 1));
    assert_int_equal(links[0].connect.status, MOOT_ERESET);
    assert_int_equal(links[1].connect.status, MOOT_OK);
    assert_int_equal(links[2].connect.status, MOOT_OK);
    memnet_run_idle(&bench.net);
    tls_link_close(&links[1]);
    tls_link_close(&links[2]);
    tls_bench_deinit(&bench);
}

/* --- minting ---------------------------------------------------------------------------------- */

static void making_fails_cleanly(void **state)
{
    const struct tls_fixture *fixture = *state;
    struct moot_failing_alloc memory;
    struct moot_view name = MOOT_VIEW("api.test");
    for (size_t nth = 1;; nth++) {
        moot__failing_alloc_init(&memory, nth);
        struct moot_tls_mint_options options = {
            .names = &name, .name_count = 1, .wall_ns = tls_wall_ns()};
        struct moot_tls_minted minted;
        struct moot_tls_trust *trust = NULL;
        struct moot_tls_identity *identity = NULL;
        int rc = moot__tls_mint(&memory.allocator, &options, &minted);
        if (!rc)
            rc = moot__tls_trust_parse(&memory.allocator, moot__view_str(fixture->minted.ca_pem),
                                       &trust, NULL);
        if (!rc)
            rc = moot__tls_identity_parse(&memory.allocator,
                                          moot__view_str(fixture->minted.certificate_pem),
                                          moot__view_str(fixture->minted.key_pem), &identity, NULL);
        moot__tls_minted_deinit(&minted);
        moot__tls_trust_unref(trust);
        moot__tls_identity_unref(identity);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, MOOT_OK);
            break;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
}

static void minting_refuses_bad_names(void **state)
{
    (void)state;
    static char longest[254];
    memset(longest, 'a', sizeof(longest));
    struct moot_view names[MOOT_TLS_MINT_NAMES_MAX + 1] = {{longest, sizeof(longest)}};
    struct moot_tls_mint_options options = {
        .names = names, .name_count = 1, .wall_ns = tls_wall_ns()};
    struct moot_tls_minted minted;
    assert_int_equal(moot__tls_mint(NULL, &options, &minted), MOOT_EINVAL);
    assert_null(minted.key_pem);
    options.name_count = MOOT_TLS_MINT_NAMES_MAX + 1;
    assert_int_equal(moot__tls_mint(NULL, &options, &minted), MOOT_EINVAL);
    for (size_t i = 0; i < MOOT_TLS_MINT_NAMES_MAX; i++)
        names[i] = moot__view(longest, 253); /* needs every form of DER length */
    options.name_count = MOOT_TLS_MINT_NAMES_MAX;
    assert_int_equal(moot__tls_mint(NULL, &options, &minted), MOOT_OK);
    moot__tls_minted_deinit(&minted);
    moot__tls_minted_deinit(&minted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_verified),
        cmocka_unit_test(common_name_does_not_count),
        cmocka_unit_test(dates_are_verified),
        cmocka_unit_test(other_authorities_are_refused),
        cmocka_unit_test(hosts_are_required),
        cmocka_unit_test(trusts_fail_closed),
        cmocka_unit_test(identities_are_checked),
        cmocka_unit_test(second_connect_resumes),
        cmocka_unit_test(burst_shakes_hands_once),
        cmocka_unit_test(burst_survives_a_forgetful_server),
        cmocka_unit_test(cancelled_leader_is_followed),
        cmocka_unit_test(failed_leader_frees_the_others),
        cmocka_unit_test(making_fails_cleanly),
        cmocka_unit_test(minting_refuses_bad_names),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
