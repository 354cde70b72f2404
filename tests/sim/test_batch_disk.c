/* The journal on a disk that fails, or whose power was cut: what worlds of moot-sim-batch found,
 * one by one. */
#include "tests/support/failing_alloc.h"
#include "tests/support/test.h"

#include <string.h>

#include "disk_sim.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/batch/journal.h"
#include "engine/batch/syncer.h"

#define RESULTS              "out.jsonl"
#define CALLS                "out.calls.jsonl"
#define LINE(id)             "{\"id\":\"" id "\",\"answer\":\"x\",\"moot\":{\"calls\":1}}\n"
#define CALL(id, step, text) "{\"id\":\"" id "\",\"step\":" step ",\"text\":\"" text "\"}\n"

struct fixture {
    struct moot_failing_alloc memory;
    struct moot_disk_sim *sim;
    struct moot_journal journal;
    struct moot_resume resume;
    struct moot_error_info info;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    moot__failing_alloc_init(&f.memory, 0);
    const struct moot_disk_sim_options options = {.seed = 1, .allocator = &f.memory.allocator};
    assert_int_equal(moot__disk_sim_new(&options, &f.sim), MOOT_OK);
    assert_int_equal(moot__disk_sim_put(f.sim, "in.jsonl", MOOT_VIEW("{}\n")), MOOT_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    moot__disk_sim_free(f->sim);
    assert_int_equal(moot__failing_alloc_live(&f->memory), 0);
    return 0;
}

static int open_journal(struct fixture *f)
{
    const struct moot_journal_options options = {
        .allocator = &f->memory.allocator,
        .disk = moot__disk_sim_face(f->sim),
        .input_path = "in.jsonl",
        .output_path = RESULTS,
        .config = "c",
    };
    return moot__journal_open(&f->journal, &options, &f->resume, &f->info);
}

static void close_journal(struct fixture *f)
{
    moot__journal_close(&f->journal);
    moot__resume_deinit(&f->resume);
    assert_int_equal(moot__disk_sim_handles(f->sim), 0);
}

/* As a run before has left it. */
static void put(struct fixture *f, const char *name, struct moot_view text)
{
    assert_int_equal(open_journal(f), MOOT_OK); /* for the manifest */
    close_journal(f);
    assert_int_equal(moot__disk_sim_put(f->sim, name, text), MOOT_OK);
}

static int append(struct fixture *f, enum moot_journal_log log, struct moot_view line)
{
    const struct moot_journal_entry entry = {.log = log, .line = line};
    int rc = moot__journal_append(&f->journal, &entry);
    return rc == MOOT_OK ? moot__journal_flush(&f->journal) : rc;
}

static void assert_file(struct fixture *f, const char *name, const char *text)
{
    struct moot_view view;
    assert_true(moot__disk_sim_get(f->sim, name, &view));
    assert_view(view, text);
}

static void assert_synced(struct fixture *f, const char *name, const char *text)
{
    struct moot_view view;
    assert_true(moot__disk_sim_get_synced(f->sim, name, &view));
    assert_view(view, text);
}

static bool is_done(struct fixture *f, const char *id)
{
    return moot__id_set_find(&f->resume.done, moot__row_key(moot__view_str(id))) != NULL;
}

static void set_faults(struct fixture *f, const struct moot_disk_sim_faults *faults)
{
    moot__disk_sim_set_faults(f->sim, faults);
}

static const struct moot_disk_sim_faults none = {0};

static void a_gap_of_zeros_is_left_out(void **state)
{
    struct fixture *f = *state;
    static const char text[] = LINE("a") "{\"id\":\"b\",\0\0\0\0\0\0\0\"}}\n" LINE("c") "\0\0\0";
    put(f, RESULTS, moot__view(text, sizeof text - 1));
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_true(is_done(f, "a") && is_done(f, "c"));
    assert_false(is_done(f, "b"));
    assert_int_equal(f->journal.totals.succeeded, 2);
    assert_int_equal(f->journal.damaged_lines, 1);
    assert_file(f, RESULTS, LINE("a") LINE("c"));
    assert_synced(f, RESULTS, LINE("a") LINE("c"));
    /* The lock went with the name. */
    struct moot_journal other;
    struct moot_resume resume;
    const struct moot_journal_options options = {.allocator = &f->memory.allocator,
                                                 .disk = moot__disk_sim_face(f->sim),
                                                 .input_path = "in.jsonl",
                                                 .output_path = RESULTS,
                                                 .config = "c"};
    assert_int_equal(moot__journal_open(&other, &options, &resume, &f->info), MOOT_EBUSY);
    moot__resume_deinit(&resume);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, MOOT_VIEW(LINE("b"))), MOOT_OK);
    close_journal(f);
    assert_file(f, RESULTS, LINE("a") LINE("c") LINE("b"));
}

static void a_bad_line_without_zeros_is_told(void **state)
{
    struct fixture *f = *state;
    put(f, RESULTS, MOOT_VIEW(LINE("a") "{\"id\":\"b\"\n" LINE("c")));
    assert_int_equal(open_journal(f), MOOT_EINPUT);
    assert_int_equal(f->info.line, 2);
    assert_file(f, RESULTS, LINE("a") "{\"id\":\"b\"\n" LINE("c"));
    moot__resume_deinit(&f->resume);
}

static void what_a_killed_run_wrote_is_synced_by_the_next(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, MOOT_VIEW(LINE("a"))), MOOT_OK);
    assert_synced(f, RESULTS, "");
    moot__disk_sim_kill(f->sim);
    close_journal(f);
    moot__disk_sim_start(f->sim);
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_true(is_done(f, "a"));
    assert_synced(f, RESULTS, LINE("a"));
    close_journal(f);
}

/* A process cut off lines and died; they must not come back behind what the next one writes. */
static void a_cut_is_made_to_last_before_anything_is_written(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture f = {0};
        int file;
        moot__failing_alloc_init(&f.memory, 0);
        const struct moot_disk_sim_options options = {.seed = seed,
                                                      .allocator = &f.memory.allocator};
        assert_int_equal(moot__disk_sim_new(&options, &f.sim), MOOT_OK);
        assert_int_equal(moot__disk_sim_put(f.sim, "in.jsonl", MOOT_VIEW("{}\n")), MOOT_OK);
        put(&f, RESULTS, MOOT_VIEW(LINE("a")));
        const struct moot_disk *disk = moot__disk_sim_face(f.sim);
        assert_int_equal(disk->ops->open(disk, RESULTS, MOOT_DISK_APPEND, &file), 0);
        assert_int_equal(disk->ops->truncate(disk, file, 0), 0);
        moot__disk_sim_kill(f.sim);
        moot__disk_sim_start(f.sim);
        assert_int_equal(open_journal(&f), MOOT_OK);
        moot__disk_sim_cut_power(f.sim);
        close_journal(&f);
        assert_file(&f, RESULTS, "");
        moot__disk_sim_free(f.sim);
        assert_int_equal(moot__failing_alloc_live(&f.memory), 0);
    }
}

static void a_sync_that_fails_takes_back_what_it_was_for(void **state)
{
    struct fixture *f = *state;
    const struct moot_disk_sim_faults failing = {.sync_fail = 1000000};
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, MOOT_VIEW(LINE("a"))), MOOT_OK);
    assert_int_equal(moot__journal_sync(&f->journal), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, MOOT_VIEW(LINE("b"))), MOOT_OK);
    set_faults(f, &failing);
    assert_int_not_equal(moot__journal_sync(&f->journal), MOOT_OK);
    assert_file(f, RESULTS, LINE("a"));
    set_faults(f, &none);
    assert_int_not_equal(append(f, MOOT_JOURNAL_RESULTS, MOOT_VIEW(LINE("c"))), MOOT_OK);
    close_journal(f);
}

/* The same in two halves: what was written while the sync was under way goes as well. */
static void a_sync_elsewhere_that_fails_does_too(void **state)
{
    struct fixture *f = *state;
    int fds[MOOT_JOURNAL_LOGS];
    enum moot_journal_log log;
    const struct moot_disk *disk = moot__disk_sim_face(f->sim);
    assert_int_equal(open_journal(f), MOOT_OK);
    for (unsigned round = 0; round < 2; round++) {
        struct moot_view line = round == 0 ? MOOT_VIEW(LINE("a")) : MOOT_VIEW(LINE("b"));
        assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, line), MOOT_OK);
        assert_int_equal(moot__journal_begin_sync(&f->journal, fds), MOOT_OK);
        assert_int_equal(moot__syncer_run(disk, fds, &log), MOOT_OK);
    }
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, MOOT_VIEW(LINE("c"))), MOOT_OK);
    int rc = moot__journal_fail_sync(&f->journal, MOOT_JOURNAL_RESULTS, MOOT_EIO);
    assert_int_equal(rc, MOOT_EIO);
    assert_file(f, RESULTS, LINE("a"));
    close_journal(f);
}

static void a_sync_that_fails_at_the_start_takes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct moot_disk_sim_faults failing = {.sync_fail = 1000000};
    put(f, RESULTS, MOOT_VIEW(LINE("a") "{\"tor"));
    set_faults(f, &failing);
    assert_int_not_equal(open_journal(f), MOOT_OK);
    moot__resume_deinit(&f->resume);
    assert_file(f, RESULTS, LINE("a"));
    set_faults(f, &none);
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_true(is_done(f, "a"));
    close_journal(f);
}

static void calls_are_interrupted_and_go_on(void **state)
{
    struct fixture *f = *state;
    const struct moot_disk_sim_faults rough = {
        .interrupted = 700000, .short_read = 900000, .short_write = 900000};
    set_faults(f, &rough);
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_int_equal(append(f, MOOT_JOURNAL_RESULTS, MOOT_VIEW(LINE("a"))), MOOT_OK);
    const struct moot_journal_ending ending = {
        .status = "completed", .endpoint = "", .input_path = "in.jsonl", .input_hash = ""};
    assert_int_equal(moot__journal_finish(&f->journal, &ending), MOOT_OK);
    close_journal(f);
    assert_int_equal(open_journal(f), MOOT_OK);
    assert_true(is_done(f, "a"));
    close_journal(f);
}

static void a_manifest_that_cannot_be_read_is_no_change(void **state)
{
    struct fixture *f = *state;
    bool was_read = false, was_not = false;
    const struct moot_disk_sim_faults failing = {.read_fail = 300000};
    put(f, RESULTS, MOOT_VIEW(LINE("a")));
    set_faults(f, &failing);
    for (unsigned i = 0; i < 50; i++) {
        int rc = open_journal(f);
        was_read = was_read || rc == MOOT_OK;
        was_not = was_not || rc == MOOT_EIO;
        assert_true(rc == MOOT_OK || rc == MOOT_EIO);
        if (rc == MOOT_OK)
            moot__journal_close(&f->journal);
        moot__resume_deinit(&f->resume);
    }
    assert_true(was_read && was_not);
}

/* The judge heard an oracle's answer that is lost; the oracle was asked again, and then the process
 * was killed. The judge's answer belongs to nothing. */
static void an_answer_to_a_lost_answer_is_not_used(void **state)
{
    struct fixture *f = *state;
    put(f, CALLS,
        MOOT_VIEW(CALL("a", "1", "old") CALL("a", "0", "new") CALL("b", "0", "b0")
                      CALL("b", "1", "b1")));
    assert_int_equal(open_journal(f), MOOT_OK);
    struct moot_row row = {.key = moot__row_key(MOOT_VIEW("a"))};
    moot__arena_init(&row.arena, &f->memory.allocator, 1 << 16);
    assert_int_equal(moot__known_calls_give(&f->resume.calls, &row), MOOT_OK);
    assert_int_equal(row.reply_count, 1);
    assert_view(row.replies[0].text, "new");
    row.key = moot__row_key(MOOT_VIEW("b"));
    assert_int_equal(moot__known_calls_give(&f->resume.calls, &row), MOOT_OK);
    assert_int_equal(row.reply_count, 2);
    moot__arena_deinit(&row.arena);
    close_journal(f);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_gap_of_zeros_is_left_out),
        CASE(a_bad_line_without_zeros_is_told),
        CASE(what_a_killed_run_wrote_is_synced_by_the_next),
        CASE(a_cut_is_made_to_last_before_anything_is_written),
        CASE(a_sync_that_fails_takes_back_what_it_was_for),
        CASE(a_sync_elsewhere_that_fails_does_too),
        CASE(a_sync_that_fails_at_the_start_takes_nothing),
        CASE(calls_are_interrupted_and_go_on),
        CASE(a_manifest_that_cannot_be_read_is_no_change),
        CASE(an_answer_to_a_lost_answer_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
