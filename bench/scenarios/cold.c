/* A burst of cold TLS connections beside running streams, on one loop: what the handshakes cost,
 * and how late they make the streams' tokens.
 *
 *     moot_cold STREAM_URL TOKEN_MS COLD_URL CA_FILE COLD_COUNT
 *
 * Two engines share the loop, one for each provider. Streams begin, and once all of them speak the
 * cold conversations begin at once, each with a connection of its own.
 *
 * How late a token is, three times. `whole`: its event behind its stream's schedule, which is taken
 * from the earliest of the stream's tokens. `server`: the same of its arrival in this machine's
 * kernel, before anybody was woken for it (arrivals.h). `client`: from that arrival to its event,
 * which is what the client alone is answerable for. A read that held several tokens counts them
 * from the last one's arrival; that takes a client that is late by a token's time, and `whole`
 * would show it. */
#include <moot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

#include "arrivals.h"

#define MS UINT64_C(1000000)

enum { STREAMS = 100, TOKENS_MAX = 2000 };

struct stream {
    struct host *host;
    uint64_t arrived_ns[TOKENS_MAX]; /* in the kernel; these two by CLOCK_REALTIME */
    uint64_t told_ns[TOKENS_MAX];
    unsigned count, in_reply; /* tokens in all; of the reply under way */
    unsigned first[2];        /* where each reply begins in `arrived_ns` */
    unsigned replies;
};

struct host {
    uv_loop_t loop;
    uv_prepare_t turn_end;
    struct moot_engine *streaming, *cold;
    struct stream streams[STREAMS];
    unsigned speaking, streams_over, cold_count, cold_over, failed;
    uint64_t token_ns;
    uint64_t cold_began_ns, cold_over_ns; /* by CLOCK_REALTIME */
    uint64_t cpu_at_cold_ns, cold_cpu_ns, begin_cpu_ns;
    uint64_t turn_ns, idle_ns, turn_cpu_ns; /* when the loop's turn began */
    uint64_t turn_max_ns, turn_cpu_max_ns;  /* of the turns after the one that began the burst */
    struct moot_engine_stats stats;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static struct moot_plan *load_plan(const char *url)
{
    char text[1024];
    int len = snprintf(text, sizeof text,
                       "models:\n"
                       "  oracle: {endpoint: a, instruction: You answer.}\n"
                       "  judge: {endpoint: b, instruction: You correct.}\n"
                       "providers:\n"
                       "  default: {type: databricks, base_url: '%s', concurrency: 10000, "
                       "api_key: env:MOOT_BENCH_KEY}\n",
                       url);
    struct moot_plan_options options = {
        .size = sizeof options, .path = "bench.yaml", .text = {text, (size_t)len}};
    struct moot_plan *plan = NULL;
    struct moot_error_info info;
    if (moot_plan_load(&options, &plan, &info) != MOOT_OK)
        fprintf(stderr, "moot_cold: %s\n", info.message);
    return plan;
}

static struct moot_engine *make_engine(struct host *host, const char *url, const char *ca_file)
{
    struct moot_plan *plan = load_plan(url);
    struct moot_engine *engine = NULL;
    struct moot_error_info info;
    struct moot_engine_options options = {.size = sizeof options,
                                          .plan = plan,
                                          .mode = MOOT_ENGINE_ON_LOOP,
                                          .loop = &host->loop,
                                          .ca_file = ca_file};
    if (plan && moot_engine_new(&options, &engine, &info) != MOOT_OK)
        fprintf(stderr, "moot_cold: %s\n", info.message);
    moot_plan_unref(plan);
    return engine;
}

static int begin(struct moot_engine *engine, struct moot_conversation_options *more)
{
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("What is there to see in Hawaii?")};
    struct moot_conversation *conversation;
    more->size = sizeof *more;
    more->messages = &message;
    more->message_count = 1;
    return moot_conversation_begin(engine, more, &conversation);
}

static void on_closed(void *data)
{
    (void)data;
}

static void close_when_over(struct host *host)
{
    if (host->streams_over < STREAMS || host->cold_over < host->cold_count)
        return;
    uv_prepare_stop(&host->turn_end);
    uv_close((uv_handle_t *)&host->turn_end, NULL);
    moot_engine_close(host->streaming, on_closed, NULL);
    moot_engine_close(host->cold, on_closed, NULL);
}

static void note_outcome(struct host *host, const struct moot_outcome *outcome)
{
    if (outcome->error.code != MOOT_OK && host->failed++ == 0)
        fprintf(stderr, "moot_cold: %s\n", outcome->error.message);
}

static void on_cold_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                         void *data)
{
    struct host *host = data;
    (void)conversation;
    note_outcome(host, outcome);
    if (++host->cold_over < host->cold_count)
        return;
    host->cold_over_ns = clock_ns(CLOCK_REALTIME);
    host->cold_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - host->cpu_at_cold_ns;
    host->stats.size = sizeof host->stats;
    moot_engine_stats(host->cold, &host->stats);
    close_when_over(host);
}

static void begin_cold(struct host *host)
{
    host->cold_began_ns = clock_ns(CLOCK_REALTIME);
    host->cpu_at_cold_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < host->cold_count; i++) {
        struct moot_conversation_options options = {.on_done = on_cold_done, .data = host};
        if (begin(host->cold, &options) != MOOT_OK) {
            host->failed++;
            host->cold_over++;
        }
    }
    host->begin_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - host->cpu_at_cold_ns;
}

/* --- streams --------------------------------------------------------------------------------- */

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct stream *stream = data;
    struct host *host = stream->host;
    (void)conversation;
    if (event->type == MOOT_EVENT_AGENT_BEGAN && stream->replies < 2)
        stream->first[stream->replies++] = stream->count;
    if (event->type != MOOT_EVENT_TOKENS || stream->count == TOKENS_MAX)
        return;
    stream->arrived_ns[stream->count] = arrivals_latest_ns();
    stream->told_ns[stream->count++] = clock_ns(CLOCK_REALTIME);
    if (stream->count == 1 && ++host->speaking == STREAMS)
        begin_cold(host);
}

static void on_stream_done(struct moot_conversation *conversation,
                           const struct moot_outcome *outcome, void *data)
{
    struct stream *stream = data;
    (void)conversation;
    note_outcome(stream->host, outcome);
    stream->host->streams_over++;
    close_when_over(stream->host);
}

/* Before the loop waits: how long was it since it last did, less what it then waited? */
static void on_turn_end(uv_prepare_t *prepare)
{
    struct host *host = prepare->data;
    if (!host->cold_began_ns || host->cold_over == host->cold_count)
        return;
    uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(&host->loop);
    uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t worked_ns = now_ns - host->turn_ns - (idle_ns - host->idle_ns);
    bool is_first = host->turn_ns == 0;
    if (!is_first && worked_ns > host->turn_max_ns)
        host->turn_max_ns = worked_ns;
    if (!is_first && cpu_ns - host->turn_cpu_ns > host->turn_cpu_max_ns)
        host->turn_cpu_max_ns = cpu_ns - host->turn_cpu_ns;
    host->turn_ns = now_ns;
    host->idle_ns = idle_ns;
    host->turn_cpu_ns = cpu_ns;
}

/* --- what came of it ------------------------------------------------------------------------- */

struct lateness {
    size_t count;
    uint64_t ns[STREAMS * TOKENS_MAX];
};

static void add_late(struct lateness *late, uint64_t at_ns, uint64_t due_ns)
{
    late->ns[late->count++] = at_ns > due_ns ? at_ns - due_ns : 0;
}

/* When the first token of a reply would have come, by the least late of them all. */
static uint64_t schedule(const uint64_t *at_ns, unsigned count, uint64_t token_ns)
{
    uint64_t origin_ns = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        uint64_t begun_ns = at_ns[i] - i * token_ns;
        if (at_ns[i] && begun_ns < origin_ns)
            origin_ns = begun_ns;
    }
    return origin_ns;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void print_lateness(const char *name, struct lateness *late)
{
    static const unsigned bounds_ms[] = {1, 2, 3, 4, 5, 10};
    enum { BOUNDS = sizeof bounds_ms / sizeof bounds_ms[0] };
    size_t below[BOUNDS + 1] = {0}, at = 0, count = late->count;
    qsort(late->ns, count, sizeof late->ns[0], compare);
    for (size_t i = 0; i < count; i++) {
        while (at < BOUNDS && late->ns[i] > bounds_ms[at] * MS)
            at++;
        below[at]++;
    }
    printf(",\"%s\":{\"tokens\":%zu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,\"counts\":{",
           name, count, count ? (double)late->ns[count / 2] / (double)MS : 0.0,
           count ? (double)late->ns[count * 99 / 100] / (double)MS : 0.0,
           count ? (double)late->ns[count - 1] / (double)MS : 0.0);
    for (size_t i = 0; i < BOUNDS; i++)
        printf("\"to_%u_ms\":%zu,", bounds_ms[i], below[i]);
    printf("\"above\":%zu}}", below[BOUNDS]);
}

/* Of all tokens, or of those that the kernel had while the burst lasted. */
static void print_latenesses(const struct host *host, bool only_burst)
{
    static struct lateness whole, server, client;
    whole.count = server.count = client.count = 0;
    for (unsigned s = 0; s < STREAMS; s++) {
        const struct stream *stream = &host->streams[s];
        for (unsigned r = 0; r < stream->replies; r++) {
            unsigned from = stream->first[r];
            unsigned to = r + 1 < stream->replies ? stream->first[r + 1] : stream->count;
            const uint64_t *arrived_ns = stream->arrived_ns + from,
                           *told_ns = stream->told_ns + from;
            uint64_t due_ns = schedule(told_ns, to - from, host->token_ns);
            uint64_t server_due_ns = schedule(arrived_ns, to - from, host->token_ns);
            for (unsigned i = 0; i < to - from; i++) {
                if (only_burst &&
                    (arrived_ns[i] < host->cold_began_ns || arrived_ns[i] > host->cold_over_ns))
                    continue;
                add_late(&whole, told_ns[i], due_ns + i * host->token_ns);
                if (!arrived_ns[i]) /* before the kernel had begun to stamp */
                    continue;
                add_late(&server, arrived_ns[i], server_due_ns + i * host->token_ns);
                add_late(&client, told_ns[i], arrived_ns[i]);
            }
        }
    }
    print_lateness(only_burst ? "burst_whole" : "whole", &whole);
    print_lateness(only_burst ? "burst_server" : "server", &server);
    print_lateness(only_burst ? "burst_client" : "client", &client);
}

static void report(struct host *host)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"connections\":%llu,\"handshakes\":%llu,\"resumed\":%llu,\"failed\":%u,"
           "\"cold_ms\":%.1f,\"cold_cpu_ms\":%.1f,\"begin_cpu_ms\":%.2f,\"turn_max_ms\":%.2f,"
           "\"turn_cpu_max_ms\":%.2f,\"peak_mb\":%.1f",
           (unsigned long long)host->stats.connections, (unsigned long long)host->stats.handshakes,
           (unsigned long long)host->stats.resumed, host->failed,
           (double)(host->cold_over_ns - host->cold_began_ns) / (double)MS,
           (double)host->cold_cpu_ns / (double)MS, (double)host->begin_cpu_ns / (double)MS,
           (double)host->turn_max_ns / (double)MS, (double)host->turn_cpu_max_ns / (double)MS,
           (double)usage.ru_maxrss / 1024);
    print_latenesses(host, false);
    print_latenesses(host, true);
    printf("}\n");
}

static int run(struct host *host, char **words)
{
    host->token_ns = strtoull(words[2], NULL, 10) * MS;
    host->cold_count = (unsigned)strtoul(words[5], NULL, 10);
    const char *port = strrchr(words[1], ':');
    arrivals_watch((uint16_t)strtoul(port ? port + 1 : "", NULL, 10));
    host->streaming = make_engine(host, words[1], words[4]);
    host->cold = make_engine(host, words[3], words[4]);
    if (!host->streaming || !host->cold)
        return 1;
    uv_prepare_init(&host->loop, &host->turn_end);
    host->turn_end.data = host;
    uv_prepare_start(&host->turn_end, on_turn_end);
    for (unsigned i = 0; i < STREAMS; i++) {
        struct stream *stream = &host->streams[i];
        stream->host = host;
        struct moot_conversation_options options = {
            .stream = true, .on_event = on_event, .on_done = on_stream_done, .data = stream};
        if (begin(host->streaming, &options) != MOOT_OK)
            return 1;
    }
    uv_run(&host->loop, UV_RUN_DEFAULT);
    report(host);
    return host->failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct host host;
    if (argc != 6) {
        fprintf(stderr, "usage: moot_cold STREAM_URL TOKEN_MS COLD_URL CA_FILE COLD_COUNT\n");
        return 1;
    }
    setenv("MOOT_BENCH_KEY", "a-key-of-no-value", 1);
    if (uv_loop_init(&host.loop) != 0 || uv_loop_configure(&host.loop, UV_METRICS_IDLE_TIME) != 0)
        return 1;
    int failed = run(&host, argv);
    return uv_loop_close(&host.loop) != 0 || failed;
}
