#ifndef MOOT_BASE_CLOCK_H
#define MOOT_BASE_CLOCK_H

/* Time in the code is uint64_t nanoseconds of a monotonic clock, suffix _ns. Wall time is for
 * records only. Clocks are read through net/transport.h; here are only the units. */
#include <stdint.h>

#define MOOT_NS_PER_US UINT64_C(1000)
#define MOOT_NS_PER_MS UINT64_C(1000000)
#define MOOT_NS_PER_S  UINT64_C(1000000000)
#define MOOT_NEVER_NS  UINT64_MAX

/* now + span, stopping at MOOT_NEVER_NS. */
static inline uint64_t moot__ns_add(uint64_t now_ns, uint64_t span_ns)
{
    return span_ns > MOOT_NEVER_NS - now_ns ? MOOT_NEVER_NS : now_ns + span_ns;
}

static inline uint64_t moot__ns_until(uint64_t now_ns, uint64_t then_ns)
{
    return then_ns > now_ns ? then_ns - now_ns : 0;
}

#endif
