/* Azure, in its four surfaces: OpenAI's models under their own version of the API (v1) and under
 * dated ones (deployments), the model inference API (models), and Claude (anthropic). An address is
 * the resource's, with or without the path that its surface begins with.
 * Sources: Azure OpenAI and Foundry REST references; openai-python's Azure client. */
#include "anthropic.h"
#include "dialect.h"
#include "openai_chat.h"
#include "provider_error.h"
#include "quirks.h"
#include "target.h"

/* The base path and the surface's root, which people may have written too. */
static int write_root(struct moot_view base_path, const char *root, struct moot_buf *out)
{
    base_path = moot__target_without(base_path, moot__view_str(root));
    int rc = moot__target_base(out, base_path);
    return rc != MOOT_OK ? rc : moot__buf_append_str(out, root);
}

static int write_version(const struct moot_dialect *dialect, const struct moot_request *request,
                         struct moot_buf *out)
{
    struct moot_view version = moot__dialect_version(dialect, request->version);
    if (version.len == 0)
        return MOOT_OK;
    int rc = moot__buf_append_str(out, "?api-version=");
    return rc != MOOT_OK ? rc : moot__target_escape(out, version);
}

static int write_v1_target(const struct moot_request *request, struct moot_view base_path,
                           struct moot_buf *out)
{
    int rc = write_root(base_path, "/openai/v1", out);
    if (rc == MOOT_OK)
        rc = moot__target_part(out, "chat/completions");
    return rc != MOOT_OK ? rc : write_version(&moot__dialect_azure, request, out);
}

static int write_deployment_target(const struct moot_request *request, struct moot_view base_path,
                                   struct moot_buf *out)
{
    int rc = write_root(base_path, "/openai", out);
    if (rc == MOOT_OK)
        rc = moot__target_part(out, "deployments");
    if (rc == MOOT_OK)
        rc = moot__target_name(out, request->agent->endpoint);
    if (rc == MOOT_OK)
        rc = moot__target_part(out, "chat/completions");
    return rc != MOOT_OK ? rc : write_version(&moot__dialect_azure_deployments, request, out);
}

static int write_models_target(const struct moot_request *request, struct moot_view base_path,
                               struct moot_buf *out)
{
    int rc = write_root(base_path, "/models", out);
    if (rc == MOOT_OK)
        rc = moot__target_part(out, "chat/completions");
    return rc != MOOT_OK ? rc : write_version(&moot__dialect_azure_models, request, out);
}

static int write_anthropic_target(const struct moot_request *request, struct moot_view base_path,
                                  struct moot_buf *out)
{
    (void)request;
    int rc = write_root(base_path, "/anthropic", out);
    return rc != MOOT_OK ? rc : moot__target_part(out, "v1/messages");
}

static int write_chat(const struct moot_request *request, bool names_model,
                      struct moot_arena *scratch, struct moot_json_writer *writer)
{
    const struct moot_openai_chat_options options = {
        .model = names_model,
        .include_usage = true,
        .newer_names = moot__model_quirks(request->agent->endpoint) & MOOT_QUIRK_NEWER_NAMES,
    };
    return moot__openai_chat_write(request, &options, scratch, writer);
}

static int write_body(const struct moot_request *request, struct moot_arena *scratch,
                      struct moot_json_writer *writer, struct moot_error_info *info)
{
    (void)info;
    return write_chat(request, true, scratch, writer);
}

static int write_deployment_body(const struct moot_request *request, struct moot_arena *scratch,
                                 struct moot_json_writer *writer, struct moot_error_info *info)
{
    (void)info;
    return write_chat(request, false, scratch, writer);
}

static int write_anthropic_body(const struct moot_request *request, struct moot_arena *scratch,
                                struct moot_json_writer *writer, struct moot_error_info *info)
{
    static const struct moot_anthropic_options options = {.who = "Claude on Azure",
                                                          .names_model = true};
    return moot__anthropic_write(request, &options, scratch, writer, info);
}

const struct moot_dialect moot__dialect_azure = {
    .type = "azure",
    .surface = "v1",
    .auth = MOOT_AUTH_API_KEY,
    .write_target = write_v1_target,
    .write_body = write_body,
    .read_reply = moot__openai_chat_read_reply,
    .read_event = moot__openai_chat_read_event,
    .read_error = moot__provider_error_read,
};

const struct moot_dialect moot__dialect_azure_deployments = {
    .type = "azure",
    .surface = "deployments",
    .auth = MOOT_AUTH_API_KEY,
    .version = "2024-10-21",
    .write_target = write_deployment_target,
    .write_body = write_deployment_body,
    .read_reply = moot__openai_chat_read_reply,
    .read_event = moot__openai_chat_read_event,
    .read_error = moot__provider_error_read,
};

const struct moot_dialect moot__dialect_azure_models = {
    .type = "azure",
    .surface = "models",
    .auth = MOOT_AUTH_API_KEY,
    .version = "2024-05-01-preview",
    .write_target = write_models_target,
    .write_body = write_body,
    .read_reply = moot__openai_chat_read_reply,
    .read_event = moot__openai_chat_read_event,
    .read_error = moot__provider_error_read,
};

const struct moot_dialect moot__dialect_azure_anthropic = {
    .type = "azure",
    .surface = "anthropic",
    .auth = MOOT_AUTH_X_API_KEY,
    .version = "2023-06-01",
    .version_header = "anthropic-version",
    .counting = {.only_used = true, .cached_free = true},
    .must_end = true,
    .write_target = write_anthropic_target,
    .write_body = write_anthropic_body,
    .read_reply = moot__anthropic_read_reply,
    .read_event = moot__anthropic_read_event,
    .read_error = moot__provider_error_read,
};
