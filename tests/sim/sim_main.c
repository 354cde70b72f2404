/* moot-sim: live the worlds of many seeds, or look at that of one.
 *
 *   moot-sim --seeds 1..500            a range, both ends included
 *   moot-sim --seed 17 -v              one, telling everything that happens
 *   moot-sim --regressions FILE        those that failed once: a number and why, a line
 *   --twice                            each twice; the hashes must be the same
 *   --jobs N                           in N processes
 *
 * Exit 0 when no invariant was broken; else 1, and every failing seed was printed. The hash of the
 * last line is over those of all worlds, in whatever order and by however many processes they were
 * lived: two runs of the same seeds print the same. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_jobs.h"

enum { JOBS_MAX = 64 };

static bool read_regressions(const char *path, struct sim_seeds *seeds)
{
    char line[512];
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "moot-sim: cannot open %s: %s\n", path, strerror(errno));
        return false;
    }
    while (fgets(line, sizeof line, file) && seeds->extra_count < SIM_EXTRA_MAX)
        if (line[0] >= '0' && line[0] <= '9')
            seeds->extra[seeds->extra_count++] = strtoull(line, NULL, 10);
    fclose(file);
    return true;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int usage(void)
{
    fprintf(stderr, "usage: moot-sim [-v] [--twice] [--jobs N] [--regressions FILE]"
                    " [--seed N | --seeds A..B]\n");
    return 1;
}

/* False: not an option, or its value is missing. */
static bool take_option(struct sim_order *order, const char *name, const char *value)
{
    struct sim_seeds *seeds = &order->seeds;
    char *end;
    if (!value)
        return false;
    if (strcmp(name, "--regressions") == 0)
        return read_regressions(value, seeds);
    if (strcmp(name, "--jobs") == 0) {
        order->jobs = (unsigned)strtoul(value, NULL, 10);
        return order->jobs > 0 && order->jobs <= JOBS_MAX;
    }
    if (strcmp(name, "--seed") == 0 || strcmp(name, "--seeds") == 0) {
        seeds->first = seeds->last = strtoull(value, &end, 10);
        if (strncmp(end, "..", 2) == 0)
            seeds->last = strtoull(end + 2, NULL, 10);
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct sim_order order = {.jobs = 1, .seeds = {.first = 1, .last = 0}};
    struct sim_tally tally;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            order.is_verbose = true;
        else if (strcmp(argv[i], "--twice") == 0)
            order.is_twice = true;
        else if (take_option(&order, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            i++;
        else
            return usage();
    }
    double began_s = now_s();
    if (!moot__sim_jobs_run(&order, &tally))
        return 1;
    double took_s = now_s() - began_s;
    printf("%" PRIu64 " worlds, %" PRIu64 " failed; %.0f seeds/minute, %.1f virtual hours, %" PRIu64
           " steps; conversations: %" PRIu64 " answered, %" PRIu64 " failed, %" PRIu64
           " cancelled; hash %016" PRIx64 "\n",
           tally.worlds, tally.failed, (double)tally.worlds / took_s * 60, tally.virtual_s / 3600,
           tally.steps, tally.answered, tally.failures, tally.cancelled, tally.hash);
    return tally.failed ? 1 : 0;
}
