/* Answers of Converse, whole and as the events of ConverseStream. The stream says why it stopped in
 * messageStop and what it used in the metadata after it, which is its last event. */
#include "converse.h"
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

static void take_usage(struct moot_reply *reply, const struct moot_json *root)
{
    static const struct moot_usage_names names = {.input = "inputTokens",
                                                  .output = "outputTokens",
                                                  .cache_read = "cacheReadInputTokens",
                                                  .cache_write = "cacheWriteInputTokens"};
    moot__tokens_read_apart(&reply->usage, moot__json_get(root, "usage"), &names);
}

/* ---- Whole answers -------------------------------------------------------------------------- */

static int take_tool_use(struct moot_tool_calls *calls, uint64_t index, const struct moot_json *use)
{
    struct moot_buf text;
    moot__buf_init(&text, calls->allocator, MOOT_LIMIT_REPLY_BYTES);
    struct moot_json_writer writer;
    moot__json_write_init(&writer, &text);
    moot__json_write_value(&writer, moot__json_get(use, "input"));
    int rc = moot__json_write_finish(&writer);
    const struct moot_tool_piece piece = {.index = index,
                                          .id = moot__json_text(use, "toolUseId"),
                                          .name = moot__json_text(use, "name"),
                                          .arguments = moot__buf_view(&text)};
    if (rc == MOOT_OK)
        rc = moot__tool_calls_add(calls, &piece);
    moot__buf_deinit(&text);
    return rc;
}

static int take_blocks(struct moot_reply *reply, const struct moot_json *content)
{
    struct moot_tool_calls calls;
    moot__tool_calls_init(&calls, reply->scratch->allocator);
    uint64_t index = 0;
    int rc = MOOT_OK;
    for (const struct moot_json *block = content->child; block && rc == MOOT_OK;
         block = block->next) {
        const struct moot_json *use = moot__json_get(block, "toolUse");
        rc = use ? take_tool_use(&calls, index++, use)
                 : moot__utf8_append_joining(&reply->text, moot__json_text(block, "text"));
    }
    if (rc == MOOT_OK)
        rc = moot__tool_calls_write(&calls, &reply->tool_calls);
    moot__tool_calls_deinit(&calls);
    return rc;
}

static int take_answer(const struct moot_json *root, struct moot_reply *reply,
                       struct moot_error_info *info)
{
    take_usage(reply, root);
    const struct moot_json *message = moot__json_get(moot__json_get(root, "output"), "message");
    const struct moot_json *content = moot__json_get(message, "content");
    if (!moot__json_is_array(content)) {
        if (moot__provider_error_in(root))
            return moot__provider_error_read_json(HTTP_OK, root, info);
        return moot__fail(info, MOOT_ECONTENT, MOOT_PHASE_BODY, "the answer has no content");
    }
    moot__reply_set_finish(reply, moot__json_text(root, "stopReason"));
    int rc = take_blocks(reply, content);
    moot__reply_settle(reply);
    if (rc != MOOT_OK)
        return moot__fail(info, rc, MOOT_PHASE_BODY, "the answer could not be kept: %s",
                          moot_error_text(rc));
    if (reply->finish == MOOT_FINISH_ERROR) {
        moot__ignore(moot__fail(info, MOOT_EPROVIDER, MOOT_PHASE_BODY,
                                "the model stopped with finish reason '%s'", reply->finish_raw));
        if (info)
            info->retriable = true;
        return MOOT_EPROVIDER;
    }
    if (reply->finish == MOOT_FINISH_NONE)
        return moot__fail(info, MOOT_ECONTENT, MOOT_PHASE_BODY,
                          "the answer does not say why it stopped");
    return MOOT_OK;
}

int moot__converse_read_reply(struct moot_view body, struct moot_reply *reply,
                              struct moot_error_info *info)
{
    return moot__answer_read(body, reply, info, take_answer);
}

/* ---- Streams -------------------------------------------------------------------------------- */

static uint64_t index_of(const struct moot_json *event)
{
    uint64_t index = 0;
    moot__ignore(moot__json_u64(moot__json_get(event, "contentBlockIndex"), &index));
    return index;
}

static int on_start(struct moot_reply_stream *stream, const struct moot_json *event)
{
    (void)event;
    stream->answered = true;
    return MOOT_OK;
}

/* Often left out for texts; a tool is named here and nowhere else. */
static int on_block_start(struct moot_reply_stream *stream, const struct moot_json *event)
{
    const struct moot_json *use = moot__json_get(moot__json_get(event, "start"), "toolUse");
    stream->answered = true;
    if (!use)
        return MOOT_OK;
    const struct moot_tool_piece piece = {.index = index_of(event),
                                          .id = moot__json_text(use, "toolUseId"),
                                          .name = moot__json_text(use, "name"),
                                          .arguments = MOOT_VIEW("{}")};
    return moot__tool_calls_add(&stream->tool_calls, &piece);
}

static int on_block_delta(struct moot_reply_stream *stream, const struct moot_json *event)
{
    const struct moot_json *delta = moot__json_get(event, "delta");
    const struct moot_json *use = moot__json_get(delta, "toolUse");
    stream->answered = true;
    if (!use)
        return moot__utf8_append_joining(&stream->reply->text, moot__json_text(delta, "text"));
    const struct moot_tool_piece piece = {.index = index_of(event),
                                          .arguments = moot__json_text(use, "input")};
    return moot__tool_calls_add(&stream->tool_calls, &piece);
}

static int on_stop(struct moot_reply_stream *stream, const struct moot_json *event)
{
    stream->answered = true;
    moot__reply_set_finish(stream->reply, moot__json_text(event, "stopReason"));
    return MOOT_OK;
}

static int on_metadata(struct moot_reply_stream *stream, const struct moot_json *event)
{
    take_usage(stream->reply, event);
    stream->ended = stream->reply->finish != MOOT_FINISH_NONE;
    return MOOT_OK;
}

static const struct {
    const char *name;
    int (*take)(struct moot_reply_stream *stream, const struct moot_json *event);
} events[] = {
    {"contentBlockDelta", on_block_delta},
    {"contentBlockStart", on_block_start},
    {"messageStart", on_start},
    {"messageStop", on_stop},
    {"metadata", on_metadata},
};

static int take_event(struct moot_reply_stream *stream, const struct moot_stream_event *wire)
{
    for (size_t i = 0; i < moot__countof(events); i++) {
        if (!moot__view_is(wire->name, events[i].name))
            continue;
        const struct moot_json *event = NULL;
        struct moot_json_error error = {0};
        int rc = moot__document_read(stream->reply->scratch, wire->data, &event, &error);
        return rc == MOOT_OK ? events[i].take(stream, event)
                             : moot__answer_unreadable(&stream->error, rc, &error);
    }
    return MOOT_OK;
}

int moot__converse_read_event(struct moot_reply_stream *stream,
                              const struct moot_stream_event *event)
{
    switch (event->kind) {
    case MOOT_STREAM_STRAY:
        return moot__stream_stray(stream, event->data);
    case MOOT_STREAM_EXCEPTION:
        return moot__stream_exception(stream, event);
    case MOOT_STREAM_DATA:
        return take_event(stream, event);
    }
    moot__unreachable();
}
