/* The pool of threads: work that hangs is abandoned and its thread replaced; nobody waits for it.
 */
#include "tests/support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "engine/base/check.h"
#include "net/workers.h"

enum { PATIENCE = 100 * 1000 * 1000 };

struct job {
    struct moot_work work;
    atomic_bool *gate; /* run waits for it; NULL: it does not */
    atomic_int *begun, *dropped;
    bool signals_blocked;
};

static void run(struct moot_work *work)
{
    struct job *job = moot__container_of(work, struct job, work);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    job->signals_blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM);
    atomic_fetch_add(job->begun, 1);
    while (job->gate && !atomic_load(job->gate))
        sched_yield();
}

static void drop(struct moot_work *work)
{
    atomic_fetch_add(moot__container_of(work, struct job, work)->dropped, 1);
}

static void count_wake(void *data)
{
    atomic_fetch_add((atomic_int *)data, 1);
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
    static atomic_int begun, dropped, woken;
    static atomic_bool gate;
    static struct job hanging[4], queued, quick;
    struct moot_workers *workers;
    const struct moot_workers_options options = {.threads_max = 2,
                                                 .threads_lost_max = 1,
                                                 .queue_max = 2,
                                                 .wake = count_wake,
                                                 .data = &woken,
                                                 .drop = drop};
    assert_int_equal(moot__workers_new(&options, &workers), MOOT_OK);
    struct job model = {.work = {.run = run}, .gate = &gate, .begun = &begun, .dropped = &dropped};
    for (int i = 0; i < 2; i++) {
        hanging[i] = model;
        assert_int_equal(moot__workers_submit(workers, &hanging[i].work), MOOT_OK);
    }
    wait_for(&begun, 2);
    assert_true(hanging[0].signals_blocked);
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
    wait_for(&woken, 1);
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
    assert_int_equal(atomic_load(&woken), 1);
}

static void close_without_any_work(void **state)
{
    (void)state;
    static atomic_int woken;
    struct moot_workers *workers;
    const struct moot_workers_options options = {
        .threads_max = 1, .queue_max = 1, .wake = count_wake, .data = &woken};
    assert_int_equal(moot__workers_new(&options, &workers), MOOT_OK);
    moot__workers_close(workers);
    moot__workers_close(NULL);
    assert_int_equal(atomic_load(&woken), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hanging_work_is_replaced_and_outlives_the_owner),
        cmocka_unit_test(close_without_any_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
