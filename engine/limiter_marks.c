/* How much had been accepted when: what learning looks back at. */
#include "limiter_internal.h"

#define MARK_INTERVAL_NS MOOT_NS_PER_S

void moot__limiter_mark_now(struct moot_limiter *limiter, uint64_t now_ns)
{
    limiter->adapt.marks[limiter->adapt.mark_next] =
        (struct moot_limiter_mark){now_ns, accepted_now(limiter)};
    limiter->adapt.mark_next = (limiter->adapt.mark_next + 1) % MOOT_LIMITER_MARKS;
    if (limiter->adapt.mark_count < MOOT_LIMITER_MARKS)
        limiter->adapt.mark_count++;
}

void moot__limiter_mark(struct moot_limiter *limiter, uint64_t now_ns)
{
    unsigned newest = (limiter->adapt.mark_next + MOOT_LIMITER_MARKS - 1) % MOOT_LIMITER_MARKS;
    if (limiter->adapt.mark_count == 0 ||
        now_ns >= limiter->adapt.marks[newest].at_ns + MARK_INTERVAL_NS)
        moot__limiter_mark_now(limiter, now_ns);
}

struct moot_limiter_mark moot__limiter_mark_since(const struct moot_limiter *limiter,
                                                  uint64_t since_ns, struct moot_limiter_mark best)
{
    for (unsigned i = 0; i < limiter->adapt.mark_count; i++) {
        struct moot_limiter_mark candidate = limiter->adapt.marks[i];
        if (candidate.at_ns <= since_ns && candidate.at_ns >= best.at_ns)
            best = candidate;
    }
    return best;
}

struct moot_limiter_mark moot__limiter_mark_at(const struct moot_limiter *limiter,
                                               uint64_t since_ns)
{
    const struct moot_limiter_mark start = {limiter->adapt.started_ns,
                                            limiter->adapt.started_accepted};
    return moot__limiter_mark_since(limiter, since_ns, start);
}
