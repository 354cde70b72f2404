#ifndef MOOT_NET_WORKERS_H
#define MOOT_NET_WORKERS_H

/* A small pool of threads that run moot_work. Threads start when they are needed, block every
 * signal, and are never joined: one that sits in a name lookup for half a minute does not hold up
 * anybody's end.
 *
 * Thread: every function belongs to the loop thread that made the pool, but what `options` says. */
#include "transport.h"

struct moot_workers;

struct moot_workers_options {
    unsigned threads_max;      /* at work at once */
    unsigned threads_lost_max; /* beyond those: threads that sit in abandoned work */
    size_t queue_max;          /* works waiting for a thread */
    int nice;                  /* added to the threads' own nice value, and to no other thread's */
    /* An eventfd, added to when something was done: then call moot__workers_take_done. It may be
     * for nothing. Not used any more once moot__workers_close returned. */
    int wake_fd;
    /* Releases an abandoned work, from any thread; NULL if works are never abandoned. */
    void (*drop)(struct moot_work *work);
};

/* MOOT_ENOMEM. The pool takes the process's own memory, not an engine's: it may outlive it. */
MOOT_NODISCARD int moot__workers_new(const struct moot_workers_options *options,
                                     struct moot_workers **out);

/* Queue a work. MOOT_EBUSY: queue_max wait already; MOOT_ENOMEM: no thread could be started. */
MOOT_NODISCARD int moot__workers_submit(struct moot_workers *workers, struct moot_work *work);

/* Move finished works to the end of `done`. */
void moot__workers_take_done(struct moot_workers *workers, struct moot_list *done);

/* Move works that no thread has begun to the end of `queued`. */
void moot__workers_take_queued(struct moot_workers *workers, struct moot_list *queued);

/* Nobody waits for this submitted work any more: it is dropped, at once or when its run returns,
 * and its thread, if it sits in it, is replaced. Legal until the work was taken and unlinked. */
void moot__workers_abandon(struct moot_workers *workers, struct moot_work *work);

/* Let go of the pool. Nothing but abandoned work may be left in it. Threads that sit in some end
 * when it returns, and the last one frees the pool. NULL does nothing. */
void moot__workers_close(struct moot_workers *workers);

#endif
