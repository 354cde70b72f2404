/* Message batches, as Anthropic's API and Bedrock's model invocation jobs have them.
 *
 * Anthropic  in {custom_id, params}         out {custom_id, result: {type, message | error}}
 * Bedrock    in {recordId?, modelInput}     out {recordId, modelInput, modelOutput | error}
 *
 * Both hold a Messages body: messages, and system beside them. */
#include "engine/base/err.h"
#include "row_dialect.h"

static bool is_like_anthropic(const struct moot_json *line)
{
    return moot__json_get(line, "custom_id") &&
           moot__json_is_object(moot__json_get(line, "params"));
}

static bool is_like_bedrock(const struct moot_json *line)
{
    return moot__json_is_object(moot__json_get(line, "modelInput"));
}

static int read_body(struct moot_row *row, const struct moot_json *body,
                     struct moot_error_info *info)
{
    int rc = moot__row_read_messages(row, moot__json_get(body, "messages"),
                                     moot__json_get(body, "system"), info);
    return rc == MOOT_OK ? moot__row_read_params(row, body, true) : rc;
}

static int read_anthropic(struct moot_row *row, struct moot_error_info *info)
{
    static const char *const known[] = {"custom_id", "params", NULL};
    if (!moot__row_read_id(row, row->input, "custom_id"))
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                             "custom_id is missing, empty, too long or no text");
    int rc = read_body(row, moot__json_get(row->input, "params"), info);
    return rc == MOOT_OK ? moot__row_read_metadata(row, row->input, known) : rc;
}

static int read_bedrock(struct moot_row *row, struct moot_error_info *info)
{
    static const char *const known[] = {"recordId", "modelInput", NULL};
    moot__row_read_id(row, row->input, "recordId");
    int rc = read_body(row, moot__json_get(row->input, "modelInput"), info);
    return rc == MOOT_OK ? moot__row_read_metadata(row, row->input, known) : rc;
}

/* The Messages API has words of its own for why an answer ended. */
static struct moot_view stop_reason(struct moot_view reason)
{
    if (moot__view_is(reason, "stop"))
        return MOOT_VIEW("end_turn");
    if (moot__view_is(reason, "length"))
        return MOOT_VIEW("max_tokens");
    if (moot__view_is(reason, "tool_calls"))
        return MOOT_VIEW("tool_use");
    if (moot__view_is(reason, "content_filter"))
        return MOOT_VIEW("refusal");
    return reason;
}

static void write_message(struct moot_json_writer *w, const char *key, const struct moot_row *row,
                          const struct moot_outcome *outcome)
{
    moot__json_write_member_object_begin(w, key);
    moot__row_write_name(w, "id", "msg_", row);
    moot__json_write_member_str(w, "type", "message");
    moot__json_write_member_str(w, "role", "assistant");
    moot__json_write_member_string(w, "model", outcome->model);
    moot__json_write_member_array_begin(w, "content");
    moot__json_write_object_begin(w);
    moot__json_write_member_str(w, "type", "text");
    moot__json_write_member_string(w, "text", outcome->text);
    moot__json_write_object_end(w);
    moot__json_write_array_end(w);
    moot__json_write_member_string(w, "stop_reason", stop_reason(outcome->finish_reason));
    moot__json_write_member_null(w, "stop_sequence");
    if (outcome->usage.known) {
        moot__json_write_member_object_begin(w, "usage");
        moot__json_write_member_u64(w, "input_tokens", outcome->usage.input_tokens);
        moot__json_write_member_u64(w, "output_tokens", outcome->usage.output_tokens);
        moot__json_write_object_end(w);
    }
    moot__json_write_object_end(w);
}

static void write_anthropic_result(struct moot_json_writer *w, const struct moot_row *row,
                                   const struct moot_outcome *outcome)
{
    moot__json_write_member_object_begin(w, "result");
    moot__json_write_member_str(w, "type", "succeeded");
    write_message(w, "message", row, outcome);
    moot__json_write_object_end(w);
    moot__row_write_metadata(w, row);
}

static void write_anthropic_error(struct moot_json_writer *w, const struct moot_row *row,
                                  const struct moot_error_info *error)
{
    moot__json_write_member_object_begin(w, "result");
    moot__json_write_member_str(w, "type", "errored");
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_str(w, "type", "error");
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_str(w, "type",
                                error->code == MOOT_EINPUT ? "invalid_request_error"
                                                           : moot__row_error_word(row, error));
    moot__json_write_member_str(w, "message", error->message);
    moot__json_write_object_end(w);
    moot__json_write_member_null(w, "request_id");
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
    moot__row_write_metadata(w, row);
}

static void write_bedrock_result(struct moot_json_writer *w, const struct moot_row *row,
                                 const struct moot_outcome *outcome)
{
    moot__json_write_member_value(w, "modelInput", moot__json_get(row->input, "modelInput"));
    write_message(w, "modelOutput", row, outcome);
    moot__row_write_metadata(w, row);
}

static void write_bedrock_error(struct moot_json_writer *w, const struct moot_row *row,
                                const struct moot_error_info *error)
{
    moot__json_write_member_value(w, "modelInput", moot__json_get(row->input, "modelInput"));
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_i64(w, "errorCode", error->http_status ? error->http_status : 400);
    moot__json_write_member_str(w, "errorMessage", error->message);
    moot__json_write_object_end(w);
    moot__row_write_metadata(w, row);
}

const struct moot_row_dialect moot__row_anthropic = {
    .name = "anthropic",
    .endpoint = "/v1/messages",
    .id_key = "custom_id",
    .is_like = is_like_anthropic,
    .read = read_anthropic,
    .write_result = write_anthropic_result,
    .write_error = write_anthropic_error,
};

const struct moot_row_dialect moot__row_bedrock = {
    .name = "bedrock",
    .endpoint = "InvokeModel",
    .id_key = "recordId",
    .is_like = is_like_bedrock,
    .read = read_bedrock,
    .write_result = write_bedrock_result,
    .write_error = write_bedrock_error,
};
