/* Whole answers: what is one, what is not, and what each holds. */
#include "fixture.h"

#include "engine/base/check.h"

#define ANSWER(message, finish)                                                                    \
    "{\"id\":\"r1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":" message                \
    ",\"finish_reason\":" finish "}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}"

static const struct {
    const char *body;
    int code;
    const char *text;
    enum moot_finish finish;
} cases[] = {
    {ANSWER("{\"role\":\"assistant\",\"content\":\"hi\"}", "\"stop\""), MOOT_OK, "hi",
     MOOT_FINISH_STOP},
    {"\xEF\xBB\xBF " ANSWER("{\"content\":\"hi\"}", "\"stop\"") "\n", MOOT_OK, "hi",
     MOOT_FINISH_STOP},
    {ANSWER("{\"content\":\"\"}", "\"stop\""), MOOT_OK, "", MOOT_FINISH_STOP},
    {ANSWER("{\"content\":\"hi\"}", "null"), MOOT_OK, "hi", MOOT_FINISH_NONE},
    {ANSWER("{\"content\":\"x\\ud83d\"}", "\"stop\""), MOOT_OK, "x\xEF\xBF\xBD", MOOT_FINISH_STOP},
    {ANSWER("{\"content\":\"\xFF\"}", "\"stop\""), MOOT_OK, "\xEF\xBF\xBD", MOOT_FINISH_STOP},
    {ANSWER("{\"content\":[{\"type\":\"reasoning\",\"summary\":[]},{\"type\":\"text\",\"text\":"
            "\"a\"},{\"text\":\"b\"},\"c\",7,{\"type\":\"text\"}]}",
            "\"stop\""),
     MOOT_OK, "abc", MOOT_FINISH_STOP},
    {ANSWER("{\"content\":null}", "\"length\""), MOOT_OK, "", MOOT_FINISH_LENGTH},
    {ANSWER("{\"content\":null,\"refusal\":\"no\"}", "\"stop\""), MOOT_OK, "",
     MOOT_FINISH_CONTENT_FILTER},
    {ANSWER("{\"content\":null,\"tool_calls\":[{\"id\":\"c\"}]}", "\"stop\""), MOOT_OK, "",
     MOOT_FINISH_TOOL_CALLS},
    {ANSWER("{\"content\":null}", "\"stop\""), MOOT_ECONTENT, "", MOOT_FINISH_STOP},
    {ANSWER("{}", "\"stop\""), MOOT_ECONTENT, "", MOOT_FINISH_STOP},
    {ANSWER("null", "\"stop\""), MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {ANSWER("{\"content\":\"part\"}", "\"error\""), MOOT_EPROVIDER, "part", MOOT_FINISH_ERROR},
    {"{\"choices\":[{\"index\":1,\"message\":{\"content\":\"b\"}},{\"index\":0,\"message\":{"
     "\"content\":\"a\"},\"finish_reason\":\"model_length\"}]}",
     MOOT_OK, "a", MOOT_FINISH_LENGTH},
    {"{\"choices\":[{\"index\":4,\"message\":{\"content\":\"b\"}}]}", MOOT_OK, "b",
     MOOT_FINISH_NONE},
    {"{\"choices\":[]}", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {"{\"choices\":null}", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {"{\"choices\":[null]}", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {"{\"choices\":{\"0\":1}}", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {"null", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {"[]", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {"\"hi\"", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {"", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {" \r\n", MOOT_ECONTENT, "", MOOT_FINISH_NONE},
    {"{\"choices\":[", MOOT_EJSON, "", MOOT_FINISH_NONE},
    {"{} {}", MOOT_EJSON, "", MOOT_FINISH_NONE},
    {"<html>login</html>", MOOT_EJSON, "", MOOT_FINISH_NONE},
    {"{\"error\":{\"message\":\"m\",\"code\":\"rate_limit_exceeded\"}}", MOOT_ETHROTTLED, "",
     MOOT_FINISH_NONE},
    {"{\"error_code\":\"UNAUTHENTICATED\",\"message\":\"m\"}", MOOT_EAUTH, "", MOOT_FINISH_NONE},
    {"{\"detail\":\"guardrail\"}", MOOT_EPROVIDER, "", MOOT_FINISH_NONE},
};

static void every_body_is_an_answer_or_not(void **state)
{
    (void)state;
    struct moot_arena arena, scratch;
    struct moot_reply reply;
    moot__arena_init(&arena, NULL, 1 << 20);
    moot__arena_init(&scratch, NULL, 1 << 20);
    moot__reply_init(&reply, &arena, &scratch);
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_error_info info = {0};
        int rc = moot__dialect_databricks.read_reply(moot__view_str(cases[i].body), &reply, &info);
        if (rc != cases[i].code)
            print_error("body %s: %d %s\n", cases[i].body, rc, info.message);
        assert_int_equal(rc, cases[i].code);
        assert_int_equal(info.code, rc);
        assert_int_equal(info.message[0] != '\0', rc != MOOT_OK);
        assert_int_equal(reply.finish, cases[i].finish);
        assert_view(moot__buf_view(&reply.text), cases[i].text);
        moot__reply_reset(&reply);
    }
    moot__reply_deinit(&reply);
    moot__reply_deinit(&reply);
    moot__arena_deinit(&scratch);
    moot__arena_deinit(&arena);
}

static void an_answer_keeps_what_came_with_it(void **state)
{
    (void)state;
    struct moot_arena arena, scratch;
    struct moot_reply reply;
    moot__arena_init(&arena, NULL, 1 << 20);
    moot__arena_init(&scratch, NULL, 1 << 20);
    moot__reply_init(&reply, &arena, &scratch);
    const char *body =
        "{\"id\":\"r1\",\"created\":1.7e9,\"model\":\"m-1\",\"unknown\":{},\"choices\":[{\"index\":"
        "0,\"message\":{\"content\":\"hi\",\"refusal\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1.50}\"}}]},"
        "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,"
        "\"total_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":3},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":1}}}";
    assert_int_equal(moot__dialect_openai.read_reply(moot__view_str(body), &reply, NULL), MOOT_OK);
    assert_view(reply.id, "r1");
    assert_view(reply.model, "m-1");
    assert_string_equal(reply.finish_raw, "tool_calls");
    assert_view(moot__buf_view(&reply.tool_calls),
                "[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                "\"{\\\"a\\\": 1.50}\"}}]");
    assert_int_equal(reply.usage.prompt, 5);
    assert_int_equal(reply.usage.completion, 2);
    assert_int_equal(reply.usage.total, 9);
    assert_int_equal(reply.usage.cached, 3);
    assert_int_equal(reply.usage.reasoning, 1);
    assert_int_equal(reply.usage.known, 31);
    moot__reply_deinit(&reply);
    moot__arena_deinit(&scratch);
    moot__arena_deinit(&arena);
}

static void usages_add_up(void **state)
{
    (void)state;
    struct moot_tokens sum = {0};
    struct moot_tokens one = {.prompt = 3, .total = 3, .known = MOOT_TOKENS_PROMPT};
    struct moot_tokens two = {
        .prompt = UINT64_MAX, .completion = 4, .known = MOOT_TOKENS_COMPLETION};
    moot__tokens_add(&sum, &one);
    moot__tokens_add(&sum, &two);
    assert_true(sum.prompt == UINT64_MAX);
    assert_int_equal(sum.completion, 4);
    assert_int_equal(sum.known, MOOT_TOKENS_PROMPT | MOOT_TOKENS_COMPLETION);
}

static void every_finish_reason_has_a_word(void **state)
{
    (void)state;
    assert_int_equal(moot__finish_read(MOOT_VIEW("")), MOOT_FINISH_NONE);
    assert_int_equal(moot__finish_read(MOOT_VIEW("end_turn")), MOOT_FINISH_STOP);
    assert_int_equal(moot__finish_read(MOOT_VIEW("Stop")), MOOT_FINISH_OTHER);
    assert_string_equal(moot__finish_name(MOOT_FINISH_NONE), "");
    assert_string_equal(moot__finish_name(MOOT_FINISH_CONTENT_FILTER), "content_filter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_body_is_an_answer_or_not),
        cmocka_unit_test(an_answer_keeps_what_came_with_it),
        cmocka_unit_test(usages_add_up),
        cmocka_unit_test(every_finish_reason_has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
