#include "stream_error.h"

#include "document.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"
#include "provider_error.h"
#include "reply_stream.h"

#define HTTP_OK 200

int moot__answer_unreadable(struct moot_error_info *info, int rc,
                            const struct moot_json_error *error)
{
    if (rc == MOOT_ENOMEM)
        return moot__fail(info, rc, MOOT_PHASE_BODY, "no memory to read the answer");
    moot__ignore(moot__fail(info, rc, MOOT_PHASE_BODY, "the answer's JSON at byte %zu: %s",
                            error->offset, error->reason ? error->reason : moot_error_text(rc)));
    return rc;
}

int moot__answer_read(struct moot_view body, struct moot_reply *reply, struct moot_error_info *info,
                      int (*take)(const struct moot_json *root, struct moot_reply *reply,
                                  struct moot_error_info *info))
{
    assert(reply->text.len == 0 && reply->finish == MOOT_FINISH_NONE);
    body = moot__view_trim(body);
    if (body.len == 0)
        return moot__fail(info, MOOT_ECONTENT, MOOT_PHASE_BODY, "the answer has no body");
    const struct moot_json *root = NULL;
    struct moot_json_error error = {0};
    int rc = moot__document_read(reply->scratch, body, &root, &error);
    rc = rc == MOOT_OK ? take(root, reply, info) : moot__answer_unreadable(info, rc, &error);
    moot__arena_reset(reply->scratch);
    return rc;
}

int moot__stream_error(struct moot_reply_stream *stream, struct moot_view data)
{
    const struct moot_refusal refusal = {.status = HTTP_OK, .body = data};
    return moot__provider_error_read(&refusal, stream->reply->scratch->allocator, &stream->error);
}

int moot__stream_exception(struct moot_reply_stream *stream, const struct moot_stream_event *event)
{
    const struct moot_refusal refusal = {
        .status = HTTP_OK, .body = event->data, .type = event->name};
    return moot__provider_error_read(&refusal, stream->reply->scratch->allocator, &stream->error);
}

/* An error whose braces are not wrapped in an `error` member, as it stands in an `error` field. */
static bool is_naked_error(const struct moot_json *root)
{
    return moot__json_text(root, "message").len > 0 && !moot__json_get(root, "choices");
}

/* What does not begin with a brace came from an `error` field and is one; else it must look like
 * one. */
int moot__stream_stray(struct moot_reply_stream *stream, struct moot_view line)
{
    if (line.len == 0)
        return MOOT_OK;
    if (line.ptr[0] != '{')
        return moot__stream_error(stream, line);
    const struct moot_json *root = NULL;
    int rc = moot__document_read(stream->reply->scratch, line, &root, NULL);
    if (rc == MOOT_OK && (moot__provider_error_in(root) || is_naked_error(root)))
        return moot__provider_error_read_json(HTTP_OK, root, &stream->error);
    return rc == MOOT_ENOMEM ? rc : MOOT_OK;
}
