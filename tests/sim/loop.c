/* tests/support/loop.h in simulation: the one host of a world of its own. */
#include "tests/support/loop.h"

#include "tests/support/test.h"
#include "transport_sim.h"

enum { STEPS_MAX = 1000 * 1000, SEED = 1 };

void test_loop_init(struct test_loop *test)
{
    const struct moot_sim_options options = {.seed = SEED};
    *test = (struct test_loop){.closed = 0};
    assert_int_equal(moot__sim_new(&options, &test->sim), MOOT_OK);
    assert_int_equal(moot__sim_host_new(test->sim, NULL, &test->transport), MOOT_OK);
}

bool test_loop_run_until(struct test_loop *test, bool (*condition)(void *context), void *context)
{
    const struct moot_sim_bound bound = {.until_ns = MOOT_NEVER_NS, .steps = STEPS_MAX};
    return moot__sim_run_until(test->sim, condition, context, bound);
}

struct count_goal {
    const int *counter;
    int count;
};

static bool has_reached(void *context)
{
    const struct count_goal *goal = context;
    return *goal->counter >= goal->count;
}

bool test_loop_run_until_count(struct test_loop *test, const int *counter, int count)
{
    return test_loop_run_until(test, has_reached, &(struct count_goal){counter, count});
}

void test_loop_run_turns(struct test_loop *test, unsigned turns)
{
    while (turns-- > 0)
        moot__sim_step(test->sim);
}

bool test_loop_is_alive(struct test_loop *test)
{
    return test->transport ? moot__sim_host_is_alive(test->transport) : test->closed == 0;
}

static bool is_dry(void *context)
{
    return !test_loop_is_alive(context);
}

void test_loop_run_dry(struct test_loop *test)
{
    assert_true(test_loop_run_until(test, is_dry, test));
}

static void on_closed(void *data)
{
    ((struct test_loop *)data)->closed++;
}

void test_loop_close(struct test_loop *test)
{
    moot__sim_host_close(test->transport, on_closed, test);
    test->transport = NULL;
}

void test_loop_deinit(struct test_loop *test)
{
    if (test->transport)
        test_loop_close(test);
    assert_true(test_loop_run_until_count(test, &test->closed, 1));
    assert_int_equal(test->closed, 1);
    moot__sim_free(test->sim);
}
