/* Reading the journal's files back: at the start of a run, and to clean up the side file. Every
 * line is read whole: a bad one in the middle is somebody's edit or a broken disk, and is told, not
 * skipped.
 *
 * But for zeros. When the power fails, of what was not synced a later block may be on the disk and
 * an earlier one not, in whose place there are zeros; none of ours has a zero byte in it. Lines
 * that have are left out, their rows are asked again, and the file is written anew without them.
 * Before anything is appended the file is synced: what comes behind the end is always new, so that
 * nothing but zeros can be in a gap. */
#include <stdio.h>
#include <string.h>

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
    bool (*keep)(struct scan *scan); /* while copying: this line */
    unsigned damaged;                /* lines that were passed over */
};

static bool is_damaged(struct moot_view text)
{
    return text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL;
}

/* The next line that is not damaged. */
static int next_line(struct scan *scan)
{
    int rc;
    while ((rc = moot__lines_next(&scan->lines, &scan->line)) == MOOT_OK &&
           is_damaged(scan->line.text) && scan->line.has_newline)
        scan->damaged++;
    return rc;
}

/* The next whole line. MOOT_ENOTFOUND at the end, or at a last line that was torn. */
static int next_whole(struct scan *scan)
{
    int rc = next_line(scan);
    bool is_torn = (rc == MOOT_OK || rc == MOOT_ELIMIT) && !scan->line.has_newline;
    return is_torn ? MOOT_ENOTFOUND : rc;
}

/* And its tree. */
static int next(struct scan *scan, const char *path, struct moot_error_info *info)
{
    struct moot_json_error error = {0};
    scan->root = NULL;
    int rc = next_whole(scan);
    if (rc == MOOT_ENOTFOUND)
        return rc;
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

/* ---- Without some of its lines ---- */

static bool is_any(struct scan *scan)
{
    return scan->line.text.len > 0;
}

/* The id where moot__call_write puts it, at the very front and mostly without an escape. */
static bool find_id(struct moot_view line, struct moot_view *id)
{
    const struct moot_view front = MOOT_VIEW("{\"id\":\"");
    if (!moot__view_starts(line, front))
        return false;
    const char *begin = line.ptr + front.len;
    const char *end = memchr(begin, '"', line.len - front.len);
    if (!end || memchr(begin, '\\', (size_t)(end - begin)))
        return false;
    *id = moot__view(begin, (size_t)(end - begin));
    return true;
}

/* The loop waits while the side file is cleaned up, and a tree of each answer would take most of
 * that time. What cannot be read stays: the next run says what is wrong with it. */
static bool is_of_open_row(struct scan *scan)
{
    struct moot_json_error error;
    struct moot_view id;
    if (scan->line.text.len == 0)
        return false;
    if (!find_id(scan->line.text, &id)) {
        moot__arena_reset(&scan->arena);
        if (moot__json_read(&scan->arena, scan->line.text, NULL, &scan->root, &error) != MOOT_OK)
            return true;
        id = moot__json_text(scan->root, "id");
    }
    return moot__id_set_find(&scan->journal->open_rows, moot__row_key(id));
}

static int copy_lines(struct scan *scan, struct moot_log_file *to)
{
    struct moot_buf line;
    int rc;
    moot__buf_init(&line, scan->journal->allocator, LINE_BYTES_MAX + 1);
    while ((rc = next_whole(scan)) == MOOT_OK) {
        if (!scan->keep(scan))
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

/* Copy from one to the other; the lock goes with the results' name. */
static int copy_log(struct scan *scan, enum moot_journal_log log, struct moot_log_file *to)
{
    struct moot_journal *journal = scan->journal;
    const struct moot_disk *disk = journal->disk;
    int from = journal->logs[log].fd;
    int error = log == MOOT_JOURNAL_RESULTS ? disk->ops->lock(disk, to->fd) : 0;
    if (error == 0)
        error = disk->ops->seek(disk, from, 0);
    if (error != 0)
        return moot__file_error(error);
    moot__arena_init(&scan->arena, journal->allocator, ARENA_BYTES_MAX);
    moot__lines_init(&scan->lines, journal->allocator, disk, from, LINE_BYTES_MAX);
    int rc = copy_lines(scan, to);
    moot__lines_deinit(&scan->lines);
    moot__arena_deinit(&scan->arena);
    return rc;
}

static int replace_log(struct scan *scan, enum moot_journal_log log, const char *temporary)
{
    struct moot_journal *journal = scan->journal;
    const struct moot_disk *disk = journal->disk;
    const char *path = journal->paths[log];
    struct moot_log_file fresh;
    disk->ops->unlink(disk, temporary);
    int rc = moot__log_file_open(&fresh, disk, temporary, NULL);
    if (rc != MOOT_OK)
        return rc;
    rc = copy_log(scan, log, &fresh);
    if (rc == MOOT_OK) {
        int error = disk->ops->rename(disk, temporary, path);
        rc = error == 0 ? MOOT_OK : moot__file_error(error);
    }
    if (rc != MOOT_OK) {
        moot__log_file_close(&fresh);
        disk->ops->unlink(disk, temporary);
        return rc;
    }
    moot__log_file_close(&journal->logs[log]);
    journal->logs[log] = fresh;
    return moot__file_sync_folder(disk, path);
}

/* Write a log anew with those of its lines that are to be kept. Either the old one is there, or the
 * new one. */
static int rewrite_log(struct moot_journal *journal, enum moot_journal_log log,
                       bool (*keep)(struct scan *scan))
{
    const char *path = journal->paths[log];
    size_t room = strlen(path) + sizeof ".tmp";
    char *temporary = moot__alloc(journal->allocator, room);
    struct scan scan = {.journal = journal, .keep = keep};
    if (!temporary)
        return MOOT_ENOMEM;
    snprintf(temporary, room, "%s.tmp", path);
    int rc = replace_log(&scan, log, temporary);
    moot__free(journal->allocator, temporary);
    return rc;
}

int moot__journal_compact_calls(struct moot_journal *journal)
{
    int rc = rewrite_log(journal, MOOT_JOURNAL_CALLS, is_of_open_row);
    if (rc != MOOT_OK)
        return moot__journal_fail(journal, rc, "cannot rewrite", MOOT_PATH_CALLS);
    uint64_t twice = 2 * journal->logs[MOOT_JOURNAL_CALLS].bytes;
    if (journal->compact_at_bytes < twice)
        journal->compact_at_bytes = twice;
    return MOOT_OK;
}

/* ---- All of them ---- */

static int scan_log(struct scan *scan, enum moot_journal_log log, struct moot_error_info *info)
{
    struct moot_journal *journal = scan->journal;
    struct moot_log_file *file = &journal->logs[log];
    if (journal->disk->ops->seek(journal->disk, file->fd, 0) != 0)
        return MOOT_EIO;
    moot__lines_init(&scan->lines, journal->allocator, journal->disk, file->fd, LINE_BYTES_MAX);
    uint64_t good = 0;
    int rc;
    scan->damaged = 0;
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
    journal->damaged_lines += scan->damaged;
    rc = scan->damaged > 0 ? rewrite_log(journal, log, is_any) : moot__log_file_cut(file, good);
    if (rc == MOOT_OK)
        rc = moot__log_file_sync(file);
    return rc == MOOT_OK ? rc
                         : moot__fail(info, rc, MOOT_PHASE_NONE, "cannot mend %s: %s",
                                      journal->paths[log], moot_error_text(rc));
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
