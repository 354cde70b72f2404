#include "writer.h"

#include <string.h>
#include <time.h>

#include "engine/base/check.h"
#include "engine/base/clock.h"

/* A line is written as soon as it comes, so that a killed run asks again only what was in flight.
 * Where thousands come a second, a wake and a write for each would cost more than the lines: then
 * the thread lets them gather for a moment. */
enum {
    WAITING_BYTES_MAX = 32 << 20,
    SYNC_LINES = 1000,
    SYNC_BUSY_NS = 10 * 1000 * 1000, /* ask again whether the last one is over */
    BUSY_WINDOW_NS = 10 * 1000 * 1000,
    BUSY_LINES = 50, /* that came in a window make the next one busy */
    GATHER_NS = 500 * 1000,
    GATHER_BYTES = 256 << 10,
    STALL_NS = 20 * 1000 * 1000, /* lines that wait longer hold new rows back */
};

#define SYNC_NS MOOT_NS_PER_S

struct waiting_line {
    struct moot_list node;
    struct moot_journal_entry entry; /* its line is `text` */
    char text[];
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * MOOT_NS_PER_S + (uint64_t)now.tv_nsec;
}

static int put(struct moot_row_sink *sink, const struct moot_journal_entry *entry)
{
    struct moot_writer *writer = moot__container_of(sink, struct moot_writer, sink);
    struct waiting_line *line = moot__alloc(writer->allocator, sizeof *line + entry->line.len);
    if (!line)
        return MOOT_ENOMEM;
    line->entry = *entry;
    line->entry.line.ptr = line->text;
    memcpy(line->text, entry->line.ptr, entry->line.len);
    moot__list_init(&line->node);
    pthread_mutex_lock(&writer->synced.mutex);
    int rc = writer->synced.error;
    if (rc == MOOT_OK) {
        bool is_first = moot__list_is_empty(&writer->synced.lines);
        if (is_first)
            writer->synced.oldest_ns = now_ns();
        bool was_enough = writer->synced.bytes >= GATHER_BYTES;
        moot__list_push_back(&writer->synced.lines, &line->node);
        writer->synced.bytes += entry->line.len;
        writer->synced.count++;
        if (is_first || (!was_enough && writer->synced.bytes >= GATHER_BYTES))
            pthread_cond_signal(&writer->synced.work);
    }
    pthread_mutex_unlock(&writer->synced.mutex);
    if (rc != MOOT_OK)
        moot__free(writer->allocator, line);
    return rc;
}

static int status(struct moot_row_sink *sink)
{
    struct moot_writer *writer = moot__container_of(sink, struct moot_writer, sink);
    pthread_mutex_lock(&writer->synced.mutex);
    int rc = writer->synced.error;
    /* While the disk stands still (in a sync, say) nothing new is asked: a kill would lose what
     * came back meanwhile, and it would be paid for twice. */
    bool is_stalled = !moot__list_is_empty(&writer->synced.lines) &&
                      now_ns() - writer->synced.oldest_ns > STALL_NS;
    if (rc == MOOT_OK && (is_stalled || writer->synced.bytes > WAITING_BYTES_MAX)) {
        writer->synced.full = true;
        rc = MOOT_EAGAIN;
    }
    pthread_mutex_unlock(&writer->synced.mutex);
    return rc;
}

/* Not 0 once it is that time. */
static int wait_until(struct moot_writer *writer, uint64_t until_ns)
{
    if (until_ns == MOOT_NEVER_NS)
        return pthread_cond_wait(&writer->synced.work, &writer->synced.mutex);
    struct timespec until = {.tv_sec = (time_t)(until_ns / MOOT_NS_PER_S),
                             .tv_nsec = (long)(until_ns % MOOT_NS_PER_S)};
    return pthread_cond_timedwait(&writer->synced.work, &writer->synced.mutex, &until);
}

/* A mean over a window: a burst that a slow machine hands over at once is no rush. */
static void keep_pace(struct moot_writer_pace *pace, uint64_t now, size_t lines)
{
    uint64_t took_ns = now - pace->window_ns;
    pace->lines += lines;
    if (took_ns < BUSY_WINDOW_NS)
        return;
    pace->is_busy = pace->lines >= BUSY_LINES * (took_ns / BUSY_WINDOW_NS);
    pace->window_ns = now;
    pace->lines = 0;
}

/* Everything that waits, or nothing at the time of the next sync. False: stop, nothing waits. */
static bool take_lines(struct moot_writer *writer, uint64_t until_ns, struct moot_list *lines)
{
    pthread_mutex_lock(&writer->synced.mutex);
    int error = 0;
    while (moot__list_is_empty(&writer->synced.lines) && !writer->synced.stop && error == 0)
        error = wait_until(writer, until_ns);
    uint64_t woken_ns = now_ns();
    error = 0;
    while (writer->pace.is_busy && !moot__list_is_empty(&writer->synced.lines) &&
           !writer->synced.stop && writer->synced.bytes < GATHER_BYTES && error == 0)
        error = wait_until(writer, woken_ns + GATHER_NS);
    keep_pace(&writer->pace, woken_ns, writer->synced.count);
    bool go_on = !writer->synced.stop || !moot__list_is_empty(&writer->synced.lines);
    moot__list_splice(lines, &writer->synced.lines);
    writer->synced.bytes = writer->synced.count = 0;
    bool was_full = writer->synced.full;
    writer->synced.full = false;
    pthread_mutex_unlock(&writer->synced.mutex);
    if (was_full)
        writer->on_room(writer->data);
    return go_on;
}

static void tell_error(struct moot_writer *writer, int rc)
{
    pthread_mutex_lock(&writer->synced.mutex);
    bool is_first = writer->synced.error == MOOT_OK;
    writer->synced.error = rc;
    pthread_mutex_unlock(&writer->synced.mutex);
    if (is_first)
        writer->on_room(writer->data);
}

static int append_lines(struct moot_writer *writer, struct moot_list *lines)
{
    struct moot_list *node;
    int rc = MOOT_OK;
    while ((node = moot__list_pop_front(lines))) {
        struct waiting_line *line = moot__list_entry(node, struct waiting_line, node);
        if (rc == MOOT_OK)
            rc = moot__journal_append(writer->journal, &line->entry);
        moot__free(writer->allocator, line);
        writer->unsynced++;
    }
    return rc == MOOT_OK ? moot__journal_flush(writer->journal) : rc;
}

/* What the sync before met, which is known only now. */
static int last_sync(struct moot_writer *writer)
{
    enum moot_journal_log log;
    int error = moot__syncer_error(&writer->syncer, &log);
    return error == MOOT_OK ? MOOT_OK : moot__journal_fail_sync(writer->journal, log, error);
}

static int begin_sync(struct moot_writer *writer)
{
    int fds[MOOT_JOURNAL_LOGS];
    int rc = moot__journal_begin_sync(writer->journal, fds);
    if (rc == MOOT_EAGAIN)
        return moot__journal_sync(writer->journal);
    if (rc != MOOT_OK)
        return rc;
    bool is_taken = moot__syncer_submit(&writer->syncer, fds);
    assert(is_taken); /* nobody else submits, and it was not busy */
    moot__ignore(is_taken);
    return MOOT_OK;
}

/* Begin a sync if one is due and none is under way; lines go on being written meanwhile. */
static int keep_synced(struct moot_writer *writer)
{
    int rc = last_sync(writer);
    if (rc != MOOT_OK || writer->unsynced == 0)
        return rc;
    uint64_t now = now_ns();
    if (writer->sync_at_ns == MOOT_NEVER_NS)
        writer->sync_at_ns = now + SYNC_NS;
    if (writer->unsynced < SYNC_LINES && now < writer->sync_at_ns)
        return MOOT_OK;
    if (moot__syncer_is_busy(&writer->syncer)) {
        writer->sync_at_ns = now + SYNC_BUSY_NS;
        return MOOT_OK;
    }
    rc = begin_sync(writer);
    writer->unsynced = 0;
    writer->sync_at_ns = MOOT_NEVER_NS;
    return rc;
}

static void *write_lines(void *data)
{
    struct moot_writer *writer = data;
    struct moot_list lines;
    moot__list_init(&lines);
    while (take_lines(writer, writer->sync_at_ns, &lines)) {
        int rc = append_lines(writer, &lines);
        if (rc == MOOT_OK)
            rc = keep_synced(writer);
        if (rc == MOOT_OK)
            continue;
        tell_error(writer, rc);
        writer->unsynced = 0;
        writer->sync_at_ns = MOOT_NEVER_NS;
    }
    moot__syncer_stop(&writer->syncer);
    int rc = last_sync(writer);
    if (rc == MOOT_OK)
        rc = moot__journal_sync(writer->journal);
    if (rc != MOOT_OK)
        tell_error(writer, rc);
    return NULL;
}

int moot__writer_start(struct moot_writer *writer, const struct moot_allocator *allocator,
                       struct moot_journal *journal, void (*on_room)(void *data), void *data)
{
    *writer = (struct moot_writer){.sink = {.put = put, .status = status},
                                   .allocator = allocator,
                                   .journal = journal,
                                   .on_room = on_room,
                                   .data = data,
                                   .sync_at_ns = MOOT_NEVER_NS};
    moot__list_init(&writer->synced.lines);
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0)
        return MOOT_ENOMEM;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    bool failed = pthread_cond_init(&writer->synced.work, &monotonic) != 0;
    pthread_condattr_destroy(&monotonic);
    if (failed)
        return MOOT_ENOMEM;
    int rc = MOOT_ENOMEM;
    if (pthread_mutex_init(&writer->synced.mutex, NULL) != 0)
        goto no_mutex;
    rc = moot__syncer_start(&writer->syncer, journal->disk);
    if (rc != MOOT_OK)
        goto no_syncer;
    rc = MOOT_EIO;
    if (pthread_create(&writer->thread, NULL, write_lines, writer) != 0)
        goto no_thread;
    writer->is_running = true;
    return MOOT_OK;
no_thread:
    moot__syncer_stop(&writer->syncer);
no_syncer:
    pthread_mutex_destroy(&writer->synced.mutex);
no_mutex:
    pthread_cond_destroy(&writer->synced.work);
    return rc;
}

void moot__writer_stop(struct moot_writer *writer)
{
    if (!writer->is_running)
        return;
    pthread_mutex_lock(&writer->synced.mutex);
    writer->synced.stop = true;
    pthread_cond_signal(&writer->synced.work);
    pthread_mutex_unlock(&writer->synced.mutex);
    pthread_join(writer->thread, NULL);
    assert(moot__list_is_empty(&writer->synced.lines));
    pthread_cond_destroy(&writer->synced.work);
    pthread_mutex_destroy(&writer->synced.mutex);
    writer->is_running = false;
}
