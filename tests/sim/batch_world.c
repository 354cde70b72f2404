/* The processes of a run, one after the other, and the world around them. */
#include "batch_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "world.h"

enum { STEPS_MAX = 5 * 1000 * 1000, LIVES_MAX = BATCH_RUNS + 4 };

/* A process that nothing ends has to end by itself within this. */
#define LIFE_NS_MAX (UINT64_C(3600) * MOOT_NS_PER_S)

/* A provider that throttles at random is not borne longer than this. */
#define PATIENCE_NS (UINT64_C(600) * MOOT_NS_PER_S)

static uint64_t now_ns(const struct batch_world *world)
{
    return moot__sim_now_ns(world->sim);
}

static void on_sim_event(void *context, const struct moot_sim_event *event)
{
    (void)context;
    printf("%10.6f host %u %s #%llu %lld\n", (double)event->now_ns / 1e9, event->host,
           moot__sim_event_name(event->kind), (unsigned long long)event->object,
           (long long)event->value);
}

/* ---- making ---- */

static int put_input(struct batch_world *world)
{
    struct moot_buf text;
    moot__buf_init(&text, NULL, 1 << 20);
    int rc = batch_write_input(world, &text);
    if (!rc)
        rc = moot__disk_sim_put(world->disk, BATCH_INPUT, moot__buf_view(&text));
    moot__buf_deinit(&text);
    return rc;
}

static bool make(struct batch_world *world)
{
    struct batch_plan *plan = &world->plan;
    moot__failing_alloc_init(&world->memory, 0);
    moot__failing_alloc_init(&world->provider_memory, 0);
    plan->sim.context = world;
    plan->sim.on_event = world->is_verbose ? on_sim_event : NULL;
    int rc = moot__sim_new(&plan->sim, &world->sim);
    const struct moot_disk_sim_options disk = {.seed = ~world->seed, .sim = world->sim};
    if (!rc)
        rc = moot__disk_sim_new(&disk, &world->disk);
    if (!rc)
        rc = put_input(world);
    if (!rc)
        rc = moot__sim_host_new(world->sim, &world->provider_memory.allocator,
                                &world->provider_host);
    plan->emulator.on_receipt = batch_take_receipt;
    plan->emulator.on_receipt_context = world;
    const struct moot_emulator_server_options server = {
        .transport = world->provider_host,
        .address = {.bytes = {127, 0, 0, 1}},
        .emulator = &plan->emulator,
    };
    if (!rc)
        rc = moot__emulator_server_open(&server, &world->server);
    return rc == MOOT_OK;
}

/* Everything that went wrong does so no more. */
static void heal(struct batch_world *world)
{
    const struct moot_sim_faults none = {0};
    moot__sim_set_faults(world->sim, &none);
    for (size_t i = 0; i < BATCH_RULES; i++)
        world->plan.rules[i].rate = 0;
}

/* ---- a life ---- */

static bool step(struct batch_world *world, struct batch_process *process)
{
    bool goes_on = moot__sim_step(world->sim);
    batch_process_end_turn(process);
    return goes_on;
}

static bool is_dead(const struct batch_world *world)
{
    return moot__disk_sim_is_dead(world->disk);
}

/* Until it is dead, or through, or nothing happens any more. */
static void live(struct batch_world *world, struct batch_process *process,
                 const struct batch_run_plan *run)
{
    uint64_t death_ns = moot__ns_add(now_ns(world), LIFE_NS_MAX);
    bool has_death = run->death != BATCH_LIVES && run->within_calls == 0;
    if (has_death)
        death_ns = now_ns(world) + run->after_ns;
    uint64_t heal_ns = moot__ns_add(now_ns(world), PATIENCE_NS);
    for (uint64_t steps = 0; !is_dead(world) && !batch_process_is_through(process); steps++) {
        if (now_ns(world) > heal_ns)
            heal(world);
        if (now_ns(world) < death_ns && steps < STEPS_MAX && step(world, process))
            continue;
        if (!has_death)
            batch_fail(world, "process %u does not end, at %.3f s", world->processes,
                       (double)now_ns(world) / 1e9);
        return;
    }
}

static void cut_power(struct batch_world *world)
{
    moot__disk_sim_cut_power(world->disk);
    world->may_have_gaps = true;
}

/* What it does from here on changes nothing: it has to be taken apart, for its memory. */
static void die(struct batch_world *world, enum batch_death death)
{
    if (world->is_verbose)
        printf("%10.6f process %u: %s\n", (double)now_ns(world) / 1e9, world->processes,
               death == BATCH_KILLED ? "killed" : "power cut");
    moot__disk_sim_kill(world->disk);
}

/* The files of a dead process, and what is left of them when the power is cut. */
static void settle_death(struct batch_world *world, enum batch_death death)
{
    world->kills += death == BATCH_KILLED;
    world->cuts += death == BATCH_POWER_CUT;
    batch_check_death(world, death);
    if (death == BATCH_POWER_CUT)
        cut_power(world);
}

static void close_engines(struct batch_world *world, struct batch_process *process)
{
    batch_process_close(process);
    for (uint64_t steps = 0; !batch_process_is_closed(process); steps++)
        if (steps > STEPS_MAX || !step(world, process)) {
            batch_fail(world, "process %u does not close", world->processes);
            return;
        }
}

static void set_faults(struct batch_world *world, const struct batch_run_plan *run)
{
    struct moot_disk_sim_faults faults = run->faults;
    if (run->room_bytes)
        faults.bytes_max = moot__disk_sim_bytes(world->disk) + run->room_bytes;
    moot__disk_sim_set_faults(world->disk, &faults);
    moot__disk_sim_kill_within(world->disk, run->death == BATCH_LIVES ? 0 : run->within_calls);
}

/* One process from its first call to its last. True: it says that the run is complete. */
static bool run_process(struct batch_world *world, const struct batch_run_plan *run)
{
    struct batch_process *process = moot__calloc(NULL, 1, sizeof *process);
    if (!process)
        return false;
    process->world = world;
    world->run = run;
    world->processes++;
    moot__disk_sim_start(world->disk);
    set_faults(world, run);
    bool is_begun = batch_process_begin(process, run);
    if (is_begun && !is_dead(world))
        batch_check_opened(world);
    if (is_begun)
        live(world, process, run);
    if (is_begun && !is_dead(world) && !batch_process_is_through(process))
        die(world, run->death);
    close_engines(world, process);
    if (is_begun && !is_dead(world))
        batch_process_finish(process);
    bool has_ended = process->is_over && !is_dead(world);
    if (!has_ended)
        settle_death(world, run->death);
    else
        batch_check_ended(world, process);
    if (!world->has_failed)
        batch_process_free(process);
    bool is_complete = has_ended && process->status != MOOT_BATCH_ERROR &&
                       process->status != MOOT_BATCH_THRESHOLD; /* an outage: go on later */
    moot__free(NULL, process);
    return is_complete;
}

static void pass(struct batch_world *world, uint64_t ns)
{
    uint64_t end_ns = now_ns(world) + ns;
    while (now_ns(world) < end_ns && moot__sim_step(world->sim)) {
    }
}

/* All is done: power may fail now, and another process finds nothing to do. */
static void look_back(struct batch_world *world)
{
    const struct batch_run_plan plain = {.death = BATCH_LIVES};
    batch_check_complete(world);
    if (world->plan.cuts_at_last && !world->has_failed) {
        world->cuts++;
        if (world->is_hollow)
            batch_check_death(world, BATCH_POWER_CUT);
        cut_power(world);
    }
    if (!world->plan.runs_after_last && !world->plan.cuts_at_last)
        return;
    if (!world->has_failed && !run_process(world, &plain))
        batch_fail(world, "one more process does not find the run complete");
    if (!world->has_failed)
        batch_check_complete(world);
}

static void live_all(struct batch_world *world)
{
    bool is_complete = false;
    for (unsigned i = 0; i < world->plan.runs && !is_complete && !world->has_failed; i++) {
        is_complete = run_process(world, &world->plan.each[i]);
        if (!world->has_failed)
            pass(world, world->plan.each[i].pause_ns);
    }
    const struct batch_run_plan plain = {.death = BATCH_LIVES};
    heal(world);
    if (!is_complete && !world->has_failed)
        is_complete = run_process(world, &plain);
    if (!is_complete && !world->has_failed)
        batch_fail(world, "the run is not complete although all is healed");
    if (!world->has_failed)
        look_back(world);
    if (!world->has_failed)
        batch_check_books(world);
}

static void on_host_closed(void *data)
{
    *(bool *)data = true;
}

static bool is_provider_closed(void *context)
{
    return ((struct batch_world *)context)->provider_is_closed;
}

static void unmake(struct batch_world *world)
{
    moot__emulator_server_close(world->server);
    moot__sim_host_close(world->provider_host, on_host_closed, &world->provider_is_closed);
    const struct moot_sim_bound bound = {.until_ns = MOOT_NEVER_NS, .steps = STEPS_MAX};
    if (!moot__sim_run_until(world->sim, is_provider_closed, world, bound))
        batch_fail(world, "the provider's host is not closed");
    if (moot__failing_alloc_live(&world->provider_memory))
        batch_fail(world, "%zu blocks of the provider are left",
                   moot__failing_alloc_live(&world->provider_memory));
}

static void tell(const struct batch_world *world, struct world_result *result)
{
    result->has_failed = world->has_failed;
    memcpy(result->failure, world->failure, sizeof result->failure);
    result->hash = moot__sim_hash(world->sim) ^ moot__disk_sim_hash(world->disk);
    result->steps = moot__sim_steps(world->sim);
    result->virtual_ns = now_ns(world);
    for (unsigned i = 0; i < world->plan.rows; i++) {
        result->answered += world->rows[i].found.results > 0;
        result->failed += world->rows[i].found.errors > 0;
    }
    result->cancelled = world->kills + world->cuts;
}

/* The driver is that of the other worlds; of this one's results `cancelled` counts deaths. */
void world_run(uint64_t seed, bool is_verbose, struct world_result *result)
{
    struct batch_world *world = moot__calloc(NULL, 1, sizeof *world);
    *result = (struct world_result){.has_failed = true};
    if (!world)
        return;
    world->seed = seed;
    world->is_verbose = is_verbose;
    moot__rng_init(&world->rng, seed);
    batch_draw(world);
    if (is_verbose)
        batch_describe(world);
    if (make(world))
        live_all(world);
    else
        batch_fail(world, "the world could not be made");
    if (!world->has_failed)
        unmake(world);
    tell(world, result);
    if (!world->has_failed) { /* else memory is left: whoever failed may still be in it */
        moot__disk_sim_free(world->disk);
        moot__sim_free(world->sim);
    }
    moot__free(NULL, world);
}
