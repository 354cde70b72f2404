/* Bedrock: Converse's answers and events, Claude's inside of chunks, and the names of errors. */
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "shape_anthropic.h"
#include "shape_openai.h"

#include <stdio.h>

/* ---- failures ---- */

static const char *error_type(const struct moot_emulator_failure *failure)
{
    static const struct {
        int status;
        const char *type;
    } types[] = {
        {400, "ValidationException"},         {401, "AccessDeniedException"},
        {403, "AccessDeniedException"},       {404, "ResourceNotFoundException"},
        {405, "UnknownOperationException"},   {408, "ModelTimeoutException"},
        {409, "ConflictException"},           {413, "ValidationException"},
        {422, "ValidationException"},         {424, "ModelErrorException"},
        {429, "ThrottlingException"},         {500, "InternalServerException"},
        {503, "ServiceUnavailableException"},
    };
    if (failure->aws_type)
        return failure->aws_type;
    for (size_t i = 0; i < moot__countof(types); i++)
        if (types[i].status == failure->status)
            return types[i].type;
    return "InternalServerException";
}

static void write_failure(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                          const struct moot_emulator_failure *failure)
{
    (void)c;
    moot__json_write_member_str(w, "message", failure->message);
}

/* ---- Converse ---- */

void moot__emulator_write_padding(struct moot_json_writer *w,
                                  const struct moot_emulator_connection *c)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    struct moot_rng rng;
    uint64_t event = (c->reply.number << 24) + c->reply.tokens_sent;
    moot__emulator_draw(c->emulator, MOOT_EMULATOR_DRAW_PADDING, event, &rng);
    size_t len = 1 + (size_t)moot__rng_below(&rng, sizeof letters - 1);
    moot__json_write_member_string(w, "p", moot__view(letters, len));
}

static const char *stop_reason(const struct moot_emulator_connection *c)
{
    return c->reply.is_call ? "tool_use" : c->reply.is_cut ? "max_tokens" : "end_turn";
}

static void write_usage(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        uint64_t completion)
{
    struct moot_emulator_usage usage = moot__emulator_usage(c, completion);
    if (c->reply.fault != MOOT_EMULATOR_FAULT_NO_USAGE) {
        moot__json_write_member_object_begin(w, "usage");
        moot__json_write_member_u64(w, "inputTokens", usage.prompt);
        moot__json_write_member_u64(w, "outputTokens", usage.completion);
        moot__json_write_member_u64(w, "totalTokens", usage.prompt + usage.completion);
        moot__json_write_object_end(w);
    }
    moot__json_write_member_object_begin(w, "metrics");
    moot__json_write_member_u64(w, "latencyMs", (c->now_ns - c->reply.start_ns) / MOOT_NS_PER_MS);
    moot__json_write_object_end(w);
}

/* {toolUseId, name}, which the caller closes. */
static void begin_tool_use(struct moot_json_writer *w, const struct moot_emulator_connection *c)
{
    char id[40];
    snprintf(id, sizeof id, "tooluse_%llu", (unsigned long long)c->reply.number);
    moot__json_write_member_object_begin(w, "toolUse");
    moot__json_write_member_str(w, "toolUseId", id);
    moot__json_write_member_string(w, "name", c->request.tool);
}

static void write_block(struct moot_json_writer *w, const struct moot_emulator_connection *c)
{
    moot__json_write_object_begin(w);
    if (c->reply.is_call) {
        begin_tool_use(w, c);
        moot__json_write_key_str(w, "input");
        moot__emulator_write_arguments(w, c->request.last, true);
        moot__json_write_object_end(w);
    } else {
        moot__json_write_member_string(w, "text", c->reply.text);
    }
    moot__json_write_object_end(w);
}

static void write_whole(struct moot_json_writer *w, const struct moot_emulator_connection *c)
{
    moot__json_write_member_object_begin(w, "output");
    moot__json_write_member_object_begin(w, "message");
    moot__json_write_member_str(w, "role", "assistant");
    if (c->reply.fault == MOOT_EMULATOR_FAULT_NULL_CONTENT) {
        moot__json_write_member_null(w, "content");
    } else {
        moot__json_write_member_array_begin(w, "content");
        if (c->reply.fault != MOOT_EMULATOR_FAULT_NO_CHOICES)
            write_block(w, c);
        moot__json_write_array_end(w);
    }
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
    moot__json_write_member_str(w, "stopReason", stop_reason(c));
    write_usage(w, c, c->reply.tokens);
}

static void write_start(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        struct moot_view text)
{
    (void)text;
    moot__json_write_member_str(w, "role", "assistant");
    moot__emulator_write_padding(w, c);
}

/* Of a tool's use only: a text's block begins with its first delta. */
static void write_block_start(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                              struct moot_view text)
{
    (void)text;
    moot__json_write_member_u64(w, "contentBlockIndex", 0);
    moot__json_write_member_object_begin(w, "start");
    begin_tool_use(w, c);
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
    moot__emulator_write_padding(w, c);
}

static void write_delta(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        struct moot_view text)
{
    moot__json_write_member_u64(w, "contentBlockIndex", 0);
    moot__json_write_member_object_begin(w, "delta");
    if (c->reply.is_call) {
        moot__json_write_member_object_begin(w, "toolUse");
        moot__json_write_member_string(w, "input", text);
        moot__json_write_object_end(w);
    } else {
        moot__json_write_member_string(w, "text", text);
    }
    moot__json_write_object_end(w);
    moot__emulator_write_padding(w, c);
}

static void write_block_stop(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                             struct moot_view text)
{
    (void)text;
    moot__json_write_member_u64(w, "contentBlockIndex", 0);
    moot__emulator_write_padding(w, c);
}

static void write_stop(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                       struct moot_view text)
{
    (void)text;
    moot__json_write_member_str(w, "stopReason", stop_reason(c));
    moot__emulator_write_padding(w, c);
}

static void write_metadata(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                           struct moot_view text)
{
    (void)text;
    write_usage(w, c, c->reply.tokens_sent);
    moot__emulator_write_padding(w, c);
}

/* What breaks a stream off is named as in the HTTP header, but begins in lower case. */
#define BROKEN                                                                                     \
    .stream_type = "application/vnd.amazon.eventstream", .broken_status = 429,                     \
    .broken_event = "throttlingException", .write_broken = write_failure,                          \
    .write_failure = write_failure, .error_type = error_type

const struct moot_emulator_shape moot__emulator_shape_converse = {
    BROKEN,
    .framing = MOOT_EMULATOR_FRAMES,
    .begin = {{"messageStart", write_start, NULL},
              {"contentBlockStart", write_block_start, moot__emulator_is_call}},
    .token = {"contentBlockDelta", write_delta, NULL},
    .finish = {{"contentBlockStop", write_block_stop, NULL}, {"messageStop", write_stop, NULL}},
    .last = {{"metadata", write_metadata, NULL}},
    .write_whole = write_whole,
};

const struct moot_emulator_shape moot__emulator_shape_invoke = {
    BROKEN,
    MOOT_EMULATOR_ANTHROPIC_EVENTS,
    .framing = MOOT_EMULATOR_FRAMED_CHUNKS,
};
