/* moot-sim: live the worlds of many seeds, or look at that of one.
 *
 *   moot-sim --seeds 1..500            a range, both ends included
 *   moot-sim --seed 17 -v              one, telling everything that happens
 *   moot-sim --regressions FILE        those that failed once: a number and why, a line
 *   --twice                            each twice; the hashes must be the same
 *
 * Exit 0 when no invariant was broken; else 1, and every failing seed was printed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "world.h"

struct run {
    bool is_verbose, is_twice;
    uint64_t worlds, failed, steps;
    uint64_t answered, failures, cancelled;
    double virtual_s;
};

static void live_seed(struct run *run, uint64_t seed)
{
    struct world_result result, again;
    world_run(seed, run->is_verbose, &result);
    run->worlds++;
    run->steps += result.steps;
    run->answered += result.answered;
    run->failures += result.failed;
    run->cancelled += result.cancelled;
    run->virtual_s += (double)result.virtual_ns / 1e9;
    if (run->is_twice && !result.has_failed) {
        world_run(seed, false, &again);
        if (again.hash != result.hash) {
            result.has_failed = true;
            snprintf(result.failure, sizeof result.failure,
                     "not the same twice: %016" PRIx64 " after %" PRIu64 " steps, %016" PRIx64
                     " after %" PRIu64,
                     result.hash, result.steps, again.hash, again.steps);
        }
    }
    if (result.has_failed) {
        run->failed++;
        printf("FAILED seed %" PRIu64 ": %s\n", seed, result.failure);
        fflush(stdout);
    }
}

static bool live_file(struct run *run, const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "moot-sim: cannot open %s\n", path);
        return false;
    }
    while (fgets(line, sizeof line, file))
        if (line[0] >= '0' && line[0] <= '9')
            live_seed(run, strtoull(line, NULL, 10));
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
    fprintf(stderr,
            "usage: moot-sim [-v] [--twice] [--regressions FILE] [--seed N | --seeds A..B]\n");
    return 1;
}

int main(int argc, char **argv)
{
    struct run run = {.worlds = 0};
    uint64_t first = 1, last = 0;
    const char *regressions = NULL;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        char *end;
        if (strcmp(argv[i], "-v") == 0) {
            run.is_verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--twice") == 0) {
            run.is_twice = true;
            continue;
        }
        if (!value)
            return usage();
        i++;
        if (strcmp(argv[i - 1], "--regressions") == 0) {
            regressions = value;
        } else if (strcmp(argv[i - 1], "--seed") == 0) {
            first = last = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--seeds") == 0) {
            first = strtoull(value, &end, 10);
            last = strncmp(end, "..", 2) == 0 ? strtoull(end + 2, NULL, 10) : first;
        } else {
            return usage();
        }
    }
    double began_s = now_s();
    if (regressions && !live_file(&run, regressions))
        return 1;
    for (uint64_t seed = first; seed <= last; seed++)
        live_seed(&run, seed);
    double took_s = now_s() - began_s;
    printf("%" PRIu64 " worlds, %" PRIu64 " failed; %.0f seeds/minute, %.1f virtual hours, %" PRIu64
           " steps; conversations: %" PRIu64 " answered, %" PRIu64 " failed, %" PRIu64
           " cancelled\n",
           run.worlds, run.failed, (double)run.worlds / took_s * 60, run.virtual_s / 3600,
           run.steps, run.answered, run.failures, run.cancelled);
    return run.failed ? 1 : 0;
}
