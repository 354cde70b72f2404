/* The JSON of the surfaces: OpenAI's and Databricks' answers, chunks and errors; our own ledger. */
#include "shape.h"

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/json_write.h"

enum { GOLDEN_PROMPT_TOKENS = 11, GOLDEN_COMPLETION_TOKENS = 7 };
static const uint64_t golden_created = 1700000000;

/* ---- failures ---- */

struct moot_emulator_failure moot__emulator_failure(int status, enum moot_emulator_fault fault)
{
    static const struct moot_emulator_failure failures[] = {
        {302, "redirect", NULL, "BAD_REQUEST", NULL, "The service has moved."},
        {400, "invalid_request_error", NULL, "BAD_REQUEST", NULL, "The request is malformed."},
        {401, "invalid_request_error", "invalid_api_key", "UNAUTHENTICATED", NULL,
         "The API key is missing or wrong."},
        {403, "invalid_request_error", NULL, "PERMISSION_DENIED", NULL,
         "The API key may not use this model."},
        {404, "invalid_request_error", "model_not_found", "RESOURCE_DOES_NOT_EXIST", "model",
         "The model does not exist."},
        {405, "invalid_request_error", NULL, "BAD_REQUEST", NULL,
         "The method is not allowed here."},
        {408, "server_error", "request_timeout", "DEADLINE_EXCEEDED", NULL,
         "The request took too long."},
        {409, "invalid_request_error", NULL, "ABORTED", NULL, "The request was in conflict."},
        {413, "invalid_request_error", NULL, "BAD_REQUEST", NULL, "The request is too large."},
        {422, "invalid_request_error", NULL, "INVALID_PARAMETER_VALUE", NULL,
         "The request cannot be processed."},
        {429, "requests", "rate_limit_exceeded", "REQUEST_LIMIT_EXCEEDED", NULL,
         "The rate limit was reached. Try again later."},
        {500, "server_error", NULL, "INTERNAL_ERROR", NULL, "The server had an error."},
        {503, "server_error", NULL, "TEMPORARILY_UNAVAILABLE", NULL,
         "The service is not available for the moment."},
        {529, "overloaded_error", NULL, "TEMPORARILY_UNAVAILABLE", NULL,
         "The service is overloaded."},
    };
    static const struct moot_emulator_failure no_quota = {
        429,
        "insufficient_quota",
        "insufficient_quota",
        "RESOURCE_EXHAUSTED",
        NULL,
        "The quota is exhausted. Check the plan and the billing details."};
    static const struct moot_emulator_failure slow_down = {
        429,         "requests",
        "slow_down", "RESOURCE_EXHAUSTED",
        NULL,        "The rate of requests rose too fast. Slow down."};
    if (fault == MOOT_EMULATOR_FAULT_QUOTA)
        return no_quota;
    if (fault == MOOT_EMULATOR_FAULT_SLOW_DOWN)
        return slow_down;
    for (size_t i = 0; i < moot__countof(failures); i++)
        if (failures[i].status == status)
            return failures[i];
    struct moot_emulator_failure other = failures[1];
    other.status = status;
    return other;
}

static void member_or_null(struct moot_json_writer *w, const char *key, const char *text)
{
    if (text)
        moot__json_write_member_str(w, key, text);
    else
        moot__json_write_member_null(w, key);
}

static void write_error(struct moot_json_writer *w, const struct moot_emulator_failure *failure)
{
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_str(w, "message", failure->message);
    moot__json_write_member_str(w, "type", failure->type);
    member_or_null(w, "param", failure->param);
    member_or_null(w, "code", failure->code);
    moot__json_write_object_end(w);
}

int moot__emulator_shape_failure(enum moot_emulator_surface surface,
                                 const struct moot_emulator_failure *failure, struct moot_buf *out)
{
    struct moot_json_writer w;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    if (surface == MOOT_EMULATOR_DATABRICKS) {
        moot__json_write_member_str(&w, "error_code", failure->databricks_code);
        moot__json_write_member_str(&w, "message", failure->message);
    } else {
        write_error(&w, failure);
    }
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

int moot__emulator_shape_error_object(const struct moot_emulator_failure *failure,
                                      struct moot_buf *out)
{
    struct moot_json_writer w;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    moot__json_write_member_str(&w, "object", "error");
    moot__json_write_member_str(&w, "message", failure->message);
    moot__json_write_member_str(&w, "type", failure->type);
    member_or_null(&w, "param", failure->param);
    moot__json_write_member_i64(&w, "code", failure->status);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

/* ---- answers ---- */

static bool is_golden(const struct moot_emulator_connection *c)
{
    return c->emulator->options.answer == MOOT_EMULATOR_GOLDEN;
}

static void write_preamble(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                           const char *object)
{
    char id[40];
    snprintf(id, sizeof id, "chatcmpl-%llu", (unsigned long long)c->reply.number);
    moot__json_write_member_str(w, "id", id);
    moot__json_write_member_str(w, "object", object);
    moot__json_write_member_u64(w, "created", is_golden(c) ? golden_created : c->reply.created);
    moot__json_write_member_string(w, "model", c->request.endpoint);
}

static void write_usage(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        uint64_t completion)
{
    uint64_t prompt = c->request.prompt_tokens;
    if (is_golden(c)) {
        prompt = GOLDEN_PROMPT_TOKENS;
        completion = GOLDEN_COMPLETION_TOKENS;
    }
    moot__json_write_member_object_begin(w, "usage");
    moot__json_write_member_u64(w, "prompt_tokens", prompt);
    moot__json_write_member_u64(w, "completion_tokens", completion);
    moot__json_write_member_u64(w, "total_tokens", prompt + completion);
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
    return c->reply.is_cut ? "length" : "stop";
}

int moot__emulator_shape_whole(const struct moot_emulator_connection *c, struct moot_buf *out)
{
    struct moot_json_writer w;
    enum moot_emulator_fault fault = c->reply.fault;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    write_preamble(&w, c, "chat.completion");
    moot__json_write_member_array_begin(&w, "choices");
    if (fault != MOOT_EMULATOR_FAULT_NO_CHOICES) {
        moot__json_write_object_begin(&w);
        moot__json_write_member_u64(&w, "index", 0);
        moot__json_write_member_object_begin(&w, "message");
        moot__json_write_member_str(&w, "role", "assistant");
        write_content(&w, fault, c->reply.text);
        moot__json_write_object_end(&w);
        moot__json_write_member_str(&w, "finish_reason", finish_reason(c));
        moot__json_write_object_end(&w);
    }
    moot__json_write_array_end(&w);
    if (fault != MOOT_EMULATOR_FAULT_NO_USAGE)
        write_usage(&w, c, c->reply.tokens);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

/* ---- chunks ---- */

static void write_delta(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                        enum moot_emulator_chunk chunk, struct moot_view text)
{
    moot__json_write_object_begin(w);
    moot__json_write_member_u64(w, "index", 0);
    moot__json_write_member_object_begin(w, "delta");
    if (chunk == MOOT_EMULATOR_CHUNK_ROLE) {
        moot__json_write_member_str(w, "role", "assistant");
        moot__json_write_member_str(w, "content", "");
    } else if (chunk == MOOT_EMULATOR_CHUNK_TEXT) {
        write_content(w, c->reply.fault, text);
    }
    moot__json_write_object_end(w);
    if (chunk == MOOT_EMULATOR_CHUNK_FINISH)
        moot__json_write_member_str(w, "finish_reason", finish_reason(c));
    else if (chunk == MOOT_EMULATOR_CHUNK_ERROR_FINISH)
        moot__json_write_member_str(w, "finish_reason", "error");
    else
        moot__json_write_member_null(w, "finish_reason");
    moot__json_write_object_end(w);
}

static void write_chunk_usage(struct moot_json_writer *w, const struct moot_emulator_connection *c,
                              enum moot_emulator_chunk chunk)
{
    if (c->reply.fault == MOOT_EMULATOR_FAULT_NO_USAGE)
        return;
    bool is_databricks = c->request.surface == MOOT_EMULATOR_DATABRICKS;
    if (is_databricks || chunk == MOOT_EMULATOR_CHUNK_USAGE)
        write_usage(w, c, c->reply.tokens_sent);
    else if (c->request.include_usage)
        moot__json_write_member_null(w, "usage");
}

int moot__emulator_shape_chunk(const struct moot_emulator_connection *c,
                               enum moot_emulator_chunk chunk, struct moot_view text,
                               struct moot_buf *out)
{
    struct moot_json_writer w;
    bool has_choices =
        chunk != MOOT_EMULATOR_CHUNK_USAGE && c->reply.fault != MOOT_EMULATOR_FAULT_NO_CHOICES;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    write_preamble(&w, c, "chat.completion.chunk");
    moot__json_write_member_array_begin(&w, "choices");
    if (has_choices)
        write_delta(&w, c, chunk, text);
    moot__json_write_array_end(&w);
    if (chunk == MOOT_EMULATOR_CHUNK_ERROR_FINISH) { /* as OpenRouter: the code is a number */
        moot__json_write_member_object_begin(&w, "error");
        moot__json_write_member_u64(&w, "code", 502);
        moot__json_write_member_str(&w, "message", "The upstream had an error.");
        moot__json_write_object_end(&w);
    }
    write_chunk_usage(&w, c, chunk);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

/* ---- our own documents ---- */

int moot__emulator_shape_models(const struct moot_emulator *emulator, struct moot_buf *out)
{
    struct moot_json_writer w;
    const char *model = emulator->options.model;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    moot__json_write_member_str(&w, "object", "list");
    moot__json_write_member_array_begin(&w, "data");
    moot__json_write_object_begin(&w);
    moot__json_write_member_str(&w, "id", model ? model : "emulator");
    moot__json_write_member_str(&w, "object", "model");
    moot__json_write_member_u64(&w, "created", golden_created);
    moot__json_write_member_str(&w, "owned_by", "moot");
    moot__json_write_object_end(&w);
    moot__json_write_array_end(&w);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

int moot__emulator_shape_ledger(const struct moot_emulator *emulator, struct moot_buf *out)
{
    const struct moot_emulator_ledger *ledger = &emulator->ledger;
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {{"connections", ledger->connections},     {"requests", ledger->requests},
                {"answered", ledger->answered},           {"streams", ledger->streams},
                {"throttled", ledger->throttled},         {"refused", ledger->refused},
                {"abandoned", ledger->abandoned},         {"in_flight", ledger->in_flight},
                {"in_flight_max", ledger->in_flight_max}, {"billed", ledger->billed},
                {"tokens_in", ledger->tokens_in},         {"tokens_out", ledger->tokens_out}};
    struct moot_json_writer w;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    for (size_t i = 0; i < moot__countof(rows); i++)
        moot__json_write_member_u64(&w, rows[i].name, rows[i].count);
    moot__json_write_member_object_begin(&w, "faults");
    for (unsigned i = 1; i < MOOT_EMULATOR_FAULTS; i++)
        if (ledger->faults[i])
            moot__json_write_member_u64(
                &w, moot_emulator_fault_info((enum moot_emulator_fault)i)->name, ledger->faults[i]);
    moot__json_write_object_end(&w);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

int moot__emulator_shape_log(const struct moot_emulator *emulator, struct moot_buf *out)
{
    struct moot_json_writer w;
    struct moot_emulator_log_entry entry;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    moot__json_write_member_array_begin(&w, "columns");
    moot__json_write_str(&w, "request");
    moot__json_write_str(&w, "token");
    moot__json_write_str(&w, "planned_ns");
    moot__json_write_str(&w, "sent_ns");
    moot__json_write_array_end(&w);
    moot__json_write_member_array_begin(&w, "rows");
    for (size_t i = 0; moot_emulator_log(emulator, i, &entry); i++) {
        moot__json_write_array_begin(&w);
        moot__json_write_u64(&w, entry.request);
        moot__json_write_u64(&w, entry.token);
        moot__json_write_u64(&w, entry.planned_ns);
        moot__json_write_u64(&w, entry.sent_ns);
        moot__json_write_array_end(&w);
    }
    moot__json_write_array_end(&w);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}
