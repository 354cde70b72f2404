/* OpenAI, and every server that speaks its chat completions: base URL plus /chat/completions. */
#include "dialect.h"
#include "openai_chat.h"
#include "provider_error.h"
#include "target.h"

static int write_target(const struct moot_request *request, struct moot_view base_path,
                        struct moot_buf *out)
{
    (void)request;
    int rc = moot__target_base(out, base_path);
    return rc != MOOT_OK ? rc : moot__target_part(out, "chat/completions");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* o1, o3-mini, gpt-5, gpt-5.1, ...: the families that refuse max_tokens and a temperature. */
static bool wants_newer_names(struct moot_view model)
{
    struct moot_view tuned = MOOT_VIEW("ft:"), gpt = MOOT_VIEW("gpt-");
    if (moot__view_starts(model, tuned))
        model = moot__view(model.ptr + tuned.len, model.len - tuned.len);
    if (model.len >= 2 && model.ptr[0] == 'o' && is_digit(model.ptr[1]))
        return true;
    if (!moot__view_starts(model, gpt) || model.len == gpt.len)
        return false;
    char generation = model.ptr[gpt.len];
    bool has_two_digits = model.len > gpt.len + 1 && is_digit(model.ptr[gpt.len + 1]);
    return is_digit(generation) && (generation >= '5' || has_two_digits);
}

static int write_body(const struct moot_request *request, struct moot_arena *scratch,
                      struct moot_json_writer *writer, struct moot_error_info *info)
{
    (void)info;
    const struct moot_openai_chat_options options = {
        .model = true,
        .include_usage = true,
        .newer_names = wants_newer_names(request->agent->endpoint),
    };
    return moot__openai_chat_write(request, &options, scratch, writer);
}

const struct moot_dialect moot__dialect_openai = {
    .type = "openai",
    .surface = "chat",
    .auth = MOOT_AUTH_BEARER,
    .write_target = write_target,
    .write_body = write_body,
    .read_reply = moot__openai_chat_read_reply,
    .read_event = moot__openai_chat_read_event,
    .read_error = moot__provider_error_read,
};
