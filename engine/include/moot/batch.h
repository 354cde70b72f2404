#ifndef MOOT_BATCH_H
#define MOOT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moot/alloc.h>
#include <moot/budget.h>
#include <moot/error.h>
#include <moot/plan.h>
#include <moot/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A data set through a plan: every row of a file is a conversation, every answer a line of another
 * file. Resumable at any instant; engine/batch/README.md has the formats and the files. */
struct moot_batch;

enum moot_batch_status {
    MOOT_BATCH_COMPLETE,    /* every row has been answered */
    MOOT_BATCH_SOME_FAILED, /* every row has ended, some as failures */
    MOOT_BATCH_THRESHOLD,   /* a limit on errors, cost or outages stopped the run; resumable */
    MOOT_BATCH_INTERRUPTED, /* moot_batch_interrupt; resumable */
    MOOT_BATCH_ERROR,       /* the run itself failed: see `info` */
};

/* What a run waits for, the graver the later. */
enum moot_batch_wait {
    MOOT_BATCH_WAIT_NONE,
    MOOT_BATCH_WAIT_QUOTA,  /* of the provider in `waiting_for`, for `wait_ns` */
    MOOT_BATCH_WAIT_OUTAGE, /* it fails for everybody; asked again in `wait_ns` */
};

/* Where a run is. Counts are of this run, but for `rows_known` and `cost`. */
struct moot_batch_progress {
    uint64_t rows_known;     /* done by earlier runs, and therefore skipped */
    uint64_t rows_succeeded; /* and */
    uint64_t rows_failed;
    uint64_t rows_in_flight;
    uint64_t rows_total; /* of the input; 0 until it was read to its end */
    uint64_t calls, retries, throttled, possible_duplicates;
    uint64_t input_tokens, output_tokens;
    double cost; /* earlier runs included */
    uint64_t elapsed_ns;
    uint64_t remaining_ns; /* an estimate; 0: not known */
    bool draining;         /* no row begins any more */
    enum moot_batch_wait wait;
    char waiting_for[64]; /* the provider's name */
    uint64_t wait_ns;
    uint64_t failing_ns; /* OUTAGE: for how long nobody was answered, and */
    char cause[192];     /* what went wrong last */
};

struct moot_batch_options {
    size_t size;                            /* sizeof(struct moot_batch_options) */
    const struct moot_allocator *allocator; /* thread-safe */
    struct moot_plan *plan;                 /* required; the batch takes a reference */
    struct moot_budget *budget;             /* NULL: one of its own */
    const char *input_path;                 /* required; "-" is standard input */
    const char *output_path;                /* required; a regular file, as its own journal */
    bool stream;                            /* ask the providers to stream */
    unsigned concurrency;                   /* conversations at once; 0: as the budget allows */
    unsigned loops;                         /* engines, each on a thread; 0: one */
    uint64_t rows_max;                      /* the input's first rows alone; 0: all */
    unsigned shard, shards;                 /* every shards-th row, from the shard-th, from 0 */
    uint64_t row_timeout_ns;                /* at work, waiting for quota left out; 0: none */
    bool has_errors_max;                    /* stop once more rows than errors_max failed */
    uint64_t errors_max;
    double errors_percent_max; /* the same, of the rows that ended, from 20 on; 0: none */
    double cost_max;           /* begin no row that could pass it; 0: none */
    /* Stop when a provider has answered nobody for so long, or for a minute if it never did; 0:
     * half an hour. */
    uint64_t outage_max_ns;
    bool retry_failed;        /* rows that failed in earlier runs are begun again */
    bool fresh;               /* start over; old files are renamed */
    bool allow_changes;       /* go on although input or configuration is not what it was */
    const char *ca_file;      /* as in moot_engine_options */
    struct moot_trace *trace; /* as in moot_engine_options */
    /* Called from moot_batch_run's own thread, every interval and at the end; may be NULL. */
    void (*on_progress)(void *context, const struct moot_batch_progress *progress);
    void *progress_context;
    uint64_t progress_interval_ns; /* 0: one second */
};

/* Options as the plan's `batch` section has them, and defaults for the rest; what the caller sets
 * afterwards wins. The plan is borrowed until moot_batch_new. Any thread. */
MOOT_API void moot_batch_options_init(struct moot_batch_options *options, struct moot_plan *plan);

/* Check the options and copy them. MOOT_EINVAL, MOOT_ENOMEM, MOOT_EIO (no pipe). Any thread. */
MOOT_API MOOT_NODISCARD int moot_batch_new(const struct moot_batch_options *options,
                                           struct moot_batch **out, struct moot_error_info *info);

/* Run it to its end; once. Blocks the calling thread, on which progress is told. Returns how it
 * ended; `info` (may be NULL) says why, where there is a why. Of MOOT_BATCH_SOME_FAILED it names
 * the file of the failed rows, with MOOT_OK as its code. What makes MOOT_BATCH_ERROR:
 *   MOOT_EINPUT     the input is of no known kind, or a result file has a bad line (named)
 *   MOOT_ECHANGED   input or configuration is not that of the run that is to be resumed
 *   MOOT_EBUSY      another process writes the output
 *   MOOT_ENOTFOUND  no such input
 *   MOOT_EAUTH, MOOT_ECREDENTIAL, MOOT_ECERT  refused before any row was answered
 *   MOOT_ENOSPC, MOOT_EIO  results cannot be recorded: nothing more was asked; resumable
 *   MOOT_ENOMEM, and what moot_engine_new returns */
MOOT_API enum moot_batch_status moot_batch_run(struct moot_batch *batch,
                                               struct moot_error_info *info);

/* The first call lets running rows finish and begins no others; the second ends those too. Any
 * thread, and signal handlers. */
MOOT_API void moot_batch_interrupt(struct moot_batch *batch);

/* Any thread, at any time between new and free. */
MOOT_API void moot_batch_progress(struct moot_batch *batch, struct moot_batch_progress *out);

/* After moot_batch_run has returned, or without it. NULL is allowed. */
MOOT_API void moot_batch_free(struct moot_batch *batch);

#ifdef __cplusplus
}
#endif
#endif
