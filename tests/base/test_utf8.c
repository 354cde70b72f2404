#include "tests/support/test.h"

#include "engine/base/rng.h"
#include "engine/base/utf8.h"

/* Each byte on its own, then what the standard's table 3-7 allows and forbids at its edges. */
static const struct {
    const char *bytes;
    size_t len, good, bad;
} table[] = {
    {"", 0, 0, 0},
    {"a\0b", 3, 3, 0},
    {"\x7F", 1, 1, 0},
    {"\x80", 1, 0, 1},
    {"\xBF", 1, 0, 1},
    {"\xC0\xAF", 2, 0, 1}, /* an overlong slash */
    {"\xC1\xBF", 2, 0, 1},
    {"\xC2\x80", 2, 2, 0},
    {"\xC2", 1, 0, 1},
    {"\xDF\xBF", 2, 2, 0},
    {"\xE0\x9F\xBF", 3, 0, 1}, /* overlong */
    {"\xE0\xA0\x80", 3, 3, 0},
    {"\xED\x9F\xBF", 3, 3, 0}, /* U+D7FF */
    {"\xED\xA0\x80", 3, 0, 1}, /* U+D800 */
    {"\xED\xBF\xBF", 3, 0, 1}, /* U+DFFF */
    {"\xEE\x80\x80", 3, 3, 0},
    {"\xEF\xBF\xBF", 3, 3, 0},
    {"\xE2\x82", 2, 0, 2}, /* cut */
    {"\xE2\x82"
     "a",
     3, 0, 2},
    {"\xF0\x8F\xBF\xBF", 4, 0, 1}, /* overlong */
    {"\xF0\x90\x80\x80", 4, 4, 0},
    {"\xF0\x9F\x98", 3, 0, 3},     /* cut */
    {"\xF4\x8F\xBF\xBF", 4, 4, 0}, /* U+10FFFF */
    {"\xF4\x90\x80\x80", 4, 0, 1}, /* above it */
    {"\xF5\x80\x80\x80", 4, 0, 1},
    {"\xFF", 1, 0, 1},
    {"0123456789abcde\xC3\xA9z", 18, 18, 0},
    {"0123456\xE2\x82\xAC"
     "89\xC3",
     13, 12, 1},
};

static void the_scan_follows_the_standard(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t bad = 99;
        assert_int_equal(moot__utf8_scan(moot__view(table[i].bytes, table[i].len), &bad),
                         table[i].good);
        assert_int_equal(bad, table[i].bad);
    }
}

static void a_bad_byte_is_found_wherever_it_is(void **state)
{
    (void)state;
    char text[100];
    for (size_t len = 0; len <= sizeof text; len++) {
        memset(text, 'a', sizeof text);
        assert_int_equal(moot__utf8_scan(moot__view(text, len), NULL), len);
        for (size_t at = 0; at < len; at++) {
            text[at] = '\xFF';
            assert_int_equal(moot__utf8_scan(moot__view(text, len), NULL), at);
            text[at] = 'a';
        }
    }
}

static void every_code_point_is_valid_but_the_surrogates(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char bytes[4];
        size_t n = moot__utf8_encode(code, bytes);
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        if (moot__utf8_valid(moot__view(bytes, n)) == surrogate)
            fail_msg("U+%04X", (unsigned)code);
        for (size_t cut = 1; cut < n; cut++)
            assert_false(moot__utf8_valid(moot__view(bytes, cut)));
    }
}

static void assert_replaced(const char *bytes, size_t len, const char *expected)
{
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 256);
    assert_int_equal(moot__utf8_append_replacing(&buf, moot__view(bytes, len)), MOOT_OK);
    assert_view(moot__buf_view(&buf), expected);
    moot__buf_deinit(&buf);
}

#define R "\xEF\xBF\xBD"

static void replacing_counts_as_browsers_do(void **state)
{
    (void)state;
    assert_replaced("plain", 5, "plain");
    assert_replaced("a\x80"
                    "b",
                    3, "a" R "b");
    assert_replaced("\xC0\xAF", 2, R R);
    assert_replaced("\xED\xA0\x80", 3, R R R);
    assert_replaced("\xE2\x82"
                    "a\xE2\x82\xAC",
                    6, R "a\xE2\x82\xAC");
    assert_replaced("\xF0\x9F\x98", 3, R);
    /* The example of the standard, section 3.9. */
    assert_replaced("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", 13,
                    "a" R R R "b" R "c" R R "d");
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
    (void)state;
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 8);
    assert_int_equal(moot__utf8_append_replacing(&buf, MOOT_VIEW("abc\xED\xA0\xBD")), MOOT_ELIMIT);
    assert_int_equal(buf.len, 0);
    assert_int_equal(moot__buf_append(&buf, "ab\xED\xA0\xBD", 5), MOOT_OK);
    assert_int_equal(moot__utf8_append_joining(&buf, MOOT_VIEW("\xED\xB8\x80"
                                                               "abc")),
                     MOOT_ELIMIT);
    assert_int_equal(buf.len, 5);
    assert_int_equal(moot__utf8_append_joining(&buf, MOOT_VIEW("\xED\xB8\x80"
                                                               "ab")),
                     MOOT_OK);
    assert_view(moot__buf_view(&buf), "ab\xF0\x9F\x98\x80"
                                      "ab");
    moot__buf_deinit(&buf);
}

static void halves_join_across_deltas(void **state)
{
    (void)state;
    static const struct {
        const char *deltas[5];
        const char *settled;
    } rows[] = {
        {{"\xED\xA0\xBD", "\xED\xB8\x80"}, "\xF0\x9F\x98\x80"},
        {{"a\xED\xA0\xBD", "", "\xED\xB8\x80z"}, "a\xF0\x9F\x98\x80z"},
        {{"\xED\xA0\xBD", "x", "\xED\xB8\x80"}, R "x" R},
        {{"\xED\xA0\xBD", "\xED\xA0\xBD", "\xED\xB8\x80"}, R "\xF0\x9F\x98\x80"},
        {{"\xED\xB8\x80", "\xED\xA0\xBD"}, R R},
        {{"\xED\xA0\xBD"}, R},
        {{"\xED\x9F\xBF", "\xED\xB8\x80"}, "\xED\x9F\xBF" R},
        {{"\xED\xAF\xBF", "\xED\xBF\xBF"}, "\xF4\x8F\xBF\xBF"},
        {{"\xED\xA0\x80", "\xED\xB0\x80"}, "\xF0\x90\x80\x80"},
        {{"plain", " ", "text"}, "plain text"},
        {{""}, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moot_buf buf, seen;
        moot__buf_init(&buf, NULL, 256);
        moot__buf_init(&seen, NULL, 256);
        size_t settled = 0;
        for (size_t d = 0; d < 5 && rows[i].deltas[d]; d++) {
            assert_int_equal(moot__utf8_append_joining(&buf, moot__view_str(rows[i].deltas[d])), 0);
            size_t from = settled;
            settled = moot__utf8_settle(&buf, from, false);
            assert_true(settled >= from);
            assert_int_equal(moot__buf_append(&seen, buf.data + from, settled - from), 0);
            assert_true(moot__utf8_valid(moot__buf_view(&seen)));
        }
        size_t from = settled;
        settled = moot__utf8_settle(&buf, from, true);
        assert_int_equal(settled, buf.len);
        assert_int_equal(moot__buf_append(&seen, buf.data + from, settled - from), 0);
        assert_view(moot__buf_view(&buf), rows[i].settled);
        assert_view(moot__buf_view(&seen), rows[i].settled);
        moot__buf_deinit(&buf);
        moot__buf_deinit(&seen);
    }
}

static void random_bytes_always_come_out_valid(void **state)
{
    (void)state;
    struct moot_rng rng;
    moot__rng_init(&rng, 20);
    static const unsigned char leads[] = {0xC2, 0xE0, 0xED, 0xA0, 0xB0,
                                          0xF0, 0x9F, 0xF4, 0x80, 'a'};
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        size_t len = moot__rng_below(&rng, sizeof bytes + 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)leads[moot__rng_below(&rng, sizeof leads)];
        struct moot_buf buf;
        moot__buf_init(&buf, NULL, 256);
        assert_int_equal(moot__utf8_append_replacing(&buf, moot__view(bytes, len)), MOOT_OK);
        assert_true(moot__utf8_valid(moot__buf_view(&buf)));
        moot__buf_deinit(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scan_follows_the_standard),
        cmocka_unit_test(a_bad_byte_is_found_wherever_it_is),
        cmocka_unit_test(every_code_point_is_valid_but_the_surrogates),
        cmocka_unit_test(replacing_counts_as_browsers_do),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(halves_join_across_deltas),
        cmocka_unit_test(random_bytes_always_come_out_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
