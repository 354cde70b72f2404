/* The limiter in virtual time against whole simulated providers, whose quota it must keep to, or
 * find. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/gate.h"

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

enum quota_kind {
    FIXED_WINDOW,
    SLIDING_WINDOW,
    TOKEN_BUCKET,
    QUOTA_KINDS,
    NOISE = QUOTA_KINDS, /* a share is refused, however fast or slow we are */
    FIRST_REFUSED,       /* the very first, and never again */
};

struct provider {
    enum quota_kind kind;
    uint64_t window_start_ns, in_window; /* fixed */
    uint64_t times_ns[600];              /* sliding: the last 600 that were accepted */
    unsigned next;
    double level; /* bucket: ten a second, sixty at most */
    uint64_t level_at_ns;
    uint64_t accepted, refused;
    struct moot_rng rng;
    unsigned noise_percent;
    double per_second; /* of the bucket */
};

static bool provider_accepts(struct provider *p, uint64_t now_ns)
{
    bool ok = false;
    switch (p->kind) {
    case FIXED_WINDOW:
        if (now_ns >= p->window_start_ns + 60 * S) {
            p->window_start_ns = now_ns / (60 * S) * (60 * S);
            p->in_window = 0;
        }
        ok = p->in_window < 600;
        p->in_window += ok;
        break;
    case SLIDING_WINDOW:
        ok = p->times_ns[p->next] == 0 || now_ns - p->times_ns[p->next] >= 60 * S;
        if (ok) {
            p->times_ns[p->next] = now_ns;
            p->next = (p->next + 1) % 600;
        }
        break;
    case NOISE:
        ok = moot__rng_below(&p->rng, 100) >= p->noise_percent;
        break;
    case FIRST_REFUSED:
        ok = p->refused > 0;
        break;
    case TOKEN_BUCKET:
        p->level += (double)(now_ns - p->level_at_ns) / (double)S * p->per_second;
        p->level = p->level > 60 ? 60 : p->level;
        p->level_at_ns = now_ns;
        ok = p->level >= 1;
        p->level -= ok ? 1 : 0;
        break;
    }
    *(ok ? &p->accepted : &p->refused) += 1;
    return ok;
}

enum { LOOPS = 3, ROWS = 300 };

struct row {
    struct moot_waiter waiter;
    uint64_t done_at_ns;
    unsigned loop;
};

struct sim {
    struct provider provider;
    struct moot_limiter *limiter;
    struct moot_gate gates[LOOPS];
    struct row rows[LOOPS][ROWS];
    struct moot_list answers, refusals; /* in order of time, since the delays are constant */
    uint64_t latency_ns;
};

static void sim_finish(struct sim *sim, struct moot_list *list, bool ok, uint64_t now_ns)
{
    while (!moot__list_is_empty(list)) {
        struct row *row = moot__list_entry(list->next, struct row, waiter.node);
        if (row->done_at_ns > now_ns)
            return;
        moot__list_remove(&row->waiter.node);
        if (ok)
            moot__limiter_on_success(sim->limiter, row->waiter.grant.sent_at_ns, now_ns);
        else
            moot__limiter_on_throttle(sim->limiter, row->waiter.grant.sent_at_ns, now_ns, 0);
        moot__limiter_settle(sim->limiter, &row->waiter.grant, 0, 0);
        moot__gate_enter(&sim->gates[row->loop], &row->waiter, now_ns);
    }
}

static void sim_step(struct sim *sim, uint64_t now_ns)
{
    sim_finish(sim, &sim->answers, true, now_ns);
    sim_finish(sim, &sim->refusals, false, now_ns);
    for (unsigned i = 0; i < LOOPS; i++) {
        struct moot_list granted;
        moot__list_init(&granted);
        if (moot__gate_next_ns(&sim->gates[i]) > now_ns)
            continue;
        moot__gate_pump(&sim->gates[i], now_ns, &granted);
        for (struct moot_list *node; (node = moot__list_pop_front(&granted)) != NULL;) {
            struct row *row = moot__list_entry(node, struct row, waiter.node);
            bool ok = provider_accepts(&sim->provider, now_ns);
            row->done_at_ns = now_ns + (ok ? sim->latency_ns : 30 * MS);
            moot__list_push_back(ok ? &sim->answers : &sim->refusals, node);
        }
    }
}

static struct sim *sim_new(enum quota_kind kind, uint64_t per_minute, uint64_t latency_ns)
{
    struct sim *sim = calloc(1, sizeof *sim);
    assert_non_null(sim);
    sim->provider.kind = kind;
    sim->provider.level = 60;
    sim->provider.per_second = 10;
    moot__rng_init(&sim->provider.rng, 7);
    sim->latency_ns = latency_ns;
    sim->limiter = limiter_new(&(struct moot_limiter_options){.per_minute = {per_minute, 0, 0}});
    moot__list_init(&sim->answers);
    moot__list_init(&sim->refusals);
    for (unsigned i = 0; i < LOOPS; i++) {
        moot__gate_init(&sim->gates[i], sim->limiter);
        for (unsigned j = 0; j < ROWS; j++) {
            sim->rows[i][j].loop = i;
            moot__gate_waiter_init(&sim->rows[i][j].waiter);
            moot__gate_enter(&sim->gates[i], &sim->rows[i][j].waiter, 0);
        }
    }
    return sim;
}

static void sim_run(struct sim *sim, uint64_t from_ns, uint64_t to_ns)
{
    for (uint64_t now_ns = from_ns; now_ns < to_ns; now_ns += 5 * MS)
        sim_step(sim, now_ns);
}

static void sim_free(struct sim *sim)
{
    free(sim->limiter);
    free(sim);
}

static void a_known_quota_is_used_and_never_overshot(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < QUOTA_KINDS; kind++) {
        struct sim *sim = sim_new((enum quota_kind)kind, 600, 800 * MS);
        sim_run(sim, 1, 600 * S);
        assert_int_equal(sim->provider.refused, 0);
        assert_true(sim->provider.accepted >= 5700); /* of 6000 */
        sim_free(sim);
    }
}

static void a_small_unknown_quota_is_found(void **state)
{
    (void)state;
    struct sim *sim = sim_new(TOKEN_BUCKET, 0, 2 * S);
    sim->provider.per_second = 1;
    sim_run(sim, 1, 300 * S);
    uint64_t accepted = sim->provider.accepted, refused = sim->provider.refused;
    sim_run(sim, 300 * S, 1500 * S);
    accepted = sim->provider.accepted - accepted;
    refused = sim->provider.refused - refused;
    print_message("60 a minute: used %.1f %%, refused %.2f %%\n", (double)accepted / 12.0,
                  100.0 * (double)refused / (double)accepted);
    assert_true(accepted >= 1200 * 85 / 100);
    assert_true(refused * 100 <= accepted * 5);
    sim_free(sim);
}

static void an_unknown_quota_is_found(void **state)
{
    (void)state;
    static const uint64_t latencies_ns[] = {300 * MS, 5 * S, 20 * S};
    for (unsigned i = 0; i < QUOTA_KINDS * moot__countof(latencies_ns); i++) {
        uint64_t latency_ns = latencies_ns[i % moot__countof(latencies_ns)];
        struct sim *sim =
            sim_new((enum quota_kind)(i / moot__countof(latencies_ns)), 0, latency_ns);
        sim_run(sim, 1, 300 * S);
        uint64_t accepted = sim->provider.accepted, refused = sim->provider.refused;
        sim_run(sim, 300 * S, 1500 * S);
        accepted = sim->provider.accepted - accepted;
        refused = sim->provider.refused - refused;
        print_message("quota kind %u, latency %5.1f s: used %5.1f %%, refused %4.2f %%\n",
                      sim->provider.kind, (double)latency_ns / (double)S, (double)accepted / 120.0,
                      100.0 * (double)refused / (double)accepted);
        assert_true(accepted >= 12000 * 90 / 100);
        assert_true(refused * 100 <= accepted * 2);
        sim_free(sim);
    }
}

static void refusals_that_no_cut_helps_against_do_not_slow_us_down(void **state)
{
    (void)state;
    static const unsigned percents[] = {1, 5, 30};
    for (size_t i = 0; i < moot__countof(percents); i++) {
        struct sim *sim = sim_new(NOISE, 0, 500 * MS);
        sim->provider.noise_percent = percents[i];
        sim_run(sim, 1, 120 * S);
        uint64_t accepted = sim->provider.accepted;
        sim_run(sim, 120 * S, 240 * S);
        accepted = sim->provider.accepted - accepted;
        print_message("noise of %u %%: %.0f a second\n", percents[i], (double)accepted / 120.0);
        assert_true(accepted >= 120 * 100); /* spiralling cuts end at one a minute */
        sim_free(sim);
    }
}

static void one_early_refusal_teaches_no_rate(void **state)
{
    (void)state;
    struct sim *sim = sim_new(FIRST_REFUSED, 0, 500 * MS);
    sim_run(sim, 1, 20 * S);
    assert_true(sim->provider.accepted >= 20 * 20);
    sim_free(sim);
}

/* One call, answered after 10 ms: accepted, or refused with a hint. Returns when the next may go.
 */
static uint64_t call(struct moot_limiter *limiter, uint64_t now_ns, bool ok, uint64_t hint_ns)
{
    struct moot_limiter_snapshot snapshot;
    struct moot_grant grant;
    uint64_t retry_at_ns = 0;
    assert_int_equal(moot__limiter_reserve(limiter, now_ns, one_request, &grant, &retry_at_ns),
                     MOOT_OK);
    now_ns += 10 * MS;
    if (ok)
        moot__limiter_on_success(limiter, grant.sent_at_ns, now_ns);
    else
        moot__limiter_on_throttle(limiter, grant.sent_at_ns, now_ns, hint_ns);
    moot__limiter_settle(limiter, &grant, 0, 0);
    moot__limiter_snapshot(limiter, &snapshot);
    return snapshot.pause_until_ns > now_ns ? snapshot.pause_until_ns : now_ns;
}

static uint64_t rate_of(struct moot_limiter *limiter)
{
    struct moot_limiter_snapshot snapshot;
    moot__limiter_snapshot(limiter, &snapshot);
    return snapshot.per_minute[MOOT_METER_REQUESTS];
}

/* Refused twice, and told to wait: that the next is accepted does not make it one in that time. */
static void one_accepted_request_teaches_no_rate(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){.concurrency = 100});
    uint64_t now_ns = call(limiter, 1 * S, false, 0);
    now_ns = call(limiter, now_ns, false, 100 * S);
    moot__ignore(call(limiter, now_ns, true, 0));
    assert_int_equal(rate_of(limiter), 0);
    free(limiter);
}

/* The same after some that were accepted: a quota of a minute is not gone for longer than that, so
 * that the time makes neither a rate, nor a window that ended, nor is it part of what comes next.
 */
static void a_provider_shut_for_longer_than_a_minute_teaches_no_rate(void **state)
{
    (void)state;
    for (unsigned refusals = 1; refusals <= 2; refusals++) {
        struct moot_limiter *limiter =
            limiter_new(&(struct moot_limiter_options){.concurrency = 100});
        uint64_t now_ns = 1 * S;
        for (unsigned i = 0; i < 4; i++)
            now_ns = call(limiter, now_ns, true, 0);
        if (refusals == 2)
            now_ns = call(limiter, now_ns, false, 0);
        now_ns = call(limiter, now_ns, false, 120 * S);
        assert_true(now_ns >= 121 * S);
        now_ns = call(limiter, now_ns, true, 0);
        assert_int_equal(rate_of(limiter), 0);
        for (unsigned i = 0; i < 20; i++) /* and a window would have been seen by now */
            now_ns = call(limiter, now_ns + 500 * MS, true, 0);
        assert_int_equal(rate_of(limiter), 0);
        now_ns = call(limiter, now_ns, false, 0);
        moot__ignore(call(limiter, now_ns, true, 0));
        print_message("after %u refusals, learned later: %llu a minute\n", refusals,
                      (unsigned long long)rate_of(limiter));
        assert_true(rate_of(limiter) >=
                    90); /* of two a second; 12 with the time that it was shut */
        free(limiter);
    }
}

/* Whoever asks for too much and is shut out for it learns from what was accepted until then. */
static void a_long_pause_does_not_hide_the_rate_before_it(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){.concurrency = 100});
    uint64_t now_ns = 1 * S;
    for (unsigned i = 0; i < 40; i++)
        now_ns = call(limiter, now_ns + 490 * MS, true, 0);
    now_ns = call(limiter, now_ns, false, 0);
    now_ns = call(limiter, now_ns, false, 120 * S);
    moot__ignore(call(limiter, now_ns, true, 0));
    print_message("shut out at 120 a minute, learned: %llu\n",
                  (unsigned long long)rate_of(limiter));
    assert_true(rate_of(limiter) >= 90 && rate_of(limiter) <= 120);
    free(limiter);
}

/* A rate that was found too low grows with the time, not with the few answers that it lets come. */
static void a_rate_of_one_a_minute_is_left_within_minutes(void **state)
{
    (void)state;
    struct sim *sim = sim_new(NOISE, 0, 500 * MS); /* of none: whatever comes is accepted */
    atomic_store(&sim->limiter->rate_milli[MOOT_METER_REQUESTS], 1000);
    sim->limiter->adapt.throttled_milli[MOOT_METER_REQUESTS] = 1000;
    sim_run(sim, 1, 600 * S);
    print_message("from one a minute, ten minutes: %llu\n",
                  (unsigned long long)sim->provider.accepted);
    assert_true(sim->provider.accepted >= 60); /* ten, if it stayed */
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_quota_is_used_and_never_overshot),
        cmocka_unit_test(a_small_unknown_quota_is_found),
        cmocka_unit_test(an_unknown_quota_is_found),
        cmocka_unit_test(refusals_that_no_cut_helps_against_do_not_slow_us_down),
        cmocka_unit_test(one_early_refusal_teaches_no_rate),
        cmocka_unit_test(one_accepted_request_teaches_no_rate),
        cmocka_unit_test(a_provider_shut_for_longer_than_a_minute_teaches_no_rate),
        cmocka_unit_test(a_long_pause_does_not_hide_the_rate_before_it),
        cmocka_unit_test(a_rate_of_one_a_minute_is_left_within_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
