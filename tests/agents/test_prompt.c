/* Who speaks, and what each is shown. */
#include "fixture.h"

#include "agents/flow.h"
#include "agents/prompt.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

static const struct moot_agent agents[] = {
    {.role = {"judge", 5}, .instruction = {"be strict", 9}},
    {.role = {"oracle", 6}, .instruction = {"be wise", 7}},
    {.role = {"editor", 6}},
};

static void resolve(struct moot_flow *flow, struct moot_arena *arena, const char *const *names,
                    size_t count, int want)
{
    struct moot_view roles[MOOT_LIMIT_FLOW_STEPS + 1];
    for (size_t i = 0; i < count; i++)
        roles[i] = moot__view_str(names[i]);
    struct moot_error_info info;
    assert_int_equal(moot__flow_resolve(flow, arena, (struct moot_flow_roles){roles, count},
                                        (struct moot_agents){agents, moot__countof(agents)}, &info),
                     want);
}

static void a_flow_is_a_sequence(void **state)
{
    (void)state;
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 1 << 20);
    struct moot_flow flow;
    resolve(&flow, &arena, NULL, 0, MOOT_OK);
    unsigned agent;
    assert_true(moot__flow_next(&flow, 0, &agent));
    assert_int_equal(agent, 1);
    assert_false(moot__flow_is_last(&flow, 0));
    assert_true(moot__flow_next(&flow, 1, &agent));
    assert_int_equal(agent, 0);
    assert_true(moot__flow_is_last(&flow, 1));
    assert_false(moot__flow_next(&flow, 2, &agent));

    static const char *const twice[] = {"oracle", "editor", "oracle"};
    resolve(&flow, &arena, twice, 3, MOOT_OK);
    assert_int_equal(flow.steps[2].agent, 1);
    static const char *const unknown[] = {"oracle", "nobody"};
    resolve(&flow, &arena, unknown, 2, MOOT_ECONFIG);
    const char *many[MOOT_LIMIT_FLOW_STEPS + 1];
    for (size_t i = 0; i < moot__countof(many); i++)
        many[i] = "oracle";
    resolve(&flow, &arena, many, MOOT_LIMIT_FLOW_STEPS, MOOT_OK);
    resolve(&flow, &arena, many, MOOT_LIMIT_FLOW_STEPS + 1, MOOT_ECONFIG);
    moot__arena_deinit(&arena);
}

static void check_turns(struct moot_turns turns, const char *const (*want)[2], size_t count)
{
    assert_int_equal(turns.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_view(turns.items[i].role, want[i][0]);
        assert_view(turns.items[i].content, want[i][1]);
    }
}

static void each_agent_sees_what_was_said(void **state)
{
    (void)state;
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 1 << 20);
    struct moot_turn said[] = {turn("system", "terse"), turn("user", "q1"), turn("assistant", "a1"),
                               turn("user", "q2")};
    struct moot_transcript transcript;
    assert_int_equal(
        moot__transcript_begin(&transcript, &arena, (struct moot_turns){said, 4}, NULL), MOOT_OK);
    memset(said, 0, sizeof(said)); /* the transcript has its own */

    struct moot_prompt_config config = {.history = MOOT_HISTORY_ALL};
    struct moot_turns turns;
    static const char *const first[][2] = {{"system", "be wise"},
                                           {"system", "terse"},
                                           {"user", "q1"},
                                           {"assistant", "a1"},
                                           {"user", "q2"}};
    assert_int_equal(moot__prompt_assemble(&config, &agents[1], &transcript, &arena, &turns),
                     MOOT_OK);
    check_turns(turns, first, 5);

    assert_int_equal(moot__transcript_add(&transcript, MOOT_VIEW("r1")), MOOT_OK);
    static const char *const second[][2] = {{"system", "be strict"},
                                            {"system", "terse"},
                                            {"user", "q1"},
                                            {"assistant", "a1"},
                                            {"user", "q2"},
                                            {"assistant", "r1"},
                                            {"user", MOOT_DEFAULT_RESPONSE_INSTRUCTION}};
    assert_int_equal(moot__prompt_assemble(&config, &agents[0], &transcript, &arena, &turns),
                     MOOT_OK);
    check_turns(turns, second, 7);

    assert_int_equal(moot__transcript_add(&transcript, MOOT_VIEW("")), MOOT_OK);
    config.history = MOOT_HISTORY_FIRST;
    config.user_response_instruction = MOOT_VIEW("again");
    static const char *const third[][2] = {{"system", "terse"},
                                           {"assistant", "r1"},
                                           {"user", "again"},
                                           {"assistant", ""},
                                           {"user", "again"}};
    assert_int_equal(moot__prompt_assemble(&config, &agents[2], &transcript, &arena, &turns),
                     MOOT_OK);
    check_turns(turns, third, 5);
    moot__arena_deinit(&arena);
}

static void a_transcript_is_bounded(void **state)
{
    (void)state;
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 4 << 20);
    struct moot_transcript transcript;
    static struct moot_turn said[MOOT_LIMIT_MESSAGES + 1];
    for (size_t i = 0; i < moot__countof(said); i++)
        said[i] = turn("user", "q");
    struct moot_turns turns = {said, 0};
    assert_int_equal(moot__transcript_begin(&transcript, &arena, turns, NULL), MOOT_EINPUT);
    turns.count = MOOT_LIMIT_MESSAGES + 1;
    assert_int_equal(moot__transcript_begin(&transcript, &arena, turns, NULL), MOOT_ELIMIT);
    turns.count = MOOT_LIMIT_MESSAGES;
    assert_int_equal(moot__transcript_begin(&transcript, &arena, turns, NULL), MOOT_OK);
    for (size_t i = 0; i < MOOT_LIMIT_FLOW_STEPS; i++)
        assert_int_equal(moot__transcript_add(&transcript, MOOT_VIEW("r")), MOOT_OK);
    assert_int_equal(moot__transcript_add(&transcript, MOOT_VIEW("r")), MOOT_ELIMIT);
    said[1] = turn("", "q");
    turns.count = 2;
    assert_int_equal(moot__transcript_begin(&transcript, &arena, turns, NULL), MOOT_EINPUT);
    moot__arena_deinit(&arena);
}

static void messages_are_read_from_a_request(void **state)
{
    (void)state;
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 1 << 20);
    struct moot_turns turns;
    const struct moot_json *sound =
        read_json(&arena, "[{\"role\":\"user\",\"content\":\"q\",\"name\":\"Ada\"},"
                          "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"p\"}]},"
                          "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]},"
                          "{\"role\":\"assistant\",\"tool_calls\":[]},"
                          "{\"role\":\"tool\",\"content\":\"r\",\"tool_call_id\":\"c\"}]");
    assert_int_equal(moot__turns_read(sound, &arena, &turns, NULL), MOOT_OK);
    assert_int_equal(turns.count, 5);
    assert_view(turns.items[0].name, "Ada");
    assert_null(turns.items[0].extra);
    assert_true(moot__json_is_array(turns.items[1].content_json));
    assert_true(moot__json_is_null(turns.items[2].content_json));
    assert_true(turns.items[3].content_absent);
    assert_non_null(turns.items[4].extra);
    assert_true(moot__estimate_turns(turns) > 5 * 4);

    static const char *const wrong[] = {
        "{}",
        "[]",
        "[1]",
        "[{\"content\":\"q\"}]",
        "[{\"role\":\"user\"}]",
        "[{\"role\":\"user\",\"content\":null}]",
        "[{\"role\":\"user\",\"content\":7}]",
        "[{\"role\":7,\"content\":\"q\"}]",
    };
    for (size_t i = 0; i < moot__countof(wrong); i++) {
        struct moot_error_info info;
        assert_int_equal(moot__turns_read(read_json(&arena, wrong[i]), &arena, &turns, &info),
                         MOOT_EINPUT);
        assert_true(info.message[0] != '\0');
    }
    moot__arena_deinit(&arena);
}

static void tokens_are_estimated(void **state)
{
    (void)state;
    assert_int_equal(moot__estimate_tokens(0), 0);
    assert_int_equal(moot__estimate_tokens(1), 1);
    assert_int_equal(moot__estimate_tokens(36), 10);
    assert_int_equal(moot__estimate_tokens(37), 11);
    assert_true(moot__estimate_tokens(UINT64_MAX) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_is_a_sequence),
        cmocka_unit_test(each_agent_sees_what_was_said),
        cmocka_unit_test(a_transcript_is_bounded),
        cmocka_unit_test(messages_are_read_from_a_request),
        cmocka_unit_test(tokens_are_estimated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
