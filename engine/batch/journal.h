#ifndef MOOT_BATCH_JOURNAL_H
#define MOOT_BATCH_JOURNAL_H

/* The results of a run as a journal: what is in the files is what has been done. For NAME.jsonl:
 *
 *   NAME.jsonl          answers, a line each, in the dialect of the input
 *   NAME.errors.jsonl   rows that failed, the same
 *   NAME.calls.jsonl    finished calls of unfinished rows; goes when the run is complete
 *   NAME.moot.json      what the run was begun with: input, configuration
 *   NAME.summary.json   counts, computed from the rows
 *   NAME.batch.json     the same as a batch object of OpenAI's API
 *
 * Everything blocks; one thread at a time. After an error nothing more is written: what is there is
 * valid and the next run goes on from it. */
#include <moot/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "calls.h"
#include "file.h"
#include "id_set.h"
#include "totals.h"

enum moot_journal_log {
    MOOT_JOURNAL_RESULTS,
    MOOT_JOURNAL_ERRORS,
    MOOT_JOURNAL_CALLS,
    MOOT_JOURNAL_LOGS,
};

enum moot_journal_path {
    MOOT_PATH_RESULTS,
    MOOT_PATH_ERRORS,
    MOOT_PATH_CALLS,
    MOOT_PATH_MANIFEST,
    MOOT_PATH_SUMMARY,
    MOOT_PATH_BATCH,
    MOOT_JOURNAL_PATHS,
};

struct moot_journal_options {
    const struct moot_allocator *allocator;
    const struct moot_disk *disk; /* NULL: the files of this machine */
    const char *input_path;       /* "-": standard input, which cannot be told from another */
    const char *output_path;      /* NAME.jsonl */
    const char *config;           /* the plan's fingerprint */
    uint64_t wall_s;              /* now, for the records */
    bool fresh;                   /* rename what is there, begin anew */
    bool retry_failed;            /* rows that failed are not done */
    bool allow_changes;           /* go on although input or configuration changed */
};

/* What earlier runs have left: whose rows need no asking, and what is known of the others. */
struct moot_resume {
    struct moot_id_set done; /* note: 0 */
    struct moot_known_calls calls;
};

enum { MOOT_JOURNAL_ROWS_AHEAD = 256 }; /* more of them are written at once */

struct moot_journal {
    const struct moot_allocator *allocator;
    const struct moot_disk *disk;
    char *paths[MOOT_JOURNAL_PATHS];
    struct moot_log_file logs[MOOT_JOURNAL_LOGS];
    struct moot_buf gathered[MOOT_JOURNAL_LOGS]; /* lines that are not in the files yet */
    struct moot_id_set open_rows;                /* that have lines in the side file */
    uint64_t compact_at_bytes; /* size of the side file at which it is cleaned up */
    struct moot_totals totals; /* of the rows in the files */
    struct moot_row_facts ahead[MOOT_JOURNAL_ROWS_AHEAD]; /* of those gathered, to be added then */
    size_t ahead_count;
    uint64_t created_wall_s; /* of the first run */
    bool resumed;            /* there was something */
    uint64_t damaged_lines;  /* that a power cut had left; they are gone */
    int error;               /* the first failure; sticks */
    struct moot_error_info info;
};

/* Open or create, check that nothing changed, read what is done into `resume` (initialised here;
 * to be deinitialised by the caller in any case). MOOT_EBUSY (another process writes there),
 * MOOT_ECHANGED, MOOT_EINPUT (a bad line, named, that is not the last; output is the input),
 * MOOT_EINVAL, MOOT_EIO, MOOT_ENOSPC, MOOT_ENOTFOUND (no input), MOOT_ENOMEM. On failure the
 * journal is closed. */
MOOT_NODISCARD int moot__journal_open(struct moot_journal *journal,
                                      const struct moot_journal_options *options,
                                      struct moot_resume *resume, struct moot_error_info *info);
void moot__journal_close(struct moot_journal *journal); /* safe after a failed open, and twice */
void moot__resume_deinit(struct moot_resume *resume);

/* A row has ended, or a call of one that has not. Its line is gathered with others until a flush,
 * or until they fill a write. On failure no part of a line stays behind and every later call fails
 * the same way. MOOT_ENOSPC, MOOT_EIO, MOOT_ENOMEM. */
struct moot_journal_entry {
    enum moot_journal_log log;
    struct moot_view line; /* with its newline */
    struct moot_hash key;
    struct moot_row_facts facts; /* unused for calls */
};
MOOT_NODISCARD int moot__journal_append(struct moot_journal *journal,
                                        const struct moot_journal_entry *entry);

/* Until everything is in the files, and so survives this process. As append. */
MOOT_NODISCARD int moot__journal_flush(struct moot_journal *journal);

/* The same in two halves, for a sync on another thread: flush, and give handles of what is not
 * on the disk yet, the caller's to sync and close; -1: nothing of that log. Then tell if one
 * failed. Returns as flush, or MOOT_EAGAIN when no handle is left: use moot__journal_sync. */
MOOT_NODISCARD int moot__journal_begin_sync(struct moot_journal *journal,
                                            int fds[MOOT_JOURNAL_LOGS]);
int moot__journal_fail_sync(struct moot_journal *journal, enum moot_journal_log log, int error);

/* Until everything is on the disk. */
MOOT_NODISCARD int moot__journal_sync(struct moot_journal *journal);

/* After the last row of this run: sync, write summary and batch object; when `complete`, remove the
 * side file. */
struct moot_journal_ending {
    const char *status;   /* of the batch object: "completed", "cancelled", "failed" */
    const char *endpoint; /* of the dialect */
    const char *input_path;
    const char *input_hash; /* of the whole input, or "" */
    uint64_t wall_s;
    uint64_t took_ns;
    uint64_t throttled;
    bool complete; /* every row is in the files */
};
MOOT_NODISCARD int moot__journal_finish(struct moot_journal *journal,
                                        const struct moot_journal_ending *ending);

/* Internal to the journal's files. */
MOOT_NODISCARD int moot__journal_scan(struct moot_journal *journal, struct moot_resume *resume,
                                      struct moot_error_info *info);
MOOT_NODISCARD int moot__journal_check_manifest(struct moot_journal *journal,
                                                const struct moot_journal_options *options,
                                                struct moot_error_info *info);
MOOT_NODISCARD int moot__journal_compact_calls(struct moot_journal *journal);
int moot__journal_fail(struct moot_journal *journal, int code, const char *what,
                       enum moot_journal_path path);

#endif
