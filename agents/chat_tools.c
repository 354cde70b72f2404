/* Tools that are offered, and the form that an answer must have; and what becomes of the parameters
 * of the OpenAI shape in another one. */
#include "chat_internal.h"
#include "engine/base/check.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "quirks.h"

const struct moot_param *moot__chat_param(const struct moot_chat *chat, const char *name)
{
    const struct moot_param *param = moot__params_find(chat->params, name);
    return param && !moot__json_is_null(param->value) ? param : NULL;
}

static const struct moot_json *value_of(const struct moot_chat *chat, const char *name)
{
    const struct moot_param *param = moot__chat_param(chat, name);
    return param ? param->value : NULL;
}

static int take_tool(const struct moot_json *item, const char *who, struct moot_chat_tool *tool,
                     struct moot_error_info *info)
{
    const struct moot_json *function = moot__json_get(item, "function");
    if (!moot__json_is_object(item))
        return moot__chat_refuse(info, who, MOOT_VIEW("tools"), "one of them is no object");
    if (moot__view_is(moot__json_text(item, "type"), "custom"))
        return moot__chat_refuse(info, who, MOOT_VIEW("a custom tool"),
                                 "it has functions only; make it one with a string parameter");
    if (!function) {
        tool->raw = item;
        return MOOT_OK;
    }
    tool->name = moot__json_text(function, "name");
    tool->description = moot__json_text(function, "description");
    tool->parameters = moot__json_get(function, "parameters");
    tool->strict = moot__json_get(function, "strict");
    if (tool->name.len == 0)
        return moot__chat_refuse(info, who, MOOT_VIEW("tools"), "a function has no name");
    return MOOT_OK;
}

static int take_tools(struct moot_chat *chat, const char *who, struct moot_arena *arena,
                      struct moot_error_info *info)
{
    const struct moot_json *tools = value_of(chat, "tools");
    struct moot_chat_tool **next = &chat->tools;
    if (tools && !moot__json_is_array(tools))
        return moot__chat_refuse(info, who, MOOT_VIEW("tools"), "they must be a list");
    for (const struct moot_json *item = tools ? tools->child : NULL; item; item = item->next) {
        struct moot_chat_tool *tool = moot__arena_calloc(arena, 1, sizeof *tool);
        if (!tool)
            return moot__chat_no_memory(info);
        int rc = take_tool(item, who, tool, info);
        if (rc)
            return rc;
        *next = tool;
        next = &tool->next;
    }
    return MOOT_OK;
}

static int take_choice(struct moot_chat *chat, const char *who, struct moot_error_info *info)
{
    static const struct {
        const char *word;
        enum moot_tool_choice choice;
    } words[] = {{"auto", MOOT_TOOL_AUTO}, {"none", MOOT_TOOL_NONE}, {"required", MOOT_TOOL_ANY}};
    const struct moot_json *choice = value_of(chat, "tool_choice");
    if (!choice)
        return MOOT_OK;
    for (size_t i = 0; i < moot__countof(words) && moot__json_is_string(choice); i++) {
        if (moot__view_is(choice->text, words[i].word)) {
            chat->choice = words[i].choice;
            return MOOT_OK;
        }
    }
    const struct moot_json *function = moot__json_get(choice, "function");
    chat->choice_name = moot__json_text(function, "name");
    if (chat->choice_name.len) {
        chat->choice = MOOT_TOOL_NAMED;
        return MOOT_OK;
    }
    if (!moot__json_is_object(choice) || function ||
        moot__view_is(moot__json_text(choice, "type"), "allowed_tools"))
        return moot__chat_refuse(info, who, MOOT_VIEW("tool_choice"),
                                 "auto, none, required or one function can be");
    chat->choice_raw = choice;
    return MOOT_OK;
}

static int take_format(struct moot_chat *chat, const char *who, struct moot_error_info *info)
{
    const struct moot_json *format = value_of(chat, "response_format");
    struct moot_view type = moot__json_text(format, "type");
    if (!format || moot__view_is(type, "text"))
        return MOOT_OK;
    const struct moot_json *named = moot__json_get(format, "json_schema");
    chat->schema = moot__json_get(named, "schema");
    chat->schema_name = moot__json_text(named, "name");
    if (!moot__view_is(type, "json_schema") || !moot__json_is_object(chat->schema))
        return moot__chat_refuse(info, who, MOOT_VIEW("response_format"),
                                 "only type json_schema, with its schema, can be");
    return MOOT_OK;
}

int moot__chat_take_tools(struct moot_chat *chat, const char *who, struct moot_arena *arena,
                          struct moot_error_info *info)
{
    int rc = take_tools(chat, who, arena, info);
    if (rc == MOOT_OK)
        rc = take_choice(chat, who, info);
    if (rc == MOOT_OK)
        rc = take_format(chat, who, info);
    bool parallel = true;
    moot__ignore(moot__json_bool(value_of(chat, "parallel_tool_calls"), &parallel));
    chat->one_tool_only = !parallel;
    return rc;
}

/* ---- Parameters ----------------------------------------------------------------------------- */

/* What says no more than saying nothing. */
static bool is_idle(const struct moot_param *param)
{
    bool truth;
    double number;
    if (moot__json_bool(param->value, &truth))
        return !truth;
    if (moot__json_double(param->value, &number))
        return number == (moot__view_is(param->name, "n") ? 1 : 0) &&
               !moot__view_is(param->name, "seed");
    return (moot__json_is_object(param->value) || moot__json_is_array(param->value)) &&
           param->value->count == 0;
}

struct moot_param_rule moot__param_rule(const struct moot_param *param,
                                        const struct moot_param_rule *rules, size_t count)
{
    struct moot_param_rule rule = {NULL, MOOT_PARAM_SENT};
    for (size_t i = 0; i < count; i++) {
        if (moot__view_is(param->name, rules[i].name))
            rule = rules[i];
    }
    bool is_said = !moot__json_is_null(param->value) && !moot__param_is_reserved(param->name);
    if (!is_said || (rule.fate == MOOT_PARAM_REFUSED && is_idle(param)))
        rule.fate = MOOT_PARAM_IMPLIED;
    return rule;
}

const struct moot_param *moot__chat_max_tokens(const struct moot_chat *chat)
{
    const struct moot_param *most = moot__chat_param(chat, "max_completion_tokens");
    return most ? most : moot__chat_param(chat, "max_tokens");
}

int moot__chat_write_temperature(const struct moot_chat *chat, unsigned quirks, const char *who,
                                 struct moot_json_writer *w, struct moot_error_info *info)
{
    const struct moot_param *temperature = moot__chat_param(chat, "temperature");
    double value;
    if (!temperature)
        return MOOT_OK;
    bool is_unwanted = (quirks & MOOT_QUIRK_NO_TEMPERATURE) ||
                       ((quirks & MOOT_QUIRK_ONE_SAMPLER) && moot__chat_param(chat, "top_p")) ||
                       moot__chat_param(chat, "thinking");
    if (temperature->by_default && is_unwanted)
        return MOOT_OK;
    if (moot__json_double(temperature->value, &value) && value > 1)
        return moot__chat_refuse(info, who, MOOT_VIEW("a temperature above 1"),
                                 "its range is 0 to 1");
    moot__json_write_member_value(w, "temperature", temperature->value);
    return MOOT_OK;
}

void moot__chat_write_stop(const struct moot_chat *chat, const char *key,
                           struct moot_json_writer *w)
{
    const struct moot_json *stop = value_of(chat, "stop");
    if (!stop)
        return;
    if (moot__json_is_array(stop)) {
        moot__json_write_member_value(w, key, stop);
        return;
    }
    moot__json_write_member_array_begin(w, key);
    moot__json_write_value(w, stop);
    moot__json_write_array_end(w);
}

void moot__chat_write_schema(const struct moot_chat_tool *tool, struct moot_json_writer *w)
{
    if (tool->parameters) {
        moot__json_write_value(w, tool->parameters);
        return;
    }
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "type", "object");
    moot__json_write_object_end(w);
}
