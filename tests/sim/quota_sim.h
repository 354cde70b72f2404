#ifndef MOOT_TEST_SIM_QUOTA_H
#define MOOT_TEST_SIM_QUOTA_H

/* A provider with a quota, or one that goes away for a while, under engines that always have more
 * to ask: what is used, refused, and how it comes back. */
#include <stdbool.h>
#include <stdint.h>

#include "bench/emulator/emulator.h"

enum quota_outage { QUOTA_NO_OUTAGE, QUOTA_REFUSED, QUOTA_503, QUOTA_SILENCE };

struct quota_case {
    uint64_t seed;
    unsigned engines; /* that share one budget */
    struct moot_emulator_quota quota;
    const char *given;               /* what the configuration says of it, or "" */
    uint64_t tokens_min, tokens_max; /* of an answer */
    uint64_t latency_ns;             /* and as much again at most, by a draw */
    uint64_t run_ns;                 /* 0: until all rows have ended */
    unsigned rows;                   /* offered; 0: as many as are wanted */
    enum quota_outage outage;
    uint64_t outage_from_ns, outage_to_ns;
};

struct quota_report {
    bool has_failed;            /* the world could not be made, or came to a halt */
    uint64_t calls;             /* that the engines began */
    uint64_t requests, refused; /* that came to the provider */
    uint64_t answered, failed;  /* rows */
    uint64_t tokens;            /* billed */
    double first_minute;        /* of requests or tokens, whichever bind, as a share of one */
    double used;                /* the same from the second minute to the end */
    uint64_t end_ns;
    unsigned peak_before, peak_after; /* most arrivals in a second, before and after the outage */
};

void quota_run(const struct quota_case *quota, struct quota_report *report);

#endif
