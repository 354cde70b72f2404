/* Azure: a key, a token that somebody else fetched, or an application's identity in Entra. */
#include <string.h>

#include "config_auth.h"

struct moot_view moot__azure_scope(const struct moot_provider *provider)
{
    if (strcmp(provider->dialect->type, "databricks") == 0)
        return MOOT_VIEW("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default");
    if (strcmp(provider->dialect->surface, "models") == 0)
        return MOOT_VIEW("https://ml.azure.com/.default");
    if (moot__view_ends(provider->url.host, MOOT_VIEW(".ai.azure.com")))
        return MOOT_VIEW("https://ai.azure.com/.default");
    return MOOT_VIEW("https://cognitiveservices.azure.com/.default");
}

/* Style, client, scope and secret are set. */
int moot__auth_use_entra(struct moot_config_reader *reader, const struct moot_tree *place,
                         struct moot_provider *provider, struct moot_view tenant,
                         struct moot_view authority)
{
    struct moot_credential_spec *spec = &provider->credential;
    const char *from_environment = moot__config_variable(reader, "AZURE_AUTHORITY_HOST");
    struct moot_view host = authority;
    if (!host.len && from_environment &&
        !moot__arena_copy(&reader->plan->arena, moot__view_str(from_environment), &host))
        return moot__config_out_of_memory(reader);
    if (!host.len)
        host = MOOT_VIEW("https://login.microsoftonline.com");
    while (host.len && host.ptr[host.len - 1] == '/')
        host.len--;
    if (!moot__arena_copy(&reader->plan->arena, host, &host))
        return moot__config_out_of_memory(reader);
    spec->source = &moot__credential_entra;
    provider->auth = MOOT_AUTH_BEARER;
    const char *scheme = moot__view_starts(host, MOOT_VIEW("http")) ? "" : "https://";
    const char *const parts[] = {scheme, host.ptr, "/", tenant.ptr, "/oauth2/v2.0/token", NULL};
    int rc = moot__config_join(reader, parts, &spec->base);
    return rc ? rc : moot__auth_set_url(reader, place, provider, false);
}

static int copy_variable(struct moot_config_reader *reader, const char *name, struct moot_view *out)
{
    const char *value = moot__config_variable(reader, name);
    return moot__arena_copy(&reader->plan->arena, moot__view_str(value ? value : ""), out)
               ? MOOT_OK
               : moot__config_out_of_memory(reader);
}

static int use_identity(struct moot_config_reader *reader, const struct moot_tree *node,
                        struct moot_provider *provider, bool is_workload)
{
    struct moot_credential_spec *spec = &provider->credential;
    struct moot_view tenant, file;
    spec->scope = moot__azure_scope(provider);
    spec->style = is_workload ? MOOT_OAUTH_ASSERTION : MOOT_OAUTH_FORM;
    int rc = copy_variable(reader, "AZURE_TENANT_ID", &tenant);
    if (rc == MOOT_OK)
        rc = copy_variable(reader, "AZURE_CLIENT_ID", &spec->client_id);
    if (rc == MOOT_OK && !is_workload)
        rc = moot__auth_load_variable(reader, node, "AZURE_CLIENT_SECRET", &spec->secrets[0]);
    else if (rc == MOOT_OK)
        rc = copy_variable(reader, "AZURE_FEDERATED_TOKEN_FILE", &file);
    if (rc == MOOT_OK && is_workload) {
        const char *const parts[] = {"file:", file.ptr, NULL};
        struct moot_view reference;
        rc = moot__config_join(reader, parts, &reference);
        if (rc == MOOT_OK)
            rc = moot__auth_load(reader, node, reference, &spec->secrets[0]);
    }
    return rc ? rc
              : moot__auth_use_entra(reader, node, provider, tenant, (struct moot_view){"", 0});
}

int moot__auth_chain_azure(struct moot_config_reader *reader, const struct moot_tree *node,
                           struct moot_provider *provider)
{
    bool is_claude = strcmp(provider->dialect->surface, "anthropic") == 0;
    const char *key = is_claude ? "ANTHROPIC_FOUNDRY_API_KEY" : "AZURE_OPENAI_API_KEY";
    bool has_token = moot__config_variable(reader, "AZURE_OPENAI_AD_TOKEN") != NULL;
    bool has_key = moot__config_variable(reader, key) != NULL;
    bool has_client = moot__config_variable(reader, "AZURE_TENANT_ID") &&
                      moot__config_variable(reader, "AZURE_CLIENT_ID");
    if (!has_token && !has_key && has_client &&
        moot__config_variable(reader, "AZURE_CLIENT_SECRET"))
        return use_identity(reader, node, provider, false);
    if (!has_token && !has_key && has_client &&
        moot__config_variable(reader, "AZURE_FEDERATED_TOKEN_FILE"))
        return use_identity(reader, node, provider, true);
    if (has_token)
        provider->auth = MOOT_AUTH_BEARER;
    provider->credential.source = &moot__credential_fixed;
    return moot__auth_load_variable(reader, node, has_token ? "AZURE_OPENAI_AD_TOKEN" : key,
                                    &provider->credential.secrets[MOOT_ACCESS_TOKEN]);
}
