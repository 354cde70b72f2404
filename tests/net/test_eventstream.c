#include <stdlib.h>

#include "tests/support/test.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "eventstream_frames.h"
#include "net/eventstream.h"
#include "tests/support/failing_alloc.h"

#define MESSAGE_MAX MOOT_LIMIT_EVENTSTREAM_MESSAGE_BYTES
#define HEADERS_MAX MOOT_LIMIT_EVENTSTREAM_HEADERS

/* --- what is read, as text: kind name|content type|payload; --- */

static int trace_event(void *context, const struct moot_eventstream_event *event)
{
    static const char *const kinds[] = {"event ", "exception ", "error "};
    struct moot_buf *trace = context;
    assert_int_equal(moot__buf_append_str(trace, kinds[event->kind]), 0);
    assert_int_equal(moot__buf_append_view(trace, event->name), 0);
    assert_int_equal(moot__buf_append_byte(trace, '|'), 0);
    assert_int_equal(moot__buf_append_view(trace, event->content_type), 0);
    assert_int_equal(moot__buf_append_byte(trace, '|'), 0);
    assert_int_equal(moot__buf_append_view(trace, event->payload), 0);
    return moot__buf_append_str(trace, ";");
}

static int count_event(void *context, const struct moot_eventstream_event *event)
{
    (void)event;
    ++*(size_t *)context;
    return MOOT_OK;
}

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
static int read_pieces(struct moot_view stream, cut_fn *cut, struct moot_rng *rng,
                       struct moot_buf *trace)
{
    struct moot_eventstream_parser parser;
    int rc = MOOT_OK;
    moot__eventstream_init(&parser, NULL);
    for (size_t at = 0; at < stream.len && !rc;) {
        size_t end = cut(rng, at, stream.len);
        char *copy = moot__strdup(NULL, moot__view(stream.ptr + at, end - at));
        assert_non_null(copy);
        rc = moot__eventstream_feed(&parser, moot__view(copy, end - at), trace_event, trace);
        moot__free(NULL, copy);
        at = end;
    }
    int end = moot__eventstream_finish(&parser);
    if (rc)
        assert_int_equal(end, rc);
    moot__eventstream_deinit(&parser);
    return end;
}

/* The same result, and the same trace, whole, byte by byte and at random splits. */
static void assert_reads(struct moot_view stream, int result, const char *expected)
{
    struct moot_rng rng;
    moot__rng_init(&rng, stream.len);
    for (size_t i = 0; i < 22; i++) {
        struct moot_buf trace;
        moot__buf_init(&trace, NULL, 1 << 20);
        cut_fn *cut = i == 0 ? cut_whole : i == 1 ? cut_byte : cut_random;
        assert_int_equal(read_pieces(stream, cut, &rng, &trace), result);
        assert_view(moot__buf_view(&trace), expected);
        moot__buf_deinit(&trace);
    }
}

/* --- the frames that others decode as well --- */

static void append_hex(struct moot_buf *out, const char *hex)
{
    for (; hex[0]; hex += 2) {
        const char pair[3] = {hex[0], hex[1], '\0'};
        assert_int_equal(moot__buf_append_byte(out, (char)strtoul(pair, NULL, 16)), 0);
    }
}

static void frames_in_every_segmentation(void **state)
{
    (void)state;
    struct moot_buf all, expected;
    moot__buf_init(&all, NULL, 1 << 20);
    moot__buf_init(&expected, NULL, 1 << 20);
    for (size_t i = 0; i < moot__countof(eventstream_frames); i++) {
        size_t before = all.len;
        append_hex(&all, eventstream_frames[i].hex);
        assert_int_equal(moot__buf_append_str(&expected, eventstream_frames[i].trace), 0);
        assert_reads(moot__view(all.data + before, all.len - before), 0,
                     eventstream_frames[i].trace);
    }
    assert_int_equal(moot__buf_append_byte(&expected, '\0'), 0);
    assert_reads(moot__buf_view(&all), 0, expected.data);
    moot__buf_deinit(&all);
    moot__buf_deinit(&expected);
}

static void cut_anywhere_is_truncated(void **state)
{
    (void)state;
    struct moot_buf frame;
    moot__buf_init(&frame, NULL, 1 << 20);
    append_hex(&frame, eventstream_frames[1].hex);
    for (size_t len = 1; len < frame.len; len++)
        assert_reads(moot__view(frame.data, len), 1, "");
    assert_reads(moot__view(frame.data, 0), 0, "");
    moot__buf_deinit(&frame);
}

/* Every bit of every byte, with a sound message before and after it. */
static void corruption_is_never_an_event(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(eventstream_frames); i++) {
        struct moot_buf stream;
        moot__buf_init(&stream, NULL, 1 << 20);
        append_hex(&stream, eventstream_frames[0].hex);
        size_t from = stream.len;
        append_hex(&stream, eventstream_frames[i].hex);
        size_t to = stream.len;
        append_hex(&stream, eventstream_frames[0].hex);
        for (size_t bit = 8 * from; bit < 8 * to; bit++) {
            stream.data[bit / 8] ^= (char)(1 << bit % 8);
            struct moot_buf trace;
            moot__buf_init(&trace, NULL, 1 << 20);
            int rc = read_pieces(moot__buf_view(&stream), cut_whole, NULL, &trace);
            assert_int_equal(rc, MOOT_EPROTO);
            assert_view(moot__buf_view(&trace), eventstream_frames[0].trace);
            moot__buf_deinit(&trace);
            stream.data[bit / 8] ^= (char)(1 << bit % 8);
        }
        moot__buf_deinit(&stream);
    }
}

/* --- frames made here, with a checksum of our own --- */

static uint32_t crc_by_bits(const char *data, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
    }
    return crc ^ UINT32_MAX;
}

static void append_u32(struct moot_buf *out, uint32_t value)
{
    const char bytes[] = {(char)(value >> 24 & 0xff), (char)(value >> 16 & 0xff),
                          (char)(value >> 8 & 0xff), (char)(value & 0xff)};
    assert_int_equal(moot__buf_append(out, bytes, sizeof bytes), 0);
}

/* With lengths that may lie. */
static void append_frame(struct moot_buf *out, uint32_t total, uint32_t header_bytes,
                         struct moot_view headers, struct moot_view payload)
{
    size_t before = out->len;
    append_u32(out, total);
    append_u32(out, header_bytes);
    append_u32(out, crc_by_bits(out->data + before, 8));
    assert_int_equal(moot__buf_append_view(out, headers), 0);
    assert_int_equal(moot__buf_append_view(out, payload), 0);
    append_u32(out, crc_by_bits(out->data + before, out->len - before));
}

static void assert_headers(struct moot_view headers, int result, const char *expected)
{
    struct moot_buf frame;
    moot__buf_init(&frame, NULL, 1 << 20);
    append_frame(&frame, (uint32_t)headers.len + 17, (uint32_t)headers.len, headers,
                 MOOT_VIEW("p"));
    assert_reads(moot__buf_view(&frame), result, expected);
    moot__buf_deinit(&frame);
}

#define EVENT "\015:message-type\007\000\005event"
#define TYPED "\013:event-type\007\000\001e"
#define ALL_TYPES                                                                                  \
    "\001a\000\001b\001\001c\002x\001d\003xx\001e\004xxxx\001f\005xxxxxxxx\001g\006\000\002xx"     \
    "\001h\007\000\002xx\001i\010xxxxxxxx\001j\011xxxxxxxxxxxxxxxx"

static void header_types(void **state)
{
    (void)state;
    assert_headers(MOOT_VIEW(ALL_TYPES EVENT TYPED), 0, "event e||p;");
    assert_headers(MOOT_VIEW(TYPED ALL_TYPES EVENT), 0, "event e||p;");
    assert_headers(MOOT_VIEW(TYPED), 0, "event e||p;");
    assert_headers(MOOT_VIEW(EVENT), 0, "event ||p;");
}

static void malformed_headers(void **state)
{
    (void)state;
    static const struct moot_view cases[] = {
        {"\001a\012", 3},                           /* a type that there is not */
        {"\001a\377", 3},                           /* nor this */
        {"\001", 1},                                /* no name */
        {"\002a\000", 3},                           /* a name that takes the type, no type */
        {"\001a\002", 3},                           /* no value */
        {"\001a\010xxxxxxx", 10},                   /* a short value */
        {"\001a\007\000", 4},                       /* half a length */
        {"\001a\007\000\002x", 6},                  /* a short text */
        {"\001a\000\001a\000", 6},                  /* a name twice */
        {"\001a\000\001b\000\001a\001", 9},         /* and of another type */
        {"\015:message-type\000", 15},              /* a kind that is no text */
        {"\015:message-type\007\000\001x", 18},     /* one that there is not */
        {"\013:event-type\006\000\001x", 16},       /* a name that is no text */
        {"\015:content-type\006\000\001x", 18},     /* a content type that is no text */
        {"\015:message-type\007\000\005Event", 22}, /* capitals */
    };
    for (size_t i = 0; i < moot__countof(cases); i++)
        assert_headers(cases[i], MOOT_EPROTO, "");
}

static void every_cut_of_headers_is_malformed(void **state)
{
    (void)state;
    const struct moot_view all = MOOT_VIEW(ALL_TYPES);
    size_t malformed = 0;
    for (size_t len = 0; len < all.len; len++) {
        struct moot_buf frame, trace;
        moot__buf_init(&frame, NULL, 1 << 20);
        moot__buf_init(&trace, NULL, 1 << 20);
        append_frame(&frame, (uint32_t)len + 16, (uint32_t)len, moot__view(all.ptr, len),
                     MOOT_VIEW(""));
        int rc = read_pieces(moot__buf_view(&frame), cut_whole, NULL, &trace);
        assert_true(rc == MOOT_EPROTO || rc == MOOT_OK);
        malformed += rc == MOOT_EPROTO;
        moot__buf_deinit(&frame);
        moot__buf_deinit(&trace);
    }
    assert_int_equal(malformed, all.len - 10); /* all but where a header begins */
}

static void lengths_that_contradict(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{0, 0},  {15, 0},          {16, 1},
                                        {20, 5}, {20, UINT32_MAX}, {15, UINT32_MAX}};
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_buf frame;
        moot__buf_init(&frame, NULL, 1 << 20);
        append_frame(&frame, cases[i][0], cases[i][1], MOOT_VIEW(""), MOOT_VIEW("xxxx"));
        assert_reads(moot__buf_view(&frame), MOOT_EPROTO, "");
        moot__buf_deinit(&frame);
    }
}

/* --- limits --- */

/* What a prelude alone says, and what it costs to believe it. */
static int feed_prelude(uint32_t total, uint32_t header_bytes)
{
    struct moot_eventstream_parser parser;
    struct moot_buf frame;
    struct moot_failing_alloc memory;
    size_t events = 0;
    moot__failing_alloc_init(&memory, 2); /* one small buffer may be had */
    moot__buf_init(&frame, NULL, 1 << 20);
    append_frame(&frame, total, header_bytes, MOOT_VIEW(""), MOOT_VIEW(""));
    moot__eventstream_init(&parser, &memory.allocator);
    struct moot_view prelude = {frame.data, 12};
    int rc = moot__eventstream_feed(&parser, prelude, count_event, &events);
    assert_int_equal(rc ? rc : 1, moot__eventstream_finish(&parser));
    assert_true(parser.frame.cap <= 256);
    assert_int_equal(events, 0);
    moot__eventstream_deinit(&parser);
    moot__buf_deinit(&frame);
    return rc;
}

static void length_limits(void **state)
{
    (void)state;
    const uint32_t message = MESSAGE_MAX, headers = MOOT_LIMIT_EVENTSTREAM_HEADER_BYTES;
    assert_int_equal(feed_prelude(message - 1, 0), MOOT_OK);
    assert_int_equal(feed_prelude(message, 0), MOOT_OK);
    assert_int_equal(feed_prelude(message + 1, 0), MOOT_ELIMIT);
    assert_int_equal(feed_prelude(UINT32_MAX, 0), MOOT_ELIMIT);
    assert_int_equal(feed_prelude(message, headers - 1), MOOT_OK);
    assert_int_equal(feed_prelude(message, headers), MOOT_OK);
    assert_int_equal(feed_prelude(message, headers + 1), MOOT_ELIMIT);
}

static int read_header_count(size_t count)
{
    struct moot_buf headers, frame, trace;
    moot__buf_init(&headers, NULL, 1 << 20);
    moot__buf_init(&frame, NULL, 1 << 20);
    moot__buf_init(&trace, NULL, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        const char header[] = {1, (char)('0' + i), 0};
        assert_int_equal(moot__buf_append(&headers, header, sizeof header), 0);
    }
    append_frame(&frame, (uint32_t)headers.len + 16, (uint32_t)headers.len,
                 moot__buf_view(&headers), MOOT_VIEW(""));
    int rc = read_pieces(moot__buf_view(&frame), cut_whole, NULL, &trace);
    moot__buf_deinit(&headers);
    moot__buf_deinit(&frame);
    moot__buf_deinit(&trace);
    return rc;
}

static void header_count_limit(void **state)
{
    (void)state;
    assert_int_equal(read_header_count(HEADERS_MAX - 1), MOOT_OK);
    assert_int_equal(read_header_count(HEADERS_MAX), MOOT_OK);
    assert_int_equal(read_header_count(HEADERS_MAX + 1), MOOT_ELIMIT);
}

/* --- the parser's life --- */

static int refuse_event(void *context, const struct moot_eventstream_event *event)
{
    (void)event;
    ++*(size_t *)context;
    return MOOT_ECONTENT;
}

static void callback_stops_for_good(void **state)
{
    (void)state;
    struct moot_eventstream_parser parser;
    struct moot_buf stream;
    size_t events = 0;
    moot__buf_init(&stream, NULL, 1 << 20);
    append_hex(&stream, eventstream_frames[0].hex);
    append_hex(&stream, eventstream_frames[0].hex);
    moot__eventstream_init(&parser, NULL);
    struct moot_view all = moot__buf_view(&stream);
    assert_int_equal(moot__eventstream_feed(&parser, all, refuse_event, &events), MOOT_ECONTENT);
    assert_int_equal(moot__eventstream_feed(&parser, all, refuse_event, &events), MOOT_ECONTENT);
    assert_int_equal(moot__eventstream_finish(&parser), MOOT_ECONTENT);
    assert_int_equal(events, 1);
    moot__eventstream_deinit(&parser);
    moot__eventstream_deinit(&parser);
    moot__buf_deinit(&stream);
}

static void whole_messages_take_no_memory(void **state)
{
    (void)state;
    struct moot_eventstream_parser parser;
    struct moot_failing_alloc memory;
    struct moot_buf stream;
    size_t events = 0;
    moot__failing_alloc_init(&memory, 1);
    moot__buf_init(&stream, NULL, 1 << 20);
    for (size_t i = 0; i < moot__countof(eventstream_frames); i++)
        append_hex(&stream, eventstream_frames[i].hex);
    moot__eventstream_init(&parser, &memory.allocator);
    assert_int_equal(moot__eventstream_feed(&parser, moot__buf_view(&stream), count_event, &events),
                     MOOT_OK);
    assert_int_equal(events, moot__countof(eventstream_frames));
    assert_int_equal(moot__failing_alloc_calls(&memory), 0);
    moot__eventstream_deinit(&parser);
    moot__buf_deinit(&stream);
}

static void no_memory_is_final(void **state)
{
    (void)state;
    struct moot_eventstream_parser parser;
    struct moot_failing_alloc memory;
    size_t events = 0;
    moot__failing_alloc_init(&memory, 1);
    moot__eventstream_init(&parser, &memory.allocator);
    struct moot_view byte = MOOT_VIEW("\0");
    assert_int_equal(moot__eventstream_feed(&parser, byte, count_event, &events), MOOT_ENOMEM);
    assert_int_equal(moot__eventstream_feed(&parser, byte, count_event, &events), MOOT_ENOMEM);
    assert_int_equal(moot__eventstream_finish(&parser), MOOT_ENOMEM);
    moot__eventstream_deinit(&parser);
    assert_int_equal(moot__failing_alloc_live(&memory), 0);
}

/* --- writing --- */

static void writer_round_trip(void **state)
{
    (void)state;
    const struct moot_eventstream_header event[] = {
        {MOOT_VIEW(":event-type"), MOOT_VIEW("messageStop")},
        {MOOT_VIEW(":content-type"), MOOT_VIEW("application/json")},
        {MOOT_VIEW(":message-type"), MOOT_VIEW("event")},
    };
    struct moot_buf written, expected;
    moot__buf_init(&written, NULL, 1 << 20);
    moot__buf_init(&expected, NULL, 1 << 20);
    assert_int_equal(moot__eventstream_write(&written, NULL, 0, MOOT_VIEW("")), MOOT_OK);
    assert_int_equal(
        moot__eventstream_write(&written, event, 3, MOOT_VIEW("{\"stopReason\":\"end_turn\"}")),
        MOOT_OK);
    append_hex(&expected, eventstream_frames[0].hex);
    append_hex(&expected, eventstream_frames[1].hex);
    assert_int_equal(written.len, expected.len);
    assert_memory_equal(written.data, expected.data, expected.len);
    moot__buf_deinit(&written);
    moot__buf_deinit(&expected);
}

static int write_one(size_t name_bytes, size_t value_bytes, size_t payload_bytes)
{
    static char bytes[MESSAGE_MAX + 1];
    size_t events = 0;
    struct moot_eventstream_parser parser;
    const struct moot_eventstream_header header = {moot__view(bytes, name_bytes),
                                                   moot__view(bytes, value_bytes)};
    struct moot_buf out;
    moot__buf_init(&out, NULL, 2 * MESSAGE_MAX);
    int rc = moot__eventstream_write(&out, &header, 1, moot__view(bytes, payload_bytes));
    moot__eventstream_init(&parser, NULL);
    if (rc)
        assert_int_equal(out.len, 0);
    else
        assert_int_equal(
            moot__eventstream_feed(&parser, moot__buf_view(&out), count_event, &events), MOOT_OK);
    assert_int_equal(events, rc ? 0 : 1);
    moot__eventstream_deinit(&parser);
    moot__buf_deinit(&out);
    return rc;
}

static void writer_limits(void **state)
{
    (void)state;
    const size_t payload_max = MESSAGE_MAX - 16 - (1 + 1 + 1 + 2);
    assert_int_equal(write_one(0, 0, 0), MOOT_EINVAL);
    assert_int_equal(write_one(1, 0, 0), MOOT_OK);
    assert_int_equal(write_one(255, 32767, 0), MOOT_OK);
    assert_int_equal(write_one(256, 0, 0), MOOT_EINVAL);
    assert_int_equal(write_one(1, 32768, 0), MOOT_EINVAL);
    assert_int_equal(write_one(1, 0, payload_max - 1), MOOT_OK);
    assert_int_equal(write_one(1, 0, payload_max), MOOT_OK);
    assert_int_equal(write_one(1, 0, payload_max + 1), MOOT_ELIMIT);
}

static int write_headers(size_t count, size_t value_bytes)
{
    static char value[32767];
    char names[HEADERS_MAX + 1];
    struct moot_eventstream_header headers[HEADERS_MAX + 1];
    struct moot_buf out;
    for (size_t i = 0; i < count; i++) {
        names[i] = (char)('0' + i);
        headers[i] = (struct moot_eventstream_header){moot__view(names + i, 1),
                                                      moot__view(value, value_bytes)};
    }
    moot__buf_init(&out, NULL, 1 << 20);
    int rc = moot__eventstream_write(&out, headers, count, MOOT_VIEW(""));
    moot__buf_deinit(&out);
    return rc;
}

static void writer_refuses_and_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(write_headers(HEADERS_MAX, 0), MOOT_OK);
    assert_int_equal(write_headers(HEADERS_MAX + 1, 0), MOOT_ELIMIT);
    assert_int_equal(write_headers(4, 32763), MOOT_OK); /* 4 * (5 + 32763) is the limit */
    assert_int_equal(write_headers(4, 32764), MOOT_ELIMIT);
    const struct moot_eventstream_header twice[] = {{MOOT_VIEW("a"), MOOT_VIEW("1")},
                                                    {MOOT_VIEW("a"), MOOT_VIEW("2")}};
    struct moot_buf out;
    moot__buf_init(&out, NULL, 20);
    assert_int_equal(moot__buf_append_str(&out, "before"), 0);
    assert_int_equal(moot__eventstream_write(&out, twice, 2, MOOT_VIEW("")), MOOT_EINVAL);
    assert_int_equal(moot__eventstream_write(&out, twice, 1, MOOT_VIEW("")), MOOT_ELIMIT);
    assert_view(moot__buf_view(&out), "before");
    moot__buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_in_every_segmentation),
        cmocka_unit_test(cut_anywhere_is_truncated),
        cmocka_unit_test(corruption_is_never_an_event),
        cmocka_unit_test(header_types),
        cmocka_unit_test(malformed_headers),
        cmocka_unit_test(every_cut_of_headers_is_malformed),
        cmocka_unit_test(lengths_that_contradict),
        cmocka_unit_test(length_limits),
        cmocka_unit_test(header_count_limit),
        cmocka_unit_test(callback_stops_for_good),
        cmocka_unit_test(whole_messages_take_no_memory),
        cmocka_unit_test(no_memory_is_final),
        cmocka_unit_test(writer_round_trip),
        cmocka_unit_test(writer_limits),
        cmocka_unit_test(writer_refuses_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
