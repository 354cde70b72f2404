/* Bytes through TLS: echo, readiness, ends, resets, forgeries. */
#include "tests/support/test.h"

#include <stdio.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "tests/support/failing_alloc.h"
#include "tests/support/tls_bench.h"

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

static void echo_once(const struct tls_fixture *fixture, size_t chunk_max, size_t pipe_max)
{
    struct tls_bench bench;
    struct tls_link link = {0};
    tls_bench_init(&bench, fixture, MOOT_TLS_DEFAULT);
    bench.net.chunk_max = chunk_max;
    bench.net.pipe_max = pipe_max;
    tls_link_make(&link, &bench, "");
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
    tls_link_close(&link);
    tls_bench_deinit(&bench);
}

static void megabyte_is_echoed(void **state)
{
    echo_once(*state, 0, 0);
    echo_once(*state, 3000, 5000);
    echo_once(*state, 70000, 300);
}

static void one_write_is_one_send(void **state)
{
    struct tls_bench bench;
    struct tls_link link = {0};
    static char body[60000];
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    bench.net.pipe_max = 128 << 10;
    tls_link_make(&link, &bench, "");
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
    tls_link_close(&link);
    tls_bench_deinit(&bench);
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
    struct tls_bench bench;
    struct tls_link link = {0};
    struct watcher watcher = {0};
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    tls_link_make(&link, &bench, "");
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
    tls_link_close(&link);
    tls_bench_deinit(&bench);
}

static void ends_tell_whether_they_are_clean(void **state)
{
    char byte;
    for (int clean = 0; clean < 2; clean++) {
        struct tls_bench bench;
        struct tls_link link = {0};
        tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
        tls_link_make(&link, &bench, "");
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
        tls_link_close(&link);
        tls_bench_deinit(&bench);
    }
}

static void reset_is_final(void **state)
{
    struct tls_bench bench;
    struct tls_link link = {0};
    struct watcher watcher = {0};
    char byte;
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    tls_link_make(&link, &bench, "");
    moot__stream_abort(link.server);
    link.server = NULL;
    assert_int_equal(moot__stream_read(link.client, &byte, 1), MOOT_ERESET);
    assert_int_equal(moot__stream_write(link.client, "x", 1), MOOT_ERESET);
    link.client->owner = &watcher;
    link.client->on_ready = on_watched;
    moot__stream_want(link.client, MOOT_READABLE | MOOT_WRITABLE);
    assert_true(memnet_run_until(&bench.net, &watcher.ready, 2));
    assert_int_equal(watcher.bits, MOOT_READABLE | MOOT_WRITABLE);
    tls_link_close(&link);
    tls_bench_deinit(&bench);
}

/* Ciphertext changed on its way. */
static void forged_records_are_fatal(void **state)
{
    struct tls_bench bench;
    struct tls_link link = {0};
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    tls_link_make(&link, &bench, "");
    static const char forged[] = "\x17\x03\x03\x00\x20 0123456789abcdef0123456789abcdef";
    assert_int_equal(moot__stream_write(link.client_lower, forged, 37), 37);
    char byte;
    assert_int_equal(moot__stream_read(link.server, &byte, 1), MOOT_ETLS);
    assert_int_equal(moot__stream_write(link.server, "x", 1), MOOT_ETLS);
    tls_link_close(&link);
    tls_bench_deinit(&bench);
}

static void plain_http_is_recognised(void **state)
{
    struct tls_bench bench;
    struct tls_link link = {0};
    struct moot_stream *peer;
    tls_bench_init(&bench, *state, MOOT_TLS_DEFAULT);
    assert_true(memnet_pair(&bench.net, &link.client_lower, &peer));
    link.connect.on_done = tls_on_connected;
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
    tls_bench_deinit(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(megabyte_is_echoed),
        cmocka_unit_test(one_write_is_one_send),
        cmocka_unit_test(waiting_bytes_are_told),
        cmocka_unit_test(ends_tell_whether_they_are_clean),
        cmocka_unit_test(reset_is_final),
        cmocka_unit_test(forged_records_are_fatal),
        cmocka_unit_test(plain_http_is_recognised),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
