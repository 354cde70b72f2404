/* Workers are forked, one a job; each takes every jobs-th seed and counts in memory that it shares
 * with the parent. What a worker is about to do is noted there too, so that its death has a name.
 */
#include "sim_jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "world.h"

struct worker {
    pid_t pid;      /* the parent's; 0: over */
    uint64_t index; /* of the seed under way, or to be lived next */
    struct sim_tally tally;
};

static uint64_t seed_count(const struct sim_seeds *seeds)
{
    return seeds->extra_count + (seeds->last >= seeds->first ? seeds->last - seeds->first + 1 : 0);
}

static uint64_t seed_at(const struct sim_seeds *seeds, uint64_t index)
{
    return index < seeds->extra_count ? seeds->extra[index]
                                      : seeds->first + (index - seeds->extra_count);
}

static void print_failure(uint64_t seed, const char *why)
{
    printf("FAILED seed %" PRIu64 ": %s\n", seed, why);
    fflush(stdout);
}

static void live_seed(const struct sim_order *order, uint64_t seed, struct sim_tally *tally)
{
    struct world_result result, again;
    world_run(seed, order->is_verbose, &result);
    tally->worlds++;
    tally->steps += result.steps;
    tally->answered += result.answered;
    tally->failures += result.failed;
    tally->cancelled += result.cancelled;
    tally->virtual_s += (double)result.virtual_ns / 1e9;
    tally->hash += (result.hash ^ seed) * UINT64_C(0x9E3779B97F4A7C15);
    if (order->is_twice && !result.has_failed) {
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
        tally->failed++;
        print_failure(seed, result.failure);
    }
}

static void work(const struct sim_order *order, struct worker *worker)
{
    for (uint64_t count = seed_count(&order->seeds); worker->index < count;
         worker->index += order->jobs)
        live_seed(order, seed_at(&order->seeds, worker->index), &worker->tally);
}

static bool start(const struct sim_order *order, struct worker *worker)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work(order, worker);
        fflush(stdout);
        _exit(0);
    }
    if (pid < 0)
        perror("moot-sim: fork");
    worker->pid = pid;
    return pid > 0;
}

/* Returns whether the worker was started again, behind the seed that killed it. */
static bool go_on_after(const struct sim_order *order, struct worker *worker, int status)
{
    char why[64];
    worker->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    if (WIFSIGNALED(status))
        snprintf(why, sizeof why, "the process died of signal %d", WTERMSIG(status));
    else
        snprintf(why, sizeof why, "the process ended with %d", WEXITSTATUS(status));
    print_failure(seed_at(&order->seeds, worker->index), why);
    worker->tally.worlds++;
    worker->tally.failed++;
    worker->index += order->jobs;
    return worker->index < seed_count(&order->seeds) && start(order, worker);
}

static void add(struct sim_tally *sum, const struct sim_tally *one)
{
    sum->worlds += one->worlds;
    sum->failed += one->failed;
    sum->steps += one->steps;
    sum->answered += one->answered;
    sum->failures += one->failures;
    sum->cancelled += one->cancelled;
    sum->virtual_s += one->virtual_s;
    sum->hash += one->hash;
}

static bool run_workers(const struct sim_order *order, struct worker *workers)
{
    unsigned running = 0;
    int status;
    for (unsigned i = 0; i < order->jobs; i++) {
        workers[i].index = i;
        if (!start(order, &workers[i]))
            break;
        running++;
    }
    bool are_all = running == order->jobs;
    while (running > 0) {
        pid_t pid = wait(&status);
        for (unsigned i = 0; i < order->jobs; i++)
            if (workers[i].pid == pid && !go_on_after(order, &workers[i], status))
                running--;
    }
    return are_all;
}

bool moot__sim_jobs_run(const struct sim_order *order, struct sim_tally *tally)
{
    *tally = (struct sim_tally){.worlds = 0};
    if (order->jobs == 1) {
        struct worker self = {.index = 0};
        work(order, &self);
        *tally = self.tally;
        return true;
    }
    size_t size = order->jobs * sizeof(struct worker);
    struct worker *workers =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (workers == MAP_FAILED) {
        perror("moot-sim: mmap");
        return false;
    }
    bool is_done = run_workers(order, workers);
    for (unsigned i = 0; i < order->jobs; i++)
        add(tally, &workers[i].tally);
    munmap(workers, size);
    return is_done;
}
