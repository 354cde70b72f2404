/* The queue in front of a limiter: order, ranks, leaving, wake-up times. */
#include "tests/support/test.h"

#include "engine/gate.h"

#define S  MOOT_NS_PER_S
#define MS MOOT_NS_PER_MS

struct fixture {
    struct moot_limiter limiter;
    struct moot_gate gate;
    struct moot_waiter waiters[6];
    struct moot_list granted;
};

static int set_up(void **state)
{
    static struct fixture f;
    moot__limiter_init(&f.limiter,
                       &(struct moot_limiter_options){
                           .per_minute = {60, 60000, 0}, .concurrency = 10, .headroom = 1.0},
                       0);
    moot__gate_init(&f.gate, &f.limiter);
    moot__list_init(&f.granted);
    for (unsigned i = 0; i < moot__countof(f.waiters); i++)
        moot__gate_waiter_init(&f.waiters[i]);
    *state = &f;
    return 0;
}

/* The index of the next granted waiter, or -1. */
static int next_granted(struct fixture *f)
{
    struct moot_list *node = moot__list_pop_front(&f->granted);
    if (!node)
        return -1;
    struct moot_waiter *waiter = moot__list_entry(node, struct moot_waiter, node);
    assert_true(waiter->grant.is_held);
    return (int)(waiter - f->waiters);
}

static void first_in_first_out_at_the_pace_of_the_rate(void **state)
{
    struct fixture *f = *state;
    assert_true(moot__gate_next_ns(&f->gate) == MOOT_NEVER_NS);
    for (unsigned i = 0; i < 3; i++)
        moot__gate_enter(&f->gate, &f->waiters[i], 0);
    assert_int_equal(moot__gate_next_ns(&f->gate), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(moot__gate_pump(&f->gate, i * S, &f->granted), 1);
        assert_int_equal(next_granted(f), i);
        uint64_t next_ns = i < 2 ? (i + 1) * S : MOOT_NEVER_NS;
        assert_true(moot__gate_next_ns(&f->gate) == next_ns);
    }
    moot__gate_deinit(&f->gate);
}

static void conversations_under_way_go_first(void **state)
{
    struct fixture *f = *state;
    f->waiters[2].rank = f->waiters[3].rank = MOOT_RANK_UNDER_WAY;
    for (unsigned i = 0; i < 4; i++)
        moot__gate_enter(&f->gate, &f->waiters[i], 0);
    static const int order[] = {2, 3, 0, 1};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(moot__gate_pump(&f->gate, i * S, &f->granted), 1);
        assert_int_equal(next_granted(f), order[i]);
    }
    moot__gate_deinit(&f->gate);
}

static void a_large_request_is_not_overtaken(void **state)
{
    struct fixture *f = *state;
    f->waiters[0].input_tokens = 500;
    f->waiters[1].input_tokens = 3000;
    for (unsigned i = 0; i < 3; i++)
        moot__gate_enter(&f->gate, &f->waiters[i], 0);
    assert_int_equal(moot__gate_pump(&f->gate, 0, &f->granted), 1);
    assert_int_equal(next_granted(f), 0);
    assert_int_equal(moot__gate_pump(&f->gate, 1 * S, &f->granted), 1);
    assert_int_equal(next_granted(f), 1);
    /* Its debt is everybody's, also of those who estimate nothing. */
    assert_int_equal(moot__gate_pump(&f->gate, 2 * S, &f->granted), 0);
    assert_int_equal(moot__gate_pump(&f->gate, 3 * S, &f->granted), 1);
    assert_int_equal(next_granted(f), 2);
    moot__gate_deinit(&f->gate);
}

static void leaving_is_possible_at_any_moment(void **state)
{
    struct fixture *f = *state;
    struct moot_limiter_snapshot snapshot;
    moot__gate_leave(&f->gate, &f->waiters[0]); /* never entered */
    for (unsigned i = 0; i < 3; i++)
        moot__gate_enter(&f->gate, &f->waiters[i], 0);
    moot__gate_leave(&f->gate, &f->waiters[1]); /* queued */
    assert_int_equal(moot__gate_pump(&f->gate, 0, &f->granted), 1);
    moot__gate_leave(&f->gate, &f->waiters[0]); /* granted, not yet taken: given back */
    assert_int_equal(next_granted(f), -1);
    moot__limiter_snapshot(&f->limiter, &snapshot);
    assert_int_equal(snapshot.in_flight, 0);
    assert_int_equal(moot__gate_pump(&f->gate, 0, &f->granted), 1);
    assert_int_equal(next_granted(f), 2);
    moot__gate_deinit(&f->gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(first_in_first_out_at_the_pace_of_the_rate, set_up),
        cmocka_unit_test_setup(conversations_under_way_go_first, set_up),
        cmocka_unit_test_setup(a_large_request_is_not_overtaken, set_up),
        cmocka_unit_test_setup(leaving_is_possible_at_any_moment, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
