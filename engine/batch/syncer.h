#ifndef MOOT_BATCH_SYNCER_H
#define MOOT_BATCH_SYNCER_H

/* fdatasync behind the back of who writes. A sync may take as long as the disk likes, and lines
 * that wait behind it would be lost by a kill, and paid for twice. One at a time: who asks while
 * one is under way asks again later. The real one is a thread; a simulation has its own. */
#include <pthread.h>
#include <stdbool.h>

#include "journal.h"

struct moot_syncer;

struct moot_syncer_ops {
    /* Sync these handles, which are the syncer's from here; -1 is passed over. False: one is under
     * way, and they are still the caller's. */
    bool (*submit)(struct moot_syncer *syncer, const int fds[MOOT_JOURNAL_LOGS]);
    bool (*is_busy)(struct moot_syncer *syncer);
    /* MOOT_OK, or the first error that a sync met; `log` says in which file. Also after stop. */
    int (*error)(struct moot_syncer *syncer, enum moot_journal_log *log);
    void (*stop)(struct moot_syncer *syncer); /* what is under way is over then */
};

struct moot_syncer {
    const struct moot_syncer_ops *ops;
};

/* What every syncer does in the end, in whatever place: sync them in order until one fails, close
 * all. MOOT_OK, or the error, and in *log whose it is. */
int moot__syncer_run(const struct moot_disk *disk, const int fds[MOOT_JOURNAL_LOGS],
                     enum moot_journal_log *log);

struct moot_sync_thread {
    struct moot_syncer syncer;
    const struct moot_disk *disk;
    pthread_t thread;
    bool is_running;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t work;
        int fds[MOOT_JOURNAL_LOGS]; /* to sync, its own; -1: none */
        bool is_busy, stop;
        enum moot_journal_log failed_log;
        int error; /* the first that failed, MOOT_OK as long as none has */
    } synced;
};

/* MOOT_ENOMEM, MOOT_EIO (no thread). */
MOOT_NODISCARD int moot__sync_thread_start(struct moot_sync_thread *thread,
                                           const struct moot_disk *disk);

#endif
