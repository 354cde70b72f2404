#ifndef MOOT_BASE_RNG_H
#define MOOT_BASE_RNG_H

/* Seeded random numbers for jitter, sampling and simulation; never for keys. xoshiro256**. */
#include <stdint.h>

struct moot_rng {
    uint64_t s[4];
};

void moot__rng_init(struct moot_rng *rng, uint64_t seed);
uint64_t moot__rng_next(struct moot_rng *rng);
uint64_t moot__rng_below(struct moot_rng *rng, uint64_t bound); /* [0, bound); bound > 0 */
double moot__rng_unit(struct moot_rng *rng);                    /* [0, 1) */

#endif
