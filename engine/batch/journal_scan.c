/* Reading the journal's files back: at the start of a run, and to clean up the side file. Every
 * line is read whole: a bad one in the middle is somebody's edit or a broken disk, and is told, not
 * skipped. */
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "journal.h"
#include "lines.h"

/* Results echo their rows. */
enum { LINE_BYTES_MAX = 2 * MOOT_LIMIT_ROW_BYTES, ARENA_BYTES_MAX = 4 * LINE_BYTES_MAX };

struct scan {
    struct moot_journal *journal;
    struct moot_resume *resume;
    struct moot_lines lines;
    struct moot_arena arena;
    const struct moot_json *root;
    struct moot_line line;
};

/* The next whole line and its tree. MOOT_ENOTFOUND at the end, or at a last line that was torn. */
static int next(struct scan *scan, const char *path, struct moot_error_info *info)
{
    struct moot_json_error error = {0};
    scan->root = NULL;
    int rc = moot__lines_next(&scan->lines, &scan->line);
    if (rc == MOOT_ENOTFOUND || (rc == MOOT_OK && !scan->line.has_newline))
        return MOOT_ENOTFOUND;
    if (rc == MOOT_ELIMIT && !scan->line.has_newline)
        return MOOT_ENOTFOUND;
    if (rc == MOOT_ELIMIT)
        return moot__fail_at(info, MOOT_EINPUT, scan->line.number, 1, "%s, line %u: too long", path,
                             scan->line.number);
    if (rc != MOOT_OK)
        return moot__fail(info, rc, MOOT_PHASE_NONE, "cannot read %s: %s", path,
                          moot_error_text(rc));
    moot__arena_reset(&scan->arena);
    if (scan->line.text.len == 0)
        return MOOT_OK;
    rc = moot__json_read(&scan->arena, scan->line.text, NULL, &scan->root, &error);
    if (rc != MOOT_OK && rc != MOOT_ENOMEM)
        return moot__fail_at(info, MOOT_EINPUT, scan->line.number, error.column,
                             "%s, line %u: %s; mend or delete the line, or use --fresh", path,
                             scan->line.number, error.reason);
    return rc;
}

static int not_a_row(struct scan *scan, const char *path, struct moot_error_info *info)
{
    return moot__fail_at(info, MOOT_EINPUT, scan->line.number, 1,
                         "%s, line %u: not a row with an id; mend or delete the line, or use "
                         "--fresh",
                         path, scan->line.number);
}

static int take_row(struct scan *scan, enum moot_journal_log log, struct moot_error_info *info)
{
    struct moot_hash key;
    struct moot_row_facts facts;
    if (!moot__row_recall(scan->root, &key, &facts))
        return not_a_row(scan, scan->journal->paths[log], info);
    if (log == MOOT_JOURNAL_ERRORS && facts.code == MOOT_OK)
        facts.code = MOOT_EPROVIDER;
    size_t before = scan->resume->done.count;
    int rc = moot__id_set_add(&scan->resume->done, key, 0);
    if (rc == MOOT_OK && scan->resume->done.count > before)
        moot__totals_add(&scan->journal->totals, &facts);
    return rc;
}

static int take_call(struct scan *scan, struct moot_error_info *info)
{
    int rc = MOOT_OK;
    struct moot_hash key = moot__row_key(moot__json_text(scan->root, "id"));
    if (moot__id_set_find(&scan->resume->done, key))
        return MOOT_OK;
    if (!moot__known_calls_add(&scan->resume->calls, scan->root, &rc))
        return not_a_row(scan, scan->journal->paths[MOOT_JOURNAL_CALLS], info);
    return rc == MOOT_OK ? moot__id_set_add(&scan->journal->open_rows, key, 0) : rc;
}

static int scan_log(struct scan *scan, enum moot_journal_log log, struct moot_error_info *info)
{
    struct moot_journal *journal = scan->journal;
    struct moot_log_file *file = &journal->logs[log];
    if (journal->disk->ops->seek(journal->disk, file->fd, 0) != 0)
        return MOOT_EIO;
    moot__lines_init(&scan->lines, journal->allocator, journal->disk, file->fd, LINE_BYTES_MAX);
    uint64_t good = 0;
    int rc;
    while ((rc = next(scan, journal->paths[log], info)) == MOOT_OK) {
        if (scan->root)
            rc = log == MOOT_JOURNAL_CALLS ? take_call(scan, info) : take_row(scan, log, info);
        if (rc != MOOT_OK)
            break;
        good = moot__lines_offset(&scan->lines);
    }
    moot__lines_deinit(&scan->lines);
    if (rc != MOOT_ENOTFOUND)
        return rc;
    journal->resumed = journal->resumed || good > 0;
    return moot__log_file_cut(file, good);
}

int moot__journal_scan(struct moot_journal *journal, struct moot_resume *resume,
                       struct moot_error_info *info)
{
    struct scan scan = {.journal = journal, .resume = resume};
    moot__arena_init(&scan.arena, journal->allocator, ARENA_BYTES_MAX);
    int rc = MOOT_OK;
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS && rc == MOOT_OK; i++)
        rc = scan_log(&scan, (enum moot_journal_log)i, info);
    moot__arena_deinit(&scan.arena);
    return rc;
}

/* Copy the lines of unfinished rows. */
static int copy_open_rows(struct scan *scan, struct moot_log_file *to)
{
    struct moot_error_info ignored;
    struct moot_buf line;
    int rc;
    moot__buf_init(&line, scan->journal->allocator, LINE_BYTES_MAX + 1);
    while ((rc = next(scan, "", &ignored)) == MOOT_OK) {
        struct moot_hash key = moot__row_key(moot__json_text(scan->root, "id"));
        if (!scan->root || !moot__id_set_find(&scan->journal->open_rows, key))
            continue;
        moot__buf_reset(&line);
        rc = moot__buf_append_view(&line, scan->line.text);
        if (rc == MOOT_OK)
            rc = moot__buf_append_byte(&line, '\n');
        if (rc == MOOT_OK)
            rc = moot__log_file_append(to, moot__buf_view(&line));
        if (rc != MOOT_OK)
            break;
    }
    moot__buf_deinit(&line);
    return rc == MOOT_ENOTFOUND ? moot__log_file_sync(to) : rc;
}

static int rewrite_calls(struct moot_journal *journal, const char *temporary)
{
    const struct moot_disk *disk = journal->disk;
    struct moot_log_file *calls = &journal->logs[MOOT_JOURNAL_CALLS];
    struct moot_log_file fresh = {.fd = -1};
    struct scan scan = {.journal = journal};
    disk->ops->unlink(disk, temporary);
    int rc = moot__log_file_open(&fresh, disk, temporary, NULL);
    if (rc == MOOT_OK && disk->ops->seek(disk, calls->fd, 0) != 0)
        rc = MOOT_EIO;
    moot__arena_init(&scan.arena, journal->allocator, ARENA_BYTES_MAX);
    moot__lines_init(&scan.lines, journal->allocator, disk, calls->fd, LINE_BYTES_MAX);
    if (rc == MOOT_OK)
        rc = copy_open_rows(&scan, &fresh);
    moot__lines_deinit(&scan.lines);
    moot__arena_deinit(&scan.arena);
    if (rc == MOOT_OK && disk->ops->rename(disk, temporary, journal->paths[MOOT_PATH_CALLS]) != 0)
        rc = MOOT_EIO;
    if (rc != MOOT_OK) {
        moot__log_file_close(&fresh);
        disk->ops->unlink(disk, temporary);
        return rc;
    }
    moot__log_file_close(calls);
    *calls = fresh;
    return moot__file_sync_folder(disk, journal->paths[MOOT_PATH_CALLS]);
}

int moot__journal_compact_calls(struct moot_journal *journal)
{
    const char *path = journal->paths[MOOT_PATH_CALLS];
    size_t room = strlen(path) + sizeof ".tmp";
    char *temporary = moot__alloc(journal->allocator, room);
    int rc = MOOT_ENOMEM;
    if (temporary) {
        snprintf(temporary, room, "%s.tmp", path);
        rc = rewrite_calls(journal, temporary);
    }
    moot__free(journal->allocator, temporary);
    if (rc != MOOT_OK)
        return moot__journal_fail(journal, rc, "cannot rewrite", MOOT_PATH_CALLS);
    uint64_t twice = 2 * journal->logs[MOOT_JOURNAL_CALLS].bytes;
    if (journal->compact_at_bytes < twice)
        journal->compact_at_bytes = twice;
    return MOOT_OK;
}
