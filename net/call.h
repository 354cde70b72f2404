#ifndef MOOT_NET_CALL_H
#define MOOT_NET_CALL_H

/* One HTTP request and its response: on a pooled or a new connection, with its deadlines, its
 * cancel, and exactly one completion. Knows HTTP, not what is said in it.
 *
 * A call is embedded in its owner's memory. moot__call_start puts it under way; on_done ends it,
 * once, from a task of the loop, whatever happens: an answer of any status, an error, a deadline,
 * a cancel. The memory must stay until then. */
#include "engine/base/buf.h"
#include "gzip.h"
#include "http1.h"
#include "pool.h"

struct moot_call;

struct moot_call_deadlines {
    uint64_t connect_ns;    /* look-up, connection, proxy and handshake together */
    uint64_t first_byte_ns; /* sending; then from the request's last byte to the response's head */
    uint64_t idle_ns;       /* between two reads of the body */
    uint64_t total_ns;      /* all of it */
};

struct moot_call_request {
    struct moot_origin *origin;
    struct moot_view method, target;
    const struct moot_http1_header *headers; /* Host, Content-Length, Accept-Encoding are added */
    size_t header_count;
    const struct moot_http1_header *more_headers; /* written after those */
    size_t more_header_count;
    struct moot_view body;
    bool accept_gzip;
    struct moot_call_deadlines deadlines; /* 0: none */
    size_t body_bytes_max;                /* of the response, decoded; 0: HTTP_BODY_BYTES */
};

/* When what happened, for spans; 0 where it did not. */
struct moot_call_times {
    uint64_t started_ns, connected_ns, sent_ns, first_byte_ns, ended_ns;
    uint64_t resolve_ns, connect_ns, tls_ns; /* spans of a new connection's making */
    bool reused, resumed;
};

struct moot_call {
    /* Set by the owner before start. on_head (once) and on_body come from the loop, in order,
     * between start and on_done; after a pause at most what the read under way brought. Bytes are
     * valid during the callback. A non-zero return of either ends the call with that error; NULL:
     * nobody listens. */
    int (*on_head)(struct moot_call *call, const struct moot_http1_head *head);
    int (*on_body)(struct moot_call *call, struct moot_view data);
    void (*on_done)(struct moot_call *call);
    /* Of an answer that came whole: does it answer what was asked? May be NULL; asked once, just
     * before on_done. If not, it may have been meant for somebody else, so may be what follows it,
     * and the connection is not used again. */
    bool (*is_sound)(struct moot_call *call);

    /* Read by the owner, final in on_done. */
    struct moot_error_info error; /* code MOOT_OK when the response came whole, of any status */
    int status;                   /* of the response, or 0 */
    bool sent;                    /* any byte of the request may have reached the peer */
    struct moot_call_times times;

    /* The call's own. */
    struct moot_sm sm;
    struct moot_transport *transport;
    struct moot_pool *pool;
    struct moot_origin *origin;
    struct moot_connection *connection;
    struct moot_buf out; /* the request's bytes not yet sent */
    size_t out_sent;
    struct moot_call_deadlines deadlines;
    uint64_t last_read_ns, resumed_ns;
    size_t body_bytes, body_bytes_max;
    struct moot_inflate *inflate; /* while a compressed body comes in */
    bool accept_gzip, paused;
    bool tried_elsewhere; /* a stale idle connection was replaced once */
    int reject_code;
    int send_error; /* the request could not be sent to its end; an answer may still come */
    struct moot_timer timer;
    struct moot_task done_task;
};

/* Begin. 0, and on_done will come; or MOOT_EINVAL (a header that HTTP does not allow), MOOT_ELIMIT,
 * MOOT_ENOMEM, and it will not. */
MOOT_NODISCARD int moot__call_start(struct moot_call *call, struct moot_pool *pool,
                                    const struct moot_call_request *request);

/* What matters has come: whatever is left must end within `span_ns` from now, or sooner. */
void moot__call_drain(struct moot_call *call, uint64_t span_ns);

/* End it with MOOT_ECANCELED, unless it ended already. The connection is closed. Idempotent. */
void moot__call_cancel(struct moot_call *call);

/* From inside on_head or on_body, before returning `code`: the text that goes into error.message.
 */
void moot__call_reject(struct moot_call *call, int code, const char *message);

/* Stop and go on reading from the socket. While paused only the total deadline counts. Idempotent.
 */
void moot__call_pause(struct moot_call *call);
void moot__call_resume(struct moot_call *call);

bool moot__call_is_under_way(const struct moot_call *call);

#endif
