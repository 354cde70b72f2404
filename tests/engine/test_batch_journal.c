/* The journal: what a crash at any byte, an edit, a full disk or a second process may do to it. */
#include "tests/support/failing_alloc.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/batch/journal.h"

struct fixture {
    char folder[64];
    char input[96], output[96];
    struct moot_journal journal;
    struct moot_resume resume;
    struct moot_error_info info;
    struct moot_journal_options options;
};

static char *path_of(struct fixture *f, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static size_t read_file(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    size_t len = fread(out, 1, room - 1, file);
    out[len] = '\0';
    fclose(file);
    return len;
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    snprintf(f.folder, sizeof f.folder, "batch-journal-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    snprintf(f.input, sizeof f.input, "%s/in.jsonl", f.folder);
    snprintf(f.output, sizeof f.output, "%s/out.jsonl", f.folder);
    write_file(f.input, "{}", 2);
    f.options = (struct moot_journal_options){
        .input_path = f.input, .output_path = f.output, .config = "c0ffee", .wall_s = 1700000000};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {
        "in.jsonl",      "out.jsonl",          "out.errors.jsonl", "out.calls.jsonl",
        "out.moot.json", "out.summary.json",   "out.batch.json",   "out.jsonl.1",
        "out.jsonl.2",   "out.errors.jsonl.1",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < moot__countof(names); i++)
        unlink(path_of(f, names[i]));
    return rmdir(f->folder);
}

static int open_journal(struct fixture *f)
{
    return moot__journal_open(&f->journal, &f->options, &f->resume, &f->info);
}

static void close_journal(struct fixture *f)
{
    moot__journal_close(&f->journal);
    moot__resume_deinit(&f->resume);
}

/* `spelt` is the id in JSON. */
static int append_as(struct fixture *f, enum moot_journal_log log, const char *id,
                     const char *spelt)
{
    char line[256];
    struct moot_journal_entry entry = {.log = log, .key = moot__row_key(moot__view_str(id))};
    static const char *const rest[] = {
        [MOOT_JOURNAL_RESULTS] = "\"answer\":\"a\"",
        [MOOT_JOURNAL_ERRORS] = "\"error\":{},\"moot\":{\"error\":\"ETIMEDOUT\"}",
        [MOOT_JOURNAL_CALLS] = "\"step\":0,\"text\":\"t\"",
    };
    snprintf(line, sizeof line, "{\"id\":\"%s\",%s}\n", spelt, rest[log]);
    entry.line = moot__view_str(line);
    if (log == MOOT_JOURNAL_ERRORS)
        entry.facts.code = MOOT_ETIMEDOUT;
    int rc = moot__journal_append(&f->journal, &entry);
    return rc == MOOT_OK ? moot__journal_flush(&f->journal) : rc;
}

static int append(struct fixture *f, enum moot_journal_log log, const char *id)
{
    return append_as(f, log, id, id);
}

static bool is_done(struct fixture *f, const char *id)
{
    return moot__id_set_find(&f->resume.done, moot__row_key(moot__view_str(id))) != NULL;
}

static size_t known_calls(struct fixture *f, const char *id)
{
    struct moot_row row = {.key = moot__row_key(moot__view_str(id))};
    moot__arena_init(&row.arena, NULL, 1 << 16);
    assert_int_equal(moot__known_calls_give(&f->resume.calls, &row), MOOT_OK);
    moot__arena_deinit(&row.arena);
    return row.reply_count;
}

static void begin_some(struct fixture *f)
{
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_false(f->journal.resumed);
    assert_int_equal(append(f, MOOT_JOURNAL_CALLS, "a"), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_CALLS, "b"), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, "a"), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_ERRORS, "c"), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, "d"), MOOT_OK);
    assert_int_equal(moot__journal_sync(&f->journal), MOOT_OK);
    close_journal(f);
}

static void a_second_run_goes_on(void **state)
{
    struct fixture *f = *state;
    begin_some(f);
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_true(f->journal.resumed);
    assert_true(is_done(f, "a") && is_done(f, "c") && is_done(f, "d"));
    assert_false(is_done(f, "b"));
    assert_int_equal(known_calls(f, "a"), 0);
    assert_int_equal(known_calls(f, "b"), 1);
    assert_int_equal(f->journal.totals.succeeded, 2);
    assert_int_equal(f->journal.totals.failed_by_class[MOOT_CLASS_TIMEOUT], 1);
    close_journal(f);
}

static void failed_rows_are_tried_again_when_asked(void **state)
{
    struct fixture *f = *state;
    begin_some(f);
    f->options.retry_failed = true;
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_true(is_done(f, "a") && !is_done(f, "c"));
    assert_int_equal(f->journal.totals.failed, 0);
    close_journal(f);
}

/* Whatever was cut off at the end, all whole rows are kept and appending goes on cleanly. */
static void a_torn_tail_at_every_byte(void **state)
{
    struct fixture *f = *state;
    char text[512], now[512];
    begin_some(f);
    size_t len = read_file(f->output, text, sizeof text);
    size_t first = (size_t)(strchr(text, '\n') - text) + 1;
    for (size_t cut = 0; cut <= len; cut++) {
        write_file(f->output, text, cut);
        assert_int_equal(open_journal(f), MOOT_OK);
        assert_int_equal(is_done(f, "a"), cut >= first);
        assert_int_equal(is_done(f, "d"), cut == len);
        assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, "e"), MOOT_OK);
        close_journal(f);
        size_t kept = cut == len ? len : cut >= first ? first : 0;
        assert_int_equal(read_file(f->output, now, sizeof now),
                         kept + strlen("{\"id\":\"e\",\"answer\":\"a\"}\n"));
        assert_memory_equal(now, text, kept);
        assert_int_equal(open_journal(f), MOOT_OK);
        assert_true(is_done(f, "e"));
        close_journal(f);
    }
}

static void a_bad_line_in_the_middle_is_told(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "{\"id\":\"a\"}\n{\"id\":\n{\"id\":\"b\"}\n",
        "{\"id\":\"a\"}\n[]\n",
        "{\"id\":\"a\"}\n{\"answer\":\"b\"}\n",
    };
    begin_some(f);
    for (size_t i = 0; i < moot__countof(bad); i++) {
        write_file(f->output, bad[i], strlen(bad[i]));
        assert_int_equal(open_journal(f), MOOT_EINPUT);
        assert_int_equal(f->info.line, 2);
        assert_non_null(strstr(f->info.message, "out.jsonl, line 2"));
        moot__resume_deinit(&f->resume);
    }
}

static void changes_are_refused_unless_allowed(void **state)
{
    struct fixture *f = *state;
    begin_some(f);
    write_file(f->input, "{\"other\":1}", 11);
    assert_int_equal(open_journal(f), MOOT_ECHANGED);
    assert_non_null(strstr(f->info.message, "the input changed"));
    moot__resume_deinit(&f->resume);
    write_file(f->input, "{}", 2);
    f->options.config = "decaf";
    assert_int_equal(open_journal(f), MOOT_ECHANGED);
    assert_non_null(strstr(f->info.message, "the configuration changed"));
    moot__resume_deinit(&f->resume);
    f->options.allow_changes = true;
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_true(is_done(f, "a"));
    close_journal(f);
    f->options.allow_changes = false; /* what was allowed is now how it is */
    assert_int_equal(open_journal(f), MOOT_OK);
    close_journal(f);
    unlink(path_of(f, "out.moot.json"));
    assert_int_equal(open_journal(f), MOOT_ECHANGED);
    moot__resume_deinit(&f->resume);
}

static void fresh_renames_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    char before[512], after[512];
    begin_some(f);
    size_t len = read_file(f->output, before, sizeof before);
    write_file(path_of(f, "out.jsonl.1"), "mine", 4);
    f->options.fresh = true;
    f->options.config = "decaf";
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_false(f->journal.resumed);
    assert_false(is_done(f, "a"));
    assert_int_equal(known_calls(f, "b"), 0);
    close_journal(f);
    assert_int_equal(read_file(path_of(f, "out.jsonl.2"), after, sizeof after), len);
    assert_memory_equal(before, after, len);
    assert_int_equal(read_file(path_of(f, "out.jsonl.1"), after, sizeof after), 4);
    assert_true(read_file(path_of(f, "out.errors.jsonl.1"), after, sizeof after) > 0);
}

static void a_second_writer_is_refused(void **state)
{
    struct fixture *f = *state;
    struct moot_journal other;
    struct moot_resume resume;
    struct moot_error_info info;
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_int_equal(moot__journal_open(&other, &f->options, &resume, &info), MOOT_EBUSY);
    moot__resume_deinit(&resume);
    close_journal(f);
}

static void input_is_never_output(void **state)
{
    struct fixture *f = *state;
    f->options.input_path = f->output;
    write_file(f->output, "{\"prompt\":\"q\"}\n", 15);
    assert_int_equal(open_journal(f), MOOT_EINPUT);
    moot__resume_deinit(&f->resume);
    f->options.input_path = path_of(f, "missing");
    unlink(f->output);
    assert_int_equal(open_journal(f), MOOT_ENOTFOUND);
    moot__resume_deinit(&f->resume);
}

/* RLIMIT_FSIZE is the full disk that every user can make: a short write, then an error. */
static void a_write_that_fails_leaves_whole_lines(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, small;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    char text[512];
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, "a"), MOOT_OK);
    size_t len = read_file(f->output, text, sizeof text);
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &before), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = len + 5;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = append(f, MOOT_JOURNAL_RESULTS, "b");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    sigaction(SIGXFSZ, &before, NULL);
    assert_int_equal(rc, MOOT_EIO);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, "c"), MOOT_EIO); /* it sticks */
    assert_int_equal(moot__journal_sync(&f->journal), MOOT_EIO);
    assert_int_equal(f->journal.totals.succeeded, 1);
    close_journal(f);
    assert_int_equal(read_file(f->output, text, sizeof text), len);
}

/* Of a group of rows that the disk has no room for, those that fit are done. */
static void a_group_that_fails_leaves_what_fitted(void **state)
{
    struct fixture *f = *state;
    struct moot_log_file *file = &f->journal.logs[MOOT_JOURNAL_RESULTS];
    struct rlimit old, small;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    char text[512];
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &before), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 12;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = moot__log_file_append(file, MOOT_VIEW("one\ntwo\nthree\nfour\n"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    sigaction(SIGXFSZ, &before, NULL);
    assert_int_equal(rc, MOOT_EIO);
    assert_int_equal(file->bytes, 8);
    close_journal(f);
    assert_int_equal(read_file(f->output, text, sizeof text), 8);
    assert_memory_equal(text, "one\ntwo\n", 8);
}

static void lines_wait_for_a_flush(void **state)
{
    struct fixture *f = *state;
    char text[64];
    const size_t small = 9;
    static char line[1 << 16];
    struct moot_journal_entry entry = {.log = MOOT_JOURNAL_RESULTS,
                                       .line = MOOT_VIEW("{\"id\":1}\n")};
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_int_equal(moot__journal_append(&f->journal, &entry), MOOT_OK);
    assert_int_equal(read_file(f->output, text, sizeof text), 0);
    assert_int_equal(f->journal.totals.succeeded, 0);
    assert_int_equal(moot__journal_flush(&f->journal), MOOT_OK);
    assert_int_equal(read_file(f->output, text, sizeof text), entry.line.len);
    assert_int_equal(f->journal.totals.succeeded, 1);
    /* One that does not fit beside what waits sends that on its way. */
    assert_int_equal(moot__journal_append(&f->journal, &entry), MOOT_OK);
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    entry.line = moot__view(line, sizeof line);
    assert_int_equal(moot__journal_append(&f->journal, &entry), MOOT_OK);
    assert_int_equal(read_file(f->output, text, sizeof text), 2 * small);
    assert_int_equal(moot__journal_flush(&f->journal), MOOT_OK);
    assert_int_equal(f->journal.logs[MOOT_JOURNAL_RESULTS].bytes, 2 * small + sizeof line);
    close_journal(f);
}

static void the_side_file_is_cleaned_and_goes(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    assert_int_equal(open_journal(f), MOOT_OK);
    f->journal.compact_at_bytes = 400;
    assert_int_equal(append(f, MOOT_JOURNAL_CALLS, "stays"), MOOT_OK);
    for (unsigned i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%u", i);
        assert_int_equal(append(f, MOOT_JOURNAL_CALLS, id), MOOT_OK);
        assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, id), MOOT_OK);
        assert_true(f->journal.logs[MOOT_JOURNAL_CALLS].bytes <= 450);
    }
    assert_int_equal(f->journal.open_rows.count, 1);
    assert_true(read_file(path_of(f, "out.calls.jsonl"), text, sizeof text) < 450);
    close_journal(f);
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_int_equal(known_calls(f, "stays"), 1);
    assert_int_equal(f->resume.done.count, 200);
    struct moot_journal_ending ending = {.status = "completed",
                                         .endpoint = "/v1",
                                         .input_path = f->input,
                                         .input_hash = "",
                                         .wall_s = 1700000100,
                                         .complete = true};
    assert_int_equal(moot__journal_finish(&f->journal, &ending), MOOT_OK);
    close_journal(f);
    assert_int_equal(access(path_of(f, "out.calls.jsonl"), F_OK), -1);
    assert_true(read_file(path_of(f, "out.batch.json"), text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"request_counts\":{\"total\":200,\"completed\":200,"
                                 "\"failed\":0}"));
    assert_non_null(strstr(text, "\"completed_at\":1700000100"));
    assert_true(read_file(path_of(f, "out.summary.json"), text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"rows\":{\"total\":200,\"succeeded\":200,"));
}

static void whatever_ids_look_like_the_side_file_keeps_theirs(void **state)
{
    struct fixture *f = *state;
    static const char *const stay[][2] = {{"plain", "plain"}, {"a \"b\"", "a \\\"b\\\""},
                                          {"a\\b", "a\\\\b"}, {"\xC3\xA9", "\xC3\xA9"},
                                          {"\n", "\\n"},      {"\xC3\xA8", "\\u00e8"}};
    static const char *const end[][2] = {{"plai", "plai"}, {"a \"b", "a \\\"b"},
                                         {"a\\", "a\\\\"}, {"\xC3\xAA", "\xC3\xAA"},
                                         {"\t", "\\t"},    {"a ", "a "}};
    char text[4096];
    assert_int_equal(open_journal(f), MOOT_OK);
    for (size_t i = 0; i < moot__countof(stay); i++) {
        assert_int_equal(append_as(f, MOOT_JOURNAL_CALLS, stay[i][0], stay[i][1]), MOOT_OK);
        assert_int_equal(append_as(f, MOOT_JOURNAL_CALLS, end[i][0], end[i][1]), MOOT_OK);
        assert_int_equal(append_as(f, MOOT_JOURNAL_RESULTS, end[i][0], end[i][1]), MOOT_OK);
    }
    assert_int_equal(moot__journal_flush(&f->journal), MOOT_OK);
    assert_int_equal(moot__journal_compact_calls(&f->journal), MOOT_OK);
    size_t lines = 0, len = read_file(path_of(f, "out.calls.jsonl"), text, sizeof text);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, moot__countof(stay));
    close_journal(f);
    assert_int_equal(open_journal(f), MOOT_OK);
    for (size_t i = 0; i < moot__countof(stay); i++)
        assert_int_equal(known_calls(f, stay[i][0]), 1);
    close_journal(f);
}

static void no_memory_leaks_nothing(void **state)
{
    struct fixture *f = *state;
    begin_some(f);
    for (size_t fail_at = 1;; fail_at++) {
        struct moot_failing_alloc memory;
        moot__failing_alloc_init(&memory, fail_at);
        f->options.allocator = &memory.allocator;
        int rc = open_journal(f);
        bool failed = moot__failing_alloc_failed(&memory);
        assert_int_equal(rc, failed ? MOOT_ENOMEM : MOOT_OK);
        close_journal(f);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!failed)
            break;
    }
    f->options.allocator = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_run_goes_on),
        TEST(failed_rows_are_tried_again_when_asked),
        TEST(a_torn_tail_at_every_byte),
        TEST(a_bad_line_in_the_middle_is_told),
        TEST(changes_are_refused_unless_allowed),
        TEST(fresh_renames_and_loses_nothing),
        TEST(a_second_writer_is_refused),
        TEST(input_is_never_output),
        TEST(a_write_that_fails_leaves_whole_lines),
        TEST(a_group_that_fails_leaves_what_fitted),
        TEST(lines_wait_for_a_flush),
        TEST(the_side_file_is_cleaned_and_goes),
        TEST(whatever_ids_look_like_the_side_file_keeps_theirs),
        TEST(no_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
