/* Quotas of a day, in virtual time. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "engine/limiter.h"

#define S    MOOT_NS_PER_S
#define HOUR (3600 * S)

static const uint64_t one_request[MOOT_METERS] = {1, 0, 0};

static struct moot_limiter *limiter_new(const uint64_t per_day[MOOT_DAY_METERS])
{
    struct moot_limiter_options options = {
        .per_minute = {1000000, 0, 0}, .concurrency = 100, .headroom = 1.0};
    memcpy(options.per_day, per_day, sizeof options.per_day);
    struct moot_limiter *limiter = calloc(1, sizeof *limiter);
    assert_non_null(limiter);
    moot__limiter_init(limiter, &options, 0);
    return limiter;
}

static unsigned take_all(struct moot_limiter *limiter, uint64_t now_ns, uint64_t *retry_at_ns)
{
    unsigned count = 0;
    struct moot_grant grant;
    while (moot__limiter_reserve(limiter, now_ns, one_request, &grant, retry_at_ns) == MOOT_OK) {
        moot__limiter_settle(limiter, &grant, 0, 0);
        count++;
    }
    return count;
}

static uint64_t until_of(struct moot_limiter *limiter)
{
    struct moot_limiter_snapshot snapshot;
    moot__limiter_snapshot(limiter, &snapshot);
    return snapshot.day_until_ns;
}

static void it_is_used_at_once_and_comes_back_a_day_later(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new((uint64_t[]){500, 0});
    uint64_t retry_at_ns = 0;
    assert_int_equal(until_of(limiter), 0);
    assert_int_equal(take_all(limiter, HOUR / 2, &retry_at_ns), 500);
    assert_int_equal(retry_at_ns, HOUR / 2 + S); /* others may give something back */
    assert_int_equal(until_of(limiter), 25 * HOUR);
    assert_int_equal(take_all(limiter, 25 * HOUR - 1, &retry_at_ns), 0);
    assert_int_equal(retry_at_ns, 25 * HOUR);
    assert_int_equal(take_all(limiter, 25 * HOUR, &retry_at_ns), 500);
    assert_int_equal(until_of(limiter), 50 * HOUR);
    assert_int_equal(take_all(limiter, 1000 * HOUR, &retry_at_ns), 500); /* not what was missed */
    free(limiter);
}

static void it_comes_back_hour_by_hour(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new((uint64_t[]){100, 0});
    uint64_t retry_at_ns = 0;
    struct moot_grant grant;
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(
            moot__limiter_reserve(limiter, i * HOUR / 10, one_request, &grant, &retry_at_ns),
            MOOT_OK);
        moot__limiter_settle(limiter, &grant, 0, 0);
    }
    assert_int_equal(take_all(limiter, 24 * HOUR, &retry_at_ns), 0);
    for (uint64_t hour = 25; hour < 35; hour++)
        assert_int_equal(take_all(limiter, hour * HOUR, &retry_at_ns), 10);
    assert_int_equal(take_all(limiter, 35 * HOUR, &retry_at_ns), 0);
    free(limiter);
}

static void no_day_sees_more_than_the_quota(void **state)
{
    (void)state;
    enum { QUOTA = 1000, STEPS = 24 * 10 * 4 }; /* ten days, by quarters of an hour */
    struct moot_limiter *limiter = limiter_new((uint64_t[]){QUOTA, 0});
    static unsigned granted[STEPS];
    unsigned last_day = 0, most = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        struct moot_grant grant;
        uint64_t now_ns = i * HOUR / 4, retry_at_ns;
        unsigned wanted = (i * 7919) % 97; /* more than there is, and not evenly */
        for (granted[i] = 0; granted[i] < wanted; granted[i]++) {
            if (moot__limiter_reserve(limiter, now_ns, one_request, &grant, &retry_at_ns))
                break;
            moot__limiter_settle(limiter, &grant, 0, 0);
        }
        last_day += granted[i];
        last_day -= i >= 96 ? granted[i - 96] : 0;
        most = last_day > most ? last_day : most;
    }
    assert_int_equal(most, QUOTA);
    free(limiter);
}

static void tokens_are_counted_as_they_were_used(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new((uint64_t[]){0, 1000});
    const uint64_t estimate[MOOT_METERS] = {1, 100, 500};
    struct moot_grant first, second;
    uint64_t retry_at_ns;
    assert_int_equal(moot__limiter_reserve(limiter, 0, estimate, &first, &retry_at_ns), MOOT_OK);
    assert_int_equal(moot__limiter_reserve(limiter, 0, estimate, &second, &retry_at_ns),
                     MOOT_EAGAIN); /* 600 and 600 */
    moot__limiter_settle(limiter, &first, 90, 110);
    assert_int_equal(moot__limiter_reserve(limiter, 1, estimate, &second, &retry_at_ns), MOOT_OK);
    moot__limiter_cancel(limiter, &second); /* as if it had not been */
    assert_int_equal(moot__limiter_reserve(limiter, 2, estimate, &second, &retry_at_ns), MOOT_OK);
    moot__limiter_settle(limiter, &second, 100, 800); /* 1,100 in all */
    assert_int_equal(moot__limiter_reserve(limiter, 24 * HOUR, estimate, &first, &retry_at_ns),
                     MOOT_EAGAIN);
    assert_int_equal(moot__limiter_reserve(limiter, 25 * HOUR, estimate, &first, &retry_at_ns),
                     MOOT_OK);
    /* An answer that comes when its hour is no longer known changes nothing. */
    moot__limiter_settle(limiter, &first, 0, 0);
    free(limiter);
}

static void a_refused_request_takes_nothing(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new((uint64_t[]){2, 100});
    const uint64_t large[MOOT_METERS] = {1, 60, 0};
    struct moot_grant grant;
    uint64_t retry_at_ns;
    assert_int_equal(moot__limiter_reserve(limiter, 0, large, &grant, &retry_at_ns), MOOT_OK);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(moot__limiter_reserve(limiter, 0, large, &grant, &retry_at_ns),
                         MOOT_EAGAIN);
    assert_int_equal(take_all(limiter, 0, &retry_at_ns), 1);
    free(limiter);
}

static void a_request_larger_than_the_day_has_it_for_itself(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new((uint64_t[]){0, 100});
    const uint64_t large[MOOT_METERS] = {1, 150, 0}, small[MOOT_METERS] = {1, 1, 0};
    struct moot_grant grant;
    uint64_t retry_at_ns;
    assert_int_equal(moot__limiter_reserve(limiter, 0, large, &grant, &retry_at_ns), MOOT_OK);
    assert_int_equal(moot__limiter_reserve(limiter, HOUR, small, &grant, &retry_at_ns),
                     MOOT_EAGAIN);
    assert_int_equal(moot__limiter_reserve(limiter, 25 * HOUR, small, &grant, &retry_at_ns),
                     MOOT_OK);
    assert_int_equal(moot__limiter_reserve(limiter, 26 * HOUR, large, &grant, &retry_at_ns),
                     MOOT_EAGAIN);
    free(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_used_at_once_and_comes_back_a_day_later),
        cmocka_unit_test(it_comes_back_hour_by_hour),
        cmocka_unit_test(no_day_sees_more_than_the_quota),
        cmocka_unit_test(tokens_are_counted_as_they_were_used),
        cmocka_unit_test(a_refused_request_takes_nothing),
        cmocka_unit_test(a_request_larger_than_the_day_has_it_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
