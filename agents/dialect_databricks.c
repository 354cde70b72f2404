/* Databricks model serving. Its own surface names the endpoint in the path and nowhere in the body;
 * the OpenAI style ones are the other way round. Usage comes on every chunk of a stream, unasked.
 */
#include "dialect.h"
#include "openai_chat.h"
#include "provider_error.h"
#include "target.h"

#define ROOT "serving-endpoints"

/* People configure the workspace, or the base URL that OpenAI's SDKs want: both are the same. */
static int write_root(struct moot_view base_path, struct moot_buf *out)
{
    int rc = moot__target_base(out, moot__target_without(base_path, MOOT_VIEW("/" ROOT)));
    return rc != MOOT_OK ? rc : moot__target_part(out, ROOT);
}

static int write_target(const struct moot_request *request, struct moot_view base_path,
                        struct moot_buf *out)
{
    int rc = write_root(base_path, out);
    if (rc == MOOT_OK)
        rc = moot__target_name(out, request->agent->endpoint);
    return rc != MOOT_OK ? rc : moot__target_part(out, "invocations");
}

static int write_chat_target(const struct moot_request *request, struct moot_view base_path,
                             struct moot_buf *out)
{
    (void)request;
    int rc = write_root(base_path, out);
    return rc != MOOT_OK ? rc : moot__target_part(out, "chat/completions");
}

/* The Unity AI Gateway. */
static int write_gateway_target(const struct moot_request *request, struct moot_view base_path,
                                struct moot_buf *out)
{
    (void)request;
    static const struct moot_view root = {"/ai-gateway/mlflow/v1", 21};
    int rc = moot__target_base(out, moot__target_without(base_path, root));
    if (rc == MOOT_OK)
        rc = moot__buf_append_view(out, root);
    return rc != MOOT_OK ? rc : moot__target_part(out, "chat/completions");
}

/* Only its GPT models take `strict` in a tool. Databricks' own LangChain integration strips it. */
static bool refuses_strict(const struct moot_request *request)
{
    struct moot_view name = request->agent->endpoint, gpt = MOOT_VIEW("gpt-");
    for (size_t i = 0; i + gpt.len <= name.len; i++) {
        if (moot__view_eq(moot__view(name.ptr + i, gpt.len), gpt))
            return false;
    }
    return true;
}

static int write_body(const struct moot_request *request, struct moot_arena *scratch,
                      struct moot_json_writer *writer, struct moot_error_info *info)
{
    (void)info;
    const struct moot_openai_chat_options options = {.no_strict = refuses_strict(request)};
    return moot__openai_chat_write(request, &options, scratch, writer);
}

static int write_chat_body(const struct moot_request *request, struct moot_arena *scratch,
                           struct moot_json_writer *writer, struct moot_error_info *info)
{
    (void)info;
    const struct moot_openai_chat_options options = {.model = true,
                                                     .no_strict = refuses_strict(request)};
    return moot__openai_chat_write(request, &options, scratch, writer);
}

const struct moot_dialect moot__dialect_databricks = {
    .type = "databricks",
    .surface = "invocations",
    .auth = MOOT_AUTH_BEARER,
    .write_target = write_target,
    .write_body = write_body,
    .read_reply = moot__openai_chat_read_reply,
    .read_event = moot__openai_chat_read_event,
    .read_error = moot__provider_error_read,
};

const struct moot_dialect moot__dialect_databricks_chat = {
    .type = "databricks",
    .surface = "chat",
    .auth = MOOT_AUTH_BEARER,
    .write_target = write_chat_target,
    .write_body = write_chat_body,
    .read_reply = moot__openai_chat_read_reply,
    .read_event = moot__openai_chat_read_event,
    .read_error = moot__provider_error_read,
};

const struct moot_dialect moot__dialect_databricks_gateway = {
    .type = "databricks",
    .surface = "gateway",
    .auth = MOOT_AUTH_BEARER,
    .write_target = write_gateway_target,
    .write_body = write_chat_body,
    .read_reply = moot__openai_chat_read_reply,
    .read_event = moot__openai_chat_read_event,
    .read_error = moot__provider_error_read,
};
