#ifndef MOOT_BATCH_SYNCER_H
#define MOOT_BATCH_SYNCER_H

/* fdatasync on a thread of its own: it may take as long as the disk likes, and who waited for it
 * could meanwhile not write. One at a time: who asks while one is under way asks again later. */
#include <pthread.h>
#include <stdbool.h>

#include "journal.h"

struct moot_syncer {
    const struct moot_disk *disk;
    pthread_t thread;
    bool is_running;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t work;
        int fds[MOOT_JOURNAL_LOGS]; /* to sync, its own; -1: none */
        bool is_busy, stop;
        int failed_log, error; /* the first that failed, MOOT_OK as long as none has */
    } synced;
};

/* MOOT_ENOMEM, MOOT_EIO (no thread). */
MOOT_NODISCARD int moot__syncer_start(struct moot_syncer *syncer, const struct moot_disk *disk);

/* Sync these descriptors, which are the syncer's from here; -1 is passed over. False: one is under
 * way, and they are still the caller's. */
bool moot__syncer_submit(struct moot_syncer *syncer, const int fds[MOOT_JOURNAL_LOGS]);
bool moot__syncer_is_busy(struct moot_syncer *syncer);

/* MOOT_OK, or the first error that a sync met; `log` says in which file. Also after stop. */
int moot__syncer_error(struct moot_syncer *syncer, enum moot_journal_log *log);

void moot__syncer_stop(struct moot_syncer *syncer); /* waits for what is under way */

#endif
