/* Scenarios on this machine's sockets, threads and files: engines on each of their hosts, whole
 * batches. The provider is another process, started by the driver; see materials.h. */
#include <moot.h>
#include <moot/batch.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "bench/emulator/thread.h"
#include "engine/base/check.h"
#include "engine/base/view.h"
#include "materials.h"
#include "torture.h"

struct real {
    enum moot_engine_mode mode;
    const char *host; /* NULL: 127.0.0.1 */
    bool tls, stream;
    unsigned talks;
};

struct run {
    const struct real *real;
    uv_loop_t loop;
    struct moot_plan *plan;
    struct moot_engine *engine;
    struct moot_conversation *conversation;
    atomic_int done, posted, closed;
    int rc; /* of what was posted */
    struct moot_error_info error;
    char text[256];
};

static const char *environment(void *context, const char *name)
{
    moot__ignore(context == NULL);
    return strcmp(name, "TEST_KEY") == 0 ? "test-key-0123456789" : NULL;
}

static int load(const char *host, bool tls, struct moot_plan **out, struct moot_error_info *info)
{
    char text[512];
    int len =
        snprintf(text, sizeof text,
                 "models:\n  oracle: {endpoint: model-a, instruction: You know.}\n"
                 "flow: [oracle]\nproviders:\n  default: {type: openai, base_url: '%s://%s:%u/v1',"
                 " api_key: env:TEST_KEY, retry: {max_attempts: 1}}\n",
                 tls ? "https" : "http", host ? host : "127.0.0.1",
                 tls ? provider_port_tls() : provider_port());
    const struct moot_plan_options options = {.size = sizeof options,
                                              .allocator = torture_allocator(),
                                              .path = "test.yaml",
                                              .text = {text, (size_t)len},
                                              .environment = environment};
    return moot_plan_load(&options, out, info);
}

/* ---- A conversation on each kind of host ---- */

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct run *run = data;
    moot__ignore(conversation == NULL);
    run->error = outcome->error;
    moot__view_copy(outcome->text, run->text, sizeof run->text);
    torture_check(atomic_fetch_add(&run->done, 1) == 0, "done again");
}

static void begin(struct moot_engine *engine, void *data)
{
    struct run *run = data;
    const struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why?")};
    const struct moot_conversation_options options = {.size = sizeof options,
                                                      .messages = &message,
                                                      .message_count = 1,
                                                      .stream = run->real->stream,
                                                      .on_done = on_done,
                                                      .data = run};
    atomic_store(&run->done, 0);
    run->rc = moot_conversation_begin(engine, &options, &run->conversation);
    atomic_fetch_add(&run->posted, 1);
}

static void on_closed(void *data)
{
    struct run *run = data;
    torture_check(atomic_fetch_add(&run->closed, 1) == 0, "closed again");
}

/* One wait and what it brings, as a host does. */
static void turn(struct run *run)
{
    if (run->real->mode == MOOT_ENGINE_ON_LOOP) {
        uv_run(&run->loop, UV_RUN_ONCE);
    } else if (run->real->mode == MOOT_ENGINE_EMBEDDED) {
        struct pollfd wait = {.fd = moot_engine_fd(run->engine), .events = POLLIN};
        poll(&wait, 1, moot_engine_timeout_ms(run->engine));
        moot_engine_turn(run->engine);
    } else {
        poll(NULL, 0, 1);
    }
}

static void run_until(struct run *run, atomic_int *counter)
{
    while (!atomic_load(counter))
        turn(run);
}

static int converse(struct run *run)
{
    atomic_store(&run->posted, 0);
    if (run->real->mode == MOOT_ENGINE_THREAD) {
        int rc = moot_engine_post(run->engine, begin, run);
        if (rc)
            return rc;
        run_until(run, &run->posted);
    } else {
        begin(run->engine, run);
    }
    if (run->rc)
        return run->rc;
    run_until(run, &run->done);
    if (!run->error.code)
        torture_check(strcmp(run->text, "model-a heard: Why?") == 0, "answered: %s", run->text);
    return run->error.code;
}

static int live(struct run *run)
{
    struct moot_error_info *info = &run->error;
    int rc = load(run->real->host, run->real->tls, &run->plan, info);
    if (rc)
        return rc;
    const struct moot_engine_options options = {
        .size = sizeof options,
        .allocator = torture_allocator(),
        .plan = run->plan,
        .mode = run->real->mode,
        .loop = run->real->mode == MOOT_ENGINE_ON_LOOP ? &run->loop : NULL,
        .ca_file = materials()->ca_file};
    rc = moot_engine_new(&options, &run->engine, info);
    for (unsigned i = 0; i < run->real->talks && !rc; i++)
        rc = converse(run);
    if (run->engine) {
        moot_engine_close(run->engine, on_closed, run);
        run_until(run, &run->closed);
    }
    return rc;
}

static void run_real(const struct torture_scenario *scenario)
{
    struct run run = {.real = scenario->options};
    torture_check(uv_loop_init(&run.loop) == 0, "no loop");
    torture_leave_out(TORTURE_MBEDTLS, true);
    torture_arm();
    int rc = live(&run);
    moot_plan_unref(run.plan);
    torture_disarm();
    for (int i = 0; i < 1000 && uv_loop_alive(&run.loop); i++)
        uv_run(&run.loop, UV_RUN_NOWAIT);
    torture_check(uv_loop_close(&run.loop) == 0, "handles are left in the loop");
    torture_ended(rc, MOOT_OK, run.error.message);
    torture_nothing_left();
}

/* ---- Batches ---- */

struct rows {
    const char *text, *name;
    size_t len;
    const char *before; /* results that an earlier run left */
};

static enum moot_batch_status run_once(const struct rows *rows, struct moot_plan *plan,
                                       struct moot_error_info *info)
{
    char input[128], output[128];
    struct moot_batch *batch;
    materials_path(rows->name, input);
    materials_path("out.jsonl", output);
    const struct moot_batch_options options = {.size = sizeof options,
                                               .allocator = torture_allocator(),
                                               .plan = plan,
                                               .input_path = input,
                                               .output_path = output,
                                               .retry_failed = true};
    int rc = moot_batch_new(&options, &batch, info);
    if (rc)
        return MOOT_BATCH_ERROR;
    enum moot_batch_status status = moot_batch_run(batch, info);
    moot_batch_free(batch);
    return status;
}

static unsigned count_of(const char *needle)
{
    static char text[1 << 16];
    char path[128];
    unsigned count = 0;
    materials_path("out.jsonl", path);
    FILE *file = fopen(path, "r");
    torture_check(file, "no output");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    for (const char *at = text; (at = strstr(at, needle)); at++)
        count++;
    return count;
}

/* Whatever failed, the next run goes on and ends, with each row once. */
static void run_batch(const struct torture_scenario *scenario)
{
    const struct rows *rows = scenario->options;
    struct moot_plan *plan = NULL;
    struct moot_error_info info = {0};
    materials_write(rows->name, rows->text, rows->len);
    torture_check(load(NULL, false, &plan, &info) == MOOT_OK, "no plan");
    if (rows->before) {
        torture_check(run_once(rows, plan, &info) == MOOT_BATCH_COMPLETE, "no run before: %s",
                      info.message);
        materials_cut("out.jsonl", 40);
    }
    torture_arm();
    enum moot_batch_status status = run_once(rows, plan, &info);
    torture_disarm();
    int rc = status == MOOT_BATCH_ERROR ? info.code : MOOT_OK;
    torture_check(rc || status == MOOT_BATCH_COMPLETE ||
                      (torture_has_failed() && status == MOOT_BATCH_SOME_FAILED),
                  "status %d: %s", (int)status, info.message);
    torture_ended(rc, MOOT_OK, info.message);
    status = run_once(rows, plan, &info);
    torture_check(status == MOOT_BATCH_COMPLETE, "then status %d: %s", (int)status, info.message);
    static const char *const ids[] = {"\"id\":\"r0\"", "\"id\":\"r1\"", "\"id\":\"r2\""};
    for (size_t i = 0; i < moot__countof(ids); i++)
        torture_check(count_of(ids[i]) == 1, "%s is there %u times", ids[i], count_of(ids[i]));
    moot_plan_unref(plan);
    torture_nothing_left();
}

/* ---- The provider ---- */

static void run_provider(const struct torture_scenario *scenario)
{
    struct moot_emulator_thread_options options = {
        .size = sizeof options, .allocator = torture_allocator(), .tls = scenario->options != NULL};
    struct moot_emulator_thread *provider;
    struct moot_error_info info = {0};
    torture_leave_out(TORTURE_MBEDTLS, true);
    torture_arm();
    int rc = moot_emulator_thread_start(&options, &provider, &info);
    moot_emulator_thread_stop(provider);
    torture_disarm();
    torture_ended(rc, MOOT_OK, info.message);
    torture_nothing_left();
}

#define REAL(...)  run_real, &(const struct real){__VA_ARGS__}, true
#define BATCH(...) run_batch, &(const struct rows){__VA_ARGS__}, true
#define ROWS                                                                                       \
    "{\"id\":\"r0\",\"question\":\"a?\"}\n{\"id\":\"r1\",\"question\":\"b?\"}\n"                   \
    "{\"id\":\"r2\",\"question\":\"c?\"}\n"

const struct torture_scenario torture_real[] = {
    {"engine on a loop", REAL(.mode = MOOT_ENGINE_ON_LOOP)},
    {"engine inside another loop", REAL(.mode = MOOT_ENGINE_EMBEDDED)},
    {"engine on a thread", REAL(.mode = MOOT_ENGINE_THREAD)},
    {"talk on a loop", REAL(.mode = MOOT_ENGINE_ON_LOOP, .talks = 1)},
    {"talk by a name", REAL(.mode = MOOT_ENGINE_ON_LOOP, .host = "localhost", .talks = 1)},
    {"talks inside another loop", REAL(.mode = MOOT_ENGINE_EMBEDDED, .talks = 2, .stream = true)},
    {"talk on a thread", REAL(.mode = MOOT_ENGINE_THREAD, .talks = 1)},
    {"talk over TLS",
     REAL(.mode = MOOT_ENGINE_ON_LOOP, .host = "localhost", .tls = true, .talks = 1)},
    {"batch", BATCH(ROWS, "in.jsonl", sizeof ROWS - 1, NULL)},
    {"batch, gone on", BATCH(ROWS, "in.jsonl", sizeof ROWS - 1, "torn")},
    {"provider on a thread", run_provider, NULL, true},
    {"provider on a thread, TLS", run_provider, "", true},
    {NULL, NULL, NULL, false},
};
