/* One case, from nothing to nothing. Rows are conversations of one role; each engine keeps as many
 * open as a batch would, and begins another whenever one ends. */
#include "quota_sim.h"

#include <moot.h>
#include <stdio.h>
#include <string.h>

#include "bench/emulator/server.h"
#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/engine.h"
#include "transport_sim.h"

#define MINUTE_NS (60 * MOOT_NS_PER_S)

enum { ENGINES_MAX = 4, OPEN = 400, WORDS_MAX = 60, ARRIVALS = 1 << 16, PATIENCE_S = 7200 };

struct bench {
    const struct quota_case *quota;
    struct quota_report *report;
    struct moot_sim *sim;
    struct moot_rng rng;
    struct moot_transport *provider, *hosts[ENGINES_MAX];
    struct moot_emulator_options emulator;
    struct moot_emulator_rule rule;
    struct moot_emulator_server *server;
    uint16_t port;
    struct moot_plan *plan;
    struct moot_budget *budget;
    struct moot_engine *engines[ENGINES_MAX];
    struct moot_timer from_timer, to_timer, minute_timer;
    uint64_t begin_ns, requests, refused; /* of servers that are gone */
    uint64_t tokens, requests_at_minute, refused_at_minute, tokens_at_minute;
    unsigned begun, open, closed;
    bool is_ending, has_recovered;
    uint64_t arrivals[ARRIVALS]; /* the last, around */
    uint64_t arrival_count, window;
};

static uint64_t now_ns(const struct bench *bench)
{
    return moot__sim_now_ns(bench->sim);
}

/* ---- The provider ---- */

static void on_request(void *context, struct moot_view endpoint, struct moot_view body)
{
    struct bench *bench = context;
    (void)endpoint;
    (void)body;
    bench->arrivals[bench->arrival_count++ % ARRIVALS] = now_ns(bench);
    while (bench->arrivals[bench->window % ARRIVALS] + MOOT_NS_PER_S <= now_ns(bench))
        bench->window++;
    unsigned in_second = (unsigned)(bench->arrival_count - bench->window);
    bool is_in_outage = now_ns(bench) >= bench->begin_ns + bench->quota->outage_from_ns;
    unsigned *peak = bench->has_recovered ? &bench->report->peak_after
                     : is_in_outage       ? NULL
                                          : &bench->report->peak_before;
    if (peak && in_second > *peak)
        *peak = in_second;
}

static void on_receipt(void *context, const struct moot_emulator_receipt *receipt)
{
    struct bench *bench = context;
    if (receipt->is_billed)
        bench->tokens += receipt->tokens_in + receipt->tokens_out;
}

static int open_server(struct bench *bench)
{
    const struct moot_emulator_server_options options = {
        .transport = bench->provider,
        .address = {.bytes = {127, 0, 0, 1}, .port = bench->port},
        .emulator = &bench->emulator,
    };
    int rc = moot__emulator_server_open(&options, &bench->server);
    if (!rc)
        bench->port = moot__emulator_server_address(bench->server).port;
    return rc;
}

static const struct moot_emulator_ledger *ledger(const struct bench *bench)
{
    return moot_emulator_ledger(moot__emulator_server_emulator(bench->server));
}

static void close_server(struct bench *bench)
{
    bench->requests += ledger(bench)->requests;
    bench->refused += ledger(bench)->throttled;
    moot__emulator_server_close(bench->server);
    bench->server = NULL;
}

static void set_silence(struct bench *bench, uint32_t share)
{
    const struct moot_sim_faults faults = {.silence = share, .unanswered = share};
    moot__sim_set_faults(bench->sim, &faults);
}

static void on_outage_begins(struct moot_timer *timer)
{
    struct bench *bench = moot__container_of(timer, struct bench, from_timer);
    if (bench->quota->outage == QUOTA_REFUSED)
        close_server(bench);
    else if (bench->quota->outage == QUOTA_503)
        bench->rule.rate = 1;
    else
        set_silence(bench, 1000000);
}

static void on_outage_ends(struct moot_timer *timer)
{
    struct bench *bench = moot__container_of(timer, struct bench, to_timer);
    if (bench->quota->outage == QUOTA_REFUSED && open_server(bench))
        bench->report->has_failed = true;
    bench->rule.rate = 0;
    set_silence(bench, 0);
    bench->has_recovered = true;
    bench->window = bench->arrival_count;
}

static void on_minute(struct moot_timer *timer)
{
    struct bench *bench = moot__container_of(timer, struct bench, minute_timer);
    bench->requests_at_minute = ledger(bench)->requests;
    bench->refused_at_minute = ledger(bench)->throttled;
    bench->tokens_at_minute = bench->tokens;
}

/* ---- Rows ---- */

static void begin_row(struct bench *bench, unsigned engine);

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct bench *bench = data;
    unsigned engine = bench->begun % bench->quota->engines;
    (void)conversation;
    bench->open--;
    if (outcome->error.code == MOOT_OK)
        bench->report->answered++;
    else if (!bench->is_ending)
        bench->report->failed++;
    if (outcome->error.code != MOOT_OK && !bench->is_ending && bench->report->failed < 4)
        fprintf(stderr, "row failed: %s\n", outcome->error.message);
    begin_row(bench, engine);
}

static void begin_row(struct bench *bench, unsigned engine)
{
    char text[WORDS_MAX * 5 + 1];
    size_t words = 5 + moot__rng_below(&bench->rng, WORDS_MAX - 5), len = 0;
    if (bench->is_ending || (bench->quota->rows && bench->begun == bench->quota->rows))
        return;
    for (size_t i = 0; i < words; i++, len += 5)
        memcpy(text + len, "word ", 5);
    const struct moot_message message = {MOOT_VIEW("user"), moot__view(text, len)};
    struct moot_conversation *conversation;
    const struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .outage_limit_ns = PATIENCE_S * MOOT_NS_PER_S,
        .events = MOOT_EVENT_BIT(MOOT_EVENT_AGENT_FINISHED),
        .on_done = on_done,
        .data = bench,
    };
    bench->begun++;
    bench->open++;
    if (moot_conversation_begin(bench->engines[engine], &options, &conversation))
        bench->report->has_failed = true;
}

/* ---- Making ---- */

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "KEY") == 0 ? "key" : NULL;
}

static int make_provider(struct bench *bench)
{
    const struct quota_case *quota = bench->quota;
    const struct moot_sim_options sim = {.seed = quota->seed, .delay_ns_max = 2 * MOOT_NS_PER_MS};
    bench->emulator = moot_emulator_options_default();
    bench->emulator.seed = quota->seed;
    bench->emulator.answer = MOOT_EMULATOR_GENERATED;
    bench->emulator.reply_tokens_min = quota->tokens_min;
    bench->emulator.reply_tokens_max = quota->tokens_max;
    bench->emulator.whole_ns = quota->latency_ns;
    bench->emulator.jitter_ns = quota->latency_ns;
    bench->emulator.quota = quota->quota;
    bench->emulator.hint = MOOT_EMULATOR_HINT_NONE;
    bench->rule = (struct moot_emulator_rule){.fault = MOOT_EMULATOR_FAULT_503};
    bench->emulator.rules = &bench->rule;
    bench->emulator.rule_count = 1;
    bench->emulator.log_max = 0;
    bench->emulator.on_request = on_request;
    bench->emulator.on_request_context = bench;
    bench->emulator.on_receipt = on_receipt;
    bench->emulator.on_receipt_context = bench;
    int rc = moot__sim_new(&sim, &bench->sim);
    if (!rc)
        rc = moot__sim_host_new(bench->sim, NULL, &bench->provider);
    return rc ? rc : open_server(bench);
}

static int make_engine(struct bench *bench, unsigned index)
{
    int rc = moot__sim_host_new(bench->sim, NULL, &bench->hosts[index]);
    const struct moot_engine_options options = {
        .size = sizeof options, .plan = bench->plan, .budget = bench->budget};
    return rc ? rc
              : moot__engine_new_on(bench->hosts[index], &options, &bench->engines[index], NULL);
}

static int make_engines(struct bench *bench)
{
    char text[1024];
    int len = snprintf(text, sizeof text,
                       "models: {one: {endpoint: m, instruction: Be brief., max_tokens: 500}}\n"
                       "flow: [one]\n"
                       "providers: {default: {type: openai, base_url: 'http://127.0.0.1:%u/v1',\n"
                       "  api_key: env:KEY%s}}\n",
                       bench->port, bench->quota->given);
    const struct moot_plan_options options = {.size = sizeof options,
                                              .path = "quota.yaml",
                                              .text = moot__view(text, (size_t)len),
                                              .environment = environment};
    struct moot_error_info info = {0};
    int rc = moot_plan_load(&options, &bench->plan, &info);
    if (rc)
        fprintf(stderr, "%s\n", info.message);
    if (!rc)
        rc = moot_budget_new(NULL, bench->plan, &bench->budget);
    for (unsigned i = 0; i < bench->quota->engines && !rc; i++)
        rc = make_engine(bench, i);
    return rc;
}

/* ---- Living ---- */

static bool is_over(const struct bench *bench)
{
    const struct quota_case *quota = bench->quota;
    return bench->report->has_failed || (quota->rows && bench->open == 0) ||
           (quota->run_ns && now_ns(bench) >= bench->begin_ns + quota->run_ns + quota->latency_ns);
}

static void on_closed(void *data)
{
    ((struct bench *)data)->closed++;
}

static void live(struct bench *bench)
{
    const struct quota_case *quota = bench->quota;
    /* Where in a window of the provider's the run begins. */
    moot__sim_pass(bench->sim, moot__rng_below(&bench->rng, MINUTE_NS));
    bench->begin_ns = now_ns(bench);
    bench->from_timer.on_fire = on_outage_begins;
    bench->to_timer.on_fire = on_outage_ends;
    bench->minute_timer.on_fire = on_minute;
    /* What is billed when an answer ends belongs to when it was asked. */
    moot__timer_start(bench->provider, &bench->minute_timer,
                      bench->begin_ns + MINUTE_NS + quota->latency_ns);
    if (quota->outage) {
        moot__timer_start(bench->provider, &bench->from_timer,
                          bench->begin_ns + quota->outage_from_ns);
        moot__timer_start(bench->provider, &bench->to_timer, bench->begin_ns + quota->outage_to_ns);
    }
    for (unsigned i = 0; i < OPEN; i++)
        begin_row(bench, i % quota->engines);
    while (!is_over(bench))
        if (!moot__sim_step(bench->sim))
            bench->report->has_failed = true;
    bench->report->end_ns = now_ns(bench) - bench->begin_ns - quota->latency_ns;
}

static void take_apart(struct bench *bench)
{
    unsigned hosts = bench->quota->engines + 1;
    bench->is_ending = true;
    for (unsigned i = 0; i < bench->quota->engines; i++) {
        struct moot_engine_stats stats = {.size = sizeof stats};
        moot_engine_stats(bench->engines[i], &stats);
        bench->report->calls += stats.calls;
        bench->engines[i]->on_closed = on_closed;
        bench->engines[i]->on_closed_data = bench;
        moot__engine_close_here(bench->engines[i]);
    }
    while (bench->closed < bench->quota->engines && moot__sim_step(bench->sim))
        ;
    bench->closed = 0;
    close_server(bench);
    for (unsigned i = 0; i < bench->quota->engines; i++)
        moot__sim_host_close(bench->hosts[i], on_closed, bench);
    moot__sim_host_close(bench->provider, on_closed, bench);
    while (bench->closed < hosts && moot__sim_step(bench->sim))
        ;
    moot_budget_unref(bench->budget);
    moot_plan_unref(bench->plan);
    moot__sim_free(bench->sim);
}

static double share_of(uint64_t requests, uint64_t tokens, const struct moot_emulator_quota *quota,
                       double minutes)
{
    double by_requests = quota->rpm ? (double)requests / ((double)quota->rpm * minutes) : 0;
    double by_tokens = quota->tpm ? (double)tokens / ((double)quota->tpm * minutes) : 0;
    return by_requests > by_tokens ? by_requests : by_tokens;
}

static void sum_up(struct bench *bench)
{
    struct quota_report *report = bench->report;
    double minutes = (double)report->end_ns / (double)MINUTE_NS - 1;
    uint64_t accepted_at_minute = bench->requests_at_minute - bench->refused_at_minute;
    report->requests = bench->requests;
    report->refused = bench->refused;
    report->tokens = bench->tokens;
    report->first_minute =
        share_of(accepted_at_minute, bench->tokens_at_minute, &bench->quota->quota, 1);
    report->used = share_of(report->requests - report->refused - accepted_at_minute,
                            bench->tokens - bench->tokens_at_minute, &bench->quota->quota, minutes);
}

void quota_run(const struct quota_case *quota, struct quota_report *report)
{
    struct bench *bench = moot__calloc(NULL, 1, sizeof *bench);
    *report = (struct quota_report){.has_failed = true};
    if (!bench)
        return;
    bench->quota = quota;
    bench->report = report;
    moot__rng_init(&bench->rng, quota->seed);
    if (make_provider(bench) == MOOT_OK && make_engines(bench) == MOOT_OK) {
        report->has_failed = false;
        live(bench);
        take_apart(bench);
        sum_up(bench);
    }
    moot__free(NULL, bench);
}
