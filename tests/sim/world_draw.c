/* What a seed means: the shape of the world, its quotas and pace, what goes wrong and how often,
 * and what each conversation's user does. Swarm: most kinds of fault are off in most worlds, so
 * that some worlds are rough in one way only. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"

#define MS MOOT_NS_PER_MS
#define S  MOOT_NS_PER_S

static uint64_t below(struct world *world, uint64_t bound)
{
    return moot__rng_below(&world->rng, bound);
}

static bool one_in(struct world *world, uint64_t count)
{
    return below(world, count) == 0;
}

static uint32_t rate(struct world *world, uint64_t one_of, uint32_t ppm_max)
{
    return one_in(world, one_of) ? (uint32_t)below(world, ppm_max) : 0;
}

static void draw_network(struct world *world)
{
    struct moot_sim_options *sim = &world->plan.sim;
    static const size_t segments[] = {1, 7, 100, 1460, 65536};
    static const uint64_t delays[] = {100 * MOOT_NS_PER_US, 5 * MS, 80 * MS};
    sim->seed = world->seed;
    sim->segment_bytes_max = segments[below(world, 5)];
    sim->window_bytes = one_in(world, 4) ? 512 : 64 << 10;
    sim->delay_ns_max = delays[below(world, 3)];
    sim->dns_ns_max = one_in(world, 4) ? 3 * S : 20 * MS;
    bool is_fine = sim->segment_bytes_max < 100; /* many segments: each may fail less often */
    sim->faults = (struct moot_sim_faults){
        .dns_fail = rate(world, 6, 300000),
        .dns_hang = rate(world, 8, 300000),
        .dns_empty = rate(world, 8, 300000),
        .dns_dead = rate(world, 5, 600000),
        .refuse = rate(world, 4, 300000),
        .unanswered = rate(world, 6, 200000),
        .reset = rate(world, 4, is_fine ? 500 : 30000),
        .stall = rate(world, 5, is_fine ? 500 : 30000),
        .silence = rate(world, 6, is_fine ? 300 : 20000),
        .fin = rate(world, 6, is_fine ? 500 : 30000),
        .forget = rate(world, 6, is_fine ? 300 : 20000),
        .corrupt = rate(world, 8, is_fine ? 500 : 30000),
        .short_read = rate(world, 3, 500000),
        .short_write = rate(world, 3, 500000),
        .early_again = rate(world, 4, 700000),
        .spurious = rate(world, 4, 300000),
        .stall_ns_max = 1 + below(world, 20 * S),
    };
}

/* Wall clocks that are set, by minutes or a day, forward or back. */
static void draw_jumps(struct world *world)
{
    struct world_plan *plan = &world->plan;
    uint64_t at_ns = 1 * S;
    plan->jump_count = one_in(world, 4) ? 1 + (unsigned)below(world, WORLD_JUMPS) : 0;
    for (unsigned i = 0; i < plan->jump_count; i++) {
        at_ns += below(world, 20 * S);
        plan->jumps[i].at_ns = at_ns;
        plan->jumps[i].seconds = (int64_t)(1 + below(world, one_in(world, 2) ? 86400 : 90));
        if (one_in(world, 2))
            plan->jumps[i].seconds = -plan->jumps[i].seconds;
    }
}

/* Limits of our own code that are far away in most runs; here each is often met. */
static void draw_limits(struct world *world)
{
    struct world_plan *plan = &world->plan;
    static const size_t reads[] = {7, 64, 1000};
    plan->read_bytes_max = one_in(world, 4) ? reads[below(world, moot__countof(reads))]
                                            : (size_t)MOOT_LIMIT_READ_CHUNK_BYTES;
    if (one_in(world, 40)) /* one byte a turn takes long */
        plan->read_bytes_max = 1;
    plan->idle_max = one_in(world, 4) ? (size_t)below(world, 3) : MOOT_LIMIT_POOL_IDLE_PER_ORIGIN;
    plan->ring_bytes = one_in(world, 4) ? (size_t)512 << below(world, 6) : 256 << 10;
    plan->dns_ttl_ns = one_in(world, 3) ? below(world, 2 * S) : 60 * S;
    plan->connections_max = one_in(world, 6) ? 1 + (unsigned)below(world, 6) : 0;
}

static void draw_memory(struct world *world)
{
    struct world_plan *plan = &world->plan;
    static const uint64_t reach[] = {200, 4000, 30000};
    plan->fail_at = one_in(world, 8) ? 1 + below(world, reach[below(world, 3)]) : 0;
    plan->stays_failed = plan->fail_at && one_in(world, 3);
}

static void draw_rules(struct world *world)
{
    struct world_plan *plan = &world->plan;
    size_t count = one_in(world, 3) ? 0 : 1 + below(world, WORLD_RULES - 1);
    for (size_t i = 0; i < count; i++) {
        struct moot_emulator_rule *rule = &plan->rules[i];
        rule->fault = (enum moot_emulator_fault)(1 + below(world, MOOT_EMULATOR_FAULTS - 1));
        rule->rate = (double)(1 + below(world, 20)) / 100;
        rule->has_hint = true;
        rule->hint = (enum moot_emulator_hint)below(world, MOOT_EMULATOR_HINTS);
        rule->hint_ns = below(world, 8 * S);
        rule->has_after = one_in(world, 2);
        rule->after = below(world, 12);
    }
    plan->emulator.rules = plan->rules;
    plan->emulator.rule_count = count;
}

static void draw_provider(struct world *world)
{
    struct world_plan *plan = &world->plan;
    struct moot_emulator_options *emulator = &plan->emulator;
    *emulator = moot_emulator_options_default();
    emulator->seed = below(world, UINT64_MAX);
    emulator->api_key = WORLD_CANARY;
    if (one_in(world, 3)) {
        emulator->answer = MOOT_EMULATOR_GENERATED;
        emulator->reply_tokens_min = 1;
        emulator->reply_tokens_max = 1 + below(world, 100);
    }
    emulator->first_token_ns = below(world, 2) * below(world, 800 * MS);
    emulator->inter_token_ns = below(world, 2) * below(world, 60 * MS);
    emulator->whole_ns = below(world, 2) * below(world, 2 * S);
    emulator->jitter_ns = below(world, 2) * below(world, 100 * MS);
    emulator->slow_byte_ns = 1 * MS + below(world, 40 * MS);
    emulator->hint = (enum moot_emulator_hint)below(world, MOOT_EMULATOR_HINT_NEGATIVE);
    emulator->hint_ns = below(world, 5 * S);
    if (one_in(world, 2))
        emulator->quota.rates = (enum moot_emulator_rates)below(world, MOOT_EMULATOR_RATES);
    plan->rpm = one_in(world, 2) ? 30 + below(world, 1000) : 0;
    if (one_in(world, 3))
        emulator->quota.rpm = plan->rpm ? plan->rpm : 60 + below(world, 600);
    emulator->quota.window = one_in(world, 3) ? MOOT_EMULATOR_FIXED : MOOT_EMULATOR_SLIDING;
    emulator->quota.concurrency = one_in(world, 4) ? 1 + below(world, 8) : 0;
    draw_rules(world);
}

static void write_question(struct world *world, struct world_talk *talk)
{
    static const char *const words[] = {
        "why",      "is",      "the sky", "\"blue\"", "\\back\\", "caf\xc3\xa9", "\xf0\x9f\x90\x8b",
        "a\ttab",   "a\nline", "</html>", "data:",    "[DONE]",   "null",        "{\"x\":1}",
        "\xc2\xa0", "zero",    "\x01",    "9e99",     "%s%n",     "\xe2\x80\xa8"};
    int at = snprintf(talk->question, sizeof talk->question, "#%u.", talk->number);
    for (uint64_t i = below(world, 24); i > 0; i--)
        at += snprintf(talk->question + at, sizeof talk->question - (size_t)at, " %s",
                       words[below(world, moot__countof(words))]);
}

static void draw_talk(struct world *world, unsigned number)
{
    struct world_plan *plan = &world->plan;
    struct world_talk *talk = &world->talks[number];
    talk->world = world;
    talk->number = number;
    talk->engine = (unsigned)below(world, plan->engines);
    write_question(world, talk);
    talk->is_streamed = one_in(world, 2);
    talk->wants_tokens = one_in(world, 2);
    talk->work_limit_ns = one_in(world, 4) ? 1 + below(world, 20 * S) : 0;
    talk->begin_ns = 1 * S + below(world, plan->begin_span_ns + 1);
    talk->cancel_ns = talk->pause_ns = talk->resume_ns = MOOT_NEVER_NS;
    if (one_in(world, 8))
        talk->cancel_ns = talk->begin_ns + below(world, 10 * S);
    if (one_in(world, 8)) {
        talk->pause_ns = talk->begin_ns + below(world, 3 * S);
        talk->resume_ns = talk->pause_ns + below(world, 6 * S);
    }
    if (one_in(world, 8)) {
        talk->act = one_in(world, 60) ? WORLD_CLOSE : one_in(world, 2) ? WORLD_PAUSE : WORLD_CANCEL;
        talk->act_event = (enum moot_event_type)below(world, MOOT_EVENT_AGENT_FINISHED + 1);
    }
    talk->begins_after = number;
    if (number > 0 && one_in(world, 8)) {
        talk->begins_after = (unsigned)below(world, number);
        talk->engine = world->talks[talk->begins_after].engine;
    }
}

/* It asks like the others, but nobody interferes. */
static void draw_last_talk(struct world *world, unsigned number, unsigned engine)
{
    struct world_talk *talk = &world->talks[number];
    draw_talk(world, number);
    talk->is_last = true;
    talk->engine = engine;
    talk->begins_after = number;
    talk->act = WORLD_NOTHING;
    talk->work_limit_ns = 0;
    talk->begin_ns = world->plan.heal_ns + WORLD_SETTLE_NS;
    talk->cancel_ns = talk->pause_ns = talk->resume_ns = MOOT_NEVER_NS;
}

void world_draw(struct world *world)
{
    struct world_plan *plan = &world->plan;
    plan->engines = one_in(world, 3) ? 2 + (unsigned)below(world, WORLD_ENGINES - 1) : 1;
    plan->is_shared = one_in(world, 2);
    plan->talks = 5 + (unsigned)below(world, WORLD_TALKS - 5 + 1);
    plan->roles = 1 + (unsigned)below(world, WORLD_ROLES);
    plan->concurrency = one_in(world, 2) ? 1 + (unsigned)below(world, 20) : 0;
    plan->type = one_in(world, 2) ? "databricks" : "openai";
    plan->host = one_in(world, 2) ? "localhost" : "127.0.0.1";
    plan->provider_concurrency = one_in(world, 2) ? 1 + below(world, 16) : 0;
    plan->max_tokens = one_in(world, 3) ? 1 + below(world, 20) : 500;
    plan->retry_unknown_fails = one_in(world, 4);
    draw_memory(world);
    draw_limits(world);
    plan->begin_span_ns = one_in(world, 3) ? 0 : below(world, 20 * S);
    plan->heal_ns = 5 * S + below(world, 60 * S);
    plan->close_ns = one_in(world, 6) ? 1 * S + below(world, 30 * S) : MOOT_NEVER_NS;
    draw_network(world);
    draw_jumps(world);
    draw_provider(world);
    for (unsigned i = 0; i < plan->talks; i++)
        draw_talk(world, i);
    for (unsigned i = 0; i < plan->engines; i++)
        draw_last_talk(world, plan->talks + i, i);
    plan->talks += plan->engines;
}

int world_write_config(const struct world *world, uint16_t port, char *text, size_t size)
{
    const struct world_plan *plan = &world->plan;
    bool is_openai = strcmp(plan->type, "openai") == 0;
    int at = snprintf(text, size, "models:\n");
    for (unsigned i = 0; i < plan->roles; i++)
        at += snprintf(text + at, size - (size_t)at,
                       "  role%u: {endpoint: model-%u, instruction: You are %u of %u., "
                       "max_tokens: %u}\n",
                       i, i, i, plan->roles, (unsigned)plan->max_tokens);
    at += snprintf(text + at, size - (size_t)at,
                   "flow: [role0%s%s]\n"
                   "configuration: {user_response_instruction: Better please.}\n"
                   "providers:\n  default: {type: %s, base_url: 'http://%s:%u%s',\n"
                   "    api_key: env:WORLD_KEY, retry: {unknown: %s},\n"
                   "    timeouts: {connect: 3s, first_byte: 6s, idle: 4s, total: 40s}",
                   plan->roles > 1 ? ", role1" : "", plan->roles > 2 ? ", role2" : "", plan->type,
                   plan->host, port, is_openai ? "/v1" : "",
                   plan->retry_unknown_fails ? "fail" : "retry");
    if (plan->rpm)
        at += snprintf(text + at, size - (size_t)at, ", requests_per_minute: %u",
                       (unsigned)plan->rpm);
    if (plan->provider_concurrency)
        at += snprintf(text + at, size - (size_t)at, ", concurrency: %u",
                       (unsigned)plan->provider_concurrency);
    return at + snprintf(text + at, size - (size_t)at, "}\n");
}

void world_describe(const struct world *world)
{
    const struct world_plan *plan = &world->plan;
    const struct moot_sim_faults *net = &plan->sim.faults;
    printf("seed %llu: %u engines, %u talks, %u roles, concurrency %u/%u, rpm %u (provider %u)\n",
           (unsigned long long)world->seed, plan->engines, plan->talks, plan->roles,
           plan->concurrency, (unsigned)plan->provider_concurrency, (unsigned)plan->rpm,
           (unsigned)plan->emulator.quota.rpm);
    printf("  heals at %.3f s, closes at %.3f s, allocation %zu%s fails, unknown %s\n",
           (double)plan->heal_ns / 1e9,
           plan->close_ns == MOOT_NEVER_NS ? -1.0 : (double)plan->close_ns / 1e9, plan->fail_at,
           plan->stays_failed ? " and all after it" : "",
           plan->retry_unknown_fails ? "fails" : "is retried");
    printf("  network, ppm: dns %u/%u/%u/%u refuse %u unanswered %u reset %u stall %u silence %u"
           " fin %u forget %u corrupt %u short %u/%u again %u spurious %u\n",
           net->dns_fail, net->dns_hang, net->dns_empty, net->dns_dead, net->refuse,
           net->unanswered, net->reset, net->stall, net->silence, net->fin, net->forget,
           net->corrupt, net->short_read, net->short_write, net->early_again, net->spurious);
    printf("  segments %zu, window %zu, reads %zu, idle %zu, ring %zu, connections %u\n",
           plan->sim.segment_bytes_max, plan->sim.window_bytes, plan->read_bytes_max,
           plan->idle_max, plan->ring_bytes, plan->connections_max);
    printf("  delay %.1f ms, stalls %.1f s; provider: first token %.0f ms, between %.0f ms, whole"
           " %.0f ms, slots %u\n",
           (double)plan->sim.delay_ns_max / 1e6, (double)plan->sim.faults.stall_ns_max / 1e9,
           (double)plan->emulator.first_token_ns / 1e6, (double)plan->emulator.inter_token_ns / 1e6,
           (double)plan->emulator.whole_ns / 1e6, (unsigned)plan->emulator.quota.concurrency);
    for (size_t i = 0; i < plan->emulator.rule_count; i++)
        printf("  provider: %s at %.2f\n", moot_emulator_fault_info(plan->rules[i].fault)->name,
               plan->rules[i].rate);
}
