/* The one place that decides about repeating a call. The order of the questions is the policy:
 * what must never be repeated first, then what the provider says, then what is left of the budget.
 *
 *   delivered -> exhausted -> 401 once -> told by header -> may it help? -> was it billed?
 *             -> attempts -> wait: max(hint, full jitter backoff), the hint with +0..20 %
 *             -> hint too long? -> deadline
 */
#include "retry.h"

#include "engine/base/check.h"
#include "engine/base/view.h"

#define DEFAULT_BASE_NS (500 * MOOT_NS_PER_MS)
#define DEFAULT_CAP_NS  (60 * MOOT_NS_PER_S)
#define HINT_JITTER     0.2

const char *moot__retry_reason_text(enum moot_retry_reason reason)
{
    static const char *const texts[] = {
#define X(name, text) text,
        MOOT_RETRY_REASON_MAP(X)
#undef X
    };
    return (size_t)reason < moot__countof(texts) ? texts[reason] : "";
}

/* Would the same request get another answer? */
static bool status_may_pass(int status)
{
    switch (status) {
    case 408: /* request timeout */
    case 409: /* conflict: a lock of the provider's */
    case 425: /* too early */
    case 429:
        return true;
    case 501: /* not implemented */
    case 505: /* HTTP version not supported */
        return false;
    default:
        return status >= 500 && status <= 599;
    }
}

/* Statuses that say "the request itself is wrong": no header makes a repetition sensible. */
static bool status_is_final(int status)
{
    switch (status) {
    case 400:
    case 401:
    case 403:
    case 404:
    case 413:
    case 422:
        return true;
    default:
        return false;
    }
}

static bool error_may_pass(int error)
{
    switch (error) {
    case MOOT_ETIMEDOUT:
    case MOOT_EDNS:
    case MOOT_ECONNECT:
    case MOOT_ERESET:
    case MOOT_ETLS:
    case MOOT_EPROXY:
    case MOOT_EPROTO:
    case MOOT_ETRUNCATED:
    case MOOT_EJSON:
    case MOOT_EUTF8:
    case MOOT_ECONTENT:
    case MOOT_EENCODING:
    case MOOT_EPROVIDER: /* an error inside a stream that began with 200 */
    case MOOT_ETHROTTLED:
        return true;
    default:
        return false; /* EAUTH, EQUOTA, ECERT, EREDIRECT, ELIMIT, ECANCELED, ENOMEM ... */
    }
}

enum moot_fault moot__retry_fault(int error, int http_status, enum moot_reach reach)
{
    /* Of the statuses from 500 on; those of 520 to 527 are a CDN's, about what is behind it. */
    static const struct {
        int from, to;
        enum moot_fault fault;
    } statuses[] = {
        {500, 500, MOOT_FAULT_UNSURE},   {501, 501, MOOT_FAULT_NONE},
        {502, 502, MOOT_FAULT_UNSURE},   {503, 503, MOOT_FAULT_PROVIDER},
        {504, 504, MOOT_FAULT_UNSURE},   {505, 505, MOOT_FAULT_NONE},
        {521, 523, MOOT_FAULT_PROVIDER}, {529, 529, MOOT_FAULT_PROVIDER},
        {506, 599, MOOT_FAULT_UNSURE},
    };
    static const int unsent[] = {MOOT_EDNS,   MOOT_ECONNECT,  MOOT_ETLS,
                                 MOOT_EPROXY, MOOT_ETIMEDOUT, MOOT_ERESET};
    static const int sent[] = {MOOT_ETIMEDOUT, MOOT_ERESET,   MOOT_ETRUNCATED,
                               MOOT_EPROTO,    MOOT_ECONNECT, MOOT_ETLS};
    if (reach == MOOT_REACH_ANSWERED) {
        for (size_t i = 0; i < moot__countof(statuses); i++)
            if (http_status >= statuses[i].from && http_status <= statuses[i].to)
                return statuses[i].fault;
        return MOOT_FAULT_NONE;
    }
    for (size_t i = 0; reach == MOOT_REACH_NOT_SENT && i < moot__countof(unsent); i++)
        if (error == unsent[i])
            return MOOT_FAULT_PROVIDER;
    for (size_t i = 0; reach == MOOT_REACH_SENT && i < moot__countof(sent); i++)
        if (error == sent[i])
            return MOOT_FAULT_UNSURE;
    return MOOT_FAULT_NONE;
}

bool moot__retry_is_throttle(int error, int http_status, struct moot_view provider_code)
{
    /* Refusals for want of quota or room, whatever else the answer is called. */
    static const struct {
        int http_status;
        const char *code; /* NULL: whichever */
    } refusals[] = {
        {429, NULL},
        {529, NULL},
        {503, "slow_down"},
        {503, "overloaded_error"},
        {503, "engine_overloaded"},
    };
    for (size_t i = 0; i < moot__countof(refusals); i++)
        if (http_status == refusals[i].http_status &&
            (!refusals[i].code ||
             moot__view_eq_nocase(provider_code, moot__view_str(refusals[i].code))))
            return true;
    return error == MOOT_ETHROTTLED;
}

/* AWS says so with a 403. */
static bool is_stale_credential(const struct moot_retry_attempt *attempt)
{
    static const struct moot_view expired[] = {{"ExpiredTokenException", 21}, {"ExpiredToken", 12}};
    if (attempt->http_status == 401)
        return true;
    for (size_t i = 0; attempt->http_status == 403 && i < moot__countof(expired); i++)
        if (moot__view_eq_nocase(attempt->provider_code, expired[i]))
            return true;
    return false;
}

/* The question of whether, without that of when. */
static enum moot_retry_reason may_repeat(const struct moot_retry_attempt *attempt,
                                         const struct moot_retry_policy *policy)
{
    struct moot_view told = moot__view_trim(attempt->headers.x_should_retry);
    if (attempt->has_delivered)
        return MOOT_RETRY_DELIVERED;
    if (attempt->error == MOOT_EQUOTA || moot__retry_is_exhausted(attempt->provider_code))
        return MOOT_RETRY_EXHAUSTED;
    if (attempt->can_refresh_credential && is_stale_credential(attempt))
        return MOOT_RETRY_REFRESH;
    if (status_is_final(attempt->http_status) || attempt->is_permanent)
        return MOOT_RETRY_FINAL;
    if (moot__view_eq_nocase(told, MOOT_VIEW("false")))
        return MOOT_RETRY_TOLD_NOT;
    bool is_rejected = attempt->reach == MOOT_REACH_ANSWERED && attempt->http_status >= 300;
    bool is_told = moot__view_eq_nocase(told, MOOT_VIEW("true"));
    if (is_rejected ? !is_told && !status_may_pass(attempt->http_status)
                    : !error_may_pass(attempt->error))
        return MOOT_RETRY_FINAL;
    if (attempt->reach == MOOT_REACH_SENT && policy->unknown_fails)
        return MOOT_RETRY_UNKNOWN;
    if (policy->attempts_max && attempt->number >= policy->attempts_max)
        return MOOT_RETRY_ATTEMPTS;
    return MOOT_RETRY_AGAIN;
}

/* rand(0, 1) x min(cap, base x 2^(n-1)): full jitter, so that rows which failed together do not
 * come back together. */
static uint64_t backoff_ns(const struct moot_retry_policy *policy, unsigned number,
                           struct moot_rng *rng)
{
    uint64_t cap_ns = policy->cap_ns ? policy->cap_ns : DEFAULT_CAP_NS;
    uint64_t span_ns = policy->base_ns ? policy->base_ns : DEFAULT_BASE_NS;
    for (unsigned i = 1; i < number && span_ns < cap_ns; i++)
        span_ns = span_ns <= cap_ns / 2 ? span_ns * 2 : cap_ns;
    if (span_ns > cap_ns)
        span_ns = cap_ns;
    return (uint64_t)(moot__rng_unit(rng) * (double)span_ns);
}

static enum moot_retry_reason when(const struct moot_retry_attempt *attempt,
                                   const struct moot_retry_policy *policy, struct moot_rng *rng,
                                   struct moot_retry_verdict *verdict)
{
    uint64_t hint_max_ns = policy->hint_max_ns ? policy->hint_max_ns : MOOT_RETRY_HINT_MAX_NS;
    if (verdict->retry_after_ns > hint_max_ns)
        return MOOT_RETRY_HINT;
    uint64_t delay_ns = backoff_ns(policy, attempt->number, rng);
    if (verdict->retry_after_ns > 0) {
        double spread_ns = (double)verdict->retry_after_ns * HINT_JITTER * moot__rng_unit(rng);
        uint64_t hinted_ns = moot__ns_add(verdict->retry_after_ns, (uint64_t)spread_ns);
        delay_ns = hinted_ns > delay_ns ? hinted_ns : delay_ns;
    }
    if (moot__ns_add(attempt->now_ns, delay_ns) >= attempt->deadline_ns)
        return MOOT_RETRY_DEADLINE;
    verdict->delay_ns = delay_ns;
    return MOOT_RETRY_AGAIN;
}

void moot__retry_decide(const struct moot_retry_attempt *attempt,
                        const struct moot_retry_policy *policy, struct moot_rng *rng,
                        struct moot_retry_verdict *verdict)
{
    assert(attempt->number >= 1);
    assert(attempt->error < 0);
    *verdict = (struct moot_retry_verdict){
        .is_throttle =
            moot__retry_is_throttle(attempt->error, attempt->http_status, attempt->provider_code),
        .possible_duplicate = attempt->reach == MOOT_REACH_SENT,
    };
    moot__ignore(moot__retry_hint(&attempt->headers, attempt->wall_s, &verdict->retry_after_ns));
    verdict->reason = may_repeat(attempt, policy);
    if (verdict->reason == MOOT_RETRY_AGAIN)
        verdict->reason = when(attempt, policy, rng, verdict);
    if (verdict->reason == MOOT_RETRY_REFRESH)
        verdict->refresh_credential = true;
    verdict->again = verdict->reason == MOOT_RETRY_AGAIN || verdict->reason == MOOT_RETRY_REFRESH;
    assert(verdict->again || verdict->delay_ns == 0);
}
