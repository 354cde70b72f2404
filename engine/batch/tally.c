/* The cost limit reserves: each row in flight counts as much as it can cost, or as the mean row
 * that ended where that is more: an estimate of the input may be too low, and nothing may bound the
 * output. Of rows without a bound few may run until one has ended, so that a limit that is far too
 * low is found out cheaply. */
#include "tally.h"

#include "engine/base/check.h"
#include "engine/base/err.h"

enum { PERCENT_FROM_ROWS = 20, UNKNOWN_COST_ROWS = 16 };

int moot__tally_init(struct moot_tally *tally, const struct moot_tally_limits *limits)
{
    *tally = (struct moot_tally){.limits = *limits};
    return pthread_mutex_init(&tally->synced.mutex, NULL) == 0 ? MOOT_OK : MOOT_ENOMEM;
}

void moot__tally_deinit(struct moot_tally *tally)
{
    pthread_mutex_destroy(&tally->synced.mutex);
}

static void lock(struct moot_tally *tally)
{
    int error = pthread_mutex_lock(&tally->synced.mutex);
    assert(error == 0);
    moot__ignore(error);
}

static void unlock(struct moot_tally *tally)
{
    pthread_mutex_unlock(&tally->synced.mutex);
}

void moot__tally_earlier_cost(struct moot_tally *tally, double cost)
{
    lock(tally);
    tally->synced.cost_before = cost;
    tally->synced.counts.cost += cost;
    unlock(tally);
}

/* Locked. */
static void stop(struct moot_tally *tally, enum moot_tally_stop why,
                 const struct moot_error_info *info)
{
    bool is_first = tally->synced.stop == MOOT_STOP_NONE;
    bool overrides = why == MOOT_STOP_ERROR && tally->synced.stop != MOOT_STOP_ERROR;
    if (is_first || overrides) {
        tally->synced.stop = why;
        tally->synced.counts.draining = true;
        tally->synced.why = info ? *info : (struct moot_error_info){0};
    }
    if (why == MOOT_STOP_ERROR)
        tally->synced.cancel = true;
}

/* Locked. */
static void stop_for_cost(struct moot_tally *tally, double most)
{
    struct moot_error_info info;
    double spent = tally->synced.counts.cost, max = tally->limits.cost_max;
    if (most > 0)
        moot__fail(&info, MOOT_EBUDGET, MOOT_PHASE_NONE,
                   "the next row would pass the cost limit of %g: %g is spent, and it may cost %g",
                   max, spent, most);
    else
        moot__fail(&info, MOOT_EBUDGET, MOOT_PHASE_NONE,
                   "the next row would pass the cost limit of %g: %g is spent", max, spent);
    stop(tally, MOOT_STOP_THRESHOLD, &info);
}

/* Locked. */
static enum moot_tally_verdict judge_cost(struct moot_tally *tally, double most)
{
    const struct moot_batch_progress *counts = &tally->synced.counts;
    double max = tally->limits.cost_max;
    if (max <= 0)
        return MOOT_TALLY_GO;
    uint64_t ended = counts->rows_succeeded + counts->rows_failed;
    if (most <= 0 && ended == 0 && counts->rows_in_flight >= UNKNOWN_COST_ROWS)
        return MOOT_TALLY_WAIT;
    double mean = ended ? (counts->cost - tally->synced.cost_before) / (double)ended : 0;
    double by_mean = mean * (double)(counts->rows_in_flight + 1);
    double by_bound = tally->synced.reserved + most;
    double then = counts->cost + (by_bound > by_mean ? by_bound : by_mean);
    if (counts->cost < max && then <= max)
        return MOOT_TALLY_GO;
    if (counts->rows_in_flight > 0 && counts->cost < max)
        return MOOT_TALLY_WAIT;
    stop_for_cost(tally, most);
    return MOOT_TALLY_STOP;
}

enum moot_tally_verdict moot__tally_ask(struct moot_tally *tally, double most)
{
    lock(tally);
    enum moot_tally_verdict verdict =
        tally->synced.stop != MOOT_STOP_NONE ? MOOT_TALLY_STOP : judge_cost(tally, most);
    if (verdict == MOOT_TALLY_GO) {
        tally->synced.counts.rows_in_flight++;
        tally->synced.reserved += most;
    }
    unlock(tally);
    return verdict;
}

/* Locked. What is left by rounding goes with the last row. */
static void leave(struct moot_tally *tally, double most)
{
    assert(tally->synced.counts.rows_in_flight > 0);
    tally->synced.counts.rows_in_flight--;
    tally->synced.reserved -= most;
    if (tally->synced.counts.rows_in_flight == 0 || tally->synced.reserved < 0)
        tally->synced.reserved = 0;
}

void moot__tally_give_up(struct moot_tally *tally, double most)
{
    lock(tally);
    leave(tally, most);
    unlock(tally);
}

/* Locked. */
static void judge_errors(struct moot_tally *tally)
{
    const struct moot_batch_progress *counts = &tally->synced.counts;
    const struct moot_tally_limits *limits = &tally->limits;
    struct moot_error_info info;
    uint64_t ended = counts->rows_succeeded + counts->rows_failed;
    double percent = 100.0 * (double)counts->rows_failed / (double)ended;
    bool too_many = limits->has_errors_max && counts->rows_failed > limits->errors_max;
    bool too_much = limits->errors_percent_max > 0 && ended >= PERCENT_FROM_ROWS &&
                    percent > limits->errors_percent_max;
    if (!too_many && !too_much)
        return;
    moot__fail(&info, MOOT_EBUDGET, MOOT_PHASE_NONE, "too many rows failed: %llu of %llu (%.1f%%)",
               (unsigned long long)counts->rows_failed, (unsigned long long)ended, percent);
    stop(tally, MOOT_STOP_THRESHOLD, &info);
}

void moot__tally_end(struct moot_tally *tally, const struct moot_row_facts *facts, double most)
{
    lock(tally);
    struct moot_batch_progress *counts = &tally->synced.counts;
    leave(tally, most);
    counts->rows_succeeded += facts->code == MOOT_OK;
    counts->rows_failed += facts->code != MOOT_OK;
    counts->calls += facts->calls;
    counts->retries += facts->retries;
    counts->possible_duplicates += facts->possible_duplicate;
    counts->input_tokens += facts->usage.input_tokens;
    counts->output_tokens += facts->usage.output_tokens;
    counts->cost += facts->cost;
    if (facts->code != MOOT_OK)
        judge_errors(tally);
    unlock(tally);
}

void moot__tally_throttled(struct moot_tally *tally)
{
    lock(tally);
    tally->synced.counts.throttled++;
    unlock(tally);
}

void moot__tally_stop(struct moot_tally *tally, enum moot_tally_stop why,
                      const struct moot_error_info *info)
{
    lock(tally);
    stop(tally, why, info);
    unlock(tally);
}

void moot__tally_cancel(struct moot_tally *tally)
{
    lock(tally);
    tally->synced.cancel = true;
    unlock(tally);
}

bool moot__tally_is_cancelled(struct moot_tally *tally)
{
    lock(tally);
    bool cancel = tally->synced.cancel;
    unlock(tally);
    return cancel;
}

enum moot_tally_stop moot__tally_stopped(struct moot_tally *tally, struct moot_error_info *why)
{
    lock(tally);
    enum moot_tally_stop stopped = tally->synced.stop;
    if (why)
        *why = tally->synced.why;
    unlock(tally);
    return stopped;
}

void moot__tally_counts(struct moot_tally *tally, struct moot_batch_progress *out)
{
    lock(tally);
    *out = tally->synced.counts;
    unlock(tally);
}
