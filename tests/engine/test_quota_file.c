/* The file that processes share a quota in: whose it is, who is refused, and that several processes
 * keep within it together, one of them killed on the way. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/quota_file.h"

#define S MOOT_NS_PER_S

enum { HEAD_VERSION = 8, HEAD_BOOT = 16 }; /* where they stand in the file */

static const uint64_t one_request[MOOT_METERS] = {1, 0, 0};
static const struct moot_limiter_options quota = {
    .per_minute = {600, 0, 0}, .concurrency = 1000, .headroom = 1.0};

struct fixture {
    char folder[32], path[64];
    struct moot_error_info info;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.folder = "quota-file-XXXXXX"};
    assert_non_null(mkdtemp(f.folder));
    snprintf(f.path, sizeof f.path, "%s/quota", f.folder);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    moot__ignore(unlink(f->path));
    assert_int_equal(rmdir(f->folder), 0);
    return 0;
}

static struct moot_quota_file open_file(struct fixture *f, const struct moot_limiter_options *as)
{
    struct moot_quota_file file;
    if (moot__quota_file_open(&file, f->path, as, &f->info) != MOOT_OK)
        fail_msg("%s", f->info.message);
    return file;
}

static void refuses(struct fixture *f, const struct moot_limiter_options *as, int code,
                    const char *says)
{
    struct moot_quota_file file;
    assert_int_equal(moot__quota_file_open(&file, f->path, as, &f->info), code);
    assert_int_equal(file.fd, -1);
    assert_null(file.page);
    if (!strstr(f->info.message, says) || !strstr(f->info.message, f->path))
        fail_msg("'%s' does not say '%s' of %s", f->info.message, says, f->path);
}

/* How many leave at this time. */
static unsigned take_all(struct moot_quota_file *file, uint64_t now_ns)
{
    struct moot_limiter *limiter = calloc(1, sizeof *limiter);
    struct moot_grant grant;
    uint64_t retry_at_ns;
    unsigned count = 0;
    moot__limiter_init(limiter, &quota, 0);
    moot__limiter_share(limiter, file->meters);
    while (moot__limiter_reserve(limiter, now_ns, one_request, &grant, &retry_at_ns) == MOOT_OK)
        count++;
    free(limiter);
    return count;
}

static void overwrite(struct fixture *f, off_t at, const void *bytes, size_t count)
{
    int fd = open(f->path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, count, at), count);
    close(fd);
}

static void it_is_made_for_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    struct stat is;
    struct moot_quota_file file = open_file(f, &quota);
    assert_int_equal(stat(f->path, &is), 0);
    assert_int_equal(is.st_mode & 07777, 0600);
    moot__quota_file_close(&file);
    moot__quota_file_close(&file); /* a second time does nothing */
    assert_int_equal(stat(f->path, &is), 0);
}

static void what_one_spends_another_has_not(void **state)
{
    struct fixture *f = *state;
    struct moot_quota_file first = open_file(f, &quota), second = open_file(f, &quota);
    assert_int_equal(take_all(&first, S), 10);
    assert_int_equal(take_all(&second, S), 0);
    assert_int_equal(take_all(&second, 2 * S), 10);
    assert_int_equal(take_all(&first, 2 * S), 0);
    moot__quota_file_close(&first);
    moot__quota_file_close(&second);
    first = open_file(f, &quota); /* nor has who comes later */
    assert_int_equal(take_all(&first, 2 * S), 0);
    moot__quota_file_close(&first);
}

static void another_quota_is_refused_while_it_is_in_use(void **state)
{
    struct fixture *f = *state;
    struct moot_limiter_options other = quota;
    struct moot_quota_file file = open_file(f, &quota);
    assert_int_equal(take_all(&file, S), 10);
    other.per_minute[MOOT_METER_REQUESTS] = 1200;
    refuses(f, &other, MOOT_ECONFIG, "in use with another quota");
    other = quota;
    other.per_day[MOOT_DAY_TOKENS] = 1;
    refuses(f, &other, MOOT_ECONFIG, "in use with another quota");
    other = quota;
    other.concurrency = 7; /* each one's own */
    struct moot_quota_file second = open_file(f, &other);
    moot__quota_file_close(&second);
    moot__quota_file_close(&file);

    other.per_minute[MOOT_METER_REQUESTS] = 1200; /* nobody uses it: it begins anew */
    file = open_file(f, &other);
    assert_int_equal(take_all(&file, S), 10);
    moot__quota_file_close(&file);
}

static void another_version_or_boot_begins_anew_when_nobody_is_there(void **state)
{
    static const struct {
        off_t at;
        const char *says;
    } cases[] = {{HEAD_VERSION, "another version of moot"}, {HEAD_BOOT, "on another host"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_quota_file file = open_file(f, &quota);
        assert_int_equal(take_all(&file, S), 10);
        overwrite(f, cases[i].at, "\x7f", 1);
        refuses(f, &quota, MOOT_ECONFIG, cases[i].says);
        moot__quota_file_close(&file);
        file = open_file(f, &quota);
        assert_int_equal(take_all(&file, S), 10);
        moot__quota_file_close(&file);
        assert_int_equal(unlink(f->path), 0);
    }
}

static void a_file_that_was_begun_and_not_finished_begins_anew(void **state)
{
    struct fixture *f = *state;
    overwrite(f, 0, "", 0);
    struct moot_quota_file file = open_file(f, &quota);
    moot__quota_file_close(&file);
    assert_int_equal(truncate(f->path, 100), 0);
    file = open_file(f, &quota);
    assert_int_equal(take_all(&file, S), 10);
    moot__quota_file_close(&file);
}

static void what_is_no_such_file_is_left_alone(void **state)
{
    struct fixture *f = *state;
    char text[16] = {0};
    overwrite(f, 0, "my notes\n", 9);
    refuses(f, &quota, MOOT_ECONFIG, "another kind of file");
    int fd = open(f->path, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof text), 9);
    assert_string_equal(text, "my notes\n");
    close(fd);
    assert_int_equal(unlink(f->path), 0);

    assert_int_equal(symlink("elsewhere", f->path), 0);
    refuses(f, &quota, MOOT_EIO, "cannot be opened");
    assert_int_equal(unlink(f->path), 0);

    assert_int_equal(mkfifo(f->path, 0600), 0);
    refuses(f, &quota, MOOT_ECONFIG, "is not a file");
    assert_int_equal(unlink(f->path), 0);

    struct moot_quota_file file = open_file(f, &quota);
    moot__quota_file_close(&file);
    assert_int_equal(chmod(f->path, 0640), 0);
    refuses(f, &quota, MOOT_ECONFIG, "chmod 600");
}

static void what_is_not_known_cannot_be_shared(void **state)
{
    struct fixture *f = *state;
    const struct moot_limiter_options days = {.per_day = {100, 0}};
    refuses(f, &days, MOOT_ECONFIG, "requests_per_minute");
    struct moot_quota_file file;
    assert_int_equal(moot__quota_file_open(&file, "no/such/folder/quota", &quota, &f->info),
                     MOOT_EIO);
    assert_non_null(strstr(f->info.message, "no/such/folder/quota"));
}

/* --- processes ------------------------------------------------------------------------------- */

enum { PROCESSES = 4, MINUTES = 20, SECONDS = 60 * MINUTES, RPM = 600, LEAD = 20 };

/* A clock that everybody sees and moves, and what left at which second of it. */
struct world {
    _Atomic uint64_t now_ns;
    _Atomic unsigned granted[PROCESSES];
    _Atomic bool is_gone[PROCESSES];
    _Atomic unsigned second[SECONDS + 1];
};

static bool is_over(struct world *world)
{
    return atomic_load(&world->now_ns) >= (uint64_t)SECONDS * S;
}

/* Nobody gets far ahead, so that all take part on few processors. */
static bool is_ahead(struct world *world, unsigned self)
{
    unsigned own = atomic_load(&world->granted[self]);
    for (unsigned i = 0; i < PROCESSES; i++)
        if (!atomic_load(&world->is_gone[i]) && own > atomic_load(&world->granted[i]) + LEAD)
            return true;
    return false;
}

static void be_one_of_them(struct world *world, const char *path, unsigned self)
{
    static struct moot_limiter limiter;
    const struct moot_limiter_options said = {.per_minute = {RPM, 0, 0}, .concurrency = 100};
    struct moot_quota_file file;
    if (moot__quota_file_open(&file, path, &said, NULL) != MOOT_OK)
        _exit(1);
    moot__limiter_init(&limiter, &said, 0);
    moot__limiter_share(&limiter, file.meters);
    while (!is_over(world)) {
        if (is_ahead(world, self)) {
            sched_yield();
            continue;
        }
        struct moot_grant grant;
        uint64_t now_ns = atomic_load(&world->now_ns), retry_at_ns, seen_ns = now_ns;
        if (moot__limiter_reserve(&limiter, now_ns, one_request, &grant, &retry_at_ns) == MOOT_OK) {
            atomic_fetch_add(&world->second[now_ns / S], 1);
            unsigned before = atomic_fetch_add(&world->granted[self], 1);
            if (self == 0 && before == RPM) /* in the midst of it, with something reserved */
                kill(getpid(), SIGKILL);
            moot__limiter_settle(&limiter, &grant, 0, 0);
            continue;
        }
        while (seen_ns < retry_at_ns &&
               !atomic_compare_exchange_weak(&world->now_ns, &seen_ns, retry_at_ns)) {
        }
    }
    _exit(0);
}

static unsigned most_in_a_minute(struct world *world)
{
    unsigned sum = 0, most = 0;
    for (unsigned i = 0; i <= SECONDS; i++) {
        sum += atomic_load(&world->second[i]);
        sum -= i >= 60 ? atomic_load(&world->second[i - 60]) : 0;
        most = sum > most ? sum : most;
    }
    return most;
}

/* In a file without a name: POSIX has no other memory that children share. */
static struct world *make_world(struct fixture *f)
{
    int fd = open(f->path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(ftruncate(fd, sizeof(struct world)), 0);
    void *at = mmap(NULL, sizeof(struct world), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    close(fd);
    return at;
}

static void processes_keep_within_it_and_survive_each_other(void **state)
{
    struct fixture *f = *state;
    struct world *world = make_world(f);
    pid_t children[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            be_one_of_them(world, f->path, i);
    }
    unsigned total = 0;
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        atomic_store(&world->is_gone[i], true);
        assert_int_equal(status, i == 0 ? SIGKILL : 0);
        total += atomic_load(&world->granted[i]);
    }
    unsigned most = most_in_a_minute(world);
    print_message("%u of %u were used, by %u, %u, %u and %u; in a minute at most %u\n", total,
                  RPM * MINUTES, world->granted[0], world->granted[1], world->granted[2],
                  world->granted[3], most);
    assert_true(most <= RPM);
    assert_true(total >= RPM * MINUTES * 95 / 100);
    munmap(world, sizeof *world);
}

#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_FILE(it_is_made_for_its_owner_alone),
        ON_A_FILE(what_one_spends_another_has_not),
        ON_A_FILE(another_quota_is_refused_while_it_is_in_use),
        ON_A_FILE(another_version_or_boot_begins_anew_when_nobody_is_there),
        ON_A_FILE(a_file_that_was_begun_and_not_finished_begins_anew),
        ON_A_FILE(what_is_no_such_file_is_left_alone),
        ON_A_FILE(what_is_not_known_cannot_be_shared),
        ON_A_FILE(processes_keep_within_it_and_survive_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
