#ifndef MOOT_RETRY_H
#define MOOT_RETRY_H

/* After an attempt failed: again or not, and when. Pure: facts in, a verdict out. */
#include <moot/error.h>
#include <moot/view.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/clock.h"
#include "engine/base/rng.h"
#include "limiter_breaker.h"

/* A hint above this is not waited for, except where the caller allows more. */
#define MOOT_RETRY_HINT_MAX_NS (UINT64_C(120) * MOOT_NS_PER_S)

/* How far the attempt got; decides whether it may have been billed. */
enum moot_reach {
    MOOT_REACH_NOT_SENT, /* nothing of the request left the machine */
    MOOT_REACH_SENT,     /* bytes of it left, and no answer came, or only a part of one */
    MOOT_REACH_ANSWERED, /* the provider answered with a complete status other than success */
};

/* Values of response headers, empty where absent. Borrowed. */
struct moot_retry_headers {
    struct moot_view retry_after;         /* seconds, whole or not, or an HTTP date */
    struct moot_view retry_after_ms;      /* OpenAI, Azure */
    struct moot_view x_ms_retry_after_ms; /* Azure */
    struct moot_view x_should_retry;      /* OpenAI, Anthropic: true or false */
};

enum moot_hint {
    MOOT_HINT_NONE,    /* absent or not understood */
    MOOT_HINT_PRESENT, /* *wait_ns is set; 0 for a date in the past */
};

/* What the provider asks to wait. The most precise header wins. `wall_s` is Unix time, for dates,
 * best by the clock that wrote them. Negative numbers and dates in the past are 0; numbers without
 * bound are MOOT_NEVER_NS. Follows RFC 9110, 10.2.3, and 5.6.7 (IMF-fixdate only). */
enum moot_hint moot__retry_hint(const struct moot_retry_headers *headers, int64_t wall_s,
                                uint64_t *wait_ns);

/* "Wed, 21 Oct 2026 07:28:00 GMT" to Unix time; false if it is anything else. */
bool moot__retry_parse_date(struct moot_view text, int64_t *unix_s);

/* Is this error code or type of a provider one that says "you have no money or quota left"? */
bool moot__retry_is_exhausted(struct moot_view provider_code);

struct moot_retry_policy {
    bool unknown_fails;    /* an attempt that may have been billed is not repeated */
    unsigned attempts_max; /* in all, the first included; 0: as many as the deadline allows */
    uint64_t base_ns;      /* of the backoff; 0: half a second */
    uint64_t cap_ns;       /* of the backoff; 0: a minute */
    uint64_t hint_max_ns;  /* the longest hint that is waited for; 0: MOOT_RETRY_HINT_MAX_NS */
};

struct moot_retry_attempt {
    int error;                      /* enum moot_error */
    int http_status;                /* 0 if there was none */
    struct moot_view provider_code; /* the provider's code or type; may be empty */
    enum moot_reach reach;
    bool is_permanent;           /* an error inside a 2xx that says the request itself is wrong */
    bool has_delivered;          /* a token of the answer was handed to the caller */
    bool can_refresh_credential; /* and has not yet been refreshed for this call */
    unsigned number;             /* of this attempt, from 1 */
    struct moot_retry_headers headers;
    uint64_t now_ns, deadline_ns; /* the row's; MOOT_NEVER_NS: none */
    int64_t wall_s;
};

/* Why, for traces and messages. */
#define MOOT_RETRY_REASON_MAP(X)                                                                   \
    X(AGAIN, "will be tried again")                                                                \
    X(REFRESH, "will be tried again with a fresh credential")                                      \
    X(FINAL, "an error that another attempt would repeat")                                         \
    X(DELIVERED, "part of the answer was already delivered")                                       \
    X(EXHAUSTED, "the quota is exhausted")                                                         \
    X(UNKNOWN, "it may have been billed, and the policy forbids to risk it twice")                 \
    X(TOLD_NOT, "the provider said not to retry")                                                  \
    X(HINT, "the provider asks for a longer wait than is allowed")                                 \
    X(ATTEMPTS, "no attempts left")                                                                \
    X(DEADLINE, "the next attempt could not begin before the deadline")

enum moot_retry_reason {
#define X(name, text) MOOT_RETRY_##name,
    MOOT_RETRY_REASON_MAP(X)
#undef X
};

struct moot_retry_verdict {
    bool again;
    enum moot_retry_reason reason;
    uint64_t delay_ns;       /* until the next attempt may ask the limiter */
    uint64_t retry_after_ns; /* the provider's hint as it is; for the limiter and for records */
    bool is_throttle;        /* tell the limiter */
    bool possible_duplicate; /* this attempt may have been billed: mark the row */
    bool refresh_credential; /* before the next attempt */
};

void moot__retry_decide(const struct moot_retry_attempt *attempt,
                        const struct moot_retry_policy *policy, struct moot_rng *rng,
                        struct moot_retry_verdict *verdict);

/* Is it a refusal for want of quota or room, after which waiting is all there is to do? */
bool moot__retry_is_throttle(int error, int http_status, struct moot_view provider_code);

/* Whose fault it is that the attempt failed, for the breaker. */
enum moot_fault moot__retry_fault(int error, int http_status, enum moot_reach reach);

const char *moot__retry_reason_text(enum moot_retry_reason reason);

#endif
