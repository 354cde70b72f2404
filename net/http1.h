#ifndef MOOT_NET_HTTP1_H
#define MOOT_NET_HTTP1_H

/* HTTP/1.x messages, read: responses for the client, requests for the server (RFC 9112). Sans-I/O;
 * one thread at a time; no callback touches the parser. Two parsers must agree on every message:
 * our guard (http1_guard.h), which decides where lines and bodies end and what bytes they may hold,
 * and llhttp, which decides what they mean. */
#include <moot/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/alloc.h"
#include "engine/base/view.h"

enum moot_http1_kind {
    MOOT_HTTP1_RESPONSE,
    MOOT_HTTP1_REQUEST,
};

/* What the parser must be told about one message, because its bytes do not say it. */
enum moot_http1_flags {
    MOOT_HTTP1_NO_BODY = 1, /* the response to a HEAD: its framing headers describe no bytes */
    MOOT_HTTP1_CONNECT = 2, /* response: to a CONNECT, a 2xx has no body, and the bytes after it are
                               the tunnel's; request: a CONNECT is allowed (else MOOT_EPROTO) */
};

struct moot_http1_limits {
    size_t head_bytes;   /* start line, headers and the blank line; also all trailers together, and
                            all chunk extensions together */
    size_t headers;      /* their count; also of trailers */
    size_t target_bytes; /* request target */
    uint64_t body_bytes; /* body as framed, before any content decoding */
};

/* The limits of limits.h for each kind. */
struct moot_http1_limits moot__http1_default_limits(enum moot_http1_kind kind);

/* A header that was read, or is to be written. */
struct moot_http1_header {
    struct moot_view name;  /* as written; compare without case */
    struct moot_view value; /* without spaces and tabs around it; may hold bytes above 0x7F */
};

/* A complete and accepted head. All views are the parser's, valid until reset or free. */
struct moot_http1_head {
    int status;              /* response: 200..599 */
    struct moot_view method; /* request */
    struct moot_view target; /* request: origin, absolute, authority (CONNECT) or asterisk form */
    unsigned minor;          /* of HTTP/1.x: 0 or 1 */
    const struct moot_http1_header *headers;
    size_t header_count;
    int64_t content_length; /* as written, also where there is no body; -1: absent */
    bool chunked;
    bool has_body;      /* bytes follow the head (a Content-Length of 0 is no body) */
    bool eof_delimited; /* the body ends with the connection: over TLS only close_notify makes that
                           end believable, which the caller must check */
    bool keep_alive;    /* the peer allows another message after this one */
    bool expect_continue; /* request: the client waits for 100 Continue */
};

/* The first header of that name, compared without case; an empty view with a NULL pointer if there
 * is none. */
struct moot_view moot__http1_header(const struct moot_http1_head *head, const char *name);

/* All run from within moot__http1_feed and moot__http1_finish, in this order: one on_head, any
 * number of on_body, at most one on_complete. Any may be NULL. A non-zero return stops the parser
 * for good and becomes the result of the call. Bodies are lent until the callback returns. */
struct moot_http1_callbacks {
    int (*on_head)(void *context, const struct moot_http1_head *head);
    int (*on_body)(void *context, struct moot_view bytes);
    int (*on_complete)(void *context);
};

struct moot_http1_parser;

/* NULL: no memory. `limits` NULL: the default ones; both structs are copied. */
MOOT_NODISCARD struct moot_http1_parser *
moot__http1_new(const struct moot_allocator *allocator, enum moot_http1_kind kind,
                const struct moot_http1_limits *limits,
                const struct moot_http1_callbacks *callbacks, void *context);
void moot__http1_free(struct moot_http1_parser *parser); /* NULL does nothing */

/* Forget the message and any error; ready for the next one. Before the first message: flags 0. */
void moot__http1_reset(struct moot_http1_parser *parser, unsigned flags);

/* Parse up to the end of one message. *consumed < len only on an error or when bytes follow the
 * message: on a client's connection it then has to be closed, on a server's they are the next
 * request, fed after a reset. 1xx responses are skipped, up to MOOT_LIMIT_HTTP_INFORMATIONAL.
 *
 * 0; MOOT_EPROTO; MOOT_ELIMIT; MOOT_ENOMEM; or a callback's result. An error is final until reset.
 * The verdict and the calls made before it are the same for every segmentation of the bytes, but
 * for how a body is cut into on_body calls. */
MOOT_NODISCARD int moot__http1_feed(struct moot_http1_parser *parser, const char *data, size_t len,
                                    size_t *consumed);

/* The connection has ended. 0 if the message was complete, or is so now (eof_delimited: on_complete
 * runs); else MOOT_ETRUNCATED, or the earlier error. */
MOOT_NODISCARD int moot__http1_finish(struct moot_http1_parser *parser);

bool moot__http1_is_idle(const struct moot_http1_parser *parser); /* no byte of a message yet */
bool moot__http1_is_complete(const struct moot_http1_parser *parser);

/* After an error: why, as static text for people, and which status a server answers with (400, 413,
 * 414, 417, 431, 501, 505; 500 for want of memory). Else NULL and 0. */
const char *moot__http1_reason(const struct moot_http1_parser *parser);
int moot__http1_answer_status(const struct moot_http1_parser *parser);

#endif
