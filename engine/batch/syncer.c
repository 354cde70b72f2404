#include "syncer.h"

#include "engine/base/check.h"
#include "file.h"

int moot__syncer_run(const struct moot_disk *disk, const int fds[MOOT_JOURNAL_LOGS],
                     enum moot_journal_log *log)
{
    int error = MOOT_OK;
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++) {
        if (fds[i] < 0)
            continue;
        if (error == MOOT_OK) {
            error = moot__file_sync(disk, fds[i]);
            *log = (enum moot_journal_log)i;
        }
        disk->ops->close(disk, fds[i]);
    }
    return error;
}

static struct moot_sync_thread *thread_of(struct moot_syncer *syncer)
{
    return moot__container_of(syncer, struct moot_sync_thread, syncer);
}

static bool take(struct moot_sync_thread *thread, int fds[MOOT_JOURNAL_LOGS])
{
    pthread_mutex_lock(&thread->synced.mutex);
    while (!thread->synced.is_busy && !thread->synced.stop)
        pthread_cond_wait(&thread->synced.work, &thread->synced.mutex);
    bool is_work = thread->synced.is_busy;
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++)
        fds[i] = thread->synced.fds[i];
    pthread_mutex_unlock(&thread->synced.mutex);
    return is_work;
}

static void finish(struct moot_sync_thread *thread, enum moot_journal_log log, int error)
{
    pthread_mutex_lock(&thread->synced.mutex);
    if (thread->synced.error == MOOT_OK && error != MOOT_OK) {
        thread->synced.error = error;
        thread->synced.failed_log = log;
    }
    thread->synced.is_busy = false;
    pthread_mutex_unlock(&thread->synced.mutex);
}

static void *sync_files(void *data)
{
    struct moot_sync_thread *thread = data;
    int fds[MOOT_JOURNAL_LOGS];
    while (take(thread, fds)) {
        enum moot_journal_log log = MOOT_JOURNAL_RESULTS;
        int error = moot__syncer_run(thread->disk, fds, &log);
        finish(thread, log, error);
    }
    return NULL;
}

static bool submit(struct moot_syncer *syncer, const int fds[MOOT_JOURNAL_LOGS])
{
    struct moot_sync_thread *thread = thread_of(syncer);
    pthread_mutex_lock(&thread->synced.mutex);
    bool is_free = !thread->synced.is_busy;
    if (is_free) {
        for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++)
            thread->synced.fds[i] = fds[i];
        thread->synced.is_busy = true;
        pthread_cond_signal(&thread->synced.work);
    }
    pthread_mutex_unlock(&thread->synced.mutex);
    return is_free;
}

static bool is_busy(struct moot_syncer *syncer)
{
    struct moot_sync_thread *thread = thread_of(syncer);
    pthread_mutex_lock(&thread->synced.mutex);
    bool is_busy = thread->synced.is_busy;
    pthread_mutex_unlock(&thread->synced.mutex);
    return is_busy;
}

static int first_error(struct moot_syncer *syncer, enum moot_journal_log *log)
{
    struct moot_sync_thread *thread = thread_of(syncer);
    if (thread->is_running) /* else the thread and its mutex are gone, the verdict stands */
        pthread_mutex_lock(&thread->synced.mutex);
    int error = thread->synced.error;
    *log = thread->synced.failed_log;
    if (thread->is_running)
        pthread_mutex_unlock(&thread->synced.mutex);
    return error;
}

static void stop(struct moot_syncer *syncer)
{
    struct moot_sync_thread *thread = thread_of(syncer);
    if (!thread->is_running)
        return;
    pthread_mutex_lock(&thread->synced.mutex);
    thread->synced.stop = true;
    pthread_cond_signal(&thread->synced.work);
    pthread_mutex_unlock(&thread->synced.mutex);
    pthread_join(thread->thread, NULL);
    pthread_cond_destroy(&thread->synced.work);
    pthread_mutex_destroy(&thread->synced.mutex);
    thread->is_running = false;
}

int moot__sync_thread_start(struct moot_sync_thread *thread, const struct moot_disk *disk)
{
    static const struct moot_syncer_ops ops = {
        .submit = submit, .is_busy = is_busy, .error = first_error, .stop = stop};
    *thread = (struct moot_sync_thread){.syncer = {.ops = &ops}, .disk = disk};
    if (pthread_cond_init(&thread->synced.work, NULL) != 0)
        return MOOT_ENOMEM;
    int rc = pthread_mutex_init(&thread->synced.mutex, NULL) == 0 ? MOOT_OK : MOOT_ENOMEM;
    if (rc == MOOT_OK && pthread_create(&thread->thread, NULL, sync_files, thread) != 0) {
        pthread_mutex_destroy(&thread->synced.mutex);
        rc = MOOT_EIO;
    }
    if (rc != MOOT_OK)
        pthread_cond_destroy(&thread->synced.work);
    thread->is_running = rc == MOOT_OK;
    return rc;
}
