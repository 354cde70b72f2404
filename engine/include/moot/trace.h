#ifndef MOOT_TRACE_H
#define MOOT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moot/alloc.h>
#include <moot/error.h>
#include <moot/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A file of spans, one JSON object a line, and the thread that writes it. Any number of engines, on
 * any threads, may be given the same one. Tracing never slows an engine down: what the file or the
 * thread cannot take is dropped, counted, and the run goes on. */
struct moot_trace;

enum moot_trace_mode {
    MOOT_TRACE_APPEND, /* go on after what is there; a last line that was torn off is cut first */
    MOOT_TRACE_REPLACE /* start with an empty file */
};

struct moot_trace_options {
    size_t size;                            /* sizeof(struct moot_trace_options) */
    const struct moot_allocator *allocator; /* must be thread-safe */
    const char *path; /* made with mode 0600 if it is not there; a device or a FIFO is allowed */
    enum moot_trace_mode mode;
    bool content; /* record what people wrote as well: messages and answers */
};

struct moot_trace_stats {
    size_t size;           /* sizeof(struct moot_trace_stats), set by the caller */
    uint64_t written;      /* spans that are whole in the file */
    uint64_t dropped;      /* spans that are not, and never will be */
    uint64_t write_errors; /* writes that failed */
    int error;             /* the first failure: MOOT_ENOSPC, MOOT_EIO, MOOT_ENOMEM; or MOOT_OK */
};

/* Open the file and start the thread. Any thread. On failure *out is NULL and `info` (may be NULL)
 * says why: MOOT_EINVAL (options, or the file ends in something that is no trace), MOOT_ENOTFOUND,
 * MOOT_ENOSPC, MOOT_EIO, MOOT_ENOMEM. */
MOOT_API MOOT_NODISCARD int moot_trace_open(const struct moot_trace_options *options,
                                            struct moot_trace **out, struct moot_error_info *info);

/* The counts of this instant. Any thread. */
MOOT_API void moot_trace_stats(struct moot_trace *trace, struct moot_trace_stats *stats);

/* Write what is left, put it on the disk, end the thread, free the trace. Blocks; a reader of a
 * FIFO that does not read is waited for at most 2 s. `stats` (may be NULL) gets the final counts.
 * Every engine that was given the trace must be closed before. NULL is allowed. */
MOOT_API void moot_trace_close(struct moot_trace *trace, struct moot_trace_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
