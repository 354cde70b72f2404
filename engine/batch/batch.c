/* A run: a reader's thread, engines on theirs, one that syncs, and the caller's, which waits, tells
 * progress and closes everything in order.
 *
 *   input ──rows──► feeder on engine 1..n ──lines──► writer ──► journal
 *                        └──────── tally ────────┘
 *
 * Strict order: before an engine sends a call, every line that its feeder has put is in the files.
 *
 * All threads wake the caller's through a pipe, which a signal handler may write to as well. On
 * every wake, and ten times a second, the caller's thread pumps the feeders that are not done: so a
 * stop that one engine caused reaches the others, and a wake that had no memory is made up for. It
 * also ticks the writer. */
#include <moot/batch.h>
#include <moot/engine.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/config.h"
#include "engine/conversation.h"
#include "engine/engine.h"
#include "engine/preview.h"
#include "feeder.h"
#include "input.h"
#include "journal.h"
#include "outlook.h"
#include "writer.h"

enum {
    LOOPS_MAX = 64,
    IN_FLIGHT_AUTO = 2048, /* open conversations a loop; the budget says how many of them call */
    TICK_MS = 100,
};

#define STARVED_NS_MAX (1 * MOOT_NS_PER_S)
#define OUTAGE_MAX_NS  (30 * 60 * MOOT_NS_PER_S)

/* One engine and its feeder. */
struct batch_loop {
    struct moot_batch *batch;
    struct moot_engine *engine;
    struct moot_feeder feeder;
    bool has_feeder;
    atomic_bool is_posted; /* a pump is under way */
    atomic_bool is_done;
};

struct moot_batch {
    const struct moot_allocator *allocator;
    struct moot_batch_options options; /* texts are copies */
    char *input_path, *output_path, *ca_file;
    int wake_fds[2];
    atomic_uint interrupts;
    struct moot_tally tally;
    struct moot_journal journal;
    struct moot_resume resume;
    struct moot_input input;
    struct moot_writer writer;
    struct batch_loop *loops;
    unsigned loop_count;
    bool is_begun; /* run was called */
    atomic_bool has_input, has_budget;
    _Atomic uint64_t began_ns;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        unsigned open_engines;
    } synced;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * MOOT_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Async-signal-safe. A full pipe wakes as well. */
static void wake(struct moot_batch *batch)
{
    int error = errno;
    moot__ignore(write(batch->wake_fds[1], "", 1) < 0);
    errno = error;
}

static void wake_from_thread(void *data)
{
    wake(data);
}

static int check_options(const struct moot_batch_options *options, struct moot_error_info *info)
{
    const char *what = NULL;
    if (!options || options->size != sizeof *options)
        what = "size is not that of the options of this version";
    else if (!options->plan || !options->input_path || !options->output_path)
        what = "plan, input_path and output_path are required";
    else if (strcmp(options->output_path, "-") == 0)
        what = "the output is its own journal, so it must be a file";
    else if (options->loops > LOOPS_MAX)
        what = "more than 64 loops";
    else if (options->shards > 0 ? options->shard >= options->shards : options->shard > 0)
        what = "shard must be below shards";
    else if (options->cost_max < 0 || options->errors_percent_max < 0)
        what = "a limit is negative";
    return what ? moot__fail(info, MOOT_EINVAL, MOOT_PHASE_NONE, "%s", what) : MOOT_OK;
}

static bool copy_text(struct moot_batch *batch, const char *text, char **out)
{
    *out = text ? moot__strdup(batch->allocator, moot__view_str(text)) : NULL;
    return *out || !text;
}

static int open_pipe(int fds[2])
{
    if (pipe(fds) != 0)
        return MOOT_EIO;
    for (unsigned i = 0; i < 2; i++)
        if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) != 0 || fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0) {
            close(fds[0]);
            close(fds[1]);
            return MOOT_EIO;
        }
    return MOOT_OK;
}

static struct moot_tally_limits limits_of(const struct moot_batch_options *options)
{
    return (struct moot_tally_limits){
        .has_errors_max = options->has_errors_max,
        .errors_max = options->errors_max,
        .errors_percent_max = options->errors_percent_max,
        .cost_max = options->cost_max,
    };
}

int moot_batch_new(const struct moot_batch_options *options, struct moot_batch **out,
                   struct moot_error_info *info)
{
    *out = NULL;
    int rc = check_options(options, info);
    if (rc != MOOT_OK)
        return rc;
    struct moot_batch *batch = moot__calloc(options->allocator, 1, sizeof *batch);
    if (!batch)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "no memory");
    batch->allocator = options->allocator;
    batch->options = *options;
    batch->loop_count = options->loops ? options->loops : 1;
    if (options->concurrency > 0 && batch->loop_count > options->concurrency)
        batch->loop_count = options->concurrency;
    struct moot_tally_limits limits = limits_of(options);
    rc = moot__tally_init(&batch->tally, &limits);
    if (rc != MOOT_OK)
        goto free_batch;
    rc = MOOT_ENOMEM;
    if (pthread_mutex_init(&batch->synced.mutex, NULL) != 0)
        goto deinit_tally;
    if (pthread_cond_init(&batch->synced.changed, NULL) != 0)
        goto destroy_mutex;
    rc = open_pipe(batch->wake_fds);
    if (rc != MOOT_OK)
        goto destroy_cond;
    batch->options.plan = moot_plan_ref(options->plan);
    batch->options.budget = options->budget ? moot_budget_ref(options->budget) : NULL;
    batch->loops = moot__calloc(batch->allocator, batch->loop_count, sizeof *batch->loops);
    if (batch->loops && copy_text(batch, options->input_path, &batch->input_path) &&
        copy_text(batch, options->output_path, &batch->output_path) &&
        copy_text(batch, options->ca_file, &batch->ca_file)) {
        *out = batch;
        return MOOT_OK;
    }
    moot_batch_free(batch);
    return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "no memory");

destroy_cond:
    pthread_cond_destroy(&batch->synced.changed);
destroy_mutex:
    pthread_mutex_destroy(&batch->synced.mutex);
deinit_tally:
    moot__tally_deinit(&batch->tally);
free_batch:
    moot__free(options->allocator, batch);
    return moot__fail(info, rc, MOOT_PHASE_NONE, "%s", moot_error_text(rc));
}

void moot_batch_free(struct moot_batch *batch)
{
    if (!batch)
        return;
    if (batch->is_begun)
        moot__input_close(&batch->input);
    close(batch->wake_fds[0]);
    close(batch->wake_fds[1]);
    pthread_cond_destroy(&batch->synced.changed);
    pthread_mutex_destroy(&batch->synced.mutex);
    moot__tally_deinit(&batch->tally);
    moot_plan_unref(batch->options.plan);
    moot_budget_unref(batch->options.budget);
    moot__free(batch->allocator, batch->input_path);
    moot__free(batch->allocator, batch->output_path);
    moot__free(batch->allocator, batch->ca_file);
    moot__free(batch->allocator, batch->loops);
    moot__free(batch->allocator, batch);
}

void moot_batch_interrupt(struct moot_batch *batch)
{
    atomic_fetch_add(&batch->interrupts, 1);
    wake(batch);
}

void moot_batch_progress(struct moot_batch *batch, struct moot_batch_progress *out)
{
    moot__tally_counts(&batch->tally, out);
    uint64_t began_ns = atomic_load(&batch->began_ns);
    if (began_ns != 0)
        out->elapsed_ns = now_ns() - began_ns;
    if (!atomic_load(&batch->has_input))
        return;
    struct moot_input_state state;
    moot__input_state(&batch->input, &state);
    out->rows_known = state.rows_known;
    out->rows_total = state.rows_total;
    uint64_t ended = out->rows_succeeded + out->rows_failed;
    uint64_t left = moot__ns_until(state.rows_known + ended, state.rows_total);
    if (ended > 0)
        out->remaining_ns = (uint64_t)((double)out->elapsed_ns / (double)ended * (double)left);
    if (atomic_load(&batch->has_budget))
        moot__batch_outlook(batch->options.plan, batch->options.budget, now_ns(), left, out);
}

/* On the engine's thread. */
static void pump(struct moot_engine *engine, void *data)
{
    struct batch_loop *loop = data;
    moot__ignore(engine);
    atomic_store(&loop->is_posted, false);
    moot__feeder_pump(&loop->feeder);
}

/* False: there was no memory to reach one of them. */
static bool pump_all(struct moot_batch *batch)
{
    bool reached = true;
    for (unsigned i = 0; i < batch->loop_count; i++) {
        struct batch_loop *loop = &batch->loops[i];
        if (!loop->engine || atomic_load(&loop->is_done) || atomic_exchange(&loop->is_posted, true))
            continue;
        if (moot_engine_post(loop->engine, pump, loop) != MOOT_OK) {
            atomic_store(&loop->is_posted, false); /* the next tick tries again */
            reached = false;
        }
    }
    return reached;
}

static void on_feeder_done(void *data)
{
    struct batch_loop *loop = data;
    atomic_store(&loop->is_done, true);
    wake(loop->batch);
}

/* The engine's last act. Once the lock is given back the batch may be gone. */
static void on_engine_closed(void *data)
{
    struct moot_batch *batch = ((struct batch_loop *)data)->batch;
    pthread_mutex_lock(&batch->synced.mutex);
    batch->synced.open_engines--;
    pthread_cond_signal(&batch->synced.changed);
    pthread_mutex_unlock(&batch->synced.mutex);
}

/* On the engine's thread. An error is found by the feeders, when they are pumped. */
static int write_lines(void *data)
{
    struct moot_batch *batch = data;
    int rc = moot__writer_flush(&batch->writer);
    if (rc != MOOT_OK)
        wake(batch);
    return rc;
}

/* The share of one loop of `total`, so that the shares add up to it. */
static unsigned share(unsigned total, unsigned count, unsigned index)
{
    return total / count + (index < total % count);
}

/* On the engine's thread. */
static double cost_most(const struct moot_row *row, const void *data)
{
    const struct moot_batch *batch = data;
    const struct moot_question question = {row->messages, row->message_count, row->params};
    return row->error.code == MOOT_OK
               ? moot__preview_cost(batch->options.plan, batch->allocator, &question)
               : 0;
}

static int start_loop(struct moot_batch *batch, unsigned index, struct moot_error_info *info)
{
    struct batch_loop *loop = &batch->loops[index];
    const struct moot_batch_options *options = &batch->options;
    unsigned concurrency =
        options->concurrency ? share(options->concurrency, batch->loop_count, index) : 0;
    loop->batch = batch;
    struct moot_engine_options engine = {
        .size = sizeof engine,
        .allocator = batch->allocator,
        .plan = options->plan,
        .budget = options->budget,
        .mode = MOOT_ENGINE_THREAD,
        .ca_file = batch->ca_file,
        .concurrency = concurrency,
        .trace = options->trace,
    };
    int rc = moot_engine_new(&engine, &loop->engine, info);
    if (rc != MOOT_OK)
        return rc;
    batch->synced.open_engines++; /* nothing closes yet, so nobody else looks */
    moot__engine_before_send(loop->engine, write_lines, batch);
    struct moot_feeder_options feeder = {
        .allocator = batch->allocator,
        .engine = {moot_conversation_begin, moot_conversation_cancel, moot__conversation_has_called,
                   moot__conversation_is_held_up, loop->engine},
        .source = &batch->input.source,
        .sink = &batch->writer.sink,
        .tally = &batch->tally,
        .in_flight_max = concurrency ? concurrency : IN_FLIGHT_AUTO,
        .steps = (unsigned)options->plan->flow.count,
        .stream = options->stream,
        .row_timeout_ns = options->row_timeout_ns,
        .outage_max_ns = options->outage_max_ns ? options->outage_max_ns : OUTAGE_MAX_NS,
        .cost_most = options->cost_max > 0 ? cost_most : NULL,
        .cost_data = batch,
        .on_done = on_feeder_done,
        .data = loop,
    };
    moot__feeder_init(&loop->feeder, &feeder);
    loop->has_feeder = true;
    return MOOT_OK;
}

static int open_files(struct moot_batch *batch, struct moot_error_info *info)
{
    char config[33];
    moot_plan_fingerprint(batch->options.plan, config);
    struct moot_journal_options journal = {
        .allocator = batch->allocator,
        .input_path = batch->input_path,
        .output_path = batch->output_path,
        .config = config,
        .wall_s = (uint64_t)time(NULL),
        .fresh = batch->options.fresh,
        .retry_failed = batch->options.retry_failed,
        .allow_changes = batch->options.allow_changes,
    };
    struct moot_input_options input = {
        .allocator = batch->allocator,
        .path = batch->input_path,
        .rows_max = batch->options.rows_max,
        .shard = batch->options.shard,
        .shards = batch->options.shards,
        .resume = &batch->resume,
        .on_ready = wake_from_thread,
        .data = batch,
    };
    int rc = moot__input_open(&batch->input, &input, info);
    if (rc == MOOT_OK)
        rc = moot__journal_open(&batch->journal, &journal, &batch->resume, info);
    if (rc == MOOT_OK)
        moot__tally_earlier_cost(&batch->tally, batch->journal.totals.cost);
    return rc;
}

static int start_threads(struct moot_batch *batch, struct moot_error_info *info)
{
    struct moot_budget *budget = NULL;
    int rc = MOOT_OK;
    if (!batch->options.budget)
        rc = moot_budget_new_with(batch->allocator, batch->options.plan, NULL, &budget, info);
    if (budget)
        batch->options.budget = budget;
    atomic_store(&batch->has_budget, rc == MOOT_OK);
    if (rc != MOOT_OK)
        return rc;
    rc = moot__writer_start(&batch->writer, &batch->journal, NULL);
    if (rc == MOOT_OK)
        rc = moot__input_start(&batch->input);
    if (rc != MOOT_OK)
        return moot__fail(info, rc, MOOT_PHASE_NONE, "the run cannot start: %s",
                          moot_error_text(rc));
    for (unsigned i = 0; i < batch->loop_count && rc == MOOT_OK; i++)
        rc = start_loop(batch, i, info);
    return rc;
}

/* Sleep until woken, at most a tick. */
static void doze(struct moot_batch *batch)
{
    char bytes[64];
    struct pollfd woken = {.fd = batch->wake_fds[0], .events = POLLIN};
    if (poll(&woken, 1, TICK_MS) > 0)
        while (read(batch->wake_fds[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes)
            ;
}

static bool all_done(struct moot_batch *batch)
{
    bool done = true;
    for (unsigned i = 0; i < batch->loop_count; i++)
        done = done && atomic_load(&batch->loops[i].is_done);
    return done;
}

static void tell_progress(struct moot_batch *batch)
{
    struct moot_batch_progress progress;
    if (!batch->options.on_progress)
        return;
    moot_batch_progress(batch, &progress);
    batch->options.on_progress(batch->options.progress_context, &progress);
}

/* Without memory for so long the engines, which nobody can tell anything, are closed as they are:
 * that needs none. The run can be resumed. */
static bool is_starved(struct moot_batch *batch, bool reached, uint64_t *since_ns)
{
    if (reached)
        *since_ns = 0;
    else if (*since_ns == 0)
        *since_ns = now_ns();
    if (reached || now_ns() - *since_ns < STARVED_NS_MAX)
        return false;
    struct moot_error_info info;
    moot__fail(&info, MOOT_ENOMEM, MOOT_PHASE_NONE, "no memory to go on with");
    moot__tally_stop(&batch->tally, MOOT_STOP_ERROR, &info);
    return true;
}

static void wait_for_rows(struct moot_batch *batch)
{
    uint64_t starved_since_ns = 0;
    uint64_t interval_ns = batch->options.progress_interval_ns;
    uint64_t told_ns = now_ns();
    if (interval_ns == 0)
        interval_ns = MOOT_NS_PER_S;
    while (!all_done(batch)) {
        unsigned interrupts = atomic_load(&batch->interrupts);
        if (interrupts > 0)
            moot__tally_stop(&batch->tally, MOOT_STOP_INTERRUPT, NULL);
        if (interrupts > 1)
            moot__tally_cancel(&batch->tally);
        if (is_starved(batch, pump_all(batch), &starved_since_ns))
            return;
        doze(batch);
        uint64_t now = now_ns();
        moot__writer_tick(&batch->writer, now);
        if (now - told_ns < interval_ns)
            continue;
        told_ns = now;
        tell_progress(batch);
    }
}

static void close_loops(struct moot_batch *batch)
{
    for (unsigned i = 0; i < batch->loop_count; i++)
        if (batch->loops[i].engine)
            moot_engine_close(batch->loops[i].engine, on_engine_closed, &batch->loops[i]);
    pthread_mutex_lock(&batch->synced.mutex);
    while (batch->synced.open_engines > 0)
        pthread_cond_wait(&batch->synced.changed, &batch->synced.mutex);
    pthread_mutex_unlock(&batch->synced.mutex);
    for (unsigned i = 0; i < batch->loop_count; i++) {
        batch->loops[i].engine = NULL;
        if (batch->loops[i].has_feeder)
            moot__feeder_deinit(&batch->loops[i].feeder);
    }
}

/* How it ended, when it ended by itself. */
static enum moot_batch_status judge(struct moot_batch *batch, struct moot_error_info *info)
{
    switch (moot__tally_stopped(&batch->tally, info)) {
    case MOOT_STOP_INTERRUPT:
        return MOOT_BATCH_INTERRUPTED;
    case MOOT_STOP_THRESHOLD:
        return MOOT_BATCH_THRESHOLD;
    case MOOT_STOP_ERROR:
        return MOOT_BATCH_ERROR;
    case MOOT_STOP_NONE:
        break;
    }
    uint64_t failed = batch->journal.totals.failed;
    if (failed == 0)
        return MOOT_BATCH_COMPLETE;
    moot__fail(info, MOOT_OK, MOOT_PHASE_NONE,
               "%" PRIu64 " rows failed; %s says why, --retry-failed asks them again", failed,
               batch->journal.paths[MOOT_PATH_ERRORS]);
    return MOOT_BATCH_SOME_FAILED;
}

static void finish(struct moot_batch *batch, enum moot_batch_status *status,
                   struct moot_error_info *info)
{
    struct moot_batch_progress progress;
    struct moot_input_state state;
    moot__input_state(&batch->input, &state);
    moot_batch_progress(batch, &progress);
    bool complete = *status == MOOT_BATCH_COMPLETE || *status == MOOT_BATCH_SOME_FAILED;
    struct moot_journal_ending ending = {
        .status = complete                      ? "completed"
                  : *status == MOOT_BATCH_ERROR ? "failed"
                                                : "cancelled",
        .endpoint = batch->input.dialect ? moot__row_dialect_endpoint(batch->input.dialect) : "",
        .input_path = batch->input_path,
        .input_hash = state.hash,
        .wall_s = (uint64_t)time(NULL),
        .took_ns = progress.elapsed_ns,
        .throttled = progress.throttled,
        .complete = complete && state.ended,
    };
    if (moot__journal_finish(&batch->journal, &ending) != MOOT_OK) {
        *info = batch->journal.info;
        *status = MOOT_BATCH_ERROR;
    } else if (*status == MOOT_BATCH_ERROR && state.error != MOOT_OK) {
        *info = state.info;
    }
}

enum moot_batch_status moot_batch_run(struct moot_batch *batch, struct moot_error_info *info)
{
    struct moot_error_info ignored;
    info = info ? info : &ignored;
    *info = (struct moot_error_info){0};
    enum moot_batch_status status = MOOT_BATCH_ERROR;
    assert(!batch->is_begun && "a batch runs once");
    batch->is_begun = true;
    atomic_store(&batch->began_ns, now_ns());
    int rc = open_files(batch, info);
    bool is_open = rc == MOOT_OK;
    if (is_open) {
        atomic_store(&batch->has_input, true);
        rc = start_threads(batch, info);
    }
    if (rc == MOOT_OK)
        wait_for_rows(batch);
    close_loops(batch);
    moot__writer_stop(&batch->writer);
    if (rc == MOOT_OK) {
        status = judge(batch, info);
        finish(batch, &status, info);
        tell_progress(batch);
    }
    moot__input_stop(&batch->input);
    if (is_open)
        moot__journal_close(&batch->journal);
    moot__resume_deinit(&batch->resume);
    return status;
}
