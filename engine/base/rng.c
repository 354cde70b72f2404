#include "rng.h"

#include "check.h"

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void moot__rng_init(struct moot_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64, as the generator's authors advise for seeding */
        uint64_t z = (seed += UINT64_C(0x9E3779B97F4A7C15));
        z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
        rng->s[i] = z ^ (z >> 31);
    }
}

uint64_t moot__rng_next(struct moot_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t moot__rng_below(struct moot_rng *rng, uint64_t bound)
{
    assert(bound > 0);
    uint64_t reject = (0 - bound) % bound, value;
    do
        value = moot__rng_next(rng);
    while (value < reject);
    return value % bound;
}

double moot__rng_unit(struct moot_rng *rng)
{
    return (double)(moot__rng_next(rng) >> 11) * 0x1.0p-53;
}
