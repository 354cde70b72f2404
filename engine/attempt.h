#ifndef MOOT_ATTEMPT_H
#define MOOT_ATTEMPT_H

/* One attempt to get one role's answer: an HTTP call, its event stream or whole body, and the
 * dialect that understands them, strung together. Knows nothing of quotas, retries or the flow.
 *
 * Embedded in its owner. moot__attempt_start puts it under way; on_done ends it, once, from the
 * loop. Thread: the engine's. */
#include "access.h"
#include "agents/dialect.h"
#include "agents/rate_headers.h"
#include "agents/reply.h"
#include "agents/reply_stream.h"
#include "net/call.h"
#include "net/eventstream.h"
#include "net/sse.h"
#include "retry.h"

enum { MOOT_HINT_BYTES = 64 };

struct moot_attempt_request {
    struct moot_pool *pool;
    struct moot_origin *origin;
    const struct moot_dialect *dialect;
    enum moot_auth auth;
    struct moot_view version; /* of the API, where the dialect says it in a header; or empty */
    struct moot_view target;
    struct moot_view body;            /* borrowed until on_done */
    struct moot_access access;        /* borrowed; kept, to be masked in what the provider says */
    struct moot_view region, service; /* of AWS keys: what the signature is good for */
    const struct moot_http1_header *headers; /* the provider's own, from the configuration */
    size_t header_count;
    struct moot_call_deadlines deadlines;
    bool stream; /* a stream was asked for */
};

struct moot_attempt {
    /* Set by the owner before start. on_text gives each new piece of the answer while it is being
     * streamed, not of whole answers; the text is also in `reply`. May cancel. */
    void (*on_text)(struct moot_attempt *attempt, struct moot_view text);
    void (*on_done)(struct moot_attempt *attempt);
    struct moot_reply *reply; /* initialised and empty; filled, also partly, until on_done */

    /* Final in on_done. */
    struct moot_error_info error; /* code MOOT_OK: the reply is whole; holds no credential */
    enum moot_reach reach;
    uint64_t first_token_ns; /* when the first text came, or 0 */
    char retry_after[MOOT_HINT_BYTES], retry_after_ms[MOOT_HINT_BYTES];
    char x_ms_retry_after_ms[MOOT_HINT_BYTES], x_should_retry[MOOT_HINT_BYTES];
    int64_t
        wall_s; /* when the head came, by the clock that wrote its dates if it told: Unix time */
    struct moot_rates rates;          /* what the answer's head told of quotas */
    char error_type[MOOT_HINT_BYTES]; /* the head's name for the error, or "" */

    /* Its own; `call` may be read for times and status. */
    struct moot_call call;
    const struct moot_dialect *dialect;
    struct moot_access access;
    bool asked_for_stream, is_understood;
    enum moot_attempt_mode {
        MOOT_ATTEMPT_NO_HEAD, /* nothing came yet */
        MOOT_ATTEMPT_STREAM,  /* of server-sent events */
        MOOT_ATTEMPT_FRAMES,  /* of binary ones */
        MOOT_ATTEMPT_WHOLE,
        MOOT_ATTEMPT_UNTYPED, /* a stream was asked for, the answer has no type: one of the two */
        MOOT_ATTEMPT_ERROR,   /* the status is not a success; the body says why */
    } mode;
    struct moot_sse_parser sse;
    struct moot_eventstream_parser frames;
    struct moot_reply_stream stream;
    struct moot_buf body;
};

/* Begin. 0, and on_done will come; or MOOT_ELIMIT, MOOT_ENOMEM, MOOT_EINVAL, and it will not. */
MOOT_NODISCARD int moot__attempt_start(struct moot_attempt *attempt,
                                       const struct moot_attempt_request *request);
void moot__attempt_cancel(struct moot_attempt *attempt); /* on_done comes with MOOT_ECANCELED */

/* The hints as views, for moot__retry_decide. Borrowed from the attempt. */
struct moot_retry_headers moot__attempt_hints(const struct moot_attempt *attempt);

#endif
