/* Anthropic's messages, the events of their streams, and errors. */
#include "shape_anthropic.h"

#include <stdio.h>

#include "engine/base/check.h"

static void write_id(struct moot_json_writer *w, const char *prefix, uint64_t number)
{
    char id[40];
    snprintf(id, sizeof id, "%s_%llu", prefix, (unsigned long long)number);
    moot__json_write_member_str(w, "id", id);
}

static void write_usage(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        uint64_t completion)
{
    struct moot_emulator_usage usage = moot__emulator_usage(c, completion);
    if (c->reply.fault == MOOT_EMULATOR_FAULT_NO_USAGE)
        return;
    moot__json_write_member_object_begin(w, "usage");
    moot__json_write_member_u64(w, "input_tokens", usage.prompt);
    moot__json_write_member_u64(w, "cache_creation_input_tokens", 0);
    moot__json_write_member_u64(w, "cache_read_input_tokens", 0);
    moot__json_write_member_u64(w, "output_tokens", usage.completion);
    moot__json_write_object_end(w);
}

static const char *stop_reason(const struct moot_emulator_connection *c)
{
    return c->reply.is_call ? "tool_use" : c->reply.is_cut ? "max_tokens" : "end_turn";
}

static void write_message(struct moot_json_writer *w, const struct moot_emulator_connection *c)
{
    write_id(w, "msg", c->reply.number);
    moot__json_write_member_str(w, "type", "message");
    moot__json_write_member_str(w, "role", "assistant");
    moot__json_write_member_string(w, "model", c->request.endpoint);
}

/* The answer's one block; empty when a stream begins with it. */
static void write_block(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        bool is_whole)
{
    moot__json_write_object_begin(w);
    if (c->reply.is_call) {
        moot__json_write_member_str(w, "type", "tool_use");
        write_id(w, "toolu", c->reply.number);
        moot__json_write_member_string(w, "name", c->request.tool);
        moot__json_write_key_str(w, "input");
        moot__emulator_write_arguments(w, c->request.last, is_whole);
    } else {
        moot__json_write_member_str(w, "type", "text");
        moot__json_write_member_string(w, "text", is_whole ? c->reply.text : MOOT_VIEW(""));
    }
    moot__json_write_object_end(w);
}

void moot__emulator_anthropic_whole(struct moot_json_writer *w,
                                    const struct moot_emulator_connection *c)
{
    enum moot_emulator_fault fault = c->reply.fault;
    write_message(w, c);
    if (fault == MOOT_EMULATOR_FAULT_NULL_CONTENT) {
        moot__json_write_member_null(w, "content");
    } else {
        moot__json_write_member_array_begin(w, "content");
        if (fault != MOOT_EMULATOR_FAULT_NO_CHOICES)
            write_block(w, c, true);
        moot__json_write_array_end(w);
    }
    moot__json_write_member_str(w, "stop_reason", stop_reason(c));
    moot__json_write_member_null(w, "stop_sequence");
    write_usage(w, c, c->reply.tokens);
}

/* ---- events ---- */

void moot__emulator_anthropic_start(struct moot_json_writer *w,
                                    const struct moot_emulator_connection *c, struct moot_view text)
{
    (void)text;
    moot__json_write_member_str(w, "type", "message_start");
    moot__json_write_member_object_begin(w, "message");
    write_message(w, c);
    moot__json_write_member_array_begin(w, "content");
    moot__json_write_array_end(w);
    moot__json_write_member_null(w, "stop_reason");
    moot__json_write_member_null(w, "stop_sequence");
    write_usage(w, c, 1);
    moot__json_write_object_end(w);
}

void moot__emulator_anthropic_block(struct moot_json_writer *w,
                                    const struct moot_emulator_connection *c, struct moot_view text)
{
    (void)text;
    moot__json_write_member_str(w, "type", "content_block_start");
    moot__json_write_member_u64(w, "index", 0);
    moot__json_write_key_str(w, "content_block");
    write_block(w, c, false);
}

void moot__emulator_anthropic_ping(struct moot_json_writer *w,
                                   const struct moot_emulator_connection *c, struct moot_view text)
{
    (void)c;
    (void)text;
    moot__json_write_member_str(w, "type", "ping");
}

void moot__emulator_anthropic_delta(struct moot_json_writer *w,
                                    const struct moot_emulator_connection *c, struct moot_view text)
{
    moot__json_write_member_str(w, "type", "content_block_delta");
    moot__json_write_member_u64(w, "index", 0);
    moot__json_write_member_object_begin(w, "delta");
    moot__json_write_member_str(w, "type", c->reply.is_call ? "input_json_delta" : "text_delta");
    moot__json_write_member_string(w, c->reply.is_call ? "partial_json" : "text", text);
    moot__json_write_object_end(w);
}

void moot__emulator_anthropic_block_stop(struct moot_json_writer *w,
                                         const struct moot_emulator_connection *c,
                                         struct moot_view text)
{
    (void)c;
    (void)text;
    moot__json_write_member_str(w, "type", "content_block_stop");
    moot__json_write_member_u64(w, "index", 0);
}

void moot__emulator_anthropic_finish(struct moot_json_writer *w,
                                     const struct moot_emulator_connection *c,
                                     struct moot_view text)
{
    (void)text;
    moot__json_write_member_str(w, "type", "message_delta");
    moot__json_write_member_object_begin(w, "delta");
    moot__json_write_member_str(w, "stop_reason", stop_reason(c));
    moot__json_write_member_null(w, "stop_sequence");
    moot__json_write_object_end(w);
    write_usage(w, c, c->reply.tokens_sent);
}

void moot__emulator_anthropic_stop(struct moot_json_writer *w,
                                   const struct moot_emulator_connection *c, struct moot_view text)
{
    (void)c;
    (void)text;
    moot__json_write_member_str(w, "type", "message_stop");
}

/* ---- failures ---- */

static const char *error_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {401, "authentication_error"}, {403, "permission_error"}, {404, "not_found_error"},
        {408, "timeout_error"},        {409, "conflict_error"},   {413, "request_too_large"},
        {429, "rate_limit_error"},     {500, "api_error"},        {503, "api_error"},
        {504, "timeout_error"},        {529, "overloaded_error"},
    };
    for (size_t i = 0; i < moot__countof(types); i++)
        if (types[i].status == status)
            return types[i].type;
    return "invalid_request_error";
}

static void write_failure(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                          const struct moot_emulator_failure *failure)
{
    char id[MOOT_EMULATOR_ID_BYTES];
    moot__json_write_member_str(w, "type", "error");
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_str(w, "type", error_type(failure->status));
    moot__json_write_member_str(w, "message", failure->message);
    moot__json_write_object_end(w);
    moot__emulator_member_or_null(w, "request_id", moot__emulator_request_id(c, id) ? id : NULL);
}

const struct moot_emulator_shape moot__emulator_shape_anthropic = {
    MOOT_EMULATOR_ANTHROPIC_EVENTS, .stream_type = "text/event-stream; charset=utf-8",
    .broken_status = 529,           .broken_event = "error",
    .write_broken = write_failure,  .write_failure = write_failure,
};
