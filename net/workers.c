/* Why own threads: libuv's four are shared by name lookups, files and computation, so that one slow
 * resolver stops the rest; and they can be neither abandoned nor replaced.
 *
 * Model: one mutex guards everything. A work goes QUEUED -> RUNNING -> DONE; abandoning one takes
 * it out of its list, or, while it runs, marks it ABANDONED so that its thread drops it. A thread
 * in abandoned work is lost until that returns; lost threads are replaced, up to a ceiling.
 *
 * The owner is woken after the lock was let go: on a core that they share it runs at once, and
 * would wait for the lock until the thread gets its turn again. A uv_async would not do either,
 * since its owner spins while the thread that woke it is preempted (libuv before 1.45).
 *
 * The pool is freed by whoever leaves last, the owner or a thread. */
#include "workers.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"

enum work_state { WORK_IDLE, WORK_QUEUED, WORK_RUNNING, WORK_ABANDONED, WORK_DONE };

struct moot_workers {
    struct moot_workers_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct moot_list queued, done;
    size_t queued_count;
    unsigned threads, idle, lost, waking;
    bool closing, closed;
};

static void workers_free(struct moot_workers *workers)
{
    assert(workers->closed && workers->threads == 0);
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->lock);
    moot__free(NULL, workers);
}

int moot__workers_new(const struct moot_workers_options *options, struct moot_workers **out)
{
    assert(options->threads_max > 0 && options->queue_max > 0 && options->wake_fd >= 0);
    *out = NULL;
    struct moot_workers *workers = moot__calloc(NULL, 1, sizeof *workers);
    if (!workers)
        return MOOT_ENOMEM;
    workers->options = *options;
    if (pthread_mutex_init(&workers->lock, NULL) != 0)
        goto free_workers;
    if (pthread_cond_init(&workers->changed, NULL) != 0)
        goto destroy_lock;
    moot__list_init(&workers->queued);
    moot__list_init(&workers->done);
    *out = workers;
    return MOOT_OK;

destroy_lock:
    pthread_mutex_destroy(&workers->lock);
free_workers:
    moot__free(NULL, workers);
    return MOOT_ENOMEM;
}

/* With the lock held, and held again on return; runs one work. */
static void run_one(struct moot_workers *workers)
{
    struct moot_work *work =
        moot__list_entry(moot__list_pop_front(&workers->queued), struct moot_work, node);
    workers->queued_count--;
    assert(work->state == WORK_QUEUED);
    work->state = WORK_RUNNING;
    pthread_mutex_unlock(&workers->lock);
    work->run(work);
    pthread_mutex_lock(&workers->lock);
    if (work->state == WORK_ABANDONED) {
        workers->lost--;
        pthread_mutex_unlock(&workers->lock);
        workers->options.drop(work);
        pthread_mutex_lock(&workers->lock);
        return;
    }
    assert(work->state == WORK_RUNNING && !workers->closed);
    work->state = WORK_DONE;
    bool is_first = moot__list_is_empty(&workers->done);
    moot__list_push_back(&workers->done, &work->node);
    if (!is_first)
        return;
    workers->waking++;
    pthread_mutex_unlock(&workers->lock);
    moot__ignore(eventfd_write(workers->options.wake_fd, 1) != 0); /* fails only when it is full */
    pthread_mutex_lock(&workers->lock);
    if (--workers->waking == 0 && workers->closing)
        pthread_cond_broadcast(&workers->changed);
}

static void *thread_main(void *data)
{
    struct moot_workers *workers = data;
    if (workers->options.nice) {
        /* Linux: of this thread alone. One that may not is as it was. */
        int nice = getpriority(PRIO_PROCESS, 0) + workers->options.nice;
        moot__ignore(setpriority(PRIO_PROCESS, 0, nice) != 0);
    }
    pthread_mutex_lock(&workers->lock);
    /* A thread that was lost finds its replacement at work, and leaves. */
    while (workers->threads - workers->lost <= workers->options.threads_max) {
        if (!moot__list_is_empty(&workers->queued)) {
            run_one(workers);
        } else if (workers->closed) {
            break;
        } else {
            workers->idle++;
            pthread_cond_wait(&workers->changed, &workers->lock);
            workers->idle--;
        }
    }
    bool is_last = --workers->threads == 0 && workers->closed;
    pthread_mutex_unlock(&workers->lock);
    if (is_last)
        workers_free(workers);
    return NULL;
}

/* With the lock held: start a thread if more works wait than threads. A failure matters only when
 * there is no thread at all. */
static int start_thread(struct moot_workers *workers)
{
    const struct moot_workers_options *options = &workers->options;
    if (workers->queued_count <= workers->idle ||
        workers->threads - workers->lost >= options->threads_max ||
        workers->threads >= options->threads_max + options->threads_lost_max)
        return MOOT_OK;
    sigset_t every, before;
    sigfillset(&every);
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return workers->threads ? MOOT_OK : MOOT_ENOMEM;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    pthread_t thread;
    int failed = pthread_create(&thread, &attributes, thread_main, workers);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!failed)
        workers->threads++;
    return workers->threads ? MOOT_OK : MOOT_ENOMEM;
}

int moot__workers_submit(struct moot_workers *workers, struct moot_work *work)
{
    pthread_mutex_lock(&workers->lock);
    assert(!workers->closed);
    int status = MOOT_EBUSY;
    if (workers->queued_count < workers->options.queue_max) {
        work->state = WORK_QUEUED;
        moot__list_init(&work->node);
        moot__list_push_back(&workers->queued, &work->node);
        workers->queued_count++;
        status = start_thread(workers);
        if (status == MOOT_OK) {
            pthread_cond_signal(&workers->changed);
        } else {
            moot__list_remove(&work->node);
            workers->queued_count--;
            work->state = WORK_IDLE;
        }
    }
    pthread_mutex_unlock(&workers->lock);
    return status;
}

void moot__workers_take_done(struct moot_workers *workers, struct moot_list *done)
{
    pthread_mutex_lock(&workers->lock);
    moot__list_splice(done, &workers->done);
    pthread_mutex_unlock(&workers->lock);
}

void moot__workers_take_queued(struct moot_workers *workers, struct moot_list *queued)
{
    pthread_mutex_lock(&workers->lock);
    MOOT_LIST_FOREACH (node, &workers->queued)
        moot__list_entry(node, struct moot_work, node)->state = WORK_DONE;
    moot__list_splice(queued, &workers->queued);
    workers->queued_count = 0;
    pthread_mutex_unlock(&workers->lock);
}

void moot__workers_abandon(struct moot_workers *workers, struct moot_work *work)
{
    assert(workers->options.drop);
    pthread_mutex_lock(&workers->lock);
    assert(work->state == WORK_QUEUED || work->state == WORK_RUNNING || work->state == WORK_DONE);
    bool is_running = work->state == WORK_RUNNING;
    if (is_running) {
        work->state = WORK_ABANDONED;
        workers->lost++;
        moot__ignore(start_thread(workers)); /* this one still exists, so it cannot fail */
    } else {
        workers->queued_count -= work->state == WORK_QUEUED;
        moot__list_remove(&work->node);
    }
    pthread_mutex_unlock(&workers->lock);
    if (!is_running)
        workers->options.drop(work);
}

void moot__workers_close(struct moot_workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    assert(!workers->closed);
    assert(moot__list_is_empty(&workers->queued) && moot__list_is_empty(&workers->done));
    workers->closing = true;
    while (workers->waking > 0) /* no longer than it takes to add to wake_fd */
        pthread_cond_wait(&workers->changed, &workers->lock);
    workers->closed = true;
    bool is_last = workers->threads == 0;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
    if (is_last)
        workers_free(workers);
}
