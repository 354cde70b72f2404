/* A host with an event loop that is not libuv's: epoll, one descriptor of its own (a timer), and
 * the engine as one more descriptor beside it. Any loop that can wait for a descriptor and a
 * timeout will do: a GUI's, a database's, a language runtime's. */
#include <moot.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/emulator/thread.h"

enum { CONVERSATIONS = 8 };

struct host {
    int epoll, timer;
    unsigned beats;
    struct moot_engine *engine;
    unsigned answers, failures;
    bool closed;
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

static void on_closed(void *data)
{
    struct host *host = data;
    host->closed = true;
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct host *host = data;
    (void)conversation;
    if (outcome->error.code == MOOT_OK)
        host->answers++;
    else
        host->failures++;
    printf("%.*s%s\n", (int)outcome->text.len, outcome->text.ptr, outcome->error.message);
    if (host->answers + host->failures == CONVERSATIONS)
        moot_engine_close(host->engine, on_closed, host); /* legal here, as everywhere */
}

static int ask(struct host *host, bool stream)
{
    const struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why is the sky blue?")};
    const struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = stream,
        .on_done = on_done,
        .data = host,
    };
    struct moot_conversation *conversation;
    return moot_conversation_begin(host->engine, &options, &conversation);
}

static int watch(const struct host *host, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(host->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void read_timer(struct host *host)
{
    uint64_t expirations;
    if (read(host->timer, &expirations, sizeof expirations) == (ssize_t)sizeof expirations)
        host->beats += (unsigned)expirations;
}

/* The host's loop: one wait for everybody, the host's own events, then the engine's turn. */
static void run(struct host *host)
{
    while (!host->closed) {
        struct epoll_event events[4];
        int count = epoll_wait(host->epoll, events, 4, moot_engine_timeout_ms(host->engine));
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == host->timer)
                read_timer(host);
        moot_engine_turn(host->engine);
    }
}

static int live(struct host *host, struct moot_plan *plan)
{
    struct moot_engine_options options = {
        .size = sizeof options, .plan = plan, .mode = MOOT_ENGINE_EMBEDDED};
    struct moot_error_info info;
    int rc = moot_engine_new(&options, &host->engine, &info);
    if (rc) {
        fprintf(stderr, "no engine: %s\n", info.message);
        return rc;
    }
    for (int i = 0; i < CONVERSATIONS && !rc; i++)
        rc = ask(host, i % 2);
    if (rc == 0)
        rc = watch(host, moot_engine_fd(host->engine));
    if (rc)
        moot_engine_close(host->engine, on_closed, host);
    run(host);
    return rc;
}

int main(void)
{
    struct moot_emulator_options emulated = moot_emulator_options_default();
    emulated.first_token_ns = emulated.inter_token_ns = emulated.whole_ns = 3000000;
    struct moot_emulator_thread_options provided = {.size = sizeof provided, .emulator = &emulated};
    struct moot_emulator_thread *provider;
    if (moot_emulator_thread_start(&provided, &provider, NULL))
        return 1;

    struct host host = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                        .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
    const struct itimerspec every_5_ms = {.it_interval.tv_nsec = 5000000,
                                          .it_value.tv_nsec = 5000000};
    timerfd_settime(host.timer, 0, &every_5_ms, NULL);
    struct moot_plan *plan = load_plan(moot_emulator_thread_url(provider));
    int rc = plan && watch(&host, host.timer) == 0 ? live(&host, plan) : 1;
    moot_plan_unref(plan);
    close(host.timer);
    close(host.epoll);

    struct moot_emulator_ledger ledger;
    moot_emulator_thread_ledger(provider, &ledger);
    moot_emulator_thread_stop(provider);
    bool right = rc == 0 && host.answers == CONVERSATIONS && host.closed && host.beats > 0 &&
                 ledger.answered == 2 * CONVERSATIONS;
    return right ? 0 : 1;
}
