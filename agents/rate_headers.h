#ifndef MOOT_AGENTS_RATE_HEADERS_H
#define MOOT_AGENTS_RATE_HEADERS_H

/* What providers tell of their quotas in the heads of their answers: how much is allowed, how much
 * is left, and when it comes back. Read for every provider alike, since gateways relay each
 * other's. All of it comes from strangers: whatever is not understood is as if it were absent, and
 * whether to believe the rest is left to the limiter. Pure; any thread. */
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/clock.h"
#include "engine/base/view.h"

/* In the limiter's order. */
enum moot_rate_meter {
    MOOT_RATE_REQUESTS,
    MOOT_RATE_INPUT,  /* tokens */
    MOOT_RATE_OUTPUT, /* tokens */
    MOOT_RATE_TOKENS, /* both together */
    MOOT_RATE_METERS,
};

/* Header, meter, what it tells, the window that its name says in seconds (0: unsaid). A value is a
 * number, or a time in any of the forms of moot__rate_time. Sources:
 *   OpenAI   platform.openai.com/docs/guides/rate-limits: Go durations until the bucket is full;
 *            spoken by Groq and most compatible servers as well, by Azure OpenAI in plain seconds
 *   Mistral  as seen in answers of api.mistral.ai (mistralai/client-ts issue 169)
 *            and Cerebras, inference-docs.cerebras.ai/support/rate-limits (limits a minute)
 *   Anthropic  docs.anthropic.com/en/api/rate-limits: RFC 3339 times
 *   plain    the names that gateways and OpenRouter use, and of IETF
 *            draft-ietf-httpapi-ratelimit-headers up to 06; fields of later drafts are read apart
 */
#define MOOT_RATE_HEADER_MAP(X)                                                                    \
    X("x-ratelimit-limit-requests", REQUESTS, LIMIT, 0)                                            \
    X("x-ratelimit-remaining-requests", REQUESTS, REMAINING, 0)                                    \
    X("x-ratelimit-reset-requests", REQUESTS, RESET, 0)                                            \
    X("x-ratelimit-limit-tokens", TOKENS, LIMIT, 0)                                                \
    X("x-ratelimit-remaining-tokens", TOKENS, REMAINING, 0)                                        \
    X("x-ratelimit-reset-tokens", TOKENS, RESET, 0)                                                \
    X("x-ratelimit-limit-tokens_usage_based", TOKENS, LIMIT, 0)                                    \
    X("x-ratelimit-remaining-tokens_usage_based", TOKENS, REMAINING, 0)                            \
    X("x-ratelimit-reset-tokens_usage_based", TOKENS, RESET, 0)                                    \
    X("x-ratelimit-limit-req-minute", REQUESTS, LIMIT, 60)                                         \
    X("x-ratelimit-remaining-req-minute", REQUESTS, REMAINING, 60)                                 \
    X("x-ratelimit-limit-tokens-minute", TOKENS, LIMIT, 60)                                        \
    X("x-ratelimit-remaining-tokens-minute", TOKENS, REMAINING, 60)                                \
    X("x-ratelimit-reset-tokens-minute", TOKENS, RESET, 60)                                        \
    X("x-ratelimit-limit-requests-minute", REQUESTS, LIMIT, 60)                                    \
    X("x-ratelimit-remaining-requests-minute", REQUESTS, REMAINING, 60)                            \
    X("x-ratelimit-reset-requests-minute", REQUESTS, RESET, 60)                                    \
    X("anthropic-ratelimit-requests-limit", REQUESTS, LIMIT, 0)                                    \
    X("anthropic-ratelimit-requests-remaining", REQUESTS, REMAINING, 0)                            \
    X("anthropic-ratelimit-requests-reset", REQUESTS, RESET, 0)                                    \
    X("anthropic-ratelimit-tokens-limit", TOKENS, LIMIT, 0)                                        \
    X("anthropic-ratelimit-tokens-remaining", TOKENS, REMAINING, 0)                                \
    X("anthropic-ratelimit-tokens-reset", TOKENS, RESET, 0)                                        \
    X("anthropic-ratelimit-input-tokens-limit", INPUT, LIMIT, 0)                                   \
    X("anthropic-ratelimit-input-tokens-remaining", INPUT, REMAINING, 0)                           \
    X("anthropic-ratelimit-input-tokens-reset", INPUT, RESET, 0)                                   \
    X("anthropic-ratelimit-output-tokens-limit", OUTPUT, LIMIT, 0)                                 \
    X("anthropic-ratelimit-output-tokens-remaining", OUTPUT, REMAINING, 0)                         \
    X("anthropic-ratelimit-output-tokens-reset", OUTPUT, RESET, 0)                                 \
    X("x-ratelimit-limit", REQUESTS, LIMIT, 0)                                                     \
    X("x-ratelimit-remaining", REQUESTS, REMAINING, 0)                                             \
    X("x-ratelimit-reset", REQUESTS, RESET, 0)                                                     \
    X("ratelimit-limit", REQUESTS, LIMIT, 0)                                                       \
    X("ratelimit-remaining", REQUESTS, REMAINING, 0)                                               \
    X("ratelimit-reset", REQUESTS, RESET, 0)

#define MOOT_RATE_UNSAID UINT64_MAX

/* One meter, as one answer tells it. Each MOOT_RATE_UNSAID where it does not. */
struct moot_rate {
    uint64_t limit;     /* a window */
    uint64_t remaining; /* of it */
    uint64_t reset_ns;  /* from now, until all of it is back */
    uint64_t window_ns;
};

struct moot_rates {
    unsigned said; /* bits of the meters that were told of; the others hold nothing */
    struct moot_rate meters[MOOT_RATE_METERS];
};

/* Take one header of an answer into `rates`, which begins as {0}. Of several that tell the same,
 * the least wins. `wall_s` is Unix time, for dates. False: it is none of these. */
bool moot__rate_header(struct moot_rates *rates, struct moot_view name, struct moot_view value,
                       int64_t wall_s);

/* "20ms", "6m0s", "1h30m0s", "7.66s" (Go); "12", "0.5" (seconds); an RFC 3339 time; Unix time in
 * seconds or milliseconds, told by its size. The past is 0, what has no bound is ten years. */
bool moot__rate_time(struct moot_view text, int64_t wall_s, uint64_t *out_ns);

#endif
