/* The framing table: how each way to announce a body is judged, as a response and as a request. */
#include "http1_trace.h"

#include "engine/base/check.h"

enum verdict {
    DONE = MOOT_OK,
    PROTO = MOOT_EPROTO,
    LIMIT = MOOT_ELIMIT,
    CUT = MOOT_ETRUNCATED,
};

struct vector {
    const char *name;
    struct moot_view
        tail; /* everything after "HTTP/1.1 200 OK\r\n" or the request's line and Host */
    enum verdict response, request;
    const char *body; /* what was delivered, as a response */
    size_t surplus;   /* bytes left over, as a response; of a request with a body too */
};

#define V(text)                                                                                    \
    {                                                                                              \
        ("" text), sizeof(text) - 1                                                                \
    }
#define TE    "Transfer-Encoding: chunked\r\n"
#define CL(n) "Content-Length: " n "\r\n"

static const struct vector vectors[] = {
    /* plain lengths */
    {"length", V(CL("5") "\r\nhello"), DONE, DONE, "hello", 0},
    {"length 0", V(CL("0") "\r\n"), DONE, DONE, "", 0},
    {"leading zeros", V(CL("005") "\r\nhello"), DONE, DONE, "hello", 0},
    {"shorter than the body", V(CL("3") "\r\nhello"), DONE, DONE, "hel", 2},
    {"second message", V(CL("1") "\r\naHTTP/1.1 200 OK\r\n\r\n"), DONE, DONE, "a", 19},
    {"longer than the body", V(CL("9") "\r\nhello"), CUT, CUT, "hello", 0},
    {"no length", V("\r\nhello"), DONE, DONE, "hello", 0},
    {"blanks around", V("Content-Length:   5  \r\n\r\nhello"), DONE, DONE, "hello", 0},
    {"no blank", V("Content-Length:5\r\n\r\nhello"), DONE, DONE, "hello", 0},
    {"other case", V("cOnTeNt-lEnGtH: 5\r\n\r\nhello"), DONE, DONE, "hello", 0},
    /* bad lengths */
    {"empty length", V(CL("") "\r\n"), PROTO, PROTO, NULL, 0},
    {"plus sign", V(CL("+5") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"minus sign", V(CL("-5") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"hex length", V(CL("0x5") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"hex digits", V(CL("a") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"fraction", V(CL("5.0") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"exponent", V(CL("1e1") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"inner blank", V(CL("1 2") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"list of the same", V(CL("5, 5") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"list of others", V(CL("5, 6") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"twice the same", V(CL("5") CL("5") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"twice others", V(CL("5") CL("6") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"2^63", V(CL("9223372036854775808") "\r\n"), PROTO, PROTO, NULL, 0},
    {"2^64", V(CL("18446744073709551616") "\r\n"), PROTO, PROTO, NULL, 0},
    {"2^64 + 5", V(CL("18446744073709551621") "\r\nhello"), PROTO, PROTO, NULL, 0},
    {"2^63 - 1", V(CL("9223372036854775807") "\r\n"), LIMIT, LIMIT, NULL, 0},
    /* chunked */
    {"chunked", V(TE "\r\n5\r\nhello\r\n0\r\n\r\n"), DONE, DONE, "hello", 0},
    {"two chunks", V(TE "\r\n1\r\nh\r\n4\r\nello\r\n0\r\n\r\n"), DONE, DONE, "hello", 0},
    {"no chunks", V(TE "\r\n0\r\n\r\n"), DONE, DONE, "", 0},
    {"hex size", V(TE "\r\nA\r\n0123456789\r\n0\r\n\r\n"), DONE, DONE, "0123456789", 0},
    {"small hex size", V(TE "\r\na\r\n0123456789\r\n000\r\n\r\n"), DONE, DONE, "0123456789", 0},
    {"16 digits", V(TE "\r\n0000000000000005\r\nhello\r\n0\r\n\r\n"), DONE, DONE, "hello", 0},
    {"17 digits", V(TE "\r\n00000000000000005\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"size 2^64", V(TE "\r\n10000000000000000\r\n"), PROTO, PROTO, "", 0},
    {"size 2^63", V(TE "\r\n8000000000000000\r\n"), PROTO, PROTO, "", 0},
    {"size 2^62", V(TE "\r\n4000000000000000\r\n"), LIMIT, LIMIT, "", 0},
    {"empty size", V(TE "\r\n\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"0x size", V(TE "\r\n0x5\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"plus size", V(TE "\r\n+5\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"minus size", V(TE "\r\n-5\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"blank before size", V(TE "\r\n 5\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"blank after size", V(TE "\r\n5 \r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"size then LF", V(TE "\r\n5\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"size then CR X", V(TE "\r\n5\rXhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"data then LF", V(TE "\r\n5\r\nhello\n0\r\n\r\n"), PROTO, PROTO, "hello", 0},
    {"data then CR X", V(TE "\r\n5\r\nhello\rX0\r\n\r\n"), PROTO, PROTO, "hello", 0},
    {"longer than its size", V(TE "\r\n4\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "hell", 0},
    {"shorter than its size", V(TE "\r\n6\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "hello\r", 0},
    {"last chunk without its end", V(TE "\r\n5\r\nhello\r\n0\r\n"), CUT, CUT, "hello", 0},
    {"no last chunk", V(TE "\r\n5\r\nhello\r\n"), CUT, CUT, "hello", 0},
    {"cut in a chunk", V(TE "\r\n5\r\nhel"), CUT, CUT, "hel", 0},
    {"cut in a size", V(TE "\r\n5"), CUT, CUT, "", 0},
    {"after the last chunk", V(TE "\r\n0\r\n\r\nGET"), DONE, DONE, "", 3},
    {"LF ends the body", V(TE "\r\n0\r\n\n"), PROTO, PROTO, "", 0},
    /* extensions */
    {"extension", V(TE "\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n"), DONE, DONE, "hello", 0},
    {"quoted extension", V(TE "\r\n5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n"), DONE, DONE, "hello", 0},
    {"odd extension", V(TE "\r\n5;;=;\r\nhello\r\n0\r\n\r\n"), DONE, DONE, "hello", 0},
    {"LF in an extension", V(TE "\r\n5;a\nb\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"CR in an extension", V(TE "\r\n5;a\rb\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    {"NUL in an extension", V(TE "\r\n5;a\0\r\nhello\r\n0\r\n\r\n"), PROTO, PROTO, "", 0},
    /* trailers */
    {"trailer", V(TE "\r\n5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"), DONE, DONE, "hello", 0},
    {"trailers, and more", V(TE "\r\n0\r\nA: b\r\nC:\r\n\r\nX"), DONE, DONE, "", 1},
    {"length as trailer", V(TE "\r\n0\r\ncontent-LENGTH: 5\r\n\r\n"), PROTO, PROTO, "", 0},
    {"encoding as trailer", V(TE "\r\n0\r\n" TE "\r\n"), PROTO, PROTO, "", 0},
    {"host as trailer", V(TE "\r\n0\r\nHost: x\r\n\r\n"), PROTO, PROTO, "", 0},
    {"folded trailer", V(TE "\r\n0\r\nA: b\r\n c\r\n\r\n"), PROTO, PROTO, "", 0},
    {"trailer without a name", V(TE "\r\n0\r\n: b\r\n\r\n"), PROTO, PROTO, "", 0},
    {"trailer with LF", V(TE "\r\n0\r\nA: b\n\r\n"), PROTO, PROTO, "", 0},
    {"trailer without colon", V(TE "\r\n0\r\nAb\r\n\r\n"), PROTO, PROTO, "", 0},
    {"cut in a trailer", V(TE "\r\n0\r\nA: b\r\n"), CUT, CUT, "", 0},
    /* encodings */
    {"chunked, other case", V("TRANSFER-encoding: Chunked\r\n\r\n0\r\n\r\n"), DONE, DONE, "", 0},
    {"length and chunked", V(CL("5") TE "\r\n0\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"chunked and length", V(TE CL("5") "\r\n0\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"twice chunked", V(TE TE "\r\n0\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"chunked, chunked", V("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), PROTO, PROTO,
     NULL, 0},
    {"gzip, chunked", V("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), PROTO, PROTO, NULL,
     0},
    {"chunked, gzip", V("Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), PROTO, PROTO, NULL,
     0},
    {"identity", V("Transfer-Encoding: identity\r\n\r\nhello"), PROTO, PROTO, NULL, 0},
    {"identity, chunked", V("Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"), PROTO, PROTO,
     NULL, 0},
    {"xchunked", V("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"chunkedx", V("Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"quoted chunked", V("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"comma", V("Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"parameter", V("Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"empty encoding", V("Transfer-Encoding:\r\n\r\nhello"), PROTO, PROTO, NULL, 0},
    {"vertical tab",
     V("Transfer-Encoding: \x0B"
       "chunked\r\n\r\n0\r\n\r\n"),
     PROTO, PROTO, NULL, 0},
    /* lines */
    {"blank before colon", V("Content-Length : 5\r\n\r\nhello"), PROTO, PROTO, NULL, 0},
    {"tab before colon", V("Content-Length\t: 5\r\n\r\nhello"), PROTO, PROTO, NULL, 0},
    {"encoding, blank before colon", V("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), PROTO,
     PROTO, NULL, 0},
    {"folded", V("A: b\r\n c\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"folded with a tab", V("A: b\r\n\tc\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"folded encoding", V("Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), PROTO, PROTO, NULL,
     0},
    {"blank first line", V(" A: b\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"empty name", V(": b\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"no colon", V("Ab\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"lone LF", V("A: b\nC: d\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"lone LF at the end", V("A: b\r\n\n"), PROTO, PROTO, NULL, 0},
    {"lone CR", V("A: b\rC: d\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"CR hides an encoding", V("X:\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), PROTO, PROTO,
     NULL, 0},
    {"CR at the end", V("A: b\r\n\rX"), PROTO, PROTO, NULL, 0},
    {"CR CR LF", V("A: b\r\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"NUL in a value", V("A: b\0c\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"NUL in a name", V("A\0: b\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"DEL in a value", V("A: b\x7F\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"ESC in a value", V("A: \x1B[31m\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"8 bit in a name", V("\xC3\xA9: b\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"8 bit in a value", V("A: \xC3\xA9\r\n" CL("0") "\r\n"), DONE, DONE, "", 0},
    {"quote in a name", V("\"A\": b\r\n\r\n"), PROTO, PROTO, NULL, 0},
    {"cut in a name", V("Ab"), CUT, CUT, NULL, 0},
    {"cut before the end", V("A: b\r\n"), CUT, CUT, NULL, 0},
    {"cut in the end", V("A: b\r\n\r"), CUT, CUT, NULL, 0},
};

static void check_verdict(const struct vector *vector, const char *as, int got, enum verdict wanted)
{
    if (got != (int)wanted)
        fail_msg("%s as %s: %s, not %s", vector->name, as, moot_error_name(got),
                 moot_error_name((int)wanted));
}

/* What follows the head in a trace: "[...]body." */
static void check_body(const struct vector *vector, const struct run *run)
{
    struct moot_view trace = moot__buf_view(&run->trace);
    if (!vector->body) {
        assert_int_equal(trace.len, 0);
        return;
    }
    size_t end = moot__view_find(trace, ']', 0);
    size_t len = trace.len - end - 1 - (run->verdict == MOOT_OK);
    assert_true(end < trace.len);
    if (len != strlen(vector->body) || memcmp(trace.ptr + end + 1, vector->body, len) != 0)
        fail_msg("%s: body is '%.*s'", vector->name, (int)len, trace.ptr + end + 1);
}

static void run_as(const struct vector *vector, enum moot_http1_kind kind, struct run *run,
                   size_t *total)
{
    struct moot_buf bytes;
    moot__buf_init(&bytes, NULL, 4096);
    const char *front =
        kind == MOOT_HTTP1_REQUEST ? "POST /x HTTP/1.1\r\nHost: h\r\n" : "HTTP/1.1 200 OK\r\n";
    assert_int_equal(moot__buf_append_str(&bytes, front), 0);
    assert_int_equal(moot__buf_append_view(&bytes, vector->tail), 0);
    run_every_way(moot__buf_view(&bytes), (struct run_options){.kind = kind}, run);
    *total = bytes.len;
    moot__buf_deinit(&bytes);
}

static void framing_table(void **state)
{
    (void)state;
    assert_true(moot__countof(vectors) >= 61);
    for (size_t i = 0; i < moot__countof(vectors); i++) {
        const struct vector *vector = &vectors[i];
        struct run run;
        size_t total;
        run_as(vector, MOOT_HTTP1_RESPONSE, &run, &total);
        check_verdict(vector, "response", run.verdict, vector->response);
        check_body(vector, &run);
        if (run.verdict == MOOT_OK)
            assert_int_equal(total - run.consumed, vector->surplus);
        moot__buf_deinit(&run.trace);

        run_as(vector, MOOT_HTTP1_REQUEST, &run, &total);
        check_verdict(vector, "request", run.verdict, vector->request);
        if (run.verdict == MOOT_OK && run.head.has_body) {
            assert_int_equal(total - run.consumed, vector->surplus);
            check_body(vector, &run);
        }
        assert_true(run.verdict == MOOT_OK || run.answer_status >= 400);
        moot__buf_deinit(&run.trace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(framing_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
