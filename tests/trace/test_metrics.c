/* The table follows the list; engines add up. */
#include "tests/support/test.h"

#include "engine/base/check.h"
#include "trace/metrics.h"

static void table_follows_the_struct(void **state)
{
    (void)state;
    uint64_t values[MOOT_METRICS];
    struct moot_metrics metrics;
    for (size_t i = 0; i < MOOT_METRICS; i++)
        values[i] = i + 1;
    memcpy(&metrics, values, sizeof metrics);
    for (size_t i = 0; i < MOOT_METRICS; i++)
        assert_int_equal(moot__metrics_get(&metrics, &moot__metric_infos[i]), i + 1);
    assert_string_equal(moot__metric_infos[0].name, "conversations_active");
    assert_int_equal(moot__metric_infos[0].kind, MOOT_METRIC_GAUGE);
}

static void engines_add_up(void **state)
{
    (void)state;
    struct moot_metrics total = {.retries = 1, .loop_lag_max_ns = 50};
    struct moot_metrics one = {.retries = 2, .loop_lag_max_ns = 20, .conversations_active = 3};
    moot__metrics_add(&total, &one);
    assert_int_equal(total.retries, 3);
    assert_int_equal(total.conversations_active, 3);
    assert_int_equal(total.loop_lag_max_ns, 50);
    one.loop_lag_max_ns = 70;
    moot__metrics_add(&total, &one);
    assert_int_equal(total.loop_lag_max_ns, 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_follows_the_struct),
        cmocka_unit_test(engines_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
