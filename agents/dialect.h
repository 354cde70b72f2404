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
    MOOT_AUTH_BEARER,   /* Authorization: Bearer SECRET */
    MOOT_AUTH_API_KEY,  /* api-key: SECRET */
    MOOT_AUTH_X_API_KEY /* x-api-key: SECRET */
};

/* Which of a provider's paths is used, where it has several. */
enum moot_surface {
    MOOT_SURFACE_DEFAULT, /* databricks: .../{endpoint}/invocations; openai: chat/completions */
    MOOT_SURFACE_CHAT     /* the OpenAI style path, `model` in the body */
};

/* One call to make. Everything is borrowed for the duration of the function it is given to. */
struct moot_request {
    const struct moot_agent *agent;
    struct moot_turns turns;
    struct moot_params overriding; /* the caller's parameters for this step, or none */
    enum moot_surface surface;
    bool stream;
};

struct moot_dialect {
    const char *name; /* the provider's `type` in a configuration */
    enum moot_auth auth;

    /* Append the request target, from `/`: the path of the provider's base URL (with or without a
     * slash at its end, or empty), then this dialect's suffix. MOOT_ELIMIT, MOOT_ENOMEM. */
    int (*write_target)(const struct moot_request *request, struct moot_view base_path,
                        struct moot_buf *out);

    /* Write the body: one JSON object. The scratch arena holds what is needed in between.
     * Errors as the writer's, MOOT_ENOMEM. */
    int (*write_body)(const struct moot_request *request, struct moot_arena *scratch,
                      struct moot_json_writer *writer);

    /* Read a whole answer to a 2xx, into an initialised reply. A body that is an error is one,
     * whatever the status. MOOT_OK; MOOT_EJSON, MOOT_ECONTENT (no choices, null, no body),
     * MOOT_ELIMIT, MOOT_ENOMEM; or as read_error. */
    int (*read_reply)(struct moot_view body, struct moot_reply *reply,
                      struct moot_error_info *info);

    /* Take one event of a stream; see stream.h, which calls it and holds the rules of the end. */
    int (*read_event)(struct moot_reply_stream *stream, const struct moot_stream_event *event);

    /* Understand the body of a failed call, which may be anything, empty or cut included. Fills
     * `info` (phase, status, class, provider's code, a clean message, whether to retry) and returns
     * its code: MOOT_ETHROTTLED, MOOT_EQUOTA, MOOT_EAUTH, MOOT_EPROVIDER. retry_after_ns is left
     * 0: the caller, who has the headers, sets it. */
    int (*read_error)(unsigned status, struct moot_view body,
                      const struct moot_allocator *allocator, struct moot_error_info *info);
};

/* NULL if there is no such dialect. The names, for messages: moot__dialect_at(i) until NULL. */
const struct moot_dialect *moot__dialect_find(struct moot_view name);
const struct moot_dialect *moot__dialect_at(size_t index);

extern const struct moot_dialect moot__dialect_databricks;
extern const struct moot_dialect moot__dialect_openai;

#endif
