#ifndef MOOT_BATCH_INPUT_H
#define MOOT_BATCH_INPUT_H

/* The rows of a file or of standard input, read ahead by a thread of its own, bounded in rows and
 * bytes. Rows of other shards and rows that are done are skipped there; a row whose id was met
 * before in the same input comes as a failed one that names both lines. */
#include <moot/error.h>
#include <pthread.h>
#include <stdbool.h>

#include "feeder.h"
#include "journal.h"
#include "lines.h"
#include "row.h"

struct moot_input_options {
    const struct moot_allocator *allocator;
    const struct moot_disk *disk; /* NULL: the files of this machine */
    const char *path;             /* "-": standard input */
    uint64_t rows_max;
    unsigned shard, shards;     /* 0 shards: one */
    struct moot_resume *resume; /* borrowed; the reader's own until stop */
    /* Rows, or the end, have come after `next` had none. Called from the reader's thread. */
    void (*on_ready)(void *data);
    void *data;
};

struct moot_input {
    struct moot_row_source source; /* the face to the feeders; any of their threads */
    struct moot_input_options options;
    const struct moot_row_dialect *dialect;
    /* The reader's own. */
    struct {
        int fd;
        struct moot_lines lines;
        struct moot_buf header; /* of CSV */
        struct moot_line first; /* read to tell the dialect, not used yet */
        bool has_first;
        uint64_t ordinal; /* of rows, those of other shards too */
        uint64_t taken;
    } reader;
    pthread_t thread;
    bool is_running;
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t room;
        struct moot_list rows;
        size_t row_count, bytes;
        bool ended, stop;
        bool full, hungry; /* the reader, or a feeder, waits for the other */
        int error;         /* that ended it, or MOOT_OK */
        struct moot_error_info info;
        uint64_t rows_total, rows_known, bytes_read;
        char hash[33]; /* of the whole, at its end */
    } synced;
};

/* Open it and tell its dialect. MOOT_ENOTFOUND, MOOT_EIO, MOOT_EINPUT (of no known kind),
 * MOOT_ENOMEM with `info`. An empty input has no dialect and no rows. */
MOOT_NODISCARD int moot__input_open(struct moot_input *input,
                                    const struct moot_input_options *options,
                                    struct moot_error_info *info);

/* The next line, here and now, by whoever has no thread for it: MOOT_OK, and a row, now the
 * caller's, or NULL for a line that needs no asking; MOOT_ENOTFOUND at the end; or what the line
 * reader met, for good. Not between start and stop. */
MOOT_NODISCARD int moot__input_read(struct moot_input *input, struct moot_row **out);

MOOT_NODISCARD int moot__input_start(struct moot_input *input); /* MOOT_EIO: no thread */
void moot__input_stop(
    struct moot_input *input); /* end the thread; `resume` is the caller's again */
void moot__input_close(
    struct moot_input *input); /* after stop, or a failed open; frees rows left */

struct moot_input_state {
    bool ended;          /* read to its end, or to its last wanted row */
    uint64_t rows_total; /* wanted rows, 0 until `ended` */
    uint64_t rows_known; /* skipped, as earlier runs did them */
    uint64_t bytes_read;
    char hash[33]; /* of the whole, "" until it was read */
    int error;
    struct moot_error_info info;
};
void moot__input_state(struct moot_input *input, struct moot_input_state *out);

#endif
