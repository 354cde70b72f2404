/* The rules of a streamed answer that no dialect may bend: text is handed on only when no later
 * piece can change it, nothing counts after the end, and an answer that merely stopped coming is
 * not an answer. The dialect reads events and fills the reply; this file decides. */
#include "reply_stream.h"

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "tool_calls.h"

void moot__reply_stream_init(struct moot_reply_stream *stream, const struct moot_dialect *dialect,
                             struct moot_reply *reply)
{
    assert(dialect && reply && reply->text.len == 0);
    memset(stream, 0, offsetof(struct moot_reply_stream, error));
    moot__error_clear(&stream->error);
    stream->dialect = dialect;
    stream->reply = reply;
    moot__tool_calls_init(&stream->tool_calls, reply->scratch->allocator);
}

void moot__reply_stream_deinit(struct moot_reply_stream *stream)
{
    moot__tool_calls_deinit(&stream->tool_calls);
}

/* Text that has become final since the last time. */
static struct moot_view show(struct moot_reply_stream *stream, bool final)
{
    struct moot_reply *reply = stream->reply;
    size_t from = reply->settled;
    reply->settled = moot__utf8_settle(&reply->text, from, final);
    assert(reply->settled >= from && reply->settled <= reply->text.len);
    if (reply->settled == from)
        return (struct moot_view){NULL, 0};
    return moot__view(reply->text.data + from, reply->settled - from);
}

static int fail(struct moot_reply_stream *stream, int rc)
{
    assert(rc < 0);
    stream->failed = true;
    if (stream->error.code != rc)
        moot__ignore(moot__fail(&stream->error, rc, MOOT_PHASE_BODY,
                                "the stream could not be read: %s", moot_error_text(rc)));
    return rc;
}

int moot__reply_stream_event(struct moot_reply_stream *stream,
                             const struct moot_stream_event *event, struct moot_view *delta)
{
    *delta = (struct moot_view){NULL, 0};
    stream->events++;
    if (stream->ended || stream->failed) {
        stream->ignored++;
        return MOOT_OK;
    }
    int rc = stream->dialect->read_event(stream, event);
    moot__arena_reset(stream->reply->scratch);
    *delta = show(stream, false);
    return rc == MOOT_OK ? MOOT_OK : fail(stream, rc);
}

bool moot__reply_stream_is_done(const struct moot_reply_stream *stream)
{
    return stream->ended || stream->failed;
}

/* Whether what came is an answer; if not, stream->error says why. */
static int verdict(struct moot_reply_stream *stream)
{
    struct moot_reply *reply = stream->reply;
    struct moot_error_info *error = &stream->error;
    bool must_end = stream->dialect->must_end;
    if (!stream->ended && (must_end || reply->finish == MOOT_FINISH_NONE)) {
        moot__ignore(moot__fail(error, MOOT_ETRUNCATED, MOOT_PHASE_BODY,
                                "the stream ended after %llu events %s",
                                (unsigned long long)stream->events,
                                must_end ? "without its end marker"
                                         : "with neither a finish reason nor an end marker"));
        error->retriable = true;
        return MOOT_ETRUNCATED;
    }
    if (!stream->answered)
        return moot__fail(error, MOOT_ECONTENT, MOOT_PHASE_BODY, "the stream held no choice");
    if (reply->finish == MOOT_FINISH_ERROR) {
        moot__ignore(moot__fail(error, MOOT_EPROVIDER, MOOT_PHASE_BODY,
                                "the model stopped with finish reason '%s'", reply->finish_raw));
        error->retriable = true;
        return MOOT_EPROVIDER;
    }
    return moot__tool_calls_write(&stream->tool_calls, &reply->tool_calls);
}

int moot__reply_stream_finish(struct moot_reply_stream *stream, struct moot_view *delta)
{
    *delta = show(stream, true);
    int rc = stream->failed ? stream->error.code : verdict(stream);
    moot__reply_settle(stream->reply);
    return rc == MOOT_OK ? MOOT_OK : fail(stream, rc);
}
