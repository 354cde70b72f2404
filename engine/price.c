#include "price.h"

#define TOKENS_PER_PRICE 1e6

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

double moot__price_of(const struct moot_price *price, const struct moot_usage *usage)
{
    /* Parts that are more than the whole are a provider's slip: nobody pays for less than nothing.
     */
    uint64_t cached = least(usage->cached_tokens, usage->input_tokens);
    uint64_t written = least(usage->cache_written_tokens, usage->input_tokens - cached);
    uint64_t fresh = usage->input_tokens - cached - written;
    return ((double)fresh * price->input + (double)cached * price->cached_input +
            (double)written * price->cache_write + (double)usage->output_tokens * price->output) /
           TOKENS_PER_PRICE;
}

double moot__price_at_most(const struct moot_price *price, uint64_t input, uint64_t output)
{
    double dearest = price->input;
    if (price->cached_input > dearest)
        dearest = price->cached_input;
    if (price->cache_write > dearest)
        dearest = price->cache_write;
    return ((double)input * dearest + (double)output * price->output) / TOKENS_PER_PRICE;
}
