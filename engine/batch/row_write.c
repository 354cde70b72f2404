/* What the dialects share when they write a line. */
#include "engine/base/check.h"
#include "row_dialect.h"

void moot__row_write_metadata(struct moot_json_writer *w, const struct moot_row *row)
{
    if (!row->metadata)
        return;
    moot__json_write_member_object_begin(w, "metadata");
    for (const struct moot_json *member = row->metadata; member; member = member->next) {
        moot__json_write_key(w, member->key);
        moot__json_write_value(w, member);
    }
    moot__json_write_object_end(w);
}

void moot__row_write_common(struct moot_json_writer *w, const struct moot_row *row,
                            const struct moot_outcome *outcome)
{
    moot__json_write_member_string(w, "finish_reason", outcome->finish_reason);
    moot__json_write_member_string(w, "model", outcome->model);
    if (outcome->usage.known) {
        moot__json_write_member_object_begin(w, "usage");
        moot__json_write_member_u64(w, "input_tokens", outcome->usage.input_tokens);
        moot__json_write_member_u64(w, "output_tokens", outcome->usage.output_tokens);
        moot__json_write_member_u64(w, "total_tokens", outcome->usage.total_tokens);
        moot__json_write_object_end(w);
    }
    moot__row_write_metadata(w, row);
}

void moot__row_write_name(struct moot_json_writer *w, const char *key, const char *prefix,
                          const struct moot_row *row)
{
    char name[64], hash[33];
    size_t len = strlen(prefix);
    assert(len + sizeof hash <= sizeof name);
    moot__hash_text(row->key, hash);
    memcpy(name, prefix, len);
    memcpy(name + len, hash, sizeof hash);
    moot__json_write_member_str(w, key, name);
}

const char *moot__row_error_word(const struct moot_row *row, const struct moot_error_info *error)
{
    if (row->is_duplicate)
        return "duplicate_custom_id";
    if (error->code == MOOT_EINPUT)
        return "invalid_json_line";
    switch (moot_error_class(error->code)) {
    case MOOT_CLASS_TIMEOUT:
        return "timeout";
    case MOOT_CLASS_TRANSPORT:
        return "connection_error";
    case MOOT_CLASS_INCOMPLETE:
        return "incomplete_response";
    case MOOT_CLASS_PROTOCOL:
        return "invalid_response";
    case MOOT_CLASS_CANCELLED:
        return "batch_cancelled";
    case MOOT_CLASS_BUDGET:
        return "budget_exceeded";
    case MOOT_CLASS_CONFIG:
        return "invalid_request";
    case MOOT_CLASS_PROVIDER:
        return error->provider_code[0] ? error->provider_code : "provider_error";
    case MOOT_CLASS_MEMORY:
    case MOOT_CLASS_NONE:
        break;
    }
    return "internal_error";
}

void moot__row_write_plain_error(struct moot_json_writer *w, const struct moot_row *row,
                                 const struct moot_error_info *error)
{
    moot__json_write_member_object_begin(w, "error");
    moot__json_write_member_str(w, "code", moot__row_error_word(row, error));
    moot__json_write_member_str(w, "message", error->message);
    if (error->http_status != 0)
        moot__json_write_member_i64(w, "status_code", error->http_status);
    if (error->code == MOOT_EINPUT)
        moot__json_write_member_u64(w, "line", row->line);
    else
        moot__json_write_member_str(w, "phase", moot_phase_name(error->phase));
    moot__json_write_object_end(w);
    moot__row_write_metadata(w, row);
}
