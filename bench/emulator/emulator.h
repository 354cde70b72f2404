#ifndef MOOT_EMULATOR_H
#define MOOT_EMULATOR_H

/* An emulator of LLM providers: the chat surfaces of OpenAI, Databricks, Anthropic, Azure and
 * Bedrock with exact pacing, quotas, their headers, and every fault of faults.h. It is `moot mock`,
 * the provider of our own tests and simulation, and a companion for embedders who want to test
 * their own failure handling.
 *
 * Three ways to run it, one behaviour:
 *   here       sans-I/O: bytes in, bytes out, and the time at which it wants to be woken
 *   server.h   behind any struct moot_transport, real or simulated
 *   thread.h   a server on a thread of its own: a base URL to point a client at
 *
 * Everything it does is a function of its options, the bytes it is fed and the times it is told:
 * two runs with one seed give the same answers, faults and schedule.
 *
 * Thread: an emulator and its connections belong to one thread; several emulators share nothing.
 *
 * Surfaces:
 *   Databricks  POST /serving-endpoints/{endpoint}/invocations
 *               POST /serving-endpoints/chat/completions, /ai-gateway/mlflow/v1/chat/completions
 *   OpenAI      POST /chat/completions, /v1/chat/completions
 *   Anthropic   POST /v1/messages, /anthropic/v1/messages
 *   Azure       POST /openai/v1/chat/completions
 *               POST /openai/deployments/{deployment}/chat/completions?api-version=
 *               POST /models/chat/completions?api-version=
 *   Bedrock     POST /model/{id}/converse, /model/{id}/converse-stream
 *               POST /model/{id}/invoke, /model/{id}/invoke-with-response-stream; Claude's shape
 *               POST /openai/v1/chat/completions; as it is Azure's too, either signed or below
 *                    /bedrock
 *   OAuth       POST /oidc/v1/token, GET /oidc/.well-known/oauth-authorization-server; Databricks'
 *               POST /{tenant}/oauth2/v2.0/token; Entra's
 *   any         GET /v1/models      the model, or "emulator"
 *               GET /_moot/ledger   what it saw and would have billed, as JSON
 *               GET /_moot/log      planned and true send time of the latest tokens, as JSON
 *
 * Each below any base path. A request is checked as strictly as the provider checks it; refusals,
 * faults and quotas are told in its own words, as is a path that leads nowhere, with a 404. The two
 * GETs of /_moot need no key, draw no fault and are not counted.
 *
 * Tokens: one is a run of spaces with the run of other bytes after it ("a bc" is 2), whether
 * counted in the request's messages or emitted in a stream, one a chunk. A request's `max_tokens`
 * cuts the answer, with finish_reason "length". `n`, `stop` and `response_format` are
 * accepted and ignored; `tools` too, but by the answer that calls one. */
#include <moot/alloc.h>
#include <moot/error.h>
#include <moot/view.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where an answer's text comes from. */
enum moot_emulator_answer {
    MOOT_EMULATOR_ECHO,      /* "ENDPOINT heard: " and the last user message, whole */
    MOOT_EMULATOR_SCRIPTED,  /* the first script that matches; ECHO when none does */
    MOOT_EMULATOR_GENERATED, /* pseudo-words from the seed, reply_tokens_min..max of them */
    MOOT_EMULATOR_GOLDEN,    /* "Answer from ENDPOINT to: " and the first 60 characters of the last
                                message, usage 11 and 7: the upstream of the recorded wire cases */
    MOOT_EMULATOR_TOOL,      /* a call of the first tool offered, with {"question": the last user
                                message}; ECHO when none is, or when the last message is a result */
};

struct moot_emulator_script {
    const char *match; /* part of the last user message; NULL matches all */
    const char *text;  /* the answer */
};

/* What a 429, 503 or 529 says about when to come back. */
#define MOOT_EMULATOR_HINT_MAP(X)                                                                  \
    X(NONE, "none", "no hint at all")                                                              \
    X(SECONDS, "seconds", "retry-after in whole seconds, rounded up")                              \
    X(FLOAT, "float", "retry-after in seconds with a fraction")                                    \
    X(DATE, "date", "retry-after as an HTTP date, rounded up to a second")                         \
    X(MS, "ms", "retry-after-ms, and retry-after in seconds")                                      \
    X(NEGATIVE, "negative", "retry-after: -1")                                                     \
    X(NAN, "nan", "retry-after: nan")                                                              \
    X(HUGE, "huge", "retry-after: 1000000000")                                                     \
    X(PAST, "past", "retry-after as a date of 1994")                                               \
    X(RETRY, "retry", "x-should-retry: true, and retry-after in seconds")                          \
    X(NO_RETRY, "no-retry", "x-should-retry: false")

enum moot_emulator_hint {
#define X(id, name, what) MOOT_EMULATOR_HINT_##id,
    MOOT_EMULATOR_HINT_MAP(X)
#undef X
        MOOT_EMULATOR_HINTS
};

/* When to go wrong, and how. Rules are tried in order. A rule applies when the request's number is
 * in [first, last], when the last user message holds `match`, or by the draw against `rate`; one
 * draw is made a request (a connection, for faults at accept), so that rates of several rules add
 * up. Requests and connections are numbered from 1 in order of arrival. */
struct moot_emulator_rule {
    enum moot_emulator_fault fault;
    double rate;          /* 0..1 */
    uint64_t first, last; /* 0, 0: not by number */
    char match[64];       /* "": not by text */
    bool has_hint;        /* else the options' hint */
    enum moot_emulator_hint hint;
    uint64_t hint_ns;
    bool has_after; /* for faults inside a stream: after `after` tokens instead of half of them */
    uint64_t after;
};

enum moot_emulator_window {
    MOOT_EMULATOR_SLIDING, /* GCRA: what was used flows back evenly over the window */
    MOOT_EMULATOR_FIXED,   /* everything comes back when the window ends */
};

/* How quotas are told in the heads of answers. */
#define MOOT_EMULATOR_RATES_MAP(X)                                                                 \
    X(SURFACE, "surface") /* as OPENAI on OpenAI's surface, not on Databricks' */                  \
    X(NONE, "none")                                                                                \
    X(OPENAI, "openai")       /* x-ratelimit-*, with Go durations */                               \
    X(AZURE, "azure")         /* the same, with plain seconds */                                   \
    X(MISTRAL, "mistral")     /* x-ratelimit-*-minute, without a time */                           \
    X(ANTHROPIC, "anthropic") /* anthropic-ratelimit-*, with RFC 3339 times */                     \
    X(IETF, "ietf")           /* RateLimit and RateLimit-Policy, of requests alone */              \
    X(HOSTILE, "hostile")     /* 0, -1, 1e18 and NaN, in turn */

enum moot_emulator_rates {
#define X(id, name) MOOT_EMULATOR_RATES_##id,
    MOOT_EMULATOR_RATES_MAP(X)
#undef X
        MOOT_EMULATOR_RATES
};

/* Limits per window; 0 is none. Tokens are reserved at admission (the prompt's, and `max_tokens`
 * or 0 for the answer's) and settled to what was really emitted when the answer ends. `tpm` counts
 * both. A request that can never fit is refused all the same. */
struct moot_emulator_quota {
    uint64_t rpm, tpm, itpm, otpm;
    enum moot_emulator_window window;
    uint64_t window_ns;   /* 0: a minute */
    uint64_t concurrency; /* answers at work at once */
    enum moot_emulator_rates rates;
};

/* One answer's account, closed. Views are valid during the callback. */
struct moot_emulator_receipt {
    uint64_t request; /* its number */
    enum moot_emulator_fault fault;
    bool is_stream, is_billed;
    struct moot_view endpoint;
    struct moot_view body;          /* of the request, as it came */
    struct moot_view text;          /* of the answer, whole, whatever was sent of it */
    uint64_t tokens;                /* in `text` */
    uint64_t tokens_in, tokens_out; /* what it cost, if it is billed */
};

struct moot_emulator_options {
    size_t size; /* sizeof(struct moot_emulator_options), set by the initialiser */
    uint64_t seed;
    uint64_t wall_offset_ns; /* wall time minus the times given to the emulator; for dates */
    const char *api_key; /* to ask for, as Bearer or in the surface's header; NULL accepts all */
    /* The key with which requests to Bedrock are to be signed; NULL: nothing is verified. The
     * region is us-east-1 when NULL. With an api_key too, either will do. */
    const char *aws_access_key, *aws_secret_key, *aws_region;
    /* The client to whom access tokens are given, each good for token_ttl_ns (0: an hour) as a
     * Bearer token, beside the api_key if there is one. NULL: there is no such endpoint. */
    const char *client_id, *client_secret;
    uint64_t token_ttl_ns;
    bool is_tls;       /* the addresses that it tells begin with https; set by server.h */
    const char *model; /* listed by /v1/models; NULL is "emulator" */

    enum moot_emulator_answer answer;
    const struct moot_emulator_script *scripts;
    size_t script_count;
    uint64_t reply_tokens_min, reply_tokens_max; /* of generated answers, uniform */

    /* The schedule, from the moment at which the request was complete: token i of a stream is sent
     * at first_token_ns + i * inter_token_ns, a whole answer at whole_ns; each later by a uniform
     * draw below jitter_ns, never before the token in front of it. */
    uint64_t first_token_ns, inter_token_ns, whole_ns, jitter_ns;

    struct moot_emulator_quota quota;
    enum moot_emulator_hint hint; /* of throttled requests; the wait is the quota's own */
    uint64_t hint_ns;             /* of faults whose rule brings none */
    const struct moot_emulator_rule *rules;
    size_t rule_count;
    uint64_t slow_byte_ns; /* the interval of the fault slow-bytes; 0: 10 ms */
    size_t log_max;        /* tokens kept in the log, the oldest go; 0: no log */

    /* Each request that was understood, before anything is done about it; NULL: nobody listens. The
     * texts are lent until it returns. On the emulator's thread. */
    void (*on_request)(void *context, struct moot_view endpoint, struct moot_view body);
    void *on_request_context;

    /* Called once for every answer that was begun, when its account is closed, from inside the
     * call that closed it; may be NULL. It must not call the emulator. */
    void (*on_receipt)(void *context, const struct moot_emulator_receipt *receipt);
    void *on_receipt_context;
};

/* Echo, no delay, no quota, no fault, a log of 4096 tokens. */
struct moot_emulator_options moot_emulator_options_default(void);

/* What it did, ready to be compared with what a client says. */
struct moot_emulator_ledger {
    uint64_t connections;
    uint64_t requests;  /* whole request heads of the surfaces */
    uint64_t answered;  /* answers sent to their end, faulty ones not among them */
    uint64_t streams;   /* of the requests, those that asked for a stream */
    uint64_t throttled; /* 429 by a quota; those by a fault are in `faults` */
    uint64_t refused;   /* 400, 401, 404, 405, 413 for what the client sent */
    uint64_t grants;    /* access tokens given */
    uint64_t abandoned; /* the client left before the end of its answer */
    uint64_t in_flight, in_flight_max;
    /* What a provider would bill: the prompt and the tokens sent of a stream, all tokens of a whole
     * answer even when it was cut. Refused, throttled and failed requests cost nothing. */
    uint64_t billed, tokens_in, tokens_out;
    uint64_t faults[MOOT_EMULATOR_FAULTS];
};

/* One token's journey, in the caller's time. sent_ns is when its last byte was consumed, or 0. */
struct moot_emulator_log_entry {
    uint64_t request, token; /* the request's number; the token's, from 0 */
    uint64_t planned_ns, sent_ns;
};

struct moot_emulator;
struct moot_emulator_connection;

/* Options are copied; what they point at is borrowed until moot_emulator_free. `options` NULL is
 * the default, `allocator` NULL the process's own. MOOT_EINVAL for options that contradict
 * themselves, MOOT_ENOMEM. */
MOOT_NODISCARD int moot_emulator_new(const struct moot_emulator_options *options,
                                     const struct moot_allocator *allocator,
                                     struct moot_emulator **out);

/* All of its connections must have been freed. NULL does nothing. */
void moot_emulator_free(struct moot_emulator *emulator);

const struct moot_emulator_ledger *moot_emulator_ledger(const struct moot_emulator *emulator);

/* Entry `index` of the log, oldest first; false beyond the last. */
bool moot_emulator_log(const struct moot_emulator *emulator, size_t index,
                       struct moot_emulator_log_entry *out);

/* A client connected. MOOT_ENOMEM. */
MOOT_NODISCARD int moot_emulator_connection_new(struct moot_emulator *emulator, uint64_t now_ns,
                                                struct moot_emulator_connection **out);

/* The connection is gone; what was not sent is lost, and counted as abandoned if it was awaited. */
void moot_emulator_connection_free(struct moot_emulator_connection *connection);

/* How many bytes may be fed now: 0 while earlier ones wait behind an answer under way, and once the
 * connection is to end. */
size_t moot_emulator_connection_room(const struct moot_emulator_connection *connection);

/* Bytes from the client; at most `room` of them. Never fails: whatever is wrong with them is
 * answered or ends the connection. */
void moot_emulator_connection_feed(struct moot_emulator_connection *connection,
                                   struct moot_view bytes, uint64_t now_ns);

/* The client ended its side: an answer under way is finished, then the connection ends. */
void moot_emulator_connection_eof(struct moot_emulator_connection *connection, uint64_t now_ns);

/* Emit what is due; to be called at next_ns or later. */
void moot_emulator_connection_tick(struct moot_emulator_connection *connection, uint64_t now_ns);

/* When to call tick, or UINT64_MAX. Changes with every call above and with consume. */
uint64_t moot_emulator_connection_next_ns(const struct moot_emulator_connection *connection);

/* Bytes for the client, each valid until the next call; empty when there are none now. Bounded: an
 * answer waits for its earlier bytes to be consumed. */
struct moot_view moot_emulator_connection_output(const struct moot_emulator_connection *connection);

/* The first `len` bytes of the output were sent at `now_ns`. */
void moot_emulator_connection_consume(struct moot_emulator_connection *connection, size_t len,
                                      uint64_t now_ns);

/* What to do with the socket once the output is empty. */
enum moot_emulator_verdict {
    MOOT_EMULATOR_GO_ON,
    MOOT_EMULATOR_CLOSE, /* end it with a FIN */
    MOOT_EMULATOR_RESET, /* end it with an RST */
    MOOT_EMULATOR_STALL, /* leave it alone: no read, no write, until the client ends it */
};
enum moot_emulator_verdict
moot_emulator_connection_verdict(const struct moot_emulator_connection *connection);

#ifdef __cplusplus
}
#endif
#endif
