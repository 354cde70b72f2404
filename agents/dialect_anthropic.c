/* Anthropic's own API: https://api.anthropic.com/v1/messages, and every server that speaks it. */
#include "anthropic.h"
#include "dialect.h"
#include "provider_error.h"
#include "target.h"

static int write_target(const struct moot_request *request, struct moot_view base_path,
                        struct moot_buf *out)
{
    (void)request;
    int rc = moot__target_base(out, moot__target_without(base_path, MOOT_VIEW("/v1")));
    return rc != MOOT_OK ? rc : moot__target_part(out, "v1/messages");
}

static int write_body(const struct moot_request *request, struct moot_arena *scratch,
                      struct moot_json_writer *writer, struct moot_error_info *info)
{
    static const struct moot_anthropic_options options = {.who = "Anthropic", .names_model = true};
    return moot__anthropic_write(request, &options, scratch, writer, info);
}

const struct moot_dialect moot__dialect_anthropic = {
    .type = "anthropic",
    .surface = "messages",
    .auth = MOOT_AUTH_X_API_KEY,
    .version = "2023-06-01",
    .version_header = "anthropic-version",
    .counting = {.only_used = true, .cached_free = true},
    .must_end = true,
    .write_target = write_target,
    .write_body = write_body,
    .read_reply = moot__anthropic_read_reply,
    .read_event = moot__anthropic_read_event,
    .read_error = moot__provider_error_read,
};
