/* Log-linear buckets. With S = 64 buckets a power of two, a value v of bit length n > 7 falls into
 * bucket (n - 7) * S + (v >> (n - 7)): the shift leaves the 7 highest bits, of which the first is
 * always 1, so v >> shift lies in [S, 2S) and rows follow each other without a gap or overlap.
 * Below 2S the shift is 0 and a bucket is a value. A bucket is 1/64 of its lower bound wide at
 * most; telling its middle is wrong by half of that. */
#include "hist.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/check.h"

#define SUB UINT64_C(64)
static_assert(SUB == UINT64_C(1) << MOOT_HIST_SUB_BITS, "one constant");

static unsigned bit_length(uint64_t value)
{
#if defined(__GNUC__)
    return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
#else
    unsigned bits = 0;
    for (; value; value >>= 1)
        bits++;
    return bits;
#endif
}

static size_t bucket_of(uint64_t value)
{
    unsigned bits = bit_length(value);
    unsigned shift = bits > MOOT_HIST_SUB_BITS + 1 ? bits - (MOOT_HIST_SUB_BITS + 1) : 0;
    return (size_t)(shift * SUB + (value >> shift));
}

/* The middle of a bucket, rounded down. */
static uint64_t bucket_middle(size_t bucket)
{
    if (bucket < 2 * SUB)
        return bucket;
    unsigned shift = (unsigned)(bucket / SUB - 1);
    uint64_t lowest = (bucket - shift * SUB) << shift;
    return lowest + ((UINT64_C(1) << shift) - 1) / 2;
}

void moot__hist_reset(struct moot_hist *hist)
{
    memset(hist, 0, sizeof *hist);
}

void moot__hist_record(struct moot_hist *hist, uint64_t value)
{
    moot__hist_record_n(hist, value, 1);
}

void moot__hist_record_n(struct moot_hist *hist, uint64_t value, uint64_t count)
{
    if (count == 0)
        return;
    size_t bucket = bucket_of(value);
    assert(bucket < MOOT_HIST_BUCKETS);
    if (hist->count == 0 || value < hist->min)
        hist->min = value;
    if (value > hist->max)
        hist->max = value;
    hist->count += count;
    hist->sum += (double)value * (double)count;
    hist->buckets[bucket] += count;
}

void moot__hist_merge(struct moot_hist *to, const struct moot_hist *from)
{
    if (from->count == 0)
        return;
    if (to->count == 0 || from->min < to->min)
        to->min = from->min;
    if (from->max > to->max)
        to->max = from->max;
    to->count += from->count;
    to->sum += from->sum;
    for (size_t i = 0; i < MOOT_HIST_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
}

uint64_t moot__hist_quantile(const struct moot_hist *hist, double fraction)
{
    if (hist->count == 0 || !(fraction > 0)) /* not a number counts as 0 */
        return hist->min;
    /* The nearest rank. The product of a decimal fraction and a count may come out a hair above the
     * whole number that it is on paper; that must not be the next rank. */
    double wanted = ceil(fraction * (double)hist->count * (1 - 1e-12));
    if (wanted >= (double)hist->count)
        return hist->max;
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
    uint64_t below = 0;
    size_t bucket = bucket_of(hist->min);
    while (below + hist->buckets[bucket] < rank) {
        below += hist->buckets[bucket++];
        assert(bucket < MOOT_HIST_BUCKETS);
    }
    uint64_t value = bucket_middle(bucket);
    if (value < hist->min)
        return hist->min;
    return value > hist->max ? hist->max : value;
}

double moot__hist_mean(const struct moot_hist *hist)
{
    return hist->count ? hist->sum / (double)hist->count : 0;
}

uint64_t moot__hist_count_to(const struct moot_hist *hist, uint64_t bound)
{
    if (bound >= hist->max)
        return hist->count;
    size_t last = bucket_of(bound);
    uint64_t total = 0;
    for (size_t i = 0; i <= last; i++)
        total += hist->buckets[i];
    return total;
}
