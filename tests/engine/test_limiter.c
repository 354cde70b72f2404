/* The limiter in virtual time: bucket arithmetic, episodes, and whole simulated providers whose
 * quota it must keep to, or find. */
#include "tests/support/test.h"

#include <pthread.h>
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

/* --- simulated providers --------------------------------------------------------------------- */

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

/* Refused twice, and told to wait: that the next is accepted does not make it one in that time. */
static void one_accepted_request_teaches_no_rate(void **state)
{
    (void)state;
    static const uint64_t hints_ns[] = {0, 100 * S, 0};
    struct moot_limiter *limiter = limiter_new(&(struct moot_limiter_options){.concurrency = 100});
    struct moot_limiter_snapshot snapshot;
    struct moot_grant grant;
    uint64_t retry_at_ns = 0, now_ns = 1 * S;
    for (unsigned i = 0; i < moot__countof(hints_ns); i++) {
        assert_int_equal(moot__limiter_reserve(limiter, now_ns, one_request, &grant, &retry_at_ns),
                         MOOT_OK);
        now_ns += 10 * MS;
        if (i < 2)
            moot__limiter_on_throttle(limiter, grant.sent_at_ns, now_ns, hints_ns[i]);
        else
            moot__limiter_on_success(limiter, grant.sent_at_ns, now_ns);
        moot__limiter_settle(limiter, &grant, 0, 0);
        moot__limiter_snapshot(limiter, &snapshot);
        now_ns = snapshot.pause_until_ns;
    }
    assert_int_equal(snapshot.per_minute[MOOT_METER_REQUESTS], 0);
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
        cmocka_unit_test(a_known_quota_is_used_and_never_overshot),
        cmocka_unit_test(an_unknown_quota_is_found),
        cmocka_unit_test(a_small_unknown_quota_is_found),
        cmocka_unit_test(refusals_that_no_cut_helps_against_do_not_slow_us_down),
        cmocka_unit_test(one_early_refusal_teaches_no_rate),
        cmocka_unit_test(one_accepted_request_teaches_no_rate),
        cmocka_unit_test(a_rate_of_one_a_minute_is_left_within_minutes),
        cmocka_unit_test(threads_share_one_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
