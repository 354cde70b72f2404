#include "tests/support/test.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "engine/base/json_write.h"
#include "engine/base/rng.h"
#include "engine/base/utf8.h"
#include "tests/support/failing_alloc.h"

struct fixture {
    struct moot_buf buf;
    struct moot_json_writer w;
};

static int set_up(void **state)
{
    static struct fixture fixture; /* one test at a time */
    moot__buf_init(&fixture.buf, NULL, 1 << 20);
    moot__json_write_init(&fixture.w, &fixture.buf);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    moot__buf_deinit(&f->buf);
    return 0;
}

static void assert_written(struct fixture *f, const char *expected)
{
    assert_int_equal(moot__json_write_finish(&f->w), MOOT_OK);
    assert_view(moot__buf_view(&f->buf), expected);
    moot__buf_reset(&f->buf);
    moot__json_write_init(&f->w, &f->buf);
}

static void commas_and_colons_are_the_writers(void **state)
{
    struct fixture *f = *state;
    struct moot_json_writer *w = &f->w;
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "model", "m1");
    moot__json_write_member_u64(w, "max", UINT64_MAX);
    moot__json_write_member_i64(w, "min", INT64_MIN);
    moot__json_write_member_double(w, "t", 0.7);
    moot__json_write_member_bool(w, "stream", true);
    moot__json_write_member_null(w, "stop");
    moot__json_write_member_array_begin(w, "messages");
    moot__json_write_object_begin(w);
    moot__json_write_member_string(w, "role", MOOT_VIEW("user"));
    moot__json_write_object_end(w);
    moot__json_write_array_begin(w);
    moot__json_write_array_end(w);
    moot__json_write_number_text(w, MOOT_VIEW("1.50e+3"));
    moot__json_write_bool(w, false);
    moot__json_write_array_end(w);
    moot__json_write_member_object_begin(w, "empty");
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
    assert_written(f,
                   "{\"model\":\"m1\",\"max\":18446744073709551615,\"min\":-9223372036854775808,"
                   "\"t\":0.7,\"stream\":true,\"stop\":null,\"messages\":[{\"role\":\"user\"},[],"
                   "1.50e+3,false],\"empty\":{}}");
    moot__json_write_null(w);
    assert_written(f, "null");
}

#define R "\xEF\xBF\xBD"

static void only_what_must_be_is_escaped(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct moot_view text;
        const char *json;
    } rows[] = {
        {{"", 0}, "\"\""},
        {{"a/b'c\x7F", 6}, "\"a/b'c\x7F\""},
        {{"\"\\", 2}, "\"\\\"\\\\\""},
        {{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {{"\0\x01\x0b\x1f", 4}, "\"\\u0000\\u0001\\u000b\\u001f\""},
        {{"\xE2\x80\xA8\xE2\x80\xA9", 6}, "\"\xE2\x80\xA8\xE2\x80\xA9\""},
        {{"\xF0\x9F\x98\x80", 4}, "\"\xF0\x9F\x98\x80\""},
        {{"a\xFF\nb\xED\xA0\xBD", 7}, "\"a" R "\\nb" R R R "\""},
        {{"\xE2\x82", 2}, "\"" R "\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        moot__json_write_string(&f->w, rows[i].text);
        assert_written(f, rows[i].json);
    }
    moot__json_write_object_begin(&f->w);
    moot__json_write_key(&f->w, MOOT_VIEW("\n\xFF"));
    moot__json_write_u64(&f->w, 0);
    moot__json_write_object_end(&f->w);
    assert_written(f, "{\"\\n" R "\":0}");
}

/* Every byte at every place of a text that is looked at eight bytes at a time. */
static void an_escape_is_found_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    for (int byte = 0; byte < 0x80; byte++) {
        char text[19], expected[64], escape[8] = {(char)byte, 0};
        const char *const short_forms = "\bb\tt\nn\ff\rr\"\"\\\\";
        for (size_t i = 0; short_forms[i]; i += 2)
            if (byte == short_forms[i])
                snprintf(escape, sizeof escape, "\\%c", short_forms[i + 1]);
        if (byte < 0x20 && escape[0] != '\\')
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)byte);
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'a', sizeof text);
            text[at] = (char)byte;
            snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", (int)at, "aaaaaaaaaaaaaaaaaaa",
                     escape, (int)(sizeof text - at - 1), "aaaaaaaaaaaaaaaaaaa");
            moot__json_write_string(&f->w, moot__view(text, sizeof text));
            assert_written(f, expected);
        }
    }
}

static void doubles_are_short(void **state)
{
    struct fixture *f = *state;
    static const struct {
        double value;
        const char *json;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1e21, "1e+21"},
        {1e-7, "1e-07"},
        {0.30000000000000004, "0.30000000000000004"},
        {5e-324, "5e-324"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {(double)NAN, "null"},
        {(double)INFINITY, "null"},
        {123456789012, "123456789012"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        moot__json_write_double(&f->w, rows[i].value);
        assert_written(f, rows[i].json);
    }
}

static void doubles_read_back_the_same(void **state)
{
    struct fixture *f = *state;
    struct moot_rng rng;
    moot__rng_init(&rng, 754);
    for (int round = 0; round < 20000; round++) {
        uint64_t bits = moot__rng_next(&rng);
        double value, back;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        moot__buf_reset(&f->buf);
        moot__json_write_init(&f->w, &f->buf);
        moot__json_write_double(&f->w, value);
        assert_int_equal(moot__json_write_finish(&f->w), MOOT_OK);
        assert_true(moot__view_to_double(moot__buf_view(&f->buf), &back));
        assert_true(back == value);
    }
}

/* A comma of one byte, and an Arabic one of two. */
static void a_decimal_comma_changes_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const locales[] = {"de_DE.UTF-8", "ps_AF.UTF-8"};
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        if (!setlocale(LC_NUMERIC, locales[i]))
            continue;
        found = true;
        moot__json_write_double(&f->w, -1234.5);
        setlocale(LC_NUMERIC, "C");
        assert_written(f, "-1234.5");
    }
    if (!found) {
        print_message("no locale with a decimal comma here\n");
        skip();
    }
}

static void number_texts_are_checked(void **state)
{
    struct fixture *f = *state;
    static const char *good[] = {"0", "-0", "10", "0.5", "-1.25E-3", "1e5", "0e+1"};
    static const char *bad[] = {"",    "-",   "01",  "+1", ".5",  "1.",  "1e",
                                "1e+", "0x1", "NaN", "1 ", "1,2", "--1", "1.e1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        moot__json_write_number_text(&f->w, moot__view_str(good[i]));
        assert_written(f, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        moot__json_write_init(&f->w, &f->buf);
        moot__json_write_number_text(&f->w, moot__view_str(bad[i]));
        assert_int_equal(moot__json_write_finish(&f->w), MOOT_EINVAL);
    }
}

static void a_failure_cuts_the_buffer_back(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(moot__buf_append_str(&f->buf, "before"), MOOT_OK);
    moot__json_write_init(&f->w, &f->buf);
    moot__json_write_array_begin(&f->w);
    moot__json_write_u64(&f->w, 1);
    assert_int_equal(moot__json_write_finish(&f->w), MOOT_EINVAL); /* not closed */
    assert_view(moot__buf_view(&f->buf), "before");
    moot__json_write_init(&f->w, &f->buf);
    assert_int_equal(moot__json_write_finish(&f->w), MOOT_EINVAL); /* nothing at all */
}

/* The ceiling is the document's size, to the byte. */
static void the_ceiling_is_exact(void **state)
{
    (void)state;
    static const char expected[] = "{\"k\\n\":\"a\\\"\xEF\xBF\xBD\",\"\":[1,null]}";
    size_t len = sizeof expected - 1;
    for (size_t max = 1; max <= len + 1; max++) {
        struct moot_buf buf;
        moot__buf_init(&buf, NULL, max);
        struct moot_json_writer w;
        moot__json_write_init(&w, &buf);
        moot__json_write_object_begin(&w);
        moot__json_write_member_str(&w, "k\n", "a\"\xFF");
        moot__json_write_member_array_begin(&w, "");
        moot__json_write_u64(&w, 1);
        moot__json_write_null(&w);
        moot__json_write_array_end(&w);
        moot__json_write_object_end(&w);
        int rc = moot__json_write_finish(&w);
        assert_int_equal(rc, max < len ? MOOT_ELIMIT : MOOT_OK);
        assert_view(moot__buf_view(&buf), rc ? "" : expected);
        moot__buf_deinit(&buf);
    }
}

static void write_tree(struct moot_json_writer *w, struct moot_rng *rng, unsigned depth)
{
    static const char *texts[] = {"",       "a", "\"q\"", "\n\t\x01", "\xC3\xA9\xF0\x9F\x98\x80",
                                  "\\u0041"};
    uint64_t kind = moot__rng_below(rng, depth < 6 ? 9 : 6);
    uint64_t children = moot__rng_below(rng, 5);
    switch (kind) {
    case 0:
        moot__json_write_null(w);
        break;
    case 1:
        moot__json_write_bool(w, moot__rng_below(rng, 2) != 0);
        break;
    case 2:
        moot__json_write_u64(w, moot__rng_next(rng));
        break;
    case 3:
        moot__json_write_double(w, moot__rng_unit(rng) * 1e6 - 5e5);
        break;
    case 4:
    case 5:
        moot__json_write_str(w, texts[moot__rng_below(rng, sizeof texts / sizeof texts[0])]);
        break;
    case 6:
        moot__json_write_array_begin(w);
        while (children--)
            write_tree(w, rng, depth + 1);
        moot__json_write_array_end(w);
        break;
    default:
        moot__json_write_object_begin(w);
        while (children--) {
            moot__json_write_key_str(w,
                                     texts[moot__rng_below(rng, sizeof texts / sizeof texts[0])]);
            write_tree(w, rng, depth + 1);
        }
        moot__json_write_object_end(w);
        break;
    }
}

static void random_trees_survive_the_round_trip(void **state)
{
    struct fixture *f = *state;
    struct moot_rng rng;
    moot__rng_init(&rng, 8259);
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 1 << 22);
    struct moot_buf again;
    moot__buf_init(&again, NULL, 1 << 20);
    for (int round = 0; round < 3000; round++) {
        moot__buf_reset(&f->buf);
        moot__buf_reset(&again);
        moot__arena_reset(&arena);
        moot__json_write_init(&f->w, &f->buf);
        write_tree(&f->w, &rng, 0);
        assert_int_equal(moot__json_write_finish(&f->w), MOOT_OK);
        const struct moot_json *root;
        assert_int_equal(moot__json_read(&arena, moot__buf_view(&f->buf), NULL, &root, NULL), 0);
        moot__json_write_init(&f->w, &again);
        moot__json_write_value(&f->w, root);
        assert_int_equal(moot__json_write_finish(&f->w), MOOT_OK);
        assert_true(moot__view_eq(moot__buf_view(&f->buf), moot__buf_view(&again)));
    }
    moot__buf_deinit(&again);
    moot__arena_deinit(&arena);
}

static void random_bytes_come_out_readable(void **state)
{
    struct fixture *f = *state;
    struct moot_rng rng;
    moot__rng_init(&rng, 4);
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 1 << 22);
    struct moot_buf plain;
    moot__buf_init(&plain, NULL, 1 << 10);
    for (int round = 0; round < 5000; round++) {
        char bytes[40];
        size_t len = moot__rng_below(&rng, sizeof bytes + 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)moot__rng_below(&rng, 256);
        moot__buf_reset(&f->buf);
        moot__buf_reset(&plain);
        moot__arena_reset(&arena);
        moot__json_write_init(&f->w, &f->buf);
        moot__json_write_string(&f->w, moot__view(bytes, len));
        assert_int_equal(moot__json_write_finish(&f->w), MOOT_OK);
        const struct moot_json *root;
        assert_int_equal(moot__json_read(&arena, moot__buf_view(&f->buf), NULL, &root, NULL), 0);
        assert_int_equal(moot__utf8_append_replacing(&plain, moot__view(bytes, len)), MOOT_OK);
        assert_true(moot__view_eq(root->text, moot__buf_view(&plain)));
    }
    moot__buf_deinit(&plain);
    moot__arena_deinit(&arena);
}

static void a_member_is_written_without_its_siblings(void **state)
{
    struct fixture *f = *state;
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 1 << 16);
    const struct moot_json *root;
    assert_int_equal(
        moot__json_read(&arena, MOOT_VIEW("[{\"a\":[1, {}],\"b\":2},3]"), NULL, &root, NULL),
        MOOT_OK);
    moot__json_write_object_begin(&f->w);
    moot__json_write_member_value(&f->w, "x", moot__json_get(moot__json_at(root, 0), "a"));
    moot__json_write_member_value(&f->w, "y", NULL);
    moot__json_write_object_end(&f->w);
    assert_written(f, "{\"x\":[1,{}],\"y\":null}");
    moot__arena_deinit(&arena);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct moot_failing_alloc memory;
        moot__failing_alloc_init(&memory, nth);
        struct moot_buf buf;
        moot__buf_init(&buf, &memory.allocator, 1 << 20);
        struct moot_json_writer w;
        moot__json_write_init(&w, &buf);
        moot__json_write_array_begin(&w);
        for (int i = 0; i < 1000; i++)
            moot__json_write_str(&w, "a\nb");
        moot__json_write_array_end(&w);
        int rc = moot__json_write_finish(&w);
        moot__buf_deinit(&buf);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, MOOT_OK);
            assert_true(nth > 3);
            break;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
}

#ifdef NDEBUG /* debug builds stop at the mistake itself */
static void calls_out_of_order_are_refused(void **state)
{
    struct fixture *f = *state;
    struct moot_json_writer *w = &f->w;
    for (int mistake = 0; mistake < 6; mistake++) {
        moot__json_write_init(w, &f->buf);
        if (mistake < 4)
            moot__json_write_object_begin(w);
        switch (mistake) {
        case 0:
            moot__json_write_null(w); /* no key */
            break;
        case 1:
            moot__json_write_array_end(w);
            break;
        case 2:
            moot__json_write_key_str(w, "a");
            moot__json_write_key_str(w, "b");
            break;
        case 3:
            moot__json_write_key_str(w, "a");
            moot__json_write_object_end(w);
            break;
        case 4:
            moot__json_write_null(w);
            moot__json_write_null(w);
            break;
        default:
            for (int depth = 0; depth <= MOOT_JSON_WRITE_DEPTH; depth++)
                moot__json_write_array_begin(w);
        }
        assert_int_equal(moot__json_write_finish(w), MOOT_EINVAL);
        assert_int_equal(f->buf.len, 0);
    }
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commas_and_colons_are_the_writers),
        TEST(only_what_must_be_is_escaped),
        TEST(an_escape_is_found_wherever_it_is),
        TEST(doubles_are_short),
        TEST(doubles_read_back_the_same),
        TEST(a_decimal_comma_changes_nothing),
        TEST(number_texts_are_checked),
        TEST(a_failure_cuts_the_buffer_back),
        TEST(the_ceiling_is_exact),
        TEST(random_trees_survive_the_round_trip),
        TEST(random_bytes_come_out_readable),
        TEST(a_member_is_written_without_its_siblings),
        TEST(every_failed_allocation_is_reported),
#ifdef NDEBUG
        TEST(calls_out_of_order_are_refused),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
