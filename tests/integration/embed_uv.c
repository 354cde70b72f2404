/* A host with a libuv loop of its own: a heartbeat that is the host's, and one conversation that
 * streams beside it. The engine lives on the host's loop, keeps it running only while a
 * conversation is under way, and leaves nothing behind. */
#include <moot.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "bench/emulator/thread.h"

struct host {
    uv_loop_t loop;
    uv_timer_t heartbeat;
    unsigned beats;
    char streamed[256]; /* what the judge said, as it came */
    size_t streamed_len;
    char answer[256]; /* the same, as it was in the end */
    int done, error;
    int closed;
};

/* Where keys come from; without a function of the host's own it would be the environment. */
static const char *look_up(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "EXAMPLE_KEY") == 0 ? "example-key" : NULL;
}

static struct moot_plan *load_plan(const char *base_url)
{
    char text[1024];
    int len = snprintf(text, sizeof text,
                       "models:\n"
                       "  oracle: {endpoint: model-a, instruction: You answer.}\n"
                       "  judge: {endpoint: model-b, instruction: You correct.}\n"
                       "configuration: {user_response_instruction: Say it better.}\n"
                       "providers:\n"
                       "  default: {type: databricks, base_url: '%s', api_key: env:EXAMPLE_KEY}\n",
                       base_url);
    struct moot_plan_options options = {
        .size = sizeof options,
        .path = "example.yaml",
        .text = {text, (size_t)len},
        .environment = look_up,
    };
    struct moot_plan *plan;
    struct moot_error_info info;
    if (moot_plan_load(&options, &plan, &info))
        fprintf(stderr, "%s:%u:%u: %s\n", options.path, info.line, info.column, info.message);
    return plan;
}

static void on_beat(uv_timer_t *heartbeat)
{
    struct host *host = heartbeat->data;
    host->beats++;
}

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct host *host = data;
    (void)conversation;
    if (event->type == MOOT_EVENT_AGENT_BEGAN) {
        printf("\n%.*s: ", (int)event->role.len, event->role.ptr);
        host->streamed_len = 0;
    }
    if (event->type != MOOT_EVENT_TOKENS)
        return;
    fwrite(event->text.ptr, 1, event->text.len, stdout);
    fflush(stdout);
    if (event->text.len < sizeof host->streamed - host->streamed_len) {
        memcpy(host->streamed + host->streamed_len, event->text.ptr, event->text.len);
        host->streamed_len += event->text.len;
    }
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct host *host = data;
    (void)conversation;
    host->done++;
    host->error = outcome->error.code;
    snprintf(host->answer, sizeof host->answer, "%.*s", (int)outcome->text.len, outcome->text.ptr);
    printf("\n(%u beats of the heart, %llu tokens)\n", host->beats,
           (unsigned long long)outcome->usage.total_tokens);
    uv_close((uv_handle_t *)&host->heartbeat, NULL);
}

static void on_closed(void *data)
{
    struct host *host = data;
    host->closed++;
}

static int ask(struct host *host, struct moot_engine *engine)
{
    const struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why is the sky blue?")};
    const struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = true,
        .on_event = on_event,
        .on_done = on_done,
        .data = host,
    };
    struct moot_conversation *conversation;
    return moot_conversation_begin(engine, &options, &conversation);
}

/* The host's life: its loop, its timer, an engine on it. 0 when all went well. */
static int live(struct host *host, struct moot_plan *plan)
{
    uv_loop_init(&host->loop);
    uv_timer_init(&host->loop, &host->heartbeat);
    host->heartbeat.data = host;
    uv_timer_start(&host->heartbeat, on_beat, 1, 1);

    struct moot_engine_options options = {
        .size = sizeof options,
        .plan = plan,
        .mode = MOOT_ENGINE_ON_LOOP,
        .loop = &host->loop,
    };
    struct moot_engine *engine;
    struct moot_error_info info;
    int rc = moot_engine_new(&options, &engine, &info);
    if (rc) {
        fprintf(stderr, "no engine: %s\n", info.message);
        return rc;
    }
    rc = ask(host, engine);
    if (rc)
        fprintf(stderr, "no conversation: %s\n", moot_error_text(rc));
    uv_run(&host->loop, UV_RUN_DEFAULT); /* until the answer is there and the heart has stopped */

    moot_engine_close(engine, on_closed, host);
    uv_run(&host->loop, UV_RUN_DEFAULT); /* until the engine is gone */
    return rc ? rc : uv_loop_close(&host->loop);
}

int main(void)
{
    struct moot_emulator_options emulated = moot_emulator_options_default();
    emulated.first_token_ns = emulated.inter_token_ns = 3000000;
    struct moot_emulator_thread_options provided = {.size = sizeof provided, .emulator = &emulated};
    struct moot_emulator_thread *provider;
    if (moot_emulator_thread_start(&provided, &provider, NULL))
        return 1;
    struct moot_plan *plan = load_plan(moot_emulator_thread_url(provider));
    static struct host host;
    int rc = plan ? live(&host, plan) : 1;
    moot_plan_unref(plan);
    moot_emulator_thread_stop(provider);

    bool right = rc == 0 && host.done == 1 && host.error == MOOT_OK && host.closed == 1 &&
                 host.beats > 0 && strcmp(host.answer, "model-b heard: Say it better.") == 0 &&
                 host.streamed_len == strlen(host.answer) &&
                 memcmp(host.streamed, host.answer, host.streamed_len) == 0;
    return right ? 0 : 1;
}
