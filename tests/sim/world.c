/* A world's life: hosts, the provider, the engines; conversations begin, are cancelled and paused
 * as their users were drawn; then faults stop, everything must come to its end, and all is taken
 * apart.
 *
 * The users' acts are timers on the host of their engine, so that they come from the loop's own
 * stack, between whatever else happens there. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/engine.h"

enum { STEPS_MAX = 30 * 1000 * 1000 };

/* Liveness: from the moment when faults stop, everything is over within a span that the plan alone
 * decides. First what is left of the faults settles (the longest hint or pause is 120 s, silent
 * connections are given up after 135 s). Then the calls leave at no less than half of the lower of
 * the two rates, plan's and provider's; where there is none, cuts of the rate that faults caused
 * have to be made good. A provider that refuses for want of slots is taken for one with a low rate,
 * which is found by trying, seconds a call. So is one that takes fewer connections than there are
 * engines: whoever has one keeps it for its next call, and to the others, whose budget it may be,
 * the provider looks gone, and is asked rarely. */
#define RECOVERY_NS     (UINT64_C(600) * MOOT_NS_PER_S)
#define SLOTS_CALL_NS   (UINT64_C(30) * MOOT_NS_PER_S)
#define TAKING_APART_NS (UINT64_C(600) * MOOT_NS_PER_S)

static uint64_t drain_ns(const struct world_plan *plan)
{
    uint64_t calls = (uint64_t)plan->talks * plan->roles, rate = plan->rpm;
    uint64_t span_ns = WORLD_SETTLE_NS + RECOVERY_NS;
    if (plan->emulator.quota.rpm && (!rate || plan->emulator.quota.rpm < rate))
        rate = plan->emulator.quota.rpm;
    if (rate)
        span_ns += calls * 2 * 60 * MOOT_NS_PER_S / rate;
    bool is_short = plan->connections_max && plan->connections_max < plan->engines;
    if (plan->emulator.quota.concurrency || is_short)
        span_ns += calls * SLOTS_CALL_NS;
    return span_ns;
}

double world_seconds(const struct world *world)
{
    return (double)moot__sim_now_ns(world->sim) / 1e9;
}

/* ---- the world's own acts ---- */

static void on_engine_closed(void *data)
{
    bool *is_closed = data;
    *is_closed = true;
}

static void close_engine(struct world *world, unsigned index)
{
    struct moot_engine *engine = world->engines[index];
    if (!engine) {
        world->engine_is_closed[index] = true;
        return;
    }
    engine->on_closed = on_engine_closed;
    engine->on_closed_data = &world->engine_is_closed[index];
    moot__engine_close_here(engine);
}

/* Talks that have not begun never will. */
static void close_engines(struct world *world)
{
    if (world->is_closing)
        return;
    world->is_closing = true;
    for (unsigned i = 0; i < world->plan.talks; i++) {
        struct world_talk *talk = &world->talks[i];
        if (!talk->has_begun) {
            talk->is_over = true;
            world->over++;
        }
        if (world->hosts[talk->engine])
            moot__timer_stop(world->hosts[talk->engine], &talk->timer);
    }
    for (unsigned i = 0; i < world->plan.engines; i++)
        close_engine(world, i);
}

static void on_close_timer(struct moot_timer *timer)
{
    close_engines(moot__container_of(timer, struct world, close_timer));
}

static void on_heal_timer(struct moot_timer *timer)
{
    struct world *world = moot__container_of(timer, struct world, heal_timer);
    const struct moot_sim_faults none = {0};
    moot__sim_set_faults(world->sim, &none);
    for (size_t i = 0; i < WORLD_RULES; i++)
        world->plan.rules[i].rate = 0;
    world->memory.fail_at = 0;
    world->is_healed = true;
}

static void on_jump_timer(struct moot_timer *timer)
{
    struct world *world = moot__container_of(timer, struct world, jump_timer);
    const struct world_plan *plan = &world->plan;
    moot__sim_jump_wall(world->sim, plan->jumps[world->jumps_made++].seconds);
    if (world->jumps_made < plan->jump_count)
        moot__timer_start(world->provider_host, timer, plan->jumps[world->jumps_made].at_ns);
}

/* ---- making ---- */

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "WORLD_KEY") == 0 ? WORLD_CANARY : NULL;
}

static void on_log(void *context, enum moot_log_level level, struct moot_view message)
{
    struct world *world = context;
    world_check_said(world, "the log", message);
    if (world->is_verbose)
        printf("%10.6f log %d: %.*s\n", world_seconds(world), (int)level, (int)message.len,
               message.ptr);
}

static void on_sim_event(void *context, const struct moot_sim_event *event)
{
    (void)context;
    printf("%10.6f host %u %s #%llu %lld\n", (double)event->now_ns / 1e9, event->host,
           moot__sim_event_name(event->kind), (unsigned long long)event->object,
           (long long)event->value);
}

static bool make_hosts(struct world *world)
{
    struct world_plan *plan = &world->plan;
    moot__failing_alloc_init(&world->memory, 0);
    moot__failing_alloc_init(&world->provider_memory, 0);
    plan->sim.context = world;
    plan->sim.on_event = world->is_verbose ? on_sim_event : NULL;
    int rc = moot__sim_new(&plan->sim, &world->sim);
    if (!rc)
        rc = moot__sim_host_new(world->sim, &world->provider_memory.allocator,
                                &world->provider_host);
    for (unsigned i = 0; i < plan->engines && !rc; i++)
        rc = moot__sim_host_new(world->sim, &world->memory.allocator, &world->hosts[i]);
    world->hosts_open = 1 + plan->engines;
    plan->emulator.on_receipt = world_take_receipt;
    plan->emulator.on_receipt_context = world;
    const struct moot_emulator_server_options server = {
        .transport = world->provider_host,
        .address = {.bytes = {127, 0, 0, 1}},
        .emulator = &plan->emulator,
        .connections_max = plan->connections_max,
    };
    if (!rc)
        rc = moot__emulator_server_open(&server, &world->server);
    if (!rc)
        rc = moot__ring_init(&world->ring, NULL,
                             &(struct moot_ring_options){.bytes = plan->ring_bytes});
    if (plan->fail_at)
        world->memory.fail_at = moot__failing_alloc_calls(&world->memory) + plan->fail_at;
    world->memory.stay_failed = plan->stays_failed;
    return rc == MOOT_OK;
}

static int make_engine(struct world *world, unsigned index, struct moot_error_info *info)
{
    const struct moot_engine_options options = {
        .size = sizeof options,
        .allocator = &world->memory.allocator,
        .plan = world->config,
        .budget = world->budget,
        .concurrency = world->plan.concurrency,
        .log = on_log,
        .log_context = world,
    };
    int rc = moot__engine_new_on(world->hosts[index], &options, &world->engines[index], info);
    if (rc)
        return rc;
    struct moot_engine *engine = world->engines[index];
    engine->pool.read_bytes_max = world->plan.read_bytes_max;
    engine->pool.idle_max = world->plan.idle_max;
    engine->dns.answer_ttl_ns = world->plan.dns_ttl_ns;
    if (index == 0)
        engine->ring = &world->ring; /* read here, without a thread and a file */
    return MOOT_OK;
}

/* False: memory failed as it was told to, and there is nothing to live. */
static bool make_engines(struct world *world)
{
    char text[4096];
    struct moot_error_info info = {0};
    uint16_t port = moot__emulator_server_address(world->server).port;
    int len = world_write_config(world, port, text, sizeof text);
    const struct moot_plan_options options = {
        .size = sizeof options,
        .allocator = &world->memory.allocator,
        .path = "world.yaml",
        .text = moot__view(text, (size_t)len),
        .environment = environment,
    };
    int rc = moot_plan_load(&options, &world->config, &info);
    if (!rc && world->plan.is_shared)
        rc = moot_budget_new(&world->memory.allocator, world->config, &world->budget);
    for (unsigned i = 0; i < world->plan.engines && !rc; i++)
        rc = make_engine(world, i, &info);
    if (rc && (rc != MOOT_ENOMEM || !world->plan.fail_at))
        world_fail(world, "no engine: %s: %s", moot_error_name(rc), info.message);
    return rc == MOOT_OK;
}

static void start_users(struct world *world)
{
    struct world_plan *plan = &world->plan;
    struct moot_transport *host = world->provider_host; /* whose timers nobody stops */
    world->heal_timer.on_fire = on_heal_timer;
    moot__timer_start(host, &world->heal_timer, plan->heal_ns);
    world->close_timer.on_fire = on_close_timer;
    if (plan->close_ns != MOOT_NEVER_NS)
        moot__timer_start(host, &world->close_timer, plan->close_ns);
    world->jump_timer.on_fire = on_jump_timer;
    if (plan->jump_count)
        moot__timer_start(host, &world->jump_timer, plan->jumps[0].at_ns);
    for (unsigned i = 0; i < plan->talks; i++) {
        struct world_talk *talk = &world->talks[i];
        talk->timer.on_fire = world_on_talk_timer;
        if (talk->begins_after == talk->number)
            moot__timer_start(world->hosts[talk->engine], &talk->timer, talk->begin_ns);
    }
}

/* ---- living and ending ---- */

/* Step until it is so, checking after each; a bound that is reached is a failure of liveness. */
static void live_until(struct world *world, bool (*is_so)(const struct world *world),
                       const char *what, uint64_t end_ns)
{
    for (uint64_t steps = 0; !is_so(world) && !world->has_failed; steps++) {
        bool may_go_on = steps < STEPS_MAX && moot__sim_now_ns(world->sim) < end_ns;
        if (!may_go_on || !moot__sim_step(world->sim)) {
            world_fail(world, "not %s after %llu steps, at %.3f s; %u of %u talks are over", what,
                       (unsigned long long)steps, world_seconds(world), world->over,
                       world->plan.talks);
            return;
        }
        world_check_step(world);
    }
}

static uint64_t soon(const struct world *world)
{
    return moot__ns_add(moot__sim_now_ns(world->sim), TAKING_APART_NS);
}

static bool is_all_over(const struct world *world)
{
    return world->over == world->plan.talks;
}

static bool are_engines_closed(const struct world *world)
{
    for (unsigned i = 0; i < world->plan.engines; i++)
        if (!world->engine_is_closed[i])
            return false;
    return true;
}

static void on_host_closed(void *data)
{
    ((struct world *)data)->hosts_closed++;
}

static bool are_hosts_closed(const struct world *world)
{
    return world->hosts_closed == world->hosts_open;
}

static void check_host_is_idle(struct world *world, struct moot_transport *host)
{
    if (moot__sim_host_streams(host))
        world_fail(world, "%zu streams are left open", moot__sim_host_streams(host));
    if (moot__sim_host_is_alive(host))
        world_fail(world, "the closed engine still holds its host");
}

/* After a failure only the checks stop: what can be taken apart still is, so that the next seed of
 * the same process starts clean where possible. */
static void take_apart(struct world *world)
{
    for (unsigned i = 0; i < world->plan.engines; i++) {
        check_host_is_idle(world, world->hosts[i]);
        moot__sim_host_close(world->hosts[i], on_host_closed, world);
    }
    moot_budget_unref(world->budget);
    moot_plan_unref(world->config);
    world->corruptions = moot__sim_corruptions(world->sim);
    world_check_ledger(world);
    moot__emulator_server_close(world->server);
    world->server = NULL;
    moot__sim_host_close(world->provider_host, on_host_closed, world);
    live_until(world, are_hosts_closed, "closed", soon(world));
    world_check_end(world);
    world_check_books(world);
    world->hash = moot__sim_hash(world->sim);
    world->steps = moot__sim_steps(world->sim);
    world->virtual_ns = moot__sim_now_ns(world->sim);
    moot__ring_deinit(&world->ring);
    moot__sim_free(world->has_failed ? NULL : world->sim);
}

static void live(struct world *world)
{
    if (!make_hosts(world)) {
        world_fail(world, "the world could not be made");
        return;
    }
    if (make_engines(world)) {
        start_users(world);
        live_until(world, is_all_over, "over", world->plan.heal_ns + drain_ns(&world->plan));
    }
    close_engines(world);
    live_until(world, are_engines_closed, "closed", soon(world));
    if (!world->has_failed)
        take_apart(world);
}

void world_run(uint64_t seed, bool is_verbose, struct world_result *result)
{
    struct world *world = moot__calloc(NULL, 1, sizeof *world);
    *result = (struct world_result){.has_failed = true};
    if (!world)
        return;
    world->seed = seed;
    world->is_verbose = is_verbose;
    moot__rng_init(&world->rng, seed);
    world_draw(world);
    if (is_verbose)
        world_describe(world);
    live(world);
    result->has_failed = world->has_failed;
    memcpy(result->failure, world->failure, sizeof result->failure);
    for (unsigned i = 0; i < world->plan.talks; i++) {
        const struct world_talk *talk = &world->talks[i];
        result->answered += talk->done && talk->error.code == MOOT_OK;
        result->cancelled += talk->done && talk->error.code == MOOT_ECANCELED;
        result->failed +=
            talk->done && talk->error.code != MOOT_OK && talk->error.code != MOOT_ECANCELED;
    }
    result->hash = world->hash;
    result->steps = world->steps;
    result->virtual_ns = world->virtual_ns;
    moot__free(NULL, world);
}
