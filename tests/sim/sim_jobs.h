#ifndef MOOT_TEST_SIM_JOBS_H
#define MOOT_TEST_SIM_JOBS_H

/* Many seeds, lived by one process or several. A world is a function of its seed alone, so who
 * lives it does not matter. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_EXTRA_MAX = 4096 };

/* `extra`, then first..last. */
struct sim_seeds {
    uint64_t extra[SIM_EXTRA_MAX];
    size_t extra_count;
    uint64_t first, last; /* last < first: none */
};

struct sim_order {
    struct sim_seeds seeds;
    unsigned jobs; /* processes; 1: this one */
    bool is_verbose, is_twice;
};

struct sim_tally {
    uint64_t worlds, failed, steps;
    uint64_t answered, failures, cancelled;
    double virtual_s;
    uint64_t hash; /* over the worlds' hashes, in no order */
};

/* Live them all; each that fails is printed. A process that dies in a world counts it as failed,
 * and another goes on behind it; with one job the death is ours. False: no processes to be had. */
bool moot__sim_jobs_run(const struct sim_order *order, struct sim_tally *tally);

#endif
