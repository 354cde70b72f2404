/* Retrying: every form of hint, every class of failure, every reason to stop. */
#include "tests/support/test.h"

#include "engine/retry.h"

#include "engine/base/check.h"

#define S  MOOT_NS_PER_S
#define MS MOOT_NS_PER_MS

/* 2026-10-21 07:28:00 UTC */
#define WALL_S INT64_C(1792567680)

static void hints_come_in_many_forms(void **state)
{
    (void)state;
    static const struct {
        const char *retry_after, *ms, *azure_ms;
        enum moot_hint hint;
        uint64_t wait_ns;
    } cases[] = {
        {"7", "", "", MOOT_HINT_PRESENT, 7 * S},
        {"0.25", "", "", MOOT_HINT_PRESENT, 250 * MS},
        {" 3 ", "", "", MOOT_HINT_PRESENT, 3 * S},
        {"7", "1500", "", MOOT_HINT_PRESENT, 1500 * MS},
        {"7", "12.5", "", MOOT_HINT_PRESENT, 12500000},
        {"", "", "90", MOOT_HINT_PRESENT, 90 * MS},
        {"7", "soon", "", MOOT_HINT_PRESENT, 7 * S},
        {"0", "", "", MOOT_HINT_PRESENT, 0},
        {"-5", "", "", MOOT_HINT_PRESENT, 0},
        {"1000000000", "", "", MOOT_HINT_PRESENT, 1000000000 * S},
        {"1e300", "", "", MOOT_HINT_PRESENT, MOOT_NEVER_NS},
        {"nan", "", "", MOOT_HINT_NONE, 0},
        {"inf", "", "", MOOT_HINT_NONE, 0},
        {"", "", "", MOOT_HINT_NONE, 0},
        {"1h", "", "", MOOT_HINT_NONE, 0},
        {"Wed, 21 Oct 2026 07:28:30 GMT", "", "", MOOT_HINT_PRESENT, 30 * S},
        {"Wed, 21 Oct 2026 07:27:00 GMT", "", "", MOOT_HINT_PRESENT, 0},
        {"Wed, 21 Okt 2026 07:28:30 GMT", "", "", MOOT_HINT_NONE, 0},
        {"Wed, 21 Oct 2026 25:28:30 GMT", "", "", MOOT_HINT_NONE, 0},
        {"Wed, 21 Oct 2026 07:28:30 CET", "", "", MOOT_HINT_NONE, 0},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        const struct moot_retry_headers headers = {
            .retry_after = moot__view_str(cases[i].retry_after),
            .retry_after_ms = moot__view_str(cases[i].ms),
            .x_ms_retry_after_ms = moot__view_str(cases[i].azure_ms)};
        uint64_t wait_ns = 1;
        assert_int_equal(moot__retry_hint(&headers, WALL_S, &wait_ns), cases[i].hint);
        assert_true(wait_ns == cases[i].wait_ns);
    }
}

static void dates_are_counted_right(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_s;
    } cases[] = {
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},         {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, {"Fri, 31 Dec 2100 23:59:59 GMT", 4133980799},
        {"Wed, 21 Oct 2026 07:28:00 GMT", WALL_S},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        int64_t unix_s = -1;
        assert_true(moot__retry_parse_date(moot__view_str(cases[i].text), &unix_s));
        assert_true(unix_s == cases[i].unix_s);
    }
}

static struct moot_retry_attempt answered(int status)
{
    return (struct moot_retry_attempt){.error = status == 429 ? MOOT_ETHROTTLED : MOOT_EPROVIDER,
                                       .http_status = status,
                                       .reach = MOOT_REACH_ANSWERED,
                                       .number = 1,
                                       .now_ns = 100 * S,
                                       .deadline_ns = MOOT_NEVER_NS,
                                       .wall_s = WALL_S};
}

static struct moot_retry_verdict decide(struct moot_retry_attempt attempt,
                                        struct moot_retry_policy policy)
{
    struct moot_rng rng;
    struct moot_retry_verdict verdict;
    moot__rng_init(&rng, 42);
    moot__retry_decide(&attempt, &policy, &rng, &verdict);
    return verdict;
}

static void statuses_are_classified(void **state)
{
    (void)state;
    static const int again[] = {408, 409, 425, 429, 500, 502, 503, 504, 529};
    static const int final[] = {300, 302, 400, 401, 402, 403, 404, 410, 413, 422, 501, 505};
    for (size_t i = 0; i < moot__countof(again); i++) {
        struct moot_retry_verdict verdict =
            decide(answered(again[i]), (struct moot_retry_policy){0});
        assert_true(verdict.again);
        assert_false(verdict.possible_duplicate);
        assert_int_equal(verdict.is_throttle, again[i] == 429 || again[i] == 529);
    }
    for (size_t i = 0; i < moot__countof(final); i++) {
        struct moot_retry_verdict verdict =
            decide(answered(final[i]), (struct moot_retry_policy){0});
        assert_false(verdict.again);
        assert_int_equal(verdict.reason, MOOT_RETRY_FINAL);
        assert_int_equal(verdict.delay_ns, 0);
    }
}

static void the_provider_may_forbid_and_demand(void **state)
{
    (void)state;
    struct moot_retry_attempt attempt = answered(500);
    attempt.headers.x_should_retry = MOOT_VIEW("false");
    assert_int_equal(decide(attempt, (struct moot_retry_policy){0}).reason, MOOT_RETRY_TOLD_NOT);
    attempt = answered(418);
    attempt.headers.x_should_retry = MOOT_VIEW("true");
    assert_true(decide(attempt, (struct moot_retry_policy){0}).again);
    attempt = answered(422); /* but not what can only fail again */
    attempt.headers.x_should_retry = MOOT_VIEW("true");
    assert_false(decide(attempt, (struct moot_retry_policy){0}).again);
}

static void an_exhausted_quota_is_not_asked_again(void **state)
{
    (void)state;
    struct moot_retry_attempt attempt = answered(429);
    attempt.provider_code = MOOT_VIEW("insufficient_quota");
    assert_int_equal(decide(attempt, (struct moot_retry_policy){0}).reason, MOOT_RETRY_EXHAUSTED);
    attempt.provider_code = MOOT_VIEW("rate_limit_exceeded");
    assert_true(decide(attempt, (struct moot_retry_policy){0}).again);
    attempt.error = MOOT_EQUOTA;
    assert_false(decide(attempt, (struct moot_retry_policy){0}).again);
}

static void nothing_is_repeated_after_the_first_token(void **state)
{
    (void)state;
    struct moot_retry_attempt attempt = answered(200);
    attempt.error = MOOT_ETRUNCATED;
    attempt.reach = MOOT_REACH_SENT;
    assert_true(decide(attempt, (struct moot_retry_policy){0}).again);
    attempt.has_delivered = true;
    assert_int_equal(decide(attempt, (struct moot_retry_policy){0}).reason, MOOT_RETRY_DELIVERED);
}

static void what_may_have_been_billed_is_marked_or_refused(void **state)
{
    (void)state;
    struct moot_retry_attempt attempt = answered(0);
    attempt.error = MOOT_ERESET;
    attempt.reach = MOOT_REACH_SENT;
    struct moot_retry_verdict verdict = decide(attempt, (struct moot_retry_policy){0});
    assert_true(verdict.again);
    assert_true(verdict.possible_duplicate);
    verdict = decide(attempt, (struct moot_retry_policy){.unknown_fails = true});
    assert_int_equal(verdict.reason, MOOT_RETRY_UNKNOWN);
    assert_true(verdict.possible_duplicate);
    attempt.reach = MOOT_REACH_NOT_SENT;
    verdict = decide(attempt, (struct moot_retry_policy){.unknown_fails = true});
    assert_true(verdict.again);
    assert_false(verdict.possible_duplicate);
}

static void transport_errors_are_classified(void **state)
{
    (void)state;
    static const int final[] = {MOOT_ECERT,  MOOT_EREDIRECT, MOOT_ELIMIT,
                                MOOT_ENOMEM, MOOT_ECANCELED, MOOT_EPLAINTEXT};
    static const int again[] = {MOOT_EDNS, MOOT_ECONNECT, MOOT_ERESET, MOOT_ETLS, MOOT_ETIMEDOUT};
    struct moot_retry_attempt attempt = answered(0);
    attempt.reach = MOOT_REACH_NOT_SENT;
    for (size_t i = 0; i < moot__countof(final); i++) {
        attempt.error = final[i];
        assert_false(decide(attempt, (struct moot_retry_policy){0}).again);
    }
    for (size_t i = 0; i < moot__countof(again); i++) {
        attempt.error = again[i];
        assert_true(decide(attempt, (struct moot_retry_policy){0}).again);
    }
}

static void a_refused_credential_is_refreshed_once(void **state)
{
    (void)state;
    struct moot_retry_attempt attempt = answered(401);
    attempt.can_refresh_credential = true;
    struct moot_retry_verdict verdict = decide(attempt, (struct moot_retry_policy){0});
    assert_true(verdict.again);
    assert_true(verdict.refresh_credential);
    assert_int_equal(verdict.delay_ns, 0);
    attempt.can_refresh_credential = false;
    attempt.number = 2;
    assert_false(decide(attempt, (struct moot_retry_policy){0}).again);
}

/* AWS says with a 403 that keys have expired; other reasons for one are final. */
static void keys_that_expired_are_refreshed(void **state)
{
    (void)state;
    struct moot_retry_attempt attempt = answered(403);
    attempt.can_refresh_credential = true;
    attempt.provider_code = MOOT_VIEW("ExpiredTokenException");
    assert_true(decide(attempt, (struct moot_retry_policy){0}).refresh_credential);
    attempt.provider_code = MOOT_VIEW("AccessDeniedException");
    assert_false(decide(attempt, (struct moot_retry_policy){0}).again);
    attempt.provider_code = MOOT_VIEW("ExpiredTokenException");
    attempt.can_refresh_credential = false;
    assert_false(decide(attempt, (struct moot_retry_policy){0}).again);
}

static void hints_are_a_floor_with_positive_jitter(void **state)
{
    (void)state;
    struct moot_retry_attempt attempt = answered(429);
    attempt.headers.retry_after = MOOT_VIEW("10");
    struct moot_rng rng;
    moot__rng_init(&rng, 7);
    uint64_t least_ns = MOOT_NEVER_NS, most_ns = 0;
    for (unsigned i = 0; i < 1000; i++) {
        struct moot_retry_verdict verdict;
        moot__retry_decide(&attempt, &(struct moot_retry_policy){0}, &rng, &verdict);
        assert_true(verdict.again);
        assert_true(verdict.retry_after_ns == 10 * S);
        assert_in_range(verdict.delay_ns, 10 * S, 12 * S);
        least_ns = verdict.delay_ns < least_ns ? verdict.delay_ns : least_ns;
        most_ns = verdict.delay_ns > most_ns ? verdict.delay_ns : most_ns;
    }
    assert_true(most_ns - least_ns > 1500 * MS); /* spread, not aligned */
}

static void backoff_grows_to_its_cap(void **state)
{
    (void)state;
    struct moot_rng rng;
    moot__rng_init(&rng, 7);
    for (unsigned number = 1; number < 70; number++) {
        struct moot_retry_attempt attempt = answered(503);
        attempt.number = number;
        uint64_t cap_ns = number < 8 ? (500 * MS) << (number - 1) : 60 * S, most_ns = 0;
        cap_ns = cap_ns < 60 * S ? cap_ns : 60 * S;
        for (unsigned i = 0; i < 200; i++) {
            struct moot_retry_verdict verdict;
            moot__retry_decide(&attempt, &(struct moot_retry_policy){0}, &rng, &verdict);
            assert_true(verdict.delay_ns <= cap_ns);
            most_ns = verdict.delay_ns > most_ns ? verdict.delay_ns : most_ns;
        }
        assert_true(most_ns > cap_ns / 2);
    }
}

static void budgets_end_it(void **state)
{
    (void)state;
    struct moot_retry_attempt attempt = answered(429);
    attempt.number = 3;
    assert_int_equal(decide(attempt, (struct moot_retry_policy){.attempts_max = 3}).reason,
                     MOOT_RETRY_ATTEMPTS);
    assert_true(decide(attempt, (struct moot_retry_policy){.attempts_max = 4}).again);
    attempt.headers.retry_after = MOOT_VIEW("30");
    attempt.deadline_ns = attempt.now_ns + 30 * S;
    assert_int_equal(decide(attempt, (struct moot_retry_policy){0}).reason, MOOT_RETRY_DEADLINE);
    attempt.deadline_ns = attempt.now_ns + 40 * S;
    assert_true(decide(attempt, (struct moot_retry_policy){0}).again);
    attempt.deadline_ns = MOOT_NEVER_NS;
    attempt.headers.retry_after = MOOT_VIEW("121");
    struct moot_retry_verdict verdict = decide(attempt, (struct moot_retry_policy){0});
    assert_int_equal(verdict.reason, MOOT_RETRY_HINT);
    assert_true(verdict.retry_after_ns == 121 * S);
    assert_true(decide(attempt, (struct moot_retry_policy){.hint_max_ns = 900 * S}).again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hints_come_in_many_forms),
        cmocka_unit_test(dates_are_counted_right),
        cmocka_unit_test(statuses_are_classified),
        cmocka_unit_test(the_provider_may_forbid_and_demand),
        cmocka_unit_test(an_exhausted_quota_is_not_asked_again),
        cmocka_unit_test(nothing_is_repeated_after_the_first_token),
        cmocka_unit_test(what_may_have_been_billed_is_marked_or_refused),
        cmocka_unit_test(transport_errors_are_classified),
        cmocka_unit_test(a_refused_credential_is_refreshed_once),
        cmocka_unit_test(keys_that_expired_are_refreshed),
        cmocka_unit_test(hints_are_a_floor_with_positive_jitter),
        cmocka_unit_test(backoff_grows_to_its_cap),
        cmocka_unit_test(budgets_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
