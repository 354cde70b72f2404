/* Pause holds back what the user sees and what the provider sends, and nothing else. */
#include "tests/support/test.h"

#include <string.h>

#include "world.h"

#define ANSWER_A "model-a heard: Why?"
#define ANSWER_B "model-b heard: Better please."

static void pause_at_first_tokens(struct talk *talk, const struct moot_event *event)
{
    if (event->type == MOOT_EVENT_TOKENS && talk->events[MOOT_EVENT_TOKENS] == 1)
        moot_conversation_pause(talk->conversation);
    if (event->type == MOOT_EVENT_AGENT_FINISHED) { /* all was seen before it is said to be over */
        assert_int_equal(talk->tokens_len, event->reply->text.len);
        assert_memory_equal(talk->tokens, event->reply->text.ptr, talk->tokens_len);
    }
}

/* The whole answer may come with the very read that the pause is made in. */
static void resume_gets_all(uint64_t token_ns)
{
    struct world world;
    struct world_options options = world_options();
    options.emulator.first_token_ns = options.emulator.inter_token_ns = token_ns;
    world_init(&world, &options);
    struct talk talk = {.on_event = pause_at_first_tokens};
    assert_int_equal(talk_begin(&world, &talk, "Why?", true), MOOT_OK);
    assert_true(test_loop_run_until_count(&world.loop, &talk.events[MOOT_EVENT_TOKENS], 1));
    test_loop_run_turns(&world.loop, 200);
    assert_int_equal(talk.events[MOOT_EVENT_TOKENS], 1);
    assert_int_equal(talk.events[MOOT_EVENT_AGENT_FINISHED], 0);
    assert_true(talk.tokens_len < strlen(ANSWER_A));
    moot_conversation_resume(talk.conversation);
    assert_int_equal(talk.events[MOOT_EVENT_TOKENS], 1);
    assert_true(test_loop_run_until_count(&world.loop, &talk.events[MOOT_EVENT_AGENT_FINISHED], 1));
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_OK);
    assert_string_equal(talk.text, ANSWER_B);
    assert_int_equal(talk.tokens_len, strlen(ANSWER_B));
    world_deinit(&world);
}

static void resume_gets_what_came_at_once(void **state)
{
    (void)state;
    resume_gets_all(0);
}

static void resume_gets_what_comes_in_time(void **state)
{
    (void)state;
    resume_gets_all(MOOT_NS_PER_MS);
}

/* What was read before the pause was made is shown at once, not with the provider's next word. */
static void resume_shows_what_is_there(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    struct moot_emulator_rule rule = {
        .fault = MOOT_EMULATOR_FAULT_STALL_BODY, .rate = 1, .has_after = true, .after = 3};
    options.emulator.rules = &rule;
    options.emulator.rule_count = 1;
    world_init(&world, &options);
    struct talk talk = {.on_event = pause_at_first_tokens};
    assert_int_equal(talk_begin(&world, &talk, "Why? Oh why?", true), MOOT_OK);
    assert_true(test_loop_run_until_count(&world.loop, &talk.events[MOOT_EVENT_TOKENS], 1));
    test_loop_run_turns(&world.loop, 50);
    assert_int_equal(talk.events[MOOT_EVENT_TOKENS], 1);
    moot_conversation_resume(talk.conversation);
    test_loop_run_turns(&world.loop, 50);
    assert_int_equal(talk.tokens_len, strlen(ANSWER_A));
    moot_conversation_cancel(talk.conversation);
    talk_run(&world, &talk);
    assert_string_equal(talk.text, ANSWER_A);
    world_deinit(&world);
}

static void paused_from_the_start(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    world_init(&world, &options);
    for (int stream = 0; stream < 2; stream++) {
        struct talk talk = {0};
        assert_int_equal(talk_begin(&world, &talk, "Why?", stream), MOOT_OK);
        moot_conversation_resume(talk.conversation); /* not paused: nothing */
        moot_conversation_pause(talk.conversation);
        moot_conversation_pause(talk.conversation);
        test_loop_run_turns(&world.loop, 100);
        assert_int_equal(talk.events[MOOT_EVENT_AGENT_BEGAN], 1);
        assert_int_equal(talk.events[MOOT_EVENT_TOKENS], 0);
        moot_conversation_resume(talk.conversation);
        talk_run(&world, &talk);
        assert_int_equal(talk.error.code, MOOT_OK);
        assert_int_equal(talk.tokens_len, strlen(ANSWER_B));
    }
    world_deinit(&world);
}

/* ---- The provider is held back ---- */

struct flood {
    struct moot_conversation *conversation;
    int tokens, done;
    size_t bytes;
    struct moot_error_info error;
};

static void on_flood(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct flood *flood = data;
    if (event->type != MOOT_EVENT_TOKENS)
        return;
    flood->tokens++;
    flood->bytes += event->text.len;
    moot_conversation_pause(conversation);
}

static void on_flooded(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                       void *data)
{
    struct flood *flood = data;
    assert_ptr_equal(conversation, flood->conversation);
    flood->error = outcome->error;
    flood->done++;
}

static void begin_flood(struct world *world, struct flood *flood)
{
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Tell me everything.")};
    struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = true,
        .on_event = on_flood,
        .on_done = on_flooded,
        .data = flood,
    };
    assert_int_equal(moot_conversation_begin(world->engine, &options, &flood->conversation),
                     MOOT_OK);
}

static struct moot_emulator_log_entry newest_sent(const struct world *world)
{
    struct moot_emulator_log_entry entry, newest = {0};
    const struct moot_emulator *emulator = moot__emulator_server_emulator(world->server);
    for (size_t i = 0; moot_emulator_log(emulator, i, &entry); i++)
        if (entry.sent_ns)
            newest = entry;
    return newest;
}

/* Turns until the provider has got stuck: no token goes out any more. */
static uint64_t run_until_stuck(struct world *world)
{
    uint64_t before, now = 0;
    int rounds = 0;
    do {
        before = now;
        test_loop_run_turns(&world->loop, 200);
        now = newest_sent(world).token;
    } while ((now != before || now == 0) && ++rounds < 10000);
    assert_true(rounds < 10000);
    return now;
}

enum { FLOOD_TOKENS = 200 * 1000, CHUNK_BYTES = 150, SOCKET_BYTES_MAX = 16 << 20 };

static void the_provider_is_held_back(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    options.emulator.answer = MOOT_EMULATOR_GENERATED;
    options.emulator.reply_tokens_min = options.emulator.reply_tokens_max = FLOOD_TOKENS;
    world_init(&world, &options);
    struct flood flood = {0};
    begin_flood(&world, &flood);
    assert_true(test_loop_run_until_count(&world.loop, &flood.tokens, 1));
    uint64_t sent = run_until_stuck(&world);
    assert_int_equal(flood.tokens, 1);
    assert_true(sent < FLOOD_TOKENS);
    assert_true(sent * CHUNK_BYTES < SOCKET_BYTES_MAX);
    moot_conversation_resume(flood.conversation); /* and paused again with the next token */
    assert_true(test_loop_run_until_count(&world.loop, &flood.tokens, 2));
    size_t first_read = flood.bytes;
    moot_conversation_resume(flood.conversation);
    assert_true(test_loop_run_until_count(&world.loop, &flood.tokens, 3));
    assert_true(flood.bytes > first_read);
    moot_conversation_cancel(flood.conversation);
    assert_true(test_loop_run_until_count(&world.loop, &flood.done, 1));
    assert_int_equal(flood.error.code, MOOT_ECANCELED);
    world_deinit(&world);
}

/* ---- Deadlines go on ---- */

static void the_total_time_goes_on(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    options.emulator.inter_token_ns = 5 * MOOT_NS_PER_MS;
    options.provider_extra = ", timeouts: {total: 60ms}, retry: {max_attempts: 1}";
    world_init(&world, &options);
    struct talk talk = {.on_event = pause_at_first_tokens};
    assert_int_equal(talk_begin(&world, &talk, "Why? a b c d e f g h i j k l", true), MOOT_OK);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_ETIMEDOUT);
    assert_int_equal(talk.events[MOOT_EVENT_TOKENS], 1);
    world_deinit(&world);
}

/* Silence that we asked for is not the provider's. */
static void the_idle_time_does_not(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    options.emulator.inter_token_ns = 2 * MOOT_NS_PER_MS;
    options.provider_extra = ", timeouts: {idle: 500ms}, retry: {max_attempts: 1}";
    world_init(&world, &options);
    struct talk talk = {.on_event = pause_at_first_tokens};
    assert_int_equal(talk_begin(&world, &talk, "Why?", true), MOOT_OK);
    assert_true(test_loop_run_until_count(&world.loop, &talk.events[MOOT_EVENT_TOKENS], 1));
    uint64_t until = uv_hrtime() + 1000 * MOOT_NS_PER_MS;
    while (uv_hrtime() < until)
        test_loop_run_turns(&world.loop, 1);
    assert_int_equal(talk.done, 0);
    moot_conversation_resume(talk.conversation);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_OK);
    world_deinit(&world);
}

/* The answer is there, but not seen; the limit holds all the same. */
static void the_work_limit_goes_on(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    world_init(&world, &options);
    struct talk talk = {.world = &world, .on_event = pause_at_first_tokens};
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why?")};
    struct moot_conversation_options conversation = talk_options(&talk);
    conversation.messages = &message;
    conversation.message_count = 1;
    conversation.stream = true;
    conversation.work_limit_ns = 50 * MOOT_NS_PER_MS;
    assert_int_equal(moot_conversation_begin(world.engine, &conversation, &talk.conversation),
                     MOOT_OK);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_ETIMEDOUT);
    assert_int_equal(talk.events[MOOT_EVENT_TOKENS], 1);
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume_gets_what_came_at_once),
        cmocka_unit_test(resume_gets_what_comes_in_time),
        cmocka_unit_test(resume_shows_what_is_there),
        cmocka_unit_test(paused_from_the_start),
        cmocka_unit_test(the_provider_is_held_back),
        cmocka_unit_test(the_total_time_goes_on),
        cmocka_unit_test(the_idle_time_does_not),
        cmocka_unit_test(the_work_limit_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
