#ifndef MOOT_TRACE_HIST_H
#define MOOT_TRACE_HIST_H

/* A histogram of any uint64_t with fixed memory (30 KiB) and a relative error below 1%: each power
 * of two is divided into 64 equal buckets, smaller values than 128 have one each. Units are the
 * caller's; durations are nanoseconds. One thread at a time; zeroed memory is an empty histogram.
 */
#include <stddef.h>
#include <stdint.h>

#define MOOT_HIST_SUB_BITS 6
#define MOOT_HIST_BUCKETS  ((64 - MOOT_HIST_SUB_BITS + 1) << MOOT_HIST_SUB_BITS)

struct moot_hist {
    uint64_t count;
    uint64_t min, max; /* exact; both 0 while count is 0 */
    double sum;
    uint64_t buckets[MOOT_HIST_BUCKETS];
};

void moot__hist_reset(struct moot_hist *hist);
void moot__hist_record(struct moot_hist *hist, uint64_t value);

/* The same value `count` times; 0 does nothing. */
void moot__hist_record_n(struct moot_hist *hist, uint64_t value, uint64_t count);

/* Add all of `from` to `to`, as if every value had been recorded there. */
void moot__hist_merge(struct moot_hist *to, const struct moot_hist *from);

/* The smallest recorded value that at least `fraction` (0 to 1, clamped) of all values do not
 * exceed, to within 1%; never below min nor above max, and exact at 0 and 1. 0 if there is none. */
uint64_t moot__hist_quantile(const struct moot_hist *hist, double fraction);

/* The mean of the values as recorded; 0 if there is none. */
double moot__hist_mean(const struct moot_hist *hist);

/* How many values are at most `bound`, counting the bucket of `bound` whole: what a Prometheus
 * histogram wants for le="bound". */
uint64_t moot__hist_count_to(const struct moot_hist *hist, uint64_t bound);

#endif
