/* What a plan would do: calls, bounds and prices, problems, and memory that runs out. */
#include <moot/preview.h>

#include <stdlib.h>
#include <unistd.h>

#include "tests/support/failing_alloc.h"
#include "tests/support/test.h"

static const char config[] = "models:\n"
                             "  oracle: {endpoint: o, instruction: I, max_tokens: 100}\n"
                             "  judge: {endpoint: j, instruction: J, max_tokens: 50}\n"
                             "configuration: {caller_params: final}\n"
                             "providers:\n"
                             "  default: {type: databricks, base_url: 'http://127.0.0.1:9',\n"
                             "            prices: {'*': {input: 1, output: 2}}}\n";

struct seen {
    int calls, problems;
    unsigned lines[8];
    struct moot_preview_call last;
    char content[64];
};

static struct moot_plan *load(void)
{
    struct moot_plan_options options = {
        .size = sizeof options,
        .path = "test.yaml",
        .text = MOOT_VIEW(""),
    };
    options.text = moot__view_str(config);
    struct moot_plan *plan;
    assert_int_equal(moot_plan_load(&options, &plan, NULL), MOOT_OK);
    return plan;
}

static void on_call(const struct moot_preview_call *call, void *data)
{
    struct seen *seen = data;
    assert_int_equal(call->step, seen->calls);
    seen->calls++;
    seen->last = *call;
    struct moot_view last = call->messages[call->message_count - 1].content;
    moot__view_copy(call->step ? call->messages[2].content : last, seen->content,
                    sizeof seen->content);
}

static void on_problem(const struct moot_error_info *problem, void *data)
{
    struct seen *seen = data;
    assert_true(problem->message[0] != '\0');
    seen->lines[seen->problems++ % 8] = problem->line;
}

static void write_rows(char path[], const char *rows)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    size_t length = strlen(rows);
    assert_int_equal(write(fd, rows, length), length);
    close(fd);
}

static void a_flow_is_listed_and_priced(void **state)
{
    (void)state;
    struct moot_plan *plan = load();
    assert_int_equal(moot_plan_step_count(plan), 2);
    assert_view(moot_plan_step_at(plan, 0).role, "oracle");
    assert_view(moot_plan_step_at(plan, 1).endpoint, "j");
    assert_view(moot_plan_step_at(plan, 1).base_url, "http://127.0.0.1:9");

    struct seen seen = {0};
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("scone?")};
    struct moot_preview_options options = {.size = sizeof options,
                                           .plan = plan,
                                           .messages = &message,
                                           .message_count = 1,
                                           .on_call = on_call,
                                           .on_problem = on_problem,
                                           .data = &seen};
    struct moot_preview sums;
    assert_int_equal(moot_preview(&options, &sums, NULL), MOOT_OK);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(seen.problems, 0);
    assert_string_equal(seen.content, "{answer of oracle}");
    assert_int_equal(seen.last.message_count, 4);
    assert_int_equal(sums.rows, 1);
    assert_int_equal(sums.calls, 2);
    assert_int_equal(sums.output_tokens, 150);
    assert_true(sums.is_bounded && sums.has_prices);
    double cost = ((double)sums.input_tokens + 2 * 150) / 1e6;
    assert_true(sums.cost > cost - 1e-9 && sums.cost < cost + 1e-9);

    message.content = MOOT_VIEW("\xff");
    assert_int_equal(moot_preview(&options, &sums, NULL), MOOT_EUTF8);
    options.message_count = 0;
    assert_int_equal(moot_preview(&options, &sums, NULL), MOOT_EINVAL);
    moot_plan_unref(plan);
}

static void every_wrong_row_is_told(void **state)
{
    (void)state;
    struct moot_plan *plan = load();
    char path[] = "/tmp/moot_preview_XXXXXX";
    write_rows(path, "{\"id\":\"a\",\"question\":\"x\",\"max_tokens\":7}\n"
                     "\n"
                     "{\"id\":\"a\",\"question\":\"y\"}\n"
                     "nonsense\n"
                     "{\"id\":\"b\",\"question\":\"z\"}\n");
    struct seen seen = {0};
    struct moot_preview_options options = {.size = sizeof options,
                                           .plan = plan,
                                           .path = path,
                                           .on_call = on_call,
                                           .on_problem = on_problem,
                                           .data = &seen};
    struct moot_preview sums;
    assert_int_equal(moot_preview(&options, &sums, NULL), MOOT_OK);
    assert_int_equal(sums.rows, 4);
    assert_int_equal(sums.rows_wrong, 2);
    assert_int_equal(seen.problems, 2);
    assert_int_equal(seen.lines[0], 3);
    assert_int_equal(seen.lines[1], 4);
    assert_int_equal(seen.calls, 2);              /* the first row's alone */
    assert_int_equal(seen.last.output_tokens, 7); /* the caller's word, at the last role */
    assert_int_equal(sums.output_tokens, 100 + 7 + 100 + 50);

    seen = (struct seen){0};
    options.limit = 1;
    assert_int_equal(moot_preview(&options, &sums, NULL), MOOT_OK);
    assert_int_equal(sums.rows, 1);
    unlink(path);
    assert_int_equal(moot_preview(&options, &sums, NULL), MOOT_ENOTFOUND);
    moot_plan_unref(plan);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    struct moot_plan *plan = load();
    char path[] = "/tmp/moot_preview_XXXXXX";
    write_rows(path, "{\"question\":\"x\",\"max_tokens\":7}\n{\"question\":\"y\"}\n");
    for (size_t nth = 1;; nth++) {
        struct moot_failing_alloc memory;
        struct seen seen = {0};
        struct moot_preview sums;
        moot__failing_alloc_init(&memory, nth);
        struct moot_preview_options options = {.size = sizeof options,
                                               .allocator = &memory.allocator,
                                               .plan = plan,
                                               .path = path,
                                               .on_call = on_call,
                                               .data = &seen};
        int rc = moot_preview(&options, &sums, NULL);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, MOOT_OK);
            break;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
    unlink(path);
    moot_plan_unref(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_is_listed_and_priced),
        cmocka_unit_test(every_wrong_row_is_told),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
