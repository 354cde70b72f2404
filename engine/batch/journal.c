/* Opening, appending, syncing. The order of things on disk:
 *
 *   the lock, the check of the manifest, the manifest, then rows. A line is one write; a crash can
 *   tear only the last one, which the next run cuts off. Names are made durable before rows are.
 *
 * The side file grows with every row, also with those that are finished since; when it is large it
 * is rewritten with the lines of unfinished rows alone, of which there are few. */
#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/err.h"

enum { COMPACT_BYTES = 64 << 20, OLD_NAMES = 1000, GATHER_BYTES = 64 << 10 };

static const char *const suffixes[MOOT_JOURNAL_PATHS] = {
    [MOOT_PATH_RESULTS] = "",
    [MOOT_PATH_ERRORS] = ".errors.jsonl",
    [MOOT_PATH_CALLS] = ".calls.jsonl",
    [MOOT_PATH_MANIFEST] = ".moot.json",
    [MOOT_PATH_SUMMARY] = ".summary.json",
    [MOOT_PATH_BATCH] = ".batch.json",
};

static_assert((int)MOOT_JOURNAL_RESULTS == (int)MOOT_PATH_RESULTS &&
                  (int)MOOT_JOURNAL_ERRORS == (int)MOOT_PATH_ERRORS &&
                  (int)MOOT_JOURNAL_CALLS == (int)MOOT_PATH_CALLS,
              "a log has the path of its number");

static int make_paths(struct moot_journal *journal, const char *output)
{
    struct moot_view stem = moot__view_str(output);
    if (moot__view_ends(stem, MOOT_VIEW(".jsonl")) && stem.len > strlen(".jsonl"))
        stem.len -= strlen(".jsonl");
    for (unsigned i = 0; i < MOOT_JOURNAL_PATHS; i++) {
        size_t room = strlen(output) + strlen(suffixes[i]) + 1;
        journal->paths[i] = moot__alloc(journal->allocator, room);
        if (!journal->paths[i])
            return MOOT_ENOMEM;
        if (i == MOOT_PATH_RESULTS)
            snprintf(journal->paths[i], room, "%s", output);
        else
            snprintf(journal->paths[i], room, "%.*s%s", (int)stem.len, stem.ptr, suffixes[i]);
    }
    return MOOT_OK;
}

int moot__journal_fail(struct moot_journal *journal, int code, const char *what,
                       enum moot_journal_path path)
{
    assert(code != MOOT_OK);
    if (journal->error == MOOT_OK) {
        journal->error = code;
        moot__fail(&journal->info, code, MOOT_PHASE_NONE,
                   "%s %s: %s; what is there is valid, run the same command again to go on", what,
                   journal->paths[path], moot_error_text(code));
    }
    return journal->error;
}

static bool is_same_file(const struct moot_disk_stat *a, const struct moot_disk_stat *b)
{
    return a->number == b->number && a->device == b->device;
}

/* One process a file, and the file that the name means. */
static int lock(struct moot_journal *journal, struct moot_error_info *info)
{
    struct moot_disk_stat held, named;
    const struct moot_disk *disk = journal->disk;
    int fd = journal->logs[MOOT_JOURNAL_RESULTS].fd;
    const char *path = journal->paths[MOOT_PATH_RESULTS];
    int error = disk->ops->lock(disk, fd);
    if (error == 0)
        error = disk->ops->stat(disk, fd, &held);
    if (error == 0)
        error = disk->ops->stat_path(disk, path, &named);
    bool is_taken = error == EWOULDBLOCK || error == ENOENT; /* held, or renamed */
    if (error != 0 && !is_taken)
        return moot__file_fail(info, error, "cannot lock", path);
    if (is_taken || !is_same_file(&held, &named))
        return moot__fail(info, MOOT_EBUSY, MOOT_PHASE_NONE,
                          "another process is writing %s; wait for it, or choose another output",
                          path);
    return MOOT_OK;
}

static int open_results(struct moot_journal *journal, struct moot_error_info *info)
{
    struct moot_log_file *results = &journal->logs[MOOT_JOURNAL_RESULTS];
    int rc = moot__log_file_open(results, journal->disk, journal->paths[MOOT_PATH_RESULTS], info);
    return rc == MOOT_OK ? lock(journal, info) : rc;
}

static int refuse_own_input(struct moot_journal *journal, const char *input,
                            struct moot_error_info *info)
{
    struct moot_disk_stat in, out;
    const struct moot_disk *disk = journal->disk;
    if (strcmp(input, "-") == 0 || disk->ops->stat_path(disk, input, &in) != 0)
        return MOOT_OK; /* that it is not there is told by who reads it */
    for (unsigned i = 0; i < MOOT_JOURNAL_PATHS; i++)
        if (disk->ops->stat_path(disk, journal->paths[i], &out) == 0 && is_same_file(&in, &out))
            return moot__fail(info, MOOT_EINPUT, MOOT_PHASE_NONE,
                              "%s is input and output; choose another output", journal->paths[i]);
    return MOOT_OK;
}

/* NAME -> NAME.1, or the first number that is free. */
static int rename_old(struct moot_journal *journal, enum moot_journal_path path,
                      struct moot_error_info *info)
{
    struct moot_disk_stat stat;
    const struct moot_disk *disk = journal->disk;
    const char *name = journal->paths[path];
    if (disk->ops->stat_path(disk, name, &stat) != 0 || stat.bytes == 0)
        return MOOT_OK;
    size_t room = strlen(name) + 16;
    char *old = moot__alloc(journal->allocator, room);
    if (!old)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "no memory");
    int rc = MOOT_EIO;
    for (unsigned i = 1; i < OLD_NAMES; i++) {
        snprintf(old, room, "%s.%u", name, i);
        /* link refuses a name that is taken, which rename would replace. */
        int error = disk->ops->link(disk, name, old);
        if (error == EEXIST)
            continue;
        if (error == 0)
            error = disk->ops->unlink(disk, name);
        rc = error == 0 ? MOOT_OK : moot__file_error(error);
        break;
    }
    moot__free(journal->allocator, old);
    return rc == MOOT_OK ? rc
                         : moot__fail(info, rc, MOOT_PHASE_NONE, "cannot rename the old %s", name);
}

static void unlink_path(struct moot_journal *journal, enum moot_journal_path path)
{
    journal->disk->ops->unlink(journal->disk, journal->paths[path]);
}

/* Under the lock of the old file, which is then another's name. What explains a file goes after it,
 * also where the power fails: results without a manifest are nobody's, and calls or failures of an
 * old run are none of a new one's. */
static int start_over(struct moot_journal *journal, struct moot_error_info *info)
{
    const char *results = journal->paths[MOOT_PATH_RESULTS];
    unlink_path(journal, MOOT_PATH_CALLS);
    unlink_path(journal, MOOT_PATH_SUMMARY);
    unlink_path(journal, MOOT_PATH_BATCH);
    int rc = rename_old(journal, MOOT_PATH_ERRORS, info);
    if (rc == MOOT_OK)
        rc = moot__file_sync_folder(journal->disk, results);
    if (rc == MOOT_OK)
        rc = rename_old(journal, MOOT_PATH_RESULTS, info);
    if (rc == MOOT_OK)
        rc = moot__file_sync_folder(journal->disk, results);
    if (rc != MOOT_OK)
        return rc;
    unlink_path(journal, MOOT_PATH_MANIFEST);
    moot__log_file_close(&journal->logs[MOOT_JOURNAL_RESULTS]);
    return open_results(journal, info);
}

static int open_all(struct moot_journal *journal, const struct moot_journal_options *options,
                    struct moot_resume *resume, struct moot_error_info *info)
{
    int rc = make_paths(journal, options->output_path);
    if (rc != MOOT_OK)
        return moot__fail(info, rc, MOOT_PHASE_NONE, "no memory");
    rc = refuse_own_input(journal, options->input_path, info);
    if (rc == MOOT_OK)
        rc = open_results(journal, info);
    if (rc == MOOT_OK && options->fresh)
        rc = start_over(journal, info);
    if (rc == MOOT_OK)
        rc = moot__journal_check_manifest(journal, options, info);
    for (unsigned i = MOOT_JOURNAL_ERRORS; i < MOOT_JOURNAL_LOGS && rc == MOOT_OK; i++)
        rc = moot__log_file_open(&journal->logs[i], journal->disk, journal->paths[i], info);
    if (rc == MOOT_OK && options->retry_failed)
        rc = moot__log_file_cut(&journal->logs[MOOT_JOURNAL_ERRORS], 0);
    if (rc == MOOT_OK)
        rc = moot__file_sync_folder(journal->disk, journal->paths[MOOT_PATH_RESULTS]);
    return rc == MOOT_OK ? moot__journal_scan(journal, resume, info) : rc;
}

int moot__journal_open(struct moot_journal *journal, const struct moot_journal_options *options,
                       struct moot_resume *resume, struct moot_error_info *info)
{
    *journal = (struct moot_journal){
        .allocator = options->allocator,
        .disk = options->disk ? options->disk : &moot__disk_posix,
        .open_rows = {.allocator = options->allocator},
        .compact_at_bytes = COMPACT_BYTES,
        .created_wall_s = options->wall_s,
    };
    *resume = (struct moot_resume){.done = {.allocator = options->allocator}};
    moot__known_calls_init(&resume->calls, options->allocator);
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++) {
        journal->logs[i].fd = -1;
        moot__buf_init(&journal->gathered[i], options->allocator, GATHER_BYTES);
    }
    struct moot_error_info ignored;
    info = info ? info : &ignored;
    *info = (struct moot_error_info){0};
    int rc = open_all(journal, options, resume, info);
    if (rc == MOOT_OK)
        return MOOT_OK;
    if (info->code == MOOT_OK)
        moot__fail(info, rc, MOOT_PHASE_NONE, "cannot open %s: %s", options->output_path,
                   moot_error_text(rc));
    moot__journal_close(journal);
    return rc;
}

void moot__journal_close(struct moot_journal *journal)
{
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++) {
        moot__log_file_close(&journal->logs[i]);
        moot__buf_deinit(&journal->gathered[i]);
    }
    for (unsigned i = 0; i < MOOT_JOURNAL_PATHS; i++) {
        moot__free(journal->allocator, journal->paths[i]);
        journal->paths[i] = NULL;
    }
    moot__id_set_deinit(&journal->open_rows);
}

void moot__resume_deinit(struct moot_resume *resume)
{
    moot__id_set_deinit(&resume->done);
    moot__known_calls_deinit(&resume->calls);
}

/* What waits goes to the files, results first: a call is forgotten only once its row is there. */
int moot__journal_flush(struct moot_journal *journal)
{
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS && journal->error == MOOT_OK; i++) {
        struct moot_buf *gathered = &journal->gathered[i];
        if (gathered->len == 0)
            continue;
        int rc = moot__log_file_append(&journal->logs[i], moot__buf_view(gathered));
        moot__buf_reset(gathered);
        if (rc != MOOT_OK)
            return moot__journal_fail(journal, rc, "cannot write", (enum moot_journal_path)i);
    }
    if (journal->error != MOOT_OK)
        return journal->error;
    for (size_t i = 0; i < journal->ahead_count; i++)
        moot__totals_add(&journal->totals, &journal->ahead[i]);
    journal->ahead_count = 0;
    if (journal->logs[MOOT_JOURNAL_CALLS].bytes > journal->compact_at_bytes)
        return moot__journal_compact_calls(journal);
    return MOOT_OK;
}

static int gather(struct moot_journal *journal, enum moot_journal_log log, struct moot_view line)
{
    struct moot_buf *gathered = &journal->gathered[log];
    if (line.len > GATHER_BYTES - gathered->len) {
        int rc = moot__journal_flush(journal);
        if (rc != MOOT_OK)
            return rc;
    }
    if (line.len > GATHER_BYTES)
        return moot__log_file_append(&journal->logs[log], line);
    return moot__buf_append_view(gathered, line);
}

int moot__journal_append(struct moot_journal *journal, const struct moot_journal_entry *entry)
{
    if (journal->error != MOOT_OK)
        return journal->error;
    int rc = MOOT_OK;
    if (entry->log == MOOT_JOURNAL_CALLS)
        rc = moot__id_set_add(&journal->open_rows, entry->key, 0);
    else if (journal->ahead_count == MOOT_JOURNAL_ROWS_AHEAD)
        rc = moot__journal_flush(journal);
    if (rc == MOOT_OK)
        rc = gather(journal, entry->log, entry->line);
    if (rc != MOOT_OK)
        return moot__journal_fail(journal, rc, "cannot write", (enum moot_journal_path)entry->log);
    if (entry->log == MOOT_JOURNAL_CALLS)
        return MOOT_OK;
    moot__id_set_remove(&journal->open_rows, entry->key);
    journal->ahead[journal->ahead_count++] = entry->facts;
    return MOOT_OK;
}

int moot__journal_begin_sync(struct moot_journal *journal, int fds[MOOT_JOURNAL_LOGS])
{
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++)
        fds[i] = -1;
    int rc = moot__journal_flush(journal);
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS && rc == MOOT_OK; i++)
        rc = moot__log_file_begin_sync(&journal->logs[i], &fds[i]);
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS && rc != MOOT_OK; i++)
        moot__log_file_give_up_sync(&journal->logs[i], &fds[i]);
    return rc;
}

int moot__journal_fail_sync(struct moot_journal *journal, enum moot_journal_log log, int error)
{
    moot__log_file_fail_sync(&journal->logs[log]);
    return moot__journal_fail(journal, error, "cannot sync", (enum moot_journal_path)log);
}

int moot__journal_sync(struct moot_journal *journal)
{
    int flushed = moot__journal_flush(journal);
    if (flushed != MOOT_OK)
        return flushed;
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++) {
        int rc = moot__log_file_sync(&journal->logs[i]);
        if (rc != MOOT_OK)
            return moot__journal_fail(journal, rc, "cannot sync", (enum moot_journal_path)i);
    }
    return MOOT_OK;
}
