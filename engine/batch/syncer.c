#include "syncer.h"

#include "engine/base/check.h"
#include "file.h"

static bool take(struct moot_syncer *syncer, int fds[MOOT_JOURNAL_LOGS])
{
    pthread_mutex_lock(&syncer->synced.mutex);
    while (!syncer->synced.is_busy && !syncer->synced.stop)
        pthread_cond_wait(&syncer->synced.work, &syncer->synced.mutex);
    bool is_work = syncer->synced.is_busy;
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++)
        fds[i] = syncer->synced.fds[i];
    pthread_mutex_unlock(&syncer->synced.mutex);
    return is_work;
}

static void finish(struct moot_syncer *syncer, unsigned log, int error)
{
    pthread_mutex_lock(&syncer->synced.mutex);
    if (syncer->synced.error == MOOT_OK && error != MOOT_OK) {
        syncer->synced.error = error;
        syncer->synced.failed_log = (int)log;
    }
    syncer->synced.is_busy = false;
    pthread_mutex_unlock(&syncer->synced.mutex);
}

static void *sync_files(void *data)
{
    struct moot_syncer *syncer = data;
    int fds[MOOT_JOURNAL_LOGS];
    while (take(syncer, fds)) {
        int error = MOOT_OK;
        unsigned failed = 0;
        for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++) {
            if (fds[i] < 0)
                continue;
            if (error == MOOT_OK) {
                error = moot__file_sync(syncer->disk, fds[i]);
                failed = i;
            }
            syncer->disk->ops->close(syncer->disk, fds[i]);
        }
        finish(syncer, failed, error);
    }
    return NULL;
}

int moot__syncer_start(struct moot_syncer *syncer, const struct moot_disk *disk)
{
    *syncer = (struct moot_syncer){.disk = disk};
    if (pthread_cond_init(&syncer->synced.work, NULL) != 0)
        return MOOT_ENOMEM;
    int rc = pthread_mutex_init(&syncer->synced.mutex, NULL) == 0 ? MOOT_OK : MOOT_ENOMEM;
    if (rc == MOOT_OK && pthread_create(&syncer->thread, NULL, sync_files, syncer) != 0) {
        pthread_mutex_destroy(&syncer->synced.mutex);
        rc = MOOT_EIO;
    }
    if (rc != MOOT_OK)
        pthread_cond_destroy(&syncer->synced.work);
    syncer->is_running = rc == MOOT_OK;
    return rc;
}

bool moot__syncer_submit(struct moot_syncer *syncer, const int fds[MOOT_JOURNAL_LOGS])
{
    pthread_mutex_lock(&syncer->synced.mutex);
    bool is_free = !syncer->synced.is_busy;
    if (is_free) {
        for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++)
            syncer->synced.fds[i] = fds[i];
        syncer->synced.is_busy = true;
        pthread_cond_signal(&syncer->synced.work);
    }
    pthread_mutex_unlock(&syncer->synced.mutex);
    return is_free;
}

bool moot__syncer_is_busy(struct moot_syncer *syncer)
{
    pthread_mutex_lock(&syncer->synced.mutex);
    bool is_busy = syncer->synced.is_busy;
    pthread_mutex_unlock(&syncer->synced.mutex);
    return is_busy;
}

int moot__syncer_error(struct moot_syncer *syncer, enum moot_journal_log *log)
{
    if (syncer->is_running) /* else the thread and its mutex are gone, the verdict stands */
        pthread_mutex_lock(&syncer->synced.mutex);
    int error = syncer->synced.error;
    *log = (enum moot_journal_log)syncer->synced.failed_log;
    if (syncer->is_running)
        pthread_mutex_unlock(&syncer->synced.mutex);
    return error;
}

void moot__syncer_stop(struct moot_syncer *syncer)
{
    if (!syncer->is_running)
        return;
    pthread_mutex_lock(&syncer->synced.mutex);
    syncer->synced.stop = true;
    pthread_cond_signal(&syncer->synced.work);
    pthread_mutex_unlock(&syncer->synced.mutex);
    pthread_join(syncer->thread, NULL);
    pthread_cond_destroy(&syncer->synced.work);
    pthread_mutex_destroy(&syncer->synced.mutex);
    syncer->is_running = false;
}
