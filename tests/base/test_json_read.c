#include "tests/support/test.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "engine/base/buf.h"
#include "engine/base/json_read.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "tests/support/failing_alloc.h"

struct fixture {
    struct moot_arena arena;
    struct moot_json_error error;
    const struct moot_json *root;
};

static int set_up(void **state)
{
    static struct fixture fixture; /* one test at a time */
    fixture = (struct fixture){0};
    moot__arena_init(&fixture.arena, NULL, 64 << 20);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    moot__arena_deinit(&f->arena);
    return 0;
}

static int read_with(struct fixture *f, struct moot_view text,
                     const struct moot_json_read_options *options)
{
    return moot__json_read(&f->arena, text, options, &f->root, &f->error);
}

static int read_text(struct fixture *f, const char *text)
{
    return read_with(f, moot__view_str(text), NULL);
}

static void assert_error(struct fixture *f, const char *text, int code, size_t offset)
{
    assert_int_equal(read_text(f, text), code);
    assert_null(f->root);
    assert_int_equal(f->error.code, code);
    assert_int_equal(f->error.offset, offset);
}

static void a_reply_is_walked_by_name(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                                  "\"Hi\\nthere\"},\"done\":null}],\"usage\":{\"in\":12,"
                                  "\"cost\":0.25},\"cached\":true,\"empty\":{},\"none\":[]}"),
                     MOOT_OK);
    const struct moot_json *choice = moot__json_at(moot__json_get(f->root, "choices"), 0);
    assert_view(moot__json_text(moot__json_get(choice, "delta"), "content"), "Hi\nthere");
    assert_true(moot__json_is_null(moot__json_get(choice, "done")));
    uint64_t in;
    double cost;
    bool cached;
    assert_true(moot__json_u64(moot__json_get(moot__json_get(f->root, "usage"), "in"), &in));
    assert_int_equal(in, 12);
    assert_true(moot__json_double(moot__json_get(moot__json_get(f->root, "usage"), "cost"), &cost));
    assert_true(cost == 0.25);
    assert_true(moot__json_bool(moot__json_get(f->root, "cached"), &cached));
    assert_true(cached);
    assert_int_equal(f->root->count, 6);
    assert_int_equal(moot__json_get(f->root, "empty")->count, 0);
    assert_null(moot__json_get(f->root, "none")->child);
    assert_int_equal(choice->key.len, 0);
    /* What is not there is not there at any depth. */
    assert_null(moot__json_get(moot__json_at(moot__json_get(f->root, "absent"), 3), "x"));
    assert_view(moot__json_text(f->root, "choices"), "");
    assert_false(moot__json_u64(NULL, &in));
    assert_null(moot__json_at(moot__json_get(f->root, "choices"), 1));
}

static void the_text_may_go_away(void **state)
{
    struct fixture *f = *state;
    char text[] = "[\"abc\", 12, \"d\\u0065\"]";
    assert_int_equal(read_text(f, text), MOOT_OK);
    memset(text, 'x', sizeof text);
    assert_view(moot__json_at(f->root, 0)->text, "abc");
    assert_view(moot__json_at(f->root, 1)->text, "12");
    assert_view(moot__json_at(f->root, 2)->text, "de");
}

static void offsets_point_at_the_values(void **state)
{
    struct fixture *f = *state;
    const char *text =
        " {\"a\\n\" : \"x\\ty\", \"b\":[true,false , null,-1.5e3,\"z\",{},[]],\"q\\\"\":\"\"}";
    assert_int_equal(read_text(f, text), MOOT_OK);
    assert_int_equal(f->root->offset, 1);
    assert_int_equal(moot__json_get(f->root, "a\n")->offset, strstr(text, "\"x") - text);
    const struct moot_json *b = moot__json_get(f->root, "b");
    assert_int_equal(b->offset, strchr(text, '[') - text);
    const char *firsts[] = {"true", "false", "null", "-1.5", "\"z", "{}", "[]]"};
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(moot__json_at(b, i)->offset, strstr(text, firsts[i]) - text);
    assert_int_equal(moot__json_get(f->root, "q\"")->offset, strlen(text) - 3);
}

static void scalars_are_documents(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "12"), MOOT_OK);
    assert_view(f->root->text, "12");
    assert_int_equal(read_text(f, "-0.5e-7"), MOOT_OK);
    assert_int_equal(read_text(f, " \"\\\\\" "), MOOT_OK);
    assert_view(f->root->text, "\\");
    assert_int_equal(read_text(f, "null\n"), MOOT_OK);
    assert_int_equal(read_text(f, "\"\""), MOOT_OK);
    assert_int_equal(f->root->text.len, 0);
}

static void escapes_become_bytes(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        read_text(f, "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"a\\u0000b\", \"\\u00e9\\u20AC\"]"),
        MOOT_OK);
    assert_view(moot__json_at(f->root, 0)->text, "\"\\/\b\f\n\r\t");
    struct moot_view nul = moot__json_at(f->root, 1)->text;
    assert_int_equal(nul.len, 3);
    assert_memory_equal(nul.ptr, "a\0b", 3);
    assert_view(moot__json_at(f->root, 2)->text, "\xC3\xA9\xE2\x82\xAC");
}

#define R    "\xEF\xBF\xBD"
#define HIGH "\xED\xA0\xBD"
#define LOW  "\xED\xB8\x80"

static void surrogates_pair_or_stand_alone(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *json, *text, *kept;
    } rows[] = {
        {"\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
        {"\"\\uD83D\\uDE00!\"", "\xF0\x9F\x98\x80!", "\xF0\x9F\x98\x80!"},
        {"\"\\ud800\\udc00\"", "\xF0\x90\x80\x80", "\xF0\x90\x80\x80"},
        {"\"\\udbff\\udfff\"", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
        {"\"a\\ud83d\"", "a" R, "a" HIGH},
        {"\"\\ude00z\"", R "z", LOW "z"},
        {"\"\\ud83dA\"", R "A", HIGH "A"},
        {"\"\\ud83d\\u0041\"", R "A", HIGH "A"},
        {"\"\\ud83d\\n\"", R "\n", HIGH "\n"},
        {"\"\\ud83d\\\"\"", R "\"", HIGH "\""},
        {"\"\\ud83d\\\\ude00\"", R "\\ude00", HIGH "\\ude00"},
        {"\"\\ud83d\\ud83d\\ude00\"", R "\xF0\x9F\x98\x80", HIGH "\xF0\x9F\x98\x80"},
        {"\"\\ude00\\ud83d\"", R R, LOW HIGH},
        {"\"\\ud7ff\\ue000\"", "\xED\x9F\xBF\xEE\x80\x80", "\xED\x9F\xBF\xEE\x80\x80"},
    };
    const struct moot_json_read_options keep = {.keep_halves = true};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read_text(f, rows[i].json), MOOT_OK);
        assert_view(f->root->text, rows[i].text);
        assert_int_equal(read_with(f, moot__view_str(rows[i].json), &keep), MOOT_OK);
        assert_view(f->root->text, rows[i].kept);
    }
}

static void what_yajl_lets_through_is_rejected(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "[\"\xC0\xAF\"]", MOOT_EUTF8, 2);
    assert_error(f, "[\"\xED\xA0\x80\"]", MOOT_EUTF8, 2);
    assert_error(f, "[\"\xF7\xBF\xBF\xBF\"]", MOOT_EUTF8, 2);
    assert_error(f, "[\"\xF4\xBF\xBF\xBF\"]", MOOT_EUTF8, 2);
    assert_error(f, "[1,\f2]", MOOT_EJSON, 3);
    assert_error(f, "[1,\v2]", MOOT_EJSON, 3);
    assert_error(f, "\xEF\xBB\xBF{}", MOOT_EJSON, 0);
    assert_error(f, "", MOOT_EJSON, 0);
    assert_error(f, "{\"a\":1", MOOT_EJSON, 6);
    assert_error(f, "[\"abc", MOOT_EJSON, 5);
    assert_error(f, "{} {}", MOOT_EJSON, 3);
    assert_error(f, "1 2", MOOT_EJSON, 2);
    assert_error(f, "{} \"abc", MOOT_EJSON, 3);
    assert_error(f, "1\n\"", MOOT_EJSON, 2);
    assert_error(f, "\"a\"\"", MOOT_EJSON, 3);
    assert_error(f, "[1,]", MOOT_EJSON, 3);
    assert_error(f, "/**/1", MOOT_EJSON, 0);
    assert_int_equal(read_with(f, moot__view("1\0", 2), NULL), MOOT_EJSON);
}

static void errors_have_a_line(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "{\n \"a\": 1,\n \"b\": }\n"), MOOT_EJSON);
    assert_int_equal(f->error.line, 3);
    assert_int_equal(f->error.column, 7);
    assert_non_null(f->error.reason);
}

static void duplicates_are_the_last_or_an_error(void **state)
{
    struct fixture *f = *state;
    const char *text = "{\"a\":1,\"b\":2,\"\\u0061\":3,\"aa\":4}";
    assert_int_equal(read_text(f, text), MOOT_OK);
    assert_view(moot__json_get(f->root, "a")->text, "3");
    const struct moot_json_read_options strict = {.reject_duplicate_keys = true};
    assert_int_equal(read_with(f, moot__view_str(text), &strict), MOOT_EJSON);
    assert_int_equal(f->error.offset, strchr(text, '3') - text);
    assert_int_equal(
        read_with(f, MOOT_VIEW("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}"), &strict), MOOT_OK);
}

static void numbers_are_text_until_asked(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        bool is_u64, is_i64;
        uint64_t u64;
        int64_t i64;
    } rows[] = {
        {"0", true, true, 0, 0},
        {"-0", false, true, 0, 0},
        {"18446744073709551615", true, false, UINT64_MAX, 0},
        {"18446744073709551616", false, false, 0, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"-9223372036854775808", false, true, 0, INT64_MIN},
        {"-9223372036854775809", false, false, 0, 0},
        {"-1", false, true, 0, -1},
        {"12.0", true, true, 12, 12},
        {"1e3", true, true, 1000, 1000},
        {"1.5", false, false, 0, 0},
        {"1e999", false, false, 0, 0},
        {"1e17", false, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t u64 = 7;
        int64_t i64 = 7;
        assert_int_equal(read_text(f, rows[i].text), MOOT_OK);
        bool is_u64 = moot__json_u64(f->root, &u64), is_i64 = moot__json_i64(f->root, &i64);
        if (strcmp(rows[i].text, "-0") != 0) /* a whole double, or a signed zero: either is right */
            assert_int_equal(is_u64, rows[i].is_u64);
        assert_int_equal(is_i64, rows[i].is_i64);
        if (rows[i].is_u64)
            assert_true(u64 == rows[i].u64);
        if (rows[i].is_i64)
            assert_true(i64 == rows[i].i64);
    }
    double huge;
    assert_int_equal(read_text(f, "-1e999"), MOOT_OK);
    assert_true(moot__json_double(f->root, &huge) && isinf(huge) && huge < 0);
}

static struct moot_view repeat(struct moot_buf *buf, const char *unit, size_t count,
                               const char *after)
{
    moot__buf_reset(buf);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(moot__buf_append_str(buf, unit), 0);
    assert_int_equal(moot__buf_append_str(buf, after), 0);
    return moot__buf_view(buf);
}

static struct moot_view nested(struct moot_buf *buf, size_t depth)
{
    repeat(buf, "[", depth, "");
    for (size_t i = 0; i < depth; i++)
        assert_int_equal(moot__buf_append_byte(buf, ']'), 0);
    return moot__buf_view(buf);
}

static struct moot_view object_of(struct moot_buf *buf, size_t keys)
{
    moot__buf_reset(buf);
    for (size_t i = 0; i < keys; i++) {
        assert_int_equal(moot__buf_append_str(buf, i ? ",\"" : "{\""), 0);
        assert_int_equal(moot__buf_append_u64(buf, i), 0);
        assert_int_equal(moot__buf_append_str(buf, "\":0"), 0);
    }
    assert_int_equal(moot__buf_append_byte(buf, '}'), 0);
    return moot__buf_view(buf);
}

static void limits_hold_at_their_edges(void **state)
{
    struct fixture *f = *state;
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 64 << 20);
    for (int over = -1; over <= 1; over++) {
        int expected = over > 0 ? MOOT_ELIMIT : MOOT_OK;
        size_t add = (size_t)(over + 1);
        moot__arena_reset(&f->arena);
        assert_int_equal(read_with(f, nested(&buf, MOOT_LIMIT_JSON_DEPTH - 1 + add), NULL),
                         expected);
        assert_int_equal(read_with(f, object_of(&buf, MOOT_LIMIT_JSON_KEYS - 1 + add), NULL),
                         expected);
        const struct moot_json_read_options strict = {.reject_duplicate_keys = true};
        assert_int_equal(read_with(f, object_of(&buf, MOOT_LIMIT_JSON_KEYS - 1 + add), &strict),
                         expected);
        assert_int_equal(
            read_with(f, repeat(&buf, "1", MOOT_LIMIT_JSON_NUMBER_BYTES - 1 + add, ""), NULL),
            expected);
        const struct moot_json_read_options bytes = {.bytes_max = 100};
        assert_int_equal(read_with(f, repeat(&buf, " ", 98 + add, "1"), &bytes), expected);
        const struct moot_json_read_options tight = {.depth_max = 3, .keys_max = 2};
        assert_int_equal(read_with(f, nested(&buf, 2 + add), &tight), expected);
        assert_int_equal(read_with(f, object_of(&buf, 1 + add), &tight), expected);
    }
    assert_int_equal(read_with(f, repeat(&buf, "[", 1000000, ""), NULL), MOOT_ELIMIT);
    assert_int_equal(f->error.offset, MOOT_LIMIT_JSON_DEPTH);
    moot__buf_deinit(&buf);
}

static void long_strings_fit_the_reserve(void **state)
{
    struct fixture *f = *state;
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 8 << 20);
    /* Escaped strings that grow past each power of two, then a token that the text ends in. */
    for (size_t len = 500; len <= 1 << 20; len = len * 3 / 2 + 1) {
        moot__arena_reset(&f->arena);
        moot__buf_reset(&buf);
        assert_int_equal(moot__buf_append_str(&buf, "[\"\\n"), 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(moot__buf_append_byte(&buf, 'a'), 0);
        assert_int_equal(moot__buf_append_str(&buf, "\",\""), 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(moot__buf_append_byte(&buf, 'b'), 0);
        assert_int_equal(read_with(f, moot__buf_view(&buf), NULL), MOOT_EJSON);
        assert_int_equal(f->error.offset, buf.len);
        assert_int_equal(moot__buf_append_str(&buf, "\\t\"]"), 0);
        assert_int_equal(read_with(f, moot__buf_view(&buf), NULL), MOOT_OK);
        assert_int_equal(moot__json_at(f->root, 0)->text.len, len + 1);
        assert_int_equal(moot__json_at(f->root, 1)->text.len, len + 1);
    }
    moot__buf_deinit(&buf);
}

static void a_small_arena_is_a_limit(void **state)
{
    (void)state;
    struct moot_arena arena;
    const struct moot_json *root;
    moot__arena_init(&arena, NULL, 300);
    assert_int_equal(moot__json_read(&arena, MOOT_VIEW("[1,2,3,4,5,6]"), NULL, &root, NULL),
                     MOOT_ELIMIT);
    assert_null(root);
    moot__arena_deinit(&arena);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 1 << 20);
    struct moot_view text = object_of(&buf, 800);
    const struct moot_json_read_options strict = {.reject_duplicate_keys = true};
    size_t nth = 1;
    for (;; nth++) {
        struct moot_failing_alloc memory;
        moot__failing_alloc_init(&memory, nth);
        struct moot_arena arena;
        moot__arena_init(&arena, &memory.allocator, 1 << 20);
        const struct moot_json *root;
        int rc = moot__json_read(&arena, text, &strict, &root, NULL);
        moot__arena_deinit(&arena);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, MOOT_OK);
            break;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
    assert_true(nth > 4);
    moot__buf_deinit(&buf);
}

/* A comma of one byte, and an Arabic one of two. */
static void the_locale_does_not_matter(void **state)
{
    struct fixture *f = *state;
    static const char *const locales[] = {"de_DE.UTF-8", "ps_AF.UTF-8"};
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        double value = 0;
        if (!setlocale(LC_NUMERIC, locales[i]))
            continue;
        found = true;
        int rc = read_text(f, "-3.25e2");
        bool is_double = moot__json_double(f->root, &value);
        setlocale(LC_NUMERIC, "C");
        assert_int_equal(rc, MOOT_OK);
        assert_true(is_double && value == -325);
    }
    if (!found) {
        print_message("no locale with a decimal comma here\n");
        skip();
    }
}

static const char everything[] =
    "{\"a\\n\": [1, -2.5e+3, true, false, null, \"x\\ud83d\\ude00\\u00e9\\/\", {}, []],"
    "\"\xC3\xA9\": {\"\": \"\\\"\"}, \"\\ud83d\": \"\\udbff\\u0041\"}";

/* Blocks of the exact size, so that a sanitizer sees a read past the end. */
static int read_exact(struct fixture *f, const char *bytes, size_t len)
{
    char *exact = test_malloc(len ? len : 1);
    memcpy(exact, bytes, len);
    moot__arena_reset(&f->arena);
    int rc = read_with(f, moot__view(exact, len), NULL);
    test_free(exact);
    return rc;
}

static void every_prefix_is_rejected(void **state)
{
    struct fixture *f = *state;
    for (size_t len = 0; len < sizeof everything - 1; len++) {
        int rc = read_exact(f, everything, len);
        assert_true(rc == MOOT_EJSON || rc == MOOT_EUTF8);
        assert_true(f->error.offset <= len);
    }
    assert_int_equal(read_exact(f, everything, sizeof everything - 1), MOOT_OK);
}

static void damaged_documents_do_no_harm(void **state)
{
    struct fixture *f = *state;
    static const char alphabet[] = "\"\\{}[]:,u0d8DE-+.eEtfn \n\x80\xED\xF0";
    struct moot_rng rng;
    moot__rng_init(&rng, 5);
    int accepted = 0;
    for (int round = 0; round < 20000; round++) {
        char bytes[sizeof everything];
        memcpy(bytes, everything, sizeof bytes);
        for (uint64_t hits = 1 + moot__rng_below(&rng, 3); hits; hits--)
            bytes[moot__rng_below(&rng, sizeof bytes - 1)] =
                alphabet[moot__rng_below(&rng, sizeof alphabet - 1)];
        if (read_exact(f, bytes, sizeof bytes - 1) == MOOT_OK)
            accepted++;
    }
    assert_true(accepted > 100); /* so the strings of the others were reached too */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reply_is_walked_by_name),
        TEST(the_text_may_go_away),
        TEST(offsets_point_at_the_values),
        TEST(scalars_are_documents),
        TEST(escapes_become_bytes),
        TEST(surrogates_pair_or_stand_alone),
        TEST(what_yajl_lets_through_is_rejected),
        TEST(errors_have_a_line),
        TEST(duplicates_are_the_last_or_an_error),
        TEST(numbers_are_text_until_asked),
        TEST(limits_hold_at_their_edges),
        TEST(long_strings_fit_the_reserve),
        TEST(a_small_arena_is_a_limit),
        TEST(every_failed_allocation_is_reported),
        TEST(the_locale_does_not_matter),
        TEST(every_prefix_is_rejected),
        TEST(damaged_documents_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
