/* The small files beside the rows: what the run was begun with, and what came of it. */
#include <moot/version.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "journal.h"

enum { REPORT_BYTES_MAX = 1 << 20 };

static int changed(struct moot_error_info *info, const char *what, const char *path)
{
    return moot__fail(info, MOOT_ECHANGED, MOOT_PHASE_NONE,
                      "%s changed since %s was begun: choose another output, start over with "
                      "--fresh (the old file is renamed), or go on with --allow-changes",
                      what, path);
}

static int compare(const struct moot_json *manifest, const struct moot_file_print *input,
                   const struct moot_journal_options *options, struct moot_error_info *info)
{
    const struct moot_json *was = moot__json_get(manifest, "input");
    struct moot_view hash = moot__json_text(was, "fingerprint");
    uint64_t bytes = 0;
    moot__json_u64(moot__json_get(was, "bytes"), &bytes);
    if (input->is_known && hash.len > 0 &&
        (bytes != input->bytes || !moot__view_is(hash, input->hash)))
        return changed(info, "the input", options->output_path);
    if (!moot__view_is(moot__json_text(manifest, "config"), options->config))
        return changed(info, "the configuration", options->output_path);
    return MOOT_OK;
}

static int write_manifest(struct moot_journal *journal, const struct moot_file_print *input,
                          const struct moot_journal_options *options, struct moot_error_info *info)
{
    struct moot_buf buf;
    struct moot_json_writer w;
    moot__buf_init(&buf, journal->allocator, REPORT_BYTES_MAX);
    moot__json_write_init(&w, &buf);
    moot__json_write_object_begin(&w);
    moot__json_write_member_str(&w, "moot", MOOT_VERSION_STRING);
    moot__json_write_member_u64(&w, "created_at", journal->created_wall_s);
    moot__json_write_member_object_begin(&w, "input");
    moot__json_write_member_str(&w, "path", options->input_path);
    if (input->is_known) {
        moot__json_write_member_u64(&w, "bytes", input->bytes);
        moot__json_write_member_str(&w, "fingerprint", input->hash);
    }
    moot__json_write_object_end(&w);
    moot__json_write_member_str(&w, "config", options->config);
    moot__json_write_object_end(&w);
    int rc = moot__json_write_finish(&w);
    if (rc == MOOT_OK)
        rc = moot__buf_append_byte(&buf, '\n');
    if (rc == MOOT_OK)
        rc = moot__file_replace(journal->disk, journal->allocator,
                                journal->paths[MOOT_PATH_MANIFEST], moot__buf_view(&buf), info);
    moot__buf_deinit(&buf);
    if (rc == MOOT_OK)
        return MOOT_OK;
    const struct moot_error_info why = *info;
    return moot__fail(info, rc, MOOT_PHASE_NONE,
                      "%s; nothing was asked, run the same command again when it is mended",
                      why.message[0] ? why.message : moot_error_text(rc));
}

int moot__journal_check_manifest(struct moot_journal *journal,
                                 const struct moot_journal_options *options,
                                 struct moot_error_info *info)
{
    struct moot_file_print input;
    struct moot_buf text;
    struct moot_arena arena;
    const struct moot_json *manifest = NULL;
    const char *path = journal->paths[MOOT_PATH_MANIFEST];
    int rc = moot__file_print(journal->disk, journal->allocator, options->input_path, &input, info);
    if (rc != MOOT_OK)
        return rc;
    moot__buf_init(&text, journal->allocator, REPORT_BYTES_MAX);
    moot__arena_init(&arena, journal->allocator, 8 * REPORT_BYTES_MAX);
    rc = moot__file_read(journal->disk, path, &text);
    bool is_unread = rc != MOOT_OK && rc != MOOT_ENOTFOUND && rc != MOOT_ELIMIT;
    if (rc == MOOT_OK)
        rc = moot__json_read(&arena, moot__buf_view(&text), NULL, &manifest, NULL);
    bool is_there = rc != MOOT_ENOTFOUND;
    if (is_unread)
        rc = moot__fail(info, rc, MOOT_PHASE_NONE, "cannot read %s: %s", path, moot_error_text(rc));
    else if (rc == MOOT_OK)
        rc = compare(manifest, &input, options, info);
    else if (rc == MOOT_ENOTFOUND && journal->logs[MOOT_JOURNAL_RESULTS].bytes == 0)
        rc = MOOT_OK;
    else if (rc != MOOT_ENOMEM)
        rc = moot__fail(info, MOOT_ECHANGED, MOOT_PHASE_NONE,
                        "%s is there, but %s, which tells what it was begun with, is %s: choose "
                        "another output, or use --fresh or --allow-changes",
                        options->output_path, path, is_there ? "broken" : "not");
    uint64_t created = 0;
    if (moot__json_u64(moot__json_get(manifest, "created_at"), &created))
        journal->created_wall_s = created;
    bool is_same = rc == MOOT_OK && manifest;
    if (rc == MOOT_ECHANGED && options->allow_changes)
        rc = MOOT_OK;
    if (rc == MOOT_OK && !is_same)
        rc = write_manifest(journal, &input, options, info);
    moot__arena_deinit(&arena);
    moot__buf_deinit(&text);
    return rc;
}

static void write_summary(struct moot_journal *journal, const struct moot_journal_ending *ending,
                          struct moot_json_writer *w)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "moot", MOOT_VERSION_STRING);
    moot__json_write_member_str(w, "status", ending->status);
    moot__json_write_member_u64(w, "began_at", journal->created_wall_s);
    moot__json_write_member_u64(w, "ended_at", ending->wall_s);
    moot__json_write_member_double(w, "last_run_seconds",
                                   (double)ending->took_ns / (double)MOOT_NS_PER_S);
    moot__json_write_member_u64(w, "last_run_throttled", ending->throttled);
    if (journal->damaged_lines > 0)
        moot__json_write_member_u64(w, "last_run_damaged_lines", journal->damaged_lines);
    if (ending->input_hash[0])
        moot__json_write_member_str(w, "input_hash", ending->input_hash);
    moot__totals_write(&journal->totals, w);
    moot__json_write_object_end(w);
}

static void write_time(struct moot_json_writer *w, const char *key, const char *status,
                       const char *wanted, uint64_t wall_s)
{
    if (strcmp(status, wanted) == 0)
        moot__json_write_member_u64(w, key, wall_s);
    else
        moot__json_write_member_null(w, key);
}

static void write_batch(struct moot_journal *journal, const struct moot_journal_ending *ending,
                        struct moot_json_writer *w)
{
    const struct moot_totals *totals = &journal->totals;
    char id[] = "batch_00000000000000000000000000000000", hash[33];
    moot__hash_text(moot__hash(moot__view_str(journal->paths[MOOT_PATH_RESULTS])), hash);
    memcpy(id + strlen("batch_"), hash, 32);
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "id", id);
    moot__json_write_member_str(w, "object", "batch");
    moot__json_write_member_str(w, "endpoint", ending->endpoint);
    moot__json_write_member_null(w, "errors");
    moot__json_write_member_str(w, "input_file_id", ending->input_path);
    moot__json_write_member_str(w, "completion_window", "24h");
    moot__json_write_member_str(w, "status", ending->status);
    moot__json_write_member_str(w, "output_file_id", journal->paths[MOOT_PATH_RESULTS]);
    if (totals->failed > 0)
        moot__json_write_member_str(w, "error_file_id", journal->paths[MOOT_PATH_ERRORS]);
    else
        moot__json_write_member_null(w, "error_file_id");
    moot__json_write_member_u64(w, "created_at", journal->created_wall_s);
    moot__json_write_member_u64(w, "in_progress_at", journal->created_wall_s);
    write_time(w, "completed_at", ending->status, "completed", ending->wall_s);
    write_time(w, "failed_at", ending->status, "failed", ending->wall_s);
    write_time(w, "cancelled_at", ending->status, "cancelled", ending->wall_s);
    moot__json_write_member_object_begin(w, "request_counts");
    moot__json_write_member_u64(w, "total", totals->succeeded + totals->failed);
    moot__json_write_member_u64(w, "completed", totals->succeeded);
    moot__json_write_member_u64(w, "failed", totals->failed);
    moot__json_write_object_end(w);
    moot__json_write_member_object_begin(w, "usage");
    moot__json_write_member_u64(w, "input_tokens", totals->input_tokens);
    moot__json_write_member_u64(w, "output_tokens", totals->output_tokens);
    moot__json_write_member_u64(w, "total_tokens", totals->input_tokens + totals->output_tokens);
    moot__json_write_object_end(w);
    moot__json_write_member_null(w, "metadata");
    moot__json_write_object_end(w);
}

static int write_report(struct moot_journal *journal, const struct moot_journal_ending *ending,
                        enum moot_journal_path path)
{
    struct moot_buf buf;
    struct moot_json_writer w;
    moot__buf_init(&buf, journal->allocator, REPORT_BYTES_MAX);
    moot__json_write_init(&w, &buf);
    if (path == MOOT_PATH_SUMMARY)
        write_summary(journal, ending, &w);
    else
        write_batch(journal, ending, &w);
    int rc = moot__json_write_finish(&w);
    if (rc == MOOT_OK)
        rc = moot__buf_append_byte(&buf, '\n');
    if (rc == MOOT_OK)
        rc = moot__file_replace(journal->disk, journal->allocator, journal->paths[path],
                                moot__buf_view(&buf), NULL);
    moot__buf_deinit(&buf);
    return rc == MOOT_OK ? rc : moot__journal_fail(journal, rc, "cannot write", path);
}

int moot__journal_finish(struct moot_journal *journal, const struct moot_journal_ending *ending)
{
    int rc = moot__journal_sync(journal);
    if (rc == MOOT_OK)
        rc = write_report(journal, ending, MOOT_PATH_SUMMARY);
    if (rc == MOOT_OK)
        rc = write_report(journal, ending, MOOT_PATH_BATCH);
    if (rc == MOOT_OK && ending->complete)
        journal->disk->ops->unlink(journal->disk, journal->paths[MOOT_PATH_CALLS]);
    return rc;
}
