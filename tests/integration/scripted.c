#include "scripted.h"

#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "tests/support/test.h"

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "TEST_KEY") == 0 ? SCRIPTED_KEY : NULL;
}

void scripted_plan(struct scripted *scripted, const char *url, const char *api_key,
                   const char *provider)
{
    char text[2048];
    snprintf(text, sizeof text,
             "models:\n"
             "  oracle: {endpoint: model-a, instruction: You know.}\n"
             "flow: [oracle]\n"
             "providers:\n"
             "  default: {type: openai, base_url: '%s', api_key: '%s'%s}\n",
             url, api_key ? api_key : "env:TEST_KEY", provider);
    struct moot_plan_options options = {
        .size = sizeof options,
        .path = "test.yaml",
        .text = moot__view_str(text),
        .environment = environment,
    };
    struct moot_error_info info;
    if (moot_plan_load(&options, &scripted->plan, &info))
        fail_msg("%u:%u: %s", info.line, info.column, info.message);
}

void scripted_engine(struct scripted *scripted)
{
    struct moot_engine_options options = {.size = sizeof options, .plan = scripted->plan};
    struct moot_error_info info;
    if (moot__engine_new_on(&scripted->bench.net.transport, &options, &scripted->engine, &info))
        fail_msg("%s", info.message);
}

void scripted_open(struct scripted *scripted, const char *api_key, const char *provider)
{
    memset(scripted, 0, sizeof *scripted);
    call_bench_init(&scripted->bench, NULL);
    scripted_plan(scripted, "http://127.0.0.1:4433/v1", api_key, provider);
    scripted_engine(scripted);
}

static void on_closed(void *data)
{
    ++*(int *)data;
}

void scripted_close(struct scripted *scripted)
{
    scripted->engine->on_closed = on_closed;
    scripted->engine->on_closed_data = &scripted->closed;
    moot__engine_close_here(scripted->engine);
    memnet_run_idle(&scripted->bench.net);
    assert_int_equal(scripted->closed, 1);
    moot_plan_unref(scripted->plan);
    call_bench_deinit(&scripted->bench);
}

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    (void)conversation;
    struct scripted_talk *talk = data;
    if (event->type == MOOT_EVENT_RETRY) {
        talk->retries++;
        talk->error = *event->error;
    }
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    (void)conversation;
    struct scripted_talk *talk = data;
    talk->done++;
    talk->error = outcome->error;
    talk->possible_duplicate = outcome->possible_duplicate;
    moot__view_copy(outcome->text, talk->text, sizeof talk->text);
}

void scripted_ask(struct scripted *scripted, struct scripted_talk *talk, bool stream)
{
    memset(talk, 0, sizeof *talk);
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why?")};
    struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = stream,
        .on_event = on_event,
        .on_done = on_done,
        .data = talk,
    };
    struct moot_conversation *conversation;
    assert_int_equal(moot_conversation_begin(scripted->engine, &options, &conversation), MOOT_OK);
    memnet_run_idle(&scripted->bench.net);
}

void scripted_answer(struct scripted *scripted, unsigned index, const char *status,
                     const char *headers, const char *body)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                     headers, strlen(body), body);
    assert_in_range(n, 1, (int)sizeof text - 1);
    call_say(&scripted->bench, index, text);
}

void scripted_finish(struct scripted *scripted, struct scripted_talk *talk)
{
    assert_true(memnet_run_until(&scripted->bench.net, &talk->done, 1));
    memnet_run_idle(&scripted->bench.net);
    assert_int_equal(talk->done, 1);
}
