#ifndef MOOT_NET_EVENTSTREAM_H
#define MOOT_NET_EVENTSTREAM_H

/* AWS event streams: "application/vnd.amazon.eventstream", the binary framing of Bedrock's streamed
 * answers. Sans-I/O; one thread at a time. A message is handed out once both of its checksums hold,
 * never in part. Payloads are passed through unchecked: whoever reads the JSON inside validates
 * it. */
#include <moot/error.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/view.h"

/* What a message's `:message-type` says; a message without one is an event. */
enum moot_eventstream_kind {
    MOOT_EVENTSTREAM_EVENT,     /* named by `:event-type` */
    MOOT_EVENTSTREAM_EXCEPTION, /* a modelled error, named by `:exception-type` */
    MOOT_EVENTSTREAM_ERROR,     /* any other, named by `:error-code` */
};

/* Views are valid until the callback returns. What a message does not say is "". */
struct moot_eventstream_event {
    enum moot_eventstream_kind kind;
    struct moot_view name;
    struct moot_view payload; /* of an error: its `:error-message` */
    struct moot_view content_type;
};

/* Called from within moot__eventstream_feed, once a message, in order. May not touch the parser. A
 * non-zero return stops the parser for good and becomes the result of moot__eventstream_feed. */
typedef int moot_eventstream_event_fn(void *context, const struct moot_eventstream_event *event);

struct moot_eventstream_parser {
    struct moot_buf frame; /* the beginning of a message whose end was not fed yet */
    size_t total;          /* that message's length, once its prelude was checked; or 0 */
    int error;             /* not 0: stopped for good */
};

/* Takes no memory. */
void moot__eventstream_init(struct moot_eventstream_parser *parser,
                            const struct moot_allocator *allocator);
/* Safe on a zeroed struct, and twice. */
void moot__eventstream_deinit(struct moot_eventstream_parser *parser);

/* All of `bytes` is consumed. 0, MOOT_EPROTO (a checksum does not hold, lengths contradict each
 * other, a header is malformed, comes twice, or says what no message may say), MOOT_ELIMIT (a
 * message, its headers or their number are too large), MOOT_ENOMEM or what the callback returned;
 * after that every call returns the same. Events are the same for every segmentation of the
 * stream. */
MOOT_NODISCARD int moot__eventstream_feed(struct moot_eventstream_parser *parser,
                                          struct moot_view bytes,
                                          moot_eventstream_event_fn *on_event, void *context);

/* The stream has ended. 0: between messages. 1: within one, so that it was truncated. Or an error
 * as from moot__eventstream_feed. */
MOOT_NODISCARD int moot__eventstream_finish(const struct moot_eventstream_parser *parser);

/* A header whose value is text, the one type that services use for what they say of a message. */
struct moot_eventstream_header {
    struct moot_view name, value;
};

/* Append one message, its headers in the order given. MOOT_EINVAL (a name is empty or above 255
 * bytes, a value is above 32767, or a name comes twice), MOOT_ELIMIT (what
 * moot__eventstream_feed would refuse, or the buffer's ceiling), MOOT_ENOMEM. Nothing is added on
 * failure. */
MOOT_NODISCARD int moot__eventstream_write(struct moot_buf *buf,
                                           const struct moot_eventstream_header *headers,
                                           size_t count, struct moot_view payload);

#endif
