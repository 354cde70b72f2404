#include "tests/support/test.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "net/sse.h"
#include "tests/support/failing_alloc.h"

/* Every event as one line of text: kind name|data|id. */
static int trace_event(void *context, const struct moot_sse_event *event)
{
    struct moot_buf *trace = context;
    assert_int_equal(
        moot__buf_append_str(trace, event->kind == MOOT_SSE_STRAY ? "stray " : "event "), 0);
    assert_int_equal(moot__buf_append_view(trace, event->name), 0);
    assert_int_equal(moot__buf_append_byte(trace, '|'), 0);
    assert_int_equal(moot__buf_append_view(trace, event->data), 0);
    assert_int_equal(moot__buf_append_byte(trace, '|'), 0);
    assert_int_equal(moot__buf_append_view(trace, event->id), 0);
    return moot__buf_append_str(trace, ";");
}

struct vector {
    const char *name;
    struct moot_view stream;
    const char *trace;   /* of whole events */
    const char *pending; /* what finish reports, or NULL */
};

#define V(text)                                                                                    \
    {                                                                                              \
        ("" text), sizeof(text) - 1                                                                \
    }

static const struct vector vectors[] = {
    {"nothing", V(""), "", NULL},
    {"one event", V("data: hello\n\n"), "event |hello|;", NULL},
    {"no space", V("data:hello\n\n"), "event |hello|;", NULL},
    {"one space only is stripped", V("data:  hello \n\n"), "event | hello |;", NULL},
    {"a tab is not a space", V("data:\thello\n\n"), "event |\thello|;", NULL},
    {"CRLF", V("data: a\r\n\r\ndata: b\r\n\r\n"), "event |a|;event |b|;", NULL},
    {"CR", V("data: a\r\rdata: b\r\r"), "event |a|;event |b|;", NULL},
    {"mixed ends", V("data: a\r\ndata: b\ndata: c\r\rdata: d\n\r\n"), "event |a\nb\nc|;event |d|;",
     NULL},
    {"LF CR is two ends", V("data: a\n\rdata: b\n\n"), "event |a|;event |b|;", NULL},
    {"several lines", V("data: YHOO\ndata: +2\ndata: 10\n\n"), "event |YHOO\n+2\n10|;", NULL},
    {"comments and ids", V(": test\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n"),
     "event |first|1;event |second|;event | third|;", NULL},
    {"data without colon", V("data\n\ndata\ndata\n\ndata:"), "event ||;event |\n|;", ""},
    {"same with and without space", V("data:test\n\ndata: test\n\n"), "event |test|;event |test|;",
     NULL},
    {"name", V("event: add\ndata: 1\n\ndata: 2\n\n"), "event add|1|;event |2|;", NULL},
    {"last name wins", V("event: a\nevent: b\ndata: 1\n\n"), "event b|1|;", NULL},
    {"name without data", V("event: ping\n\n"), "event ping||;", NULL},
    {"empty name without data", V("event:\n\n"), "", NULL},
    {"id stays", V("id: 7\ndata: a\n\ndata: b\n\nid:\ndata: c\n\n"),
     "event |a|7;event |b|7;event |c|;", NULL},
    {"id with NUL is ignored", V("id: 1\nid: 2\0003\ndata: a\n\n"), "event |a|1;", NULL},
    {"id alone", V("id: 1\n\ndata: a\n\n"), "event |a|1;", NULL},
    {"NUL in data", V("data: a\0b\n\n"), "event |a", NULL},
    {"unknown fields", V("foo: bar\nDATA: x\ndatax: y\n data: z\ndata: a\n\n"), "event |a|;", NULL},
    {"leading BOM",
     V("\xEF\xBB\xBF"
       "data: a\n\n"),
     "event |a|;", NULL},
    {"second BOM is data",
     V("\xEF\xBB\xBF\xEF\xBB\xBF"
       "data: a\n\ndata: b\n\n"),
     "event |b|;", NULL},
    {"half a BOM",
     V("\xEF\xBB"
       "data: a\n\ndata: b\n\n"),
     "event |b|;", NULL},
    {"BOM in the middle",
     V("data: a\n\xEF\xBB\xBF"
       "data: b\n\n"),
     "event |a|;", NULL},
    {"split characters", V("data: \xF0\x9F\x98\x80\xC3\xA9\n\n"),
     "event |\xF0\x9F\x98\x80\xC3\xA9|;", NULL},
    {"error field", V("data: a\n\nerror: {\"message\":\"x\"}\n\n"),
     "event |a|;stray |{\"message\":\"x\"}|;", NULL},
    {"bare JSON", V("{\"error\":\"x\"}\n"), "stray |{\"error\":\"x\"}|;", NULL},
    {"bare JSON inside of an event", V("data: a\n{\"error\":1}\ndata: b\n\n"),
     "stray |{\"error\":1}|;event |a\nb|;", NULL},
    {"bare JSON without an end", V("{\"error\":\"x\"}"), "", "{\"error\":\"x\"}"},
    {"done", V("data: [DONE]\n\n"), "event |[DONE]|;", NULL},
    {"cut after a line", V("data: a\n\ndata: b\n"), "event |a|;", "b"},
    {"cut in a line", V("data: a\n\ndata: b\ndata: c"), "event |a|;", "b\nc"},
    {"cut in a field name", V("data: a\n\ndat"), "event |a|;", NULL},
    {"cut in a comment", V("data: a\n\n: x"), "event |a|;", NULL},
    {"cut after CR", V("data: a\r\n\r"), "event |a|;", NULL},
    {"blank lines", V("\n\n\r\r\n\n\r\n"), "", NULL},
    {"only comments", V(":\n:ping\n: OPENROUTER PROCESSING\n\n"), "", NULL},
    {"retry", V("retry: 1500\nretry: x\nretry\n\n"), "", NULL},
    {"colon in value", V("data: a:b: c\n\n"), "event |a:b: c|;", NULL},
    {"only colon", V("data::\n\n"), "event |:|;", NULL},
};

/* Where the next piece of a stream ends. */
typedef size_t cut_fn(struct moot_rng *rng, size_t at, size_t len);

static size_t cut_whole(struct moot_rng *rng, size_t at, size_t len)
{
    (void)rng;
    (void)at;
    return len;
}

static size_t cut_byte(struct moot_rng *rng, size_t at, size_t len)
{
    (void)rng;
    (void)len;
    return at + 1;
}

static size_t cut_random(struct moot_rng *rng, size_t at, size_t len)
{
    return at + 1 + (size_t)moot__rng_below(rng, len - at);
}

/* Each piece is a copy of its own, so that a view into an earlier one is seen by the sanitizer. */
static void run_vector(const struct vector *vector, cut_fn *cut, struct moot_rng *rng)
{
    struct moot_sse_parser parser;
    struct moot_sse_event pending;
    struct moot_buf trace;
    moot__buf_init(&trace, NULL, 4096);
    moot__sse_init(&parser, NULL);
    for (size_t at = 0; at < vector->stream.len;) {
        size_t end = cut(rng, at, vector->stream.len);
        char *piece = moot__strdup(NULL, moot__view(vector->stream.ptr + at, end - at));
        assert_non_null(piece);
        int rc = moot__sse_feed(&parser, moot__view(piece, end - at), trace_event, &trace);
        moot__free(NULL, piece);
        assert_int_equal(rc, MOOT_OK);
        at = end;
    }
    assert_int_equal(moot__buf_append_byte(&trace, '\0'), 0);
    if (strcmp(trace.data, vector->trace) != 0)
        fail_msg("%s: %s instead of %s", vector->name, trace.data, vector->trace);
    int rc = moot__sse_finish(&parser, &pending);
    assert_int_equal(rc, vector->pending ? 1 : 0);
    if (vector->pending)
        assert_view(pending.data, vector->pending);
    moot__sse_deinit(&parser);
    moot__buf_deinit(&trace);
}

static void vectors_in_every_segmentation(void **state)
{
    (void)state;
    struct moot_rng rng;
    moot__rng_init(&rng, 42);
    for (size_t i = 0; i < moot__countof(vectors); i++) {
        run_vector(&vectors[i], cut_whole, NULL);
        run_vector(&vectors[i], cut_byte, NULL);
        for (int round = 0; round < 50; round++)
            run_vector(&vectors[i], cut_random, &rng);
    }
}

static void retry_is_kept(void **state)
{
    (void)state;
    struct moot_sse_parser parser;
    moot__sse_init(&parser, NULL);
    assert_int_equal(
        moot__sse_feed(&parser, MOOT_VIEW("retry: 1500\nretry: 1x\n"), trace_event, NULL), MOOT_OK);
    assert_int_equal(parser.retry_ms, 1500);
    moot__sse_deinit(&parser);
}

static int count_event(void *context, const struct moot_sse_event *event)
{
    (void)event;
    ++*(size_t *)context;
    return 0;
}

static int stop_at_second(void *context, const struct moot_sse_event *event)
{
    (void)event;
    return ++*(size_t *)context == 2 ? 77 : 0;
}

static void cr_dispatches_at_once(void **state)
{
    (void)state;
    struct moot_sse_parser parser;
    size_t count = 0;
    moot__sse_init(&parser, NULL);
    assert_int_equal(moot__sse_feed(&parser, MOOT_VIEW("data: a\r\n\r"), count_event, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(moot__sse_feed(&parser, MOOT_VIEW("\n"), count_event, &count), 0);
    assert_int_equal(count, 1);
    moot__sse_deinit(&parser);
}

static void callback_stops_for_good(void **state)
{
    (void)state;
    struct moot_sse_parser parser;
    struct moot_sse_event pending;
    size_t count = 0;
    moot__sse_init(&parser, NULL);
    struct moot_view stream = MOOT_VIEW("data: 1\n\ndata: 2\n\ndata: 3\n\n");
    assert_int_equal(moot__sse_feed(&parser, stream, stop_at_second, &count), 77);
    assert_int_equal(moot__sse_feed(&parser, stream, stop_at_second, &count), 77);
    assert_int_equal(moot__sse_finish(&parser, &pending), 77);
    assert_int_equal(count, 2);
    moot__sse_deinit(&parser);
}

/* Feed a line of `len` bytes in pieces, then its end. */
static int feed_line(struct moot_sse_parser *parser, size_t len, size_t piece_bytes)
{
    static const char fill[65536] = {0};
    size_t count = 0, left = len - 5;
    int rc = moot__sse_feed(parser, MOOT_VIEW("data:"), count_event, &count);
    while (!rc && left) {
        size_t piece = left < piece_bytes ? left : piece_bytes;
        rc = moot__sse_feed(parser, moot__view(fill, piece), count_event, &count);
        left -= piece;
    }
    return rc ? rc : moot__sse_feed(parser, MOOT_VIEW("\n"), count_event, &count);
}

static void line_limit(void **state)
{
    (void)state;
    static const int verdicts[] = {MOOT_OK, MOOT_OK, MOOT_ELIMIT};
    for (size_t i = 0; i < moot__countof(verdicts); i++) {
        struct moot_sse_parser parser;
        size_t len = MOOT_LIMIT_SSE_LINE_BYTES - 1 + i, count = 0;
        moot__sse_init(&parser, NULL);
        assert_int_equal(feed_line(&parser, len, 65536), verdicts[i]);
        moot__sse_deinit(&parser);

        char *line = moot__calloc(NULL, len + 1, 1); /* the same in one piece */
        assert_non_null(line);
        memset(line, 'x', len);
        line[len] = '\n';
        moot__sse_init(&parser, NULL);
        assert_int_equal(moot__sse_feed(&parser, moot__view(line, len + 1), count_event, &count),
                         verdicts[i]);
        moot__sse_deinit(&parser);
        moot__free(NULL, line);
    }
}

/* The data of an event is its lines and the LFs between them. */
static void event_limit(void **state)
{
    (void)state;
    for (size_t over = 0; over < 3; over++) {
        struct moot_sse_parser parser;
        size_t left = MOOT_LIMIT_SSE_EVENT_BYTES - 1 + over;
        int rc = MOOT_OK;
        moot__sse_init(&parser, NULL);
        for (bool first = true; left && !rc; first = false) {
            size_t value = left - !first < 1000000 ? left - !first : 1000000;
            rc = feed_line(&parser, value + 5, 65536);
            left -= value + !first;
        }
        assert_int_equal(rc, over == 2 ? MOOT_ELIMIT : MOOT_OK);
        moot__sse_deinit(&parser);
    }
}

static void a_million_empty_events_take_no_memory(void **state)
{
    (void)state;
    static const char *const units[] = {"\n", ": comment\n", "data\n\n"};
    for (size_t i = 0; i < moot__countof(units); i++) {
        struct moot_sse_parser parser;
        size_t count = 0;
        moot__sse_init(&parser, NULL);
        for (int k = 0; k < 1000000; k++)
            assert_int_equal(moot__sse_feed(&parser, moot__view_str(units[i]), count_event, &count),
                             MOOT_OK);
        assert_int_equal(count, i == 2 ? 1000000 : 0);
        assert_true(parser.data.copy.cap + parser.line.cap <= 1024);
        moot__sse_deinit(&parser);
    }
}

static void writer_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *name, *data, *wire, *trace;
    } rows[] = {
        {"", "a", "data: a\n\n", "event |a|;"},
        {"x", "a", "event: x\ndata: a\n\n", "event x|a|;"},
        {"", "", "data: \n\n", "event ||;"},
        {"", "a\nb", "data: a\ndata: b\n\n", "event |a\nb|;"},
        {"", "a\r\nevent: evil\rid: 2\n\ndata: y", NULL,
         "event |a\nevent: evil\nid: 2\n\ndata: y|;"},
        {"", "\n", "data: \ndata: \n\n", "event |\n|;"},
        {"", " x", "data:  x\n\n", "event | x|;"},
    };
    for (size_t i = 0; i < moot__countof(rows); i++) {
        struct moot_sse_parser parser;
        struct moot_buf wire, trace;
        moot__buf_init(&wire, NULL, 4096);
        moot__buf_init(&trace, NULL, 4096);
        moot__sse_init(&parser, NULL);
        assert_int_equal(moot__sse_write_event(&wire, moot__view_str(rows[i].name),
                                               moot__view_str(rows[i].data)),
                         MOOT_OK);
        if (rows[i].wire)
            assert_view(moot__buf_view(&wire), rows[i].wire);
        assert_int_equal(moot__sse_feed(&parser, moot__buf_view(&wire), trace_event, &trace),
                         MOOT_OK);
        assert_view(moot__buf_view(&trace), rows[i].trace);
        moot__sse_deinit(&parser);
        moot__buf_deinit(&wire);
        moot__buf_deinit(&trace);
    }
}

static void writer_refuses_and_leaves_nothing(void **state)
{
    (void)state;
    struct moot_buf wire;
    moot__buf_init(&wire, NULL, 16);
    assert_int_equal(moot__sse_write_event(&wire, MOOT_VIEW("a\nb"), MOOT_VIEW("x")), MOOT_EINVAL);
    assert_int_equal(moot__sse_write_event(&wire, MOOT_VIEW("a\rb"), MOOT_VIEW("x")), MOOT_EINVAL);
    assert_int_equal(moot__sse_write_event(&wire, MOOT_VIEW("a\0b"), MOOT_VIEW("x")), MOOT_EINVAL);
    assert_int_equal(moot__sse_write_event(&wire, MOOT_VIEW("name"), MOOT_VIEW("too long")),
                     MOOT_ELIMIT);
    assert_int_equal(wire.len, 0);
    assert_int_equal(moot__sse_write_comment(&wire, MOOT_VIEW("ping")), MOOT_OK);
    assert_view(moot__buf_view(&wire), ": ping\n\n");
    moot__buf_deinit(&wire);
}

static int feed_everything(const struct moot_allocator *allocator)
{
    struct moot_sse_parser parser;
    struct moot_sse_event pending;
    size_t count = 0;
    struct moot_view bytes =
        MOOT_VIEW("\xEF\xBBid: 1\nid: 2\nevent: x\ndata: a\ndata: b\n\ndata: c");
    int rc = MOOT_OK;
    moot__sse_init(&parser, allocator);
    for (size_t at = 0; at < bytes.len && !rc; at += 5) {
        size_t len = bytes.len - at < 5 ? bytes.len - at : 5;
        rc = moot__sse_feed(&parser, moot__view(bytes.ptr + at, len), count_event, &count);
    }
    if (!rc)
        rc = moot__sse_finish(&parser, &pending);
    moot__sse_deinit(&parser);
    return rc;
}

static void every_allocation_fails(void **state)
{
    (void)state;
    for (size_t nth = 1; nth < 100; nth++) {
        struct moot_failing_alloc memory;
        moot__failing_alloc_init(&memory, nth);
        int rc = feed_everything(&memory.allocator);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, 1);
            assert_true(nth > 3);
            return;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_in_every_segmentation),
        cmocka_unit_test(retry_is_kept),
        cmocka_unit_test(cr_dispatches_at_once),
        cmocka_unit_test(callback_stops_for_good),
        cmocka_unit_test(line_limit),
        cmocka_unit_test(event_limit),
        cmocka_unit_test(a_million_empty_events_take_no_memory),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(writer_round_trip),
        cmocka_unit_test(writer_refuses_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
