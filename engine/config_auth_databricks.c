/* Databricks: what its SDK takes from the environment and from ~/.databrickscfg, in its order: a
 * personal token, (basic, which is refused,) OAuth of a service principal, Entra of one. A variable
 * beats the file; the file is asked when it is named, or when the environment says nothing.
 * Source: databricks-sdk-py, config.py and credentials_provider.py. */
#include <string.h>

#include "config_auth.h"
#include "engine/base/check.h"

#define AZURE_RESOURCE "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"

enum setting { TOKEN, USERNAME, CLIENT_ID, CLIENT_SECRET, AZURE_ID, AZURE_SECRET, AZURE_TENANT };

static const struct {
    const char *variable, *key;
} settings_map[] = {
    [TOKEN] = {"DATABRICKS_TOKEN", "token"},
    [USERNAME] = {"DATABRICKS_USERNAME", "username"},
    [CLIENT_ID] = {"DATABRICKS_CLIENT_ID", "client_id"},
    [CLIENT_SECRET] = {"DATABRICKS_CLIENT_SECRET", "client_secret"},
    [AZURE_ID] = {"ARM_CLIENT_ID", "azure_client_id"},
    [AZURE_SECRET] = {"ARM_CLIENT_SECRET", "azure_client_secret"},
    [AZURE_TENANT] = {"ARM_TENANT_ID", "azure_tenant_id"},
};

struct chain {
    struct moot_config_reader *reader;
    const struct moot_tree *node;
    struct moot_provider *provider;
    struct moot_settings file;
};

int moot__databricks_settings(struct moot_config_reader *reader, struct moot_settings *settings)
{
    *settings = (struct moot_settings){.path = {"", 0}};
    const char *profile = moot__config_variable(reader, "DATABRICKS_CONFIG_PROFILE");
    if (!profile && moot__config_variable(reader, "DATABRICKS_HOST"))
        return MOOT_OK;
    settings->section = settings->fallback = MOOT_VIEW("DEFAULT");
    if (profile &&
        !moot__arena_copy(&reader->plan->arena, moot__view_str(profile), &settings->section))
        return moot__config_out_of_memory(reader);
    return moot__settings_path(reader, "DATABRICKS_CONFIG_FILE", "/.databrickscfg",
                               &settings->path);
}

static int has(const struct chain *chain, enum setting setting, bool *there)
{
    struct moot_view section = {"", 0};
    *there = moot__config_variable(chain->reader, settings_map[setting].variable) != NULL;
    if (*there)
        return MOOT_OK;
    int rc = moot__settings_find(chain->reader, &chain->file, settings_map[setting].key, &section);
    *there = section.len > 0;
    return rc;
}

static int get(const struct chain *chain, enum setting setting, struct moot_view *out)
{
    const char *value = moot__config_variable(chain->reader, settings_map[setting].variable);
    if (!value)
        return moot__settings_get(chain->reader, &chain->file, settings_map[setting].key, out);
    if (!moot__arena_copy(&chain->reader->plan->arena, moot__view_str(value), out))
        return moot__config_out_of_memory(chain->reader);
    return MOOT_OK;
}

/* Where nobody says it, the message names the variable. */
static int load(const struct chain *chain, enum setting setting)
{
    struct moot_credential *out = &chain->provider->credential.secrets[0];
    const char *variable = settings_map[setting].variable, *key = settings_map[setting].key;
    struct moot_view section = {"", 0};
    int rc = MOOT_OK;
    if (!moot__config_variable(chain->reader, variable))
        rc = moot__settings_find(chain->reader, &chain->file, key, &section);
    if (rc)
        return rc;
    if (!section.len)
        return moot__auth_load_variable(chain->reader, chain->node, variable, out);
    return moot__auth_load_setting(chain->reader, chain->node, &chain->file, key, out);
}

/* ---- The ways ---- */

static int use_token(const struct chain *chain)
{
    chain->provider->credential.source = &moot__credential_fixed;
    return load(chain, TOKEN);
}

static int refuse_basic(const struct chain *chain)
{
    return moot__config_fail_key(chain->reader, MOOT_ECONFIG, chain->node,
                                 "DATABRICKS_USERNAME: basic authentication is not supported; use "
                                 "a token, or a service principal's client id and secret");
}

static int use_principal(const struct chain *chain)
{
    struct moot_credential_spec *spec = &chain->provider->credential;
    const char *const parts[] = {chain->provider->base_url.ptr,
                                 "/oidc/.well-known/oauth-authorization-server", NULL};
    spec->source = &moot__credential_oauth;
    spec->style = MOOT_OAUTH_BASIC;
    spec->scope = MOOT_VIEW("all-apis");
    spec->discovers = true;
    int rc = get(chain, CLIENT_ID, &spec->client_id);
    if (rc == MOOT_OK)
        rc = load(chain, CLIENT_SECRET);
    if (rc == MOOT_OK)
        rc = moot__config_join(chain->reader, parts, &spec->base);
    return rc ? rc : moot__auth_set_url(chain->reader, chain->node, chain->provider, false);
}

static int use_azure(const struct chain *chain)
{
    struct moot_credential_spec *spec = &chain->provider->credential;
    struct moot_view tenant = {"", 0};
    if (moot__config_variable(chain->reader, "DATABRICKS_AZURE_RESOURCE_ID"))
        return moot__config_fail_key(chain->reader, MOOT_ECONFIG, chain->node,
                                     "DATABRICKS_AZURE_RESOURCE_ID: a workspace that is named by "
                                     "its resource is not supported; add the service principal "
                                     "to the workspace and unset it");
    spec->style = MOOT_OAUTH_FORM;
    spec->scope = MOOT_VIEW(AZURE_RESOURCE "/.default");
    int rc = get(chain, AZURE_ID, &spec->client_id);
    if (rc == MOOT_OK)
        rc = get(chain, AZURE_TENANT, &tenant);
    if (rc == MOOT_OK)
        rc = load(chain, AZURE_SECRET);
    return rc ? rc
              : moot__auth_use_entra(chain->reader, chain->node, chain->provider, tenant,
                                     (struct moot_view){"", 0});
}

/* ---- The order ---- */

static const struct {
    const char *name; /* in DATABRICKS_AUTH_TYPE */
    enum setting needs[3];
    size_t need_count;
    int (*use)(const struct chain *chain);
} ways[] = {
    {"pat", {TOKEN}, 1, use_token},
    {"basic", {USERNAME}, 1, refuse_basic},
    {"oauth-m2m", {CLIENT_ID, CLIENT_SECRET}, 2, use_principal},
    {"azure-client-secret", {AZURE_ID, AZURE_SECRET, AZURE_TENANT}, 3, use_azure},
};

static int fail_forced(const struct chain *chain, bool is_known)
{
    if (is_known)
        return moot__config_fail_key(chain->reader, MOOT_ECREDENTIAL, chain->node,
                                     "DATABRICKS_AUTH_TYPE forces a way for which not everything "
                                     "is set: pat needs DATABRICKS_TOKEN, oauth-m2m "
                                     "DATABRICKS_CLIENT_ID and _SECRET, azure-client-secret "
                                     "ARM_CLIENT_ID, _SECRET and ARM_TENANT_ID");
    return moot__config_fail_key(chain->reader, MOOT_ECONFIG, chain->node,
                                 "DATABRICKS_AUTH_TYPE forces a way that is not supported; "
                                 "supported are pat, oauth-m2m and azure-client-secret, and with "
                                 "api_key: exec:COMMAND what any tool prints");
}

int moot__auth_chain_databricks(struct moot_config_reader *reader, const struct moot_tree *node,
                                struct moot_provider *provider)
{
    struct chain chain = {.reader = reader, .node = node, .provider = provider};
    struct moot_view forced = {"", 0};
    int rc = moot__databricks_settings(reader, &chain.file);
    const char *type = moot__config_variable(reader, "DATABRICKS_AUTH_TYPE");
    if (rc == MOOT_OK && !type)
        rc = moot__settings_get(reader, &chain.file, "auth_type", &forced);
    else if (rc == MOOT_OK &&
             !moot__arena_copy(&reader->plan->arena, moot__view_str(type), &forced))
        rc = moot__config_out_of_memory(reader);
    if (rc)
        return rc;
    bool is_known = false;
    for (size_t i = 0; i < moot__countof(ways); i++) {
        bool is_meant = moot__view_is(forced, ways[i].name), is_whole = true;
        if (forced.len && !is_meant)
            continue;
        is_known = true;
        for (size_t k = 0; k < ways[i].need_count && is_whole; k++) {
            rc = has(&chain, ways[i].needs[k], &is_whole);
            if (rc)
                return rc;
        }
        if (is_whole)
            return ways[i].use(&chain);
    }
    if (forced.len)
        return fail_forced(&chain, is_known);
    return use_token(&chain); /* whose message names the variable */
}
