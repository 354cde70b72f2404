/* What a failed attempt means: for the limiter and its breaker, for the row, for whoever watches.
 *
 * A failure counts against the row, unless it was a refusal for want of quota, or the provider
 * fails for everybody: then the row waits, and another attempt costs it nothing. Only so often,
 * though, where the row itself may be what the provider stumbles over. */
#include <stdio.h>

#include "conversation_internal.h"
#include "engine/base/check.h"
#include "engine/base/err.h"

/* Without a rule of the plan, failures that count are tried this often in all. */
enum { ATTEMPTS_MAX = 8, EXCUSES_MAX = 2 * ATTEMPTS_MAX };

/* Who is asked to wait for longer than this asks the next endpoint, if there is one. */
#define FALLBACK_WAIT_NS (60 * MOOT_NS_PER_S)

static enum moot_fault fault_of(const struct moot_conversation *c)
{
    const struct moot_error_info *error = &c->attempt.error;
    if (c->paused && error->code == MOOT_ETIMEDOUT)
        return MOOT_FAULT_NONE; /* we did not read: that says nothing of the provider */
    return moot__retry_fault(error->code, error->http_status, c->attempt.reach);
}

static void tell_breaker(struct moot_conversation *c, enum moot_fault fault)
{
    struct moot_limiter *limiter = c->upstream->gate.limiter;
    uint64_t sent_at_ns = c->waiter.grant.sent_at_ns;
    if (fault == MOOT_FAULT_NONE) {
        if (c->attempt.reach == MOOT_REACH_ANSWERED)
            moot__limiter_on_answer(limiter, sent_at_ns, moot__conversation_now(c));
        return;
    }
    const struct moot_failure failure = {
        .fault = fault,
        .who = (uint64_t)(uintptr_t)c ^ c->outcome.began_wall_ns, /* memory is used again */
        .sent_at_ns = sent_at_ns,
        .cause = moot__view_str(c->attempt.error.message),
    };
    moot__limiter_on_failure(limiter, &failure, moot__conversation_now(c));
}

static bool excuse(struct moot_conversation *c, enum moot_fault fault)
{
    if (fault == MOOT_FAULT_NONE || c->upstream->provider->retry.attempts_max ||
        !moot__limiter_is_failing(c->upstream->gate.limiter))
        return false;
    return fault == MOOT_FAULT_PROVIDER || ++c->excuses <= EXCUSES_MAX;
}

/* A refusal before any token cost nothing, and waiting for quota is not failing. The same words
 * inside a stream may have been billed, and are a failure like others; so is want of room, where
 * the plan has a rule of how often to try. */
static bool is_refusal(const struct moot_conversation *c)
{
    const struct moot_error_info *error = &c->attempt.error;
    struct moot_view code = moot__view_str(error->provider_code);
    if (c->attempt.reach != MOOT_REACH_ANSWERED)
        return false;
    return error->code == MOOT_ETHROTTLED ||
           (!c->upstream->provider->retry.attempts_max &&
            moot__retry_is_throttle(error->code, error->http_status, code));
}

static void decide(struct moot_conversation *c, struct moot_retry_verdict *verdict)
{
    const struct moot_provider *provider = c->upstream->provider;
    const struct moot_error_info *error = &c->attempt.error;
    bool counts = !c->is_throttled && !c->is_excused;
    unsigned number = c->is_throttled ? ++c->throttles : c->is_excused ? 1 : ++c->failures;
    struct moot_retry_policy policy = provider->retry;
    if (!counts)
        policy.attempts_max = 0; /* waiting is not failing */
    else if (!policy.attempts_max)
        policy.attempts_max = ATTEMPTS_MAX;
    struct moot_retry_attempt facts = {
        .error = error->code,
        .http_status = error->http_status,
        .provider_code = moot__view_str(error->provider_code),
        .reach = c->attempt.reach,
        .is_permanent =
            error->code == MOOT_EPROVIDER && error->http_status < 300 && !error->retriable,
        .has_delivered = c->has_shown,
        .can_refresh_credential = !c->refreshed && moot__keeper_can_renew(&c->upstream->keeper),
        .number = number,
        .headers = moot__attempt_hints(&c->attempt),
        .now_ns = moot__conversation_now(c),
        .deadline_ns = MOOT_NEVER_NS,
        .wall_s = c->attempt.wall_s,
    };
    if (counts && c->work_limit_ns)
        facts.deadline_ns =
            moot__ns_add(facts.now_ns, moot__ns_until(c->worked_ns, c->work_limit_ns));
    moot__retry_decide(&facts, &policy, &c->engine->rng, verdict);
}

void moot__conversation_judge(struct moot_conversation *c, struct moot_retry_verdict *verdict)
{
    enum moot_fault fault = fault_of(c);
    tell_breaker(c, fault);
    c->is_throttled = is_refusal(c);
    c->is_excused = excuse(c, fault);
    decide(c, verdict);
    if (verdict->is_throttle) {
        c->engine->stats.throttled++;
        moot__limiter_on_throttle(c->upstream->gate.limiter, c->waiter.grant.sent_at_ns,
                                  moot__conversation_now(c), verdict->retry_after_ns);
    }
}

/* Would another endpoint meet the same? A request that is wrong, or too long, is so everywhere. */
static bool is_of_endpoint(const struct moot_error_info *error)
{
    switch (error->code) {
    case MOOT_EQUOTA:
    case MOOT_EAUTH:
    case MOOT_ECREDENTIAL:
    case MOOT_ETHROTTLED:
        return true;
    case MOOT_ELIMIT:
    case MOOT_ENOMEM:
    case MOOT_EINPUT:
    case MOOT_ECANCELED:
    case MOOT_ECERT: /* a matter of trust is told, not walked around */
        return false;
    case MOOT_EPROVIDER:
        return error->http_status == 404 || error->http_status >= 500 || error->retriable;
    default:
        return true; /* what happens on the way, and answers that are none */
    }
}

/* A limit on waiting is needed here alone: where there is nowhere to go, a refusal is waited out.
 */
static bool is_kept_waiting(const struct moot_conversation *c,
                            const struct moot_retry_verdict *verdict)
{
    unsigned most = c->upstream->provider->retry.attempts_max;
    return c->is_throttled && (verdict->retry_after_ns > FALLBACK_WAIT_NS ||
                               c->throttles >= (most ? most : ATTEMPTS_MAX));
}

bool moot__conversation_must_fall_back(const struct moot_conversation *c,
                                       const struct moot_retry_verdict *verdict)
{
    if (!c->agent->fallback || c->has_shown || verdict->reason == MOOT_RETRY_UNKNOWN ||
        !is_of_endpoint(&c->attempt.error))
        return false;
    return !verdict->again || is_kept_waiting(c, verdict) ||
           moot__limiter_is_failing(c->upstream->gate.limiter);
}

bool moot__conversation_outage(const struct moot_conversation *c, struct moot_error_info *why)
{
    struct moot_limiter *limiter = c->upstream->gate.limiter;
    struct moot_breaker_view view;
    moot__breaker_view(&limiter->breaker, &view);
    if (view.state == MOOT_BREAKER_CLOSED)
        return false;
    uint64_t span_s = moot__ns_until(view.since_ns, moot__conversation_now(c)) / MOOT_NS_PER_S;
    struct moot_view name = c->upstream->provider->name;
    moot__fail(why, MOOT_EOUTAGE, MOOT_PHASE_LIMITER,
               "the provider '%.*s' has not answered for %llum%02us: %s", (int)name.len, name.ptr,
               (unsigned long long)(span_s / 60), (unsigned)(span_s % 60), view.cause);
    why->retriable = true;
    return true;
}
