/* What answers' headers say of waiting and of quotas: a value of a stranger is a bounded wait, or
 * nothing. The input is lines `name: value`. */
#include <string.h>

#include "agents/rate_headers.h"
#include "engine/retry.h"
#include "fuzz.h"

enum { WALL_S = 1795385656 };

static void take(struct moot_view name, struct moot_view value, struct moot_rates *rates)
{
    uint64_t wait_ns;
    int64_t unix_s;
    struct moot_retry_headers headers = {.retry_after = value};
    (void)moot__rate_header(rates, name, value, WALL_S);
    (void)moot__rate_time(value, WALL_S, &wait_ns);
    (void)moot__retry_parse_date(value, &unix_s);
    if (moot__retry_hint(&headers, WALL_S, &wait_ns) == MOOT_HINT_PRESENT)
        FUZZ_REQUIRE(value.len > 0);
    headers = (struct moot_retry_headers){.retry_after_ms = value, .x_should_retry = name};
    (void)moot__retry_hint(&headers, WALL_S, &wait_ns);
    (void)moot__retry_is_exhausted(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_rates rates = {0};
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = stop ? stop : end;
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        if (colon) {
            const char *value = colon + 1;
            while (value < line_end && *value == ' ')
                value++;
            take((struct moot_view){at, (size_t)(colon - at)},
                 (struct moot_view){value, (size_t)(line_end - value)}, &rates);
        }
        at = line_end + 1;
    }
    for (unsigned i = 0; i < MOOT_RATE_METERS; i++) {
        const struct moot_rate *rate = &rates.meters[i];
        if (rates.said & 1u << i)
            FUZZ_REQUIRE(rate->limit != MOOT_RATE_UNSAID || rate->remaining != MOOT_RATE_UNSAID ||
                         rate->reset_ns != MOOT_RATE_UNSAID || rate->window_ns != 0);
    }
    return 0;
}
