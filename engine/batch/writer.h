#ifndef MOOT_BATCH_WRITER_H
#define MOOT_BATCH_WRITER_H

/* The journal on a thread of its own: engines hand lines over and go on. Synced every second or
 * every thousand lines, whichever comes first, and at the end. */
#include <pthread.h>
#include <stdatomic.h>

#include "feeder.h"
#include "journal.h"
#include "syncer.h"

/* How lines come, the thread's own. */
struct moot_writer_pace {
    uint64_t window_ns; /* when it began */
    uint64_t lines;     /* in it so far */
    bool is_busy;       /* worth to let lines gather */
};

struct moot_writer {
    struct moot_row_sink sink; /* the face to the feeders; any of their threads */
    const struct moot_allocator *allocator;
    struct moot_journal *journal; /* the thread's own while it runs */
    void (*on_room)(void *data);  /* there is room again, or an error; from the writer's thread */
    void *data;
    pthread_t thread;
    bool is_running;
    struct moot_writer_pace pace;
    struct moot_syncer syncer;
    unsigned unsynced;   /* lines since the last sync began */
    uint64_t sync_at_ns; /* when the next is due; MOOT_NEVER_NS: nothing to sync */
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t work;
        struct moot_list lines;
        uint64_t oldest_ns;  /* when the first of them came */
        size_t bytes, count; /* waiting */
        bool stop, full;
        int error;
    } synced;
};

/* `journal` is borrowed. MOOT_ENOMEM, MOOT_EIO (no thread). */
MOOT_NODISCARD int moot__writer_start(struct moot_writer *writer,
                                      const struct moot_allocator *allocator,
                                      struct moot_journal *journal, void (*on_room)(void *data),
                                      void *data);

/* Write and sync all that waits, end the thread. The journal is the caller's again. */
void moot__writer_stop(struct moot_writer *writer);

#endif
