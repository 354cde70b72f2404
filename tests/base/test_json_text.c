/* What json_write's tests do not see: exact lengths, nothing written beyond them, blocks. */
#include "tests/support/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "engine/base/json_text.h"
#include "engine/base/rng.h"
#include "engine/base/utf8.h"

enum { TEXT_BYTES = 200, GUARD = 0x5a };

/* Escape byte by byte, as slowly as one can. */
static size_t escape_slowly(struct moot_view text, char *out)
{
    size_t len = 0;
    out[len++] = '"';
    for (size_t at = 0; at < text.len;) {
        size_t bad, good = moot__utf8_scan(moot__view(text.ptr + at, text.len - at), &bad);
        for (size_t i = 0; i < good; i++) {
            unsigned char byte = (unsigned char)text.ptr[at + i];
            static const char short_forms[] = "\bb\tt\nn\ff\rr\"\"\\\\";
            const char *form = byte ? strchr(short_forms, byte) : NULL;
            if (form && (form - short_forms) % 2 == 1)
                form = NULL; /* the letter of a form, which is no byte to escape */
            if (form)
                len += (size_t)snprintf(out + len, 3, "\\%c", form[1]);
            else if (byte < 0x20)
                len += (size_t)snprintf(out + len, 7, "\\u%04x", (unsigned)byte);
            else
                out[len++] = (char)byte;
        }
        at += good + bad;
        if (bad) {
            memcpy(out + len, "\xEF\xBF\xBD", 3);
            len += 3;
        }
    }
    out[len++] = '"';
    return len;
}

static void assert_same(struct moot_view text)
{
    char expected[MOOT_JSON_STRING_BYTES_MAX(TEXT_BYTES)];
    char found[sizeof expected + 1];
    size_t len = escape_slowly(text, expected);
    memset(found, GUARD, sizeof found);
    assert_ptr_equal(moot__json_put_string(found, text), found + len);
    assert_memory_equal(found, expected, len);
    assert_int_equal(found[len], GUARD);
    assert_int_equal(moot__json_string_bytes(text), len);
}

/* Mostly plain, so that blocks and words of it are, too. */
static void random_texts(void **state)
{
    (void)state;
    static const char *const rare[] = {"\"",   "\\",           "\n",       "\x01", "\x1f",
                                       "\xFF", "\xE2\x82\xAC", "\xE2\x82", "\x7F", "\xED\xA0\xBD"};
    struct moot_rng rng;
    moot__rng_init(&rng, 7);
    for (unsigned round = 0; round < 20000; round++) {
        char text[TEXT_BYTES];
        size_t len = moot__rng_below(&rng, sizeof text + 1);
        uint64_t rarity = 1 + moot__rng_below(&rng, 200);
        memset(text, 'a', sizeof text);
        for (size_t at = 0; at < len; at++) {
            const char *piece = rare[moot__rng_below(&rng, sizeof rare / sizeof rare[0])];
            size_t piece_len = strlen(piece);
            if (moot__rng_below(&rng, rarity) == 0 && piece_len <= len - at)
                memcpy(text + at, piece, piece_len);
        }
        assert_same(moot__view(text, len));
    }
}

/* Every byte at every place of a block, and around it. */
static void every_byte_everywhere(void **state)
{
    (void)state;
    static const size_t lens[] = {1, 3, 7, 8, 9, 15, 64, 65, 73, 140};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            for (size_t at = 0; at < lens[i]; at++) {
                char text[TEXT_BYTES];
                memset(text, 'a', sizeof text);
                text[at] = (char)byte;
                assert_same(moot__view(text, lens[i]));
            }
        }
    }
    assert_same(moot__view(NULL, 0));
}

static void assert_number(uint64_t value)
{
    char expected[32], found[MOOT_JSON_U64_BYTES_MAX + 1];
    size_t len = (size_t)snprintf(expected, sizeof expected, "%" PRIu64, value);
    memset(found, GUARD, sizeof found);
    assert_ptr_equal(moot__json_put_u64(found, value), found + len);
    assert_memory_equal(found, expected, len);
    assert_int_equal(found[len], GUARD);
}

static void numbers_of_every_length(void **state)
{
    (void)state;
    struct moot_rng rng;
    moot__rng_init(&rng, 8);
    for (uint64_t value = 0; value < 20000; value++)
        assert_number(value);
    for (uint64_t power = 10; power <= UINT64_MAX / 10; power *= 10) {
        assert_number(power - 1);
        assert_number(power);
        assert_number(power + 1);
    }
    assert_number(UINT64_MAX);
    for (unsigned round = 0; round < 20000; round++)
        assert_number(moot__rng_next(&rng) >> moot__rng_below(&rng, 64));
}

static void doubles_fit(void **state)
{
    (void)state;
    static const double values[] = {0,           -0.0,
                                    1.5,         -1.2345678901234567e-300,
                                    1e300,       -0.1 - 0.2,
                                    5e-324,      -1.7976931348623157e308,
                                    (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[MOOT_JSON_DOUBLE_BYTES_MAX + 1] = {0};
        char *end = moot__json_put_double(text, values[i]);
        assert_true(end > text && end <= text + MOOT_JSON_DOUBLE_BYTES_MAX);
        double back = 0;
        if (isfinite(values[i]))
            assert_true(moot__view_to_double(moot__view_str(text), &back) && back == values[i]);
        else
            assert_string_equal(text, "null");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_texts),
        cmocka_unit_test(every_byte_everywhere),
        cmocka_unit_test(numbers_of_every_length),
        cmocka_unit_test(doubles_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
