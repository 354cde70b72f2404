/* Reading answers in the chat completions shape, from any server that claims to write it.
 *
 * Known differences are all accepted here, whoever makes them: content as text, list of parts, null
 * or missing; usage on every chunk, on the last, in `x_groq`, or never; `choices` empty or null on
 * chunks that bring something else; a whole message where a delta was due; errors in every place
 * that provider_error.h knows. Of several choices the one of index 0 is the answer. Reasoning is
 * not part of an answer's text. Members that we do not know are nobody's error. */
#include "document.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "openai_chat.h"
#include "provider_error.h"
#include "stream_error.h"

#define HTTP_OK 200

/* ---- What whole answers and chunks share ---------------------------------------------------- */

static int take_part(struct moot_reply *reply, const struct moot_json *part)
{
    if (moot__json_is_string(part))
        return moot__utf8_append_joining(&reply->text, part->text);
    struct moot_view type = moot__json_text(part, "type");
    if (type.len == 0 || moot__view_is(type, "text") || moot__view_is(type, "output_text"))
        return moot__utf8_append_joining(&reply->text, moot__json_text(part, "text"));
    if (moot__view_is(type, "refusal"))
        return moot__utf8_append_joining(&reply->refusal, moot__json_text(part, "refusal"));
    return MOOT_OK;
}

static int take_content(struct moot_reply *reply, const struct moot_json *content)
{
    if (!moot__json_is_array(content))
        return content ? take_part(reply, content) : MOOT_OK;
    int rc = MOOT_OK;
    for (const struct moot_json *part = content->child; part && rc == MOOT_OK; part = part->next)
        rc = take_part(reply, part);
    return rc;
}

/* What a message and a delta have in common. */
static int take_message(struct moot_reply *reply, const struct moot_json *message)
{
    int rc = take_content(reply, moot__json_get(message, "content"));
    if (rc == MOOT_OK)
        rc = moot__utf8_append_joining(&reply->refusal, moot__json_text(message, "refusal"));
    return rc;
}

static int take_names(struct moot_reply *reply, const struct moot_json *root)
{
    int rc = MOOT_OK; /* of a stream, the first event that has them names all */
    if (reply->id.len == 0)
        rc = moot__reply_set_id(reply, moot__json_text(root, "id"));
    if (rc == MOOT_OK && reply->model.len == 0)
        rc = moot__reply_set_model(reply, moot__json_text(root, "model"));
    return rc;
}

static void take_usage(struct moot_reply *reply, const struct moot_json *root)
{
    moot__tokens_read(&reply->usage, moot__json_get(moot__json_get(root, "x_groq"), "usage"));
    moot__tokens_read(&reply->usage, moot__json_get(root, "usage"));
}

/* Whether it is the choice that is the answer. A number from outside is compared, never used. */
static bool is_first_choice(const struct moot_json *choice, size_t position)
{
    const struct moot_json *number = moot__json_get(choice, "index");
    uint64_t index = position;
    if (!moot__json_u64(number, &index) && moot__json_is_number(number))
        return false; /* -1, 0.5 */
    return moot__json_is_object(choice) && index == 0;
}

/* ---- Whole answers -------------------------------------------------------------------------- */

static const struct moot_json *answer_choice(const struct moot_json *root)
{
    const struct moot_json *choices = moot__json_get(root, "choices");
    if (!moot__json_is_array(choices))
        return NULL;
    size_t position = 0;
    for (const struct moot_json *choice = choices->child; choice; choice = choice->next) {
        if (is_first_choice(choice, position++))
            return choice;
    }
    return moot__json_is_object(choices->child) ? choices->child : NULL;
}

static int keep_tool_calls(struct moot_reply *reply, const struct moot_json *tool_calls)
{
    if (!moot__json_is_array(tool_calls) || tool_calls->count == 0)
        return MOOT_OK;
    if (tool_calls->count > MOOT_LIMIT_TOOL_CALLS)
        return MOOT_ELIMIT;
    struct moot_json_writer writer;
    moot__json_write_init(&writer, &reply->tool_calls);
    moot__json_write_value(&writer, tool_calls);
    return moot__json_write_finish(&writer);
}

/* A model may end with nothing to say, but it must be said: no content at all is an answer only
 * where something else explains it. */
static int check_answer(const struct moot_reply *reply, const struct moot_json *message,
                        struct moot_error_info *info)
{
    if (reply->finish == MOOT_FINISH_ERROR) {
        moot__ignore(moot__fail(info, MOOT_EPROVIDER, MOOT_PHASE_BODY,
                                "the model stopped with finish reason '%s'", reply->finish_raw));
        if (info)
            info->retriable = true;
        return MOOT_EPROVIDER;
    }
    const struct moot_json *content = moot__json_get(message, "content");
    bool is_said = content && !moot__json_is_null(content);
    bool is_explained = reply->refusal.len > 0 || reply->tool_calls.len > 0 ||
                        reply->finish == MOOT_FINISH_LENGTH ||
                        reply->finish == MOOT_FINISH_CONTENT_FILTER;
    if (!is_said && !is_explained)
        return moot__fail(info, MOOT_ECONTENT, MOOT_PHASE_BODY, "the answer has no content");
    return MOOT_OK;
}

static int take_answer(const struct moot_json *root, struct moot_reply *reply,
                       struct moot_error_info *info)
{
    take_usage(reply, root);
    if (moot__provider_error_in(root))
        return moot__provider_error_read_json(HTTP_OK, root, info);
    const struct moot_json *choice = answer_choice(root);
    const struct moot_json *message = moot__json_get(choice, "message");
    if (!moot__json_is_object(message))
        return moot__fail(info, MOOT_ECONTENT, MOOT_PHASE_BODY, "the answer has no %s",
                          choice ? "message" : "choices");

    moot__reply_set_finish(reply, moot__json_text(choice, "finish_reason"));
    int rc = take_names(reply, root);
    if (rc == MOOT_OK)
        rc = take_message(reply, message);
    if (rc == MOOT_OK)
        rc = keep_tool_calls(reply, moot__json_get(message, "tool_calls"));
    moot__reply_settle(reply);
    if (rc != MOOT_OK)
        return moot__fail(info, rc, MOOT_PHASE_BODY, "the answer could not be kept: %s",
                          moot_error_text(rc));
    return check_answer(reply, message, info);
}

int moot__openai_chat_read_reply(struct moot_view body, struct moot_reply *reply,
                                 struct moot_error_info *info)
{
    return moot__answer_read(body, reply, info, take_answer);
}

/* ---- Streams -------------------------------------------------------------------------------- */

static int take_choice(struct moot_reply_stream *stream, const struct moot_json *choice)
{
    struct moot_reply *reply = stream->reply;
    stream->answered = true;
    const struct moot_json *delta = moot__json_get(choice, "delta");
    if (!moot__json_is_object(delta))
        delta = moot__json_get(choice, "message");
    int rc = take_message(reply, delta);
    if (rc == MOOT_OK)
        rc = moot__tool_calls_take(&stream->tool_calls, moot__json_get(delta, "tool_calls"));

    struct moot_view finish = moot__json_text(choice, "finish_reason");
    if (finish.len > 0) {
        if (reply->finish_raw[0] && !moot__view_is(finish, reply->finish_raw))
            stream->finish_changed = true;
        moot__reply_set_finish(reply, finish);
    }
    return rc;
}

static int take_chunk(struct moot_reply_stream *stream, const struct moot_json *chunk)
{
    uint64_t before = stream->reply->usage.completion;
    take_usage(stream->reply, chunk);
    if (stream->reply->usage.completion < before)
        stream->usage_shrank = true;
    if (moot__provider_error_in(chunk))
        return moot__provider_error_read_json(HTTP_OK, chunk, &stream->error);
    if (moot__json_is_null(chunk))
        return MOOT_OK;
    if (!moot__json_is_object(chunk))
        return moot__fail(&stream->error, MOOT_ECONTENT, MOOT_PHASE_BODY,
                          "an event of the stream is not an object");

    int rc = take_names(stream->reply, chunk);
    const struct moot_json *choices = moot__json_get(chunk, "choices");
    const struct moot_json *choice = moot__json_is_array(choices) ? choices->child : NULL;
    for (size_t position = 0; choice && rc == MOOT_OK; choice = choice->next) {
        if (is_first_choice(choice, position++))
            rc = take_choice(stream, choice);
    }
    return rc;
}

static int take_data(struct moot_reply_stream *stream, struct moot_view data)
{
    if (data.len == 0)
        return MOOT_OK;
    if (moot__view_is(data, "[DONE]")) {
        stream->ended = true;
        return MOOT_OK;
    }
    const struct moot_json *chunk = NULL;
    struct moot_json_error error = {0};
    int rc = moot__document_read(stream->reply->scratch, data, &chunk, &error);
    return rc == MOOT_OK ? take_chunk(stream, chunk)
                         : moot__answer_unreadable(&stream->error, rc, &error);
}

int moot__openai_chat_read_event(struct moot_reply_stream *stream,
                                 const struct moot_stream_event *event)
{
    struct moot_view data = moot__view_trim(event->data);
    switch (event->kind) {
    case MOOT_STREAM_STRAY:
        return moot__stream_stray(stream, data);
    case MOOT_STREAM_EXCEPTION: /* of no stream of this kind */
        return moot__stream_error(stream, data);
    case MOOT_STREAM_DATA:
        return moot__view_is(event->name, "error") ? moot__stream_error(stream, data)
                                                   : take_data(stream, data);
    }
    moot__unreachable();
}
