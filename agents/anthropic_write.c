/* Requests in Anthropic's shape: a table says what becomes of each parameter. */
#include "anthropic.h"
#include "chat.h"
#include "engine/base/check.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "quirks.h"

static const struct moot_param_rule rules[] = {
    {"temperature", MOOT_PARAM_TAKEN},
    {"top_p", MOOT_PARAM_SENT},
    {"top_k", MOOT_PARAM_SENT},
    {"max_tokens", MOOT_PARAM_TAKEN},
    {"max_completion_tokens", MOOT_PARAM_TAKEN},
    {"stop", MOOT_PARAM_TAKEN},
    {"tools", MOOT_PARAM_TAKEN},
    {"tool_choice", MOOT_PARAM_TAKEN},
    {"parallel_tool_calls", MOOT_PARAM_TAKEN},
    {"response_format", MOOT_PARAM_TAKEN},
    {"reasoning_effort", MOOT_PARAM_TAKEN},
    {"user", MOOT_PARAM_TAKEN},
    {"safety_identifier", MOOT_PARAM_TAKEN},
    {"stream_options", MOOT_PARAM_IMPLIED}, /* usage comes with every stream */
    {"n", MOOT_PARAM_REFUSED},
    {"seed", MOOT_PARAM_REFUSED},
    {"presence_penalty", MOOT_PARAM_REFUSED},
    {"frequency_penalty", MOOT_PARAM_REFUSED},
    {"logit_bias", MOOT_PARAM_REFUSED},
    {"logprobs", MOOT_PARAM_REFUSED},
    {"top_logprobs", MOOT_PARAM_REFUSED},
    {"functions", MOOT_PARAM_REFUSED},
    {"function_call", MOOT_PARAM_REFUSED},
    {"modalities", MOOT_PARAM_REFUSED},
    {"audio", MOOT_PARAM_REFUSED},
    {"prediction", MOOT_PARAM_REFUSED},
    {"verbosity", MOOT_PARAM_REFUSED},
    {"store", MOOT_PARAM_REFUSED},
    {"web_search_options", MOOT_PARAM_REFUSED},
    {"prompt_cache_key", MOOT_PARAM_REFUSED},
};

struct writing {
    const struct moot_anthropic_options *options;
    const struct moot_chat *chat;
    struct moot_json_writer *w;
    struct moot_error_info *info;
    unsigned quirks;
};

static int refuse(const struct writing *s, const char *what, const char *why)
{
    return moot__chat_refuse(s->info, s->options->who, moot__view_str(what), why);
}

/* ---- Blocks --------------------------------------------------------------------------------- */

static void write_text(struct moot_json_writer *w, struct moot_view text)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "type", "text");
    moot__json_write_member_string(w, "text", text);
    moot__json_write_object_end(w);
}

static void write_image(struct moot_json_writer *w, const struct moot_block *block)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "type", "image");
    moot__json_write_member_object_begin(w, "source");
    if (block->media_type.len) {
        moot__json_write_member_str(w, "type", "base64");
        moot__json_write_member_string(w, "media_type", block->media_type);
        moot__json_write_member_string(w, "data", block->data);
    } else {
        moot__json_write_member_str(w, "type", "url");
        moot__json_write_member_string(w, "url", block->data);
    }
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
}

static void write_tool_use(struct moot_json_writer *w, const struct moot_block *block)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "type", "tool_use");
    moot__json_write_member_string(w, "id", block->id);
    moot__json_write_member_string(w, "name", block->name);
    moot__json_write_member_value(w, "input", block->json);
    moot__json_write_object_end(w);
}

static void write_tool_result(struct moot_json_writer *w, const struct moot_block *block)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "type", "tool_result");
    moot__json_write_member_string(w, "tool_use_id", block->id);
    moot__json_write_member_string(w, "content", block->text);
    moot__json_write_object_end(w);
}

/* Parts that are not the OpenAI shape's are Anthropic's own, unless they are known as others'. */
static int write_raw(const struct writing *s, const struct moot_block *block)
{
    static const char *const foreign[] = {"input_audio", "file", "audio", "video_url", ""};
    for (size_t i = 0; i < moot__countof(foreign); i++) {
        if (moot__view_is(block->name, foreign[i]))
            return refuse(s, foreign[i][0] ? foreign[i] : "a part without a type",
                          "it takes texts, pictures and its own blocks");
    }
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
        write_image(s->w, block);
        return MOOT_OK;
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

/* A single text is written as the string that it is. Tools' results come before everything else of
 * their turn, as Anthropic wants them. */
static int write_blocks(const struct writing *s, const char *key, const struct moot_block *blocks)
{
    if (!blocks->next && blocks->type == MOOT_BLOCK_TEXT) {
        moot__json_write_member_string(s->w, key, blocks->text);
        return MOOT_OK;
    }
    moot__json_write_member_array_begin(s->w, key);
    int rc = MOOT_OK;
    for (int pass = 0; pass < 2; pass++) {
        for (const struct moot_block *block = blocks; block && rc == MOOT_OK; block = block->next) {
            if ((block->type == MOOT_BLOCK_TOOL_RESULT) == (pass == 0))
                rc = write_block(s, block);
        }
    }
    moot__json_write_array_end(s->w);
    return rc;
}

static int write_turns(const struct writing *s)
{
    int rc = s->chat->system ? write_blocks(s, "system", s->chat->system) : MOOT_OK;
    moot__json_write_member_array_begin(s->w, "messages");
    for (const struct moot_chat_turn *turn = s->chat->turns; turn && rc == MOOT_OK;
         turn = turn->next) {
        moot__json_write_object_begin(s->w);
        moot__json_write_member_str(s->w, "role", turn->is_assistant ? "assistant" : "user");
        rc = write_blocks(s, "content", turn->blocks);
        moot__json_write_object_end(s->w);
    }
    moot__json_write_array_end(s->w);
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
    moot__json_write_member_string(w, "name", tool->name);
    if (tool->description.len)
        moot__json_write_member_string(w, "description", tool->description);
    moot__json_write_key_str(w, "input_schema");
    moot__chat_write_schema(tool, w);
    if (tool->strict && !moot__json_is_null(tool->strict))
        moot__json_write_member_value(w, "strict", tool->strict);
    moot__json_write_object_end(w);
}

static void write_choice(const struct writing *s)
{
    static const char *const words[] = {[MOOT_TOOL_UNSAID] = "auto",
                                        [MOOT_TOOL_AUTO] = "auto",
                                        [MOOT_TOOL_NONE] = "none",
                                        [MOOT_TOOL_ANY] = "any",
                                        [MOOT_TOOL_NAMED] = "tool"};
    const struct moot_chat *chat = s->chat;
    if (chat->choice_raw) {
        moot__json_write_member_value(s->w, "tool_choice", chat->choice_raw);
        return;
    }
    if (chat->choice == MOOT_TOOL_UNSAID && !chat->one_tool_only)
        return;
    moot__json_write_member_object_begin(s->w, "tool_choice");
    moot__json_write_member_str(s->w, "type", words[chat->choice]);
    if (chat->choice == MOOT_TOOL_NAMED)
        moot__json_write_member_string(s->w, "name", chat->choice_name);
    if (chat->one_tool_only && chat->choice != MOOT_TOOL_NONE)
        moot__json_write_member_bool(s->w, "disable_parallel_tool_use", true);
    moot__json_write_object_end(s->w);
}

static void write_tools(const struct writing *s)
{
    if (!s->chat->tools)
        return;
    moot__json_write_member_array_begin(s->w, "tools");
    for (const struct moot_chat_tool *tool = s->chat->tools; tool; tool = tool->next)
        write_tool(s->w, tool);
    moot__json_write_array_end(s->w);
    write_choice(s);
}

/* ---- Parameters ----------------------------------------------------------------------------- */

static int write_max_tokens(const struct writing *s)
{
    const struct moot_param *most = moot__chat_max_tokens(s->chat);
    if (!most)
        return refuse(s, "an answer without max_tokens", "it must be set");
    moot__json_write_member_value(s->w, "max_tokens", most->value);
    return MOOT_OK;
}

static void write_user(const struct writing *s)
{
    const struct moot_param *user = moot__chat_param(s->chat, "safety_identifier");
    if (!user)
        user = moot__chat_param(s->chat, "user");
    if (!user || moot__chat_param(s->chat, "metadata"))
        return;
    moot__json_write_member_object_begin(s->w, "metadata");
    moot__json_write_member_value(s->w, "user_id", user->value);
    moot__json_write_object_end(s->w);
}

static int write_output_config(const struct writing *s)
{
    const struct moot_param *effort = moot__chat_param(s->chat, "reasoning_effort");
    if (!effort && !s->chat->schema)
        return MOOT_OK;
    if (moot__chat_param(s->chat, "output_config"))
        return refuse(s, "output_config beside response_format or reasoning_effort",
                      "they say the same; keep one");
    moot__json_write_member_object_begin(s->w, "output_config");
    if (effort)
        moot__json_write_member_value(s->w, "effort", effort->value);
    if (s->chat->schema) {
        moot__json_write_member_object_begin(s->w, "format");
        moot__json_write_member_str(s->w, "type", "json_schema");
        moot__json_write_member_value(s->w, "schema", s->chat->schema);
        moot__json_write_object_end(s->w);
    }
    moot__json_write_object_end(s->w);
    return MOOT_OK;
}

static int write_others(const struct writing *s)
{
    for (size_t i = 0; i < s->chat->params.count; i++) {
        const struct moot_param *param = &s->chat->params.items[i];
        switch (moot__param_rule(param, rules, moot__countof(rules)).fate) {
        case MOOT_PARAM_SENT:
            moot__json_write_key(s->w, param->name);
            moot__json_write_value(s->w, param->value);
            break;
        case MOOT_PARAM_REFUSED:
            return moot__chat_refuse(s->info, s->options->who, param->name,
                                     "it has no such parameter; remove it");
        case MOOT_PARAM_TAKEN:
        case MOOT_PARAM_IMPLIED:
            break;
        }
    }
    return MOOT_OK;
}

static int write_params(const struct writing *s)
{
    int rc = write_max_tokens(s);
    if (rc == MOOT_OK)
        rc = moot__chat_write_temperature(s->chat, s->quirks, s->options->who, s->w, s->info);
    moot__chat_write_stop(s->chat, "stop_sequences", s->w);
    write_user(s);
    write_tools(s);
    if (rc == MOOT_OK)
        rc = write_output_config(s);
    return rc ? rc : write_others(s);
}

int moot__anthropic_write(const struct moot_request *request,
                          const struct moot_anthropic_options *options, struct moot_arena *scratch,
                          struct moot_json_writer *writer, struct moot_error_info *info)
{
    struct moot_chat chat;
    int rc = moot__chat_understand(request, options->who, scratch, &chat, info);
    if (rc)
        return rc;
    const struct writing s = {.options = options,
                              .chat = &chat,
                              .w = writer,
                              .info = info,
                              .quirks = moot__model_quirks(request->agent->endpoint)};
    moot__json_write_object_begin(writer);
    if (options->version)
        moot__json_write_member_str(writer, "anthropic_version", options->version);
    if (options->names_model)
        moot__json_write_member_string(writer, "model", request->agent->endpoint);
    rc = write_turns(&s);
    if (rc == MOOT_OK)
        rc = write_params(&s);
    if (options->names_model && request->stream)
        moot__json_write_member_bool(writer, "stream", true);
    moot__json_write_object_end(writer);
    return rc;
}
