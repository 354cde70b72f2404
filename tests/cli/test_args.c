/* The option table, its values, and who beats whom. */
#include "engine/cli/args.h"

#include <stdlib.h>

#include "tests/support/test.h"

static const enum cli_option_id table[] = {
    CLI_CONFIG,      CLI_OUTPUT,     CLI_STREAM,   CLI_CONCURRENCY, CLI_RATE, CLI_SHARD,
    CLI_ROW_TIMEOUT, CLI_MAX_ERRORS, CLI_MAX_COST, CLI_PROGRESS,    CLI_HELP,
};

static int run_nothing(const struct cli_args *args)
{
    (void)args;
    return 0;
}

static const struct cli_command command = {
    .name = "try",
    .summary = "a command for tests",
    .operands = "FILE",
    .options = table,
    .option_count = sizeof table / sizeof table[0],
    .operands_min = 1,
    .operands_max = 1,
    .run = run_nothing,
};

static char *empty_environment(const char *name)
{
    (void)name;
    return NULL;
}

static char *full_environment(const char *name)
{
    static char rows[] = "3s", errors[] = "7", rate[] = "a:rpm=1;b:itpm=2k", stream[] = "yes",
                output[] = "";
    if (strcmp(name, "MOOT_ROW_TIMEOUT") == 0)
        return rows;
    if (strcmp(name, "MOOT_MAX_ERRORS") == 0)
        return errors;
    if (strcmp(name, "MOOT_RATE") == 0)
        return rate;
    if (strcmp(name, "MOOT_STREAM") == 0)
        return stream;
    return strcmp(name, "MOOT_OUTPUT") == 0 ? output : NULL;
}

enum { WORDS_MAX = 16 };

static bool read_line(struct cli_args *args, const char *line, cli_environment_fn environment)
{
    static char text[512]; /* args borrow it */
    char *words[WORDS_MAX];
    int count = 0;
    snprintf(text, sizeof text, "%s", line);
    char *rest = text;
    while (*rest && count < WORDS_MAX) {
        char *end = strchr(rest, ' ');
        words[count++] = rest;
        if (!end)
            break;
        *end = '\0';
        rest = end + 1;
    }
    return cli_args_read(args, &command, count, words, environment);
}

static void reads_long_and_short(void **state)
{
    (void)state;
    struct cli_args args;
    assert_true(read_line(&args, "-c a.yaml -ob.jsonl --stream --row-timeout=250ms in.jsonl",
                          empty_environment));
    assert_string_equal(cli_args_text(&args, CLI_CONFIG), "a.yaml");
    assert_string_equal(cli_args_text(&args, CLI_OUTPUT), "b.jsonl");
    assert_true(cli_args_flag(&args, CLI_STREAM));
    assert_int_equal(cli_args_number(&args, CLI_ROW_TIMEOUT, 0), 250000000);
    assert_int_equal(args.operand_count, 1);
    assert_string_equal(args.operands[0], "in.jsonl");
}

static void a_dash_and_what_follows_two_are_operands(void **state)
{
    (void)state;
    struct cli_args args;
    assert_true(read_line(&args, "-o - -", empty_environment));
    assert_string_equal(cli_args_text(&args, CLI_OUTPUT), "-");
    assert_string_equal(args.operands[0], "-");
    assert_true(read_line(&args, "-- --stream", empty_environment));
    assert_string_equal(args.operands[0], "--stream");
    assert_false(cli_args_flag(&args, CLI_STREAM));
}

static void flags_beat_variables(void **state)
{
    (void)state;
    struct cli_args args;
    assert_true(read_line(&args, "--max-errors 5% in", full_environment));
    assert_true(args.values[CLI_MAX_ERRORS].truth);
    assert_int_equal((int)args.values[CLI_MAX_ERRORS].amount, 5);
    assert_int_equal(cli_args_number(&args, CLI_ROW_TIMEOUT, 0), UINT64_C(3000000000));
    assert_true(cli_args_flag(&args, CLI_STREAM));
    assert_null(cli_args_text(&args, CLI_OUTPUT)); /* set to nothing is not set */
    const struct cli_value *rate = cli_args_repeat(&args, CLI_RATE, 1);
    assert_non_null(rate);
    assert_memory_equal(rate->text, "b", rate->provider_bytes);
    assert_int_equal(rate->itpm, 2000);
    assert_null(cli_args_repeat(&args, CLI_RATE, 2));

    assert_true(read_line(&args, "--rate c:otpm=9 in", full_environment));
    assert_int_equal(args.repeat_count, 1);
    assert_int_equal(cli_args_repeat(&args, CLI_RATE, 0)->otpm, 9);
}

static void errors_name_the_option_and_the_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"--straem in", "unknown option --straem; did you mean --stream?"},
        {"--zzzzzzzz in", "unknown option --zzzzzzzz; `moot try --help` lists the known ones"},
        {"-x in", "unknown option -x; `moot try --help` lists the known ones"},
        {"in --config", "--config needs a value: --config FILE"},
        {"--stream=1 in", "--stream takes no value; leave '1' out"},
        {"--row-timeout soon in",
         "--row-timeout must be a duration such as 250ms, 5s, 10m or 1h, not 'soon'"},
        {"--progress loud in", "--progress must be auto|plain|json|off, not 'loud'"},
        {"--config= in", "--config must be something that is not empty, not ''"},
        {"a b", "'b' is too much; the form is: moot try [OPTION...] FILE"},
        {"--stream", "FILE is missing; the form is: moot try [OPTION...] FILE"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli_args args;
        assert_false(read_line(&args, cases[i].line, empty_environment));
        assert_string_equal(args.error, cases[i].error);
    }
}

static void help_needs_nothing_else(void **state)
{
    (void)state;
    struct cli_args args;
    assert_true(read_line(&args, "--help", empty_environment));
    assert_true(args.is_set[CLI_HELP]);
    assert_true(read_line(&args, "-h", full_environment));
}

static void too_many_repeats_are_refused(void **state)
{
    (void)state;
    struct cli_args args;
    char option[] = "--rate=a:rpm=1";
    char *words[CLI_REPEATS_MAX + 2];
    for (size_t i = 0; i < CLI_REPEATS_MAX + 1; i++)
        words[i] = option;
    words[CLI_REPEATS_MAX] = option + 2; /* an operand */
    assert_true(cli_args_read(&args, &command, CLI_REPEATS_MAX + 1, words, empty_environment));
    words[CLI_REPEATS_MAX] = option;
    assert_false(cli_args_read(&args, &command, CLI_REPEATS_MAX + 1, words, empty_environment));
    assert_string_equal(args.error, "--rate was given too often: at most 64 times");
}

/* --- values ---------------------------------------------------------------------------------- */

static const char *read_value(enum cli_option_id id, const char *text, struct cli_value *value)
{
    *value = (struct cli_value){0};
    return cli_value_read(&cli_options[id], text, value);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"250ms", 250000000},
        {"5s", UINT64_C(5000000000)},
        {"1.5s", 1500000000},
        {"10m", UINT64_C(600) * 1000000000},
        {"1h", UINT64_C(3600) * 1000000000},
        {"7", UINT64_C(7000000000)},
        {"0", 0},
        {"800us", 800000},
        {"0.1ms", 100000},
    };
    static const char *const bad[] = {"",      "s",   "-5s",  "5 s", " 5s", "5x",  "1e3s",
                                      "0x10s", "inf", "1..s", ".5s", "5.s", "5sm", "999999999999h"};
    struct cli_value value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_null(read_value(CLI_ROW_TIMEOUT, good[i].text, &value));
        assert_int_equal(value.number, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(read_value(CLI_ROW_TIMEOUT, bad[i], &value));
}

static void counts(void **state)
{
    (void)state;
    struct cli_value value;
    assert_null(read_value(CLI_LIMIT, "600", &value));
    assert_int_equal(value.number, 600);
    assert_null(read_value(CLI_LIMIT, "80k", &value));
    assert_int_equal(value.number, 80000);
    assert_null(read_value(CLI_LIMIT, "80.3k", &value));
    assert_int_equal(value.number, 80300);
    assert_null(read_value(CLI_LIMIT, "1.5M", &value));
    assert_int_equal(value.number, 1500000);
    static const char *const bad[] = {
        "", "k", "1.5", "1.2345k", "-1", "+1", "1kk", "1e3", "99999999999999999999", "9999999999M"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(read_value(CLI_LIMIT, bad[i], &value));

    assert_null(read_value(CLI_CONCURRENCY, "auto", &value));
    assert_true(value.truth);
    assert_null(read_value(CLI_CONCURRENCY, "64", &value));
    assert_false(value.truth);
    assert_non_null(read_value(CLI_CONCURRENCY, "many", &value));

    assert_null(read_value(CLI_MAX_ERRORS, "10", &value));
    assert_false(value.truth);
    assert_int_equal(value.number, 10);
    assert_null(read_value(CLI_MAX_ERRORS, "2.5%", &value));
    assert_true(value.truth && value.amount > 2.49 && value.amount < 2.51);
    assert_non_null(read_value(CLI_MAX_ERRORS, "101%", &value));
    assert_non_null(read_value(CLI_MAX_ERRORS, "%", &value));

    assert_null(read_value(CLI_MAX_COST, "12.50", &value));
    assert_true(value.amount > 12.49 && value.amount < 12.51);
    assert_non_null(read_value(CLI_MAX_COST, "$5", &value));
    assert_non_null(read_value(CLI_MAX_COST, "nan", &value));
}

static void shards(void **state)
{
    (void)state;
    struct cli_value value;
    assert_null(read_value(CLI_SHARD, "2/8", &value));
    assert_int_equal(value.number, 2);
    assert_int_equal(value.total, 8);
    assert_null(read_value(CLI_SHARD, "0/1", &value));
    static const char *const bad[] = {"", "2", "8/8", "0/0", "2/", "/8", "2/8/1", "a/b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(read_value(CLI_SHARD, bad[i], &value));
}

static void rates(void **state)
{
    (void)state;
    struct cli_value value;
    assert_null(read_value(CLI_RATE, "default:rpm=600,itpm=80k,otpm=1.5M", &value));
    assert_int_equal(value.provider_bytes, 7);
    assert_int_equal(value.rpm, 600);
    assert_int_equal(value.itpm, 80000);
    assert_int_equal(value.otpm, 1500000);
    static const char *const bad[] = {
        "",         "rpm=5",         "a:",      "a:rpm",  "a:rpm=",        "a:rpm=0",
        "a:rpm=5,", "a:rpm=5,rpm=6", "a:xpm=5", ":rpm=5", "a:rpm=5;itpm=3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(read_value(CLI_RATE, bad[i], &value));
}

static void the_catalogue_is_consistent(void **state)
{
    (void)state;
    for (int i = 0; i < CLI_OPTIONS; i++) {
        const struct cli_option *option = &cli_options[i];
        assert_true(option->name && option->help && strlen(option->name) < 30);
        assert_int_equal(option->argument == NULL, option->kind == CLI_KIND_FLAG);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(option->name, cli_options[j].name);
        char variable[CLI_VARIABLE_BYTES];
        cli_option_variable((enum cli_option_id)i, variable);
        assert_memory_equal(variable, "MOOT_", 5);
    }
    char variable[CLI_VARIABLE_BYTES];
    cli_option_variable(CLI_MAX_ERRORS, variable);
    assert_string_equal(variable, "MOOT_MAX_ERRORS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_long_and_short),
        cmocka_unit_test(a_dash_and_what_follows_two_are_operands),
        cmocka_unit_test(flags_beat_variables),
        cmocka_unit_test(errors_name_the_option_and_the_way_out),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(too_many_repeats_are_refused),
        cmocka_unit_test(durations),
        cmocka_unit_test(counts),
        cmocka_unit_test(shards),
        cmocka_unit_test(rates),
        cmocka_unit_test(the_catalogue_is_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
