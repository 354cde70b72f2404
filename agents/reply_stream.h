#ifndef MOOT_AGENTS_REPLY_STREAM_H
#define MOOT_AGENTS_REPLY_STREAM_H

/* A streamed answer, event by event. The rules that are the same for every dialect live here: what
 * is a success, what comes after the end, how text is handed on. Pure; belongs to one call.
 *
 *   moot__reply_stream_init(&s, dialect, &reply);
 *   for each event of the transport's parser:
 *       rc = moot__reply_stream_event(&s, &event, &delta);    text that is new: show it
 *       if (rc != 0) the call failed, s.error says how; partial text is in the reply
 *       if (moot__reply_stream_is_done(&s)) stop reading
 *   at the end of the body, or once done:
 *       rc = moot__reply_stream_finish(&s, &delta);           only 0 is an answer
 */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>
#include <stdint.h>

#include "dialect.h"
#include "engine/base/arena.h"
#include "engine/base/view.h"
#include "reply.h"
#include "tool_calls.h"

/* The kinds of events that net/sse and net/eventstream tell apart, in agents' own words. */
enum moot_stream_kind {
    MOOT_STREAM_DATA,     /* `data:` lines, perhaps with an `event:` name; or a binary frame */
    MOOT_STREAM_STRAY,    /* the value of a field named `error`, or a whole line that begins with
                             `{` */
    MOOT_STREAM_EXCEPTION /* a binary frame that says itself that it is an exception or error; the
                             name is its type, the data its payload or message */
};

struct moot_stream_event {
    enum moot_stream_kind kind;
    struct moot_view name; /* the `event:` name or :event-type, or empty */
    struct moot_view data;
};

struct moot_reply_stream {
    const struct moot_dialect *dialect;
    struct moot_reply *reply;
    struct moot_tool_calls tool_calls;
    bool answered; /* choice 0 was there */
    bool ended;    /* the dialect's end marker came */
    bool failed;
    uint64_t events;                   /* taken, those below included */
    uint64_t ignored;                  /* came after the end or the failure */
    bool finish_changed, usage_shrank; /* oddities, for the trace */
    struct moot_error_info error;      /* once failed */
};

/* `reply` is initialised, empty and outlives the stream. */
void moot__reply_stream_init(struct moot_reply_stream *stream, const struct moot_dialect *dialect,
                             struct moot_reply *reply);
void moot__reply_stream_deinit(
    struct moot_reply_stream *stream); /* safe on a zeroed struct, and twice */

/* Take one event. *delta is the text that it added, perhaps empty, borrowed from the reply until
 * the next call. Returns 0, also for events after the end (counted, ignored); or, once, the error
 * that ended the stream: an error event's (as the dialect's read_error), MOOT_EJSON, MOOT_ECONTENT,
 * MOOT_ELIMIT, MOOT_ENOMEM. */
MOOT_NODISCARD int moot__reply_stream_event(struct moot_reply_stream *stream,
                                            const struct moot_stream_event *event,
                                            struct moot_view *delta);

/* Whether the end marker or a failure came: nothing that follows matters, and the end of the body
 * need not be waited for. A dialect without a marker, or a server that forgets it, never says so.
 */
bool moot__reply_stream_is_done(const struct moot_reply_stream *stream);

/* The body has ended, or is_done. *delta is what was still held (half a character, as U+FFFD).
 * 0 only if the model said why it stopped (where that is enough: not dialect->must_end) or the end
 * marker came; MOOT_ETRUNCATED if neither;
 * MOOT_ECONTENT if there was a marker but never a choice;
 * MOOT_EPROVIDER if it stopped because of an error; MOOT_ELIMIT, MOOT_ENOMEM; or the earlier
 * failure again. Call once. */
MOOT_NODISCARD int moot__reply_stream_finish(struct moot_reply_stream *stream,
                                             struct moot_view *delta);

#endif
