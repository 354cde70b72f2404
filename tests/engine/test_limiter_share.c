/* Several limiters, one quota: what processes have in common, here within one. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "engine/limiter.h"

#define S  MOOT_NS_PER_S
#define MS MOOT_NS_PER_MS

enum { LIMITERS = 4 };

struct fixture {
    struct moot_limiter_meters meters;
    struct moot_limiter limiters[LIMITERS];
};

static const uint64_t one_request[MOOT_METERS] = {1, 0, 0};

static struct fixture *fixture_new(const struct moot_limiter_options *options)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    for (unsigned i = 0; i < LIMITERS; i++) {
        moot__limiter_init(&f->limiters[i], options, 0);
        moot__limiter_share(&f->limiters[i], &f->meters);
    }
    return f;
}

static bool reserves(struct moot_limiter *limiter, uint64_t now_ns,
                     const uint64_t estimate[MOOT_METERS], uint64_t *retry_at_ns)
{
    struct moot_grant grant;
    return moot__limiter_reserve(limiter, now_ns, estimate, &grant, retry_at_ns) == MOOT_OK;
}

static void they_spend_from_one_bucket(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&(struct moot_limiter_options){
        .per_minute = {600, 0, 0}, .concurrency = 1000, .headroom = 1.0});
    uint64_t retry_at_ns = 0;
    for (unsigned i = 0; i < 10; i++)
        assert_true(reserves(&f->limiters[i % LIMITERS], 0, one_request, &retry_at_ns));
    for (unsigned i = 0; i < LIMITERS; i++) {
        assert_false(reserves(&f->limiters[i], 0, one_request, &retry_at_ns));
        assert_int_equal(retry_at_ns, 100 * MS);
    }
    free(f);
}

static void what_one_gives_back_another_may_take(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&(struct moot_limiter_options){
        .per_minute = {0, 60000, 0}, .concurrency = 1000, .headroom = 1.0});
    const uint64_t large[MOOT_METERS] = {1, 800, 0};
    struct moot_grant grant;
    uint64_t retry_at_ns = 0;
    assert_int_equal(moot__limiter_reserve(&f->limiters[0], 0, large, &grant, &retry_at_ns),
                     MOOT_OK);
    assert_false(reserves(&f->limiters[1], 0, large, &retry_at_ns));
    moot__limiter_settle(&f->limiters[0], &grant, 100, 0);
    assert_true(reserves(&f->limiters[1], 0, large, &retry_at_ns));
    free(f);
}

static void they_spend_from_one_day(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&(struct moot_limiter_options){
        .per_minute = {60000, 0, 0}, .per_day = {10, 0}, .concurrency = 1000});
    uint64_t retry_at_ns = 0;
    for (unsigned i = 0; i < 10; i++)
        assert_true(reserves(&f->limiters[i % LIMITERS], 0, one_request, &retry_at_ns));
    for (unsigned i = 0; i < LIMITERS; i++)
        assert_false(reserves(&f->limiters[i], 0, one_request, &retry_at_ns));
    free(f);
}

static void a_pause_that_one_is_told_holds_all(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&(struct moot_limiter_options){
        .per_minute = {600, 0, 0}, .concurrency = 1000, .headroom = 1.0});
    uint64_t retry_at_ns = 0;
    assert_true(reserves(&f->limiters[0], 0, one_request, &retry_at_ns));
    moot__limiter_on_throttle(&f->limiters[0], 0, 1 * S, 5 * S);
    assert_false(reserves(&f->limiters[1], 2 * S, one_request, &retry_at_ns));
    assert_int_equal(retry_at_ns, 6 * S);
    assert_true(reserves(&f->limiters[1], 6 * S, one_request, &retry_at_ns));
    /* Without a hint it is one's own suspicion: the others find out for themselves. */
    moot__limiter_on_throttle(&f->limiters[2], 6 * S, 7 * S, 0);
    assert_true(reserves(&f->limiters[3], 7 * S, one_request, &retry_at_ns));
    free(f);
}

/* Estimates of 500 tokens from 10,000 a minute, of which 0.78 may be set aside: 15 at once. */
static unsigned at_once(struct fixture *f, unsigned limiters, uint64_t now_ns)
{
    const uint64_t estimate[MOOT_METERS] = {1, 0, 500};
    uint64_t retry_at_ns;
    unsigned count = 0;
    while (count < 100 && reserves(&f->limiters[count % limiters], now_ns, estimate, &retry_at_ns))
        count++;
    return count;
}

static const struct moot_limiter_options tokens = {
    .per_minute = {0, 0, 10000}, .concurrency = 1000, .headroom = 1.0, .burst_ns = 600 * S};

static void what_all_set_aside_is_one_sum(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&tokens);
    assert_int_equal(at_once(f, 1, S), 15);
    free(f);
    f = fixture_new(&tokens);
    assert_int_equal(at_once(f, LIMITERS, S), 15);
    free(f);
}

static void where_only_what_is_used_counts_nothing_is_set_aside(void **state)
{
    (void)state;
    struct moot_limiter_options options = tokens;
    options.only_used = true;
    struct fixture *f = fixture_new(&options);
    assert_int_equal(at_once(f, 1, S), 100); /* all: the bucket holds ten minutes */
    free(f);
}

static void what_a_dead_one_set_aside_is_forgotten(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&tokens);
    assert_int_equal(at_once(f, 1, S), 15); /* and nothing more is heard of it */
    uint64_t retry_at_ns;
    const uint64_t estimate[MOOT_METERS] = {1, 0, 500};
    assert_false(reserves(&f->limiters[1], 2 * S, estimate, &retry_at_ns));
    assert_true(reserves(&f->limiters[1], 62 * S, estimate, &retry_at_ns));
    free(f);
}

static void more_than_there_are_places_for_still_spend_together(void **state)
{
    (void)state;
    enum { MANY = MOOT_LIMITER_MEMBERS + 10 };
    struct moot_limiter_meters *meters = calloc(1, sizeof *meters);
    struct moot_limiter *limiters = calloc(MANY, sizeof *limiters);
    uint64_t retry_at_ns;
    const uint64_t estimate[MOOT_METERS] = {1, 0, 100};
    unsigned count = 0;
    for (unsigned i = 0; i < MANY; i++) {
        moot__limiter_init(&limiters[i],
                           &(struct moot_limiter_options){
                               .per_minute = {0, 0, 60000}, .concurrency = 10, .headroom = 1.0},
                           0);
        moot__limiter_share(&limiters[i], meters);
        count += reserves(&limiters[i], S, estimate, &retry_at_ns);
    }
    assert_int_equal(count, 10); /* a burst of 1,000 tokens */
    free(limiters);
    free(meters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_spend_from_one_bucket),
        cmocka_unit_test(what_one_gives_back_another_may_take),
        cmocka_unit_test(they_spend_from_one_day),
        cmocka_unit_test(a_pause_that_one_is_told_holds_all),
        cmocka_unit_test(what_all_set_aside_is_one_sum),
        cmocka_unit_test(where_only_what_is_used_counts_nothing_is_set_aside),
        cmocka_unit_test(what_a_dead_one_set_aside_is_forgotten),
        cmocka_unit_test(more_than_there_are_places_for_still_spend_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
