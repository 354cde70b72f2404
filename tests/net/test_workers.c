/* The pool of threads: work that hangs is abandoned and its thread replaced; nobody waits for it.
 */
#include "tests/support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "net/workers.h"

enum { PATIENCE = 100 * 1000 * 1000 };

struct job {
    struct moot_work work;
    atomic_bool *gate; /* run waits for it; NULL: it does not */
    atomic_int *begun, *dropped;
    bool signals_blocked;
    int nice;
};

static void run(struct moot_work *work)
{
    struct job *job = moot__container_of(work, struct job, work);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    job->signals_blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM);
    job->nice = getpriority(PRIO_PROCESS, 0);
    atomic_fetch_add(job->begun, 1);
    while (job->gate && !atomic_load(job->gate))
        sched_yield();
}

static void drop(struct moot_work *work)
{
    atomic_fetch_add(moot__container_of(work, struct job, work)->dropped, 1);
}

static void wait_for_wake(int fd)
{
    eventfd_t count = 0;
    for (int i = 0; i < PATIENCE && eventfd_read(fd, &count) != 0; i++)
        sched_yield();
    assert_int_equal(count, 1);
}

static void expect_no_wake(int fd)
{
    eventfd_t count;
    assert_int_equal(eventfd_read(fd, &count), -1);
}

static void wait_for(atomic_int *counter, int count)
{
    for (int i = 0; i < PATIENCE && atomic_load(counter) < count; i++)
        sched_yield();
    assert_int_equal(atomic_load(counter), count);
}

static void hanging_work_is_replaced_and_outlives_the_owner(void **state)
{
    (void)state;
    static atomic_int begun, dropped;
    static atomic_bool gate;
    static struct job hanging[4], queued, quick;
    struct moot_workers *workers;
    int nice = getpriority(PRIO_PROCESS, 0);
    int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const struct moot_workers_options options = {.nice = 3,
                                                 .threads_max = 2,
                                                 .threads_lost_max = 1,
                                                 .queue_max = 2,
                                                 .wake_fd = wake_fd,
                                                 .drop = drop};
    assert_int_equal(moot__workers_new(&options, &workers), MOOT_OK);
    struct job model = {.work = {.run = run}, .gate = &gate, .begun = &begun, .dropped = &dropped};
    for (int i = 0; i < 2; i++) {
        hanging[i] = model;
        assert_int_equal(moot__workers_submit(workers, &hanging[i].work), MOOT_OK);
    }
    wait_for(&begun, 2);
    assert_true(hanging[0].signals_blocked);
    assert_int_equal(hanging[0].nice, nice + 3 > 19 ? 19 : nice + 3);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), nice);
    queued = quick = model;
    quick.gate = NULL;
    assert_int_equal(moot__workers_submit(workers, &queued.work), MOOT_OK);
    assert_int_equal(moot__workers_submit(workers, &quick.work), MOOT_OK);
    hanging[2] = model;
    assert_int_equal(moot__workers_submit(workers, &hanging[2].work), MOOT_EBUSY);
    moot__workers_abandon(workers, &queued.work); /* never began: dropped at once */
    assert_int_equal(atomic_load(&dropped), 1);
    moot__workers_abandon(workers, &hanging[0].work); /* a third thread takes its place */
    wait_for(&begun, 3);
    wait_for_wake(wake_fd);
    struct moot_list done;
    moot__list_init(&done);
    moot__workers_take_done(workers, &done);
    assert_ptr_equal(moot__list_pop_front(&done), &quick.work.node);
    assert_true(moot__list_is_empty(&done));
    moot__workers_abandon(workers, &hanging[1].work);
    moot__workers_close(workers);
    assert_int_equal(atomic_load(&dropped), 1);
    atomic_store(&gate, true);
    wait_for(&dropped, 3);
    expect_no_wake(wake_fd); /* nobody waits for what was abandoned */
    close(wake_fd);
}

static void close_without_any_work(void **state)
{
    (void)state;
    struct moot_workers *workers;
    int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    const struct moot_workers_options options = {
        .threads_max = 1, .queue_max = 1, .wake_fd = wake_fd};
    assert_int_equal(moot__workers_new(&options, &workers), MOOT_OK);
    moot__workers_close(workers);
    moot__workers_close(NULL);
    expect_no_wake(wake_fd);
    close(wake_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hanging_work_is_replaced_and_outlives_the_owner),
        cmocka_unit_test(close_without_any_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
