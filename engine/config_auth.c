/* Which secret opens a provider, and how it is shown: `api_key`, `auth`, or what the environment
 * says. */
#include "config_auth.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "token_call.h"
#include "words.h"

/* ---- Loading ---- */

int moot__auth_load(struct moot_config_reader *reader, const struct moot_tree *place,
                    struct moot_view reference, struct moot_credential *out)
{
    const struct moot_credential_options options = {reader->environment, reader->folder};
    struct moot_error_info why;
    int rc = moot__credential_init(out, reader->plan->allocator, reference, &options, &why);
    if (rc == MOOT_ENOMEM)
        return moot__config_out_of_memory(reader);
    if (rc)
        return moot__config_fail(reader, rc, place, "api_key: %s", why.message);
    return MOOT_OK;
}

int moot__auth_load_variable(struct moot_config_reader *reader, const struct moot_tree *place,
                             const char *name, struct moot_credential *out)
{
    char reference[128];
    snprintf(reference, sizeof reference, "env:%s", name);
    return moot__auth_load(reader, place, moot__view_str(reference), out);
}

int moot__auth_load_setting(struct moot_config_reader *reader, const struct moot_tree *place,
                            const struct moot_settings *settings, const char *key,
                            struct moot_credential *out)
{
    struct moot_profile_setting setting = {.path = settings->path, .key = key};
    struct moot_error_info why;
    int rc = moot__settings_find(reader, settings, key, &setting.section);
    if (rc)
        return rc;
    rc = moot__credential_init_profile(out, reader->plan->allocator, &setting, &why);
    if (rc == MOOT_ENOMEM)
        return moot__config_out_of_memory(reader);
    return rc ? moot__config_fail(reader, rc, place, "%s", why.message) : MOOT_OK;
}

int moot__auth_use_command(struct moot_config_reader *reader, const struct moot_tree *place,
                           struct moot_view command, struct moot_provider *provider)
{
    char *words[MOOT_LIMIT_CREDENTIAL_COMMAND_WORDS + 1];
    char *storage = moot__arena_alloc(&reader->plan->arena, command.len + 1);
    if (!storage || !moot__arena_copy(&reader->plan->arena, command, &provider->credential.command))
        return moot__config_out_of_memory(reader);
    if (!moot__words_split(command, storage, words, moot__countof(words)))
        return moot__config_fail(reader, MOOT_ECONFIG, place,
                                 "exec: must be followed by a command of at most %d words, its "
                                 "quotes closed; it runs without a shell",
                                 MOOT_LIMIT_CREDENTIAL_COMMAND_WORDS);
    provider->credential.source = &moot__credential_exec;
    return MOOT_OK;
}

int moot__auth_set_url(struct moot_config_reader *reader, const struct moot_tree *place,
                       struct moot_provider *provider, bool may_be_machine)
{
    struct moot_credential_spec *spec = &provider->credential;
    struct moot_error_info why;
    if (moot__url_parse(spec->base, 0, &spec->url, &why))
        return moot__config_fail(reader, MOOT_ECONFIG, place, "where the credential is given: %s",
                                 why.message);
    bool is_near = moot__url_is_loopback(spec->url.host) ||
                   (may_be_machine && moot__is_machine_address(&spec->url));
    if (spec->url.scheme == MOOT_URL_HTTP && !is_near && !provider->allow_http)
        return moot__config_fail(reader, MOOT_EPLAINTEXT, place,
                                 "plain http would send the secret readable by everyone on the "
                                 "way to where the credential is given; use https, or say "
                                 "allow_http: true");
    return MOOT_OK;
}

/* ---- api_key ---- */

static int use_key(struct moot_config_reader *reader, const struct moot_tree *said,
                   struct moot_provider *provider)
{
    static const struct moot_view command = {"exec:", 5};
    if (said->type != MOOT_JSON_STRING)
        return moot__config_fail(reader, MOOT_ECONFIG, said,
                                 "a literal secret is refused: write env:NAME or file:PATH");
    if (moot__view_starts(said->text, command))
        return moot__auth_use_command(
            reader, said, moot__view(said->text.ptr + command.len, said->text.len - command.len),
            provider);
    provider->credential.source = &moot__credential_fixed;
    return moot__auth_load(reader, said, said->text,
                           &provider->credential.secrets[MOOT_ACCESS_TOKEN]);
}

/* ---- auth ---- */

enum auth_type {
    TYPE_BEARER,
    TYPE_API_KEY,
    TYPE_X_API_KEY,
    TYPE_OAUTH_M2M,
    TYPE_ENTRA,
    TYPE_WORKLOAD_IDENTITY,
    TYPE_MANAGED_IDENTITY,
    TYPE_AWS,
};

static const char *const *keys_of(enum auth_type type)
{
    static moot_words header_keys = {"type", NULL};
    static moot_words oauth_keys = {"type",      "client_id", "client_secret",
                                    "token_url", "scope",     NULL};
    static moot_words entra_keys = {"type",  "tenant_id", "client_id", "client_secret",
                                    "scope", "authority", NULL};
    static moot_words workload_keys = {"type",  "tenant_id", "client_id", "token_file",
                                       "scope", "authority", NULL};
    static moot_words managed_keys = {"type", "client_id", "resource", "endpoint", NULL};
    static moot_words aws_keys = {"type", "profile", "region", "service", NULL};
    switch (type) {
    case TYPE_BEARER:
    case TYPE_API_KEY:
    case TYPE_X_API_KEY:
        return header_keys;
    case TYPE_OAUTH_M2M:
        return oauth_keys;
    case TYPE_ENTRA:
        return entra_keys;
    case TYPE_WORKLOAD_IDENTITY:
        return workload_keys;
    case TYPE_MANAGED_IDENTITY:
        return managed_keys;
    case TYPE_AWS:
        return aws_keys;
    }
    moot__unreachable();
}

/* A text, or the variable that holds it, or what stands for it when it is absent. */
static int read_text(struct moot_config_reader *reader, const struct moot_tree *auth,
                     const char *key, struct moot_view *out)
{
    const struct moot_tree *node = moot__tree_get(auth, key);
    struct moot_view text = {NULL, 0};
    int rc = moot__config_text(reader, node, &text);
    if (rc || !text.ptr)
        return rc;
    rc = moot__config_resolve(reader, node, &text);
    if (rc == MOOT_OK)
        *out = text;
    return rc;
}

static int require(struct moot_config_reader *reader, const struct moot_tree *auth, const char *key,
                   struct moot_view text)
{
    return text.len ? MOOT_OK
                    : moot__config_fail(reader, MOOT_ECONFIG, auth,
                                        "'%s' is missing, without which there is no token", key);
}

static int read_secret(struct moot_config_reader *reader, const struct moot_tree *auth,
                       const char *key, struct moot_provider *provider)
{
    const struct moot_tree *node = moot__tree_get(auth, key);
    if (!node || node->type != MOOT_JSON_STRING)
        return moot__config_fail(reader, MOOT_ECONFIG, node ? node : auth,
                                 "'%s' must be a reference to a secret: env:NAME or file:PATH",
                                 key);
    return moot__auth_load(reader, node, node->text, &provider->credential.secrets[0]);
}

static int read_oauth(struct moot_config_reader *reader, const struct moot_tree *auth,
                      struct moot_provider *provider)
{
    static const char document[] = "/oidc/.well-known/oauth-authorization-server";
    struct moot_credential_spec *spec = &provider->credential;
    bool is_databricks = strcmp(provider->dialect->type, "databricks") == 0;
    spec->source = &moot__credential_oauth;
    spec->style = MOOT_OAUTH_BASIC;
    provider->auth = MOOT_AUTH_BEARER;
    spec->scope = is_databricks ? MOOT_VIEW("all-apis") : (struct moot_view){"", 0};
    int rc = read_text(reader, auth, "client_id", &spec->client_id);
    if (rc == MOOT_OK)
        rc = read_text(reader, auth, "scope", &spec->scope);
    if (rc == MOOT_OK)
        rc = read_text(reader, auth, "token_url", &spec->base);
    if (rc == MOOT_OK)
        rc = require(reader, auth, "client_id", spec->client_id);
    if (rc == MOOT_OK && !spec->base.len && is_databricks) {
        spec->discovers = true;
        const char *const parts[] = {provider->base_url.ptr, document, NULL};
        rc = moot__config_join(reader, parts, &spec->base);
    }
    if (rc == MOOT_OK)
        rc = require(reader, auth, "token_url", spec->base);
    if (rc == MOOT_OK)
        rc = read_secret(reader, auth, "client_secret", provider);
    return rc ? rc : moot__auth_set_url(reader, auth, provider, false);
}

static int read_entra(struct moot_config_reader *reader, const struct moot_tree *auth,
                      struct moot_provider *provider, bool is_workload)
{
    struct moot_credential_spec *spec = &provider->credential;
    struct moot_view tenant = {"", 0}, authority = {"", 0};
    spec->style = is_workload ? MOOT_OAUTH_ASSERTION : MOOT_OAUTH_FORM;
    spec->scope = moot__azure_scope(provider);
    int rc = read_text(reader, auth, "tenant_id", &tenant);
    if (rc == MOOT_OK)
        rc = read_text(reader, auth, "client_id", &spec->client_id);
    if (rc == MOOT_OK)
        rc = read_text(reader, auth, "scope", &spec->scope);
    if (rc == MOOT_OK)
        rc = read_text(reader, auth, "authority", &authority);
    if (rc == MOOT_OK)
        rc = require(reader, auth, "tenant_id", tenant);
    if (rc == MOOT_OK)
        rc = require(reader, auth, "client_id", spec->client_id);
    if (rc == MOOT_OK)
        rc = read_secret(reader, auth, is_workload ? "token_file" : "client_secret", provider);
    return rc ? rc : moot__auth_use_entra(reader, auth, provider, tenant, authority);
}

static int read_managed(struct moot_config_reader *reader, const struct moot_tree *auth,
                        struct moot_provider *provider)
{
    struct moot_credential_spec *spec = &provider->credential;
    struct moot_view scope = moot__azure_scope(provider);
    spec->source = &moot__credential_azure_machine;
    provider->auth = MOOT_AUTH_BEARER;
    spec->base = MOOT_VIEW("http://169.254.169.254");
    spec->resource = moot__view(scope.ptr, scope.len - strlen("/.default"));
    int rc = read_text(reader, auth, "client_id", &spec->client_id);
    if (rc == MOOT_OK)
        rc = read_text(reader, auth, "resource", &spec->resource);
    if (rc == MOOT_OK)
        rc = read_text(reader, auth, "endpoint", &spec->base);
    return rc ? rc : moot__auth_set_url(reader, auth, provider, true);
}

static int read_aws(struct moot_config_reader *reader, const struct moot_tree *auth,
                    struct moot_provider *provider)
{
    struct moot_view profile = {"", 0};
    provider->service = MOOT_VIEW("bedrock");
    int rc = read_text(reader, auth, "profile", &profile);
    if (rc == MOOT_OK)
        rc = read_text(reader, auth, "service", &provider->service);
    if (rc == MOOT_OK && !provider->region.len)
        rc = moot__aws_region(reader, auth, &provider->region);
    if (rc == MOOT_OK && !provider->region.len)
        rc = moot__config_fail(reader, MOOT_ECONFIG, auth,
                               "no region: add region: NAME, or set AWS_REGION");
    return rc ? rc : moot__auth_use_aws(reader, auth, profile, provider);
}

static int read_auth(struct moot_config_reader *reader, const struct moot_tree *auth,
                     struct moot_provider *provider, enum auth_type type)
{
    switch (type) {
    case TYPE_BEARER:
        provider->auth = MOOT_AUTH_BEARER;
        return MOOT_OK;
    case TYPE_API_KEY:
        provider->auth = MOOT_AUTH_API_KEY;
        return MOOT_OK;
    case TYPE_X_API_KEY:
        provider->auth = MOOT_AUTH_X_API_KEY;
        return MOOT_OK;
    case TYPE_OAUTH_M2M:
        return read_oauth(reader, auth, provider);
    case TYPE_ENTRA:
    case TYPE_WORKLOAD_IDENTITY:
        return read_entra(reader, auth, provider, type == TYPE_WORKLOAD_IDENTITY);
    case TYPE_MANAGED_IDENTITY:
        return read_managed(reader, auth, provider);
    case TYPE_AWS:
        return read_aws(reader, auth, provider);
    }
    moot__unreachable();
}

/* ---- The environment ---- */

struct key_variable {
    const char *type, *variable;
    enum moot_auth auth;
};

/* Keys that stand in a variable, in the order of the official SDKs. */
static int use_variable(struct moot_config_reader *reader, const struct moot_tree *node,
                        struct moot_provider *provider)
{
    static const struct key_variable table[] = {
        {"openai", "OPENAI_API_KEY", MOOT_AUTH_BEARER},
        {"anthropic", "ANTHROPIC_API_KEY", MOOT_AUTH_X_API_KEY},
        {"anthropic", "ANTHROPIC_AUTH_TOKEN", MOOT_AUTH_BEARER},
    };
    const struct key_variable *first = NULL, *found = NULL;
    for (size_t i = 0; i < moot__countof(table) && !found; i++) {
        if (strcmp(provider->dialect->type, table[i].type) != 0)
            continue;
        first = first ? first : &table[i];
        if (moot__config_variable(reader, table[i].variable))
            found = &table[i];
    }
    const struct key_variable *used = found ? found : first;
    if (!used)
        return MOOT_ENOTFOUND;
    provider->auth = used->auth;
    provider->credential.source = &moot__credential_fixed;
    return moot__auth_load_variable(reader, node, used->variable,
                                    &provider->credential.secrets[MOOT_ACCESS_TOKEN]);
}

/* Of OpenAI: whose account is charged. What the configuration writes itself stays. */
static int add_account(struct moot_config_reader *reader, struct moot_provider *provider)
{
    static const struct {
        const char *variable;
        struct moot_view header;
    } table[] = {{"OPENAI_ORG_ID", {"OpenAI-Organization", 19}},
                 {"OPENAI_PROJECT_ID", {"OpenAI-Project", 14}}};
    struct moot_arena *arena = &reader->plan->arena;
    size_t count = provider->header_count;
    struct moot_http1_header *headers =
        moot__arena_calloc(arena, count + moot__countof(table), sizeof *headers);
    if (!headers)
        return moot__config_out_of_memory(reader);
    if (count)
        memcpy(headers, provider->headers, count * sizeof *headers);
    for (size_t i = 0; i < moot__countof(table); i++) {
        const char *value = moot__config_variable(reader, table[i].variable);
        bool is_said = !value;
        for (size_t k = 0; k < provider->header_count; k++)
            is_said = is_said || moot__view_eq_nocase(headers[k].name, table[i].header);
        if (is_said)
            continue;
        headers[count].name = table[i].header;
        if (!moot__arena_copy(arena, moot__view_str(value), &headers[count++].value))
            return moot__config_out_of_memory(reader);
    }
    provider->headers = headers;
    provider->header_count = count;
    return MOOT_OK;
}

static int use_environment(struct moot_config_reader *reader, const struct moot_tree *node,
                           struct moot_provider *provider)
{
    const char *type = provider->dialect->type;
    if (strcmp(type, "databricks") == 0)
        return moot__auth_chain_databricks(reader, node, provider);
    if (strcmp(type, "azure") == 0)
        return moot__auth_chain_azure(reader, node, provider);
    if (strcmp(type, "bedrock") == 0)
        return moot__auth_chain_aws(reader, node, provider);
    int rc = use_variable(reader, node, provider);
    return rc || strcmp(type, "openai") != 0 ? rc : add_account(reader, provider);
}

/* ---- The face ---- */

static bool is_header_type(enum auth_type type)
{
    return type == TYPE_BEARER || type == TYPE_API_KEY || type == TYPE_X_API_KEY;
}

static int read_auth_type(struct moot_config_reader *reader, const struct moot_tree *auth,
                          enum auth_type *type)
{
    static moot_words auth_types = {"bearer",           "api_key", "x_api_key",
                                    "oauth_m2m",        "entra",   "workload_identity",
                                    "managed_identity", "aws",     NULL};
    unsigned choice = 0;
    int rc = moot__config_expect(reader, auth, MOOT_JSON_OBJECT);
    if (rc)
        return rc;
    const struct moot_tree *said = moot__tree_get(auth, "type");
    if (!said || said->type == MOOT_JSON_NULL)
        return moot__config_fail(reader, MOOT_ECONFIG, auth,
                                 "'auth' has no type; add type: bearer, or another");
    rc = moot__config_choice(reader, said, auth_types, &choice);
    *type = (enum auth_type)choice;
    return rc ? rc : moot__config_check_keys(reader, auth, "'auth'", keys_of(*type));
}

int moot__config_read_auth(struct moot_config_reader *reader, const struct moot_tree *node,
                           struct moot_provider *provider, bool is_of_environment)
{
    const struct moot_tree *key = moot__tree_get(node, "api_key");
    const struct moot_tree *auth = moot__tree_get(node, "auth");
    enum auth_type type = TYPE_BEARER;
    int rc = auth ? read_auth_type(reader, auth, &type) : MOOT_OK;
    if (rc)
        return rc;
    if (key && auth && !is_header_type(type))
        return moot__config_fail_key(reader, MOOT_ECONFIG, auth,
                                     "'api_key' and 'auth' say two things; keep one");
    if (auth && !is_header_type(type))
        return read_auth(reader, auth, provider, type);
    if (key && key->type == MOOT_JSON_NULL)
        return MOOT_OK;
    if (key) {
        if (provider->auth == MOOT_AUTH_SIGV4)
            provider->auth = MOOT_AUTH_BEARER;
        rc = use_key(reader, key, provider);
    } else if (is_of_environment) {
        rc = use_environment(reader, node, provider);
    } else if (moot__url_is_loopback(provider->url.host)) {
        return MOOT_OK; /* a server on this machine, most likely without keys */
    } else {
        rc = moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                   "this provider has an address but no secret; add api_key: "
                                   "env:NAME or file:PATH, or api_key: null if it needs none");
    }
    assert(rc != MOOT_ENOTFOUND);
    return rc || !auth ? rc : read_auth(reader, auth, provider, type);
}
