/* The question in Anthropic's shape, checked as strictly as its API does. */
#include "answer.h"
#include "engine/base/check.h"
#include "question.h"

static const char *const known_keys[] = {
    "model",         "max_tokens",  "messages",     "system", "stop_sequences", "stream",
    "tools",         "tool_choice", "temperature",  "top_p",  "top_k",          "thinking",
    "output_config", "metadata",    "service_tier", "speed",  "cache_control",  "container",
    "inference_geo", "mcp_servers", "output_format"};

static bool is_blank(struct moot_view text)
{
    return moot__view_trim(text).len == 0;
}

static int read_block(const struct moot_json *block, bool is_user,
                      struct moot_emulator_request *out, struct moot_emulator_complaint *complaint)
{
    struct moot_view type = moot__json_text(block, "type");
    if (type.len == 0)
        return moot__emulator_complain(complaint, NULL, "messages.content.type: Field required");
    if (moot__view_is(type, "text")) {
        if (!moot__json_is_string(moot__json_get(block, "text")))
            return moot__emulator_complain(complaint, NULL,
                                           "messages.content.text.text: Field required");
        if (is_blank(moot__json_text(block, "text")))
            return moot__emulator_complain(complaint, NULL,
                                           "messages: text content blocks must be non-empty");
    } else if (moot__view_is(type, "tool_use")) {
        if (is_user || moot__json_text(block, "id").len == 0 ||
            moot__json_text(block, "name").len == 0 ||
            !moot__json_is_object(moot__json_get(block, "input")))
            return moot__emulator_complain(
                complaint, NULL,
                "messages.content.tool_use: an assistant's id, name and input are required");
    } else if (moot__view_is(type, "tool_result")) {
        if (!is_user || moot__json_text(block, "tool_use_id").len == 0)
            return moot__emulator_complain(
                complaint, NULL,
                "messages.content.tool_result: a user's, with its tool_use_id, is required");
        out->has_result = true;
    }
    return MOOT_OK;
}

static int read_blocks(const struct moot_json *content, bool is_user,
                       struct moot_emulator_request *out, struct moot_emulator_complaint *complaint)
{
    for (const struct moot_json *block = content->child; block; block = block->next) {
        int rc = read_block(block, is_user, out, complaint);
        if (rc)
            return rc;
    }
    return MOOT_OK;
}

/* A user or an assistant; who else there is, is told. */
static int check_role(struct moot_view role, bool is_first,
                      struct moot_emulator_complaint *complaint)
{
    bool is_user = moot__view_is(role, "user");
    if (moot__view_is(role, "system"))
        return moot__emulator_complain(
            complaint, NULL,
            "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` "
            "parameter, not \"system\" as an input message role.");
    if (!is_user && !moot__view_is(role, "assistant"))
        return moot__emulator_complain(complaint, NULL,
                                       "messages.role: Input should be 'user' or 'assistant'");
    if (is_first && !is_user)
        return moot__emulator_complain(complaint, NULL,
                                       "messages: first message must use the \"user\" role");
    return MOOT_OK;
}

static int read_message(const struct moot_json *message, struct moot_arena *arena,
                        struct moot_emulator_request *out,
                        struct moot_emulator_complaint *complaint)
{
    const struct moot_json *content = moot__json_get(message, "content");
    struct moot_view role = moot__json_text(message, "role"), text = MOOT_VIEW("");
    bool is_user = moot__view_is(role, "user");
    out->has_result = false;
    if (moot__json_is_array(content)) {
        int rc = read_blocks(content, is_user, out, complaint);
        if (rc == MOOT_OK)
            rc = moot__emulator_join_texts(content, arena, &text);
        if (rc)
            return rc;
    } else if (!moot__json_string(content, &text)) {
        return moot__emulator_complain(complaint, NULL, "messages.content: Field required");
    }
    bool is_empty = moot__json_is_array(content) ? !content->child : is_blank(text);
    if (is_empty && (is_user || message->next))
        return moot__emulator_complain(complaint, NULL,
                                       "messages: all messages must have non-empty content except "
                                       "for the optional final assistant message");
    out->prompt_tokens += moot__emulator_count_tokens(text);
    if (is_user)
        out->last = text;
    return MOOT_OK;
}

static int read_messages(const struct moot_json *messages, struct moot_arena *arena,
                         struct moot_emulator_request *out,
                         struct moot_emulator_complaint *complaint)
{
    if (!moot__json_is_array(messages))
        return moot__emulator_complain(complaint, NULL, "messages: Field required");
    if (!messages->child)
        return moot__emulator_complain(complaint, NULL,
                                       "messages: at least one message is required");
    for (const struct moot_json *m = messages->child; m; m = m->next) {
        int rc = check_role(moot__json_text(m, "role"), m == messages->child, complaint);
        if (rc == MOOT_OK)
            rc = read_message(m, arena, out, complaint);
        if (rc)
            return rc;
    }
    return MOOT_OK;
}

static int read_system(const struct moot_json *system, struct moot_arena *arena,
                       struct moot_emulator_request *out, struct moot_emulator_complaint *complaint)
{
    struct moot_view text = MOOT_VIEW("");
    if (!system)
        return MOOT_OK;
    if (moot__json_is_array(system)) {
        int rc = read_blocks(system, true, out, complaint);
        if (rc == MOOT_OK)
            rc = moot__emulator_join_texts(system, arena, &text);
        if (rc)
            return rc;
    } else if (!moot__json_string(system, &text)) {
        return moot__emulator_complain(complaint, NULL, "system: Input should be a valid string");
    }
    out->prompt_tokens += moot__emulator_count_tokens(text);
    return MOOT_OK;
}

static int read_tools(const struct moot_json *tools, struct moot_emulator_request *out,
                      struct moot_emulator_complaint *complaint)
{
    out->tool = MOOT_VIEW("");
    if (!moot__json_is_array(tools))
        return tools
                   ? moot__emulator_complain(complaint, NULL, "tools: Input should be a valid list")
                   : MOOT_OK;
    for (const struct moot_json *tool = tools->child; tool; tool = tool->next) {
        bool is_custom = moot__json_text(tool, "type").len == 0 ||
                         moot__view_is(moot__json_text(tool, "type"), "custom");
        if (moot__json_text(tool, "name").len == 0)
            return moot__emulator_complain(complaint, NULL, "tools.name: Field required");
        if (is_custom && !moot__json_is_object(moot__json_get(tool, "input_schema")))
            return moot__emulator_complain(complaint, NULL, "tools.input_schema: Field required");
    }
    out->tool = moot__json_text(moot__json_at(tools, 0), "name");
    return MOOT_OK;
}

static int read_settings(const struct moot_json *root, struct moot_emulator_request *out,
                         struct moot_emulator_complaint *complaint)
{
    const struct moot_json *max = moot__json_get(root, "max_tokens");
    const struct moot_json *temperature = moot__json_get(root, "temperature");
    double heat = 0;
    if (!max)
        return moot__emulator_complain(complaint, NULL, "max_tokens: Field required");
    if (!moot__json_u64(max, &out->max_tokens))
        return moot__emulator_complain(complaint, NULL,
                                       "max_tokens: Input should be a valid integer");
    if (out->max_tokens == 0)
        return moot__emulator_complain(complaint, NULL,
                                       "max_tokens: Input should be greater than or equal to 1");
    if (temperature && !(moot__json_double(temperature, &heat) && heat >= 0 && heat <= 1))
        return moot__emulator_complain(complaint, NULL, "temperature: range: 0..1");
    return MOOT_OK;
}

/* What the API and Claude inside of Bedrock have in common. */
static int read_common(const struct moot_json *root, struct moot_arena *arena,
                       struct moot_emulator_request *out, struct moot_emulator_complaint *complaint)
{
    out->prompt_tokens = 0;
    out->last = MOOT_VIEW("");
    int rc = read_settings(root, out, complaint);
    if (rc == MOOT_OK)
        rc = read_system(moot__json_get(root, "system"), arena, out, complaint);
    if (rc == MOOT_OK)
        rc = read_tools(moot__json_get(root, "tools"), out, complaint);
    return rc ? rc : read_messages(moot__json_get(root, "messages"), arena, out, complaint);
}

static bool is_known(struct moot_view key)
{
    for (size_t i = 0; i < moot__countof(known_keys); i++)
        if (moot__view_is(key, known_keys[i]))
            return true;
    return false;
}

int moot__emulator_question_anthropic(const struct moot_json *root, struct moot_arena *arena,
                                      struct moot_emulator_request *out,
                                      struct moot_emulator_complaint *complaint)
{
    const struct moot_json *stream = moot__json_get(root, "stream");
    if (out->version.len == 0)
        return moot__emulator_complain(complaint, NULL, "anthropic-version: header is required");
    for (const struct moot_json *member = root->child; member; member = member->next)
        if (!is_known(member->key))
            return moot__emulator_complain(complaint, NULL, "Extra inputs are not permitted");
    if (stream && !moot__json_bool(stream, &out->stream))
        return moot__emulator_complain(complaint, NULL, "stream: Input should be a valid boolean");
    out->endpoint = moot__json_text(root, "model");
    if (out->endpoint.len == 0)
        return moot__emulator_complain(complaint, NULL, "model: Field required");
    return read_common(root, arena, out, complaint);
}

/* Claude inside of Bedrock: the path names the model and the stream, the body must not. */
int moot__emulator_question_invoke(const struct moot_json *root, struct moot_arena *arena,
                                   struct moot_emulator_request *out,
                                   struct moot_emulator_complaint *complaint)
{
    for (const struct moot_json *member = root->child; member; member = member->next) {
        bool is_own = moot__view_is(member->key, "anthropic_version") ||
                      moot__view_is(member->key, "anthropic_beta");
        bool is_path = moot__view_is(member->key, "model") || moot__view_is(member->key, "stream");
        if (is_path || (!is_own && !is_known(member->key)))
            return moot__emulator_complain(complaint, NULL,
                                           "Malformed input request: extraneous key is not "
                                           "permitted, please reformat your input and try again.");
    }
    if (!moot__view_is(moot__json_text(root, "anthropic_version"), "bedrock-2023-05-31"))
        return moot__emulator_complain(complaint, NULL, "anthropic_version: Field required");
    return read_common(root, arena, out, complaint);
}
