/* OpenAI's answers, chunks and errors, and what Databricks makes of them: the usage on every chunk,
 * and errors of its own. */
#include "shape_openai.h"

#include <stdio.h>

#include "engine/base/check.h"

/* ---- failures ---- */

static void write_error(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        const struct moot_emulator_failure *failure)
{
    (void)c;
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_str(w, "message", failure->message);
    moot__json_write_member_str(w, "type", failure->type);
    moot__emulator_member_or_null(w, "param", failure->param);
    moot__emulator_member_or_null(w, "code", failure->code);
    moot__json_write_object_end(w);
}

static void write_databricks_error(struct moot_json_writer *w,
                                   const struct moot_emulator_connection *c,
                                   const struct moot_emulator_failure *failure)
{
    (void)c;
    moot__json_write_member_str(w, "error_code", failure->databricks_code);
    moot__json_write_member_str(w, "message", failure->message);
}

/* ---- answers ---- */

static void write_preamble(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                           const char *object)
{
    char id[40];
    snprintf(id, sizeof id, "chatcmpl-%llu", (unsigned long long)c->reply.number);
    moot__json_write_member_str(w, "id", id);
    moot__json_write_member_str(w, "object", object);
    moot__json_write_member_u64(w, "created", moot__emulator_created(c));
    moot__json_write_member_string(w, "model", c->request.endpoint);
}

static void write_usage(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        uint64_t completion)
{
    struct moot_emulator_usage usage = moot__emulator_usage(c, completion);
    moot__json_write_member_object_begin(w, "usage");
    moot__json_write_member_u64(w, "prompt_tokens", usage.prompt);
    moot__json_write_member_u64(w, "completion_tokens", usage.completion);
    moot__json_write_member_u64(w, "total_tokens", usage.prompt + usage.completion);
    moot__json_write_object_end(w);
}

static void write_content(struct moot_json_writer *w, enum moot_emulator_fault fault,
                          struct moot_view text)
{
    if (fault == MOOT_EMULATOR_FAULT_NULL_CONTENT) {
        moot__json_write_member_null(w, "content");
    } else if (fault == MOOT_EMULATOR_FAULT_CONTENT_LIST) {
        moot__json_write_member_array_begin(w, "content");
        moot__json_write_object_begin(w);
        moot__json_write_member_str(w, "type", "text");
        moot__json_write_member_string(w, "text", text);
        moot__json_write_object_end(w);
        moot__json_write_array_end(w);
    } else {
        moot__json_write_member_string(w, "content", text);
    }
}

static const char *finish_reason(const struct moot_emulator_connection *c)
{
    return c->reply.is_call ? "tool_calls" : c->reply.is_cut ? "length" : "stop";
}

/* The one call: in a stream its beginning names the tool, what follows adds to the arguments. */
static void write_call(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                       bool is_begin, struct moot_view arguments)
{
    char id[40];
    moot__json_write_member_array_begin(w, "tool_calls");
    moot__json_write_object_begin(w);
    if (c->request.stream)
        moot__json_write_member_u64(w, "index", 0);
    if (is_begin) {
        snprintf(id, sizeof id, "call_%llu", (unsigned long long)c->reply.number);
        moot__json_write_member_str(w, "id", id);
        moot__json_write_member_str(w, "type", "function");
    }
    moot__json_write_member_object_begin(w, "function");
    if (is_begin)
        moot__json_write_member_string(w, "name", c->request.tool);
    moot__json_write_member_string(w, "arguments", arguments);
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
    moot__json_write_array_end(w);
}

static void write_choice(struct moot_json_writer *w, const struct moot_emulator_connection *c)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_u64(w, "index", 0);
    moot__json_write_member_object_begin(w, "message");
    moot__json_write_member_str(w, "role", "assistant");
    if (c->reply.is_call) {
        moot__json_write_member_null(w, "content");
        write_call(w, c, true, c->reply.text);
    } else {
        write_content(w, c->reply.fault, c->reply.text);
    }
    moot__json_write_object_end(w);
    moot__json_write_member_str(w, "finish_reason", finish_reason(c));
    moot__json_write_object_end(w);
}

void moot__emulator_openai_whole(struct moot_json_writer *w,
                                 const struct moot_emulator_connection *c)
{
    write_preamble(w, c, "chat.completion");
    moot__json_write_member_array_begin(w, "choices");
    if (c->reply.fault != MOOT_EMULATOR_FAULT_NO_CHOICES)
        write_choice(w, c);
    moot__json_write_array_end(w);
    if (c->reply.fault != MOOT_EMULATOR_FAULT_NO_USAGE)
        write_usage(w, c, c->reply.tokens);
}

/* ---- chunks ---- */

/* All of a chunk up to its delta, which is open; false where there is to be none. */
static bool begin_delta(struct moot_json_writer *w, const struct moot_emulator_connection *c)
{
    write_preamble(w, c, "chat.completion.chunk");
    moot__json_write_member_array_begin(w, "choices");
    if (c->reply.fault == MOOT_EMULATOR_FAULT_NO_CHOICES)
        return false;
    moot__json_write_object_begin(w);
    moot__json_write_member_u64(w, "index", 0);
    moot__json_write_member_object_begin(w, "delta");
    return true;
}

static void end_delta(struct moot_json_writer *w, const char *finish)
{
    moot__json_write_object_end(w);
    moot__emulator_member_or_null(w, "finish_reason", finish);
    moot__json_write_object_end(w);
}

/* Of every chunk but the last: null where the client asked for usage; Databricks always tells. */
static void end_chunk(struct moot_json_writer *w, const struct moot_emulator_connection *c)
{
    moot__json_write_array_end(w);
    if (c->reply.fault == MOOT_EMULATOR_FAULT_NO_USAGE)
        return;
    if (c->request.surface == MOOT_EMULATOR_DATABRICKS)
        write_usage(w, c, c->reply.tokens_sent);
    else if (c->request.include_usage)
        moot__json_write_member_null(w, "usage");
}

void moot__emulator_openai_role(struct moot_json_writer *w,
                                const struct moot_emulator_connection *c, struct moot_view text)
{
    (void)text;
    if (begin_delta(w, c)) {
        moot__json_write_member_str(w, "role", "assistant");
        if (c->reply.is_call)
            moot__json_write_member_null(w, "content");
        else
            moot__json_write_member_str(w, "content", "");
        end_delta(w, NULL);
    }
    end_chunk(w, c);
}

void moot__emulator_openai_token(struct moot_json_writer *w,
                                 const struct moot_emulator_connection *c, struct moot_view text)
{
    if (begin_delta(w, c)) {
        if (c->reply.is_call)
            write_call(w, c, false, text);
        else
            write_content(w, c->reply.fault, text);
        end_delta(w, NULL);
    }
    end_chunk(w, c);
}

void moot__emulator_openai_call(struct moot_json_writer *w,
                                const struct moot_emulator_connection *c, struct moot_view text)
{
    if (begin_delta(w, c)) {
        write_call(w, c, true, text);
        end_delta(w, NULL);
    }
    end_chunk(w, c);
}

void moot__emulator_openai_finish(struct moot_json_writer *w,
                                  const struct moot_emulator_connection *c, struct moot_view text)
{
    (void)text;
    if (begin_delta(w, c))
        end_delta(w, finish_reason(c));
    end_chunk(w, c);
}

/* As OpenRouter: the code beside it is a number. */
void moot__emulator_openai_error_finish(struct moot_json_writer *w,
                                        const struct moot_emulator_connection *c,
                                        struct moot_view text)
{
    (void)text;
    if (begin_delta(w, c))
        end_delta(w, "error");
    moot__json_write_array_end(w);
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_u64(w, "code", 502);
    moot__json_write_member_str(w, "message", "The upstream had an error.");
    moot__json_write_object_end(w);
    if (c->request.surface == MOOT_EMULATOR_DATABRICKS)
        write_usage(w, c, c->reply.tokens_sent);
    else if (c->request.include_usage)
        moot__json_write_member_null(w, "usage");
}

bool moot__emulator_openai_wants_usage(const struct moot_emulator_connection *c)
{
    return c->request.include_usage && c->reply.fault != MOOT_EMULATOR_FAULT_NO_USAGE;
}

/* No choices, the usage. */
void moot__emulator_openai_usage(struct moot_json_writer *w,
                                 const struct moot_emulator_connection *c, struct moot_view text)
{
    (void)text;
    write_preamble(w, c, "chat.completion.chunk");
    moot__json_write_member_array_begin(w, "choices");
    moot__json_write_array_end(w);
    write_usage(w, c, c->reply.tokens_sent);
}

const struct moot_emulator_shape moot__emulator_shape_openai = {
    MOOT_EMULATOR_OPENAI_STREAM,
    MOOT_EMULATOR_OPENAI_USAGE,
    .begin = {{NULL, moot__emulator_openai_role, NULL}, MOOT_EMULATOR_OPENAI_CALL},
    .write_broken = write_error,
    .write_failure = write_error,
};

const struct moot_emulator_shape moot__emulator_shape_databricks = {
    MOOT_EMULATOR_OPENAI_STREAM,
    .begin = {{NULL, moot__emulator_openai_role, NULL}, MOOT_EMULATOR_OPENAI_CALL},
    .write_broken = write_error,
    .write_failure = write_databricks_error,
};
