/* One mutex orders the writes of all loops. It is held for the length of a write: should that take
 * long, the loops that want to send wait for it, which is what is asked of them. */
#include "writer.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"

enum {
    SYNC_LINES = 1000,
    SYNC_BUSY_NS = 10 * 1000 * 1000, /* ask again whether the last one is over */
};

#define SYNC_NS MOOT_NS_PER_S

static void lock(struct moot_writer *writer)
{
    int error = pthread_mutex_lock(&writer->synced.mutex);
    assert(error == 0);
    moot__ignore(error);
}

static void unlock(struct moot_writer *writer)
{
    pthread_mutex_unlock(&writer->synced.mutex);
}

static int put(struct moot_row_sink *sink, const struct moot_journal_entry *entry)
{
    struct moot_writer *writer = moot__container_of(sink, struct moot_writer, sink);
    lock(writer);
    int rc = moot__journal_append(writer->synced.journal, entry);
    writer->synced.unwritten++;
    unlock(writer);
    return rc;
}

static int status(struct moot_row_sink *sink)
{
    struct moot_writer *writer = moot__container_of(sink, struct moot_writer, sink);
    lock(writer);
    int rc = writer->synced.journal->error;
    unlock(writer);
    return rc;
}

/* Locked. */
static int flush(struct moot_writer *writer)
{
    if (writer->synced.unwritten == 0)
        return writer->synced.journal->error;
    writer->synced.unsynced += writer->synced.unwritten;
    writer->synced.unwritten = 0;
    return moot__journal_flush(writer->synced.journal);
}

int moot__writer_flush(void *data)
{
    struct moot_writer *writer = data;
    lock(writer);
    int rc = flush(writer);
    unlock(writer);
    return rc;
}

/* Locked. What the sync before met, which is known only now. */
static int last_sync(struct moot_writer *writer)
{
    enum moot_journal_log log;
    int error = writer->syncer->ops->error(writer->syncer, &log);
    if (error == MOOT_OK)
        return MOOT_OK;
    return moot__journal_fail_sync(writer->synced.journal, log, error);
}

/* Locked. */
static void begin_sync(struct moot_writer *writer)
{
    int fds[MOOT_JOURNAL_LOGS];
    int rc = moot__journal_begin_sync(writer->synced.journal, fds);
    if (rc == MOOT_EAGAIN) /* no descriptor is left for it */
        rc = moot__journal_sync(writer->synced.journal);
    else if (rc == MOOT_OK && !writer->syncer->ops->submit(writer->syncer, fds))
        moot__unreachable(); /* nobody else submits, and it was not busy */
    writer->synced.unsynced = 0;
}

/* Locked. */
static void keep_synced(struct moot_writer *writer, uint64_t now_ns)
{
    if (writer->synced.unsynced == 0)
        return;
    if (writer->sync_at_ns == MOOT_NEVER_NS)
        writer->sync_at_ns = now_ns + writer->sync_ns;
    if (writer->synced.unsynced < writer->sync_lines && now_ns < writer->sync_at_ns)
        return;
    if (writer->syncer->ops->is_busy(writer->syncer)) {
        writer->sync_at_ns = now_ns + SYNC_BUSY_NS;
        return;
    }
    begin_sync(writer);
    writer->sync_at_ns = MOOT_NEVER_NS;
}

void moot__writer_tick(struct moot_writer *writer, uint64_t now_ns)
{
    if (pthread_mutex_trylock(&writer->synced.mutex) != 0)
        return;
    if (last_sync(writer) == MOOT_OK && flush(writer) == MOOT_OK)
        keep_synced(writer, now_ns);
    unlock(writer);
}

int moot__writer_start(struct moot_writer *writer, struct moot_journal *journal,
                       struct moot_syncer *syncer)
{
    *writer = (struct moot_writer){
        .sink = {.put = put, .status = status},
        .sync_lines = SYNC_LINES,
        .sync_ns = SYNC_NS,
        .sync_at_ns = MOOT_NEVER_NS,
        .synced = {.journal = journal},
    };
    if (pthread_mutex_init(&writer->synced.mutex, NULL) != 0)
        return MOOT_ENOMEM;
    writer->syncer = syncer ? syncer : &writer->thread.syncer;
    int rc = syncer ? MOOT_OK : moot__sync_thread_start(&writer->thread, journal->disk);
    if (rc != MOOT_OK)
        pthread_mutex_destroy(&writer->synced.mutex);
    writer->is_running = rc == MOOT_OK;
    return rc;
}

void moot__writer_stop(struct moot_writer *writer)
{
    if (!writer->is_running)
        return;
    writer->syncer->ops->stop(writer->syncer);
    if (last_sync(writer) == MOOT_OK)
        moot__ignore(moot__journal_sync(writer->synced.journal)); /* the journal keeps the error */
    pthread_mutex_destroy(&writer->synced.mutex);
    writer->is_running = false;
}
