/* Lines of spans, byte by byte, and the limits of a line. */
#include "tests/support/test.h"

#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/json_write.h"
#include "tests/support/failing_alloc.h"
#include "trace/encode_jsonl.h"
#include "trace/ring.h"

static const struct moot_span_ids root_ids = {
    .trace_id = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e,
                 0x47, 0x36},
    .span_id = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}};

static void assert_line(const struct moot_span *span, const char *line)
{
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, MOOT_JSONL_LINE_BYTES);
    assert_int_equal(moot__encode_jsonl(span, &buf), MOOT_OK);
    assert_int_equal(moot__buf_append_byte(&buf, '\0'), MOOT_OK);
    assert_string_equal(buf.data, line);
    moot__buf_deinit(&buf);
}

static void root_is_a_line(void **state)
{
    (void)state;
    struct moot_span span;
    moot__span_begin(&span, MOOT_SPAN_CONVERSATION, &root_ids, 0);
    moot__span_set_str(&span, MOOT_ATTR_CALLER_PARAMS, "{\"top_p\":0.9}");
    moot__span_set_str(&span, MOOT_ATTR_ROW_ID, "row\t1");
    moot__span_end(&span, UINT64_MAX);
    assert_line(&span, "{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                       "\"span_id\":\"00f067aa0ba902b7\","
                       "\"name\":\"Audit Agent\",\"kind\":\"INTERNAL\","
                       "\"start_time_unix_nano\":\"0\","
                       "\"end_time_unix_nano\":\"18446744073709551615\","
                       "\"status\":{\"code\":\"OK\"},"
                       "\"attributes\":{\"gen_ai.operation.name\":\"invoke_workflow\","
                       "\"moot.row.id\":\"row\\t1\","
                       "\"moot.caller_params\":\"{\\\"top_p\\\":0.9}\"}}\n");
}

static void every_type_of_attribute(void **state)
{
    (void)state;
    struct moot_span span;
    struct moot_span_ids ids = root_ids;
    memset(ids.parent_id, 0xAB, sizeof ids.parent_id);
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &ids, 1700000000000000000);
    moot__span_set_f64(&span, MOOT_ATTR_TEMPERATURE, 0.5);
    moot__span_set_bool(&span, MOOT_ATTR_STREAM, true);
    moot__span_set_str(&span, MOOT_ATTR_FINISH_REASON, "stop");
    moot__span_set_u64(&span, MOOT_ATTR_INPUT_TOKENS, 42);
    moot__span_set_u64(&span, MOOT_ATTR_FIRST_TOKEN_NS, 250000000);
    moot__span_end(&span, 1700000001000000000);
    assert_line(&span, "{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                       "\"span_id\":\"00f067aa0ba902b7\","
                       "\"parent_span_id\":\"abababababababab\","
                       "\"name\":\"Raw Agent Response\",\"kind\":\"CLIENT\","
                       "\"start_time_unix_nano\":\"1700000000000000000\","
                       "\"end_time_unix_nano\":\"1700000001000000000\","
                       "\"status\":{\"code\":\"OK\"},"
                       "\"attributes\":{\"gen_ai.operation.name\":\"chat\","
                       "\"gen_ai.request.temperature\":0.5,"
                       "\"gen_ai.request.stream\":true,"
                       "\"gen_ai.response.finish_reasons\":[\"stop\"],"
                       "\"gen_ai.usage.input_tokens\":42,"
                       "\"gen_ai.response.time_to_first_chunk\":0.25}}\n");
}

static void error_is_a_status_and_its_attributes(void **state)
{
    (void)state;
    struct moot_span span;
    const struct moot_error_info info = {
        .code = MOOT_ETIMEDOUT, .phase = MOOT_PHASE_CONNECT, .message = "no connection within 10s"};
    moot__span_begin(&span, MOOT_SPAN_ASSEMBLE, &root_ids, 1);
    moot__span_fail(&span, &info);
    assert_line(&span, "{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                       "\"span_id\":\"00f067aa0ba902b7\","
                       "\"name\":\"Assemble Conversation\",\"kind\":\"INTERNAL\","
                       "\"start_time_unix_nano\":\"1\",\"end_time_unix_nano\":\"1\","
                       "\"status\":{\"code\":\"ERROR\",\"message\":\"no connection within 10s\"},"
                       "\"attributes\":{\"error.type\":\"ETIMEDOUT\","
                       "\"moot.error.phase\":\"connect\"}}\n");
}

/* The worst text for a line: control characters, as many as a ring lets through. */
static void longest_line_fits(void **state)
{
    (void)state;
    static char text[MOOT_LIMIT_SPAN_BYTES + 100];
    struct moot_ring ring;
    struct moot_span span, read;
    struct moot_buf buf;
    memset(text, 1, sizeof text);
    const struct moot_ring_options options = {.content = true};
    assert_int_equal(moot__ring_init(&ring, NULL, &options), MOOT_OK);
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &root_ids, 1);
    for (unsigned attr = 0; attr < MOOT_ATTRS; attr++) {
        span.set |= MOOT_ATTR_BIT(attr);
        if (moot__attrs_text & MOOT_ATTR_BIT(attr))
            span.values[attr].text = moot__view(text, sizeof text);
        else
            span.values[attr].u64 = UINT64_MAX;
    }
    assert_true(moot__ring_write(&ring, &span));
    assert_true(moot__ring_read(&ring, &read));
    moot__buf_init(&buf, NULL, MOOT_JSONL_LINE_BYTES);
    assert_int_equal(moot__encode_jsonl(&read, &buf), MOOT_OK);
    assert_true(buf.len > 5 * (size_t)MOOT_LIMIT_SPAN_BYTES);
    moot__buf_deinit(&buf);
    moot__ring_deinit(&ring);
}

static void member_hex(struct moot_json_writer *w, const char *key, const uint8_t *bytes,
                       size_t count)
{
    char text[33];
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    moot__json_write_member_str(w, key, text);
}

static void member_decimal(struct moot_json_writer *w, const char *key, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    moot__json_write_member_str(w, key, text);
}

static void member_attribute(struct moot_json_writer *w, const struct moot_attr_info *info,
                             const union moot_attr_value *value)
{
    moot__json_write_key_str(w, info->name);
    switch (info->type) {
    case MOOT_ATTR_TYPE_U64:
        moot__json_write_u64(w, value->u64);
        break;
    case MOOT_ATTR_TYPE_SECONDS:
        moot__json_write_double(w, (double)value->u64 / (double)MOOT_NS_PER_S);
        break;
    case MOOT_ATTR_TYPE_F64:
        moot__json_write_double(w, value->f64);
        break;
    case MOOT_ATTR_TYPE_BOOL:
        moot__json_write_bool(w, value->u64 != 0);
        break;
    case MOOT_ATTR_TYPE_STR:
        moot__json_write_string(w, value->text);
        break;
    case MOOT_ATTR_TYPE_LIST:
        moot__json_write_array_begin(w);
        moot__json_write_string(w, value->text);
        moot__json_write_array_end(w);
        break;
    }
}

/* The line as the header describes it, by the writer that knows nothing of spans. */
static void write_line(const struct moot_span *span, struct moot_buf *out)
{
    struct moot_json_writer w;
    const struct moot_span_name_info *name = &moot__span_name_infos[span->name];
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    member_hex(&w, "trace_id", span->ids.trace_id, sizeof span->ids.trace_id);
    member_hex(&w, "span_id", span->ids.span_id, sizeof span->ids.span_id);
    if (!moot__span_is_root(&span->ids))
        member_hex(&w, "parent_span_id", span->ids.parent_id, sizeof span->ids.parent_id);
    moot__json_write_member_str(&w, "name", name->name);
    moot__json_write_member_str(&w, "kind", name->kind);
    member_decimal(&w, "start_time_unix_nano", span->start_wall_ns);
    member_decimal(&w, "end_time_unix_nano", span->end_wall_ns);
    moot__json_write_member_object_begin(&w, "status");
    moot__json_write_member_str(&w, "code", span->status == MOOT_SPAN_OK ? "OK" : "ERROR");
    if (moot__span_has(span, MOOT_ATTR_STATUS_MESSAGE))
        moot__json_write_member_string(&w, "message", span->values[MOOT_ATTR_STATUS_MESSAGE].text);
    moot__json_write_object_end(&w);
    moot__json_write_member_object_begin(&w, "attributes");
    if (name->operation[0])
        moot__json_write_member_str(&w, "gen_ai.operation.name", name->operation);
    for (unsigned attr = 0; attr < MOOT_ATTRS; attr++)
        if (span->set & MOOT_ATTR_BIT(attr) && attr != MOOT_ATTR_STATUS_MESSAGE)
            member_attribute(&w, &moot__attr_infos[attr], &span->values[attr]);
    moot__json_write_object_end(&w);
    moot__json_write_object_end(&w);
    assert_int_equal(moot__json_write_finish(&w), MOOT_OK);
    assert_int_equal(moot__buf_append_byte(out, '\n'), MOOT_OK);
}

static struct moot_span random_span(struct moot_rng *rng)
{
    static const char text[] = "plain text\n\"quoted\" \xE2\x82\xAC \xFF and \x01 more of it";
    struct moot_span span;
    struct moot_span_ids ids;
    moot__span_ids_root(&ids, rng);
    if (moot__rng_below(rng, 2))
        moot__span_ids_child(&ids, &ids, rng);
    uint64_t start_ns = moot__rng_next(rng) >> moot__rng_below(rng, 64);
    moot__span_begin(&span, (enum moot_span_name)moot__rng_below(rng, MOOT_SPAN_NAMES), &ids,
                     start_ns);
    moot__span_end(&span, start_ns + moot__rng_below(rng, 1000));
    span.status = moot__rng_below(rng, 2) ? MOOT_SPAN_OK : MOOT_SPAN_ERROR;
    for (unsigned attr = 0; attr < MOOT_ATTRS; attr++) {
        if (moot__rng_below(rng, 2))
            continue;
        span.set |= MOOT_ATTR_BIT(attr);
        if (moot__attrs_text & MOOT_ATTR_BIT(attr))
            span.values[attr].text = moot__view(text, moot__rng_below(rng, sizeof text));
        else if (moot__attr_infos[attr].type == MOOT_ATTR_TYPE_F64)
            span.values[attr].f64 = moot__rng_unit(rng);
        else
            span.values[attr].u64 = moot__rng_next(rng) >> moot__rng_below(rng, 64);
    }
    return span;
}

static void any_span_is_as_the_writer_has_it(void **state)
{
    (void)state;
    struct moot_rng rng;
    struct moot_buf expected, found;
    moot__rng_init(&rng, 1);
    moot__buf_init(&expected, NULL, MOOT_JSONL_LINE_BYTES);
    moot__buf_init(&found, NULL, MOOT_JSONL_LINE_BYTES);
    for (unsigned round = 0; round < 3000; round++) {
        struct moot_span span = random_span(&rng);
        moot__buf_reset(&expected);
        moot__buf_reset(&found);
        write_line(&span, &expected);
        assert_int_equal(moot__encode_jsonl(&span, &found), MOOT_OK);
        assert_int_equal(found.len, expected.len);
        assert_memory_equal(found.data, expected.data, expected.len);
    }
    moot__buf_deinit(&expected);
    moot__buf_deinit(&found);
}

static void line_that_does_not_fit_adds_nothing(void **state)
{
    (void)state;
    struct moot_span span;
    struct moot_buf buf;
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &root_ids, 1);
    moot__buf_init(&buf, NULL, MOOT_JSONL_LINE_BYTES);
    assert_int_equal(moot__encode_jsonl(&span, &buf), MOOT_OK);
    size_t line = buf.len;
    moot__buf_deinit(&buf);
    for (size_t max = 1; max <= line; max++) {
        moot__buf_init(&buf, NULL, max);
        assert_int_equal(moot__buf_append_byte(&buf, '!'), MOOT_OK);
        assert_int_equal(moot__encode_jsonl(&span, &buf), MOOT_ELIMIT);
        assert_view(moot__buf_view(&buf), "!");
        moot__buf_deinit(&buf);
    }
    moot__buf_init(&buf, NULL, line);
    assert_int_equal(moot__encode_jsonl(&span, &buf), MOOT_OK);
    moot__buf_deinit(&buf);
}

static void no_memory_adds_nothing(void **state)
{
    (void)state;
    struct moot_span span;
    struct moot_failing_alloc memory;
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &root_ids, 1);
    for (size_t nth = 1;; nth++) {
        struct moot_buf buf;
        moot__failing_alloc_init(&memory, nth);
        moot__buf_init(&buf, &memory.allocator, MOOT_JSONL_LINE_BYTES);
        int error = moot__encode_jsonl(&span, &buf);
        bool failed = moot__failing_alloc_failed(&memory);
        assert_int_equal(error, failed ? MOOT_ENOMEM : MOOT_OK);
        assert_int_equal(buf.len == 0, failed);
        moot__buf_deinit(&buf);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_a_line),
        cmocka_unit_test(every_type_of_attribute),
        cmocka_unit_test(error_is_a_status_and_its_attributes),
        cmocka_unit_test(any_span_is_as_the_writer_has_it),
        cmocka_unit_test(longest_line_fits),
        cmocka_unit_test(line_that_does_not_fit_adds_nothing),
        cmocka_unit_test(no_memory_adds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
