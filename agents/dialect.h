#ifndef MOOT_AGENTS_DIALECT_H
#define MOOT_AGENTS_DIALECT_H

/* How one kind of provider is spoken to: a table of pure functions, bytes and structs in, bytes and
 * decisions out. A new provider is one file that fills this table, its line in dialect.c and its
 * tests. Nothing here knows sockets, clocks or credentials. */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>

#include "agent.h"
#include "engine/base/alloc.h"
#include "engine/base/buf.h"
#include "engine/base/view.h"
#include "reply.h"
#include "transcript.h"

struct moot_json_writer;
struct moot_reply_stream;
struct moot_stream_event;

/* Where a credential goes. */
enum moot_auth {
    MOOT_AUTH_BEARER,    /* Authorization: Bearer SECRET */
    MOOT_AUTH_API_KEY,   /* api-key: SECRET */
    MOOT_AUTH_X_API_KEY, /* x-api-key: SECRET */
    MOOT_AUTH_SIGV4,     /* each request is signed (AWS Signature Version 4) */
};

/* One call to make. Everything is borrowed for the duration of the function it is given to. */
struct moot_request {
    const struct moot_agent *agent;
    struct moot_turns turns;
    struct moot_params overriding; /* the caller's parameters for this step, or none */
    struct moot_view version;      /* of the provider's API; empty: the dialect's own */
    bool stream;
};

/* An answer that says no: a status that is not a success, and what came with it. */
struct moot_refusal {
    unsigned status;
    struct moot_view body;
    struct moot_view type; /* x-amzn-errortype: the error's name, where it is not in the body */
};

/* How a provider counts tokens against a quota of the minute. Sources:
 *   Databricks  docs.databricks.com, foundation-model-apis/limits: max_tokens is reserved of OTPM
 *               before the request is let in, and what was not used is given back
 *   Bedrock     docs.aws.amazon.com/bedrock, quotas-token-burndown: as Databricks, of TPM; tokens
 *               read from a cache do not count
 *   Azure       learn.microsoft.com/azure/ai-services/openai/how-to/quota: an estimate from the
 *               prompt and max_tokens, when the request comes
 *   OpenAI      platform.openai.com/docs/guides/rate-limits: max_tokens counts when the request
 *               comes; tokens from a cache count
 *   Anthropic   docs.anthropic.com/en/api/rate-limits: OTPM counts what is written, whatever
 *               max_tokens says; ITPM does not count what was read from a cache. Azure's Anthropic
 *               surface is taken to be the same
 * Where nothing is said, all false is right for most: set aside, and everything counts. */
struct moot_counting {
    bool only_used;   /* max_tokens does not count: nothing is set aside for an answer */
    bool cached_free; /* input read from a cache does not count */
};

struct moot_dialect {
    const char *type; /* the provider's `type` in a configuration */
    const char
        *surface; /* which of its paths; the first of a type in the registry is its default */
    enum moot_auth auth; /* unless the configuration says otherwise */

    /* The API's version that is spoken unless the configuration names another, and the header that
     * says it. NULL: there is none; or it stands in the target. */
    const char *version, *version_header;

    const char *accept_stream; /* what a stream's Accept asks for; NULL: text/event-stream */
    struct moot_counting counting;
    bool must_end; /* a stream without its end marker is cut, whatever it said before */

    /* Append the request target, from `/`: the path of the provider's base URL (with or without a
     * slash at its end, or empty), then this dialect's suffix. MOOT_ELIMIT, MOOT_ENOMEM. */
    int (*write_target)(const struct moot_request *request, struct moot_view base_path,
                        struct moot_buf *out);

    /* Write the body: one JSON object. The scratch arena holds what is needed in between. What the
     * provider cannot be told is refused by name, never dropped: MOOT_EINPUT with `info`. Other
     * errors as the writer's, MOOT_ENOMEM. */
    int (*write_body)(const struct moot_request *request, struct moot_arena *scratch,
                      struct moot_json_writer *writer, struct moot_error_info *info);

    /* Read a whole answer to a 2xx, into an initialised reply. A body that is an error is one,
     * whatever the status. MOOT_OK; MOOT_EJSON, MOOT_ECONTENT (no choices, null, no body),
     * MOOT_ELIMIT, MOOT_ENOMEM; or as read_error. */
    int (*read_reply)(struct moot_view body, struct moot_reply *reply,
                      struct moot_error_info *info);

    /* Take one event of a stream; see reply_stream.h, which calls it and holds the rules of the
     * end. */
    int (*read_event)(struct moot_reply_stream *stream, const struct moot_stream_event *event);

    /* Understand the body of a failed call, which may be anything, empty or cut included. Fills
     * `info` (phase, status, class, provider's code, a clean message, whether to retry) and returns
     * its code: MOOT_ETHROTTLED, MOOT_EQUOTA, MOOT_EAUTH, MOOT_EPROVIDER. retry_after_ns is left
     * 0: the caller, who has the headers, sets it. */
    int (*read_error)(const struct moot_refusal *refusal, const struct moot_allocator *allocator,
                      struct moot_error_info *info);
};

/* A type's dialect by its surface; an empty surface is the type's default. NULL if there is none.
 * The names, for messages: moot__dialect_at(i) until NULL, a type's surfaces side by side. */
const struct moot_dialect *moot__dialect_find(struct moot_view type, struct moot_view surface);
const struct moot_dialect *moot__dialect_at(size_t index);

/* The version to speak: the request's, or the dialect's own; empty where it has none. */
struct moot_view moot__dialect_version(const struct moot_dialect *dialect, struct moot_view said);

extern const struct moot_dialect moot__dialect_databricks;      /* .../{endpoint}/invocations */
extern const struct moot_dialect moot__dialect_databricks_chat; /* `model` in the body */
extern const struct moot_dialect moot__dialect_databricks_gateway;
extern const struct moot_dialect moot__dialect_openai;
extern const struct moot_dialect moot__dialect_anthropic;
extern const struct moot_dialect moot__dialect_azure; /* v1 */
extern const struct moot_dialect moot__dialect_azure_deployments;
extern const struct moot_dialect moot__dialect_azure_models;
extern const struct moot_dialect moot__dialect_azure_anthropic;
extern const struct moot_dialect moot__dialect_bedrock; /* Converse */
extern const struct moot_dialect moot__dialect_bedrock_invoke;
extern const struct moot_dialect moot__dialect_bedrock_openai;

#endif
