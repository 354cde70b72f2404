/* The texts of other tools: files of settings, and command lines. */
#include "tests/support/test.h"

#include "engine/base/check.h"
#include "engine/ini.h"
#include "engine/words.h"

static const char text[] = "; a comment\n"
                           "orphan = 1\n"
                           "[DEFAULT]\n"
                           "host = https://a.example\n"
                           "TOKEN: dapi=1\r\n"
                           "# token = no\n"
                           "[ profile dev ]\n"
                           "region=eu-west-1\n"
                           "s3 =\n"
                           "  region = nowhere\n"
                           "key = a=b:c\n"
                           "key = last # kept\n"
                           "empty =\n"
                           "broken\n"
                           "[open\n"
                           "x = 1\n";

static void settings_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *section, *key, *value; /* NULL: none */
    } cases[] = {
        {"DEFAULT", "host", "https://a.example"},
        {"DEFAULT", "token", "dapi=1"},
        {"DEFAULT", "orphan", NULL},
        {"DEFAULT", "region", NULL},
        {"default", "host", NULL},
        {"profile dev", "REGION", "eu-west-1"},
        {"profile dev", "key", "last # kept"},
        {"profile dev", "s3", ""},
        {"profile dev", "empty", ""},
        {"profile dev", "broken", NULL},
        {"pen", "x", NULL},
        {"open", "x", "1"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_view value = {"none", 4};
        bool found = moot__ini_get(moot__view_str(text), moot__view_str(cases[i].section),
                                   cases[i].key, &value);
        assert_int_equal(found, cases[i].value != NULL);
        assert_view(value, cases[i].value ? cases[i].value : "none");
    }
    assert_true(moot__ini_has_section(moot__view_str(text), MOOT_VIEW("DEFAULT")));
    assert_false(moot__ini_has_section(moot__view_str(text), MOOT_VIEW("dev")));
}

static void every_prefix_is_survived(void **state)
{
    (void)state;
    struct moot_view value;
    for (size_t len = 0; len <= sizeof text - 1; len++)
        (void)moot__ini_get(moot__view(text, len), MOOT_VIEW("DEFAULT"), "token", &value);
}

static void commands_are_split_without_a_shell(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *words[5]; /* NULL first: refused */
    } cases[] = {
        {"get-token", {"get-token"}},
        {"  get   --for\tx ", {"get", "--for", "x"}},
        {"get 'a b' \"c d\"", {"get", "a b", "c d"}},
        {"get a'b c'\"d\"", {"get", "ab cd"}},
        {"get \"\\\"x\\\\\" 'y\\'", {"get", "\"x\\", "y\\"}},
        {"get a\\ b", {"get", "a b"}},
        {"get '' x", {"get", "", "x"}},
        {"get $HOME | cat", {"get", "$HOME", "|", "cat"}},
        {"", {NULL}},
        {"  ", {NULL}},
        {"get 'x", {NULL}},
        {"get \"x", {NULL}},
        {"get x\\", {NULL}},
        {"1 2 3 4 5 6", {NULL}},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        char storage[64], *words[6];
        bool split = moot__words_split(moot__view_str(cases[i].command), storage, words,
                                       moot__countof(words));
        assert_int_equal(split, cases[i].words[0] != NULL);
        for (size_t k = 0; split && k < 5; k++) {
            if (!cases[i].words[k]) {
                assert_null(words[k]);
                break;
            }
            assert_string_equal(words[k], cases[i].words[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_found),
        cmocka_unit_test(every_prefix_is_survived),
        cmocka_unit_test(commands_are_split_without_a_shell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
