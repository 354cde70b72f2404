/* Amazon Bedrock, in three surfaces: Converse, which all its models speak; invoke, Claude's own
 * shape inside of Bedrock's frames; and the OpenAI shape, for the models that have it. */
#include "anthropic.h"
#include "converse.h"
#include "dialect.h"
#include "document.h"
#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"
#include "engine/base/limits.h"
#include "openai_chat.h"
#include "provider_error.h"
#include "stream_error.h"
#include "target.h"

static const char frames[] = "application/vnd.amazon.eventstream";

/* The model is one segment: of an ARN the colons and slashes are escaped. */
static int write_model_target(const struct moot_request *request, struct moot_view base_path,
                              const char *whole, const char *streamed, struct moot_buf *out)
{
    int rc = moot__target_base(out, base_path);
    if (rc == MOOT_OK)
        rc = moot__target_part(out, "model");
    if (rc == MOOT_OK)
        rc = moot__target_name(out, request->agent->endpoint);
    return rc != MOOT_OK ? rc : moot__target_part(out, request->stream ? streamed : whole);
}

static int write_converse_target(const struct moot_request *request, struct moot_view base_path,
                                 struct moot_buf *out)
{
    return write_model_target(request, base_path, "converse", "converse-stream", out);
}

static int write_invoke_target(const struct moot_request *request, struct moot_view base_path,
                               struct moot_buf *out)
{
    return write_model_target(request, base_path, "invoke", "invoke-with-response-stream", out);
}

static int write_openai_target(const struct moot_request *request, struct moot_view base_path,
                               struct moot_buf *out)
{
    (void)request;
    static const struct moot_view root = {"/openai/v1", 10};
    int rc = moot__target_base(out, moot__target_without(base_path, root));
    if (rc == MOOT_OK)
        rc = moot__buf_append_view(out, root);
    return rc != MOOT_OK ? rc : moot__target_part(out, "chat/completions");
}

static int write_invoke_body(const struct moot_request *request, struct moot_arena *scratch,
                             struct moot_json_writer *writer, struct moot_error_info *info)
{
    static const struct moot_anthropic_options options = {.who = "Claude on Bedrock",
                                                          .version = "bedrock-2023-05-31"};
    return moot__anthropic_write(request, &options, scratch, writer, info);
}

static int write_openai_body(const struct moot_request *request, struct moot_arena *scratch,
                             struct moot_json_writer *writer, struct moot_error_info *info)
{
    (void)info;
    const struct moot_openai_chat_options options = {.model = true, .include_usage = true};
    return moot__openai_chat_write(request, &options, scratch, writer);
}

/* {"bytes": "..."}: the event of the model's own stream, in base64. */
static int read_chunk(struct moot_reply_stream *stream, struct moot_view data)
{
    const struct moot_json *chunk = NULL;
    struct moot_json_error error = {0};
    int rc = moot__document_read(stream->reply->scratch, data, &chunk, &error);
    if (rc != MOOT_OK)
        return moot__answer_unreadable(&stream->error, rc, &error);
    struct moot_buf event;
    moot__buf_init(&event, stream->reply->scratch->allocator, MOOT_LIMIT_EVENTSTREAM_MESSAGE_BYTES);
    rc = moot__base64_decode(&event, moot__json_text(chunk, "bytes"));
    if (rc == MOOT_EINVAL)
        rc = moot__fail(&stream->error, MOOT_ECONTENT, MOOT_PHASE_BODY,
                        "a chunk of the stream is not base64");
    const struct moot_stream_event inner = {.kind = MOOT_STREAM_DATA,
                                            .data = moot__buf_view(&event)};
    if (rc == MOOT_OK)
        rc = moot__anthropic_read_event(stream, &inner);
    moot__buf_deinit(&event);
    return rc;
}

static int read_invoke_event(struct moot_reply_stream *stream,
                             const struct moot_stream_event *event)
{
    if (event->kind == MOOT_STREAM_EXCEPTION)
        return moot__stream_exception(stream, event);
    if (event->kind == MOOT_STREAM_STRAY)
        return moot__stream_stray(stream, event->data);
    return moot__view_is(event->name, "chunk") ? read_chunk(stream, event->data) : MOOT_OK;
}

const struct moot_dialect moot__dialect_bedrock = {
    .type = "bedrock",
    .surface = "converse",
    .auth = MOOT_AUTH_SIGV4,
    .counting = {.cached_free = true},
    .accept_stream = frames,
    .write_target = write_converse_target,
    .write_body = moot__converse_write,
    .read_reply = moot__converse_read_reply,
    .read_event = moot__converse_read_event,
    .read_error = moot__provider_error_read,
};

const struct moot_dialect moot__dialect_bedrock_invoke = {
    .type = "bedrock",
    .surface = "invoke",
    .auth = MOOT_AUTH_SIGV4,
    .counting = {.cached_free = true},
    .accept_stream = frames,
    .must_end = true,
    .write_target = write_invoke_target,
    .write_body = write_invoke_body,
    .read_reply = moot__anthropic_read_reply,
    .read_event = read_invoke_event,
    .read_error = moot__provider_error_read,
};

const struct moot_dialect moot__dialect_bedrock_openai = {
    .type = "bedrock",
    .surface = "openai",
    .auth = MOOT_AUTH_SIGV4,
    .counting = {.cached_free = true},
    .write_target = write_openai_target,
    .write_body = write_openai_body,
    .read_reply = moot__openai_chat_read_reply,
    .read_event = moot__openai_chat_read_event,
    .read_error = moot__provider_error_read,
};
