/* Progress as a block, as lines, as JSON. */
#include "engine/cli/progress.h"

#include "tests/support/test.h"

enum { TEXT_MAX = 4096 };

static const struct moot_batch_progress begun = {
    .rows_succeeded = 10,
    .rows_failed = 1,
    .rows_in_flight = 64,
    .input_tokens = 900,
    .output_tokens = 100,
    .calls = 22,
    .elapsed_ns = UINT64_C(2000000000),
};
static const struct moot_batch_progress later = {
    .rows_known = 500,
    .rows_succeeded = 40,
    .rows_failed = 2,
    .rows_in_flight = 3,
    .rows_total = 1000,
    .calls = 84,
    .retries = 5,
    .throttled = 3,
    .input_tokens = 9000,
    .output_tokens = 1000,
    .cost = 1.25,
    .elapsed_ns = UINT64_C(4000000000),
    .remaining_ns = UINT64_C(90000000000),
};

struct fixture {
    struct cli_progress progress;
    char text[TEXT_MAX];
};

static void begin(struct fixture *fixture, enum cli_progress_mode mode)
{
    memset(fixture->text, 0, sizeof fixture->text);
    FILE *out = fmemopen(fixture->text, sizeof fixture->text, "w");
    assert_non_null(out);
    cli_progress_init(&fixture->progress, mode, out);
}

static void a_file_gets_lines(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, CLI_PROGRESS_AUTO);
    assert_int_equal(fixture.progress.mode, CLI_PROGRESS_PLAIN);
    assert_int_equal(cli_progress_interval_ns(&fixture.progress), UINT64_C(5000000000));
    cli_progress_show(&fixture.progress, &begun);
    fclose(fixture.progress.out);
    assert_string_equal(fixture.text,
                        "moot: 11 rows, 1 failed, 64 in flight, 5.5 rows/s, 500 tokens/s, 2.0 s\n");
}

static void a_line_says_what_is_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    struct moot_batch_progress now = begun;
    now.wait = MOOT_BATCH_WAIT_QUOTA;
    memcpy(now.waiting_for, "claude", sizeof "claude");
    now.wait_ns = UINT64_C(12000000000);
    begin(&fixture, CLI_PROGRESS_PLAIN);
    cli_progress_show(&fixture.progress, &now);
    now.elapsed_ns += UINT64_C(2000000000);
    now.wait = MOOT_BATCH_WAIT_OUTAGE;
    now.failing_ns = UINT64_C(90000000000);
    memcpy(now.cause, "refused", sizeof "refused");
    cli_progress_show(&fixture.progress, &now);
    fclose(fixture.progress.out);
    assert_non_null(strstr(fixture.text, ", waiting 12.0 s for the quota of 'claude'\n"));
    assert_non_null(strstr(fixture.text, ", 'claude' has not answered for 1 min 30 s, "
                                         "next try in 12.0 s"
                                         ": refused\n"));
}

static void a_line_has_all_there_is_to_tell(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, CLI_PROGRESS_PLAIN);
    cli_progress_show(&fixture.progress, &later);
    fclose(fixture.progress.out);
    assert_string_equal(fixture.text,
                        "moot: 542 of 1,000 rows (54%), 2 failed, 3 in flight, 10.5 rows/s, "
                        "2,500 tokens/s, throttled 3, retries 5, $1.2500, 4.0 s, about 1 min 30 s "
                        "left\n");
}

static void a_block_is_drawn_over_and_never_wraps(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, CLI_PROGRESS_BLOCK);
    fixture.progress.columns = 30;
    assert_int_equal(cli_progress_interval_ns(&fixture.progress), 100000000);
    cli_progress_show(&fixture.progress, &begun);
    cli_progress_show(&fixture.progress, &later);
    fclose(fixture.progress.out);
    char *again = strstr(fixture.text, "\033[2A");
    assert_non_null(again);
    assert_null(strstr(again + 1, "\033[2A"));
    assert_memory_equal(fixture.text, "\r\033[2K11 rows, 1 failed, 64 in fligh\n", 34);
    for (const char *line = fixture.text; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") <= 29 + strlen("\033[2A\r\033[2K"));
}

static void json_is_one_object_a_line(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, CLI_PROGRESS_JSON);
    cli_progress_show(&fixture.progress, &later);
    cli_progress_finish(&fixture.progress, &later, MOOT_BATCH_SOME_FAILED);
    fclose(fixture.progress.out);
    assert_memory_equal(fixture.text, "{\"rows_known\":500,\"rows_succeeded\":40,", 38);
    char *second = strchr(fixture.text, '\n') + 1;
    assert_memory_equal(second, "{\"status\":\"some_failed\",\"rows_known\":500,", 41);
}

static void the_end_is_one_line(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture, CLI_PROGRESS_PLAIN);
    cli_progress_finish(&fixture.progress, &later, MOOT_BATCH_SOME_FAILED);
    fclose(fixture.progress.out);
    assert_string_equal(fixture.text, "moot: 40 rows answered, 2 failed, 500 done before; 84 calls "
                                      "(5 again), 9,000 tokens in, 1,000 out, $1.2500, 4.0 s\n");
    begin(&fixture, CLI_PROGRESS_OFF);
    cli_progress_show(&fixture.progress, &later);
    cli_progress_finish(&fixture.progress, &later, MOOT_BATCH_COMPLETE);
    fclose(fixture.progress.out);
    assert_string_equal(fixture.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gets_lines),
        cmocka_unit_test(a_line_says_what_is_waited_for),
        cmocka_unit_test(a_line_has_all_there_is_to_tell),
        cmocka_unit_test(a_block_is_drawn_over_and_never_wraps),
        cmocka_unit_test(json_is_one_object_a_line),
        cmocka_unit_test(the_end_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
