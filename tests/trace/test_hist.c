/* The histogram against sorted arrays. */
#include <math.h>
#include <stdlib.h>

#include "tests/support/test.h"

#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "trace/hist.h"

enum { VALUES = 20000 };

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The nearest rank of an exact thousandth. */
static uint64_t exact(const uint64_t *sorted, size_t count, size_t thousandths)
{
    size_t rank = (count * thousandths + 999) / 1000;
    return sorted[rank ? rank - 1 : 0];
}

static void assert_close(uint64_t got, uint64_t want)
{
    double error = fabs((double)got - (double)want);
    if (error > (double)want * 0.01)
        fail_msg("%llu is not within 1%% of %llu", (unsigned long long)got,
                 (unsigned long long)want);
}

static void check_quantiles(struct moot_hist *hist, uint64_t *values, size_t count)
{
    static const size_t at[] = {1, 10, 100, 250, 500, 750, 900, 950, 990, 995, 999};
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    qsort(values, count, sizeof *values, compare);
    assert_int_equal(hist->count, count);
    assert_int_equal(hist->min, values[0]);
    assert_int_equal(hist->max, values[count - 1]);
    assert_int_equal(moot__hist_quantile(hist, 0), values[0]);
    assert_int_equal(moot__hist_quantile(hist, 1), values[count - 1]);
    assert_true(fabs(moot__hist_mean(hist) - sum / (double)count) <= sum * 1e-9);
    for (size_t i = 0; i < moot__countof(at); i++)
        assert_close(moot__hist_quantile(hist, (double)at[i] / 1000), exact(values, count, at[i]));
}

static void empty_is_zero(void **state)
{
    (void)state;
    static struct moot_hist hist, other;
    assert_int_equal(moot__hist_quantile(&hist, 0.5), 0);
    assert_true(moot__hist_mean(&hist) == 0);
    assert_int_equal(moot__hist_count_to(&hist, UINT64_MAX), 0);
    moot__hist_merge(&hist, &other);
    moot__hist_record_n(&hist, 5, 0);
    assert_int_equal(hist.count, 0);
}

static void random_values_of_every_size(void **state)
{
    (void)state;
    static struct moot_hist hist;
    static uint64_t values[VALUES];
    struct moot_rng rng;
    moot__rng_init(&rng, 11);
    for (unsigned bits = 1; bits <= 64; bits++) {
        moot__hist_reset(&hist);
        size_t count = 1 + (size_t)moot__rng_below(&rng, 3000);
        for (size_t i = 0; i < count; i++) {
            values[i] = moot__rng_next(&rng) >> (64 - bits);
            moot__hist_record(&hist, values[i]);
        }
        check_quantiles(&hist, values, count);
    }
}

/* The shape of latencies: most near 200 ms, a tail of minutes. */
static void long_tailed_values(void **state)
{
    (void)state;
    static struct moot_hist hist;
    static uint64_t values[VALUES];
    struct moot_rng rng;
    moot__rng_init(&rng, 12);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = (uint64_t)(2e8 / pow(1 - moot__rng_unit(&rng), 0.7));
        moot__hist_record(&hist, values[i]);
    }
    check_quantiles(&hist, values, VALUES);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    static struct moot_hist hist;
    for (uint64_t v = 0; v < 128; v++)
        moot__hist_record(&hist, v);
    for (unsigned v = 1; v <= 128; v++)
        assert_int_equal(moot__hist_quantile(&hist, v / 128.0), v - 1);
    assert_int_equal(moot__hist_count_to(&hist, 63), 64);
}

static void ranks_are_not_pushed_up_by_rounding(void **state)
{
    (void)state;
    static struct moot_hist hist;
    for (uint64_t v = 1; v <= 100; v++)
        moot__hist_record(&hist, v);
    for (unsigned percent = 1; percent <= 100; percent++)
        assert_int_equal(moot__hist_quantile(&hist, percent / 100.0), percent);
    assert_int_equal(moot__hist_quantile(&hist, 0.005), 1);
    assert_int_equal(moot__hist_quantile(&hist, 7), 100);
    assert_int_equal(moot__hist_quantile(&hist, -7), 1);
    assert_int_equal(moot__hist_quantile(&hist, (double)NAN), 1);
}

static void buckets_meet_at_powers_of_two(void **state)
{
    (void)state;
    static struct moot_hist hist;
    for (unsigned bits = 0; bits < 64; bits++) {
        for (int step = -1; step <= 1; step++) {
            uint64_t value = (UINT64_C(1) << bits) + (uint64_t)step;
            moot__hist_reset(&hist);
            moot__hist_record(&hist, value);
            moot__hist_record(&hist, 0);
            moot__hist_record(&hist, UINT64_MAX);
            assert_close(moot__hist_quantile(&hist, 0.5), value);
        }
    }
}

static void merged_is_as_recorded_together(void **state)
{
    (void)state;
    static struct moot_hist parts[3], whole;
    struct moot_rng rng;
    moot__rng_init(&rng, 13);
    for (size_t i = 0; i < 3000; i++) {
        uint64_t value = moot__rng_next(&rng) >> moot__rng_below(&rng, 64);
        moot__hist_record(&parts[1 + i % 2], value);
        moot__hist_record(&whole, value);
    }
    moot__hist_merge(&parts[0], &parts[1]);
    moot__hist_merge(&parts[0], &parts[2]);
    assert_int_equal(parts[0].count, whole.count);
    assert_int_equal(parts[0].min, whole.min);
    assert_int_equal(parts[0].max, whole.max);
    assert_memory_equal(parts[0].buckets, whole.buckets, sizeof whole.buckets);
}

static void many_at_once_and_cumulative_counts(void **state)
{
    (void)state;
    static struct moot_hist hist;
    moot__hist_record_n(&hist, 1000, 900);
    moot__hist_record_n(&hist, 5000, 100);
    assert_int_equal(hist.count, 1000);
    assert_true(moot__hist_mean(&hist) == 1400);
    assert_close(moot__hist_quantile(&hist, 0.9), 1000);
    assert_close(moot__hist_quantile(&hist, 0.901), 5000);
    assert_int_equal(moot__hist_count_to(&hist, 500), 0);
    assert_int_equal(moot__hist_count_to(&hist, 1000), 900);
    assert_int_equal(moot__hist_count_to(&hist, 4000), 900);
    assert_int_equal(moot__hist_count_to(&hist, 5000), 1000);
    assert_int_equal(moot__hist_count_to(&hist, UINT64_MAX), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_zero),
        cmocka_unit_test(random_values_of_every_size),
        cmocka_unit_test(long_tailed_values),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(ranks_are_not_pushed_up_by_rounding),
        cmocka_unit_test(buckets_meet_at_powers_of_two),
        cmocka_unit_test(merged_is_as_recorded_together),
        cmocka_unit_test(many_at_once_and_cumulative_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
