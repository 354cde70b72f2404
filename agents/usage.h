#ifndef MOOT_AGENTS_USAGE_H
#define MOOT_AGENTS_USAGE_H

/* Tokens: what providers say was used, and what we guess before they say. Pure. */
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/view.h"
#include "transcript.h"

struct moot_json;

enum moot_tokens_known {
    MOOT_TOKENS_PROMPT = 1 << 0,
    MOOT_TOKENS_COMPLETION = 1 << 1,
    MOOT_TOKENS_TOTAL = 1 << 2,
    MOOT_TOKENS_REASONING = 1 << 3,
    MOOT_TOKENS_CACHED = 1 << 4,
    MOOT_TOKENS_CACHE_WRITTEN = 1 << 5,
};

/* What was not said is 0 and its bit in `known` is clear. cached (read from a cache) and
 * cache_written are parts of prompt, reasoning a part of completion. */
struct moot_tokens {
    uint64_t prompt, completion, total, reasoning, cached, cache_written;
    unsigned known; /* enum moot_tokens_known */
};

/* Add one call to a sum, each count for itself; sums stop at UINT64_MAX. */
void moot__tokens_add(struct moot_tokens *sum, const struct moot_tokens *one);

/* Read a `usage` object in the OpenAI shape over what is known already: counts that it has replace
 * the old ones, null or missing or negative ones leave them alone; so the last of cumulative usages
 * wins, count by count. Numbers may be written as floats. A missing total is prompt + completion.
 * Not an object: nothing happens. */
void moot__tokens_read(struct moot_tokens *tokens, const struct moot_json *usage);

/* The names of a `usage` object whose input does not count what a cache gave and took: Anthropic's
 * and Bedrock's. `details` holds `reasoning`; NULL: there is none. */
struct moot_usage_names {
    const char *input, *output, *cache_read, *cache_write, *details, *reasoning;
};

/* The same for such an object: the prompt becomes the sum of the three. */
void moot__tokens_read_apart(struct moot_tokens *tokens, const struct moot_json *usage,
                             const struct moot_usage_names *names);

/* Estimates for admission, from sizes alone: a token per 3.6 bytes, rounded up. */
uint64_t moot__estimate_tokens(uint64_t bytes);

/* The same for messages, with what a chat template adds around each. */
uint64_t moot__estimate_turns(struct moot_turns turns);

#endif
