/* The question in OpenAI's shape, which Databricks and Azure share. */
#include "answer.h"
#include "engine/base/check.h"
#include "question.h"

static int read_message(const struct moot_json *message, struct moot_arena *arena,
                        struct moot_emulator_request *out,
                        struct moot_emulator_complaint *complaint)
{
    const struct moot_json *content = moot__json_get(message, "content");
    struct moot_view role = moot__json_text(message, "role"), text = MOOT_VIEW("");
    if (!moot__json_is_object(message) || role.len == 0)
        return moot__emulator_complain(complaint, "messages", "Each message needs a role.");
    if (moot__json_is_array(content)) {
        int rc = moot__emulator_join_texts(content, arena, &text);
        if (rc)
            return rc;
    } else if (!moot__json_string(content, &text) && content && !moot__json_is_null(content)) {
        return moot__emulator_complain(complaint, "messages",
                                       "Content must be a string, a list or null.");
    }
    out->prompt_tokens += moot__emulator_count_tokens(text);
    out->has_result = moot__view_is(role, "tool");
    if (moot__view_is(role, "user"))
        out->last = text;
    return MOOT_OK;
}

static int read_messages(const struct moot_json *messages, struct moot_arena *arena,
                         struct moot_emulator_request *out,
                         struct moot_emulator_complaint *complaint)
{
    out->prompt_tokens = 0;
    out->last = MOOT_VIEW("");
    if (!moot__json_is_array(messages) || !messages->child)
        return moot__emulator_complain(complaint, "messages",
                                       "messages must be a list with one message at least.");
    for (const struct moot_json *m = messages->child; m; m = m->next) {
        int rc = read_message(m, arena, out, complaint);
        if (rc)
            return rc;
    }
    return MOOT_OK;
}

static int read_max_tokens(const struct moot_json *root, struct moot_emulator_request *out,
                           struct moot_emulator_complaint *complaint)
{
    static const char *const names[] = {"max_tokens", "max_completion_tokens"};
    out->max_tokens = UINT64_MAX;
    for (size_t i = 0; i < moot__countof(names); i++) {
        const struct moot_json *value = moot__json_get(root, names[i]);
        if (!value || moot__json_is_null(value))
            continue;
        if (!moot__json_u64(value, &out->max_tokens) || out->max_tokens == 0)
            return moot__emulator_complain(complaint, names[i],
                                           "It must be a whole number of at least 1.");
    }
    return MOOT_OK;
}

int moot__emulator_question_openai(const struct moot_json *root, struct moot_arena *arena,
                                   struct moot_emulator_request *out,
                                   struct moot_emulator_complaint *complaint)
{
    const struct moot_json *stream = moot__json_get(root, "stream");
    const struct moot_json *options = moot__json_get(root, "stream_options");
    out->stream = out->include_usage = false;
    if (stream && !moot__json_is_null(stream) && !moot__json_bool(stream, &out->stream))
        return moot__emulator_complain(complaint, "stream", "stream must be true or false.");
    moot__json_bool(moot__json_get(options, "include_usage"), &out->include_usage);
    if (out->endpoint.len == 0)
        out->endpoint = moot__json_text(root, "model");
    if (out->endpoint.len == 0)
        return moot__emulator_complain(complaint, "model", "A model must be named.");
    const struct moot_json *tool = moot__json_at(moot__json_get(root, "tools"), 0);
    out->tool = moot__json_text(moot__json_get(tool, "function"), "name");
    int rc = read_max_tokens(root, out, complaint);
    return rc ? rc : read_messages(moot__json_get(root, "messages"), arena, out, complaint);
}
