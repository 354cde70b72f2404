/* Spans survive being bytes; texts that do not fit are cut fairly and never inside a character. */
#include "support.h"

#include "engine/base/alloc.h"
#include "trace/record.h"

static const struct moot_span_ids some_ids = {.trace_id = {1}, .span_id = {2}};

static void through_bytes(const struct moot_span *span, struct moot_span *out, void *record,
                          size_t max)
{
    struct moot_record_plan plan = moot__record_plan(span, UINT64_MAX, max);
    assert_true(plan.size <= max);
    assert_int_equal(plan.size % MOOT_RECORD_UNIT, 0);
    memset(record, 0xA5, plan.size + MOOT_RECORD_UNIT);
    moot__record_encode(span, &plan, record);
    assert_int_equal(((unsigned char *)record)[plan.size], 0xA5); /* not a byte behind */
    moot__record_decode(record, out);
}

static void random_spans_round_trip(void **state)
{
    (void)state;
    static const char filler[200] = "abcdefgh";
    uint64_t record[8192];
    struct moot_rng rng;
    moot__rng_init(&rng, 7);
    for (int i = 0; i < 2000; i++) {
        struct moot_span span, back;
        random_span(&span, &rng, filler, sizeof filler);
        through_bytes(&span, &back, record, 60000);
        assert_spans_equal(&span, &back);
    }
}

static void numbers_cost_eight_bytes(void **state)
{
    (void)state;
    struct moot_span span;
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &some_ids, 1);
    assert_int_equal(moot__record_plan(&span, UINT64_MAX, 1024).size, 64);
    moot__span_set_u64(&span, MOOT_ATTR_ATTEMPTS, 1);
    assert_int_equal(moot__record_plan(&span, UINT64_MAX, 1024).size, 72);
    moot__span_set_str(&span, MOOT_ATTR_ROLE, "oracle"); /* length, then one padded unit */
    assert_int_equal(moot__record_plan(&span, UINT64_MAX, 1024).size, 88);
}

static void what_is_not_allowed_is_not_recorded(void **state)
{
    (void)state;
    struct moot_span span, back;
    uint64_t record[128];
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &some_ids, 1);
    moot__span_set_str(&span, MOOT_ATTR_INPUTS, "a prompt");
    moot__span_set_u64(&span, MOOT_ATTR_ATTEMPTS, 3);
    struct moot_record_plan plan = moot__record_plan(&span, ~moot__attrs_content, 1024);
    moot__record_encode(&span, &plan, record);
    moot__record_decode(record, &back);
    assert_int_equal(back.set, MOOT_ATTR_BIT(MOOT_ATTR_ATTEMPTS));
    assert_int_equal(back.values[MOOT_ATTR_ATTEMPTS].u64, 3);
}

static void exactly_the_ceiling_is_not_cut(void **state)
{
    (void)state;
    static char text[2048];
    uint64_t record[260];
    struct moot_span span, back;
    memset(text, 'x', sizeof text);
    for (size_t len = 2048 - 72 - 8; len <= 2048 - 72 + 8; len++) {
        moot__span_begin(&span, MOOT_SPAN_RESPONSE, &some_ids, 1);
        moot__span_set_view(&span, MOOT_ATTR_INPUTS, moot__view(text, len));
        through_bytes(&span, &back, record, 2048);
        bool fits = len <= 2048 - 72;
        assert_int_equal(moot__span_has(&back, MOOT_ATTR_TRUNCATED), !fits);
        assert_int_equal(back.values[MOOT_ATTR_INPUTS].text.len, fits ? len : 2048 - 72 - 8);
    }
}

static void long_texts_share_what_short_ones_leave(void **state)
{
    (void)state;
    static char text[100000];
    uint64_t record[1025];
    struct moot_span span, back;
    memset(text, 'x', sizeof text);
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &some_ids, 1);
    moot__span_set_str(&span, MOOT_ATTR_ROLE, "oracle");
    moot__span_set_view(&span, MOOT_ATTR_CALLER_PARAMS, moot__view(text, 1000));
    moot__span_set_view(&span, MOOT_ATTR_INPUTS, moot__view(text, 100000));
    moot__span_set_view(&span, MOOT_ATTR_OUTPUTS, moot__view(text, 4000));
    through_bytes(&span, &back, record, 8192);
    assert_true(moot__span_has(&back, MOOT_ATTR_TRUNCATED));
    assert_view(back.values[MOOT_ATTR_ROLE].text, "oracle");
    assert_int_equal(back.values[MOOT_ATTR_CALLER_PARAMS].text.len, 1000);
    size_t inputs = back.values[MOOT_ATTR_INPUTS].text.len;
    size_t outputs = back.values[MOOT_ATTR_OUTPUTS].text.len;
    assert_int_equal(inputs, outputs);
    assert_true(inputs + outputs > 8192 - 64 - 5 * 8 - 8 - 1000 - 32);
}

static void cuts_are_at_characters(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    static char text[4096];
    uint64_t record[160];
    for (size_t u = 0; u < moot__countof(units); u++) {
        size_t unit = strlen(units[u]);
        for (size_t shift = 0; shift < 4; shift++) {
            struct moot_span span, back;
            memset(text, 'x', shift);
            for (size_t i = shift; i + unit <= sizeof text; i += unit)
                memcpy(text + i, units[u], unit);
            moot__span_begin(&span, MOOT_SPAN_RESPONSE, &some_ids, 1);
            moot__span_set_view(&span, MOOT_ATTR_INPUTS, moot__view(text, 4000));
            through_bytes(&span, &back, record, 1024);
            size_t len = back.values[MOOT_ATTR_INPUTS].text.len;
            assert_int_equal((len - shift) % unit, 0);
            assert_in_range(len, 1024 - 80 - 3, 1024 - 80);
        }
    }
    /* What is no UTF-8 still has an end. */
    struct moot_span span, back;
    memset(text, 0x80, sizeof text);
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &some_ids, 1);
    moot__span_set_view(&span, MOOT_ATTR_INPUTS, moot__view(text, 4000));
    through_bytes(&span, &back, record, 1024);
    assert_int_equal(back.values[MOOT_ATTR_INPUTS].text.len, 1024 - 80);
}

static void smallest_ceiling_holds_everything_cut(void **state)
{
    (void)state;
    static char filler[5000];
    uint64_t record[160];
    memset(filler, 'y', sizeof filler);
    struct moot_rng rng;
    moot__rng_init(&rng, 3);
    for (int i = 0; i < 2000; i++) {
        struct moot_span span, back;
        random_span(&span, &rng, filler, sizeof filler);
        if (i % 2)
            span.set = (UINT64_C(1) << MOOT_ATTRS) - 1;
        through_bytes(&span, &back, record, MOOT_RECORD_MAX_MIN);
        assert_int_equal(back.set & ~MOOT_ATTR_BIT(MOOT_ATTR_TRUNCATED),
                         span.set & ~MOOT_ATTR_BIT(MOOT_ATTR_TRUNCATED));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_spans_round_trip),
        cmocka_unit_test(numbers_cost_eight_bytes),
        cmocka_unit_test(what_is_not_allowed_is_not_recorded),
        cmocka_unit_test(exactly_the_ceiling_is_not_cut),
        cmocka_unit_test(long_texts_share_what_short_ones_leave),
        cmocka_unit_test(cuts_are_at_characters),
        cmocka_unit_test(smallest_ceiling_holds_everything_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
