#include "world.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "TEST_KEY") == 0 ? "test-key-0123456789" : NULL;
}

struct world_options world_options(void)
{
    return (struct world_options){.emulator = moot_emulator_options_default()};
}

struct moot_plan *world_plan(const struct world_options *options, const char *base_url)
{
    char text[4096];
    snprintf(text, sizeof text,
             "models:\n"
             "  oracle: {endpoint: model-a, instruction: You know., temperature: 0.9}\n"
             "  judge: {endpoint: model-b, instruction: You judge., temperature: 0.5}\n"
             "configuration: {user_response_instruction: Better please.}\n"
             "providers:\n"
             "  default: {type: databricks, base_url: '%s',\n"
             "            api_key: %s%s}\n%s",
             base_url, options->api_key ? options->api_key : "env:TEST_KEY",
             options->provider_extra ? options->provider_extra : "",
             options->plan_extra ? options->plan_extra : "");
    struct moot_plan_options plan_options = {
        .size = sizeof plan_options,
        .path = "test.yaml",
        .text = moot__view_str(text),
        .environment = environment,
    };
    struct moot_plan *plan;
    struct moot_error_info info;
    if (moot_plan_load(&plan_options, &plan, &info))
        fail_msg("%u:%u: %s", info.line, info.column, info.message);
    return plan;
}

void world_init(struct world *world, const struct world_options *options)
{
    memset(world, 0, sizeof *world);
    test_loop_init(&world->loop);
    struct moot_emulator_server_options server = {
        .transport = world->loop.transport,
        .address = {.bytes = {127, 0, 0, 1}},
        .emulator = &options->emulator,
    };
    assert_int_equal(moot__emulator_server_open(&server, &world->server), MOOT_OK);
    char base_url[64];
    snprintf(base_url, sizeof base_url, "http://127.0.0.1:%u",
             moot__emulator_server_address(world->server).port);
    world->plan = world_plan(options, base_url);
    struct moot_engine_options engine = {
        .size = sizeof engine,
        .plan = world->plan,
        .mode = MOOT_ENGINE_ON_LOOP,
        .loop = &world->loop.loop,
        .concurrency = options->concurrency,
    };
    struct moot_error_info info;
    if (moot_engine_new(&engine, &world->engine, &info))
        fail_msg("%s", info.message);
}

static void on_closed(void *data)
{
    ++*(int *)data;
}

void world_close_engine(struct world *world)
{
    if (!world->engine)
        return;
    moot_engine_close(world->engine, on_closed, &world->engine_closed);
    world->engine = NULL;
}

void world_deinit(struct world *world)
{
    world_close_engine(world);
    assert_true(test_loop_run_until_count(&world->loop, &world->engine_closed, 1));
    assert_int_equal(world->engine_closed, 1);
    moot_plan_unref(world->plan);
    moot__emulator_server_close(world->server);
    test_loop_deinit(&world->loop);
}

const struct moot_emulator_ledger *world_ledger(const struct world *world)
{
    return moot_emulator_ledger(moot__emulator_server_emulator(world->server));
}

/* ---- Talks ---- */

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct talk *talk = data;
    assert_ptr_equal(conversation, talk->conversation);
    assert_int_equal(talk->done, 0);
    talk->events[event->type]++;
    if (event->type == MOOT_EVENT_AGENT_BEGAN)
        talk->tokens_len = 0;
    if (event->type == MOOT_EVENT_TOKENS) {
        assert_true(talk->tokens_len + event->text.len < sizeof talk->tokens);
        memcpy(talk->tokens + talk->tokens_len, event->text.ptr, event->text.len);
        talk->tokens_len += event->text.len;
    }
    if (talk->on_event)
        talk->on_event(talk, event);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct talk *talk = data;
    assert_ptr_equal(conversation, talk->conversation);
    talk->done++;
    talk->error = outcome->error;
    moot__view_copy(outcome->text, talk->text, sizeof talk->text);
    moot__view_copy(outcome->model, talk->model, sizeof talk->model);
    moot__view_copy(outcome->finish_reason, talk->finish_reason, sizeof talk->finish_reason);
    talk->usage = outcome->usage;
    talk->possible_duplicate = outcome->possible_duplicate;
    talk->cost = outcome->cost;
    talk->calls = outcome->calls;
    talk->retries = outcome->retries;
    talk->reply_count = outcome->reply_count;
    for (size_t i = 0; i < outcome->reply_count && i < 4; i++)
        talk->attempts[i] = outcome->replies[i].attempts;
    if (talk->on_done)
        talk->on_done(talk);
}

struct moot_conversation_options talk_options(struct talk *talk)
{
    return (struct moot_conversation_options){
        .size = sizeof(struct moot_conversation_options),
        .on_event = on_event,
        .on_done = on_done,
        .data = talk,
    };
}

int talk_begin(struct world *world, struct talk *talk, const char *question, bool stream)
{
    talk->world = world;
    struct moot_message message = {MOOT_VIEW("user"), moot__view_str(question)};
    struct moot_conversation_options options = talk_options(talk);
    options.messages = &message;
    options.message_count = 1;
    options.stream = stream;
    return moot_conversation_begin(world->engine, &options, &talk->conversation);
}

void talk_run(struct world *world, struct talk *talk)
{
    assert_true(test_loop_run_until_count(&world->loop, &talk->done, 1));
    test_loop_run_turns(&world->loop, 4);
    assert_int_equal(talk->done, 1);
}
