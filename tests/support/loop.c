#include "loop.h"

#include <dirent.h>
#include <sched.h>

#include "net/transport_uv.h"
#include "test.h"

enum { RUN_MS_MAX = 10000, TURNS_MAX = 1000 * 1000 };

size_t test_count_fds(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

void test_loop_init(struct test_loop *test)
{
    uv_loop_t first; /* of a process: libuv opens a pipe for signals, and keeps it */
    assert_int_equal(uv_loop_init(&first), 0);
    assert_int_equal(uv_loop_close(&first), 0);
    *test = (struct test_loop){.fds = test_count_fds()};
    assert_int_equal(uv_loop_init(&test->loop), 0);
    uv_timer_init(&test->loop, &test->guard);
    assert_int_equal(moot__transport_uv_new(NULL, &test->loop, &test->transport), MOOT_OK);
}

static void on_guard(uv_timer_t *guard)
{
    (void)guard; /* the turn ends, and the run looks at the clock */
}

bool test_loop_run_until(struct test_loop *test, bool (*condition)(void *context), void *context)
{
    uint64_t end_ns = uv_hrtime() + RUN_MS_MAX * MOOT_NS_PER_MS;
    uv_update_time(&test->loop);
    uv_timer_start(&test->guard, on_guard, RUN_MS_MAX, 0);
    bool is_met = condition(context);
    for (int turn = 0; !is_met && turn < TURNS_MAX && uv_hrtime() < end_ns; turn++) {
        uv_run(&test->loop, UV_RUN_ONCE);
        is_met = condition(context);
    }
    uv_timer_stop(&test->guard);
    return is_met;
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
    uv_timer_start(&test->guard, on_guard, RUN_MS_MAX, 0); /* or an idle loop would not turn */
    while (turns-- > 0)
        uv_run(&test->loop, UV_RUN_NOWAIT);
    uv_timer_stop(&test->guard);
}

static void on_closed(void *data)
{
    ((struct test_loop *)data)->closed++;
}

void test_loop_close(struct test_loop *test)
{
    moot__transport_uv_close(test->transport, on_closed, test);
    test->transport = NULL;
}

bool test_loop_is_alive(struct test_loop *test)
{
    return uv_loop_alive(&test->loop);
}

static bool is_dry(void *context)
{
    return !test_loop_is_alive(context);
}

void test_loop_run_dry(struct test_loop *test)
{
    uv_unref((uv_handle_t *)&test->guard);
    assert_true(test_loop_run_until(test, is_dry, test));
    uv_ref((uv_handle_t *)&test->guard);
}

static void print_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    print_error("left in the loop: %s\n", uv_handle_type_name(handle->type));
}

void test_loop_deinit(struct test_loop *test)
{
    if (test->transport) {
        test_loop_close(test);
        assert_int_equal(test->closed, 0);
        assert_true(test_loop_run_until_count(test, &test->closed, 1));
    }
    uv_close((uv_handle_t *)&test->guard, NULL);
    assert_int_equal(uv_run(&test->loop, UV_RUN_NOWAIT), 0);
    assert_true(test->closed <= 1);
    uv_walk(&test->loop, print_handle, NULL);
    assert_int_equal(uv_loop_close(&test->loop), 0);
    /* An abandoned lookup may still have its file open, in a thread that nobody joins. */
    uint64_t end_ns = uv_hrtime() + RUN_MS_MAX * MOOT_NS_PER_MS;
    while (test_count_fds() > test->fds && uv_hrtime() < end_ns)
        sched_yield();
    assert_int_equal(test_count_fds(), test->fds);
}
