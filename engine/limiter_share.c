/* One quota for several processes: what each must know of the others beside the meters.
 *
 * A provider that sets aside what requests may use at most does so for all of them, so their calls
 * in flight are summed. Each process writes its own number into a place of its own whenever it
 * reserves; a place that is not written to for a minute counts as 0, and one that was left for
 * longer can be taken. Nothing depends on who is alive. If there are more processes than places,
 * some calls are not counted, and the provider says so itself. */
#include "engine/base/check.h"
#include "limiter_internal.h"

#define MEMBER_FADES_NS (60 * MOOT_NS_PER_S)
#define MEMBER_GONE_NS  (600 * MOOT_NS_PER_S)

/* A lock behind an atomic would be each process's own. */
static_assert(ATOMIC_LONG_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
              "64-bit atomics are lock-free");

/* From 1 on; 0: none is free. Two threads at once may both take one: the second is left. */
static uint32_t take_place(struct moot_limiter *limiter, uint64_t now_ns)
{
    uint64_t seen_ns = now_ns ? now_ns : 1;
    for (uint32_t i = 0; i < MOOT_LIMITER_MEMBERS; i++) {
        _Atomic uint64_t *place = &limiter->meters->members[i].seen_ns;
        uint64_t last_ns = atomic_load(place);
        bool is_free = last_ns == 0 || moot__ns_add(last_ns, MEMBER_GONE_NS) < now_ns;
        if (is_free && atomic_compare_exchange_strong(place, &last_ns, seen_ns)) {
            atomic_store(&limiter->meters->members[i].in_flight, 0);
            atomic_store(&limiter->member, i + 1);
            return i + 1;
        }
    }
    return 0;
}

uint64_t moot__limiter_at_once(struct moot_limiter *limiter, uint64_t now_ns)
{
    struct moot_limiter_meters *meters = limiter->meters;
    uint64_t own = atomic_load(&limiter->in_flight), sum = own;
    if (meters == &limiter->own)
        return own;
    uint32_t place = atomic_load(&limiter->member);
    place = place ? place : take_place(limiter, now_ns);
    if (place) {
        raise_to(&meters->members[place - 1].seen_ns, now_ns);
        atomic_store(&meters->members[place - 1].in_flight, own);
    }
    for (uint32_t i = 0; i < MOOT_LIMITER_MEMBERS; i++) {
        uint64_t seen_ns = atomic_load(&meters->members[i].seen_ns);
        if (i + 1 != place && seen_ns && moot__ns_add(seen_ns, MEMBER_FADES_NS) >= now_ns)
            sum += atomic_load(&meters->members[i].in_flight);
    }
    return sum;
}
