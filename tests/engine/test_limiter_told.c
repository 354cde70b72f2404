/* Quotas that a provider tells in its headers: adopted, bounded, doubted. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "agents/rate_headers.h"
#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/limiter.h"

#define S    MOOT_NS_PER_S
#define MS   MOOT_NS_PER_MS
#define NONE MOOT_RATE_UNSAID

static const uint64_t one_request[MOOT_METERS] = {1, 0, 0, 0};

static struct moot_limiter *limiter_new(uint64_t rpm)
{
    struct moot_limiter *limiter = calloc(1, sizeof *limiter);
    assert_non_null(limiter);
    const struct moot_limiter_options options = {
        .per_minute = {rpm, 0, 0, 0}, .concurrency = 1000, .headroom = 1.0};
    moot__limiter_init(limiter, &options, 0);
    return limiter;
}

static void tell(struct moot_limiter *limiter, enum moot_rate_meter meter, struct moot_rate rate,
                 uint64_t now_ns)
{
    struct moot_rates rates = {.said = 1u << meter};
    rates.meters[meter] = rate;
    moot__limiter_on_rates(limiter, &rates, now_ns);
}

static uint64_t per_minute(struct moot_limiter *limiter, enum moot_meter meter)
{
    struct moot_limiter_snapshot snapshot;
    moot__limiter_snapshot(limiter, &snapshot);
    return snapshot.per_minute[meter];
}

static int ask(struct moot_limiter *limiter, uint64_t now_ns, uint64_t *retry_at_ns)
{
    struct moot_grant grant;
    int rc = moot__limiter_reserve(limiter, now_ns, one_request, &grant, retry_at_ns);
    if (rc == MOOT_OK)
        moot__limiter_settle(limiter, &grant, 0, 0);
    return rc;
}

static void a_told_limit_holds_at_once(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(0);
    struct moot_limiter_snapshot snapshot;
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 599, 100 * MS, NONE}, S);
    tell(limiter, MOOT_RATE_TOKENS, (struct moot_rate){80000, 79000, 750 * MS, NONE}, S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 600);
    assert_int_equal(per_minute(limiter, MOOT_METER_TOKENS), 80000);
    moot__limiter_snapshot(limiter, &snapshot);
    assert_false(snapshot.is_learned);
    free(limiter);
}

static void a_told_limit_is_never_above_the_given_one(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(100);
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 599, 100 * MS, NONE}, S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 100);
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){60, 59, 100 * MS, NONE}, S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 60);
    free(limiter);
}

static void a_limit_lowers_at_once_and_raises_after_a_minute(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(0);
    const struct moot_rate low = {300, 299, 0, NONE}, high = {600, 599, 0, NONE};
    tell(limiter, MOOT_RATE_REQUESTS, high, 1 * S);
    tell(limiter, MOOT_RATE_REQUESTS, low, 2 * S);
    tell(limiter, MOOT_RATE_REQUESTS, high, 3 * S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 300);
    tell(limiter, MOOT_RATE_REQUESTS, high, 61 * S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 300);
    tell(limiter, MOOT_RATE_REQUESTS, high, 62 * S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 600);
    free(limiter);
}

static void windows_count(void **state)
{
    static const struct {
        struct moot_rate rate;
        uint64_t per_minute;
    } cases[] = {
        {{100, NONE, NONE, 10 * S}, 600},
        {{100, NONE, NONE, 120 * S}, 50},
        {{1000, NONE, NONE, 3600 * S}, 0},      /* an hour's: no rate */
        {{14400, 14370, 179560 * MS, NONE}, 0}, /* unnamed, but back in three minutes: a day's */
        {{14400, 14399, 6 * S, NONE}, 14400},
        {{600, NONE, NONE, NONE}, 600},
        {{0, 0, 0, NONE}, 0},
        {{600, NONE, NONE, 0}, 0},
        {{UINT64_C(1000000000000000), 1, 1, NONE}, UINT64_C(1000000000000)},
    };
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_limiter *limiter = limiter_new(0);
        tell(limiter, MOOT_RATE_REQUESTS, cases[i].rate, S);
        assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), cases[i].per_minute);
        free(limiter);
    }
}

static void a_limit_that_proves_to_be_a_days_is_given_up(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(0);
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){200, 199, 7 * S, NONE}, S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 200);
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){200, 180, 8640 * S, NONE}, 2 * S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 0);
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){200, 199, 7 * S, NONE}, 3 * S);
    assert_int_equal(per_minute(limiter, MOOT_METER_REQUESTS), 0);
    free(limiter);
}

static void little_that_is_left_delays(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(0);
    uint64_t retry_at_ns = 0;
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 300, 30 * S, NONE}, 10 * S);
    assert_int_equal(ask(limiter, 10 * S, &retry_at_ns), MOOT_OK);
    /* A bucket that is empty has a fiftieth again in 1.3 s; told four times, it stays that. */
    for (unsigned i = 0; i < 4; i++)
        tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 0, 60 * S, NONE}, 20 * S);
    assert_int_equal(ask(limiter, 20 * S, &retry_at_ns), MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, 21400 * MS);
    /* A window that ends has everything again at its end, and something until then. */
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 3, 20 * S, NONE}, 30 * S);
    assert_int_equal(ask(limiter, 30 * S, &retry_at_ns), MOOT_OK);
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 0, 20 * S, NONE}, 30 * S);
    assert_int_equal(ask(limiter, 30 * S, &retry_at_ns), MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, 50100 * MS);
    free(limiter);
}

static void who_never_has_anything_left_is_not_believed(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(0);
    uint64_t retry_at_ns = 0;
    for (uint64_t i = 1; i < 100; i++) {
        tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 0, 60 * S, NONE}, i * S);
        assert_int_equal(ask(limiter, i * S + 500 * MS, &retry_at_ns), MOOT_OK);
    }
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 601, 60 * S, NONE}, 100 * S);
    tell(limiter, MOOT_RATE_REQUESTS, (struct moot_rate){600, 0, 60 * S, NONE}, 100 * S);
    assert_int_equal(ask(limiter, 101 * S, &retry_at_ns), MOOT_OK);
    free(limiter);
}

/* Whatever a stranger says, a call leaves within three minutes. */
static void nothing_said_wedges(void **state)
{
    static const uint64_t numbers[] = {0, 1, 7, 600, 80000, UINT64_C(1000000000000000), NONE};
    static const uint64_t spans_ns[] = {0, 1, S, 60 * S, UINT64_C(3660) * 86400 * S, NONE};
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct moot_limiter *limiter = limiter_new(seed % 2 ? 0 : 600);
        struct moot_rng rng;
        uint64_t now_ns = S, last_ns = S;
        moot__rng_init(&rng, seed);
        while (now_ns < 1200 * S) {
            struct moot_rate rate = {
                numbers[moot__rng_below(&rng, moot__countof(numbers))],
                numbers[moot__rng_below(&rng, moot__countof(numbers))],
                spans_ns[moot__rng_below(&rng, moot__countof(spans_ns))],
                spans_ns[moot__rng_below(&rng, moot__countof(spans_ns))],
            };
            enum moot_rate_meter meter =
                (enum moot_rate_meter)moot__rng_below(&rng, MOOT_RATE_METERS);
            const uint64_t estimate[MOOT_METERS] = {1, 100, 100, 0};
            struct moot_grant grant;
            uint64_t retry_at_ns = 0;
            if (moot__limiter_reserve(limiter, now_ns, estimate, &grant, &retry_at_ns) == MOOT_OK) {
                assert_true(now_ns - last_ns <= 180 * S);
                last_ns = now_ns;
                tell(limiter, meter, rate, now_ns);
                moot__limiter_settle(limiter, &grant, 100, 50);
                now_ns += 100 * MS;
            } else {
                assert_true(retry_at_ns > now_ns);
                now_ns = retry_at_ns;
            }
        }
        free(limiter);
    }
}

static void answers_that_use_less_than_estimated_do_not_slow_us_down(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(0);
    enum { AT_ONCE = 100 };
    struct moot_grant grants[AT_ONCE];
    const uint64_t estimate[MOOT_METERS] = {1, 50, 500, 0};
    uint64_t used = 0, retry_at_ns = 0;
    unsigned first = 0, count = 0;
    tell(limiter, MOOT_RATE_TOKENS, (struct moot_rate){80000, 79000, S, NONE}, S);
    /* Each answer takes two seconds and a tenth of its estimate. */
    for (uint64_t now_ns = S; now_ns < 301 * S; now_ns += 10 * MS) {
        while (count > 0 && grants[first].sent_at_ns + 2 * S <= now_ns) {
            moot__limiter_settle(limiter, &grants[first], 50, 50);
            moot__limiter_on_success(limiter, grants[first].sent_at_ns, now_ns);
            used += 100;
            first = (first + 1) % AT_ONCE;
            count--;
        }
        while (count < AT_ONCE &&
               moot__limiter_reserve(limiter, now_ns, estimate, &grants[(first + count) % AT_ONCE],
                                     &retry_at_ns) == MOOT_OK)
            count++;
    }
    print_message("used %.1f %% of the tokens\n", (double)used / (5 * 80000) * 100);
    assert_true(used >= 5 * 80000 * 95 / 100);
    free(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_told_limit_holds_at_once),
        cmocka_unit_test(a_told_limit_is_never_above_the_given_one),
        cmocka_unit_test(a_limit_lowers_at_once_and_raises_after_a_minute),
        cmocka_unit_test(windows_count),
        cmocka_unit_test(a_limit_that_proves_to_be_a_days_is_given_up),
        cmocka_unit_test(little_that_is_left_delays),
        cmocka_unit_test(who_never_has_anything_left_is_not_believed),
        cmocka_unit_test(nothing_said_wedges),
        cmocka_unit_test(answers_that_use_less_than_estimated_do_not_slow_us_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
