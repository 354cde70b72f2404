/* The breaker in virtual time: every way from one state to another, and that it wedges nobody. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/gate.h"
#include "engine/retry.h"

#define S  MOOT_NS_PER_S
#define MS MOOT_NS_PER_MS

static const uint64_t one_request[MOOT_METERS] = {1, 0, 0, 0};

static struct moot_limiter *limiter_new(void)
{
    struct moot_limiter *limiter = calloc(1, sizeof *limiter);
    assert_non_null(limiter);
    moot__limiter_init(limiter, &(struct moot_limiter_options){.concurrency = 1000}, 0);
    return limiter;
}

static struct moot_breaker_view view_of(struct moot_limiter *limiter)
{
    struct moot_limiter_snapshot snapshot;
    moot__limiter_snapshot(limiter, &snapshot);
    return snapshot.breaker;
}

static void note_failure(struct moot_limiter *limiter, enum moot_fault fault, uint64_t who,
                         uint64_t sent_at_ns, uint64_t now_ns)
{
    const struct moot_failure failure = {
        .fault = fault, .who = who, .sent_at_ns = sent_at_ns, .cause = MOOT_VIEW("refused")};
    moot__limiter_on_failure(limiter, &failure, now_ns);
}

/* One call: MOOT_OK and answered or failed at once; or MOOT_EAGAIN. */
static int call(struct moot_limiter *limiter, uint64_t now_ns, bool is_answered,
                uint64_t *retry_at_ns)
{
    struct moot_grant grant;
    int rc = moot__limiter_reserve(limiter, now_ns, one_request, &grant, retry_at_ns);
    if (rc)
        return rc;
    moot__limiter_settle(limiter, &grant, 0, 0);
    if (is_answered)
        moot__limiter_on_success(limiter, now_ns, now_ns);
    else
        note_failure(limiter, MOOT_FAULT_PROVIDER, now_ns, now_ns, now_ns);
    return MOOT_OK;
}

/* Failures until it is open; returns when. */
static uint64_t trip(struct moot_limiter *limiter, uint64_t now_ns)
{
    for (unsigned i = 0; i < 5; i++)
        note_failure(limiter, MOOT_FAULT_PROVIDER, i, now_ns + i, now_ns + i);
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_OPEN);
    return now_ns + 4;
}

static void a_run_of_failures_opens_it(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    uint64_t retry_at_ns;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(call(limiter, i * S, false, &retry_at_ns), MOOT_OK);
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_CLOSED);
    assert_false(moot__limiter_is_failing(limiter));
    assert_int_equal(call(limiter, 4 * S, false, &retry_at_ns), MOOT_OK);
    struct moot_breaker_view view = view_of(limiter);
    assert_int_equal(view.state, MOOT_BREAKER_OPEN);
    assert_int_equal(view.since_ns, 0);
    assert_int_equal(view.opens, 1);
    assert_string_equal(view.cause, "refused");
    assert_true(moot__limiter_is_failing(limiter));
    assert_int_equal(call(limiter, 4 * S, false, &retry_at_ns), MOOT_EAGAIN);
    assert_int_equal(retry_at_ns, view.next_ns);
    assert_in_range(retry_at_ns, 4 * S + 375 * MS, 4 * S + 625 * MS);
    free(limiter);
}

static void any_answer_ends_a_run(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    for (unsigned i = 0; i < 40; i++) {
        note_failure(limiter, MOOT_FAULT_PROVIDER, i, i * S, i * S);
        if (i % 4 == 3 && i % 8 == 3)
            moot__limiter_on_answer(limiter, i * S, i * S); /* a 400, say */
        else if (i % 4 == 3)
            moot__limiter_on_success(limiter, i * S, i * S);
    }
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_CLOSED);
    free(limiter);
}

static void one_row_that_fails_alone_opens_nothing(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    for (unsigned i = 0; i < 100; i++)
        note_failure(limiter, MOOT_FAULT_UNSURE, 7, i * S, i * S);
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_CLOSED);
    for (unsigned i = 0; i < 4; i++)
        note_failure(limiter, MOOT_FAULT_UNSURE, i, (100 + i) * S, (100 + i) * S);
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_OPEN);
    free(limiter);
}

static void many_under_way_need_a_longer_run(void **state)
{
    static const unsigned cases[][2] = {{4, 5}, {8, 8}, {64, 16}, {500, 32}};
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_limiter *limiter = limiter_new();
        struct moot_grant grant;
        uint64_t retry_at_ns;
        for (unsigned n = 0; n < cases[i][0]; n++)
            assert_int_equal(moot__limiter_reserve(limiter, S, one_request, &grant, &retry_at_ns),
                             MOOT_OK);
        for (unsigned n = 0; n < cases[i][1]; n++) {
            assert_int_equal(view_of(limiter).state, MOOT_BREAKER_CLOSED);
            note_failure(limiter, MOOT_FAULT_PROVIDER, n, S, S + n);
        }
        assert_int_equal(view_of(limiter).state, MOOT_BREAKER_OPEN);
        free(limiter);
    }
}

static void probes_are_single_and_grow_rarer(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    uint64_t now_ns = trip(limiter, S), begin_ns = now_ns, retry_at_ns, probes = 0, last_ns = 0;
    while (now_ns < begin_ns + 1200 * S) {
        assert_int_equal(call(limiter, now_ns, false, &retry_at_ns), MOOT_EAGAIN);
        assert_true(retry_at_ns > now_ns);
        assert_true(retry_at_ns - now_ns <= 19 * S);
        last_ns = retry_at_ns - now_ns;
        now_ns = retry_at_ns;
        assert_int_equal(call(limiter, now_ns, false, &retry_at_ns), MOOT_OK);
        probes++;
    }
    print_message("%llu probes in 20 minutes\n", (unsigned long long)probes);
    assert_in_range(probes, 70, 110);
    assert_true(last_ns >= 11 * S);
    assert_int_equal(view_of(limiter).opens, 1);
    free(limiter);
}

static void a_probe_that_hangs_or_is_cancelled_is_followed(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    uint64_t now_ns = trip(limiter, S), retry_at_ns;
    struct moot_grant hung, cancelled;
    now_ns = view_of(limiter).next_ns;
    assert_int_equal(moot__limiter_reserve(limiter, now_ns, one_request, &hung, &retry_at_ns), 0);
    now_ns = view_of(limiter).next_ns;
    assert_int_equal(moot__limiter_reserve(limiter, now_ns, one_request, &cancelled, &retry_at_ns),
                     0);
    moot__limiter_cancel(limiter, &cancelled);
    now_ns = view_of(limiter).next_ns;
    assert_int_equal(call(limiter, now_ns, true, &retry_at_ns), MOOT_OK);
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_HALF_OPEN);
    moot__limiter_cancel(limiter, &hung);
    free(limiter);
}

static void what_was_sent_before_it_opened_says_nothing(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    uint64_t now_ns = trip(limiter, 10 * S), next_ns = view_of(limiter).next_ns;
    moot__limiter_on_success(limiter, 9 * S, now_ns + MS);
    note_failure(limiter, MOOT_FAULT_PROVIDER, 99, 9 * S, now_ns + 2 * MS);
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_OPEN);
    assert_int_equal(view_of(limiter).next_ns, next_ns);
    free(limiter);
}

/* From an outage of twenty minutes, after `rate` answers a second. Returns the most calls that
 * passed in one second until it closed. */
static unsigned come_back(struct moot_limiter *limiter, unsigned rate, uint64_t latency_ns)
{
    enum { MOST = 1 << 14 };
    static uint64_t sent[MOST];
    uint64_t now_ns = 0, retry_at_ns;
    for (unsigned i = 0; i < 20 * rate; i++, now_ns += S / rate)
        assert_int_equal(call(limiter, now_ns, true, &retry_at_ns), MOOT_OK);
    now_ns = trip(limiter, now_ns) + 1200 * S;
    uint64_t begin_ns = now_ns;
    unsigned first = 0, next = 0, peak = 0, window = 0;
    while (view_of(limiter).state != MOOT_BREAKER_CLOSED) {
        struct moot_grant grant;
        assert_true(now_ns < begin_ns + 120 * S);
        for (; first < next && sent[first % MOST] + latency_ns <= now_ns; first++)
            moot__limiter_on_success(limiter, sent[first % MOST], now_ns);
        while (view_of(limiter).state != MOOT_BREAKER_CLOSED &&
               moot__limiter_reserve(limiter, now_ns, one_request, &grant, &retry_at_ns) == 0) {
            moot__limiter_settle(limiter, &grant, 0, 0);
            sent[next++ % MOST] = now_ns;
            while (sent[window % MOST] + S <= now_ns)
                window++;
            peak = next - window > peak ? next - window : peak;
        }
        now_ns += MS;
    }
    print_message("%u a second, latency %4.1f s: closed after %4.1f s, at most %u in a second\n",
                  rate, (double)latency_ns / 1e9, (double)(now_ns - begin_ns) / 1e9, peak);
    return peak;
}

static void it_comes_back_by_a_trickle_that_grows(void **state)
{
    static const unsigned rates[] = {1, 10, 100, 1000};
    static const uint64_t latencies_ns[] = {20 * MS, 1 * S, 10 * S};
    (void)state;
    for (size_t i = 0; i < moot__countof(rates) * moot__countof(latencies_ns); i++) {
        struct moot_limiter *limiter = limiter_new();
        unsigned rate = rates[i % moot__countof(rates)];
        unsigned peak = come_back(limiter, rate, latencies_ns[i / moot__countof(rates)]);
        assert_true(peak <= rate + rate / 20 + 2);
        assert_int_equal(view_of(limiter).state, MOOT_BREAKER_CLOSED);
        free(limiter);
    }
}

static void failures_in_a_row_open_it_again(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    trip(limiter, S);
    uint64_t now_ns = view_of(limiter).next_ns, retry_at_ns;
    assert_int_equal(call(limiter, now_ns, true, &retry_at_ns), MOOT_OK);
    assert_int_equal(view_of(limiter).since_ns, now_ns); /* it has answered, if only once */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(view_of(limiter).state, MOOT_BREAKER_HALF_OPEN);
        now_ns = view_of(limiter).next_ns;
        assert_int_equal(call(limiter, now_ns, false, &retry_at_ns), MOOT_OK);
    }
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_OPEN);
    assert_int_equal(view_of(limiter).opens, 2);
    free(limiter);
}

static void no_burst_waits_in_the_buckets(void **state)
{
    (void)state;
    struct moot_limiter *limiter = calloc(1, sizeof *limiter);
    assert_non_null(limiter);
    moot__limiter_init(
        limiter, &(struct moot_limiter_options){.per_minute = {600, 0, 0, 0}, .concurrency = 100},
        0);
    assert_true(come_back(limiter, 9, 100 * MS) <= 10);
    uint64_t retry_at_ns;
    unsigned at_once = 0;
    while (at_once < 100 && call(limiter, 5000 * S, true, &retry_at_ns) == MOOT_OK)
        at_once++;
    assert_int_equal(at_once, 9); /* rested for long: a second's worth, as ever */
    free(limiter);
}

static void who_waits_too_long_leaves_the_gate(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    struct moot_gate gate;
    struct moot_waiter waiters[3];
    struct moot_list list;
    moot__gate_init(&gate, limiter);
    moot__list_init(&list);
    moot__limiter_on_success(limiter, 1, 1); /* it was there once */
    uint64_t now_ns = trip(limiter, S);
    for (unsigned i = 0; i < 3; i++) {
        moot__gate_waiter_init(&waiters[i]);
        waiters[i].patience_ns = i * 60 * S; /* the first waits for ever */
        moot__gate_enter(&gate, &waiters[i], now_ns);
    }
    assert_int_equal(moot__gate_pump(&gate, now_ns, &list), 0);
    moot__gate_expire(&gate, S + 60 * S - 1, &list);
    assert_true(moot__list_is_empty(&list));
    assert_true(moot__gate_next_ns(&gate) <= S + 60 * S);
    moot__gate_expire(&gate, S + 60 * S, &list);
    assert_ptr_equal(moot__list_pop_front(&list), &waiters[1].node);
    assert_true(moot__list_is_empty(&list));
    moot__gate_leave(&gate, &waiters[1]); /* does nothing */
    moot__gate_expire(&gate, S + 120 * S, &list);
    assert_ptr_equal(moot__list_pop_front(&list), &waiters[2].node);
    moot__gate_leave(&gate, &waiters[0]);
    moot__gate_deinit(&gate);
    free(limiter);
}

static void nobody_waits_long_for_who_never_answered(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    struct moot_gate gate;
    struct moot_waiter waiter;
    struct moot_list list;
    moot__gate_init(&gate, limiter);
    moot__list_init(&list);
    uint64_t now_ns = trip(limiter, S);
    moot__gate_waiter_init(&waiter);
    waiter.patience_ns = 1800 * S;
    waiter.began_ns = 11 * S; /* when it had failed for ten seconds: that is not its own wait */
    moot__gate_enter(&gate, &waiter, now_ns);
    assert_int_equal(moot__gate_pump(&gate, now_ns, &list), 0);
    moot__gate_expire(&gate, 11 * S + 60 * S - 1, &list);
    assert_true(moot__list_is_empty(&list));
    moot__gate_expire(&gate, 11 * S + 60 * S, &list);
    assert_ptr_equal(moot__list_pop_front(&list), &waiter.node);
    moot__gate_deinit(&gate);
    free(limiter);
}

/* Half open: what it waits for is not the provider any more, but its turn, or quota. */
static void who_waits_for_quota_does_not_wait_for_the_provider(void **state)
{
    (void)state;
    struct moot_limiter *limiter = limiter_new();
    struct moot_gate gate;
    struct moot_waiter waiter;
    struct moot_list list;
    uint64_t retry_at_ns;
    moot__gate_init(&gate, limiter);
    moot__list_init(&list);
    uint64_t now_ns = trip(limiter, S);
    assert_int_equal(call(limiter, now_ns + S, true, &retry_at_ns), MOOT_OK);
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_HALF_OPEN);
    moot__gate_waiter_init(&waiter);
    waiter.patience_ns = 60 * S;
    moot__gate_enter(&gate, &waiter, now_ns + S);
    assert_int_equal(moot__gate_pump(&gate, now_ns + S, &list), 0);
    moot__gate_expire(&gate, now_ns + 600 * S, &list);
    assert_true(moot__list_is_empty(&list));
    for (unsigned i = 0; i < 3; i++) /* it fails again, after its answer of long ago */
        note_failure(limiter, MOOT_FAULT_PROVIDER, i, now_ns + 601 * S, now_ns + 601 * S);
    assert_int_equal(view_of(limiter).state, MOOT_BREAKER_OPEN);
    moot__gate_expire(&gate, now_ns + 602 * S, &list);
    assert_ptr_equal(moot__list_pop_front(&list), &waiter.node);
    moot__gate_deinit(&gate);
    free(limiter);
}

static void faults_have_an_owner(void **state)
{
    static const struct {
        int error, status;
        enum moot_reach reach;
        enum moot_fault fault;
    } cases[] = {
        {MOOT_ECONNECT, 0, MOOT_REACH_NOT_SENT, MOOT_FAULT_PROVIDER},
        {MOOT_EDNS, 0, MOOT_REACH_NOT_SENT, MOOT_FAULT_PROVIDER},
        {MOOT_ETLS, 0, MOOT_REACH_NOT_SENT, MOOT_FAULT_PROVIDER},
        {MOOT_ETIMEDOUT, 0, MOOT_REACH_NOT_SENT, MOOT_FAULT_PROVIDER},
        {MOOT_ETIMEDOUT, 0, MOOT_REACH_SENT, MOOT_FAULT_UNSURE},
        {MOOT_ERESET, 0, MOOT_REACH_SENT, MOOT_FAULT_UNSURE},
        {MOOT_ETRUNCATED, 200, MOOT_REACH_SENT, MOOT_FAULT_UNSURE},
        {MOOT_ECERT, 0, MOOT_REACH_NOT_SENT, MOOT_FAULT_NONE},
        {MOOT_ECANCELED, 0, MOOT_REACH_SENT, MOOT_FAULT_NONE},
        {MOOT_EJSON, 200, MOOT_REACH_SENT, MOOT_FAULT_NONE},
        {MOOT_EPROVIDER, 500, MOOT_REACH_ANSWERED, MOOT_FAULT_UNSURE},
        {MOOT_EPROVIDER, 502, MOOT_REACH_ANSWERED, MOOT_FAULT_UNSURE},
        {MOOT_EPROVIDER, 503, MOOT_REACH_ANSWERED, MOOT_FAULT_PROVIDER},
        {MOOT_EPROVIDER, 504, MOOT_REACH_ANSWERED, MOOT_FAULT_UNSURE},
        {MOOT_EPROVIDER, 522, MOOT_REACH_ANSWERED, MOOT_FAULT_PROVIDER},
        {MOOT_EPROVIDER, 524, MOOT_REACH_ANSWERED, MOOT_FAULT_UNSURE},
        {MOOT_ETHROTTLED, 529, MOOT_REACH_ANSWERED, MOOT_FAULT_PROVIDER},
        {MOOT_ETHROTTLED, 429, MOOT_REACH_ANSWERED, MOOT_FAULT_NONE},
        {MOOT_EPROVIDER, 400, MOOT_REACH_ANSWERED, MOOT_FAULT_NONE},
        {MOOT_EAUTH, 401, MOOT_REACH_ANSWERED, MOOT_FAULT_NONE},
        {MOOT_EPROVIDER, 501, MOOT_REACH_ANSWERED, MOOT_FAULT_NONE},
    };
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++)
        assert_int_equal(moot__retry_fault(cases[i].error, cases[i].status, cases[i].reach),
                         cases[i].fault);
}

/* How one of the calls under way ends. */
static void end_one(struct moot_limiter *limiter, struct moot_rng *rng, uint64_t sent_at_ns,
                    uint64_t now_ns)
{
    uint64_t draw = moot__rng_below(rng, 3);
    if (draw == 0)
        moot__limiter_on_success(limiter, sent_at_ns, now_ns);
    else
        note_failure(limiter, draw == 1 ? MOOT_FAULT_PROVIDER : MOOT_FAULT_UNSURE,
                     moot__rng_below(rng, 3), sent_at_ns, now_ns);
}

/* Whatever becomes of calls, in whatever order: who asks when told to passes soon. */
static void it_wedges_nobody(void **state)
{
    enum { UNDER_WAY = 16 };
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct moot_limiter *limiter = limiter_new();
        struct moot_rng rng;
        struct moot_grant grant;
        uint64_t sent[UNDER_WAY], now_ns = S, passed_ns = S, retry_at_ns = 0;
        unsigned count = 0;
        moot__rng_init(&rng, seed);
        while (now_ns < 600 * S) {
            if (count == UNDER_WAY || (count > 0 && moot__rng_below(&rng, 2))) {
                unsigned which = (unsigned)moot__rng_below(&rng, count);
                end_one(limiter, &rng, sent[which], now_ns);
                sent[which] = sent[--count];
            } else if (moot__limiter_reserve(limiter, now_ns, one_request, &grant, &retry_at_ns) ==
                       MOOT_OK) {
                moot__limiter_settle(limiter, &grant, 0, 0);
                passed_ns = sent[count++] = now_ns;
            }
            assert_true(now_ns - passed_ns <= 45 * S); /* two probes may have to fail */
            now_ns += moot__rng_below(&rng, 500 * MS);
        }
        free(limiter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_of_failures_opens_it),
        cmocka_unit_test(any_answer_ends_a_run),
        cmocka_unit_test(one_row_that_fails_alone_opens_nothing),
        cmocka_unit_test(many_under_way_need_a_longer_run),
        cmocka_unit_test(probes_are_single_and_grow_rarer),
        cmocka_unit_test(a_probe_that_hangs_or_is_cancelled_is_followed),
        cmocka_unit_test(what_was_sent_before_it_opened_says_nothing),
        cmocka_unit_test(it_comes_back_by_a_trickle_that_grows),
        cmocka_unit_test(failures_in_a_row_open_it_again),
        cmocka_unit_test(no_burst_waits_in_the_buckets),
        cmocka_unit_test(who_waits_too_long_leaves_the_gate),
        cmocka_unit_test(nobody_waits_long_for_who_never_answered),
        cmocka_unit_test(who_waits_for_quota_does_not_wait_for_the_provider),
        cmocka_unit_test(faults_have_an_owner),
        cmocka_unit_test(it_wedges_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
