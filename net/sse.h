#ifndef MOOT_NET_SSE_H
#define MOOT_NET_SSE_H

/* Event streams: the WHATWG HTML standard's "text/event-stream", read tolerantly and written
 * strictly. Sans-I/O; one thread at a time. UTF-8 is passed through unchecked: a character may be
 * split over reads, and whoever reads the JSON inside validates it. */
#include <moot/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/view.h"

enum moot_sse_kind {
    MOOT_SSE_EVENT, /* dispatched by a blank line */
    MOOT_SSE_STRAY, /* one line outside of the format that carries an error: the value of a field
                       named `error`, or a whole line that begins with '{' */
};

/* Views are valid until the callback returns (or, from moot__sse_finish, until the next call). */
struct moot_sse_event {
    enum moot_sse_kind kind;
    struct moot_view name; /* the `event` field, or "" (the standard's "message") */
    struct moot_view data; /* `data` lines joined by LF, without a last LF; may be "" */
    struct moot_view id;   /* the last `id` seen in the stream, or "" */
};

/* Called from within moot__sse_feed, once an event, in order. May not touch the parser. A non-zero
 * return stops the parser for good and becomes the result of moot__sse_feed. */
typedef int moot_sse_event_fn(void *context, const struct moot_sse_event *event);

/* A value that is borrowed from the bytes being fed while they last, and copied only if it must
 * outlive them or grow. */
struct moot_sse_field {
    struct moot_view view;
    struct moot_buf copy;
    bool is_set;
    bool is_borrowed;
};

struct moot_sse_parser {
    struct moot_sse_field name, data, id;
    struct moot_buf line; /* the beginning of a line whose end was not fed yet */
    uint64_t retry_ms;    /* the last `retry` field, or 0 */
    int error;            /* not 0: stopped for good */
    unsigned bom_matched; /* bytes of a leading byte order mark; BOM_DONE afterwards */
    bool swallow_lf;      /* the last byte was a CR, which ended its line at once */
};

/* Takes no memory. */
void moot__sse_init(struct moot_sse_parser *parser, const struct moot_allocator *allocator);
void moot__sse_deinit(struct moot_sse_parser *parser); /* safe on a zeroed struct, and twice */

/* All of `bytes` is consumed. 0, MOOT_ELIMIT (a line or an event is too long), MOOT_ENOMEM or what
 * the callback returned; after that every call returns the same. Events are the same for every
 * segmentation of the stream. */
MOOT_NODISCARD int moot__sse_feed(struct moot_sse_parser *parser, struct moot_view bytes,
                                  moot_sse_event_fn *on_event, void *context);

/* The stream has ended. 1: it broke off inside an event, whose fields so far, the last line
 * included, are in *pending; the standard discards it, and whoever uses it must still treat the
 * stream as truncated. 0: it ended between events. Or an error as from moot__sse_feed. */
MOOT_NODISCARD int moot__sse_finish(struct moot_sse_parser *parser, struct moot_sse_event *pending);

/* Append one event. `name` may be empty. Each line of `data` (ended by LF, CR or CRLF) becomes a
 * `data` line, so that no data can end the event or begin another field. MOOT_EINVAL if the name
 * holds CR, LF or NUL; MOOT_ELIMIT, MOOT_ENOMEM. Nothing is added on failure. */
MOOT_NODISCARD int moot__sse_write_event(struct moot_buf *buf, struct moot_view name,
                                         struct moot_view data);

/* Append a comment, which keeps a connection alive. Errors as above. */
MOOT_NODISCARD int moot__sse_write_comment(struct moot_buf *buf, struct moot_view text);

#endif
