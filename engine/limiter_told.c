/* What a provider's headers say of its quotas, and how much of it is believed.
 *
 * Limits. A limit of a minute, or of a window near it, holds from the first answer that tells it;
 * with one known nothing has to be learned by being refused. It lowers at once. It raises only when
 * nothing lower was told for a minute, since models of one provider may be told of differently. A
 * window that is not named is a minute, until it needs longer than a minute to come back: limits of
 * an hour or a day make no rate.
 *
 * What is left. While we keep to the rate, much is left; when little is, somebody else spends from
 * the same quota, or the provider counts otherwise. Then we wait until some has come back. Several
 * engines may hear this many times and late: each only says "not before", so the latest stands and
 * nothing adds up. A provider that never has anything left but still answers is not believed. */
#include "agents/rate_headers.h"
#include "engine/base/check.h"
#include "limiter_internal.h"

#define MINUTE_NS        (60 * MOOT_NS_PER_S)
#define WINDOW_MAX_NS    (2 * MINUTE_NS)
#define RESET_SLACK_NS   (6 * MOOT_NS_PER_S)
#define RATE_LEAST_MILLI 1e3  /* one a minute */
#define RATE_MOST_MILLI  1e15 /* and far more than any */
#define TOKENS_LEAST     1000 /* a minute: one request may need as many, and was answered */
#define LITTLE           50   /* less than one of so many is little */
#define DELAY_MAX_NS     MINUTE_NS
#define EARLY_RESET      0.9 /* of what a bucket would need: then it is a window that ends */

static_assert((int)MOOT_RATE_REQUESTS == (int)MOOT_METER_REQUESTS &&
                  (int)MOOT_RATE_INPUT == (int)MOOT_METER_INPUT &&
                  (int)MOOT_RATE_OUTPUT == (int)MOOT_METER_OUTPUT &&
                  (int)MOOT_RATE_TOKENS == (int)MOOT_METER_TOKENS,
              "the meters of headers are the limiter's");

static uint64_t window_of(const struct moot_rate *rate)
{
    return rate->window_ns == MOOT_RATE_UNSAID ? MINUTE_NS : rate->window_ns;
}

/* The rate that the limit amounts to; 0 if it makes none. */
static uint64_t milli_of(struct moot_limiter *limiter, unsigned meter, const struct moot_rate *rate)
{
    struct moot_limiter_told *told = &limiter->adapt.told[meter];
    uint64_t window_ns = window_of(rate);
    uint64_t least = meter == MOOT_METER_REQUESTS ? 1 : TOKENS_LEAST;
    bool is_named = rate->window_ns != MOOT_RATE_UNSAID;
    if (!is_named && rate->reset_ns != MOOT_RATE_UNSAID &&
        rate->reset_ns > MINUTE_NS + RESET_SLACK_NS)
        told->is_long = true;
    if (rate->limit < least || window_ns == 0 || window_ns > WINDOW_MAX_NS ||
        (!is_named && told->is_long))
        return 0;
    double milli =
        (double)rate->limit * 1000.0 * limiter->headroom * (double)MINUTE_NS / (double)window_ns;
    return (uint64_t)(milli < RATE_LEAST_MILLI  ? RATE_LEAST_MILLI
                      : milli > RATE_MOST_MILLI ? RATE_MOST_MILLI
                                                : milli);
}

/* A quota changed: what was cut below it stays cut and grows back. */
static void set_quota(struct moot_limiter *limiter, unsigned meter, uint64_t now_ns)
{
    uint64_t given = limiter->given_milli[meter], told = limiter->adapt.told[meter].milli;
    uint64_t quota = told && (given == 0 || told < given) ? told : given;
    uint64_t old = limiter->adapt.quota_milli[meter];
    if (quota == old)
        return;
    limiter->adapt.quota_milli[meter] = quota;
    uint64_t rate = atomic_load(&limiter->rate_milli[meter]);
    if (old == 0) /* what was learned before is no longer needed */
        raise_to(&limiter->meters->arrival_ns[meter], now_ns);
    if (old == 0 || rate == old || rate > quota)
        atomic_store(&limiter->rate_milli[meter], quota);
    bool is_known = false;
    for (unsigned i = 0; i < MOOT_METERS; i++)
        is_known = is_known || limiter->adapt.quota_milli[i];
    if (is_known && atomic_load(&limiter->is_learning) && meter != MOOT_METER_REQUESTS)
        atomic_store(&limiter->rate_milli[MOOT_METER_REQUESTS], 0);
    atomic_store(&limiter->is_learning, !is_known);
}

static void adopt_limit(struct moot_limiter *limiter, unsigned meter, const struct moot_rate *rate,
                        uint64_t now_ns)
{
    struct moot_limiter_told *told = &limiter->adapt.told[meter];
    uint64_t milli = milli_of(limiter, meter, rate);
    bool is_lower = told->milli == 0 || milli <= told->milli;
    if (!is_lower && now_ns < moot__ns_add(told->seen_ns, MINUTE_NS))
        return;
    told->milli = milli;
    told->seen_ns = now_ns;
    set_quota(limiter, meter, now_ns);
}

/* How long until there is a little again; 0: there is. */
static uint64_t delay_of(const struct moot_rate *rate)
{
    uint64_t little = rate->limit / LITTLE + 1;
    if (rate->remaining >= little)
        return 0;
    double window_ns = (double)window_of(rate), limit = (double)rate->limit;
    double full_ns = window_ns * (limit - (double)rate->remaining) / limit;
    bool is_bucket = rate->reset_ns == MOOT_RATE_UNSAID ||
                     (double)rate->reset_ns >= EARLY_RESET * full_ns - (double)MOOT_NS_PER_S;
    if (!is_bucket) /* of a window that ends, everything is there until nothing is */
        return rate->remaining ? 0 : rate->reset_ns;
    return (uint64_t)(window_ns * (double)(little - rate->remaining) / limit);
}

static void heed_remaining(struct moot_limiter *limiter, unsigned meter,
                           const struct moot_rate *rate, uint64_t now_ns)
{
    struct moot_limiter_told *told = &limiter->adapt.told[meter];
    if (rate->remaining > rate->limit)
        return;
    told->is_moving = told->is_moving || rate->remaining > 0;
    uint64_t delay_ns = told->is_moving ? delay_of(rate) : 0;
    if (delay_ns == 0 || atomic_load(&limiter->rate_milli[meter]) == 0)
        return;
    if (delay_ns > DELAY_MAX_NS)
        delay_ns = DELAY_MAX_NS;
    raise_to(&limiter->meters->arrival_ns[meter], now_ns + delay_ns + limiter->burst_ns);
}

void moot__limiter_on_rates(struct moot_limiter *limiter, const struct moot_rates *rates,
                            uint64_t now_ns)
{
    if (rates->said == 0 || !adapt_enter(limiter))
        return;
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        const struct moot_rate *rate = &rates->meters[i];
        if (!(rates->said & (1u << i)) || rate->limit == MOOT_RATE_UNSAID)
            continue;
        adopt_limit(limiter, i, rate, now_ns);
        if (limiter->adapt.told[i].milli && rate->remaining != MOOT_RATE_UNSAID)
            heed_remaining(limiter, i, rate, now_ns);
    }
    adapt_leave(limiter);
}
