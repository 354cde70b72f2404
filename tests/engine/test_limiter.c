/* The limiter in virtual time: bucket arithmetic, episodes, threads. */
#include "tests/support/test.h"

#include <pthread.h>
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/limiter.h"

#define S  MOOT_NS_PER_S
#define MS MOOT_NS_PER_MS

static const uint64_t one_request[MOOT_METERS] = {1, 0, 0};

static struct moot_limiter *limiter_new(const struct moot_limiter_options *options)
{
    struct moot_limiter *limiter = calloc(1, sizeof *limiter);
    assert_non_null(limiter);
    moot__limiter_init(limiter, options, 0);
    return limiter;
}

static unsigned take_all(struct moot_limiter *limiter, uint64_t now_ns,
                         const uint64_t estimate[MOOT_METERS], uint64_t *retry_at_ns)
{
    unsigned count = 0;
    struct moot_grant grant;
    while (moot__limiter_reserve(limiter, now_ns, estimate, &grant, retry_at_ns) == MOOT_OK) {
        moot__limiter_settle(limiter, &grant, estimate[1], estimate[2]);
        count++;
    }
    return count;
}

static void the_bucket_holds_one_second(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){
        .per_minute = {600, 0, 0}, .concurrency = 100, .headroom = 1.0});
    uint64_t retry_at_ns = 0;
    assert_int_equal(take_all(limiter, 0, one_request, &retry_at_ns), 10);
    assert_int_equal(retry_at_ns, 100 * MS);
    assert_int_equal(take_all(limiter, 100 * MS - 1, one_request, &retry_at_ns), 0);
    assert_int_equal(take_all(limiter, 100 * MS, one_request, &retry_at_ns), 1);
    /* A long rest fills the bucket once, not more. */
    assert_int_equal(take_all(limiter, 500 * S, one_request, &retry_at_ns), 10);
    free(limiter);
}

static void a_slow_bucket_holds_one_request(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){
        .per_minute = {6, 0, 0}, .concurrency = 100, .headroom = 1.0});
    uint64_t retry_at_ns = 0;
    assert_int_equal(take_all(limiter, 0, one_request, &retry_at_ns), 1);
    assert_int_equal(retry_at_ns, 10 * S);
    assert_int_equal(take_all(limiter, 10 * S, one_request, &retry_at_ns), 1);
    free(limiter);
}

static void no_window_of_a_minute_sees_more_than_the_quota(void **state)
{
    (void)state;
    static const uint64_t quotas[] = {1, 6, 60, 600, 6000};
    for (size_t q = 0; q < moot__countof(quotas); q++) {
        struct moot_limiter *limiter = limiter_new(
            &(struct moot_limiter_options){.per_minute = {quotas[q], 0, 0}, .concurrency = 100});
        uint64_t retry_at_ns = 0, count = 0;
        for (uint64_t now_ns = 0; now_ns < 60 * S; now_ns = retry_at_ns)
            count += take_all(limiter, now_ns, one_request, &retry_at_ns);
        assert_true(count <= quotas[q]);
        assert_true(count >= quotas[q] * 9 / 10);
        free(limiter);
    }
}

static void a_request_larger_than_the_bucket_waits_until_it_is_full(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){
        .per_minute = {0, 60000, 0}, .concurrency = 100, .headroom = 1.0}); /* 1000 a second */
    const uint64_t small[MOOT_METERS] = {1, 100, 0}, large[MOOT_METERS] = {1, 5000, 0};
    struct moot_grant grant;
    uint64_t retry_at_ns = 0;
    assert_int_equal(moot__limiter_reserve(limiter, 0, small, &grant, &retry_at_ns), MOOT_OK);
    assert_int_equal(moot__limiter_reserve(limiter, 0, large, &grant, &retry_at_ns), MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, 100 * MS);
    assert_int_equal(moot__limiter_reserve(limiter, retry_at_ns, large, &grant, &retry_at_ns),
                     MOOT_OK);
    /* The debt: five seconds, of which the bucket holds one. */
    assert_int_equal(moot__limiter_reserve(limiter, 200 * MS, small, &grant, &retry_at_ns),
                     MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, 100 * MS + 4 * S + 100 * MS);
    free(limiter);
}

static void settling_refunds_and_charges(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){
        .per_minute = {0, 0, 60000}, .concurrency = 100, .headroom = 1.0});
    const uint64_t estimate[MOOT_METERS] = {1, 0, 1000};
    struct moot_grant grant;
    uint64_t retry_at_ns = 0;
    assert_int_equal(moot__limiter_reserve(limiter, 0, estimate, &grant, &retry_at_ns), MOOT_OK);
    moot__limiter_settle(limiter, &grant, 0, 400);
    moot__limiter_settle(limiter, &grant, 0, 0); /* a second time changes nothing */
    assert_int_equal(moot__limiter_reserve(limiter, 0, estimate, &grant, &retry_at_ns),
                     MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, 400 * MS);
    assert_int_equal(moot__limiter_reserve(limiter, 400 * MS, estimate, &grant, &retry_at_ns),
                     MOOT_OK);
    moot__limiter_settle(limiter, &grant, 0, 3000); /* a debt of two seconds */
    assert_int_equal(moot__limiter_reserve(limiter, 400 * MS, estimate, &grant, &retry_at_ns),
                     MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, 3400 * MS);
    free(limiter);
}

static void tokens_that_nobody_estimated_are_a_debt_all_the_same(void **state)
{
    (void)state;
    struct moot_limiter *limiter =
        limiter_new(&(struct moot_limiter_options){.per_minute = {0, 0, 60000}, .concurrency = 9});
    struct moot_grant grant;
    uint64_t retry_at_ns = 0, now_ns = 1000 * S;
    assert_int_equal(moot__limiter_reserve(limiter, now_ns, one_request, &grant, &retry_at_ns),
                     MOOT_OK);
    moot__limiter_settle(limiter, &grant, 0, 9700); /* ten seconds' worth */
    assert_int_equal(
        moot__limiter_reserve(limiter, now_ns + 8 * S, one_request, &grant, &retry_at_ns),
        MOOT_EAGAIN);
    assert_int_equal(
        moot__limiter_reserve(limiter, now_ns + 10 * S, one_request, &grant, &retry_at_ns),
        MOOT_OK);
    moot__limiter_cancel(limiter, &grant);
    free(limiter);
}

static void a_refusal_by_one_meter_takes_nothing_of_the_others(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){
        .per_minute = {60, 60000, 60000}, .concurrency = 2, .headroom = 1.0});
    const uint64_t output_only[MOOT_METERS] = {1, 0, 1000}, all[MOOT_METERS] = {1, 1000, 1000};
    struct moot_grant grant, other;
    struct moot_limiter_snapshot snapshot;
    uint64_t retry_at_ns = 0;
    assert_int_equal(moot__limiter_reserve(limiter, 0, output_only, &grant, &retry_at_ns), MOOT_OK);
    assert_int_equal(moot__limiter_reserve(limiter, 500 * MS, all, &other, &retry_at_ns),
                     MOOT_EAGAIN);
    assert_false(other.is_held);
    moot__limiter_snapshot(limiter, &snapshot);
    assert_int_equal(snapshot.in_flight, 1);
    moot__limiter_cancel(limiter, &grant);
    moot__limiter_cancel(limiter, &grant);
    assert_int_equal(moot__limiter_reserve(limiter, 500 * MS, all, &other, &retry_at_ns), MOOT_OK);
    moot__limiter_snapshot(limiter, &snapshot);
    assert_int_equal(snapshot.granted, 1);
    free(limiter);
}

static void concurrency_is_a_ceiling(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){.concurrency = 2});
    struct moot_grant grants[3];
    uint64_t retry_at_ns = 0;
    assert_int_equal(moot__limiter_reserve(limiter, 0, one_request, &grants[0], &retry_at_ns), 0);
    assert_int_equal(moot__limiter_reserve(limiter, 0, one_request, &grants[1], &retry_at_ns), 0);
    assert_int_equal(moot__limiter_reserve(limiter, 0, one_request, &grants[2], &retry_at_ns),
                     MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, MOOT_LIMITER_POLL_NS);
    moot__limiter_settle(limiter, &grants[0], 0, 0);
    assert_int_equal(moot__limiter_reserve(limiter, 1, one_request, &grants[2], &retry_at_ns), 0);
    free(limiter);
}

static uint32_t limit_of(struct moot_limiter *limiter)
{
    struct moot_limiter_snapshot snapshot;
    moot__limiter_snapshot(limiter, &snapshot);
    return snapshot.in_flight_limit;
}

/* Fill every slot, as fast as the limiter lets calls leave, then let all succeed. */
static void clean_round(struct moot_limiter *limiter, uint64_t now_ns)
{
    enum { MOST = 512 };
    static struct moot_grant grants[MOST];
    uint64_t retry_at_ns = 0;
    unsigned count = 0;
    while (count < MOST) {
        if (moot__limiter_reserve(limiter, now_ns, one_request, &grants[count], &retry_at_ns) ==
            MOOT_OK)
            count++;
        else if (retry_at_ns < now_ns + MOOT_LIMITER_POLL_NS)
            now_ns = retry_at_ns; /* not for want of a slot */
        else
            break;
    }
    for (unsigned i = 0; i < count; i++) {
        moot__limiter_on_success(limiter, grants[i].sent_at_ns, now_ns + 10 * MS);
        moot__limiter_settle(limiter, &grants[i], 0, 0);
    }
}

static void adaptive_concurrency_starts_slowly_and_is_cut_once_an_episode(void **state)
{
    (void)state;
    struct moot_limiter *limiter =
        limiter_new(&(struct moot_limiter_options){.concurrency_max = 100});
    assert_int_equal(limit_of(limiter), 20);
    clean_round(limiter, 1 * S);
    assert_int_equal(limit_of(limiter), 40);
    clean_round(limiter, 2 * S);
    clean_round(limiter, 3 * S);
    assert_int_equal(limit_of(limiter), 100); /* the ceiling */
    for (unsigned i = 0; i < 64; i++)
        moot__limiter_on_throttle(limiter, 4 * S, 4 * S + 10 * MS + i, 0);
    assert_int_equal(limit_of(limiter), 80);
    struct moot_limiter_snapshot snapshot;
    moot__limiter_snapshot(limiter, &snapshot);
    assert_int_equal(snapshot.cuts, 1);
    assert_int_equal(snapshot.throttled, 64);
    free(limiter);
}

static void an_unused_limit_does_not_grow(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){0});
    uint64_t retry_at_ns;
    for (unsigned i = 0; i < 100; i++) {
        struct moot_grant grant;
        assert_int_equal(moot__limiter_reserve(limiter, i, one_request, &grant, &retry_at_ns), 0);
        moot__limiter_on_success(limiter, i, i + 1);
        moot__limiter_settle(limiter, &grant, 0, 0);
    }
    assert_int_equal(limit_of(limiter), 20);
    free(limiter);
}

static void a_pause_ends_with_one_probe(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){
        .per_minute = {600, 0, 0}, .concurrency = 100, .headroom = 1.0});
    struct moot_grant grant, probe;
    uint64_t retry_at_ns = 0;
    assert_int_equal(moot__limiter_reserve(limiter, 1 * S, one_request, &grant, &retry_at_ns), 0);
    moot__limiter_on_throttle(limiter, grant.sent_at_ns, 1 * S + 1, 7 * S);
    moot__limiter_settle(limiter, &grant, 0, 0);
    assert_int_equal(moot__limiter_reserve(limiter, 2 * S, one_request, &probe, &retry_at_ns),
                     MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, 8 * S + 1);
    assert_int_equal(moot__limiter_reserve(limiter, 9 * S, one_request, &probe, &retry_at_ns), 0);
    assert_int_equal(moot__limiter_reserve(limiter, 9 * S, one_request, &grant, &retry_at_ns),
                     MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, 10 * S); /* unrefused for a second: accepted */

    /* Cancelled before it left: the next one is the probe. */
    moot__limiter_cancel(limiter, &probe);
    assert_int_equal(moot__limiter_reserve(limiter, 10 * S, one_request, &probe, &retry_at_ns), 0);
    moot__limiter_on_success(limiter, probe.sent_at_ns, 10 * S + 50 * MS);
    moot__limiter_settle(limiter, &probe, 0, 0);
    /* No burst after the pause: what waited leaves at the pace of the rate, now 0.8. */
    assert_int_equal(take_all(limiter, 10 * S + 50 * MS, one_request, &retry_at_ns), 0);
    assert_int_equal(take_all(limiter, 10 * S + 175 * MS, one_request, &retry_at_ns), 1);
    free(limiter);
}

static void a_long_hint_is_capped_and_never_stretches_the_cooldown(void **state)
{
    (void)state;
    struct moot_limiter *limiter =
        limiter_new(&(struct moot_limiter_options){.per_minute = {600, 0, 0}, .concurrency = 100});
    struct moot_limiter_snapshot snapshot;
    moot__limiter_on_throttle(limiter, 1 * S, 2 * S, MOOT_NEVER_NS);
    moot__limiter_snapshot(limiter, &snapshot);
    assert_int_equal(snapshot.pause_until_ns, 2 * S + MOOT_LIMITER_PAUSE_MAX_NS);
    assert_int_equal(snapshot.per_minute[0], 465); /* 600 x 0.97 x 0.8 */
    free(limiter);
}

/* --- threads --------------------------------------------------------------------------------- */

struct worker {
    struct moot_limiter *limiter;
    _Atomic uint64_t *now_ns;
    uint64_t granted;
};

/* Each thread moves the common virtual clock on a little and takes what it gets. */
static void *work(void *data)
{
    struct worker *worker = data;
    const uint64_t estimate[MOOT_METERS] = {1, 10, 20};
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t now_ns = atomic_fetch_add(worker->now_ns, MS) + MS, retry_at_ns;
        struct moot_grant grant;
        if (moot__limiter_reserve(worker->limiter, now_ns, estimate, &grant, &retry_at_ns))
            continue;
        worker->granted++;
        if (i % 64 == 0)
            moot__limiter_on_throttle(worker->limiter, grant.sent_at_ns, now_ns, 5 * MS);
        else
            moot__limiter_on_success(worker->limiter, grant.sent_at_ns, now_ns);
        moot__limiter_settle(worker->limiter, &grant, 10, 20);
    }
    return NULL;
}

static void threads_share_one_quota(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){
        .per_minute = {6000, 1000000, 1000000}, .concurrency = 50, .headroom = 1.0});
    _Atomic uint64_t now_ns = 0;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){limiter, &now_ns, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    uint64_t granted = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        granted += workers[i].granted;
    }
    uint64_t most = 100 + atomic_load(&now_ns) / (10 * MS);
    struct moot_limiter_snapshot snapshot;
    moot__limiter_snapshot(limiter, &snapshot);
    assert_int_equal(snapshot.in_flight, 0);
    assert_int_equal(snapshot.granted, granted);
    assert_true(granted <= most);
    assert_true(granted > 0);
    free(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bucket_holds_one_second),
        cmocka_unit_test(a_slow_bucket_holds_one_request),
        cmocka_unit_test(no_window_of_a_minute_sees_more_than_the_quota),
        cmocka_unit_test(a_request_larger_than_the_bucket_waits_until_it_is_full),
        cmocka_unit_test(settling_refunds_and_charges),
        cmocka_unit_test(tokens_that_nobody_estimated_are_a_debt_all_the_same),
        cmocka_unit_test(a_refusal_by_one_meter_takes_nothing_of_the_others),
        cmocka_unit_test(concurrency_is_a_ceiling),
        cmocka_unit_test(adaptive_concurrency_starts_slowly_and_is_cut_once_an_episode),
        cmocka_unit_test(an_unused_limit_does_not_grow),
        cmocka_unit_test(a_pause_ends_with_one_probe),
        cmocka_unit_test(a_long_hint_is_capped_and_never_stretches_the_cooldown),
        cmocka_unit_test(threads_share_one_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
