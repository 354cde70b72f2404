/* The simulated disk keeps what it promised, over many seeds, and may lose everything else. */
#include "tests/support/failing_alloc.h"
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

#include "disk_sim.h"

enum { SEEDS = 200, TEXT_BYTES = 3000 };

struct fixture {
    struct moot_failing_alloc memory;
    struct moot_disk_sim *sim;
    const struct moot_disk *disk;
    char text[TEXT_BYTES];
};

static void begin(struct fixture *f, uint64_t seed)
{
    moot__failing_alloc_init(&f->memory, 0);
    const struct moot_disk_sim_options options = {.seed = seed, .allocator = &f->memory.allocator};
    assert_int_equal(moot__disk_sim_new(&options, &f->sim), MOOT_OK);
    f->disk = moot__disk_sim_face(f->sim);
    memset(f->text, 'x', sizeof f->text);
}

static void end(struct fixture *f)
{
    moot__disk_sim_free(f->sim);
    assert_int_equal(moot__failing_alloc_live(&f->memory), 0);
}

static int open_log(struct fixture *f, const char *name)
{
    int file;
    assert_int_equal(f->disk->ops->open(f->disk, name, MOOT_DISK_APPEND, &file), 0);
    return file;
}

static void append(struct fixture *f, int file, size_t len)
{
    size_t written;
    assert_true(len <= sizeof f->text);
    assert_int_equal(f->disk->ops->write(f->disk, file, moot__view(f->text, len), &written), 0);
    assert_int_equal(written, len);
}

static struct moot_view content(struct fixture *f, const char *name)
{
    struct moot_view view;
    assert_true(moot__disk_sim_get(f->sim, name, &view));
    return view;
}

/* Of `len` bytes that nobody synced any number may be there, and zeros among them. */
static void check_rest(struct moot_view view, size_t from)
{
    for (size_t i = 0; i < view.len; i++)
        assert_true(view.ptr[i] == 'x' || (i >= from && view.ptr[i] == '\0'));
}

static void a_kill_keeps_what_was_written(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 1);
    append(&f, open_log(&f, "a"), 100);
    moot__disk_sim_kill(f.sim);
    int file;
    assert_int_equal(f.disk->ops->open(f.disk, "a", MOOT_DISK_READ, &file), EIO);
    moot__disk_sim_start(f.sim);
    assert_int_equal(content(&f, "a").len, 100);
    end(&f);
}

static void a_kill_within_a_write_tears_it(void **state)
{
    bool seen_torn = false;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        size_t written;
        begin(&f, seed);
        int file = open_log(&f, "a");
        append(&f, file, 10);
        moot__disk_sim_kill_within(f.sim, 1);
        assert_int_equal(f.disk->ops->write(f.disk, file, MOOT_VIEW("xxxxx"), &written), EIO);
        assert_true(moot__disk_sim_is_dead(f.sim));
        size_t len = content(&f, "a").len;
        assert_true(len >= 10 && len <= 15);
        seen_torn = seen_torn || (len > 10 && len < 15);
        end(&f);
    }
    assert_true(seen_torn);
}

static void a_cut_keeps_what_was_synced(void **state)
{
    unsigned shorter = 0, zeros = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        begin(&f, seed);
        int file = open_log(&f, "a");
        append(&f, file, 700);
        assert_int_equal(f.disk->ops->sync(f.disk, file), 0);
        assert_int_equal(f.disk->ops->sync_folder(f.disk, "a"), 0);
        for (unsigned i = 0; i < 4; i++)
            append(&f, file, TEXT_BYTES);
        moot__disk_sim_cut_power(f.sim);
        struct moot_view view = content(&f, "a");
        assert_true(view.len >= 700 && view.len <= 700 + 4 * TEXT_BYTES);
        check_rest(view, 700);
        shorter += view.len < 700 + 4 * TEXT_BYTES;
        zeros += memchr(view.ptr, '\0', view.len) != NULL;
        moot__disk_sim_start(f.sim);
        assert_int_equal(content(&f, "a").len, view.len);
        end(&f);
    }
    assert_true(shorter > SEEDS / 4 && shorter < SEEDS);
    assert_true(zeros > SEEDS / 8);
}

static void a_cut_after_a_truncation_may_bring_bytes_back(void **state)
{
    unsigned old = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        begin(&f, seed);
        int file = open_log(&f, "a");
        append(&f, file, 1000);
        assert_int_equal(f.disk->ops->sync(f.disk, file), 0);
        assert_int_equal(f.disk->ops->sync_folder(f.disk, "a"), 0);
        assert_int_equal(f.disk->ops->truncate(f.disk, file, 300), 0);
        moot__disk_sim_cut_power(f.sim);
        size_t len = content(&f, "a").len;
        assert_true(len == 300 || len == 1000);
        old += len == 1000;
        end(&f);
    }
    assert_true(old > 0 && old < SEEDS);
}

/* The second sync succeeds; what the first one lost is lost. */
static void a_sync_that_failed_is_not_made_good(void **state)
{
    const struct moot_disk_sim_faults failing = {.sync_fail = 1000000}, none = {0};
    unsigned lost = 0;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        begin(&f, seed);
        int file = open_log(&f, "a");
        assert_int_equal(f.disk->ops->sync_folder(f.disk, "a"), 0);
        for (unsigned i = 0; i < 4; i++)
            append(&f, file, TEXT_BYTES);
        moot__disk_sim_set_faults(f.sim, &failing);
        assert_int_not_equal(f.disk->ops->sync(f.disk, file), 0);
        moot__disk_sim_set_faults(f.sim, &none);
        assert_int_equal(f.disk->ops->sync(f.disk, file), 0);
        assert_int_equal(content(&f, "a").len, 4 * TEXT_BYTES);
        moot__disk_sim_cut_power(f.sim);
        struct moot_view view = content(&f, "a");
        assert_int_equal(view.len, 4 * TEXT_BYTES);
        check_rest(view, 0);
        lost += memchr(view.ptr, '\0', view.len) != NULL;
        end(&f);
    }
    assert_true(lost > SEEDS / 2);
}

static void names_are_lost_until_the_folder_is_synced(void **state)
{
    unsigned renamed = 0, kept = 0;
    struct moot_view view;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        begin(&f, seed);
        assert_int_equal(moot__disk_sim_put(f.sim, "a", MOOT_VIEW("old")), MOOT_OK);
        int file = open_log(&f, "a.tmp");
        append(&f, file, 5);
        assert_int_equal(f.disk->ops->sync(f.disk, file), 0);
        assert_int_equal(f.disk->ops->rename(f.disk, "a.tmp", "a"), 0);
        assert_int_equal(content(&f, "a").len, 5);
        assert_false(moot__disk_sim_get(f.sim, "a.tmp", &view));
        moot__disk_sim_cut_power(f.sim);
        view = content(&f, "a"); /* always one of them */
        assert_true(view.len == 5 || view.len == 3);
        renamed += view.len == 5;
        kept += view.len == 3;
        end(&f);
    }
    assert_true(renamed > 0 && kept > 0);
}

static void a_full_disk_takes_what_fits(void **state)
{
    struct fixture f;
    size_t written;
    const struct moot_disk_sim_faults small = {.bytes_max = 1000};
    (void)state;
    begin(&f, 1);
    int file = open_log(&f, "a");
    moot__disk_sim_set_faults(f.sim, &small);
    const struct moot_view text = moot__view(f.text, 1500);
    assert_int_equal(f.disk->ops->write(f.disk, file, text, &written), 0);
    assert_int_equal(written, 1000);
    assert_int_equal(f.disk->ops->write(f.disk, file, text, &written), ENOSPC);
    assert_int_equal(f.disk->ops->truncate(f.disk, file, 500), 0);
    assert_int_equal(f.disk->ops->write(f.disk, file, text, &written), 0);
    assert_int_equal(written, 500);
    end(&f);
}

static void a_lock_is_one_open_files(void **state)
{
    struct fixture f;
    int copy;
    (void)state;
    begin(&f, 1);
    int first = open_log(&f, "a"), second = open_log(&f, "a");
    assert_int_equal(f.disk->ops->lock(f.disk, first), 0);
    assert_int_equal(f.disk->ops->lock(f.disk, second), EWOULDBLOCK);
    assert_int_equal(f.disk->ops->duplicate(f.disk, first, &copy), 0);
    assert_int_equal(f.disk->ops->close(f.disk, first), 0);
    assert_int_equal(f.disk->ops->lock(f.disk, second), EWOULDBLOCK);
    assert_int_equal(f.disk->ops->close(f.disk, copy), 0);
    assert_int_equal(f.disk->ops->lock(f.disk, second), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_keeps_what_was_written),
        cmocka_unit_test(a_kill_within_a_write_tears_it),
        cmocka_unit_test(a_cut_keeps_what_was_synced),
        cmocka_unit_test(a_cut_after_a_truncation_may_bring_bytes_back),
        cmocka_unit_test(a_sync_that_failed_is_not_made_good),
        cmocka_unit_test(names_are_lost_until_the_folder_is_synced),
        cmocka_unit_test(a_full_disk_takes_what_fits),
        cmocka_unit_test(a_lock_is_one_open_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
