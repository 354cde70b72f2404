/* Quotas: both kinds of window, at and around their edges. */
#include "bench/emulator/quota.h"
#include "engine/base/clock.h"
#include "tests/support/test.h"

static struct moot_emulator_meters meters_of(struct moot_emulator_quota quota)
{
    struct moot_emulator_meters meters;
    moot__emulator_meters_init(&meters, &quota);
    return meters;
}

static bool admit(struct moot_emulator_meters *meters, uint64_t in, uint64_t out, uint64_t now_ns,
                  uint64_t *wait_ns)
{
    enum moot_emulator_meter_kind kind;
    return moot__emulator_meters_admit(meters, in, out, now_ns, &kind, wait_ns);
}

static void a_sliding_window_flows_back_evenly(void **state)
{
    (void)state;
    struct moot_emulator_meters m = meters_of((struct moot_emulator_quota){.rpm = 60});
    uint64_t wait, now = 5 * MOOT_NS_PER_S;
    for (int i = 0; i < 60; i++)
        assert_true(admit(&m, 0, 0, now, &wait));
    assert_false(admit(&m, 0, 0, now, &wait));
    assert_int_equal(wait, MOOT_NS_PER_S);
    assert_int_equal(moot__emulator_meter_remaining(&m.meter[0], now), 0);
    assert_int_equal(moot__emulator_meter_reset_ns(&m.meter[0], now), 60 * MOOT_NS_PER_S);
    assert_false(admit(&m, 0, 0, now + MOOT_NS_PER_S - 1, &wait));
    assert_int_equal(wait, 1);
    assert_true(admit(&m, 0, 0, now + MOOT_NS_PER_S, &wait));
    assert_false(admit(&m, 0, 0, now + MOOT_NS_PER_S, &wait));
    assert_int_equal(moot__emulator_meter_remaining(&m.meter[0], now + 31 * MOOT_NS_PER_S), 30);
}

static void a_fixed_window_comes_back_at_once(void **state)
{
    (void)state;
    struct moot_emulator_meters m = meters_of((struct moot_emulator_quota){
        .rpm = 2, .window = MOOT_EMULATOR_FIXED, .window_ns = 10 * MOOT_NS_PER_S});
    uint64_t wait, now = 13 * MOOT_NS_PER_S;
    assert_true(admit(&m, 0, 0, now, &wait));
    assert_int_equal(moot__emulator_meter_remaining(&m.meter[0], now), 1);
    assert_true(admit(&m, 0, 0, now, &wait));
    assert_false(admit(&m, 0, 0, now, &wait));
    assert_int_equal(wait, 7 * MOOT_NS_PER_S);
    assert_false(admit(&m, 0, 0, 20 * MOOT_NS_PER_S - 1, &wait));
    assert_true(admit(&m, 0, 0, 20 * MOOT_NS_PER_S, &wait));
    assert_true(admit(&m, 0, 0, 20 * MOOT_NS_PER_S, &wait));
    assert_false(admit(&m, 0, 0, 20 * MOOT_NS_PER_S, &wait));
}

static void tokens_are_reserved_and_settled(void **state)
{
    (void)state;
    struct moot_emulator_meters m =
        meters_of((struct moot_emulator_quota){.itpm = 100, .otpm = 50, .tpm = 1000});
    uint64_t wait, now = MOOT_NS_PER_S;
    assert_true(admit(&m, 40, 50, now, &wait));
    assert_false(admit(&m, 40, 1, now, &wait));
    moot__emulator_meters_settle(&m, 50, 10, now);
    assert_int_equal(moot__emulator_meter_remaining(&m.meter[MOOT_EMULATOR_OUTPUT], now), 40);
    assert_int_equal(moot__emulator_meter_remaining(&m.meter[MOOT_EMULATOR_INPUT], now), 60);
    assert_int_equal(moot__emulator_meter_remaining(&m.meter[MOOT_EMULATOR_TOKENS], now), 950);
    assert_true(admit(&m, 40, 40, now, &wait));
    assert_false(admit(&m, 101, 0, now, &wait));
    assert_int_equal(wait, MOOT_NEVER_NS);
    moot__emulator_meters_settle(&m, 0, 30, now);
    assert_false(admit(&m, 0, 1, now, &wait));
}

static void a_refusal_takes_from_no_meter(void **state)
{
    (void)state;
    struct moot_emulator_meters m = meters_of((struct moot_emulator_quota){.rpm = 10, .itpm = 10});
    enum moot_emulator_meter_kind kind;
    uint64_t wait;
    assert_true(moot__emulator_meters_admit(&m, 10, 0, 0, &kind, &wait));
    assert_false(moot__emulator_meters_admit(&m, 1, 0, 0, &kind, &wait));
    assert_int_equal(kind, MOOT_EMULATOR_INPUT);
    assert_int_equal(moot__emulator_meter_remaining(&m.meter[MOOT_EMULATOR_REQUESTS], 0), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sliding_window_flows_back_evenly),
        cmocka_unit_test(a_fixed_window_comes_back_at_once),
        cmocka_unit_test(tokens_are_reserved_and_settled),
        cmocka_unit_test(a_refusal_takes_from_no_meter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
