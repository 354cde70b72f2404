#include "http1_trace.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "net/http1_write.h"
#include "tests/support/failing_alloc.h"

struct message {
    const char *bytes;
    unsigned flags;
    int verdict;
    const char *trace;
    int answer_status;
};

static void run_table(const struct message *rows, size_t count, enum moot_http1_kind kind)
{
    for (size_t i = 0; i < count; i++) {
        struct run run;
        struct run_options options = {.kind = kind, .flags = rows[i].flags};
        run_every_way(moot__view_str(rows[i].bytes), options, &run);
        struct moot_view trace = moot__buf_view(&run.trace);
        if (run.verdict != rows[i].verdict || !moot__view_is(trace, rows[i].trace))
            fail_msg("%s: %s %.*s", rows[i].bytes, moot_error_name(run.verdict), (int)trace.len,
                     trace.ptr);
        if (rows[i].answer_status)
            assert_int_equal(run.answer_status, rows[i].answer_status);
        moot__buf_deinit(&run.trace);
    }
}

#define END    "Content-Length: 0\r\n\r\n"
#define H200   "HTTP/1.1 200 OK\r\n"
#define CONT   "HTTP/1.1 100 Continue\r\n\r\n"
#define CONT_8 CONT CONT CONT CONT CONT CONT CONT CONT
#define NO     MOOT_EPROTO

static void responses(void **state)
{
    (void)state;
    static const struct message rows[] = {
        {"HTTP/1.1 200 OK\r\nA: b\r\n" END, 0, 0, "[200;A=b;Content-Length=0].", 0},
        {"HTTP/1.1 200 \r\n" END, 0, 0, "[200;Content-Length=0].", 0},
        {"HTTP/1.1 200\r\n" END, 0, 0, "[200;Content-Length=0].", 0},
        {"HTTP/1.0 404 Not  \xC3\xA9\r\nA:\r\n\r\nx", 0, 0, "[404;A=]x.", 0},
        {"HTTP/1.1 204 No\r\n\r\n", 0, 0, "[204].", 0},
        {"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", 0, 0, "[304;Content-Length=9].", 0},
        {"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, NO, "", 0},
        {H200 "Content-Length: 9\r\n\r\n", MOOT_HTTP1_NO_BODY, 0, "[200;Content-Length=9].", 0},
        {H200 "Transfer-Encoding: chunked\r\n\r\n", MOOT_HTTP1_NO_BODY, 0,
         "[200;Transfer-Encoding=chunked].", 0},
        {H200 "\r\n", MOOT_HTTP1_NO_BODY, 0, "[200].", 0},
        {H200 "\r\ntunnel", MOOT_HTTP1_CONNECT, 0, "[200].", 0},
        {H200 "Content-Length: 5\r\n\r\n", MOOT_HTTP1_CONNECT, 0, "[200;Content-Length=5].", 0},
        {"HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx", MOOT_HTTP1_CONNECT, 0,
         "[407;Content-Length=1]x.", 0},
        {CONT H200 END, 0, 0, "[200;Content-Length=0].", 0},
        {"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" H200 END, 0, 0, "[200;Content-Length=0].", 0},
        {CONT_8 H200 END, 0, 0, "[200;Content-Length=0].", 0},
        {CONT_8 CONT H200 END, 0, NO, "", 0},
        {CONT, 0, MOOT_ETRUNCATED, "", 0},
        {"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 0, NO, "", 0},
        {H200 "Upgrade: h2c\r\nConnection: upgrade\r\n" END, 0, 0,
         "[200;Upgrade=h2c;Connection=upgrade;Content-Length=0].", 0},
        {"", 0, MOOT_ETRUNCATED, "", 0},
        {"HTTP/1.", 0, MOOT_ETRUNCATED, "", 0},
        {"HTTP/1.1 200 OK\n" END, 0, NO, "", 0},
        {"HTTP/1.1 200 O\rK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.1 20 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.1 2000 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.1 2x0 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.1 099 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.1 600 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.1  200 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.1\t200 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.2 200 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/2.0 200 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/0.9 200 OK\r\n" END, 0, NO, "", 0},
        {"http/1.1 200 OK\r\n" END, 0, NO, "", 0},
        {"HTTP/1.10 200 OK\r\n" END, 0, NO, "", 0},
        {"ICY 200 OK\r\n" END, 0, NO, "", 0},
        {"\r\nHTTP/1.1 200 OK\r\n" END, 0, NO, "", 0},
        {" HTTP/1.1 200 OK\r\n" END, 0, NO, "", 0},
        {"SSH-2.0-x\r\n", 0, NO, "", 0},
        {"\x15\x03\x01", 0, NO, "", 0},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, NO, "", 0},
    };
    run_table(rows, moot__countof(rows), MOOT_HTTP1_RESPONSE);
}

static void requests(void **state)
{
    (void)state;
    static const struct message rows[] = {
        {"GET / HTTP/1.1\r\nHost: h:80\r\n\r\n", 0, 0, "[GET/;Host=h:80].", 0},
        {"GET /a?b=c HTTP/1.0\r\n\r\n", 0, 0, "[GET/a?b=c].", 0},
        {"GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n", 0, 0, "[GEThttp://h/x;Host=h].", 0},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 0, 0, "[OPTIONS*;Host=h].", 0},
        {"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, 0, "[GET/;Host=h].", 0},
        {"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"GET / HTTP/1.1\r\n\r\n", 0, NO, "", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 0, NO, "", 400},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, NO, "", 400},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0, NO, "", 400},
        {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 0, NO, "", 400},
        {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 0, NO, "", 400},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 0, NO, "", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, NO, "", 505},
        {"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 0, NO, "", 505},
        {"GET /\r\n\r\n", 0, NO, "", 400},
        {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"GET / x HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"GET /# HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"GET /\xC3\xA9 HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 400},
        {"get / HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 501},
        {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 0, NO, "", 501},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 0, NO, "", 501},
        {"POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", 0, NO, "", 417},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, NO, "", 400},
        {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 0, NO, "", 501},
        {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nx", MOOT_HTTP1_CONNECT, 0,
         "[CONNECTh:443;Host=h:443].", 0},
        {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 0, 0,
         "[GET/;Host=h;Upgrade=h2c;Connection=upgrade].", 0},
        {"POST / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
         "Content-Length: 1\r\n\r\nx",
         0, 0, "[POST/;Host=h;Upgrade=h2c;Connection=upgrade;Content-Length=1]x.", 0},
    };
    run_table(rows, moot__countof(rows), MOOT_HTTP1_REQUEST);
}

static void connection_and_expectation(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum moot_http1_kind kind;
        bool keep_alive, eof_delimited, expects;
    } rows[] = {
        {H200 END, MOOT_HTTP1_RESPONSE, true, false, false},
        {H200 "Connection: close\r\n" END, MOOT_HTTP1_RESPONSE, false, false, false},
        {H200 "Connection: a, CLOSE ,keep-alive\r\n" END, MOOT_HTTP1_RESPONSE, false, false, false},
        {H200 "\r\n", MOOT_HTTP1_RESPONSE, false, true, false},
        {"HTTP/1.0 200 OK\r\n" END, MOOT_HTTP1_RESPONSE, false, false, false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" END, MOOT_HTTP1_RESPONSE, true, false,
         false},
        {"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
         MOOT_HTTP1_REQUEST, true, false, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", MOOT_HTTP1_REQUEST, true,
         false, false},
    };
    for (size_t i = 0; i < moot__countof(rows); i++) {
        struct run run;
        run_message(moot__view_str(rows[i].bytes), &(struct run_options){.kind = rows[i].kind},
                    &run);
        assert_int_equal(run.verdict, MOOT_OK);
        assert_int_equal(run.head.keep_alive, rows[i].keep_alive);
        assert_int_equal(run.head.eof_delimited, rows[i].eof_delimited);
        assert_int_equal(run.head.expect_continue, rows[i].expects);
        moot__buf_deinit(&run.trace);
    }
}

/* --- limits, each one below, at and above --- */

static void check_limits(const char *bytes, enum moot_http1_kind kind, size_t offset, size_t value,
                         int status)
{
    for (size_t k = 0; k < 3; k++) {
        struct moot_http1_limits limits = {10000, 10000, 10000, 10000};
        struct run run;
        size_t cap = value + 1 - k; /* the message is one below, at and above its cap */
        memcpy((char *)&limits + offset, &cap, sizeof cap);
        run_every_way(moot__view_str(bytes), (struct run_options){.kind = kind, .limits = &limits},
                      &run);
        assert_int_equal(run.verdict, k == 2 ? MOOT_ELIMIT : MOOT_OK);
        assert_int_equal(run.answer_status, k == 2 ? status : 0);
        moot__buf_deinit(&run.trace);
    }
}

static void limits_are_exact(void **state)
{
    (void)state;
    static const char request[] =
        "POST /abcd HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    static const char chunked[] = H200 "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n"
                                       "0\r\nA: b\r\nC: d\r\nE: f\r\n\r\n";
    check_limits(request, MOOT_HTTP1_REQUEST, offsetof(struct moot_http1_limits, head_bytes),
                 sizeof request - 1 - 5, 431);
    check_limits(request, MOOT_HTTP1_REQUEST, offsetof(struct moot_http1_limits, headers), 2, 431);
    check_limits(request, MOOT_HTTP1_REQUEST, offsetof(struct moot_http1_limits, target_bytes), 5,
                 414);
    check_limits(request, MOOT_HTTP1_REQUEST, offsetof(struct moot_http1_limits, body_bytes), 5,
                 413);
    check_limits(chunked, MOOT_HTTP1_RESPONSE, offsetof(struct moot_http1_limits, body_bytes), 5,
                 413);
    check_limits(chunked, MOOT_HTTP1_RESPONSE, offsetof(struct moot_http1_limits, headers), 3, 431);
    check_limits(H200 "\r\nhello", MOOT_HTTP1_RESPONSE,
                 offsetof(struct moot_http1_limits, body_bytes), 5, 413);
}

static void chunk_extension_limit(void **state)
{
    (void)state;
    for (size_t over = 0; over < 3; over++) {
        struct moot_buf bytes;
        struct run run;
        moot__buf_init(&bytes, NULL, 4096);
        assert_int_equal(moot__buf_append_str(&bytes, H200 "Transfer-Encoding: chunked\r\n\r\n1;"),
                         0);
        for (size_t i = 1; i < MOOT_LIMIT_HTTP_CHUNK_EXTENSION_BYTES - 1 + over; i++)
            assert_int_equal(moot__buf_append_byte(&bytes, 'a'), 0);
        assert_int_equal(moot__buf_append_str(&bytes, "\r\nx\r\n0\r\n\r\n"), 0);
        run_every_way(moot__buf_view(&bytes), (struct run_options){.kind = MOOT_HTTP1_RESPONSE},
                      &run);
        assert_int_equal(run.verdict, over == 2 ? MOOT_EPROTO : MOOT_OK);
        moot__buf_deinit(&run.trace);
        moot__buf_deinit(&bytes);
    }
}

/* --- life --- */

static int stop(void *context, const struct moot_http1_head *head)
{
    (void)head;
    ++*(int *)context;
    return 42;
}

static void callback_stops_for_good(void **state)
{
    (void)state;
    static const struct moot_http1_callbacks callbacks = {.on_head = stop};
    int calls = 0;
    size_t consumed;
    struct moot_http1_parser *parser =
        moot__http1_new(NULL, MOOT_HTTP1_RESPONSE, NULL, &callbacks, &calls);
    assert_non_null(parser);
    assert_true(moot__http1_is_idle(parser));
    assert_int_equal(moot__http1_feed(parser, H200 END, strlen(H200 END), &consumed), 42);
    assert_int_equal(moot__http1_feed(parser, "x", 1, &consumed), 42);
    assert_int_equal(consumed, 0);
    assert_int_equal(moot__http1_finish(parser), 42);
    assert_false(moot__http1_is_complete(parser));
    moot__http1_reset(parser, 0);
    assert_true(moot__http1_is_idle(parser));
    assert_null(moot__http1_reason(parser));
    assert_int_equal(calls, 1);
    moot__http1_free(parser);
}

static void pipelined_requests(void **state)
{
    (void)state;
    static const char bytes[] = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
                                "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
                                "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n";
    struct moot_http1_parser *parser = moot__http1_new(NULL, MOOT_HTTP1_REQUEST, NULL, NULL, NULL);
    assert_non_null(parser);
    size_t at = 0, messages = 0, consumed;
    while (at < sizeof bytes - 1) {
        assert_int_equal(moot__http1_feed(parser, bytes + at, sizeof bytes - 1 - at, &consumed), 0);
        assert_true(moot__http1_is_complete(parser));
        at += consumed;
        messages++;
        moot__http1_reset(parser, 0);
    }
    assert_int_equal(messages, 3);
    moot__http1_free(parser);
}

static void every_allocation_fails(void **state)
{
    (void)state;
    static const char bytes[] =
        H200 "A: b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    for (size_t nth = 1; nth < 100; nth++) {
        struct moot_failing_alloc memory;
        struct run run;
        moot__failing_alloc_init(&memory, nth);
        run_message(moot__view_str(bytes), &(struct run_options){.allocator = &memory.allocator},
                    &run);
        moot__buf_deinit(&run.trace);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(run.verdict, MOOT_OK);
            assert_true(nth > 3);
            return;
        }
        assert_int_equal(run.verdict, MOOT_ENOMEM);
    }
    fail();
}

/* --- writing --- */

static size_t count_crlf(struct moot_view text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n' || text.ptr[i] == '\r';
    return count;
}

/* Random texts, rich in the bytes that matter: either refused, or exactly one line. */
static void no_text_makes_another_line(void **state)
{
    (void)state;
    static const char alphabet[] = "aZ0-: \t\r\n\0\x7F\xC3\xA9#%/;=\"\x0B\x01";
    struct moot_rng rng;
    moot__rng_init(&rng, 3);
    for (int round = 0; round < 50000; round++) {
        char text[2][6];
        struct moot_view view[2];
        struct moot_buf buf;
        moot__buf_init(&buf, NULL, 64);
        for (int k = 0; k < 2; k++) {
            view[k] = moot__view(text[k], (size_t)moot__rng_below(&rng, sizeof text[k]));
            for (size_t i = 0; i < view[k].len; i++)
                text[k][i] = alphabet[moot__rng_below(&rng, sizeof alphabet - 1)];
        }
        int rc = round & 1 ? moot__http1_write_header(&buf, view[0], view[1])
                           : moot__http1_write_request_line(&buf, view[0], view[1]);
        assert_true(rc == MOOT_OK || (rc == MOOT_EINVAL && buf.len == 0));
        assert_int_equal(count_crlf(moot__buf_view(&buf)), rc == MOOT_OK ? 2 : 0);
        assert_null(buf.len ? memchr(buf.data, '\0', buf.len) : NULL);
        moot__buf_deinit(&buf);
    }
}

static void writes_messages(void **state)
{
    (void)state;
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 200);
    assert_int_equal(moot__http1_write_status_line(&buf, 429), 0);
    assert_int_equal(moot__http1_write_header(&buf, MOOT_VIEW("A"), MOOT_VIEW("b \xC3\xA9")), 0);
    assert_int_equal(moot__http1_write_header(&buf, MOOT_VIEW("E"), MOOT_VIEW("")), 0);
    assert_int_equal(moot__http1_write_header_u64(&buf, MOOT_VIEW("N"), UINT64_MAX), 0);
    assert_int_equal(moot__http1_write_end(&buf), 0);
    assert_int_equal(moot__http1_write_chunk(&buf, MOOT_VIEW("")), 0);
    assert_int_equal(moot__http1_write_chunk(&buf, MOOT_VIEW("0123456789abcdef")), 0);
    assert_int_equal(moot__http1_write_chunk_begin(&buf, 1), 0);
    assert_int_equal(moot__buf_append_str(&buf, "x"), 0);
    assert_int_equal(moot__http1_write_chunk_end(&buf), 0);
    assert_int_equal(moot__http1_write_last_chunk(&buf), 0);
    assert_view(moot__buf_view(&buf),
                "HTTP/1.1 429 Too Many Requests\r\nA: b \xC3\xA9\r\nE: \r\n"
                "N: 18446744073709551615\r\n\r\n10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n");
    size_t before = buf.len;
    assert_int_equal(moot__http1_write_status_line(&buf, 99), MOOT_EINVAL);
    assert_int_equal(moot__http1_write_status_line(&buf, 600), MOOT_EINVAL);
    char many[200];
    memset(many, 'a', sizeof many);
    assert_int_equal(moot__http1_write_header(&buf, MOOT_VIEW("A"), moot__view(many, sizeof many)),
                     MOOT_ELIMIT);
    assert_int_equal(buf.len, before);
    moot__buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses),
        cmocka_unit_test(requests),
        cmocka_unit_test(connection_and_expectation),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(chunk_extension_limit),
        cmocka_unit_test(callback_stops_for_good),
        cmocka_unit_test(pipelined_requests),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(no_text_makes_another_line),
        cmocka_unit_test(writes_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
