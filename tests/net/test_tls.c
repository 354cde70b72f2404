/* TLS over connected pairs in memory: both sides are ours, time is virtual, work runs when told. */
#include "tests/support/test.h"

#include <stdio.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "net/tls.h"
#include "net/tls_mint.h"
#include "tests/support/failing_alloc.h"
#include "tests/support/memnet.h"

enum { DAY_S = 24 * 60 * 60 };

/* One authority and identity for names, one of everything for the process: minting costs. */
struct fixture {
    struct moot_tls_minted minted;
    struct moot_tls_trust *trust;
    struct moot_tls_identity *identity;
};

struct bench {
    struct memnet net;
    struct moot_tls_client *client;
    struct moot_tls_server *server;
};

/* A connect and an accept facing each other. */
struct link {
    struct bench *bench;
    struct moot_tls_handshake connect, accept;
    struct moot_stream *client_lower, *server_lower;
    struct moot_stream *client, *server;
    int *both; /* counts every on_done */
    int connected, accepted;
};

static uint64_t wall_ns(void)
{
    return (uint64_t)time(NULL) * MOOT_NS_PER_S;
}

static void mint_for(struct fixture *fixture, const struct moot_view *names, size_t count,
                     struct moot_view common_name)
{
    struct moot_tls_mint_options options = {
        .common_name = common_name, .names = names, .name_count = count, .wall_ns = wall_ns()};
    struct moot_error_info info;
    assert_int_equal(moot__tls_mint(NULL, &options, &fixture->minted), MOOT_OK);
    assert_int_equal(
        moot__tls_trust_parse(NULL, moot__view_str(fixture->minted.ca_pem), &fixture->trust, &info),
        MOOT_OK);
    assert_int_equal(moot__tls_identity_parse(NULL, moot__view_str(fixture->minted.certificate_pem),
                                              moot__view_str(fixture->minted.key_pem),
                                              &fixture->identity, &info),
                     MOOT_OK);
}

static void fixture_deinit(struct fixture *fixture)
{
    moot__tls_minted_deinit(&fixture->minted);
    moot__tls_trust_unref(fixture->trust);
    moot__tls_identity_unref(fixture->identity);
}

static int setup(void **state)
{
    static const char *const texts[] = {"api.test", "*.wild.test", "127.0.0.1", "::1"};
    struct moot_view names[4];
    for (size_t i = 0; i < 4; i++)
        names[i] = moot__view_str(texts[i]);
    struct fixture *fixture = moot__calloc(NULL, 1, sizeof(*fixture));
    assert_non_null(fixture);
    mint_for(fixture, names, 4, (struct moot_view){0});
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    moot__free(NULL, *state);
    return 0;
}

static void bench_init(struct bench *bench, const struct fixture *fixture,
                       enum moot_tls_version version_max)
{
    memnet_init(&bench->net, NULL);
    assert_int_equal(
        moot__tls_client_new(&bench->net.transport, fixture->trust, version_max, &bench->client),
        MOOT_OK);
    assert_int_equal(
        moot__tls_server_new(&bench->net.transport, fixture->identity, version_max, &bench->server),
        MOOT_OK);
}

static void bench_deinit(struct bench *bench)
{
    moot__tls_client_free(bench->client);
    moot__tls_server_free(bench->server);
    memnet_run_idle(&bench->net);
    memnet_deinit(&bench->net);
}

static void on_connected(struct moot_tls_handshake *handshake)
{
    struct link *link = handshake->owner;
    link->connected++;
    if (link->both)
        ++*link->both;
    link->client = handshake->stream;
    assert_true((handshake->status == MOOT_OK) == (handshake->stream != NULL));
}

static void on_accepted(struct moot_tls_handshake *handshake)
{
    struct link *link = handshake->owner;
    link->accepted++;
    link->server = handshake->stream;
    if (link->both)
        ++*link->both;
    assert_true((handshake->status == MOOT_OK) == (handshake->stream != NULL));
}

static void link_start(struct link *link, struct bench *bench, const char *host, const char *key)
{
    int *both = link->both;
    *link = (struct link){.bench = bench, .both = both};
    link->connect.on_done = on_connected;
    link->connect.owner = link;
    link->accept.on_done = on_accepted;
    link->accept.owner = link;
    assert_true(memnet_pair(&bench->net, &link->client_lower, &link->server_lower));
    struct moot_tls_connect_options options = {.client = bench->client,
                                               .lower = link->client_lower,
                                               .host = moot__view_str(host),
                                               .session_key = moot__view_str(key)};
    assert_int_equal(moot__tls_connect(&link->connect, &options), MOOT_OK);
    assert_int_equal(moot__tls_accept(&link->accept, bench->server, link->server_lower, 0),
                     MOOT_OK);
    assert_int_equal(link->connected + link->accepted, 0);
}

static void link_finish(struct link *link)
{
    assert_true(memnet_run_until(&link->bench->net, &link->connected, 1));
    assert_true(memnet_run_until(&link->bench->net, &link->accepted, 1));
    assert_int_equal(link->connected, 1);
    assert_int_equal(link->accepted, 1);
}

static void ignore_ready(struct moot_stream *stream, unsigned ready)
{
    (void)stream;
    (void)ready;
}

/* Let the client see what the server sent after its handshake (tickets). */
static void link_drain(struct link *link)
{
    char byte;
    memnet_run_idle(&link->bench->net);
    assert_int_equal(moot__stream_read(link->client, &byte, 1), MOOT_EAGAIN);
}

static void link_close(struct link *link)
{
    if (link->client)
        moot__stream_close(link->client);
    if (link->server)
        moot__stream_close(link->server);
    link->client = link->server = NULL;
}

static void link_make(struct link *link, struct bench *bench, const char *key)
{
    link_start(link, bench, "api.test", key);
    link_finish(link);
    assert_string_equal(link->connect.detail, "");
    assert_int_equal(link->connect.status, MOOT_OK);
    assert_int_equal(link->accept.status, MOOT_OK);
    link->client->on_ready = ignore_ready;
    link->server->on_ready = ignore_ready;
    link_drain(link);
}

static void expect_refusal(const struct fixture *fixture, const char *host, const char *reason)
{
    struct bench bench;
    struct link link = {0};
    bench_init(&bench, fixture, MOOT_TLS_DEFAULT);
    link_start(&link, &bench, host, "");
    link_finish(&link);
    if (reason) {
        assert_int_equal(link.connect.status, MOOT_ECERT);
        if (!strstr(link.connect.detail, reason))
            fail_msg("\"%s\" does not say \"%s\"", link.connect.detail, reason);
    } else {
        assert_string_equal(link.connect.detail, "");
        assert_int_equal(link.connect.status, MOOT_OK);
    }
    link_close(&link);
    bench_deinit(&bench);
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
    struct fixture fixture;
    mint_for(&fixture, NULL, 0, MOOT_VIEW("api.test"));
    expect_refusal(&fixture, "api.test", "no subjectAltName");
    fixture_deinit(&fixture);
    mint_for(&fixture, NULL, 0, MOOT_VIEW("127.0.0.1"));
    expect_refusal(&fixture, "127.0.0.1", "no subjectAltName");
    fixture_deinit(&fixture);
}

static void expect_bad_date(uint64_t when_ns, const char *reason)
{
    struct fixture fixture;
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
    fixture_deinit(&fixture);
}

static void dates_are_verified(void **state)
{
    (void)state;
    expect_bad_date(wall_ns() - UINT64_C(30) * DAY_S * MOOT_NS_PER_S, "expired on");
    expect_bad_date(wall_ns() + UINT64_C(30) * DAY_S * MOOT_NS_PER_S, "not valid before");
}

static void other_authorities_are_refused(void **state)
{
    struct fixture other, crossed;
    struct moot_view name = MOOT_VIEW("api.test");
    mint_for(&other, &name, 1, (struct moot_view){0});
    crossed = other;
    crossed.trust = ((struct fixture *)*state)->trust;
    /* It has the same name, so that only the signature tells. */
    expect_refusal(&crossed, "api.test", "certificate");
    fixture_deinit(&other);
}

static void hosts_are_required(void **state)
{
    struct bench bench;
    struct moot_stream *a, *b;
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    assert_true(memnet_pair(&bench.net, &a, &b));
    char longest[300];
    memset(longest, 'a', sizeof(longest));
    struct moot_view hosts[] = {{0}, MOOT_VIEW("."), MOOT_VIEW("a\0b"), {longest, sizeof(longest)}};
    for (size_t i = 0; i < moot__countof(hosts); i++) {
        struct moot_tls_handshake handshake = {.on_done = on_connected};
        struct moot_tls_connect_options options = {
            .client = bench.client, .lower = a, .host = hosts[i]};
        assert_int_equal(moot__tls_connect(&handshake, &options), MOOT_EINVAL);
        assert_null(handshake.internal);
    }
    moot__stream_close(a);
    moot__stream_close(b);
    bench_deinit(&bench);
}

static void trusts_fail_closed(void **state)
{
    const struct fixture *fixture = *state;
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
    const struct fixture *fixture = *state;
    struct fixture other;
    struct moot_tls_identity *identity;
    struct moot_error_info info;
    mint_for(&other, NULL, 0, MOOT_VIEW("x"));
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
    fixture_deinit(&other);
}

/* --- sessions -------------------------------------------------------------------------------- */

static void second_connect_resumes(void **state)
{
    enum moot_tls_version versions[] = {MOOT_TLS_1_2, MOOT_TLS_DEFAULT};
    for (size_t i = 0; i < moot__countof(versions); i++) {
        struct bench bench;
        struct link link = {0};
        bench_init(&bench, *state, versions[i]);
        link_make(&link, &bench, "key");
        assert_false(link.connect.resumed);
        link_close(&link);
        link_make(&link, &bench, "key");
        assert_true(link.connect.resumed);
        link_close(&link);
        link_make(&link, &bench, "another key");
        assert_false(link.connect.resumed);
        link_close(&link);
        link_make(&link, &bench, "");
        assert_false(link.connect.resumed);
        link_close(&link);
        bench_deinit(&bench);
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
    on_connected(handshake);
    handshake->stream->on_ready = read_all;
    moot__stream_want(handshake->stream, MOOT_READABLE);
}

static void run_burst(struct bench *bench, struct link *links, int *resumed)
{
    int both = 0;
    for (int i = 0; i < BURST; i++) {
        links[i].both = &both;
        link_start(&links[i], bench, "api.test", "key");
        links[i].connect.on_done = on_burst_connected;
    }
    assert_true(memnet_run_until(&bench->net, &both, 2 * BURST));
    *resumed = 0;
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(links[i].connect.status, MOOT_OK);
        *resumed += links[i].connect.resumed;
        link_close(&links[i]);
    }
}

static void burst_shakes_hands_once(void **state)
{
    enum moot_tls_version versions[] = {MOOT_TLS_1_2, MOOT_TLS_DEFAULT};
    for (size_t i = 0; i < moot__countof(versions); i++) {
        struct bench bench;
        struct link links[BURST] = {0};
        int resumed;
        bench_init(&bench, *state, versions[i]);
        run_burst(&bench, links, &resumed);
        assert_int_equal(resumed, BURST - 1);
        run_burst(&bench, links, &resumed);
        assert_int_equal(resumed, BURST);
        bench_deinit(&bench);
    }
}

/* After a minute the session is on probation; a server that forgot it costs one handshake, not 20.
 */
static void burst_survives_a_forgetful_server(void **state)
{
    const struct fixture *fixture = *state;
    struct bench bench;
    struct link links[BURST] = {0};
    int resumed;
    bench_init(&bench, fixture, MOOT_TLS_DEFAULT);
    run_burst(&bench, links, &resumed);
    moot__tls_server_free(bench.server);
    struct fixture restarted = *fixture;
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
    bench_deinit(&bench);
}

static void cancelled_leader_is_followed(void **state)
{
    struct bench bench;
    struct link links[3] = {0};
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    for (int i = 0; i < 3; i++)
        link_start(&links[i], &bench, "api.test", "key");
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
    link_close(&links[1]);
    link_close(&links[2]);
    bench_deinit(&bench);
}

static void failed_leader_frees_the_others(void **state)
{
    struct bench bench;
    struct link links[3] = {0};
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    for (int i = 0; i < 3; i++)
        link_start(&links[i], &bench, "api.test", "key");
    memnet_send_reset(links[0].server_lower);
    for (int i = 0; i < 3; i++)
        assert_true(memnet_run_until(&bench.net, &links[i].connected, 1));
    assert_int_equal(links[0].connect.status, MOOT_ERESET);
    assert_int_equal(links[1].connect.status, MOOT_OK);
    assert_int_equal(links[2].connect.status, MOOT_OK);
    memnet_run_idle(&bench.net);
    link_close(&links[1]);
    link_close(&links[2]);
    bench_deinit(&bench);
}

/* --- moving bytes ---------------------------------------------------------------------------- */

enum { ECHO_BYTES = 1 << 20 };

struct echo {
    struct memnet *net;
    char *sent, *pending, *back;
    size_t sent_len, pending_len, back_len;
    int done, clean;
};

static size_t some(struct memnet *net, size_t len)
{
    size_t most = 1 + (size_t)moot__rng_below(&net->rng, 40000);
    return len < most ? len : most;
}

static void on_echo_server(struct moot_stream *stream, unsigned ready)
{
    struct echo *echo = stream->owner;
    if (ready & MOOT_READABLE) {
        size_t room = ECHO_BYTES - echo->pending_len;
        ptrdiff_t n = room ? moot__stream_read(stream, echo->pending + echo->pending_len,
                                               some(echo->net, room))
                           : MOOT_EAGAIN;
        assert_true(n > 0 || n == MOOT_EAGAIN);
        if (n > 0)
            echo->pending_len += (size_t)n;
    }
    if ((ready & MOOT_WRITABLE) && echo->pending_len > 0) {
        ptrdiff_t n = moot__stream_write(stream, echo->pending, some(echo->net, echo->pending_len));
        assert_true(n > 0 || n == MOOT_EAGAIN);
        if (n > 0) {
            echo->pending_len -= (size_t)n;
            memmove(echo->pending, echo->pending + n, echo->pending_len);
        }
    }
    moot__stream_want(stream, (echo->pending_len < ECHO_BYTES ? MOOT_READABLE : 0u) |
                                  (echo->pending_len ? MOOT_WRITABLE : 0u));
}

static void on_echo_client(struct moot_stream *stream, unsigned ready)
{
    struct echo *echo = stream->owner;
    if ((ready & MOOT_WRITABLE) && echo->sent_len < ECHO_BYTES) {
        ptrdiff_t n = moot__stream_write(stream, echo->sent + echo->sent_len,
                                         some(echo->net, ECHO_BYTES - echo->sent_len));
        assert_true(n > 0 || n == MOOT_EAGAIN);
        if (n > 0)
            echo->sent_len += (size_t)n;
    }
    if (ready & MOOT_READABLE) {
        ptrdiff_t n = moot__stream_read(stream, echo->back + echo->back_len,
                                        some(echo->net, ECHO_BYTES - echo->back_len));
        assert_true(n > 0 || n == MOOT_EAGAIN);
        if (n > 0)
            echo->back_len += (size_t)n;
    }
    if (echo->back_len == ECHO_BYTES) {
        echo->done++;
        moot__stream_want(stream, 0);
    } else {
        moot__stream_want(stream,
                          MOOT_READABLE | (echo->sent_len < ECHO_BYTES ? MOOT_WRITABLE : 0u));
    }
}

static void echo_once(const struct fixture *fixture, size_t chunk_max, size_t pipe_max)
{
    struct bench bench;
    struct link link = {0};
    bench_init(&bench, fixture, MOOT_TLS_DEFAULT);
    bench.net.chunk_max = chunk_max;
    bench.net.pipe_max = pipe_max;
    link_make(&link, &bench, "");
    struct echo echo = {.net = &bench.net};
    echo.sent = moot__alloc(NULL, ECHO_BYTES);
    echo.back = moot__alloc(NULL, ECHO_BYTES);
    echo.pending = moot__alloc(NULL, ECHO_BYTES);
    for (size_t i = 0; i < ECHO_BYTES; i++)
        echo.sent[i] = (char)moot__rng_next(&bench.net.rng);
    link.client->owner = link.server->owner = &echo;
    link.client->on_ready = on_echo_client;
    link.server->on_ready = on_echo_server;
    moot__stream_want(link.client, MOOT_READABLE | MOOT_WRITABLE);
    moot__stream_want(link.server, MOOT_READABLE);
    assert_true(memnet_run_until(&bench.net, &echo.done, 1));
    assert_memory_equal(echo.sent, echo.back, ECHO_BYTES);
    assert_int_equal(echo.done, 1);
    moot__free(NULL, echo.sent);
    moot__free(NULL, echo.back);
    moot__free(NULL, echo.pending);
    link_close(&link);
    bench_deinit(&bench);
}

static void megabyte_is_echoed(void **state)
{
    echo_once(*state, 0, 0);
    echo_once(*state, 3000, 5000);
    echo_once(*state, 70000, 300);
}

static void one_write_is_one_send(void **state)
{
    struct bench bench;
    struct link link = {0};
    static char body[60000];
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    bench.net.pipe_max = 128 << 10;
    link_make(&link, &bench, "");
    unsigned before = bench.net.writes;
    assert_int_equal(moot__stream_write(link.client, body, sizeof(body)), sizeof(body));
    assert_int_equal(bench.net.writes - before, 1);
    assert_int_equal(moot__stream_write(link.client, body, 2000), 2000);
    assert_int_equal(bench.net.writes - before, 2);
    before = bench.net.reads;
    size_t got = 0;
    ptrdiff_t n;
    while ((n = moot__stream_read(link.server, body, sizeof(body))) > 0)
        got += (size_t)n;
    assert_int_equal(n, MOOT_EAGAIN);
    assert_int_equal(got, 62000);
    assert_int_equal(bench.net.reads - before, 1); /* the short read was the last word */
    link_close(&link);
    bench_deinit(&bench);
}

struct watcher {
    int ready;
    unsigned bits;
};

static void on_watched(struct moot_stream *stream, unsigned ready)
{
    struct watcher *watcher = stream->owner;
    watcher->ready++;
    watcher->bits |= ready;
}

/* The socket is silent, the bytes are inside: readiness must come all the same, each turn. */
static void waiting_bytes_are_told(void **state)
{
    struct bench bench;
    struct link link = {0};
    struct watcher watcher = {0};
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    link_make(&link, &bench, "");
    assert_int_equal(moot__stream_write(link.client, "0123456789", 10), 10);
    char bytes[4];
    assert_int_equal(moot__stream_read(link.server, bytes, 4), 4);
    link.server->owner = &watcher;
    link.server->on_ready = on_watched;
    moot__stream_want(link.server, MOOT_READABLE);
    assert_int_equal(watcher.ready, 0);
    assert_true(memnet_run_until(&bench.net, &watcher.ready, 3));
    moot__stream_want(link.server, 0);
    memnet_run_idle(&bench.net);
    int before = watcher.ready;
    memnet_run_idle(&bench.net);
    assert_int_equal(watcher.ready, before);
    assert_int_equal(moot__stream_read(link.server, bytes, 4), 4);
    assert_int_equal(moot__stream_read(link.server, bytes, 4), 2);
    assert_int_equal(moot__stream_read(link.server, bytes, 4), MOOT_EAGAIN);
    moot__stream_want(link.server, MOOT_READABLE);
    memnet_run_idle(&bench.net);
    assert_int_equal(watcher.ready, before);
    link_close(&link);
    bench_deinit(&bench);
}

static void ends_tell_whether_they_are_clean(void **state)
{
    char byte;
    for (int clean = 0; clean < 2; clean++) {
        struct bench bench;
        struct link link = {0};
        bench_init(&bench, *state, MOOT_TLS_DEFAULT);
        link_make(&link, &bench, "");
        assert_int_equal(moot__stream_write(link.server, "x", 1), 1);
        if (clean)
            moot__stream_close(link.server);
        else
            memnet_send_fin(link.server_lower);
        assert_int_equal(moot__stream_read(link.client, &byte, 1), 1);
        /* The short read hides the end for one call. */
        ptrdiff_t n = moot__stream_read(link.client, &byte, 1);
        if (n == MOOT_EAGAIN)
            n = moot__stream_read(link.client, &byte, 1);
        assert_int_equal(n, 0);
        assert_int_equal(link.client->ops->ended_cleanly(link.client), clean);
        assert_int_equal(moot__stream_read(link.client, &byte, 1), 0);
        if (clean)
            link.server = NULL;
        link_close(&link);
        bench_deinit(&bench);
    }
}

static void reset_is_final(void **state)
{
    struct bench bench;
    struct link link = {0};
    struct watcher watcher = {0};
    char byte;
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    link_make(&link, &bench, "");
    moot__stream_abort(link.server);
    link.server = NULL;
    assert_int_equal(moot__stream_read(link.client, &byte, 1), MOOT_ERESET);
    assert_int_equal(moot__stream_write(link.client, "x", 1), MOOT_ERESET);
    link.client->owner = &watcher;
    link.client->on_ready = on_watched;
    moot__stream_want(link.client, MOOT_READABLE | MOOT_WRITABLE);
    assert_true(memnet_run_until(&bench.net, &watcher.ready, 2));
    assert_int_equal(watcher.bits, MOOT_READABLE | MOOT_WRITABLE);
    link_close(&link);
    bench_deinit(&bench);
}

/* Ciphertext changed on its way. */
static void forged_records_are_fatal(void **state)
{
    struct bench bench;
    struct link link = {0};
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    link_make(&link, &bench, "");
    static const char forged[] = "\x17\x03\x03\x00\x20 0123456789abcdef0123456789abcdef";
    assert_int_equal(moot__stream_write(link.client_lower, forged, 37), 37);
    char byte;
    assert_int_equal(moot__stream_read(link.server, &byte, 1), MOOT_ETLS);
    assert_int_equal(moot__stream_write(link.server, "x", 1), MOOT_ETLS);
    link_close(&link);
    bench_deinit(&bench);
}

static void plain_http_is_recognised(void **state)
{
    struct bench bench;
    struct link link = {0};
    struct moot_stream *peer;
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    assert_true(memnet_pair(&bench.net, &link.client_lower, &peer));
    link.connect.on_done = on_connected;
    link.connect.owner = &link;
    struct moot_tls_connect_options options = {
        .client = bench.client, .lower = link.client_lower, .host = MOOT_VIEW("api.test")};
    assert_int_equal(moot__tls_connect(&link.connect, &options), MOOT_OK);
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    assert_int_equal(moot__stream_write(peer, answer, sizeof(answer) - 1), sizeof(answer) - 1);
    assert_true(memnet_run_until(&bench.net, &link.connected, 1));
    assert_int_equal(link.connect.status, MOOT_ETLS);
    assert_non_null(strstr(link.connect.detail, "plain HTTP"));
    moot__stream_close(peer);
    bench_deinit(&bench);
}

/* --- giving up ------------------------------------------------------------------------------- */

static void deadline_ends_a_stalled_handshake(void **state)
{
    struct bench bench;
    struct link link = {0};
    struct moot_stream *peer;
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    assert_true(memnet_pair(&bench.net, &link.client_lower, &peer));
    link.connect.on_done = on_connected;
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
    bench_deinit(&bench);
}

/* Cancel both sides after 0, 1, 2 ... turns of the loop, with work held and not, until a handshake
 * was fast enough. */
static void cancel_in_each_phase(void **state)
{
    for (int hold = 0; hold < 2; hold++) {
        bool finished = false;
        for (int turns = 0; turns < 40 && !finished; turns++) {
            struct bench bench;
            struct link link = {0};
            bench_init(&bench, *state, MOOT_TLS_DEFAULT);
            link_start(&link, &bench, "api.test", "key");
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
            link_close(&link);
            bench_deinit(&bench);
        }
        assert_true(finished);
    }
}

/* A deadline while a worker has the context: told at once, let go later. */
static void deadline_during_work(void **state)
{
    struct bench bench;
    struct link link = {0};
    bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    bench.net.hold_work = true;
    assert_true(memnet_pair(&bench.net, &link.client_lower, &link.server_lower));
    link.connect.on_done = on_connected;
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
    bench_deinit(&bench);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* One whole conversation with our Nth allocation failing: one completion each, nothing left. */
static bool converse_with_failing(const struct fixture *fixture, struct moot_failing_alloc *memory,
                                  enum moot_tls_version version)
{
    struct bench bench = {0};
    struct link link = {.bench = &bench};
    char byte;
    memnet_init(&bench.net, &memory->allocator);
    bool ok = moot__tls_client_new(&bench.net.transport, fixture->trust, version, &bench.client) ==
                  MOOT_OK &&
              moot__tls_server_new(&bench.net.transport, fixture->identity, version,
                                   &bench.server) == MOOT_OK &&
              memnet_pair(&bench.net, &link.client_lower, &link.server_lower);
    if (ok) {
        link.connect = (struct moot_tls_handshake){.on_done = on_connected, .owner = &link};
        link.accept = (struct moot_tls_handshake){.on_done = on_accepted, .owner = &link};
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

static void making_fails_cleanly(void **state)
{
    const struct fixture *fixture = *state;
    struct moot_failing_alloc memory;
    struct moot_view name = MOOT_VIEW("api.test");
    for (size_t nth = 1;; nth++) {
        moot__failing_alloc_init(&memory, nth);
        struct moot_tls_mint_options options = {
            .names = &name, .name_count = 1, .wall_ns = wall_ns()};
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
    struct moot_tls_mint_options options = {.names = names, .name_count = 1, .wall_ns = wall_ns()};
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
        cmocka_unit_test(megabyte_is_echoed),
        cmocka_unit_test(one_write_is_one_send),
        cmocka_unit_test(waiting_bytes_are_told),
        cmocka_unit_test(ends_tell_whether_they_are_clean),
        cmocka_unit_test(reset_is_final),
        cmocka_unit_test(forged_records_are_fatal),
        cmocka_unit_test(plain_http_is_recognised),
        cmocka_unit_test(deadline_ends_a_stalled_handshake),
        cmocka_unit_test(cancel_in_each_phase),
        cmocka_unit_test(deadline_during_work),
        cmocka_unit_test(allocations_fail_in_turn),
        cmocka_unit_test(making_fails_cleanly),
        cmocka_unit_test(minting_refuses_bad_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
