/* Answers in Anthropic's shape, whole and streamed. Blocks of other kinds than text and tool_use
 * (thinking, a server tool's, ...) are passed over: they are no part of the answer. */
#include "anthropic.h"
#include "document.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "provider_error.h"
#include "stream_error.h"
#include "tool_calls.h"

#define HTTP_OK 200

static void take_usage(struct moot_reply *reply, const struct moot_json *usage)
{
    static const struct moot_usage_names names = {"input_tokens",
                                                  "output_tokens",
                                                  "cache_read_input_tokens",
                                                  "cache_creation_input_tokens",
                                                  "output_tokens_details",
                                                  "thinking_tokens"};
    moot__tokens_read_apart(&reply->usage, usage, &names);
}

/* What a message tells of itself: the whole one, or message_start's. */
static int take_names(struct moot_reply *reply, const struct moot_json *message)
{
    int rc = moot__reply_set_id(reply, moot__json_text(message, "id"));
    return rc ? rc : moot__reply_set_model(reply, moot__json_text(message, "model"));
}

/* A use of a tool that is there: its input is an object, empty where fragments will follow. */
static int take_tool_use(struct moot_tool_calls *calls, uint64_t index,
                         const struct moot_json *block)
{
    const struct moot_json *input = moot__json_get(block, "input");
    struct moot_tool_piece piece = {.index = index,
                                    .id = moot__json_text(block, "id"),
                                    .name = moot__json_text(block, "name"),
                                    .arguments = MOOT_VIEW("{}")};
    struct moot_buf text;
    moot__buf_init(&text, calls->allocator, MOOT_LIMIT_REPLY_BYTES);
    int rc = MOOT_OK;
    if (moot__json_is_object(input) && input->count > 0) {
        struct moot_json_writer writer;
        moot__json_write_init(&writer, &text);
        moot__json_write_value(&writer, input);
        rc = moot__json_write_finish(&writer);
        piece.arguments = moot__buf_view(&text);
    }
    if (rc == MOOT_OK)
        rc = moot__tool_calls_add(calls, &piece);
    moot__buf_deinit(&text);
    return rc;
}

static int take_block(struct moot_reply *reply, struct moot_tool_calls *calls, uint64_t index,
                      const struct moot_json *block)
{
    struct moot_view type = moot__json_text(block, "type");
    if (moot__view_is(type, "text"))
        return moot__utf8_append_joining(&reply->text, moot__json_text(block, "text"));
    return moot__view_is(type, "tool_use") ? take_tool_use(calls, index, block) : MOOT_OK;
}

/* ---- Whole answers -------------------------------------------------------------------------- */

static int take_blocks(struct moot_reply *reply, const struct moot_json *content)
{
    struct moot_tool_calls calls;
    moot__tool_calls_init(&calls, reply->scratch->allocator);
    uint64_t index = 0;
    int rc = MOOT_OK;
    for (const struct moot_json *block = content->child; block && rc == MOOT_OK;
         block = block->next)
        rc = take_block(reply, &calls, index++, block);
    if (rc == MOOT_OK)
        rc = moot__tool_calls_write(&calls, &reply->tool_calls);
    moot__tool_calls_deinit(&calls);
    return rc;
}

static int take_message(const struct moot_json *root, struct moot_reply *reply,
                        struct moot_error_info *info)
{
    take_usage(reply, moot__json_get(root, "usage"));
    if (moot__provider_error_in(root))
        return moot__provider_error_read_json(HTTP_OK, root, info);
    const struct moot_json *content = moot__json_get(root, "content");
    if (!moot__json_is_array(content))
        return moot__fail(info, MOOT_ECONTENT, MOOT_PHASE_BODY, "the answer has no content");
    moot__reply_set_finish(reply, moot__json_text(root, "stop_reason"));
    int rc = take_names(reply, root);
    if (rc == MOOT_OK)
        rc = take_blocks(reply, content);
    moot__reply_settle(reply);
    if (rc != MOOT_OK)
        return moot__fail(info, rc, MOOT_PHASE_BODY, "the answer could not be kept: %s",
                          moot_error_text(rc));
    if (reply->finish == MOOT_FINISH_NONE)
        return moot__fail(info, MOOT_ECONTENT, MOOT_PHASE_BODY,
                          "the answer does not say why it stopped");
    return MOOT_OK;
}

int moot__anthropic_read_reply(struct moot_view body, struct moot_reply *reply,
                               struct moot_error_info *info)
{
    return moot__answer_read(body, reply, info, take_message);
}

/* ---- Streams -------------------------------------------------------------------------------- */

static int on_message_start(struct moot_reply_stream *stream, const struct moot_json *event)
{
    const struct moot_json *message = moot__json_get(event, "message");
    stream->answered = true;
    take_usage(stream->reply, moot__json_get(message, "usage"));
    return take_names(stream->reply, message);
}

static uint64_t index_of(const struct moot_json *event)
{
    uint64_t index = 0;
    moot__ignore(moot__json_u64(moot__json_get(event, "index"), &index));
    return index;
}

static int on_block_start(struct moot_reply_stream *stream, const struct moot_json *event)
{
    stream->answered = true;
    return take_block(stream->reply, &stream->tool_calls, index_of(event),
                      moot__json_get(event, "content_block"));
}

static int on_block_delta(struct moot_reply_stream *stream, const struct moot_json *event)
{
    const struct moot_json *delta = moot__json_get(event, "delta");
    struct moot_view type = moot__json_text(delta, "type");
    stream->answered = true;
    if (moot__view_is(type, "text_delta"))
        return moot__utf8_append_joining(&stream->reply->text, moot__json_text(delta, "text"));
    if (!moot__view_is(type, "input_json_delta"))
        return MOOT_OK;
    const struct moot_tool_piece piece = {.index = index_of(event),
                                          .arguments = moot__json_text(delta, "partial_json")};
    return moot__tool_calls_add(&stream->tool_calls, &piece);
}

static int on_message_delta(struct moot_reply_stream *stream, const struct moot_json *event)
{
    struct moot_reply *reply = stream->reply;
    struct moot_view reason = moot__json_text(moot__json_get(event, "delta"), "stop_reason");
    if (reason.len > 0)
        moot__reply_set_finish(reply, reason);
    uint64_t before = reply->usage.completion;
    take_usage(reply, moot__json_get(event, "usage"));
    stream->usage_shrank = stream->usage_shrank || reply->usage.completion < before;
    return MOOT_OK;
}

static int on_message_stop(struct moot_reply_stream *stream, const struct moot_json *event)
{
    (void)event;
    stream->ended = true;
    return MOOT_OK;
}

static int on_error(struct moot_reply_stream *stream, const struct moot_json *event)
{
    return moot__provider_error_read_json(HTTP_OK, event, &stream->error);
}

static const struct {
    const char *type;
    int (*take)(struct moot_reply_stream *stream, const struct moot_json *event);
} events[] = {
    {"content_block_delta", on_block_delta}, {"content_block_start", on_block_start},
    {"message_start", on_message_start},     {"message_delta", on_message_delta},
    {"message_stop", on_message_stop},       {"error", on_error},
};

static int take_data(struct moot_reply_stream *stream, struct moot_view data)
{
    const struct moot_json *event = NULL;
    struct moot_json_error error = {0};
    if (data.len == 0)
        return MOOT_OK;
    int rc = moot__document_read(stream->reply->scratch, data, &event, &error);
    if (rc != MOOT_OK)
        return moot__answer_unreadable(&stream->error, rc, &error);
    struct moot_view type = moot__json_text(event, "type");
    for (size_t i = 0; i < moot__countof(events); i++) {
        if (moot__view_is(type, events[i].type))
            return events[i].take(stream, event);
    }
    return moot__provider_error_in(event) ? on_error(stream, event) : MOOT_OK;
}

int moot__anthropic_read_event(struct moot_reply_stream *stream,
                               const struct moot_stream_event *event)
{
    struct moot_view data = moot__view_trim(event->data);
    switch (event->kind) {
    case MOOT_STREAM_STRAY:
        return moot__stream_stray(stream, data);
    case MOOT_STREAM_EXCEPTION:
        return moot__stream_error(stream, data);
    case MOOT_STREAM_DATA:
        return moot__view_is(event->name, "error") ? moot__stream_error(stream, data)
                                                   : take_data(stream, data);
    }
    moot__unreachable();
}
