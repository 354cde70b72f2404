/* The chat request's body: what it asks, counted and checked as strictly as a provider would. */
#include "answer.h"
#include "engine/base/check.h"
#include "engine/base/json_read.h"
#include "request.h"

struct complaint {
    const char *param, *message;
};

static int complain(struct complaint *complaint, const char *param, const char *message)
{
    *complaint = (struct complaint){param, message};
    return MOOT_EINVAL;
}

/* Content is a string, a list of parts of which those of text count, or null. */
static int join_parts(const struct moot_json *content, struct moot_arena *arena,
                      struct moot_view *out)
{
    size_t len = 0;
    for (const struct moot_json *part = content->child; part; part = part->next)
        len += moot__json_text(part, "text").len;
    char *text = moot__arena_alloc(arena, len ? len : 1);
    if (!text)
        return MOOT_ENOMEM;
    *out = moot__view(text, len);
    for (const struct moot_json *part = content->child; part; part = part->next) {
        struct moot_view piece = moot__json_text(part, "text");
        if (piece.len)
            memcpy(text, piece.ptr, piece.len);
        text += piece.len;
    }
    return MOOT_OK;
}

static int read_message(const struct moot_json *message, struct moot_arena *arena,
                        struct moot_emulator_request *out, struct complaint *complaint)
{
    const struct moot_json *content = moot__json_get(message, "content");
    struct moot_view role = moot__json_text(message, "role"), text = MOOT_VIEW("");
    if (!moot__json_is_object(message) || role.len == 0)
        return complain(complaint, "messages", "Each message needs a role.");
    if (moot__json_is_array(content)) {
        int rc = join_parts(content, arena, &text);
        if (rc)
            return rc;
    } else if (!moot__json_string(content, &text) && content && !moot__json_is_null(content)) {
        return complain(complaint, "messages", "Content must be a string, a list or null.");
    }
    out->prompt_tokens += moot__emulator_count_tokens(text);
    if (moot__view_is(role, "user"))
        out->last = text;
    return MOOT_OK;
}

static int read_messages(const struct moot_json *messages, struct moot_arena *arena,
                         struct moot_emulator_request *out, struct complaint *complaint)
{
    out->prompt_tokens = 0;
    out->last = MOOT_VIEW("");
    if (!moot__json_is_array(messages) || !messages->child)
        return complain(complaint, "messages",
                        "messages must be a list with one message at least.");
    for (const struct moot_json *m = messages->child; m; m = m->next) {
        int rc = read_message(m, arena, out, complaint);
        if (rc)
            return rc;
    }
    return MOOT_OK;
}

static int read_max_tokens(const struct moot_json *root, struct moot_emulator_request *out,
                           struct complaint *complaint)
{
    static const char *const names[] = {"max_tokens", "max_completion_tokens"};
    out->max_tokens = UINT64_MAX;
    for (size_t i = 0; i < moot__countof(names); i++) {
        const struct moot_json *value = moot__json_get(root, names[i]);
        if (!value || moot__json_is_null(value))
            continue;
        if (!moot__json_u64(value, &out->max_tokens) || out->max_tokens == 0)
            return complain(complaint, names[i], "It must be a whole number of at least 1.");
    }
    return MOOT_OK;
}

static int read_root(const struct moot_json *root, struct moot_arena *arena,
                     struct moot_emulator_request *out, struct complaint *complaint)
{
    const struct moot_json *stream = moot__json_get(root, "stream");
    const struct moot_json *options = moot__json_get(root, "stream_options");
    if (!moot__json_is_object(root))
        return complain(complaint, NULL, "The body must be a JSON object.");
    out->stream = out->include_usage = false;
    if (stream && !moot__json_is_null(stream) && !moot__json_bool(stream, &out->stream))
        return complain(complaint, "stream", "stream must be true or false.");
    moot__json_bool(moot__json_get(options, "include_usage"), &out->include_usage);
    if (out->endpoint.len == 0)
        out->endpoint = moot__json_text(root, "model");
    if (out->endpoint.len == 0)
        return complain(complaint, "model", "A model must be named.");
    int rc = read_max_tokens(root, out, complaint);
    return rc ? rc : read_messages(moot__json_get(root, "messages"), arena, out, complaint);
}

int moot__emulator_question(struct moot_view body, struct moot_arena *arena,
                            struct moot_emulator_request *out, const char **param,
                            const char **message)
{
    const struct moot_json *root = NULL;
    struct complaint complaint = {NULL, "The body is not valid JSON."};
    int rc = moot__json_read(arena, body, NULL, &root, NULL);
    if (rc == MOOT_OK)
        rc = read_root(root, arena, out, &complaint);
    *param = complaint.param;
    *message = complaint.message;
    return rc;
}
