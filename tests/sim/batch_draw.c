/* What a seed means: the rows, the provider, how long each process lives and how it dies, what its
 * disk does to it. Most kinds of fault are off in most worlds. */
#include <stdio.h>
#include <string.h>

#include "batch_world.h"
#include "engine/base/check.h"

#define MS MOOT_NS_PER_MS
#define S  MOOT_NS_PER_S

static uint64_t below(struct batch_world *world, uint64_t bound)
{
    return moot__rng_below(&world->rng, bound);
}

static bool one_in(struct batch_world *world, uint64_t count)
{
    return below(world, count) == 0;
}

static uint32_t rate(struct batch_world *world, uint64_t one_of, uint32_t ppm_max)
{
    return one_in(world, one_of) ? (uint32_t)below(world, ppm_max) : 0;
}

static void draw_network(struct batch_world *world)
{
    struct moot_sim_options *sim = &world->plan.sim;
    static const size_t segments[] = {100, 1460, 65536};
    static const uint64_t delays[] = {100 * MOOT_NS_PER_US, 5 * MS, 80 * MS};
    sim->seed = world->seed;
    sim->segment_bytes_max = segments[below(world, 3)];
    sim->delay_ns_max = delays[below(world, 3)];
    sim->work_ns_max = one_in(world, 3) ? 3 * S : 8 * MS; /* a disk that takes long to sync */
    if (!one_in(world, 3))
        return;
    sim->faults = (struct moot_sim_faults){
        .refuse = rate(world, 3, 200000),
        .reset = rate(world, 2, 5000),
        .stall = rate(world, 4, 5000),
        .stall_ns_max = 1 + below(world, 5 * S),
    };
}

static void draw_provider(struct batch_world *world)
{
    static const enum moot_emulator_fault faults[] = {
        MOOT_EMULATOR_FAULT_400,        MOOT_EMULATOR_FAULT_429,
        MOOT_EMULATOR_FAULT_500,        MOOT_EMULATOR_FAULT_503,
        MOOT_EMULATOR_FAULT_CLOSE_BODY, MOOT_EMULATOR_FAULT_RESET_STATUS,
        MOOT_EMULATOR_FAULT_RESET_HEAD, MOOT_EMULATOR_FAULT_CLOSE_END};
    struct batch_plan *plan = &world->plan;
    struct moot_emulator_options *emulator = &plan->emulator;
    *emulator = moot_emulator_options_default();
    emulator->seed = below(world, UINT64_MAX);
    emulator->first_token_ns = below(world, 2) * below(world, 400 * MS);
    emulator->inter_token_ns = below(world, 2) * below(world, 20 * MS);
    emulator->whole_ns = below(world, 2) * below(world, 1 * S);
    emulator->jitter_ns = below(world, 2) * below(world, 200 * MS);
    emulator->quota.concurrency = one_in(world, 6) ? 1 + below(world, 8) : 0;
    plan->rpm = one_in(world, 4) ? 200 + below(world, 2000) : 0;
    emulator->rules = plan->rules;
    emulator->rule_count = one_in(world, 3) ? 1 + below(world, BATCH_RULES) : 0;
    for (size_t i = 0; i < emulator->rule_count; i++)
        plan->rules[i] = (struct moot_emulator_rule){
            .fault = faults[below(world, moot__countof(faults))],
            .rate = (double)(1 + below(world, 15)) / 100,
            .has_hint = true,
            .hint = MOOT_EMULATOR_HINT_MS,
            .hint_ns = below(world, 2 * S),
        };
}

static void draw_disk(struct batch_world *world, struct batch_run_plan *run)
{
    run->faults = (struct moot_disk_sim_faults){
        .short_write = rate(world, 3, 500000),
        .short_read = rate(world, 3, 900000),
        .interrupted = rate(world, 3, 300000),
        .stall = rate(world, 4, 300000),
        .stall_ns_max = 1 + below(world, 2 * S),
    };
    if (!one_in(world, 3))
        return;
    run->faults.write_fail = rate(world, 3, 200000);
    run->faults.sync_fail = rate(world, 3, 500000);
    run->faults.name_fail = rate(world, 4, 200000);
    run->faults.truncate_fail = rate(world, 4, 500000);
    run->faults.read_fail = rate(world, 6, 100000);
    run->room_bytes = one_in(world, 3) ? 1 + below(world, 20000) : 0;
}

static void draw_run(struct batch_world *world, struct batch_run_plan *run, bool may_change)
{
    static const uint64_t lives[] = {50 * MS, 1 * S, 10 * S};
    run->death = (enum batch_death)below(world, 3);
    run->after_ns = 1 + below(world, lives[below(world, 3)]);
    run->within_calls = one_in(world, 3) ? 1 + below(world, one_in(world, 2) ? 20 : 300) : 0;
    run->pause_ns = below(world, 2) * below(world, 20 * S);
    run->is_fresh = may_change && one_in(world, 12);
    run->retry_failed = may_change && one_in(world, 8);
    draw_disk(world, run);
}

void batch_draw(struct batch_world *world)
{
    struct batch_plan *plan = &world->plan;
    plan->rows = 1 + (unsigned)below(world, BATCH_ROWS);
    plan->roles = 1 + (unsigned)below(world, BATCH_ROLES);
    plan->loops = 1 + (unsigned)one_in(world, 4);
    plan->is_openai = one_in(world, 3);
    plan->is_streamed = one_in(world, 2);
    plan->has_bad_rows = one_in(world, 4);
    plan->in_flight_max = 1 + (unsigned)below(world, one_in(world, 2) ? 4 : BATCH_ROWS);
    plan->sync_lines = 1 + (unsigned)below(world, one_in(world, 2) ? 4 : 60);
    plan->sync_ns = 1 + below(world, 1 * S);
    plan->tick_ns = 1 * MS + below(world, 200 * MS);
    plan->compact_at_bytes = one_in(world, 2) ? 1 + below(world, 4000) : 0;
    plan->row_timeout_ns = one_in(world, 8) ? 1 * S + below(world, 10 * S) : 0;
    plan->runs = (unsigned)below(world, BATCH_RUNS);
    plan->cuts_at_last = one_in(world, 2);
    plan->runs_after_last = one_in(world, 2);
    draw_network(world);
    draw_provider(world);
    for (unsigned i = 0; i < plan->runs; i++)
        draw_run(world, &plan->each[i], i > 0);
    for (unsigned i = 0; i < plan->rows; i++)
        snprintf(world->rows[i].id, BATCH_ID_BYTES, "r%u", i);
}

unsigned batch_bad_rows(const struct batch_world *world)
{
    return world->plan.has_bad_rows ? 2 : 0;
}

/* Words that make lines of all lengths, so that sectors end everywhere. */
static int write_words(const struct batch_world *world, unsigned row, struct moot_buf *out)
{
    static const char *const words[] = {"why", "caf\xc3\xa9", "\\\"blue\\\"", "a\\nline", "zero"};
    struct moot_rng rng;
    int rc = MOOT_OK;
    moot__rng_init(&rng, world->seed * BATCH_ROWS + row);
    for (uint64_t i = moot__rng_below(&rng, row % 7 == 0 ? 200 : 20); i > 0 && !rc; i--) {
        rc = moot__buf_append_byte(out, ' ');
        if (!rc)
            rc = moot__buf_append_str(out, words[moot__rng_below(&rng, moot__countof(words))]);
    }
    return rc;
}

static int write_row(const struct batch_world *world, unsigned row, struct moot_buf *out)
{
    char head[160];
    snprintf(head, sizeof head,
             world->plan.is_openai
                 ? "{\"custom_id\":\"r%u\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\","
                   "\"body\":{\"messages\":[{\"role\":\"user\",\"content\":\"#%u."
                 : "{\"id\":\"r%u\",\"question\":\"#%u.",
             row, row);
    int rc = moot__buf_append_str(out, head);
    if (!rc)
        rc = write_words(world, row, out);
    if (!rc)
        rc = moot__buf_append_str(out, world->plan.is_openai ? "\"}]}}\n" : "\"}\n");
    return rc;
}

int batch_write_input(const struct batch_world *world, struct moot_buf *out)
{
    int rc = MOOT_OK;
    for (unsigned i = 0; i < world->plan.rows && !rc; i++)
        rc = write_row(world, i, out);
    if (!rc && world->plan.has_bad_rows)
        rc = write_row(world, 0, out);
    if (!rc && world->plan.has_bad_rows)
        rc = moot__buf_append_str(out, "{\"no\": \n");
    return rc;
}

int batch_write_config(const struct batch_world *world, uint16_t port, char *text, size_t size)
{
    const struct batch_plan *plan = &world->plan;
    int at = snprintf(text, size, "models:\n");
    for (unsigned i = 0; i < plan->roles; i++)
        at += snprintf(text + at, size - (size_t)at,
                       "  role%u: {endpoint: model-%u, instruction: You are %u of %u.}\n", i, i, i,
                       plan->roles);
    at += snprintf(text + at, size - (size_t)at,
                   "flow: [role0%s%s]\n"
                   "configuration: {user_response_instruction: Better please.}\n"
                   "providers:\n  default: {type: databricks, base_url: 'http://127.0.0.1:%u',\n"
                   "    api_key: env:WORLD_KEY,\n"
                   "    timeouts: {connect: 3s, first_byte: 6s, idle: 4s, total: 40s}",
                   plan->roles > 1 ? ", role1" : "", plan->roles > 2 ? ", role2" : "", port);
    if (plan->rpm)
        at += snprintf(text + at, size - (size_t)at, ", requests_per_minute: %u",
                       (unsigned)plan->rpm);
    return at + snprintf(text + at, size - (size_t)at, "}\n");
}

static void describe_run(const struct batch_run_plan *run)
{
    static const char *const deaths[] = {"lives", "is killed", "loses power"};
    const struct moot_disk_sim_faults *faults = &run->faults;
    printf("  %s after %.3f s or %u calls, pause %.3f s, room %u%s%s; fail write %u sync %u "
           "name %u truncate %u read %u, stall %u\n",
           deaths[run->death], (double)run->after_ns / 1e9, (unsigned)run->within_calls,
           (double)run->pause_ns / 1e9, (unsigned)run->room_bytes, run->is_fresh ? ", fresh" : "",
           run->retry_failed ? ", retry failed" : "", faults->write_fail, faults->sync_fail,
           faults->name_fail, faults->truncate_fail, faults->read_fail, faults->stall);
}

void batch_describe(const struct batch_world *world)
{
    const struct batch_plan *plan = &world->plan;
    printf("seed %llu: %u rows%s, %u roles, %u loops, in flight %u; sync %u lines, %.3f s, tick "
           "%.3f s; "
           "compact at %u\n",
           (unsigned long long)world->seed, plan->rows, plan->has_bad_rows ? " and bad ones" : "",
           plan->roles, plan->loops, plan->in_flight_max, plan->sync_lines,
           (double)plan->sync_ns / 1e9, (double)plan->tick_ns / 1e9,
           (unsigned)plan->compact_at_bytes);
    for (size_t i = 0; i < plan->emulator.rule_count; i++)
        printf("  provider: %s at %.2f\n", moot_emulator_fault_info(plan->rules[i].fault)->name,
               plan->rules[i].rate);
    for (unsigned i = 0; i < plan->runs; i++)
        describe_run(&plan->each[i]);
}
