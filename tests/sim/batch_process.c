/* A process, as moot_batch_run makes it of the same parts: input, journal, tally, feeders on their
 * engines. Where the real one has threads, there are here the end of a turn, at which lines are
 * written, and the transport's work, in which files are synced. */
#include <stdio.h>
#include <string.h>

#include "batch_world.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/config.h"
#include "engine/conversation.h"
#include "engine/engine.h"

/* ---- conversations, seen on their way to the feeder ---- */

struct talk {
    struct batch_world *world;
    struct batch_row *row;
    struct moot_conversation_options options; /* the feeder's */
};

static struct batch_turn *turn_of(struct talk *talk, unsigned agent)
{
    return talk->row && agent < BATCH_ROLES ? &talk->row->turns[agent] : NULL;
}

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct talk *talk = data;
    struct batch_turn *turn = turn_of(talk, event->agent);
    if (turn && event->type == MOOT_EVENT_AGENT_BEGAN) {
        if (turn->is_kept || talk->row->is_kept)
            batch_fail(talk->world, "row %s, step %u is asked again", talk->row->id, event->agent);
        turn->is_asked = true;
    }
    if (turn && event->type == MOOT_EVENT_AGENT_FINISHED)
        turn->is_finished = true;
    if (turn && event->type == MOOT_EVENT_RETRY)
        turn->retries++;
    if (talk->options.events & MOOT_EVENT_BIT(event->type))
        talk->options.on_event(conversation, event, talk->options.data);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct talk *talk = data;
    struct batch_world *world = talk->world;
    if (talk->row && outcome->error.code != MOOT_ECANCELED && outcome->error.code != MOOT_EOUTAGE)
        talk->row->has_ended = true;
    if (world->is_verbose)
        printf("%10.6f %s done: %s %s\n", (double)moot__sim_now_ns(world->sim) / 1e9,
               talk->row ? talk->row->id : "?",
               outcome->error.code ? moot_error_name(outcome->error.code) : "OK",
               outcome->error.message);
    talk->options.on_done(conversation, outcome, talk->options.data);
    moot__free(NULL, talk);
}

static int begin_talk(struct moot_engine *engine, const struct moot_conversation_options *options,
                      struct moot_conversation **out)
{
    struct talk *talk = moot__calloc(NULL, 1, sizeof *talk);
    if (!talk)
        return MOOT_ENOMEM;
    talk->world = engine->log_context;
    talk->options = *options;
    talk->row = batch_row_of(talk->world, options->name);
    struct moot_conversation_options seen = *options;
    seen.events |= MOOT_EVENT_BIT(MOOT_EVENT_AGENT_BEGAN);
    seen.on_event = on_event;
    seen.on_done = on_done;
    seen.data = talk;
    int rc = moot_conversation_begin(engine, &seen, out);
    if (rc != MOOT_OK)
        moot__free(NULL, talk);
    return rc;
}

/* ---- rows in, lines out ---- */

static int next_row(struct moot_row_source *source, struct moot_row **out)
{
    struct batch_process *process = moot__container_of(source, struct batch_process, source);
    int rc;
    do
        rc = moot__input_read(&process->input, out);
    while (rc == MOOT_OK && !*out);
    process->input_ended = process->input_ended || rc == MOOT_ENOTFOUND;
    return rc;
}

/* ---- syncs ---- */

static struct batch_process *process_of(struct moot_syncer *syncer)
{
    return moot__container_of(syncer, struct batch_process, sync.syncer);
}

/* In the transport's work, while the loops go on. */
static void run_sync(struct moot_work *work)
{
    struct batch_process *process = moot__container_of(work, struct batch_process, sync.work);
    process->sync.error =
        moot__syncer_run(process->journal.disk, process->sync.handles, &process->sync.failed);
    if (process->sync.error != MOOT_OK)
        process->world->syncs_failed++;
}

static void on_synced(struct moot_work *work)
{
    struct batch_process *process = moot__container_of(work, struct batch_process, sync.work);
    if (work->status == MOOT_ECANCELED)
        run_sync(work);
    process->sync.is_busy = false;
}

static bool submit_sync(struct moot_syncer *syncer, const int handles[MOOT_JOURNAL_LOGS])
{
    struct batch_process *process = process_of(syncer);
    assert(!process->sync.is_busy);
    memcpy(process->sync.handles, handles, sizeof process->sync.handles);
    process->sync.work = (struct moot_work){.run = run_sync, .done = on_synced};
    process->sync.is_busy = moot__work_submit(process->loops[0].host, &process->sync.work) == 0;
    assert(process->sync.is_busy);
    return true;
}

static bool is_sync_busy(struct moot_syncer *syncer)
{
    return process_of(syncer)->sync.is_busy;
}

static int sync_error(struct moot_syncer *syncer, enum moot_journal_log *log)
{
    struct batch_process *process = process_of(syncer);
    *log = process->sync.failed;
    return process->sync.is_busy ? MOOT_OK : process->sync.error;
}

/* Whoever stops it has waited until it was not busy. */
static void stop_syncs(struct moot_syncer *syncer)
{
    assert(!process_of(syncer)->sync.is_busy);
    moot__ignore(syncer == NULL);
}

static const struct moot_syncer_ops syncer_ops = {
    .submit = submit_sync, .is_busy = is_sync_busy, .error = sync_error, .stop = stop_syncs};

/* ---- lines out ---- */

static void wake_feeders(struct batch_process *process)
{
    for (unsigned i = 0; i < process->world->plan.loops; i++)
        if (process->loops[i].has_feeder && !process->loops[i].is_done)
            moot__task_post(process->loops[i].host, &process->loops[i].pump);
}

static void note_written(struct batch_world *world)
{
    for (unsigned i = 0; i < world->plan.rows; i++) {
        struct batch_row *row = &world->rows[i];
        row->is_written = row->is_written || row->has_ended;
        for (unsigned role = 0; role + 1 < world->plan.roles; role++)
            if (row->turns[role].is_finished)
                row->turns[role].is_written = true;
    }
}

/* What has been put is in the files, when nothing waits to be written. */
void batch_process_end_turn(struct batch_process *process)
{
    struct batch_world *world = process->world;
    if (!process->is_open || moot__disk_sim_is_dead(world->disk))
        return;
    if (process->writer.synced.unwritten == 0 && process->journal.error == MOOT_OK)
        note_written(world);
}

static int write_lines(void *data)
{
    struct batch_process *process = data;
    int rc = moot__writer_flush(&process->writer);
    if (rc != MOOT_OK)
        wake_feeders(process);
    return rc;
}

/* ---- the beginning ---- */

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "WORLD_KEY") == 0 ? "the-key" : NULL;
}

static void on_log(void *context, enum moot_log_level level, struct moot_view message)
{
    struct batch_world *world = context;
    if (world->is_verbose)
        printf("%10.6f log %d: %.*s\n", (double)moot__sim_now_ns(world->sim) / 1e9, (int)level,
               (int)message.len, message.ptr);
}

static void run_pump(struct moot_task *task)
{
    moot__feeder_pump(&moot__container_of(task, struct batch_loop, pump)->feeder);
}

static void on_tick(struct moot_timer *timer)
{
    struct batch_loop *loop = moot__container_of(timer, struct batch_loop, tick);
    moot__timer_start(loop->host, timer,
                      moot__now_ns(loop->host) + loop->process->world->plan.tick_ns);
    if (loop == &loop->process->loops[0])
        moot__writer_tick(&loop->process->writer, moot__now_ns(loop->host));
    moot__feeder_pump(&loop->feeder);
}

static void on_feeder_done(void *data)
{
    struct batch_loop *loop = data;
    loop->is_done = true;
}

static int start_loop(struct batch_process *process, struct batch_loop *loop)
{
    struct batch_world *world = process->world;
    const struct moot_engine_options options = {
        .size = sizeof options,
        .allocator = &world->memory.allocator,
        .plan = process->plan,
        .budget = process->budget,
        .log = on_log,
        .log_context = world,
    };
    int rc = moot__engine_new_on(loop->host, &options, &loop->engine, &process->info);
    if (rc != MOOT_OK)
        return rc;
    const struct moot_feeder_options feeder = {
        .allocator = &world->memory.allocator,
        .engine = {begin_talk, moot_conversation_cancel, moot__conversation_has_called,
                   moot__conversation_is_held_up, loop->engine},
        .source = &process->source,
        .sink = &process->writer.sink,
        .tally = &process->tally,
        .in_flight_max = world->plan.in_flight_max,
        .outage_max_ns = 24 * 3600 * MOOT_NS_PER_S, /* they heal: nobody gives up before */
        .steps = world->plan.roles,
        .stream = world->plan.is_streamed,
        .row_timeout_ns = world->plan.row_timeout_ns,
        .on_done = on_feeder_done,
        .data = loop,
    };
    moot__engine_before_send(loop->engine, write_lines, process);
    moot__feeder_init(&loop->feeder, &feeder);
    loop->has_feeder = true;
    moot__task_init(&loop->pump, run_pump);
    loop->tick.on_fire = on_tick;
    moot__task_post(loop->host, &loop->pump);
    moot__timer_start(loop->host, &loop->tick,
                      moot__now_ns(loop->host) + loop->process->world->plan.tick_ns);
    return MOOT_OK;
}

static int load_plan(struct batch_process *process)
{
    struct batch_world *world = process->world;
    char text[4096];
    uint16_t port = moot__emulator_server_address(world->server).port;
    int len = batch_write_config(world, port, text, sizeof text);
    const struct moot_plan_options options = {
        .size = sizeof options,
        .allocator = &world->memory.allocator,
        .path = "world.yaml",
        .text = moot__view(text, (size_t)len),
        .environment = environment,
    };
    int rc = moot_plan_load(&options, &process->plan, &process->info);
    if (rc == MOOT_OK)
        rc = moot_budget_new(&world->memory.allocator, process->plan, &process->budget);
    if (rc != MOOT_OK)
        batch_fail(world, "no plan: %s", process->info.message);
    return rc;
}

static int open_files(struct batch_process *process, const struct batch_run_plan *run)
{
    struct batch_world *world = process->world;
    char config[33];
    moot_plan_fingerprint(process->plan, config);
    const struct moot_disk *disk = moot__disk_sim_face(world->disk);
    const struct moot_journal_options journal = {
        .allocator = &world->memory.allocator,
        .disk = disk,
        .input_path = BATCH_INPUT,
        .output_path = BATCH_OUTPUT,
        .config = config,
        .wall_s = moot__wall_ns(process->loops[0].host) / MOOT_NS_PER_S,
        .fresh = run->is_fresh,
        .retry_failed = run->retry_failed,
    };
    const struct moot_input_options input = {
        .allocator = &world->memory.allocator,
        .disk = disk,
        .path = BATCH_INPUT,
        .resume = &process->resume,
    };
    const struct moot_tally_limits limits = {0};
    int rc = moot__tally_init(&process->tally, &limits);
    assert(rc == MOOT_OK);
    process->has_tally = process->has_input = true;
    rc = moot__input_open(&process->input, &input, &process->info);
    if (rc == MOOT_OK)
        rc = moot__journal_open(&process->journal, &journal, &process->resume, &process->info);
    process->is_open = rc == MOOT_OK;
    if (world->plan.compact_at_bytes > 0)
        process->journal.compact_at_bytes = world->plan.compact_at_bytes;
    return rc;
}

bool batch_process_begin(struct batch_process *process, const struct batch_run_plan *run)
{
    struct batch_world *world = process->world;
    process->source.next = next_row;
    process->sync.syncer.ops = &syncer_ops;
    process->status = MOOT_BATCH_ERROR;
    for (unsigned i = 0; i < world->plan.loops; i++) {
        struct batch_loop *loop = &process->loops[i];
        loop->process = process;
        int rc = moot__sim_host_new(world->sim, &world->memory.allocator, &loop->host);
        assert(rc == MOOT_OK);
        moot__ignore(rc);
    }
    int rc = load_plan(process);
    if (rc == MOOT_OK)
        rc = open_files(process, run);
    if (rc == MOOT_OK)
        rc = moot__writer_start(&process->writer, &process->journal, &process->sync.syncer);
    process->writer.sync_lines = world->plan.sync_lines;
    process->writer.sync_ns = world->plan.sync_ns;
    for (unsigned i = 0; i < world->plan.loops && rc == MOOT_OK; i++)
        rc = start_loop(process, &process->loops[i]);
    process->is_over = rc != MOOT_OK;
    return rc == MOOT_OK;
}

/* ---- the end ---- */

bool batch_process_is_through(const struct batch_process *process)
{
    bool is_through = true;
    for (unsigned i = 0; i < process->world->plan.loops; i++)
        is_through = is_through && process->loops[i].is_done;
    return is_through;
}

static enum moot_batch_status judge(struct batch_process *process)
{
    switch (moot__tally_stopped(&process->tally, &process->info)) {
    case MOOT_STOP_INTERRUPT:
        return MOOT_BATCH_INTERRUPTED;
    case MOOT_STOP_THRESHOLD:
        return MOOT_BATCH_THRESHOLD;
    case MOOT_STOP_ERROR:
        return MOOT_BATCH_ERROR;
    case MOOT_STOP_NONE:
        break;
    }
    return process->journal.totals.failed == 0 ? MOOT_BATCH_COMPLETE : MOOT_BATCH_SOME_FAILED;
}

void batch_process_finish(struct batch_process *process)
{
    struct batch_world *world = process->world;
    moot__writer_stop(&process->writer);
    if (process->journal.error == MOOT_OK)
        note_written(world);
    process->status = judge(process);
    bool is_complete =
        process->status == MOOT_BATCH_COMPLETE || process->status == MOOT_BATCH_SOME_FAILED;
    const struct moot_journal_ending ending = {
        .status = is_complete ? "completed" : "failed",
        .endpoint = "",
        .input_path = BATCH_INPUT,
        .input_hash = "",
        .wall_s = moot__wall_ns(process->loops[0].host) / MOOT_NS_PER_S,
        .complete = is_complete && process->input_ended,
    };
    if (moot__journal_finish(&process->journal, &ending) != MOOT_OK) {
        process->info = process->journal.info;
        process->status = MOOT_BATCH_ERROR;
    }
    process->is_over = true;
}

static void on_engine_closed(void *data)
{
    struct batch_loop *loop = data;
    loop->is_closed = true;
}

void batch_process_close(struct batch_process *process)
{
    for (unsigned i = 0; i < process->world->plan.loops; i++) {
        struct batch_loop *loop = &process->loops[i];
        loop->is_closed = !loop->engine;
        if (!loop->engine)
            continue;
        moot__timer_stop(loop->host, &loop->tick);
        moot__task_cancel(loop->host, &loop->pump);
        loop->engine->on_closed = on_engine_closed;
        loop->engine->on_closed_data = loop;
        moot__engine_close_here(loop->engine);
    }
}

static void on_host_closed(void *data)
{
    *(bool *)data = true;
}

bool batch_process_is_closed(const struct batch_process *process)
{
    bool is_closed = !process->sync.is_busy;
    for (unsigned i = 0; i < process->world->plan.loops; i++)
        is_closed = is_closed && process->loops[i].is_closed;
    return is_closed;
}

static bool are_hosts_closed(void *context)
{
    const struct batch_process *process = context;
    bool is_closed = true;
    for (unsigned i = 0; i < process->world->plan.loops; i++)
        is_closed = is_closed && process->loops[i].is_host_closed;
    return is_closed;
}

void batch_process_free(struct batch_process *process)
{
    struct batch_world *world = process->world;
    for (unsigned i = 0; i < world->plan.loops; i++) {
        struct batch_loop *loop = &process->loops[i];
        if (loop->has_feeder)
            moot__feeder_deinit(&loop->feeder);
        if (moot__sim_host_streams(loop->host))
            batch_fail(world, "%zu streams are left open", moot__sim_host_streams(loop->host));
        moot__sim_host_close(loop->host, on_host_closed, &loop->is_host_closed);
    }
    const struct moot_sim_bound bound = {.until_ns = MOOT_NEVER_NS, .steps = 1000 * 1000};
    if (!moot__sim_run_until(world->sim, are_hosts_closed, process, bound))
        batch_fail(world, "a host is not closed");
    if (process->has_input)
        moot__input_close(&process->input);
    moot__writer_stop(&process->writer);
    if (process->is_open)
        moot__journal_close(&process->journal);
    if (process->has_input)
        moot__resume_deinit(&process->resume);
    if (process->has_tally)
        moot__tally_deinit(&process->tally);
    moot_budget_unref(process->budget);
    moot_plan_unref(process->plan);
    if (moot__disk_sim_handles(world->disk) != 0)
        batch_fail(world, "%zu files are left open", moot__disk_sim_handles(world->disk));
    if (moot__failing_alloc_live(&world->memory) != 0)
        batch_fail(world, "%zu blocks of the process are left",
                   moot__failing_alloc_live(&world->memory));
}
