/* The question in the shape of Bedrock's Converse, checked as strictly as the service does. */
#include "answer.h"
#include "engine/base/check.h"
#include "question.h"

static bool is_tool_block(const struct moot_json *block)
{
    return moot__json_get(block, "toolUse") || moot__json_get(block, "toolResult");
}

static int read_block(const struct moot_json *block, struct moot_emulator_request *out,
                      struct moot_emulator_complaint *complaint)
{
    static const char *const kinds[] = {
        "text",     "toolUse",    "toolResult", "reasoningContent", "image",           "video",
        "document", "cachePoint", "audio",      "guardContent",     "citationsContent"};
    size_t known = 0;
    for (size_t i = 0; i < moot__countof(kinds); i++)
        known += moot__json_get(block, kinds[i]) != NULL;
    if (!moot__json_is_object(block) || known != 1 || block->count != 1)
        return moot__emulator_complain(
            complaint, NULL,
            "The content block must set one of the following keys: text, image, toolUse, "
            "toolResult, document, video, cachePoint, reasoningContent, citationsContent.");
    const struct moot_json *text = moot__json_get(block, "text");
    if (text && !moot__json_is_string(text))
        return moot__emulator_complain(complaint, NULL,
                                       "STRING_VALUE is expected for the text of a content block");
    if (text && moot__view_trim(moot__json_text(block, "text")).len == 0)
        return moot__emulator_complain(
            complaint, NULL,
            "The text field in the ContentBlock object at messages.content is blank. Add text to "
            "the text field, and try again.");
    const struct moot_json *use = moot__json_get(block, "toolUse");
    if (use &&
        (moot__json_text(use, "toolUseId").len == 0 || moot__json_text(use, "name").len == 0 ||
         !moot__json_is_object(moot__json_get(use, "input"))))
        return moot__emulator_complain(complaint, NULL,
                                       "The value at toolUse must have toolUseId, name and input.");
    const struct moot_json *result = moot__json_get(block, "toolResult");
    if (result && (moot__json_text(result, "toolUseId").len == 0 ||
                   !moot__json_is_array(moot__json_get(result, "content"))))
        return moot__emulator_complain(complaint, NULL,
                                       "The value at toolResult must have toolUseId and content.");
    out->has_result = out->has_result || result;
    return MOOT_OK;
}

static int read_blocks(const struct moot_json *content, bool has_tools,
                       struct moot_emulator_request *out, struct moot_emulator_complaint *complaint)
{
    for (const struct moot_json *block = content->child; block; block = block->next) {
        int rc = read_block(block, out, complaint);
        if (rc)
            return rc;
        if (is_tool_block(block) && !has_tools)
            return moot__emulator_complain(complaint, NULL,
                                           "The toolConfig field must be defined when using "
                                           "toolUse and toolResult content blocks.");
    }
    return MOOT_OK;
}

static int check_role(const struct moot_json *message, bool is_first, bool was_user,
                      struct moot_emulator_complaint *complaint)
{
    struct moot_view role = moot__json_text(message, "role");
    bool is_user = moot__view_is(role, "user");
    if (!is_user && !moot__view_is(role, "assistant"))
        return moot__emulator_complain(complaint, NULL,
                                       "Value at 'messages.member.role' failed to satisfy "
                                       "constraint: Member must satisfy enum value set: "
                                       "[user, assistant]");
    if (is_first && !is_user)
        return moot__emulator_complain(
            complaint, NULL,
            "A conversation must start with a user message. Try again with a conversation that "
            "starts with a user message.");
    if (!is_first && is_user == was_user)
        return moot__emulator_complain(
            complaint, NULL,
            "A conversation must alternate between user and assistant roles. Make sure the "
            "conversation alternates between user and assistant roles and try again.");
    return MOOT_OK;
}

static int read_messages(const struct moot_json *root, struct moot_arena *arena,
                         struct moot_emulator_request *out,
                         struct moot_emulator_complaint *complaint)
{
    const struct moot_json *messages = moot__json_get(root, "messages");
    bool has_tools = moot__json_get(root, "toolConfig") != NULL, was_user = false;
    if (!moot__json_is_array(messages) || !messages->child)
        return moot__emulator_complain(complaint, NULL,
                                       "A conversation must have one message at least.");
    for (const struct moot_json *m = messages->child; m; m = m->next) {
        const struct moot_json *content = moot__json_get(m, "content");
        struct moot_view text = MOOT_VIEW("");
        int rc = check_role(m, m == messages->child, was_user, complaint);
        if (rc)
            return rc;
        if (!moot__json_is_array(content) || !content->child)
            return moot__emulator_complain(complaint, NULL,
                                           "The content field in the Message object is empty. Add "
                                           "a ContentBlock object to it and try again.");
        out->has_result = false;
        rc = read_blocks(content, has_tools, out, complaint);
        if (rc == MOOT_OK)
            rc = moot__emulator_join_texts(content, arena, &text);
        if (rc)
            return rc;
        was_user = moot__view_is(moot__json_text(m, "role"), "user");
        out->prompt_tokens += moot__emulator_count_tokens(text);
        if (was_user)
            out->last = text;
    }
    return MOOT_OK;
}

static int read_system(const struct moot_json *system, struct moot_arena *arena,
                       struct moot_emulator_request *out, struct moot_emulator_complaint *complaint)
{
    struct moot_view text = MOOT_VIEW("");
    if (!system)
        return MOOT_OK;
    if (!moot__json_is_array(system))
        return moot__emulator_complain(complaint, NULL, "Expected a list at system.");
    int rc = read_blocks(system, true, out, complaint);
    if (rc == MOOT_OK)
        rc = moot__emulator_join_texts(system, arena, &text);
    if (rc == MOOT_OK)
        out->prompt_tokens += moot__emulator_count_tokens(text);
    return rc;
}

static bool is_share(const struct moot_json *value)
{
    double number = 0;
    return !value || (moot__json_double(value, &number) && number >= 0 && number <= 1);
}

static int read_settings(const struct moot_json *root, struct moot_emulator_request *out,
                         struct moot_emulator_complaint *complaint)
{
    const struct moot_json *settings = moot__json_get(root, "inferenceConfig");
    const struct moot_json *max = moot__json_get(settings, "maxTokens");
    out->max_tokens = UINT64_MAX;
    if (max && (!moot__json_u64(max, &out->max_tokens) || out->max_tokens == 0))
        return moot__emulator_complain(complaint, NULL,
                                       "Value at 'inferenceConfig.maxTokens' failed to satisfy "
                                       "constraint: Member must have value greater than or equal "
                                       "to 1");
    if (!is_share(moot__json_get(settings, "temperature")) ||
        !is_share(moot__json_get(settings, "topP")))
        return moot__emulator_complain(complaint, NULL,
                                       "Value at 'inferenceConfig' failed to satisfy constraint: "
                                       "temperature and topP must be between 0 and 1");
    const struct moot_json *tools = moot__json_get(moot__json_get(root, "toolConfig"), "tools");
    out->tool = moot__json_text(moot__json_get(moot__json_at(tools, 0), "toolSpec"), "name");
    if (moot__json_get(root, "toolConfig") && out->tool.len == 0)
        return moot__emulator_complain(complaint, NULL,
                                       "toolConfig.tools must hold a toolSpec with a name.");
    return MOOT_OK;
}

int moot__emulator_question_converse(const struct moot_json *root, struct moot_arena *arena,
                                     struct moot_emulator_request *out,
                                     struct moot_emulator_complaint *complaint)
{
    out->prompt_tokens = 0;
    out->last = MOOT_VIEW("");
    int rc = read_settings(root, out, complaint);
    if (rc == MOOT_OK)
        rc = read_system(moot__json_get(root, "system"), arena, out, complaint);
    return rc ? rc : read_messages(root, arena, out, complaint);
}
