/* Every shape of row: recognised, read, answered, failed, recalled. */
#include "tests/support/failing_alloc.h"
#include "tests/support/test.h"

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "engine/batch/row.h"

static const struct {
    const char *dialect, *line, *id, *question, *params;
    size_t messages;
    const char *result, *error; /* how they begin */
} shapes[] = {
    {"openai",
     "{\"custom_id\":\"r1\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":"
     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"top_p\":0.50}}",
     "r1", "q", "{\"top_p\":0.50}", 1, "{\"id\":\"batch_req_",
     "\"custom_id\":\"r1\",\"response\":null,\"error\":{\"code\":\"timeout\",\"message\":\"late\","
     "\"param\":null,\"line\":null}"},
    {"anthropic",
     "{\"custom_id\":\"r2\",\"params\":{\"model\":\"m\",\"max_tokens\":9,\"system\":\"s\","
     "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
     "{\"type\":\"text\",\"text\":\"b\"}]}]}}",
     "r2", "ab", "{\"max_tokens\":9}", 2,
     "{\"custom_id\":\"r2\",\"result\":{\"type\":\"succeeded\",\"message\":{\"id\":\"msg_",
     "\"result\":{\"type\":\"errored\",\"error\":{\"type\":\"error\",\"error\":{\"type\":"
     "\"timeout\",\"message\":\"late\"},\"request_id\":null}}"},
    {"bedrock",
     "{\"recordId\":\"ABC\",\"modelInput\":{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}}",
     "ABC", "q", "", 1,
     "{\"recordId\":\"ABC\",\"modelInput\":{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]},"
     "\"modelOutput\":{\"id\":",
     "\"error\":{\"errorCode\":400,\"errorMessage\":\"late\"}"},
    {"mlflow",
     "{\"inputs\":{\"question\":\"q\"},\"expectations\":{\"expected_response\":\"4\"},\"id\":7}",
     "7", "q", "", 1,
     "{\"id\":7,\"inputs\":{\"question\":\"q\"},\"expectations\":{\"expected_response\":\"4\"},"
     "\"outputs\":\"A\"",
     "\"error\":{\"code\":\"timeout\",\"message\":\"late\",\"phase\":\"body\"}"},
    {"mt_bench", "{\"question_id\":81,\"category\":\"writing\",\"turns\":[\"q\",\"and then?\"]}",
     "81", "q", "", 1, "{\"question_id\":81,\"answer_id\":\"", "\"question_id\":81,"},
    {"plain", "{\"question\":\"q\",\"answer\":\"#### 18\",\"id\":\"g\"}", "g", "q", "", 1,
     "{\"id\":\"g\",\"answer\":\"A\",\"finish_reason\":\"stop\",\"model\":\"judge\",\"usage\":"
     "{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7},\"metadata\":{\"answer\":"
     "\"#### 18\"},\"moot\":{\"line\":5,",
     "\"metadata\":{\"answer\":\"#### 18\"}"},
    {"plain",
     "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"q\"}]"
     ",\"temperature\":1e0,\"metadata\":{\"k\":[1]}}",
     "row-5-", "q", "{\"temperature\":1e0}", 2, "{\"id\":\"row-5-", "\"metadata\":{\"k\":[1]}"},
};

static const struct moot_agent_reply replies[] = {
    {.role = {"oracle", 6},
     .attempts = 3,
     .possible_duplicate = true,
     .endpoint = {"o2", 2},
     .provider = {"far", 3},
     .fallbacks = 1},
    {.role = {"judge", 5}, .attempts = 1, .endpoint = {"j", 1}, .provider = {"near", 4}},
};

static const struct moot_outcome answer = {
    .text = {"A", 1},
    .model = {"judge", 5},
    .finish_reason = {"stop", 4},
    .usage = {.input_tokens = 3,
              .output_tokens = 4,
              .total_tokens = 7,
              .cached_tokens = 2,
              .cache_written_tokens = 1,
              .known = true},
    .calls = 4,
    .retries = 2,
    .fallbacks = 1,
    .cost = 0.25,
    .replies = replies,
    .reply_count = 2,
    .began_wall_ns = 1000000000,
    .ended_wall_ns = 3000000000,
    .waited_ns = 5000000,
    .possible_duplicate = true,
};

static struct moot_row *row_of(const char *dialect, const char *text)
{
    struct moot_row *row = NULL;
    struct moot_error_info info = {0};
    struct moot_row_line line = {.text = moot__view_str(text), .number = 5};
    line.dialect = moot__row_sniff(NULL, line.text, &info);
    assert_non_null(line.dialect);
    assert_string_equal(moot__row_dialect_name(line.dialect), dialect);
    assert_int_equal(moot__row_new(NULL, &line, &row), MOOT_OK);
    return row;
}

/* The written line reads back as the row and the facts that it is. */
static void assert_recalled(const struct moot_row *row, const struct moot_buf *line, int code)
{
    struct moot_arena arena;
    const struct moot_json *root;
    struct moot_hash key;
    struct moot_row_facts facts;
    assert_int_equal(line->data[line->len - 1], '\n');
    assert_null(memchr(line->data, '\n', line->len - 1));
    moot__arena_init(&arena, NULL, 1 << 20);
    assert_int_equal(
        moot__json_read(&arena, moot__view(line->data, line->len - 1), NULL, &root, NULL), MOOT_OK);
    assert_true(moot__row_recall(root, &key, &facts));
    assert_true(key.h1 == row->key.h1 && key.h2 == row->key.h2);
    assert_int_equal(facts.code, code);
    assert_int_equal(facts.line, 5);
    assert_int_equal(facts.calls, 4);
    assert_int_equal(facts.retries, 2);
    assert_true(facts.possible_duplicate && facts.usage.known);
    assert_int_equal(facts.usage.output_tokens, 4);
    assert_int_equal(facts.usage.cached_tokens, 2);
    assert_int_equal(facts.usage.cache_written_tokens, 1);
    assert_int_equal(facts.fallbacks, 1);
    const struct moot_json *by = moot__json_get(moot__json_get(root, "moot"), "answered_by");
    if (code == MOOT_OK) { /* a failure has no answer */
        assert_view(moot__json_text(moot__json_at(by, 0), "endpoint"), "o2");
        assert_view(moot__json_text(moot__json_at(by, 0), "provider"), "far");
        assert_view(moot__json_text(moot__json_at(by, 1), "role"), "judge");
    }
    assert_true(facts.took_ns == 2000000000 && facts.waited_ns == 5000000);
    moot__arena_deinit(&arena);
}

static void every_shape_in_and_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(shapes); i++) {
        struct moot_row *row = row_of(shapes[i].dialect, shapes[i].line);
        assert_int_equal(row->error.code, MOOT_OK);
        assert_true(moot__view_starts(row->id, moot__view_str(shapes[i].id)));
        assert_view(row->params, shapes[i].params);
        assert_int_equal(row->message_count, shapes[i].messages);
        assert_view(row->messages[row->message_count - 1].content, shapes[i].question);
        assert_view(row->messages[row->message_count - 1].role, "user");
        if (shapes[i].messages == 2)
            assert_view(row->messages[0].role, "system");

        struct moot_buf out;
        struct moot_row_facts facts;
        moot__buf_init(&out, NULL, 1 << 20);
        moot__row_facts(row, &answer, &facts);
        assert_int_equal(moot__row_write_result(row, &answer, &facts, &out), MOOT_OK);
        assert_true(moot__view_starts(moot__buf_view(&out), moot__view_str(shapes[i].result)));
        assert_recalled(row, &out, MOOT_OK);

        struct moot_outcome failed = answer;
        moot__fail(&failed.error, MOOT_ETIMEDOUT, MOOT_PHASE_BODY, "late");
        moot__buf_reset(&out);
        moot__row_facts(row, &failed, &facts);
        assert_int_equal(moot__row_write_error(row, &failed.error, &facts, &out), MOOT_OK);
        assert_recalled(row, &out, MOOT_ETIMEDOUT);
        assert_int_equal(moot__buf_append_byte(&out, '\0'), MOOT_OK);
        assert_non_null(strstr(out.data, shapes[i].error));
        moot__buf_deinit(&out);
        moot__row_free(row);
    }
}

static void the_refusal_of_a_provider_is_a_response(void **state)
{
    (void)state;
    struct moot_row *row = row_of("openai", shapes[0].line);
    struct moot_outcome failed = answer;
    struct moot_row_facts facts;
    struct moot_buf out;
    moot__buf_init(&out, NULL, 1 << 20);
    moot__fail(&failed.error, MOOT_EPROVIDER, MOOT_PHASE_BODY, "no such model");
    failed.error.http_status = 404;
    memcpy(failed.error.provider_code, "model_not_found", sizeof "model_not_found");
    moot__row_facts(row, &failed, &facts);
    assert_int_equal(moot__row_write_error(row, &failed.error, &facts, &out), MOOT_OK);
    assert_recalled(row, &out, MOOT_EPROVIDER);
    assert_int_equal(moot__buf_append_byte(&out, '\0'), MOOT_OK);
    assert_non_null(strstr(out.data, "\"response\":{\"status_code\":404,"));
    assert_non_null(strstr(out.data, "\"body\":{\"error\":{\"message\":\"no such model\",\"type\":"
                                     "\"model_not_found\",\"param\":null,\"code\":"
                                     "\"model_not_found\"}}},\"error\":null"));
    moot__buf_deinit(&out);
    moot__row_free(row);
}

static void wrong_lines_are_rows_that_failed(void **state)
{
    (void)state;
    static const struct {
        unsigned like; /* of the shapes: what the file is */
        const char *line;
    } cases[] = {
        {0, "{\"custom_id\":\"a\",\"body\":"},
        {0, "[]"},
        {0, "{\"custom_id\":\"a\",\"body\":{}}"},
        {0, "{\"custom_id\":\"a\",\"body\":{\"messages\":[]}}"},
        {0, "{\"custom_id\":\"a\",\"body\":{\"messages\":[{\"role\":\"user\"}]}}"},
        {0, "{\"custom_id\":\"a\",\"url\":\"/v1/embeddings\",\"body\":{\"input\":\"x\"}}"},
        {0, "{\"custom_id\":\"\",\"body\":{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}}"},
        {0, "{\"custom_id\":\"a\",\"body\":{\"messages\":[{\"role\":\"user\",\"content\":"
            "[{\"type\":\"image_url\"}]}]}}"},
        {1, "{\"custom_id\":\"a\",\"params\":{\"messages\":\"hello\"}}"},
        {3, "{\"inputs\":{\"a\":\"1\",\"b\":\"2\"}}"},
        {4, "{\"question_id\":1,\"turns\":[]}"},
        {5, "{\"answer\":\"18\"}"},
        {5, "{\"question\":\"\xff\"}"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_row_line line = {
            .dialect = moot__row_sniff(NULL, moot__view_str(shapes[cases[i].like].line), NULL),
            .text = moot__view_str(cases[i].line),
            .number = 5,
        };
        struct moot_row *row;
        struct moot_row_facts facts;
        struct moot_buf out;
        moot__buf_init(&out, NULL, 1 << 20);
        assert_int_equal(moot__row_new(NULL, &line, &row), MOOT_OK);
        assert_int_equal(row->error.code, MOOT_EINPUT);
        assert_int_equal(row->error.line, 5);
        assert_true(row->error.message[0] != '\0' && row->id.len > 0);
        moot__row_facts(row, NULL, &facts);
        assert_int_equal(moot__row_write_error(row, &row->error, &facts, &out), MOOT_OK);
        moot__buf_deinit(&out);
        moot__row_free(row);
    }
}

static void ids_at_their_limit_and_above(void **state)
{
    (void)state;
    char text[MOOT_LIMIT_ROW_ID_BYTES + 64];
    for (int len = MOOT_LIMIT_ROW_ID_BYTES - 1; len <= MOOT_LIMIT_ROW_ID_BYTES + 1; len++) {
        snprintf(text, sizeof text, "{\"prompt\":\"q\",\"id\":\"%0*d\"}", len, 1);
        struct moot_row *row = row_of("plain", text);
        assert_int_equal(row->error.code, len > MOOT_LIMIT_ROW_ID_BYTES ? MOOT_EINPUT : MOOT_OK);
        moot__row_free(row);
    }
}

static void a_duplicate_is_known_again(void **state)
{
    (void)state;
    struct moot_row *row = row_of("plain", shapes[5].line);
    struct moot_row_facts facts, again;
    struct moot_arena arena;
    const struct moot_json *root;
    struct moot_hash key;
    struct moot_buf out;
    moot__buf_init(&out, NULL, 1 << 20);
    moot__row_reject_duplicate(row, 2);
    assert_string_equal(row->error.message, "line 5 has the id of line 2, and ids must differ");
    moot__row_facts(row, NULL, &facts);
    assert_int_equal(moot__row_write_error(row, &row->error, &facts, &out), MOOT_OK);
    moot__arena_init(&arena, NULL, 1 << 20);
    assert_int_equal(moot__json_read(&arena, moot__view(out.data, out.len - 1), NULL, &root, NULL),
                     MOOT_OK);
    assert_true(moot__row_recall(root, &key, &again));
    assert_true(key.h1 == row->key.h1 && key.h2 == row->key.h2);
    struct moot_hash own = moot__row_key(row->id);
    assert_false(key.h1 == own.h1);
    moot__arena_deinit(&arena);
    moot__buf_deinit(&out);
    moot__row_free(row);
}

static void csv_becomes_rows(void **state)
{
    (void)state;
    struct moot_row_line line = {.header = MOOT_VIEW("id,\"question\", level"), .number = 2};
    line.dialect = moot__row_sniff(NULL, line.header, NULL);
    assert_non_null(line.dialect);
    assert_true(moot__row_dialect_is_csv(line.dialect));
    struct moot_row *row;
    static const struct {
        const char *record, *id, *question, *level;
    } good[] = {
        {"1,plain,easy", "1", "plain", "easy"},
        {"\"a,b\",\"say \"\"hi\"\"\nthere\",", "a,b", "say \"hi\"\nthere", ""},
        {"2,\"\",\"\"", "2", "", ""},
    };
    for (size_t i = 0; i < moot__countof(good); i++) {
        line.text = moot__view_str(good[i].record);
        assert_int_equal(moot__row_new(NULL, &line, &row), MOOT_OK);
        assert_int_equal(row->error.code, MOOT_OK);
        assert_view(row->id, good[i].id);
        assert_view(row->messages[0].content, good[i].question);
        assert_view(row->metadata->key, "level");
        assert_view(row->metadata->text, good[i].level);
        assert_null(row->metadata->next);
        moot__row_free(row);
    }
    static const char *const bad[] = {"1,2", "1,2,3,4", "1,\"x,3", "1,\"x\"y,3", "\xff,2,3"};
    for (size_t i = 0; i < moot__countof(bad); i++) {
        line.text = moot__view_str(bad[i]);
        assert_int_equal(moot__row_new(NULL, &line, &row), MOOT_OK);
        assert_int_equal(row->error.code, MOOT_EINPUT);
        moot__row_free(row);
    }
}

static void unknown_files_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"hello", "[{}]", "{\"a\":1}", "{\"custom_id\":\"a\"",
                                        "a,b"};
    for (size_t i = 0; i < moot__countof(lines); i++) {
        struct moot_error_info info = {0};
        assert_null(moot__row_sniff(NULL, moot__view_str(lines[i]), &info));
        assert_int_equal(info.code, MOOT_EINPUT);
    }
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(shapes); i++) {
        for (size_t fail_at = 1;; fail_at++) {
            struct moot_failing_alloc memory;
            struct moot_row *row = NULL;
            moot__failing_alloc_init(&memory, fail_at);
            struct moot_row_line line = {.text = moot__view_str(shapes[i].line), .number = 5};
            line.dialect = moot__row_sniff(NULL, line.text, NULL);
            int rc = moot__row_new(&memory.allocator, &line, &row);
            if (!moot__failing_alloc_failed(&memory)) {
                assert_int_equal(rc, MOOT_OK);
                moot__row_free(row);
                break;
            }
            assert_int_equal(rc, MOOT_ENOMEM);
            assert_null(row);
            assert_int_equal(moot__failing_alloc_live(&memory), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_in_and_out),
        cmocka_unit_test(the_refusal_of_a_provider_is_a_response),
        cmocka_unit_test(wrong_lines_are_rows_that_failed),
        cmocka_unit_test(ids_at_their_limit_and_above),
        cmocka_unit_test(a_duplicate_is_known_again),
        cmocka_unit_test(csv_becomes_rows),
        cmocka_unit_test(unknown_files_are_refused),
        cmocka_unit_test(no_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
