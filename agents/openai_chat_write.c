#include "engine/base/check.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "openai_chat.h"

static void write_turn(const struct moot_turn *turn, struct moot_json_writer *writer)
{
    moot__json_write_object_begin(writer);
    moot__json_write_member_string(writer, "role", turn->role);
    if (turn->content_json)
        moot__json_write_member_value(writer, "content", turn->content_json);
    else if (!turn->content_absent)
        moot__json_write_member_string(writer, "content", turn->content);
    if (turn->name.len > 0)
        moot__json_write_member_string(writer, "name", turn->name);

    const struct moot_json *member = turn->extra ? turn->extra->child : NULL;
    for (; member; member = member->next) {
        if (moot__view_is(member->key, "role") || moot__view_is(member->key, "content") ||
            moot__view_is(member->key, "name"))
            continue;
        moot__json_write_key(writer, member->key);
        moot__json_write_value(writer, member);
    }
    moot__json_write_object_end(writer);
}

/* An object without its member `strict`, nor its function's. */
static void write_without_strict(const struct moot_json *object, struct moot_json_writer *writer)
{
    if (!moot__json_is_object(object)) {
        moot__json_write_value(writer, object);
        return;
    }
    moot__json_write_object_begin(writer);
    for (const struct moot_json *member = object->child; member; member = member->next) {
        if (moot__view_is(member->key, "strict"))
            continue;
        moot__json_write_key(writer, member->key);
        if (moot__view_is(member->key, "function"))
            write_without_strict(member, writer);
        else
            moot__json_write_value(writer, member);
    }
    moot__json_write_object_end(writer);
}

static void write_tools(const struct moot_json *tools, struct moot_json_writer *writer)
{
    moot__json_write_array_begin(writer);
    for (const struct moot_json *tool = tools->child; tool; tool = tool->next)
        write_without_strict(tool, writer);
    moot__json_write_array_end(writer);
}

static void write_param(const struct moot_param *param,
                        const struct moot_openai_chat_options *options,
                        struct moot_json_writer *writer)
{
    struct moot_view name = param->name;
    bool newer_names = options->newer_names;
    if (newer_names && param->by_default && moot__view_is(name, "temperature"))
        return;
    if (newer_names && moot__view_is(name, "max_tokens"))
        name = MOOT_VIEW("max_completion_tokens");
    moot__json_write_key(writer, name);
    if (options->no_strict && moot__view_is(name, "tools") && moot__json_is_array(param->value))
        write_tools(param->value, writer);
    else
        moot__json_write_value(writer, param->value);
}

static void write_params(struct moot_params params, bool stream,
                         const struct moot_openai_chat_options *options,
                         struct moot_json_writer *writer)
{
    bool newer_names = options->newer_names;
    bool has_newer = moot__params_find(params, "max_completion_tokens") != NULL;
    for (size_t i = 0; i < params.count; i++) {
        const struct moot_param *param = &params.items[i];
        bool is_stray = !stream && moot__view_is(param->name, "stream_options");
        bool is_twice = newer_names && has_newer && moot__view_is(param->name, "max_tokens");
        if (is_stray || is_twice || moot__param_is_reserved(param->name) ||
            moot__json_is_null(param->value))
            continue;
        write_param(param, options, writer);
    }
}

int moot__openai_chat_write(const struct moot_request *request,
                            const struct moot_openai_chat_options *options,
                            struct moot_arena *scratch, struct moot_json_writer *writer)
{
    assert(request->turns.count > 0);
    struct moot_params params;
    int rc = moot__params_merge(request->agent->params, request->overriding, scratch, &params);
    if (rc != MOOT_OK)
        return rc;

    moot__json_write_object_begin(writer);
    moot__json_write_member_array_begin(writer, "messages");
    for (size_t i = 0; i < request->turns.count; i++)
        write_turn(&request->turns.items[i], writer);
    moot__json_write_array_end(writer);
    if (options->model)
        moot__json_write_member_string(writer, "model", request->agent->endpoint);
    write_params(params, request->stream, options, writer);
    if (request->stream) {
        moot__json_write_member_bool(writer, "stream", true);
        if (options->include_usage && !moot__params_find(params, "stream_options")) {
            moot__json_write_member_object_begin(writer, "stream_options");
            moot__json_write_member_bool(writer, "include_usage", true);
            moot__json_write_object_end(writer);
        }
    }
    moot__json_write_object_end(writer);
    return MOOT_OK;
}
