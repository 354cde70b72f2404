/* The framing table of http1_vectors.h, whole, byte by byte and in random pieces; a response's
 * verdict is also told as a client lives it, by whether its connection can be used again. */
#include "http1_trace.h"

#include "engine/base/check.h"
#include "http1_vectors.h"

/* What a client makes of it. */
static enum http1_verdict verdict_of_response(const struct run *run, size_t total)
{
    if (run->verdict)
        return (enum http1_verdict)run->verdict;
    return run->head.keep_alive && run->consumed == total ? KEEP : CLOSE;
}

static const char *verdict_name(enum http1_verdict verdict)
{
    return verdict == KEEP    ? "whole, and kept"
           : verdict == CLOSE ? "whole, and closed"
                              : moot_error_name((int)verdict);
}

/* What follows the head in a trace: "[...]body.", and "*" for any. */
static bool is_body_right(const struct http1_vector *vector, const struct run *run)
{
    struct moot_view trace = moot__buf_view(&run->trace);
    if (!vector->body)
        return trace.len == 0;
    size_t end = moot__view_find(trace, ']', 0);
    if (end == trace.len)
        return false;
    trace = moot__view(trace.ptr + end + 1, trace.len - end - 1 - (run->verdict == MOOT_OK));
    return strcmp(vector->body, "*") == 0 || moot__view_is(trace, vector->body);
}

/* 1 and a message if it is judged in another way. */
static unsigned judge_response(const struct http1_vector *vector)
{
    struct moot_buf bytes;
    struct run run;
    moot__buf_init(&bytes, NULL, 1 << 20);
    assert_int_equal(http1_vector_write(vector, false, &bytes), 0);
    run_every_way(
        moot__buf_view(&bytes),
        (struct run_options){.kind = MOOT_HTTP1_RESPONSE, .flags = http1_vector_flags(vector)},
        &run);
    enum http1_verdict verdict = verdict_of_response(&run, bytes.len);
    bool right = verdict == vector->response && is_body_right(vector, &run) &&
                 (run.verdict || bytes.len - run.consumed == vector->surplus);
    if (!right)
        print_error("%s (%s): %s, %zu left, %.*s\n", vector->name, vector->rule,
                    verdict_name(verdict), bytes.len - run.consumed,
                    (int)(run.trace.len < 100 ? run.trace.len : 100), run.trace.data);
    moot__buf_deinit(&run.trace);
    moot__buf_deinit(&bytes);
    return !right;
}

static unsigned judge_request(const struct http1_vector *vector)
{
    struct moot_buf bytes;
    struct run run;
    if (!http1_vector_is_request(vector))
        return 0;
    moot__buf_init(&bytes, NULL, 1 << 20);
    assert_int_equal(http1_vector_write(vector, true, &bytes), 0);
    run_every_way(moot__buf_view(&bytes), (struct run_options){.kind = MOOT_HTTP1_REQUEST}, &run);
    enum http1_verdict wanted = vector->request == DONE ? KEEP : vector->request;
    bool right = run.verdict == (int)wanted && (!run.verdict || run.answer_status >= 400);
    if (run.verdict == MOOT_OK && run.head.has_body)
        right = right && bytes.len - run.consumed == vector->surplus && is_body_right(vector, &run);
    if (!right)
        print_error("%s (%s), as a request: %s, %zu left\n", vector->name, vector->rule,
                    moot_error_name(run.verdict), bytes.len - run.consumed);
    moot__buf_deinit(&run.trace);
    moot__buf_deinit(&bytes);
    return !right;
}

static void framing_table(void **state)
{
    (void)state;
    unsigned wrong = 0;
    assert_true(http1_vector_count() >= 150);
    for (size_t i = 0; i < http1_vector_count(); i++) {
        wrong += judge_response(http1_vector_at(i));
        wrong += judge_request(http1_vector_at(i));
    }
    assert_int_equal(wrong, 0);
}

static void names_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < http1_vector_count(); i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(http1_vector_at(i)->name, http1_vector_at(k)->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_table),
        cmocka_unit_test(names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
