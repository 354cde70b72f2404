/* OpenAI, and every server that speaks its chat completions: base URL plus /chat/completions. */
#include "dialect.h"
#include "openai_chat.h"
#include "provider_error.h"
#include "quirks.h"
#include "target.h"

static int write_target(const struct moot_request *request, struct moot_view base_path,
                        struct moot_buf *out)
{
    (void)request;
    int rc = moot__target_base(out, base_path);
    return rc != MOOT_OK ? rc : moot__target_part(out, "chat/completions");
}

static int write_body(const struct moot_request *request, struct moot_arena *scratch,
                      struct moot_json_writer *writer, struct moot_error_info *info)
{
    (void)info;
    const struct moot_openai_chat_options options = {
        .model = true,
        .include_usage = true,
        .newer_names = moot__model_quirks(request->agent->endpoint) & MOOT_QUIRK_NEWER_NAMES,
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
