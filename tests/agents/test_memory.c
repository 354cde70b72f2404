/* One conversation's worth of work with every allocation failing in turn: the error is ENOMEM, and
 * nothing is left behind. */
#include "fixture.h"

#include "agents/flow.h"
#include "agents/prompt.h"
#include "agents/provider_error.h"
#include "engine/base/check.h"
#include "tests/support/failing_alloc.h"

static int speak(struct moot_arena *arena, struct moot_buf *out)
{
    const struct moot_json *root;
    int rc = moot__document_read(arena,
                                 MOOT_VIEW("{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
                                           "\"params\":{\"seed\":1},\"bad\":\"\xFF\"}"),
                                 &root, NULL);
    struct moot_turns turns = {0};
    if (rc == MOOT_OK)
        rc = moot__turns_read(moot__json_get(root, "messages"), arena, &turns, NULL);
    struct moot_agent agent = {
        .role = {"oracle", 6}, .instruction = {"i", 1}, .endpoint = {"e", 1}};
    struct moot_request request = {.agent = &agent, .stream = true};
    if (rc == MOOT_OK)
        rc = moot__params_read(moot__json_get(root, "params"), arena, &request.overriding);
    if (rc == MOOT_OK)
        rc = moot__agent_apply_defaults(&agent, arena);
    struct moot_transcript transcript;
    if (rc == MOOT_OK)
        rc = moot__transcript_begin(&transcript, arena, turns, NULL);
    for (int i = 0; rc == MOOT_OK && i < 5; i++)
        rc = moot__transcript_add(&transcript, MOOT_VIEW("an answer"));
    struct moot_flow flow;
    struct moot_view role = MOOT_VIEW("oracle");
    if (rc == MOOT_OK)
        rc = moot__flow_resolve(&flow, arena, (struct moot_flow_roles){&role, 1},
                                (struct moot_agents){&agent, 1}, NULL);
    struct moot_prompt_config config = {0};
    if (rc == MOOT_OK)
        rc = moot__prompt_assemble(&config, &agent, &transcript, arena, &request.turns);
    if (rc == MOOT_OK)
        rc = moot__dialect_openai.write_target(&request, MOOT_VIEW("/v1"), out);
    return rc == MOOT_OK ? write_body(&moot__dialect_openai, &request, arena, out) : rc;
}

static int listen_whole(struct moot_arena *arena, struct moot_arena *scratch)
{
    struct moot_reply reply;
    moot__reply_init(&reply, arena, scratch);
    int rc = moot__dialect_openai.read_reply(
        MOOT_VIEW(
            "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"a\xFF\","
            "\"refusal\":\"r\",\"tool_calls\":[{\"id\":\"c\"}]},\"finish_reason\":\"stop\"}]}"),
        &reply, NULL);
    moot__reply_deinit(&reply);
    return rc;
}

static int listen_streamed(struct moot_arena *arena, struct moot_arena *scratch)
{
    static const char *const chunks[] = {
        "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\",\"refusal\":"
        "\"r\"}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\"}},{\"id\":\"d\"},{\"id\":\"e\"},{\"id\":\"f\"},{\"id\":\"g\"}]}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":{\"a\":1}}}]}}]}",
        "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}",
        "[DONE]",
    };
    struct moot_reply reply;
    struct moot_reply_stream stream;
    moot__reply_init(&reply, arena, scratch);
    moot__reply_stream_init(&stream, &moot__dialect_openai, &reply);
    struct moot_view delta;
    int rc = MOOT_OK;
    for (size_t i = 0; rc == MOOT_OK && i < moot__countof(chunks); i++) {
        struct moot_stream_event event = {.data = moot__view_str(chunks[i])};
        rc = moot__reply_stream_event(&stream, &event, &delta);
    }
    int end = moot__reply_stream_finish(&stream, &delta);
    assert_true(rc == MOOT_OK || end == rc);
    moot__reply_stream_deinit(&stream);
    moot__reply_deinit(&reply);
    return end;
}

static int run(const struct moot_allocator *allocator)
{
    struct moot_arena arena, scratch;
    struct moot_buf out;
    moot__arena_init(&arena, allocator, 1 << 20);
    moot__arena_init(&scratch, allocator, 1 << 20);
    moot__buf_init(&out, allocator, 1 << 20);
    int rc = speak(&arena, &out);
    if (rc == MOOT_OK)
        rc = listen_whole(&arena, &scratch);
    if (rc == MOOT_OK)
        rc = listen_streamed(&arena, &scratch);
    moot__buf_deinit(&out);
    moot__arena_deinit(&scratch);
    moot__arena_deinit(&arena);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct moot_failing_alloc memory;
    for (size_t nth = 1; nth < 1000; nth++) {
        moot__failing_alloc_init(&memory, nth);
        int rc = run(&memory.allocator);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, MOOT_OK);
            assert_true(nth > 10);
            return;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
    fail();
}

static void an_error_is_classified_without_memory(void **state)
{
    (void)state;
    struct moot_failing_alloc memory;
    moot__failing_alloc_init(&memory, 1);
    memory.stay_failed = true;
    struct moot_error_info info;
    const struct moot_refusal refusal = {.status = 429,
                                         .body = MOOT_VIEW("{\"error\":{\"message\":\"m\"}}")};
    assert_int_equal(moot__provider_error_read(&refusal, &memory.allocator, &info),
                     MOOT_ETHROTTLED);
    assert_string_equal(info.message, "HTTP 429: {\"error\":{\"message\":\"m\"}}");
    assert_int_equal(moot__failing_alloc_live(&memory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(an_error_is_classified_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
