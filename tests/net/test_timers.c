/* The heap of timers against a model that is obviously right: a scan of all. */
#include "tests/support/test.h"

#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "net/timers.h"

enum { COUNT = 200, STEPS = 20000 };

static void equal_deadlines_fire_in_order_of_start(void **state)
{
    (void)state;
    struct moot_timers timers;
    struct moot_timer a = {0}, b = {0}, c = {0};
    moot__timers_init(&timers);
    moot__timers_start(&timers, &b, 5);
    moot__timers_start(&timers, &a, 5);
    moot__timers_start(&timers, &c, 4);
    moot__timers_start(&timers, &b, 5); /* restarting goes to the end */
    assert_int_equal(moot__timers_next_ns(&timers), 4);
    assert_null(moot__timers_take_due(&timers, 3));
    assert_ptr_equal(moot__timers_take_due(&timers, 5), &c);
    assert_ptr_equal(moot__timers_take_due(&timers, 5), &a);
    assert_ptr_equal(moot__timers_take_due(&timers, 5), &b);
    assert_null(moot__timers_take_due(&timers, MOOT_NEVER_NS));
    assert_int_equal(moot__timers_next_ns(&timers), MOOT_NEVER_NS);
}

static void stopping_is_idempotent(void **state)
{
    (void)state;
    struct moot_timers timers;
    struct moot_timer timer = {0};
    moot__timers_init(&timers);
    moot__timers_stop(&timers, &timer);
    moot__timers_start(&timers, &timer, 1);
    assert_true(moot__timer_is_started(&timer));
    moot__timers_stop(&timers, &timer);
    assert_false(moot__timer_is_started(&timer));
    moot__timers_stop(&timers, &timer);
    assert_int_equal(timers.count, 0);
}

static struct moot_timer *earliest(struct moot_timer *all)
{
    struct moot_timer *first = NULL;
    for (int i = 0; i < COUNT; i++) {
        struct moot_timer *timer = &all[i];
        if (moot__timer_is_started(timer) &&
            (!first || timer->deadline_ns < first->deadline_ns ||
             (timer->deadline_ns == first->deadline_ns && timer->sequence < first->sequence)))
            first = timer;
    }
    return first;
}

static void any_history_gives_the_earliest(void **state)
{
    (void)state;
    static struct moot_timer all[COUNT];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct moot_rng rng;
        struct moot_timers timers;
        moot__rng_init(&rng, seed);
        moot__timers_init(&timers);
        memset(all, 0, sizeof all);
        for (int step = 0; step < STEPS; step++) {
            struct moot_timer *timer = &all[moot__rng_below(&rng, COUNT)];
            uint64_t what = moot__rng_below(&rng, 10);
            if (what < 5) {
                moot__timers_start(&timers, timer, moot__rng_below(&rng, 64));
            } else if (what < 8) {
                moot__timers_stop(&timers, timer);
            } else {
                uint64_t now_ns = moot__rng_below(&rng, 64);
                struct moot_timer *first = earliest(all);
                bool is_due = first && first->deadline_ns <= now_ns;
                assert_ptr_equal(moot__timers_take_due(&timers, now_ns), is_due ? first : NULL);
                assert_true(!is_due || !moot__timer_is_started(first));
            }
            struct moot_timer *first = earliest(all);
            assert_int_equal(moot__timers_next_ns(&timers),
                             first ? first->deadline_ns : MOOT_NEVER_NS);
        }
        while (timers.count > 0) {
            struct moot_timer *first = earliest(all);
            assert_ptr_equal(moot__timers_take_due(&timers, MOOT_NEVER_NS), first);
        }
        assert_null(earliest(all));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_deadlines_fire_in_order_of_start),
        cmocka_unit_test(stopping_is_idempotent),
        cmocka_unit_test(any_history_gives_the_earliest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
