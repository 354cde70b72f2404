#ifndef MOOT_TEST_FUZZ_H
#define MOOT_TEST_FUZZ_H

/* What the fuzz targets share. A target is one function over bytes of a stranger; it says what must
 * hold beyond not crashing by FUZZ_REQUIRE. libFuzzer calls it (preset `fuzz`), and so does
 * replay.c in every other build, over the corpus and its mutations. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/base/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Where to cut the same bytes, always at the same places. */
static inline void fuzz_cuts(struct moot_rng *rng, const uint8_t *data, size_t size)
{
    uint64_t seed = size;
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ data[i]) * UINT64_C(0x100000001b3);
    moot__rng_init(rng, seed);
}

/* The length of the next piece of what is left: often tiny. */
static inline size_t fuzz_cut(struct moot_rng *rng, size_t left)
{
    size_t most = moot__rng_below(rng, 2) ? 3 : left;
    return 1 + (size_t)moot__rng_below(rng, most < left ? most : left);
}

/* All but the first byte, which chooses among variants. */
static inline struct moot_view fuzz_rest(const uint8_t *data, size_t size)
{
    return size ? (struct moot_view){(const char *)data + 1, size - 1} : (struct moot_view){"", 0};
}

#endif
