/* The simulated world: its clock, its hosts' turns, and the steps that they take.
 *
 * All that the world itself waits for (a segment's arrival, the end of a lookup, a work's run) are
 * moot_timers in one heap; what hosts wait for are moot_timers in a heap of each. Time moves on
 * only in moot__sim_step: by the cost of a turn, or to the earliest of those deadlines. */
#include "transport_sim.h"

#include <string.h>

#include "engine/base/alloc.h"
#include "transport_sim_internal.h"

enum { CLOCK_READ_NS = 40, FIRST_PORT = 40000 };

/* ---- what happened ---- */

static const char *const event_names[] = {
#define X(id, name, what) [MOOT_SIM_##id] = name,
    MOOT_SIM_EVENT_MAP(X)
#undef X
};

const char *moot__sim_event_name(enum moot_sim_event_kind kind)
{
    assert(kind < moot__countof(event_names));
    return event_names[kind];
}

/* Each word is folded in by an odd multiplication and a shift, which lose nothing: a difference
 * that was once there stays. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 32);
}

void moot__sim_note_bytes(struct moot_sim *sim, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t hash = mix(sim->hash, len);
    for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash, word);
    }
    for (; len > 0; len--)
        hash = mix(hash, *bytes++);
    sim->hash = hash;
}

void moot__sim_note(struct moot_sim *sim, const struct moot_sim_event *event)
{
    uint64_t what = (uint64_t)event->kind | (uint64_t)event->host << 8 | event->object << 24;
    sim->hash = mix(mix(mix(sim->hash, sim->now_ns), what), (uint64_t)event->value);
    if (!sim->options.on_event)
        return;
    struct moot_sim_event timed = *event;
    timed.now_ns = sim->now_ns;
    sim->options.on_event(sim->options.context, &timed);
}

static void note_host(struct sim_host *host, enum moot_sim_event_kind kind, int64_t value)
{
    moot__sim_note(host->sim,
                   &(struct moot_sim_event){.kind = kind, .host = host->id, .value = value});
}

bool moot__sim_chance(struct moot_sim *sim, uint32_t of_a_million)
{
    if (of_a_million == 0)
        return false;
    return ((moot__rng_next(&sim->rng) >> 32) * 1000000) >> 32 < of_a_million;
}

uint64_t moot__sim_between(struct moot_sim *sim, uint64_t min, uint64_t max)
{
    assert(min <= max);
    uint64_t span = max - min + 1;
    if (span <= UINT32_MAX) /* nearly all: as even as need be, without a division */
        return min + (((moot__rng_next(&sim->rng) >> 32) * span) >> 32);
    return min + moot__rng_below(&sim->rng, span);
}

/* ---- a host's time, randomness, timers, tasks ---- */

static uint64_t clock_ns(struct moot_transport *base)
{
    struct moot_sim *sim = sim_host_of(base)->sim;
    sim->now_ns += CLOCK_READ_NS; /* looking takes time too: no two looks see the same */
    return sim->now_ns;
}

static uint64_t now_ns(struct moot_transport *base)
{
    struct sim_host *host = sim_host_of(base);
    return host->in_turn ? host->turn_ns : host->sim->now_ns;
}

static uint64_t wall_ns(struct moot_transport *base)
{
    struct moot_sim *sim = sim_host_of(base)->sim;
    return sim->options.wall_ns + sim->now_ns +
           (uint64_t)sim->wall_jump_s * (uint64_t)MOOT_NS_PER_S; /* modulo 2^64: may be back */
}

static void random_bytes(struct moot_transport *base, void *data, size_t len)
{
    struct sim_host *host = sim_host_of(base);
    unsigned char *at = data;
    while (len > 0) {
        uint64_t word = moot__rng_next(&host->rng);
        size_t part = len < sizeof word ? len : sizeof word;
        memcpy(at, &word, part);
        at += part;
        len -= part;
    }
}

static void timer_start(struct moot_transport *base, struct moot_timer *timer, uint64_t deadline_ns)
{
    struct sim_host *host = sim_host_of(base);
    assert(timer->on_fire);
    if (!host->is_closing)
        moot__timers_start(&host->timers, timer, deadline_ns);
}

static void timer_stop(struct moot_transport *base, struct moot_timer *timer)
{
    moot__timers_stop(&sim_host_of(base)->timers, timer);
}

static void task_post(struct moot_transport *base, struct moot_task *task)
{
    struct sim_host *host = sim_host_of(base);
    assert(task->run);
    if (!host->is_closing && !moot__list_is_linked(&task->node))
        moot__list_push_back(&host->tasks, &task->node);
}

static void task_cancel(struct moot_transport *base, struct moot_task *task)
{
    moot__ignore(base == NULL);
    moot__list_remove(&task->node);
}

static void hold(struct moot_transport *base)
{
    sim_host_of(base)->holds++;
}

static void let_go(struct moot_transport *base)
{
    struct sim_host *host = sim_host_of(base);
    assert(host->holds > 0);
    host->holds--;
}

static const struct moot_transport_ops transport_ops = {
    .now_ns = now_ns,
    .clock_ns = clock_ns,
    .wall_ns = wall_ns,
    .random = random_bytes,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .task_post = task_post,
    .task_cancel = task_cancel,
    .work_submit = moot__sim_work_submit,
    .hold = hold,
    .let_go = let_go,
    .resolve = moot__sim_resolve,
    .resolve_cancel = moot__sim_resolve_cancel,
    .connect = moot__sim_connect,
    .connect_result = moot__sim_connect_result,
    .listen = moot__sim_listen,
    .unlisten = moot__sim_unlisten,
};

/* ---- a turn ---- */

/* Each that is started now fires at most once: a timer restarted in the past waits for the next
 * turn. */
static void run_timers(struct sim_host *host)
{
    for (size_t budget = host->timers.count; budget > 0; budget--) {
        struct moot_timer *timer = moot__timers_take_due(&host->timers, host->turn_ns);
        if (!timer)
            return;
        note_host(host, MOOT_SIM_TIMER, (int64_t)(host->turn_ns - timer->deadline_ns));
        timer->on_fire(timer);
    }
}

static void run_tasks(struct sim_host *host)
{
    struct moot_list round, *node;
    moot__list_init(&round);
    moot__list_splice(&round, &host->tasks);
    while (!host->is_closing && (node = moot__list_pop_front(&round))) {
        note_host(host, MOOT_SIM_TASK, 0);
        struct moot_task *task = moot__list_entry(node, struct moot_task, node);
        task->run(task);
    }
    while (moot__list_pop_front(&round)) { /* closing: none may stay linked to our stack */
    }
}

static void free_if_closed(struct sim_host *host)
{
    if (!host->is_closing || host->work_count > 0)
        return;
    assert(host->stream_count == 0 && moot__list_is_empty(&host->lookups));
    void (*on_closed)(void *) = host->on_closed;
    void *data = host->data;
    note_host(host, MOOT_SIM_CLOSED, 0);
    moot__list_remove(&host->node);
    moot__free(host->base.allocator, host);
    if (on_closed)
        on_closed(data);
}

static void run_turn(struct sim_host *host)
{
    static void (*const phases[])(struct sim_host *) = {run_timers, run_tasks, moot__sim_run_ready,
                                                        moot__sim_run_accepts, run_tasks};
    struct moot_sim *sim = host->sim;
    host->turn_ns = sim->now_ns;
    host->in_turn = true;
    note_host(host, MOOT_SIM_TURN, 0);
    for (size_t i = 0; i < moot__countof(phases) && !host->is_closing; i++)
        phases[i](host);
    moot__sim_run_done(host); /* closing too: work always ends in its `done` */
    host->in_turn = false;
    sim->now_ns += moot__sim_between(sim, 1, sim->options.turn_ns_max);
    free_if_closed(host);
}

/* ---- the world ---- */

static bool has_something_to_do(const struct sim_host *host)
{
    return !moot__list_is_empty(&host->tasks) || !moot__list_is_empty(&host->ready) ||
           !moot__list_is_empty(&host->works_done) || !moot__list_is_empty(&host->lookups_done) ||
           host->waiting > 0 || moot__timers_next_ns(&host->timers) <= host->sim->now_ns ||
           (host->is_closing && host->work_count == 0);
}

/* One of them, drawn. */
static struct sim_host *pick_host(struct moot_sim *sim)
{
    struct sim_host *picked = NULL;
    uint64_t seen = 0;
    MOOT_LIST_FOREACH (node, &sim->hosts) {
        struct sim_host *host = moot__list_entry(node, struct sim_host, node);
        if (has_something_to_do(host) && (seen++ == 0 || moot__rng_below(&sim->rng, seen) == 0))
            picked = host;
    }
    return picked;
}

static uint64_t next_deadline_ns(const struct moot_sim *sim)
{
    uint64_t next_ns = moot__timers_next_ns(&sim->events);
    MOOT_LIST_FOREACH (node, &sim->hosts) {
        struct sim_host *host = moot__list_entry(node, struct sim_host, node);
        uint64_t timer_ns = moot__timers_next_ns(&host->timers);
        next_ns = timer_ns < next_ns ? timer_ns : next_ns;
    }
    return next_ns;
}

static void run_events(struct moot_sim *sim)
{
    struct moot_timer *event;
    while ((event = moot__timers_take_due(&sim->events, sim->now_ns)))
        event->on_fire(event);
}

bool moot__sim_step(struct moot_sim *sim)
{
    sim->steps++;
    run_events(sim);
    struct sim_host *host = pick_host(sim);
    if (host) {
        run_turn(host);
        return true;
    }
    uint64_t next_ns = next_deadline_ns(sim);
    if (next_ns == MOOT_NEVER_NS)
        return false;
    uint64_t late_ns = moot__sim_between(sim, 0, sim->options.late_ns_max);
    sim->now_ns = moot__ns_add(next_ns > sim->now_ns ? next_ns : sim->now_ns, late_ns);
    run_events(sim);
    return true;
}

bool moot__sim_run_until(struct moot_sim *sim, bool (*is_met)(void *context), void *context,
                         struct moot_sim_bound bound)
{
    for (uint64_t taken = 0; !is_met(context); taken++)
        if (taken >= bound.steps || sim->now_ns >= bound.until_ns || !moot__sim_step(sim))
            return false;
    return true;
}

void moot__sim_pass(struct moot_sim *sim, uint64_t ns)
{
    sim->now_ns = moot__ns_add(sim->now_ns, ns);
}

uint64_t moot__sim_now_ns(const struct moot_sim *sim)
{
    return sim->now_ns;
}

uint64_t moot__sim_steps(const struct moot_sim *sim)
{
    return sim->steps;
}

uint64_t moot__sim_hash(const struct moot_sim *sim)
{
    return sim->hash;
}

void moot__sim_jump_wall(struct moot_sim *sim, int64_t seconds)
{
    sim->wall_jump_s += seconds;
    moot__sim_note(sim, &(struct moot_sim_event){.kind = MOOT_SIM_JUMP, .value = seconds});
}

uint64_t moot__sim_corruptions(const struct moot_sim *sim)
{
    return sim->corruptions;
}

void moot__sim_set_faults(struct moot_sim *sim, const struct moot_sim_faults *faults)
{
    sim->faults = *faults;
}

bool moot__sim_name(struct moot_sim *sim, const char *name, const char *addresses)
{
    struct sim_name entry = {.count = 0};
    struct moot_view rest = moot__view_str(addresses), part;
    while (moot__view_split(&rest, ' ', &part)) {
        char text[SIM_NAME_BYTES];
        moot__view_copy(part, text, sizeof text);
        if (part.len == 0)
            continue;
        if (entry.count == MOOT_LIMIT_DNS_ADDRESSES ||
            !moot__sim_parse_address(text, &entry.addresses[entry.count]))
            return false;
        entry.count++;
    }
    moot__view_copy(moot__view_str(name), entry.name, sizeof entry.name);
    unsigned at = 0;
    while (at < sim->name_count && strcmp(sim->names[at].name, entry.name) != 0)
        at++;
    if (at == SIM_NAMES_MAX)
        return false;
    sim->name_count += at == sim->name_count;
    sim->names[at] = entry;
    return true;
}

static void set_defaults(struct moot_sim_options *options)
{
    if (options->wall_ns == 0)
        options->wall_ns = UINT64_C(1700000000) * MOOT_NS_PER_S;
    if (options->turn_ns_max == 0)
        options->turn_ns_max = 20 * MOOT_NS_PER_US;
    if (options->late_ns_max == 0)
        options->late_ns_max = MOOT_NS_PER_MS;
    if (options->delay_ns_min == 0)
        options->delay_ns_min = 20 * MOOT_NS_PER_US;
    if (options->delay_ns_max < options->delay_ns_min)
        options->delay_ns_max = options->delay_ns_min + MOOT_NS_PER_MS;
    if (options->dns_ns_max == 0)
        options->dns_ns_max = 20 * MOOT_NS_PER_MS;
    if (options->work_ns_max == 0)
        options->work_ns_max = 8 * MOOT_NS_PER_MS;
    if (options->segment_bytes_max == 0)
        options->segment_bytes_max = 64 << 10;
    if (options->window_bytes == 0)
        options->window_bytes = 256 << 10;
}

int moot__sim_new(const struct moot_sim_options *options, struct moot_sim **out)
{
    struct moot_sim *sim = moot__calloc(options->allocator, 1, sizeof *sim);
    *out = NULL;
    if (!sim)
        return MOOT_ENOMEM;
    sim->allocator = options->allocator;
    sim->options = *options;
    set_defaults(&sim->options);
    sim->faults = options->faults;
    moot__rng_init(&sim->rng, options->seed);
    sim->now_ns = MOOT_NS_PER_S; /* no time is 0, which means "none" here and there */
    moot__timers_init(&sim->events);
    moot__list_init(&sim->hosts);
    moot__list_init(&sim->spare_packets);
    sim->next_port = FIRST_PORT;
    sim->hash = UINT64_C(0xcbf29ce484222325);
    bool is_named = moot__sim_name(sim, "localhost", "127.0.0.1");
    assert(is_named);
    moot__ignore(is_named);
    *out = sim;
    return MOOT_OK;
}

/* What is still in flight between ends that are gone falls here; each event frees itself. */
void moot__sim_free(struct moot_sim *sim)
{
    if (!sim)
        return;
    assert(moot__list_is_empty(&sim->hosts));
    struct moot_timer *event;
    while ((event = moot__timers_take_due(&sim->events, MOOT_NEVER_NS)))
        event->on_fire(event);
    moot__sim_free_spare_packets(sim);
    moot__free(sim->allocator, sim);
}

/* ---- hosts ---- */

int moot__sim_host_new(struct moot_sim *sim, const struct moot_allocator *allocator,
                       struct moot_transport **out)
{
    struct sim_host *host = moot__calloc(allocator, 1, sizeof *host);
    *out = NULL;
    if (!host)
        return MOOT_ENOMEM;
    host->base = (struct moot_transport){.ops = &transport_ops, .allocator = allocator};
    host->sim = sim;
    host->id = sim->hosts_made++;
    moot__rng_init(&host->rng, moot__rng_next(&sim->rng));
    moot__timers_init(&host->timers);
    struct moot_list *const lists[] = {&host->node,         &host->tasks, &host->streams,
                                       &host->listeners,    &host->ready, &host->lookups,
                                       &host->lookups_done, &host->works, &host->works_done};
    for (size_t i = 0; i < moot__countof(lists); i++)
        moot__list_init(lists[i]);
    moot__list_push_back(&sim->hosts, &host->node);
    *out = &host->base;
    return MOOT_OK;
}

void moot__sim_host_close(struct moot_transport *base, void (*on_closed)(void *data), void *data)
{
    struct sim_host *host = sim_host_of(base);
    assert(!host->is_closing);
    host->is_closing = true;
    host->on_closed = on_closed;
    host->data = data;
    while (moot__timers_take_due(&host->timers, MOOT_NEVER_NS)) {
    }
    while (moot__list_pop_front(&host->tasks)) {
    }
    moot__sim_drop_sockets(host);
    moot__sim_drop_under_way(host);
}

bool moot__sim_host_is_alive(struct moot_transport *base)
{
    const struct sim_host *host = sim_host_of(base);
    return host->holds > 0 || host->work_count > 0 || !moot__list_is_empty(&host->tasks) ||
           !moot__list_is_empty(&host->lookups) || !moot__list_is_empty(&host->lookups_done);
}

size_t moot__sim_host_streams(struct moot_transport *base)
{
    return sim_host_of(base)->stream_count;
}
