/* A host with threads: two engines, each on a thread of its own, with one plan and one budget
 * between them, so that together they keep to the provider's quota. The host talks to them with
 * moot_engine_post, and everything else happens on their threads. */
#include <moot.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "bench/emulator/thread.h"

enum { ENGINES = 2, QUESTIONS = 20 };

struct host {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    unsigned answers, failures;
    unsigned closed;
    uint64_t calls;
};

/* One question on its way to an engine, and back. */
struct question {
    struct host *host;
    char text[64];
};

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

/* ---- On an engine's thread ---- */

static void count(struct host *host, bool is_answer)
{
    pthread_mutex_lock(&host->mutex);
    if (is_answer)
        host->answers++;
    else
        host->failures++;
    pthread_cond_signal(&host->changed);
    pthread_mutex_unlock(&host->mutex);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct question *question = data;
    (void)conversation;
    count(question->host, outcome->error.code == MOOT_OK && outcome->reply_count == 2);
}

static void ask(struct moot_engine *engine, void *data)
{
    struct question *question = data;
    const struct moot_message message = {MOOT_VIEW("user"),
                                         {question->text, strlen(question->text)}};
    const struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .on_done = on_done,
        .data = question,
    };
    struct moot_conversation *conversation;
    if (moot_conversation_begin(engine, &options, &conversation))
        count(question->host, false);
}

static void look_at_calls(struct moot_engine *engine, void *data)
{
    struct host *host = data;
    struct moot_engine_stats stats = {.size = sizeof stats};
    moot_engine_stats(engine, &stats);
    pthread_mutex_lock(&host->mutex);
    host->calls += stats.calls;
    pthread_mutex_unlock(&host->mutex);
}

static void on_closed(void *data)
{
    struct host *host = data;
    pthread_mutex_lock(&host->mutex);
    host->closed++;
    pthread_cond_signal(&host->changed);
    pthread_mutex_unlock(&host->mutex);
}

/* ---- On the host's thread ---- */

static void wait_for(struct host *host, const unsigned *counter, unsigned goal)
{
    pthread_mutex_lock(&host->mutex);
    while (*counter + (counter == &host->answers ? host->failures : 0) < goal)
        pthread_cond_wait(&host->changed, &host->mutex);
    pthread_mutex_unlock(&host->mutex);
}

static int start_engines(struct moot_plan *plan, struct moot_engine *engines[ENGINES])
{
    struct moot_budget *budget;
    int rc = moot_budget_new(NULL, plan, &budget);
    if (rc)
        return rc;
    struct moot_engine_options options = {
        .size = sizeof options, .plan = plan, .budget = budget, .mode = MOOT_ENGINE_THREAD};
    struct moot_error_info info = {0};
    for (int i = 0; i < ENGINES && !rc; i++)
        rc = moot_engine_new(&options, &engines[i], &info);
    moot_budget_unref(budget); /* the engines hold it */
    if (rc)
        fprintf(stderr, "no engine: %s\n", info.message);
    return rc;
}

static int live(struct host *host, struct moot_plan *plan)
{
    static struct question questions[QUESTIONS];
    struct moot_engine *engines[ENGINES] = {NULL};
    int rc = start_engines(plan, engines);
    if (rc)
        return rc; /* an example; a host that goes on would close the engine it has */
    for (int i = 0; i < QUESTIONS; i++) {
        questions[i].host = host;
        snprintf(questions[i].text, sizeof questions[i].text, "What is %d and %d?", i, i);
        if (moot_engine_post(engines[i % ENGINES], ask, &questions[i]))
            count(host, false);
    }
    wait_for(host, &host->answers, QUESTIONS);
    for (int i = 0; i < ENGINES; i++) {
        rc = moot_engine_post(engines[i], look_at_calls, host); /* runs before on_closed */
        moot_engine_close(engines[i], on_closed, host);
    }
    wait_for(host, &host->closed, ENGINES);
    return rc;
}

int main(void)
{
    struct moot_emulator_thread_options provided = {.size = sizeof provided};
    struct moot_emulator_thread *provider;
    if (moot_emulator_thread_start(&provided, &provider, NULL))
        return 1;
    static struct host host = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER};
    struct moot_plan *plan = load_plan(moot_emulator_thread_url(provider));
    int rc = plan ? live(&host, plan) : 1;
    moot_plan_unref(plan);

    struct moot_emulator_ledger ledger;
    moot_emulator_thread_ledger(provider, &ledger);
    moot_emulator_thread_stop(provider);
    printf("%u answers, %u failures, %llu calls\n", host.answers, host.failures,
           (unsigned long long)host.calls);
    bool right = rc == 0 && host.answers == QUESTIONS && host.failures == 0 &&
                 host.closed == ENGINES && host.calls == 2 * QUESTIONS &&
                 ledger.answered == 2 * QUESTIONS;
    return right ? 0 : 1;
}
