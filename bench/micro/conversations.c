#include "conversations.h"

#include <moot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "engine/base/alloc.h"

static const char question[] =
    "Compose an engaging travel blog post about a recent trip to Hawaii, highlighting cultural "
    "experiences and must-see attractions.";

/* The allocator counts; each piece of memory begins with its size. */
struct memory {
    struct moot_allocator allocator;
    size_t allocations, bytes, bytes_peak;
};

struct bench {
    const struct moot_bench_conversations *options;
    struct memory memory;
    struct moot_engine *engine;
    size_t begun, ended, failed;
};

enum { SIZE_BYTES = 16 };

static void *reallocate(void *context, void *ptr, size_t size)
{
    struct memory *memory = context;
    char *block = ptr ? (char *)ptr - SIZE_BYTES : NULL;
    size_t old = 0;
    if (block)
        memcpy(&old, block, sizeof old);
    block = moot__realloc(NULL, block, SIZE_BYTES + size);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    memory->allocations++;
    memory->bytes += size - old;
    if (memory->bytes > memory->bytes_peak)
        memory->bytes_peak = memory->bytes;
    return block + SIZE_BYTES;
}

static void *allocate(void *context, size_t size)
{
    return reallocate(context, NULL, size);
}

static void release(void *context, void *ptr)
{
    struct memory *memory = context;
    size_t size;
    if (!ptr)
        return;
    memcpy(&size, (char *)ptr - SIZE_BYTES, sizeof size);
    memory->bytes -= size;
    moot__free(NULL, (char *)ptr - SIZE_BYTES);
}

static int load_plan(const struct bench *bench, struct moot_plan **out)
{
    char text[2048];
    int len = snprintf(text, sizeof text,
                       "models:\n"
                       "  oracle: {endpoint: a, instruction: You are a knowledgeable source of "
                       "information., temperature: 0.9, max_tokens: 5000}\n"
                       "  judge: {endpoint: b, instruction: You are an evaluator of answers., "
                       "temperature: 0.5, max_tokens: 2000}\n"
                       "providers:\n"
                       "  default: {type: databricks, base_url: '%s', concurrency: %zu, "
                       "api_key: env:MOOT_BENCH_KEY}\n",
                       bench->options->url, bench->options->at_once);
    struct moot_error_info info;
    struct moot_plan_options options = {
        .size = sizeof options, .path = "bench.yaml", .text = {text, (size_t)len}};
    int rc = setenv("MOOT_BENCH_KEY", "a-key-of-no-value", 1) == 0
                 ? moot_plan_load(&options, out, &info)
                 : MOOT_EIO;
    if (rc != MOOT_OK)
        fprintf(stderr, "moot_micro: %s\n", info.message);
    return rc;
}

static void on_closed(void *data)
{
    struct bench *bench = data;
    bench->engine = NULL;
}

static void begin(struct bench *bench);

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct bench *bench = data;
    (void)conversation;
    if (outcome->error.code != MOOT_OK && bench->failed++ == 0)
        fprintf(stderr, "moot_micro: %s\n", outcome->error.message);
    if (bench->begun < bench->options->count)
        begin(bench);
    if (++bench->ended == bench->begun)
        moot_engine_close(bench->engine, on_closed, bench);
}

static void begin(struct bench *bench)
{
    struct moot_message message = {MOOT_VIEW("user"), {question, sizeof question - 1}};
    struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = bench->options->stream,
        .on_done = on_done,
        .data = bench,
    };
    struct moot_conversation *conversation;
    if (moot_conversation_begin(bench->engine, &options, &conversation) == MOOT_OK)
        bench->begun++;
    else
        bench->failed++;
}

static int run(struct bench *bench, struct moot_plan *plan, uv_loop_t *loop)
{
    struct moot_error_info info;
    struct moot_engine_options options = {
        .size = sizeof options,
        .allocator = &bench->memory.allocator,
        .plan = plan,
        .mode = MOOT_ENGINE_ON_LOOP,
        .loop = loop,
    };
    if (moot_engine_new(&options, &bench->engine, &info) != MOOT_OK) {
        fprintf(stderr, "moot_micro: %s\n", info.message);
        return 1;
    }
    size_t at_start = bench->memory.allocations;
    for (size_t i = 0; i < bench->options->at_once && i < bench->options->count; i++)
        begin(bench);
    if (bench->begun == 0)
        moot_engine_close(bench->engine, on_closed, bench);
    uv_run(loop, UV_RUN_DEFAULT);
    printf("{\"conversations\":%zu,\"failed\":%zu,\"allocations\":%zu,\"bytes_peak\":%zu}\n",
           bench->ended, bench->failed, bench->memory.allocations - at_start,
           bench->memory.bytes_peak);
    return bench->failed == 0 && !bench->engine ? 0 : 1;
}

int moot_bench_conversations(const struct moot_bench_conversations *options)
{
    struct bench bench = {.options = options};
    struct moot_plan *plan;
    uv_loop_t loop;
    bench.memory.allocator = (struct moot_allocator){allocate, reallocate, release, &bench.memory};
    if (load_plan(&bench, &plan) != MOOT_OK)
        return 1;
    int failed = uv_loop_init(&loop) != 0;
    if (!failed) {
        failed = run(&bench, plan, &loop);
        failed = uv_loop_close(&loop) != 0 || failed;
    }
    moot_plan_unref(plan);
    return failed;
}
