/* Requests in the shape of Converse. What it has no place for goes, in the model's own spelling,
 * through additionalModelRequestFields. */
#include "chat.h"
#include "converse.h"
#include "engine/base/check.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "quirks.h"

static const char who[] = "Bedrock";

static const struct moot_param_rule rules[] = {
    {"temperature", MOOT_PARAM_TAKEN},
    {"top_p", MOOT_PARAM_TAKEN},
    {"max_tokens", MOOT_PARAM_TAKEN},
    {"max_completion_tokens", MOOT_PARAM_TAKEN},
    {"stop", MOOT_PARAM_TAKEN},
    {"tools", MOOT_PARAM_TAKEN},
    {"tool_choice", MOOT_PARAM_TAKEN},
    {"response_format", MOOT_PARAM_TAKEN},
    {"parallel_tool_calls", MOOT_PARAM_REFUSED},
    {"stream_options", MOOT_PARAM_IMPLIED}, /* usage comes with every stream */
    {"guardrailConfig", MOOT_PARAM_SENT},
    {"performanceConfig", MOOT_PARAM_SENT},
    {"serviceTier", MOOT_PARAM_SENT},
    {"requestMetadata", MOOT_PARAM_SENT},
    {"promptVariables", MOOT_PARAM_SENT},
    {"additionalModelRequestFields", MOOT_PARAM_SENT},
    {"additionalModelResponseFieldPaths", MOOT_PARAM_SENT},
    {"n", MOOT_PARAM_REFUSED},
    {"seed", MOOT_PARAM_REFUSED},
    {"presence_penalty", MOOT_PARAM_REFUSED},
    {"frequency_penalty", MOOT_PARAM_REFUSED},
    {"logit_bias", MOOT_PARAM_REFUSED},
    {"logprobs", MOOT_PARAM_REFUSED},
    {"top_logprobs", MOOT_PARAM_REFUSED},
    {"functions", MOOT_PARAM_REFUSED},
    {"function_call", MOOT_PARAM_REFUSED},
    {"reasoning_effort", MOOT_PARAM_REFUSED},
    {"user", MOOT_PARAM_REFUSED},
    {"modalities", MOOT_PARAM_REFUSED},
    {"audio", MOOT_PARAM_REFUSED},
    {"prediction", MOOT_PARAM_REFUSED},
    {"verbosity", MOOT_PARAM_REFUSED},
    {"store", MOOT_PARAM_REFUSED},
    {"web_search_options", MOOT_PARAM_REFUSED},
};

struct writing {
    const struct moot_chat *chat;
    struct moot_json_writer *w;
    struct moot_error_info *info;
    unsigned quirks;
};

/* ---- Blocks --------------------------------------------------------------------------------- */

static void write_text(struct moot_json_writer *w, struct moot_view text)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_string(w, "text", text);
    moot__json_write_object_end(w);
}

static int write_image(const struct writing *s, const struct moot_block *block)
{
    static const struct {
        const char *media_type, *format;
    } formats[] = {
        {"image/png", "png"}, {"image/jpeg", "jpeg"}, {"image/gif", "gif"}, {"image/webp", "webp"}};
    const char *format = NULL;
    for (size_t i = 0; i < moot__countof(formats); i++)
        format =
            moot__view_is(block->media_type, formats[i].media_type) ? formats[i].format : format;
    if (!format)
        return moot__chat_refuse(s->info, who, MOOT_VIEW("a picture"),
                                 "it must be a data: URL of a png, jpeg, gif or webp");
    moot__json_write_object_begin(s->w);
    moot__json_write_member_object_begin(s->w, "image");
    moot__json_write_member_str(s->w, "format", format);
    moot__json_write_member_object_begin(s->w, "source");
    moot__json_write_member_string(s->w, "bytes", block->data);
    moot__json_write_object_end(s->w);
    moot__json_write_object_end(s->w);
    moot__json_write_object_end(s->w);
    return MOOT_OK;
}

static void write_tool_use(struct moot_json_writer *w, const struct moot_block *block)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_object_begin(w, "toolUse");
    moot__json_write_member_string(w, "toolUseId", block->id);
    moot__json_write_member_string(w, "name", block->name);
    moot__json_write_member_value(w, "input", block->json);
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
}

static void write_tool_result(struct moot_json_writer *w, const struct moot_block *block)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_object_begin(w, "toolResult");
    moot__json_write_member_string(w, "toolUseId", block->id);
    moot__json_write_member_array_begin(w, "content");
    write_text(w, block->text.len ? block->text : MOOT_VIEW("(empty)"));
    moot__json_write_array_end(w);
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
}

/* A part without a `type` is one of Converse's own: a union, told by its only member. */
static int write_raw(const struct writing *s, const struct moot_block *block)
{
    if (block->name.len)
        return moot__chat_refuse(s->info, who, block->name,
                                 "it takes texts, pictures and its own blocks");
    moot__json_write_value(s->w, block->json);
    return MOOT_OK;
}

static int write_block(const struct writing *s, const struct moot_block *block)
{
    switch (block->type) {
    case MOOT_BLOCK_TEXT:
        write_text(s->w, block->text);
        return MOOT_OK;
    case MOOT_BLOCK_IMAGE:
        return write_image(s, block);
    case MOOT_BLOCK_TOOL_USE:
        write_tool_use(s->w, block);
        return MOOT_OK;
    case MOOT_BLOCK_TOOL_RESULT:
        write_tool_result(s->w, block);
        return MOOT_OK;
    case MOOT_BLOCK_RAW:
        return write_raw(s, block);
    }
    moot__unreachable();
}

static int write_blocks(const struct writing *s, const char *key, const struct moot_block *blocks)
{
    int rc = MOOT_OK;
    moot__json_write_member_array_begin(s->w, key);
    for (const struct moot_block *block = blocks; block && rc == MOOT_OK; block = block->next)
        rc = write_block(s, block);
    moot__json_write_array_end(s->w);
    return rc;
}

static int write_turns(const struct writing *s)
{
    int rc = MOOT_OK;
    moot__json_write_member_array_begin(s->w, "messages");
    for (const struct moot_chat_turn *turn = s->chat->turns; turn && rc == MOOT_OK;
         turn = turn->next) {
        moot__json_write_object_begin(s->w);
        moot__json_write_member_str(s->w, "role", turn->is_assistant ? "assistant" : "user");
        rc = write_blocks(s, "content", turn->blocks);
        moot__json_write_object_end(s->w);
    }
    moot__json_write_array_end(s->w);
    if (rc == MOOT_OK && s->chat->system)
        rc = write_blocks(s, "system", s->chat->system);
    return rc;
}

/* ---- Tools ---------------------------------------------------------------------------------- */

static void write_tool(struct moot_json_writer *w, const struct moot_chat_tool *tool)
{
    if (tool->raw) {
        moot__json_write_value(w, tool->raw);
        return;
    }
    moot__json_write_object_begin(w);
    moot__json_write_member_object_begin(w, "toolSpec");
    moot__json_write_member_string(w, "name", tool->name);
    if (tool->description.len)
        moot__json_write_member_string(w, "description", tool->description);
    moot__json_write_member_object_begin(w, "inputSchema");
    moot__json_write_key_str(w, "json");
    moot__chat_write_schema(tool, w);
    moot__json_write_object_end(w);
    if (tool->strict && !moot__json_is_null(tool->strict))
        moot__json_write_member_value(w, "strict", tool->strict);
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
}

static int write_choice(const struct writing *s)
{
    const struct moot_chat *chat = s->chat;
    if (chat->choice_raw) {
        moot__json_write_member_value(s->w, "toolChoice", chat->choice_raw);
        return MOOT_OK;
    }
    if (chat->choice == MOOT_TOOL_NONE)
        return moot__chat_refuse(s->info, who, MOOT_VIEW("tool_choice: none"),
                                 "leave the tools out");
    if (chat->choice == MOOT_TOOL_UNSAID)
        return MOOT_OK;
    moot__json_write_member_object_begin(s->w, "toolChoice");
    moot__json_write_member_object_begin(s->w, chat->choice == MOOT_TOOL_AUTO  ? "auto"
                                               : chat->choice == MOOT_TOOL_ANY ? "any"
                                                                               : "tool");
    if (chat->choice == MOOT_TOOL_NAMED)
        moot__json_write_member_string(s->w, "name", chat->choice_name);
    moot__json_write_object_end(s->w);
    moot__json_write_object_end(s->w);
    return MOOT_OK;
}

static int write_tools(const struct writing *s)
{
    if (!s->chat->tools)
        return MOOT_OK;
    moot__json_write_member_object_begin(s->w, "toolConfig");
    moot__json_write_member_array_begin(s->w, "tools");
    for (const struct moot_chat_tool *tool = s->chat->tools; tool; tool = tool->next)
        write_tool(s->w, tool);
    moot__json_write_array_end(s->w);
    int rc = write_choice(s);
    moot__json_write_object_end(s->w);
    return rc;
}

/* ---- Parameters ----------------------------------------------------------------------------- */

static int write_inference(const struct writing *s)
{
    const struct moot_param *most = moot__chat_max_tokens(s->chat);
    const struct moot_param *top_p = moot__chat_param(s->chat, "top_p");
    moot__json_write_member_object_begin(s->w, "inferenceConfig");
    if (most)
        moot__json_write_member_value(s->w, "maxTokens", most->value);
    int rc = moot__chat_write_temperature(s->chat, s->quirks, who, s->w, s->info);
    if (top_p)
        moot__json_write_member_value(s->w, "topP", top_p->value);
    moot__chat_write_stop(s->chat, "stopSequences", s->w);
    moot__json_write_object_end(s->w);
    return rc;
}

/* A schema is said as text. */
static int write_schema(const struct writing *s, struct moot_arena *scratch)
{
    if (!s->chat->schema)
        return MOOT_OK;
    struct moot_buf text;
    struct moot_json_writer inner;
    moot__buf_init(&text, scratch->allocator, MOOT_LIMIT_JSON_BYTES);
    moot__json_write_init(&inner, &text);
    moot__json_write_value(&inner, s->chat->schema);
    int rc = moot__json_write_finish(&inner);
    if (rc == MOOT_OK) {
        moot__json_write_member_object_begin(s->w, "outputConfig");
        moot__json_write_member_object_begin(s->w, "textFormat");
        moot__json_write_member_str(s->w, "type", "json_schema");
        moot__json_write_member_object_begin(s->w, "structure");
        moot__json_write_member_object_begin(s->w, "jsonSchema");
        moot__json_write_member_string(s->w, "schema", moot__buf_view(&text));
        if (s->chat->schema_name.len)
            moot__json_write_member_string(s->w, "name", s->chat->schema_name);
        moot__json_write_object_end(s->w);
        moot__json_write_object_end(s->w);
        moot__json_write_object_end(s->w);
        moot__json_write_object_end(s->w);
    }
    moot__buf_deinit(&text);
    return rc;
}

static struct moot_param_rule rule_of(const struct moot_param *param)
{
    return moot__param_rule(param, rules, moot__countof(rules));
}

static bool is_of_model(const struct moot_param *param)
{
    struct moot_param_rule rule = rule_of(param);
    return rule.fate == MOOT_PARAM_SENT && !rule.name;
}

/* Parameters that nobody here knows: the model's own. */
static int write_model_fields(const struct writing *s)
{
    bool begun = false;
    for (size_t i = 0; i < s->chat->params.count; i++) {
        const struct moot_param *param = &s->chat->params.items[i];
        if (!is_of_model(param))
            continue;
        if (!begun && moot__chat_param(s->chat, "additionalModelRequestFields"))
            return moot__chat_refuse(s->info, who, param->name,
                                     "put it into additionalModelRequestFields with the others");
        if (!begun)
            moot__json_write_member_object_begin(s->w, "additionalModelRequestFields");
        begun = true;
        moot__json_write_key(s->w, param->name);
        moot__json_write_value(s->w, param->value);
    }
    if (begun)
        moot__json_write_object_end(s->w);
    return MOOT_OK;
}

static int write_others(const struct writing *s)
{
    for (size_t i = 0; i < s->chat->params.count; i++) {
        const struct moot_param *param = &s->chat->params.items[i];
        struct moot_param_rule rule = rule_of(param);
        if (rule.fate == MOOT_PARAM_REFUSED)
            return moot__chat_refuse(s->info, who, param->name,
                                     "Converse has no such parameter; remove it");
        if (rule.fate == MOOT_PARAM_SENT && rule.name) {
            moot__json_write_key(s->w, param->name);
            moot__json_write_value(s->w, param->value);
        }
    }
    return write_model_fields(s);
}

int moot__converse_write(const struct moot_request *request, struct moot_arena *scratch,
                         struct moot_json_writer *writer, struct moot_error_info *info)
{
    struct moot_chat chat;
    int rc = moot__chat_understand(request, who, scratch, &chat, info);
    if (rc)
        return rc;
    const struct writing s = {.chat = &chat,
                              .w = writer,
                              .info = info,
                              .quirks = moot__model_quirks(request->agent->endpoint)};
    moot__json_write_object_begin(writer);
    rc = write_turns(&s);
    if (rc == MOOT_OK)
        rc = write_inference(&s);
    if (rc == MOOT_OK)
        rc = write_tools(&s);
    if (rc == MOOT_OK)
        rc = write_schema(&s, scratch);
    if (rc == MOOT_OK)
        rc = write_others(&s);
    moot__json_write_object_end(writer);
    return rc;
}
