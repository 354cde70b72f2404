#ifndef MOOT_PRICE_H
#define MOOT_PRICE_H

/* What tokens cost. Pure. */
#include <moot/conversation.h>

#include "engine/base/view.h"

/* US dollars per million tokens. cached_input is the price of input that the provider read from its
 * cache, cache_write of input that it put there; where a plan is silent both are input's. */
struct moot_price {
    struct moot_view endpoint;
    double input, cached_input, cache_write, output;
};

/* Of what was used: each part of the input at its own price. US dollars. */
double moot__price_of(const struct moot_price *price, const struct moot_usage *usage);

/* The most that so many tokens can cost: all of the input at its dearest price. US dollars. */
double moot__price_at_most(const struct moot_price *price, uint64_t input, uint64_t output);

#endif
