#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/engine.h"
#include "materials.h"
#include "net/tls_mint.h"
#include "seam.h"
#include "tests/support/connect_proxy.h"

enum { HERE, THERE, STEPS_MAX = 2 * 1000 * 1000, LONG_BYTES_MAX = 1 << 20 };

/* No wait of a scenario is longer in the world's time. */
#define SPAN_NS_MAX (UINT64_C(24) * 3600 * MOOT_NS_PER_S)

static struct connect_proxy *proxy_of(void)
{
    static struct connect_proxy proxy;
    return &proxy;
}

/* ---- Who is counted ---- */

/* The engine's part of what the test does itself. */
static void as_engine(const struct stage *stage)
{
    torture_exempt(stage->options->provider_is_subject);
}

static void as_provider(const struct stage *stage)
{
    torture_exempt(!stage->options->provider_is_subject);
}

static void as_nobody(void)
{
    torture_exempt(true);
}

void (*stage_on_turn)(struct stage *stage, bool is_here);
static struct stage *now_on;

struct stage *stage_now(void)
{
    return now_on;
}

static void on_sim_event(void *context, const struct moot_sim_event *event)
{
    struct stage *stage = context;
    if (event->kind != MOOT_SIM_TURN && event->kind != MOOT_SIM_WORK_RUN)
        return;
    if (event->host == HERE)
        as_engine(stage);
    else
        as_provider(stage);
    if (stage_on_turn && event->kind == MOOT_SIM_TURN)
        stage_on_turn(stage, event->host == HERE);
}

/* ---- Running ---- */

static bool has_come(void *context)
{
    return *(int *)context > 0;
}

static void run_until(struct stage *stage, int *counter, const char *what)
{
    struct moot_sim_bound bound = {moot__sim_now_ns(stage->sim) + SPAN_NS_MAX, STEPS_MAX};
    bool came = moot__sim_run_until(stage->sim, has_come, counter, bound);
    as_nobody();
    torture_check(came && *counter == 1, "%s: %d times after %llu steps, at %.3f s", what, *counter,
                  (unsigned long long)moot__sim_steps(stage->sim),
                  (double)moot__sim_now_ns(stage->sim) / 1e9);
}

static void rest(struct stage *stage, unsigned seconds)
{
    int never = 0;
    struct moot_sim_bound bound = {moot__sim_now_ns(stage->sim) + seconds * MOOT_NS_PER_S,
                                   STEPS_MAX};
    moot__ignore(moot__sim_run_until(stage->sim, has_come, &never, bound));
    as_nobody();
}

/* ---- Making ---- */

static const char *environment(void *context, const char *name)
{
    const struct stage *stage = context;
    if (strcmp(name, "TEST_KEY") == 0)
        return "test-key-0123456789";
    static char proxy[64], tokens[64];
    snprintf(tokens, sizeof tokens, "http://127.0.0.1:%u",
             (unsigned)proxy_of()->acceptor.address.port);
    if (strcmp(name, "TOKENS") == 0)
        return tokens;
    snprintf(proxy, sizeof proxy, "http://user:word@localhost:%u",
             (unsigned)proxy_of()->acceptor.address.port);
    return strcmp(name, "HTTPS_PROXY") == 0 && stage->options->proxy ? proxy : NULL;
}

static void open_hosts(struct stage *stage)
{
    const struct stage_options *options = stage->options;
    const struct moot_sim_options sim = {
        .seed = 1, .on_event = on_sim_event, .context = stage, .wall_ns = materials()->wall_ns};
    const struct moot_allocator *subject = torture_allocator();
    bool is_there = options->provider_is_subject;
    int rc = moot__sim_new(&sim, &stage->sim);
    if (!rc)
        rc = moot__sim_host_new(stage->sim, is_there ? NULL : subject, &stage->here);
    if (!rc)
        rc = moot__sim_host_new(stage->sim, is_there ? subject : NULL, &stage->there);
    torture_check(rc == MOOT_OK, "no stage");
    if (options->host || options->tls)
        torture_check(moot__sim_name(stage->sim, options->host ? options->host : "api.test",
                                     options->addresses ? options->addresses : "127.0.0.1"),
                      "no name");
    seam_wrap(stage->here);
    seam_wrap(stage->there);
    seam_refuse_lookups(options->lookups_refused);
}

/* One long word: an answer is cut by its number of words. */
static const char *long_text(size_t bytes)
{
    static char text[LONG_BYTES_MAX + 1];
    assert(bytes <= LONG_BYTES_MAX);
    for (size_t i = 0; i < bytes; i++)
        text[i] = 'w';
    text[bytes] = '\0';
    return text;
}

static int open_provider(struct stage *stage)
{
    const struct stage_options *options = stage->options;
    stage->emulator = moot_emulator_options_default();
    stage->emulator.first_token_ns = options->first_token_ns;
    stage->emulator.inter_token_ns = options->inter_token_ns;
    stage->emulator.whole_ns = options->whole_ns;
    stage->emulator.rules = options->rules;
    stage->emulator.quota.rpm = options->requests_per_minute;
    while (stage->emulator.rule_count < STAGE_RULES &&
           options->rules[stage->emulator.rule_count].fault)
        stage->emulator.rule_count++;
    if (options->answer || options->answer_bytes) {
        stage->script.text = options->answer ? options->answer : long_text(options->answer_bytes);
        stage->emulator.answer = MOOT_EMULATOR_SCRIPTED;
        stage->emulator.scripts = &stage->script;
        stage->emulator.script_count = 1;
    }
    int rc = MOOT_OK;
    as_provider(stage);
    if (options->tls)
        rc = moot__tls_server_new(stage->there, materials()->identity, MOOT_TLS_DEFAULT,
                                  &stage->tls);
    const struct moot_emulator_server_options server = {
        .transport = stage->there,
        .address = {.bytes = {127, 0, 0, 1}, .port = 4000},
        .emulator = &stage->emulator,
        .tls = stage->tls,
    };
    if (!rc)
        rc = moot__emulator_server_open(&server, &stage->server);
    as_nobody();
    return rc;
}

static int open_plan(struct stage *stage, struct moot_error_info *info)
{
    const struct stage_options *options = stage->options;
    const char *host = options->host ? options->host : options->tls ? "api.test" : "127.0.0.1";
    char text[2048];
    int len = snprintf(
        text, sizeof text,
        "models:\n"
        "  oracle: {endpoint: model-a, instruction: You know.}\n"
        "  judge: {endpoint: model-b, instruction: You judge.}\n"
        "configuration: {user_response_instruction: Better please.}\n"
        "providers:\n"
        "  default: {type: %s, base_url: '%s://%s:4000',\n"
        "            %s%s}\n%s",
        options->type ? options->type : "databricks", options->tls ? "https" : "http", host,
        options->gives_tokens ? "auth: {type: managed_identity, endpoint: env:TOKENS}"
                              : "api_key: env:TEST_KEY",
        options->provider_extra ? options->provider_extra : "",
        options->plan_extra ? options->plan_extra : "");
    const struct moot_plan_options plan = {
        .size = sizeof plan,
        .allocator = torture_allocator(),
        .path = "test.yaml",
        .text = moot__view(text, (size_t)len),
        .environment = environment,
        .environment_context = stage,
    };
    return moot_plan_load(&plan, &stage->plan, info);
}

static int open_trace(struct stage *stage, struct moot_error_info *info)
{
    if (!stage->options->trace)
        return MOOT_OK;
    char path[256];
    snprintf(path, sizeof path, "%s/trace.jsonl", materials()->folder);
    const struct moot_trace_options trace = {.size = sizeof trace,
                                             .allocator = torture_allocator(),
                                             .path = path,
                                             .mode = MOOT_TRACE_REPLACE};
    return moot_trace_open(&trace, &stage->trace, info);
}

static int open_engine(struct stage *stage, struct moot_error_info *info)
{
    int rc = open_plan(stage, info);
    torture_check((rc == MOOT_OK) == (stage->plan != NULL) && rc == info->code,
                  "a plan with code %d, %d told", rc, info->code);
    if (!rc)
        rc = open_trace(stage, info);
    if (rc)
        return rc;
    const struct moot_engine_options engine = {
        .size = sizeof engine,
        .allocator = torture_allocator(),
        .plan = stage->plan,
        .ca_file = materials()->ca_file,
        .concurrency = stage->options->concurrency,
        .trace = stage->trace,
    };
    *info = (struct moot_error_info){0};
    rc = moot__engine_new_on(stage->here, &engine, &stage->engine, info);
    torture_check((rc == MOOT_OK) == (stage->engine != NULL) && rc == info->code,
                  "an engine with code %d, %d told", rc, info->code);
    return rc;
}

/* ---- Talking ---- */

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct stage_talk *talk = data;
    torture_check(!talk->done && conversation == talk->conversation, "an event after the end");
    if (talk == talk->stage->talks && talk->stage->options->on_event)
        talk->stage->options->on_event(talk->stage, event);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct stage_talk *talk = data;
    torture_check(conversation == talk->conversation && ++talk->done == 1, "done again");
    talk->error = outcome->error;
    moot__view_copy(outcome->text, talk->text, sizeof talk->text);
}

static void begin_talk(struct stage *stage, struct stage_talk *talk)
{
    const struct stage_options *options = stage->options;
    const struct moot_message message = {
        MOOT_VIEW("user"),
        moot__view_str(options->question_bytes ? long_text(options->question_bytes) : "Why?")};
    const struct moot_conversation_options conversation = {
        .size = sizeof conversation,
        .messages = &message,
        .message_count = 1,
        .params = moot__view_str(options->params),
        .name = MOOT_VIEW("row1"),
        .stream = options->stream,
        .work_limit_ns = options->work_limit_ns,
        .on_event = on_event,
        .on_done = on_done,
        .data = talk,
    };
    talk->stage = stage;
    if (!stage->engine) { /* closed meanwhile */
        talk->error.code = MOOT_ECANCELED;
        return;
    }
    as_engine(stage);
    int rc = moot_conversation_begin(stage->engine, &conversation, &talk->conversation);
    as_nobody();
    torture_check((rc == MOOT_OK) == (talk->conversation != NULL) && !talk->done,
                  "begun with code %d", rc);
    talk->begun = rc == MOOT_OK;
    if (rc)
        moot__ignore((talk->error.code = rc) == 0);
}

static void end_talk(struct stage *stage, struct stage_talk *talk)
{
    const struct stage_options *options = stage->options;
    if (talk->begun)
        run_until(stage, &talk->done, "the conversation's end");
    int code = talk->error.code;
    stage->judged = (unsigned)(talk - stage->talks);
    if (options->provider_is_subject)
        torture_peer_ended(code, options->expected, talk->error.message);
    else
        torture_ended(code, options->expected, talk->error.message);
    torture_check(code || !options->text || options->provider_is_subject ||
                      strcmp(talk->text, options->text) == 0,
                  "an answer that nobody gave: %s", talk->text);
}

static void talk(struct stage *stage)
{
    unsigned count = stage->options->talks ? stage->options->talks : 1;
    for (unsigned i = 0; i < count; i++) {
        begin_talk(stage, &stage->talks[i]);
        if (stage->options->in_turn) {
            end_talk(stage, &stage->talks[i]);
            rest(stage, stage->options->rest_s);
            torture_leave_out(TORTURE_MBEDTLS, stage->options->mbedtls_never);
        }
    }
    for (unsigned i = 0; i < count && !stage->options->in_turn; i++)
        end_talk(stage, &stage->talks[i]);
}

/* ---- Ending ---- */

static void on_closed(void *data)
{
    ++*(int *)data;
}

void stage_close_engine(struct stage *stage)
{
    stage->engine->on_closed = on_closed;
    stage->engine->on_closed_data = &stage->engine_closed;
    moot__engine_close_here(stage->engine);
    stage->engine = NULL;
}

static void close_subject(struct stage *stage, bool had_engine)
{
    as_engine(stage);
    if (stage->engine)
        stage_close_engine(stage);
    as_nobody();
    if (had_engine)
        run_until(stage, &stage->engine_closed, "the engine's end");
    as_engine(stage);
    if (stage->trace)
        moot_trace_close(stage->trace, NULL);
    moot_plan_unref(stage->plan);
    as_nobody();
}

static void close_stage(struct stage *stage)
{
    if (stage->options->proxy)
        connect_proxy_close(proxy_of());
    moot__emulator_server_close(stage->server);
    moot__tls_server_free(stage->tls);
    /* On a loop of its own the engine would have waited for work under way. */
    for (unsigned i = 0; i < STEPS_MAX && moot__sim_host_is_alive(stage->here); i++)
        moot__ignore(moot__sim_step(stage->sim));
    as_nobody();
    torture_check(!moot__sim_host_streams(stage->here) && !moot__sim_host_is_alive(stage->here),
                  "the engine holds its host still");
    moot__sim_host_close(stage->here, on_closed, &stage->hosts_closed);
    run_until(stage, &stage->hosts_closed, "the host's end");
    stage->hosts_closed = 0;
    moot__sim_host_close(stage->there, on_closed, &stage->hosts_closed);
    run_until(stage, &stage->hosts_closed, "the provider's host's end");
    while (moot__sim_step(stage->sim)) {
    }
    moot__sim_free(stage->sim);
}

static void open_proxy(struct stage *stage)
{
    if (!stage->options->proxy)
        return;
    connect_proxy_open(proxy_of(), stage->there);
    proxy_of()->upstream = moot__emulator_server_address(stage->server);
    proxy_of()->answer = stage->options->proxy_answer;
}

void stage_run(const struct torture_scenario *scenario)
{
    struct stage *stage = moot__calloc(NULL, 1, sizeof *stage);
    struct moot_error_info info = {0};
    stage->options = scenario->options;
    now_on = stage;
    torture_leave_out(TORTURE_LIBC, true); /* the simulation's own */
    torture_leave_out(TORTURE_MBEDTLS,
                      stage->options->mbedtls_later || stage->options->mbedtls_never);
    open_hosts(stage);
    torture_arm();
    as_nobody();
    int provider = open_provider(stage);
    if (provider == MOOT_OK) {
        open_proxy(stage);
        as_engine(stage);
        int rc = open_engine(stage, &info);
        as_nobody();
        if (rc)
            torture_ended(rc, MOOT_OK, info.message);
        else
            talk(stage);
        close_subject(stage, rc == MOOT_OK);
    } else {
        torture_ended(provider, MOOT_OK, "the provider");
    }
    now_on = NULL;
    close_stage(stage);
    torture_disarm();
    torture_nothing_left();
    moot__free(NULL, stage);
}
