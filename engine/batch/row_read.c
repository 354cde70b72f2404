/* What the dialects share when they read a line. */
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "row_dialect.h"

bool moot__row_is_chat_param(struct moot_view key)
{
#define X(name)                                                                                    \
    {                                                                                              \
        name, sizeof(name) - 1                                                                     \
    }
    static const struct moot_view params[] = {
        X("model"),
        X("temperature"),
        X("top_p"),
        X("top_k"),
        X("max_tokens"),
        X("max_completion_tokens"),
        X("n"),
        X("stop"),
        X("stop_sequences"),
        X("seed"),
        X("presence_penalty"),
        X("frequency_penalty"),
        X("logit_bias"),
        X("response_format"),
        X("tools"),
        X("tool_choice"),
        X("user"),
        X("stream"),
        X("stream_options"),
        X("logprobs"),
        X("top_logprobs"),
        X("reasoning_effort"),
        X("service_tier"),
        X("parallel_tool_calls"),
        X("store"),
    };
#undef X
    for (size_t i = 0; i < moot__countof(params); i++)
        if (moot__view_eq(key, params[i]))
            return true;
    return false;
}

/* Where it is sent and how it comes back is the plan's business, not the row's. */
static bool is_own(struct moot_view key)
{
    return moot__view_is(key, "messages") || moot__view_is(key, "model") ||
           moot__view_is(key, "system") || moot__view_is(key, "stream") ||
           moot__view_is(key, "stream_options");
}

static bool is_param(const struct moot_json *member, bool all)
{
    return !is_own(member->key) && (all || moot__row_is_chat_param(member->key));
}

/* From `first` on, which is one. */
static int write_params(struct moot_row *row, const struct moot_json *first, bool all)
{
    struct moot_buf buf;
    struct moot_json_writer w;
    moot__buf_init(&buf, row->arena.allocator, MOOT_LIMIT_ROW_BYTES);
    moot__json_write_init(&w, &buf);
    moot__json_write_object_begin(&w);
    for (const struct moot_json *member = first; member; member = member->next) {
        if (!is_param(member, all))
            continue;
        moot__json_write_key(&w, member->key);
        moot__json_write_value(&w, member);
    }
    moot__json_write_object_end(&w);
    int rc = moot__json_write_finish(&w);
    if (rc == MOOT_OK && !moot__arena_copy(&row->arena, moot__buf_view(&buf), &row->params))
        rc = MOOT_ENOMEM;
    moot__buf_deinit(&buf);
    if (rc == MOOT_ELIMIT)
        rc = moot__fail_at(&row->error, MOOT_EINPUT, row->line, 0, "the parameters are too long");
    return rc;
}

int moot__row_read_params(struct moot_row *row, const struct moot_json *object, bool all)
{
    const struct moot_json *first = object->child;
    while (first && !is_param(first, all))
        first = first->next;
    return first ? write_params(row, first, all) : MOOT_OK;
}

/* The parts of a message, joined; MOOT_EINPUT for one that is not text. */
static int join_parts(struct moot_row *row, const struct moot_json *parts, struct moot_view *out)
{
    size_t len = 0;
    for (const struct moot_json *part = parts->child; part; part = part->next) {
        if (!moot__view_is(moot__json_text(part, "type"), "text"))
            return MOOT_EINPUT;
        len += moot__json_text(part, "text").len;
    }
    char *text = moot__arena_alloc(&row->arena, len + 1);
    if (!text)
        return MOOT_ENOMEM;
    *out = moot__view(text, len);
    for (const struct moot_json *part = parts->child; part; part = part->next) {
        struct moot_view piece = moot__json_text(part, "text");
        if (piece.len > 0)
            memcpy(text, piece.ptr, piece.len);
        text += piece.len;
    }
    return MOOT_OK;
}

static int read_content(struct moot_row *row, const struct moot_json *content,
                        struct moot_view *out)
{
    if (moot__json_string(content, out))
        return MOOT_OK;
    return moot__json_is_array(content) ? join_parts(row, content, out) : MOOT_EINPUT;
}

int moot__row_read_messages(struct moot_row *row, const struct moot_json *messages,
                            const struct moot_json *system, struct moot_error_info *info)
{
    if (!moot__json_is_array(messages) || messages->count == 0)
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0, "messages is no list, or empty");
    if (messages->count > MOOT_LIMIT_MESSAGES)
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0, "more than %d messages",
                             MOOT_LIMIT_MESSAGES);
    struct moot_message *list = moot__arena_calloc(&row->arena, messages->count + 1u, sizeof *list);
    if (!list)
        return MOOT_ENOMEM;
    size_t count = 0;
    if (system && !moot__json_is_null(system)) {
        int rc = read_content(row, system, &list[count].content);
        if (rc != MOOT_OK)
            return rc == MOOT_ENOMEM ? rc
                                     : moot__fail_at(info, rc, row->line, 0,
                                                     "system is neither text nor parts of text");
        list[count++].role = MOOT_VIEW("system");
    }
    for (const struct moot_json *message = messages->child; message; message = message->next) {
        list[count].role = moot__json_text(message, "role");
        int rc = list[count].role.len == 0
                     ? MOOT_EINPUT
                     : read_content(row, moot__json_get(message, "content"), &list[count].content);
        if (rc == MOOT_ENOMEM)
            return rc;
        if (rc != MOOT_OK)
            return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                                 "message %zu has no role, or a content that is not text", count);
        count++;
    }
    row->messages = list;
    row->message_count = count;
    return MOOT_OK;
}

int moot__row_read_question(struct moot_row *row, struct moot_view text)
{
    struct moot_message *message = moot__arena_alloc(&row->arena, sizeof *message);
    if (!message)
        return MOOT_ENOMEM;
    *message = (struct moot_message){.role = MOOT_VIEW("user"), .content = text};
    row->messages = message;
    row->message_count = 1;
    return MOOT_OK;
}

static bool is_known(struct moot_view key, const char *const known[])
{
    for (; *known; known++)
        if (moot__view_is(key, *known))
            return true;
    return moot__row_is_chat_param(key);
}

/* A copy of the list's heads, as the tree itself is nobody's to change. */
static int add_metadata(struct moot_row *row, const struct moot_json *member,
                        struct moot_json **last)
{
    struct moot_json *copy = moot__arena_alloc(&row->arena, sizeof *copy);
    if (!copy)
        return MOOT_ENOMEM;
    *copy = *member;
    copy->next = NULL;
    if (*last)
        (*last)->next = copy;
    else
        row->metadata = copy;
    *last = copy;
    return MOOT_OK;
}

int moot__row_read_metadata(struct moot_row *row, const struct moot_json *object,
                            const char *const known[])
{
    struct moot_json *last = NULL;
    int rc = MOOT_OK;
    for (const struct moot_json *member = object->child; member && rc == MOOT_OK;
         member = member->next) {
        if (moot__view_is(member->key, "metadata") && moot__json_is_object(member)) {
            for (const struct moot_json *inner = member->child; inner && rc == MOOT_OK;
                 inner = inner->next)
                rc = add_metadata(row, inner, &last);
        } else if (!is_known(member->key, known)) {
            rc = add_metadata(row, member, &last);
        }
    }
    return rc;
}

bool moot__row_read_id(struct moot_row *row, const struct moot_json *object, const char *key)
{
    const struct moot_json *id = moot__json_get(object, key);
    if (!moot__json_is_string(id) && !moot__json_is_number(id))
        return false;
    if (id->text.len == 0)
        return false;
    if (id->text.len > MOOT_LIMIT_ROW_ID_BYTES) {
        moot__fail_at(&row->error, MOOT_EINPUT, row->line, 0, "the id is longer than %d bytes",
                      MOOT_LIMIT_ROW_ID_BYTES);
        return false;
    }
    row->id = id->text;
    row->id_given = id;
    return true;
}
