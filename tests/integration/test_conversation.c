/* Whole conversations over real sockets against the emulated provider. */
#include "tests/support/test.h"

#include <string.h>

#include "world.h"

#define ANSWER_B "model-b heard: Better please."

static void answers(bool stream)
{
    struct world world;
    struct world_options options = world_options();
    world_init(&world, &options);
    struct talk talk = {0};
    assert_int_equal(talk_begin(&world, &talk, "Why?", stream), MOOT_OK);
    assert_int_equal(talk.done, 0);
    talk_run(&world, &talk);
    assert_string_equal(talk.error.message, "");
    assert_int_equal(talk.error.code, MOOT_OK);
    assert_string_equal(talk.text, ANSWER_B);
    assert_string_equal(talk.model, "model-b");
    assert_string_equal(talk.finish_reason, "stop");
    assert_int_equal(talk.reply_count, 2);
    assert_int_equal(talk.attempts[0], 1);
    assert_int_equal(talk.events[MOOT_EVENT_AGENT_BEGAN], 2);
    assert_int_equal(talk.events[MOOT_EVENT_AGENT_FINISHED], 2);
    assert_int_equal(talk.tokens_len, strlen(ANSWER_B));
    assert_memory_equal(talk.tokens, ANSWER_B, talk.tokens_len);
    const struct moot_emulator_ledger *ledger = world_ledger(&world);
    assert_int_equal(ledger->requests, 2);
    assert_int_equal(ledger->connections, 1);
    assert_int_equal(talk.usage.input_tokens, ledger->tokens_in);
    assert_int_equal(talk.usage.output_tokens, ledger->tokens_out);
    world_deinit(&world);
}

static void whole_answers_come(void **state)
{
    (void)state;
    answers(false);
}

static void streamed_answers_come(void **state)
{
    (void)state;
    answers(true);
}

static void many_at_once(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static struct talk talks[COUNT];
    memset(talks, 0, sizeof talks);
    struct world world;
    struct world_options options = world_options();
    options.concurrency = 50;
    world_init(&world, &options);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(talk_begin(&world, &talks[i], "Why?", i % 2), MOOT_OK);
    for (int i = 0; i < COUNT; i++) {
        talk_run(&world, &talks[i]);
        assert_string_equal(talks[i].text, ANSWER_B);
    }
    assert_int_equal(world_ledger(&world)->requests, 2 * COUNT);
    assert_true(world_ledger(&world)->connections <= 50);
    world_deinit(&world);
}

static struct moot_emulator_rule always(enum moot_emulator_fault fault)
{
    return (struct moot_emulator_rule){.fault = fault, .rate = 1};
}

static void throttled_calls_are_tried_again(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    struct moot_emulator_rule rule = {.fault = MOOT_EMULATOR_FAULT_429,
                                      .first = 1,
                                      .last = 1,
                                      .has_hint = true,
                                      .hint = MOOT_EMULATOR_HINT_MS,
                                      .hint_ns = 1000000};
    options.emulator.rules = &rule;
    options.emulator.rule_count = 1;
    world_init(&world, &options);
    struct talk talk = {0};
    assert_int_equal(talk_begin(&world, &talk, "Why?", false), MOOT_OK);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_OK);
    assert_int_equal(talk.attempts[0], 2);
    assert_int_equal(talk.events[MOOT_EVENT_RETRY], 1);
    assert_false(talk.possible_duplicate);
    world_deinit(&world);
}

/* A provider whose clock is ahead of ours by generations; or ours behind. */
static void dates_are_read_by_their_writers_clock(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    struct moot_emulator_rule busy = {
        .fault = MOOT_EMULATOR_FAULT_429,
        .first = 1,
        .last = 1,
        .has_hint = true,
        .hint = MOOT_EMULATOR_HINT_DATE,
        .hint_ns = 1 * MOOT_NS_PER_MS,
    };
    options.emulator.rules = &busy;
    options.emulator.rule_count = 1;
    options.emulator.wall_offset_ns = UINT64_C(4000000000) * MOOT_NS_PER_S; /* 2096 */
    world_init(&world, &options);
    struct talk talk = {0};
    assert_int_equal(talk_begin(&world, &talk, "Why?", false), MOOT_OK);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_OK);
    assert_int_equal(talk.retries, 1);
    world_deinit(&world);
}

/* A broken answer that said what it cost was billed, whether another attempt went well or none. */
static void check_books(struct moot_emulator_rule broken, int code, unsigned retries)
{
    struct world world;
    struct world_options options = world_options();
    options.provider_extra = ", prices: {'*': {input: 1, output: 1000}}, retry: {max_attempts: 3}";
    options.emulator.rules = &broken;
    options.emulator.rule_count = 1;
    world_init(&world, &options);
    struct talk talk = {0};
    assert_int_equal(talk_begin(&world, &talk, "Why?", false), MOOT_OK);
    talk_run(&world, &talk);
    const struct moot_emulator_ledger *ledger = world_ledger(&world);
    assert_int_equal(talk.error.code, code);
    assert_int_equal(talk.calls, ledger->requests);
    assert_int_equal(talk.retries, retries);
    assert_int_equal(talk.usage.input_tokens, ledger->tokens_in);
    assert_int_equal(talk.usage.output_tokens, ledger->tokens_out);
    assert_int_equal((uint64_t)(talk.cost * 1e6 + 0.5),
                     ledger->tokens_in + 1000 * ledger->tokens_out);
    world_deinit(&world);
}

static void failed_attempts_count_what_they_used(void **state)
{
    (void)state;
    struct moot_emulator_rule broken = {.fault = MOOT_EMULATOR_FAULT_NULL_CONTENT};
    broken.first = 1;
    broken.last = 2; /* the oracle's third attempt is well */
    check_books(broken, MOOT_OK, 2);
    broken.first = 2;
    broken.last = 100; /* the judge has none that is */
    check_books(broken, MOOT_ECONTENT, 2);
}

static void cancel_now(struct talk *talk, const struct moot_event *event)
{
    if (event->type == MOOT_EVENT_TOKENS)
        moot_conversation_cancel(talk->conversation);
}

static void cancel_from_a_callback(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    world_init(&world, &options);
    struct talk talk = {.on_event = cancel_now};
    assert_int_equal(talk_begin(&world, &talk, "Why?", true), MOOT_OK);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_ECANCELED);
    assert_int_equal(talk.events[MOOT_EVENT_TOKENS], 1);
    world_deinit(&world);
}

static void closing_the_engine_cancels(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    options.emulator.whole_ns = UINT64_C(3600) * MOOT_NS_PER_S;
    world_init(&world, &options);
    struct talk talk = {0};
    assert_int_equal(talk_begin(&world, &talk, "Why?", false), MOOT_OK);
    test_loop_run_turns(&world.loop, 20);
    world_close_engine(&world);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_ECANCELED);
    world_deinit(&world);
}

static void truncated_streams_are_never_answers(void **state)
{
    (void)state;
    struct world world;
    struct world_options options = world_options();
    struct moot_emulator_rule rule = always(MOOT_EMULATOR_FAULT_NO_FINISH);
    options.emulator.rules = &rule;
    options.emulator.rule_count = 1;
    world_init(&world, &options);
    struct talk talk = {0};
    assert_int_equal(talk_begin(&world, &talk, "Why?", true), MOOT_OK);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_ETRUNCATED);
    assert_int_equal(talk.reply_count, 0);
    assert_int_equal(world_ledger(&world)->requests, 1);
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answers_come),
        cmocka_unit_test(streamed_answers_come),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(throttled_calls_are_tried_again),
        cmocka_unit_test(dates_are_read_by_their_writers_clock),
        cmocka_unit_test(failed_attempts_count_what_they_used),
        cmocka_unit_test(cancel_from_a_callback),
        cmocka_unit_test(closing_the_engine_cancels),
        cmocka_unit_test(truncated_streams_are_never_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
