/* The tree: types of YAML's core schema, places, and that YAML and JSON mean the same. */
#include "tests/support/test.h"

#include "engine/base/check.h"
#include "engine/config_tree.h"

static const struct moot_tree *yaml(struct moot_arena *arena, const char *text)
{
    const struct moot_tree *tree;
    struct moot_error_info info = {0};
    if (moot__tree_read_yaml(arena, moot__view_str(text), "t", &tree, &info))
        print_message("%s\n", info.message);
    assert_non_null(tree);
    return tree;
}

static void scalars_follow_the_core_schema(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        enum moot_json_type type;
        const char *text;
    } cases[] = {
        {"no", MOOT_JSON_STRING, "no"},
        {"on", MOOT_JSON_STRING, "on"},
        {"y", MOOT_JSON_STRING, "y"},
        {"'true'", MOOT_JSON_STRING, "true"},
        {"True", MOOT_JSON_BOOL, ""},
        {"~", MOOT_JSON_NULL, ""},
        {"null", MOOT_JSON_NULL, ""},
        {"\"\"", MOOT_JSON_STRING, ""},
        {"12", MOOT_JSON_NUMBER, "12"},
        {"+12", MOOT_JSON_NUMBER, "12"},
        {"-0012", MOOT_JSON_NUMBER, "-12"},
        {"0", MOOT_JSON_NUMBER, "0"},
        {".5", MOOT_JSON_NUMBER, "0.5"},
        {"-.5", MOOT_JSON_NUMBER, "-0.5"},
        {"5.", MOOT_JSON_NUMBER, "5.0"},
        {"5.e3", MOOT_JSON_NUMBER, "5.0e3"},
        {"1e+3", MOOT_JSON_NUMBER, "1e+3"},
        {"0o17", MOOT_JSON_NUMBER, "15"},
        {"0xfF", MOOT_JSON_NUMBER, "255"},
        {"0x", MOOT_JSON_STRING, "0x"},
        {"1_000", MOOT_JSON_STRING, "1_000"},
        {"12:30", MOOT_JSON_STRING, "12:30"},
        {"2024-01-02", MOOT_JSON_STRING, "2024-01-02"},
        {"80k", MOOT_JSON_STRING, "80k"},
        {"1e", MOOT_JSON_STRING, "1e"},
        {".", MOOT_JSON_STRING, "."},
        {"-", MOOT_JSON_ARRAY, ""},
        {"<<", MOOT_JSON_STRING, "<<"},
        {"'12'", MOOT_JSON_STRING, "12"},
        {"|\n  a\n  b\n", MOOT_JSON_STRING, "a\nb\n"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_arena arena;
        moot__arena_init(&arena, NULL, 1 << 20);
        const struct moot_tree *tree = yaml(&arena, cases[i].yaml);
        assert_int_equal(tree->type, cases[i].type);
        if (tree->type == MOOT_JSON_STRING || tree->type == MOOT_JSON_NUMBER)
            assert_view(tree->text, cases[i].text);
        moot__arena_deinit(&arena);
    }
}

static void both_know_their_places(void **state)
{
    (void)state;
    static const char json[] = "{ \"\xc3\xa9\": {\"a\\\"\\\\\" :\n  [1, \"x\"]},\r\n\t\"b\":true}";
    static const char yaml_text[] = "\n\xc3\xa9: {\"a\\\"\\\\\":\n  [1, \"x\"]}\nb: true\n";
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 1 << 20);
    const struct moot_tree *from_json, *from_yaml = yaml(&arena, yaml_text);
    assert_int_equal(moot__tree_read_json(&arena, moot__view_str(json), "t", &from_json, NULL),
                     MOOT_OK);
    const struct moot_tree *member = moot__tree_get(from_json, "\xc3\xa9");
    assert_int_equal(member->key_line, 1);
    assert_int_equal(member->key_column, 3);
    assert_int_equal(member->column, 8); /* in characters */
    const struct moot_tree *inner = moot__tree_get(member, "a\"\\");
    assert_non_null(inner);
    assert_int_equal(inner->key_line, 1);
    assert_int_equal(inner->key_column, 9);
    assert_int_equal(inner->line, 2);
    assert_int_equal(inner->column, 3);
    assert_int_equal(inner->child->next->column, 7);
    assert_int_equal(moot__tree_get(from_json, "b")->key_line, 3);
    assert_int_equal(moot__tree_get(from_json, "b")->key_column, 2);

    inner = moot__tree_get(moot__tree_get(from_yaml, "\xc3\xa9"), "a\"\\");
    assert_non_null(inner);
    assert_int_equal(inner->key_line, 2);
    assert_int_equal(inner->key_column, 5);
    assert_int_equal(inner->count, 2);
    assert_true(moot__tree_get(from_yaml, "b")->truth);

    const struct moot_json *copy = moot__tree_to_json(from_yaml, &arena);
    assert_non_null(copy);
    assert_int_equal(copy->count, 2);
    assert_view(moot__json_at(moot__json_get(moot__json_get(copy, "\xc3\xa9"), "a\"\\"), 1)->text,
                "x");
    moot__arena_deinit(&arena);
}

static void aliases_are_copied_and_counted(void **state)
{
    (void)state;
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 64 << 20);
    const struct moot_tree *tree = yaml(&arena, "a: &x [1]\nb: *x\n");
    assert_view(moot__tree_get(tree, "b")->child->text, "1");
    static const char bomb[] =
        "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
        "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
        "f: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    struct moot_error_info info = {0};
    assert_int_equal(moot__tree_read_yaml(&arena, moot__view_str(bomb), "t", &tree, &info),
                     MOOT_ECONFIG);
    assert_null(tree);
    assert_non_null(strstr(info.message, "aliases count"));
    moot__arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_follow_the_core_schema),
        cmocka_unit_test(both_know_their_places),
        cmocka_unit_test(aliases_are_copied_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
