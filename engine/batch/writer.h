#ifndef MOOT_BATCH_WRITER_H
#define MOOT_BATCH_WRITER_H

/* The journal, shared by the engines of a run. Feeders put lines; what they have put in one turn of
 * a loop is written together, on that loop's thread, before anything more is sent: so a call whose
 * answer is known is never in doubt for longer than a turn, and nothing is asked while nothing can
 * be recorded. What is written is synced behind their backs, every second, or sooner when a
 * thousand lines wait. */
#include <pthread.h>

#include "feeder.h"
#include "journal.h"
#include "syncer.h"

struct moot_writer {
    struct moot_row_sink sink; /* the face to the feeders; any of their threads */
    bool is_running;
    struct moot_syncer *syncer;
    struct moot_sync_thread thread; /* it, when none was given */
    unsigned sync_lines;            /* that are enough for a sync */
    uint64_t sync_ns;               /* that they wait at most for one */
    uint64_t sync_at_ns; /* when the next is due; MOOT_NEVER_NS: nothing to sync. Of who ticks */
    struct {
        pthread_mutex_t mutex;
        struct moot_journal *journal;
        unsigned unwritten; /* lines since the last write */
        unsigned unsynced;  /* lines written since the last sync began */
    } synced;
};

/* `journal` is borrowed, and nobody else's until moot__writer_stop; so is `syncer`, NULL: a thread
 * of its own. MOOT_ENOMEM, MOOT_EIO (no thread). */
MOOT_NODISCARD int moot__writer_start(struct moot_writer *writer, struct moot_journal *journal,
                                      struct moot_syncer *syncer);

/* Until every line that was put is in the files. MOOT_OK, or the error that ended it, which stays.
 * Any thread; waits for the disk if it must. `writer` is a struct moot_writer, so that this may
 * stand before an engine's sending. */
int moot__writer_flush(void *writer);

/* Now and then, from one thread, which never waits for another's write: lines that no sending has
 * brought to the files, and syncs that are due. */
void moot__writer_tick(struct moot_writer *writer, uint64_t now_ns);

/* Write and sync all that waits. The journal is the caller's again. */
void moot__writer_stop(struct moot_writer *writer);

#endif
