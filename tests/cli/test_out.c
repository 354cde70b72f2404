/* Texts that are shown: made safe, counted, timed, written as JSON. */
#include "engine/cli/out.h"

#include "tests/support/test.h"

enum { SHOWN_MAX = 256 };

static void show(const char *text, size_t length, bool is_terminal, char shown[SHOWN_MAX])
{
    FILE *out = fmemopen(shown, SHOWN_MAX, "w");
    assert_non_null(out);
    cli_print_text(out, (struct moot_view){text, length}, is_terminal);
    fclose(out);
}

static void control_characters_never_reach_a_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain", "plain"},
        {"a\tb\nc", "a\tb\nc"},
        {"\033[31mred\033]0;title\007", "\\x1b[31mred\\x1b]0;title\\x07"},
        {"over\rwrite \177", "over\\x0dwrite \\x7f"},
        {"c1 \302\233 31m, nel \302\205", "c1 \\x9b 31m, nel \\x85"},
        {"\303\251 \302\240 \342\202\254", "\303\251 \302\240 \342\202\254"},
    };
    char shown[SHOWN_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(shown, 0, sizeof shown);
        show(cases[i].text, strlen(cases[i].text), true, shown);
        assert_string_equal(shown, cases[i].shown);
        memset(shown, 0, sizeof shown);
        show(cases[i].text, strlen(cases[i].text), false, shown);
        assert_string_equal(shown, cases[i].text);
    }
}

static void spans_and_counts(void **state)
{
    (void)state;
    char out[CLI_SHOWN_BYTES];
    assert_string_equal(cli_show_span(UINT64_C(950000000), out), "950 ms");
    assert_string_equal(cli_show_span(UINT64_C(12340000000), out), "12.3 s");
    assert_string_equal(cli_show_span(UINT64_C(245) * 1000000000, out), "4 min 05 s");
    assert_string_equal(cli_show_span(UINT64_C(7620) * 1000000000, out), "2 h 07 min");
    assert_string_equal(cli_show_count(0, out), "0");
    assert_string_equal(cli_show_count(999, out), "999");
    assert_string_equal(cli_show_count(1234567, out), "1,234,567");
    assert_string_equal(cli_show_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
}

static void json_lines(void **state)
{
    (void)state;
    char text[SHOWN_MAX] = {0};
    struct cli_json json = {.out = fmemopen(text, sizeof text, "w")};
    assert_non_null(json.out);
    cli_json_begin(&json, NULL);
    cli_json_string(&json, "s", (struct moot_view){"a\"\\\n\033", 5});
    cli_json_u64(&json, "n", 7);
    cli_json_list_begin(&json, "list");
    cli_json_begin(&json, NULL);
    cli_json_bool(&json, "yes", true);
    cli_json_end(&json);
    cli_json_begin(&json, NULL);
    cli_json_end(&json);
    cli_json_list_end(&json);
    cli_json_double(&json, "d", 0.5);
    cli_json_end(&json);
    cli_json_line(&json);
    fclose(json.out);
    assert_string_equal(text, "{\"s\":\"a\\\"\\\\\\n\\u001b\",\"n\":7,\"list\":[{\"yes\":true},{}],"
                              "\"d\":0.5}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_never_reach_a_terminal),
        cmocka_unit_test(spans_and_counts),
        cmocka_unit_test(json_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
