#ifndef MOOT_TRACE_SPAN_H
#define MOOT_TRACE_SPAN_H

/* What is recorded of a conversation. Two lists are the whole catalogue: the names of spans and the
 * attributes they may carry; the record, the encoders and the documentation follow from them.
 *
 * A conversation is a tree: one "Audit Agent", below it one "Agent Call" a role, below each of
 * these "Assemble Conversation" and "Raw Agent Response". With two roles that is seven spans.
 *
 * A span lives on the stack of the function that ends it: begin, set what is known, end, and one
 * moot__ring_write. Nothing here allocates, waits or looks at a clock. */
#include <moot/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/base/view.h"

/* id, name, gen_ai.operation.name (or ""), MLflow's span type, OpenTelemetry's kind */
#define MOOT_SPAN_NAME_MAP(X)                                                                      \
    X(CONVERSATION, "Audit Agent", "invoke_workflow", "AGENT", "INTERNAL")                         \
    X(AGENT_CALL, "Agent Call", "invoke_agent", "AGENT", "INTERNAL")                               \
    X(ASSEMBLE, "Assemble Conversation", "", "PARSER", "INTERNAL")                                 \
    X(RESPONSE, "Raw Agent Response", "chat", "CHAT_MODEL", "CLIENT")

enum moot_span_name {
#define X(id, name, operation, type, kind) MOOT_SPAN_##id,
    MOOT_SPAN_NAME_MAP(X)
#undef X
        MOOT_SPAN_NAMES
};

enum moot_attr_type {
    MOOT_ATTR_TYPE_U64,
    MOOT_ATTR_TYPE_SECONDS, /* set in nanoseconds, written in seconds: the convention's unit */
    MOOT_ATTR_TYPE_F64,
    MOOT_ATTR_TYPE_BOOL,
    MOOT_ATTR_TYPE_STR,
    MOOT_ATTR_TYPE_LIST, /* one text, written as a list of one */
};

/* What people wrote, as opposed to what happened: recorded only where the user asked for it. */
enum moot_attr_privacy { MOOT_ATTR_METADATA, MOOT_ATTR_CONTENT };

/* id, name, type, privacy, meaning. Names are those of the OpenTelemetry conventions for generative
 * AI (and of their general registry) where there is one, and moot.* else. The order is that of a
 * record: what tells spans apart first, long texts last. At most 64. */
#define MOOT_ATTR_MAP(X)                                                                           \
    X(CONVERSATION_ID, "gen_ai.conversation.id", STR, METADATA, "the conversation's own id")       \
    X(ROW_ID, "moot.row.id", STR, METADATA, "id of the row in the input of a batch")               \
    X(ROLE, "gen_ai.agent.name", STR, METADATA, "the role: oracle, judge, ...")                    \
    X(PROVIDER, "gen_ai.provider.name", STR, METADATA, "type of the provider")                     \
    X(REQUEST_MODEL, "gen_ai.request.model", STR, METADATA, "the endpoint asked")                  \
    X(TEMPERATURE, "gen_ai.request.temperature", F64, METADATA, "sampling temperature sent")       \
    X(MAX_TOKENS, "gen_ai.request.max_tokens", U64, METADATA, "longest answer asked for")          \
    X(STREAM, "gen_ai.request.stream", BOOL, METADATA, "the answer was asked for as a stream")     \
    X(MESSAGES, "moot.messages", U64, METADATA, "messages sent")                                   \
    X(REQUEST_BYTES, "moot.request_bytes", U64, METADATA, "body of the request")                   \
    X(SERVER_ADDRESS, "server.address", STR, METADATA, "host of the provider")                     \
    X(SERVER_PORT, "server.port", U64, METADATA, "port of the provider")                           \
    X(RESPONSE_ID, "gen_ai.response.id", STR, METADATA, "the provider's id of the answer")         \
    X(RESPONSE_MODEL, "gen_ai.response.model", STR, METADATA, "the model that answered")           \
    X(FINISH_REASON, "gen_ai.response.finish_reasons", LIST, METADATA, "why the answer ended")     \
    X(INPUT_TOKENS, "gen_ai.usage.input_tokens", U64, METADATA, "tokens of the prompt")            \
    X(CACHED_TOKENS, "gen_ai.usage.cache_read.input_tokens", U64, METADATA,                        \
      "of them, read from the provider's cache")                                                   \
    X(CACHE_WRITTEN_TOKENS, "gen_ai.usage.cache_creation.input_tokens", U64, METADATA,             \
      "of them, put into it")                                                                      \
    X(OUTPUT_TOKENS, "gen_ai.usage.output_tokens", U64, METADATA, "tokens of the answer")          \
    X(TOTAL_TOKENS, "moot.usage.total_tokens", U64, METADATA, "total as the provider counts")      \
    X(COST, "moot.cost", F64, METADATA, "cost by the configured prices")                           \
    X(ATTEMPTS, "moot.attempts", U64, METADATA, "requests sent or tried, the first included")      \
    X(RETRIES, "moot.retries", U64, METADATA, "attempts after the first")                          \
    X(POSSIBLE_DUPLICATE, "moot.possible_duplicate", BOOL, METADATA,                               \
      "a request went out, no answer came, and it was sent again: perhaps billed twice")           \
    X(HTTP_STATUS, "http.response.status_code", U64, METADATA, "status of the last response")      \
    X(ERROR_NAME, "error.type", STR, METADATA, "name of the error, as moot_error_name")            \
    X(ERROR_PHASE, "moot.error.phase", STR, METADATA, "where it happened, as moot_phase_name")     \
    X(PROVIDER_CODE, "moot.error.provider_code", STR, METADATA, "the provider's own code")         \
    X(STATUS_MESSAGE, "otel.status_description", STR, METADATA, "what went wrong, for a person")   \
    X(LIMITER_WAIT_NS, "moot.limiter_wait_ns", U64, METADATA, "time spent waiting for quota")      \
    X(BACKOFF_WAIT_NS, "moot.backoff_wait_ns", U64, METADATA, "time between attempts")             \
    X(RESOLVE_NS, "moot.resolve_ns", U64, METADATA, "name lookup; absent if reused")               \
    X(CONNECT_NS, "moot.connect_ns", U64, METADATA, "TCP connection; absent if reused")            \
    X(TLS_NS, "moot.tls_ns", U64, METADATA, "TLS handshake; absent if reused")                     \
    X(CONNECTION_REUSED, "moot.connection_reused", BOOL, METADATA, "an idle connection was used")  \
    X(FIRST_BYTE_NS, "moot.first_byte_ns", U64, METADATA, "request sent to first byte back")       \
    X(FIRST_TOKEN_NS, "gen_ai.response.time_to_first_chunk", SECONDS, METADATA,                    \
      "request sent to first token")                                                               \
    X(TRUNCATED, "moot.truncated", BOOL, METADATA, "a text of this span was cut to fit")           \
    X(CALLER_PARAMS, "moot.caller_params", STR, METADATA, "the caller's parameters, JSON text")    \
    X(INPUTS, "moot.inputs", STR, CONTENT, "what was sent, JSON text")                             \
    X(OUTPUTS, "moot.outputs", STR, CONTENT, "what came back, JSON text")

enum moot_attr {
#define X(id, name, type, privacy, meaning) MOOT_ATTR_##id,
    MOOT_ATTR_MAP(X)
#undef X
        MOOT_ATTRS
};
static_assert(MOOT_ATTRS <= 64, "attributes are bits of a uint64_t");

struct moot_attr_info {
    const char *name;
    enum moot_attr_type type;
    enum moot_attr_privacy privacy;
};

struct moot_span_name_info {
    const char *name, *operation, *mlflow_type, *kind;
};

/* The catalogue as tables, indexed by the enums. Static storage; any thread. */
extern const struct moot_attr_info moot__attr_infos[MOOT_ATTRS];
extern const struct moot_span_name_info moot__span_name_infos[MOOT_SPAN_NAMES];

/* Sets of attributes are bits. */
#define MOOT_ATTR_BIT(attr) (UINT64_C(1) << (attr))
extern const uint64_t moot__attrs_text;    /* STR and LIST: the value is a view */
extern const uint64_t moot__attrs_content; /* privacy CONTENT */

/* The first of a set that is not empty: the lowest bit. */
static inline unsigned moot__attr_first(uint64_t set)
{
    assert(set != 0);
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(set);
#else
    unsigned bit = 0;
    while (!(set >> bit & 1))
        bit++;
    return bit;
#endif
}

static inline unsigned moot__attr_count(uint64_t set)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_popcountll(set);
#else
    unsigned count = 0;
    for (; set; set &= set - 1)
        count++;
    return count;
#endif
}

/* W3C trace context sizes; all zero means none. */
struct moot_span_ids {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t parent_id[8]; /* zero on the root */
};

/* Fresh ids of a root, and of a child of the span that `parent` names. Never all zero. */
void moot__span_ids_root(struct moot_span_ids *ids, struct moot_rng *rng);
void moot__span_ids_child(struct moot_span_ids *ids, const struct moot_span_ids *parent,
                          struct moot_rng *rng);
bool moot__span_is_root(const struct moot_span_ids *ids);

enum moot_span_status { MOOT_SPAN_OK, MOOT_SPAN_ERROR };

union moot_attr_value {
    uint64_t u64; /* U64, SECONDS, BOOL */
    double f64;
    struct moot_view text;
};

/* One span, being built or just read. Texts are borrowed: of a span being built until
 * moot__ring_write returned, of one that was read until moot__ring_release. */
struct moot_span {
    struct moot_span_ids ids;
    enum moot_span_name name;
    enum moot_span_status status;
    uint64_t start_wall_ns, end_wall_ns; /* since 1970, UTC */
    uint64_t set;                        /* bits of enum moot_attr; only those values are defined */
    union moot_attr_value values[MOOT_ATTRS];
};

/* Start a span: status OK, no attributes, end = start. The values stay uninitialised. */
void moot__span_begin(struct moot_span *span, enum moot_span_name name,
                      const struct moot_span_ids *ids, uint64_t start_wall_ns);

/* An end before the start (a wall clock may step back) is taken as the start. */
void moot__span_end(struct moot_span *span, uint64_t end_wall_ns);

/* Status ERROR and everything that `info` knows: name, phase, status, provider's code, message,
 * possible duplicate. Texts of `info` are borrowed. */
void moot__span_fail(struct moot_span *span, const struct moot_error_info *info);

static inline bool moot__span_has(const struct moot_span *span, enum moot_attr attr)
{
    return span->set & MOOT_ATTR_BIT(attr);
}

/* The setters; the type must be the catalogue's, a second value replaces the first. */
static inline void moot__span_set_u64(struct moot_span *span, enum moot_attr attr, uint64_t value)
{
    assert(moot__attr_infos[attr].type <= MOOT_ATTR_TYPE_SECONDS);
    span->values[attr].u64 = value;
    span->set |= MOOT_ATTR_BIT(attr);
}

static inline void moot__span_set_f64(struct moot_span *span, enum moot_attr attr, double value)
{
    assert(moot__attr_infos[attr].type == MOOT_ATTR_TYPE_F64);
    span->values[attr].f64 = value;
    span->set |= MOOT_ATTR_BIT(attr);
}

static inline void moot__span_set_bool(struct moot_span *span, enum moot_attr attr, bool value)
{
    assert(moot__attr_infos[attr].type == MOOT_ATTR_TYPE_BOOL);
    span->values[attr].u64 = value;
    span->set |= MOOT_ATTR_BIT(attr);
}

/* A text of length 0 is not recorded: absent and empty are the same to a reader of traces. */
static inline void moot__span_set_view(struct moot_span *span, enum moot_attr attr,
                                       struct moot_view text)
{
    assert(moot__attr_infos[attr].type >= MOOT_ATTR_TYPE_STR);
    if (text.len == 0)
        return;
    span->values[attr].text = text;
    span->set |= MOOT_ATTR_BIT(attr);
}

static inline void moot__span_set_str(struct moot_span *span, enum moot_attr attr, const char *text)
{
    moot__span_set_view(span, attr, moot__view_str(text));
}

#endif
