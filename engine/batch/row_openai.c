/* OpenAI's Batch API. In: {custom_id, method, url, body}; out: {id, custom_id, response, error}. A
 * call that the provider refused has its status under `response`, any other failure is under
 * `error`. platform.openai.com/docs/guides/batch */
#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "row_dialect.h"

static bool is_like(const struct moot_json *line)
{
    return moot__json_get(line, "custom_id") && moot__json_is_object(moot__json_get(line, "body"));
}

static int read(struct moot_row *row, struct moot_error_info *info)
{
    static const char *const known[] = {"custom_id", "method", "url", "body", NULL};
    if (!moot__row_read_id(row, row->input, "custom_id"))
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                             "custom_id is missing, empty, too long or no text");
    const struct moot_json *body = moot__json_get(row->input, "body");
    struct moot_view url = moot__json_text(row->input, "url");
    if (url.len > 0 && !moot__view_ends(url, MOOT_VIEW("/chat/completions")))
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                             "url is not /v1/chat/completions, the only one that is understood");
    int rc = moot__row_read_messages(row, moot__json_get(body, "messages"), NULL, info);
    if (rc == MOOT_OK)
        rc = moot__row_read_params(row, body, true);
    return rc == MOOT_OK ? moot__row_read_metadata(row, row->input, known) : rc;
}

static void write_usage(struct moot_json_writer *w, const struct moot_usage *usage)
{
    moot__json_write_member_object_begin(w, "usage");
    moot__json_write_member_u64(w, "prompt_tokens", usage->input_tokens);
    moot__json_write_member_u64(w, "completion_tokens", usage->output_tokens);
    moot__json_write_member_u64(w, "total_tokens", usage->total_tokens);
    moot__json_write_object_end(w);
}

static void write_completion(struct moot_json_writer *w, const struct moot_row *row,
                             const struct moot_outcome *outcome)
{
    moot__json_write_member_object_begin(w, "body");
    moot__row_write_name(w, "id", "chatcmpl-", row);
    moot__json_write_member_str(w, "object", "chat.completion");
    moot__json_write_member_u64(w, "created", outcome->ended_wall_ns / MOOT_NS_PER_S);
    moot__json_write_member_string(w, "model", outcome->model);
    moot__json_write_member_array_begin(w, "choices");
    moot__json_write_object_begin(w);
    moot__json_write_member_u64(w, "index", 0);
    moot__json_write_member_object_begin(w, "message");
    moot__json_write_member_str(w, "role", "assistant");
    moot__json_write_member_string(w, "content", outcome->text);
    moot__json_write_object_end(w);
    moot__json_write_member_null(w, "logprobs");
    moot__json_write_member_string(w, "finish_reason", outcome->finish_reason);
    moot__json_write_object_end(w);
    moot__json_write_array_end(w);
    if (outcome->usage.known)
        write_usage(w, &outcome->usage);
    moot__json_write_object_end(w);
}

static void write_result(struct moot_json_writer *w, const struct moot_row *row,
                         const struct moot_outcome *outcome)
{
    moot__json_write_member_object_begin(w, "response");
    moot__json_write_member_u64(w, "status_code", 200);
    moot__row_write_name(w, "request_id", "req_", row);
    write_completion(w, row, outcome);
    moot__json_write_object_end(w);
    moot__json_write_member_null(w, "error");
    moot__row_write_metadata(w, row);
}

/* The provider's own refusal. */
static void write_refusal(struct moot_json_writer *w, const struct moot_row *row,
                          const struct moot_error_info *error)
{
    const char *word = moot__row_error_word(row, error);
    moot__json_write_member_object_begin(w, "response");
    moot__json_write_member_i64(w, "status_code", error->http_status);
    moot__row_write_name(w, "request_id", "req_", row);
    moot__json_write_member_object_begin(w, "body");
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_str(w, "message", error->message);
    moot__json_write_member_str(w, "type", word);
    moot__json_write_member_null(w, "param");
    moot__json_write_member_str(w, "code", word);
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
    moot__json_write_object_end(w);
    moot__json_write_member_null(w, "error");
}

static void write_error(struct moot_json_writer *w, const struct moot_row *row,
                        const struct moot_error_info *error)
{
    if (error->http_status >= 400) {
        write_refusal(w, row, error);
    } else {
        moot__json_write_member_null(w, "response");
        moot__json_write_member_object_begin(w, "error");
        moot__json_write_member_str(w, "code", moot__row_error_word(row, error));
        moot__json_write_member_str(w, "message", error->message);
        moot__json_write_member_null(w, "param");
        if (error->code == MOOT_EINPUT)
            moot__json_write_member_u64(w, "line", row->line);
        else
            moot__json_write_member_null(w, "line");
        moot__json_write_object_end(w);
    }
    moot__row_write_metadata(w, row);
}

const struct moot_row_dialect moot__row_openai = {
    .name = "openai",
    .endpoint = "/v1/chat/completions",
    .id_key = "custom_id",
    .is_like = is_like,
    .read = read,
    .write_result = write_result,
    .write_error = write_error,
};
