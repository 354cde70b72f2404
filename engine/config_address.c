/* Where a provider is and which secret opens it.
 *
 * A secret goes to one origin, and the two are only combined when both were said, or both came from
 * the environment: a configuration that names an address but no secret does not get whatever key
 * happens to be in the environment. No message quotes an address or a proxy: either may hold a
 * password. */
#include "config_auth.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "net/proxy.h"

struct defaults {
    const char *type, *url_variable, *url;
};

static const struct defaults *defaults_of(const struct moot_provider *provider)
{
    static const struct defaults table[] = {
        {"databricks", "DATABRICKS_HOST", NULL},
        {"openai", "OPENAI_BASE_URL", "https://api.openai.com/v1"},
        {"anthropic", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"},
        {"azure", "AZURE_OPENAI_ENDPOINT", NULL},
        {"bedrock", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", NULL},
    };
    static const struct defaults claude_on_azure = {"azure", "ANTHROPIC_FOUNDRY_BASE_URL", NULL};
    for (size_t i = 0; i < moot__countof(table); i++) {
        if (strcmp(provider->dialect->type, table[i].type) != 0)
            continue;
        bool is_claude = strcmp(provider->dialect->type, "azure") == 0 &&
                         strcmp(provider->dialect->surface, "anthropic") == 0;
        return is_claude ? &claude_on_azure : &table[i];
    }
    moot__unreachable();
    return &table[0];
}

int moot__config_resolve(struct moot_config_reader *reader, const struct moot_tree *node,
                         struct moot_view *text)
{
    static const struct moot_view prefix = {"env:", 4};
    if (!moot__view_starts(*text, prefix))
        return MOOT_OK;
    const char *name = text->ptr + prefix.len; /* NUL-terminated: a copy in the arena */
    const char *value = moot__environment_get(&reader->environment, name);
    if (!value || !*value)
        return moot__config_fail(reader, MOOT_ECONFIG, node,
                                 "variable %.64s is not set; export it, or write its value here",
                                 name);
    if (!moot__arena_copy(&reader->plan->arena, moot__view_trim(moot__view_str(value)), text))
        return moot__config_out_of_memory(reader);
    return MOOT_OK;
}

/* Databricks: a host without scheme is https; its official SDKs do the same. */
static int normalise(struct moot_config_reader *reader, bool is_databricks, struct moot_view *text)
{
    while (text->len > 0 && text->ptr[text->len - 1] == '/')
        text->len--;
    bool has_scheme = moot__view_starts(*text, MOOT_VIEW("https://")) ||
                      moot__view_starts(*text, MOOT_VIEW("http://"));
    struct moot_view port = MOOT_VIEW(":443");
    if (is_databricks && moot__view_ends(*text, port))
        text->len -= port.len;
    if (!is_databricks || has_scheme)
        return MOOT_OK;
    size_t len = text->len + 8;
    char *copy = moot__arena_alloc(&reader->plan->arena, len + 1);
    if (!copy)
        return moot__config_out_of_memory(reader);
    memcpy(copy, "https://", 8);
    memcpy(copy + 8, text->ptr, text->len);
    copy[len] = '\0';
    *text = moot__view(copy, len);
    return MOOT_OK;
}

static int parse_url(struct moot_config_reader *reader, const struct moot_tree *node,
                     struct moot_provider *provider)
{
    struct moot_error_info why;
    if (provider->base_url.len == 0 || moot__url_parse(provider->base_url, 0, &provider->url, &why))
        return moot__config_fail(reader, MOOT_ECONFIG, node, "base_url: %s",
                                 provider->base_url.len ? why.message : "it is empty");
    if (provider->url.query.len)
        return moot__config_fail(reader, MOOT_ECONFIG, node,
                                 "base_url must not have a query; remove what follows the '?'");
    if (provider->url.scheme == MOOT_URL_HTTP && !provider->allow_http &&
        !moot__url_is_loopback(provider->url.host))
        return moot__config_fail(reader, MOOT_EPLAINTEXT, node,
                                 "plain http would send the secret and all texts readable by "
                                 "everyone on the way; use https, or say allow_http: true");
    return MOOT_OK;
}

/* https://bedrock-runtime.REGION.amazonaws.com, in the partition of the region. */
static int derive_bedrock_url(struct moot_config_reader *reader, const struct moot_tree *node,
                              struct moot_provider *provider)
{
    struct moot_view region;
    int rc = moot__aws_region(reader, moot__tree_get(node, "auth"), &region);
    if (rc)
        return rc;
    if (!region.len)
        return moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                     "this provider has no address: set AWS_REGION, or add "
                                     "base_url: https://...");
    const char *domain = moot__view_starts(region, MOOT_VIEW("cn-"))     ? ".amazonaws.com.cn"
                         : moot__view_starts(region, MOOT_VIEW("eusc-")) ? ".amazonaws.eu"
                                                                         : ".amazonaws.com";
    const char *const parts[] = {"https://bedrock-runtime.", region.ptr, domain, NULL};
    return moot__config_join(reader, parts, &provider->base_url);
}

static int derive_url(struct moot_config_reader *reader, const struct moot_tree *node,
                      struct moot_provider *provider)
{
    const struct defaults *defaults = defaults_of(provider);
    const char *value = moot__config_variable(reader, defaults->url_variable);
    if (!value && strcmp(defaults->type, "bedrock") == 0)
        return derive_bedrock_url(reader, node, provider);
    if (!value && strcmp(defaults->type, "databricks") == 0) {
        struct moot_settings file;
        int rc = moot__databricks_settings(reader, &file);
        if (rc == MOOT_OK)
            rc = moot__settings_get(reader, &file, "host", &provider->base_url);
        if (rc || provider->base_url.len)
            return rc;
    }
    if (!value)
        value = defaults->url;
    if (!value)
        return moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                     "this provider has no address: set %s, or add "
                                     "base_url: https://...",
                                     defaults->url_variable);
    if (!moot__arena_copy(&reader->plan->arena, moot__view_trim(moot__view_str(value)),
                          &provider->base_url))
        return moot__config_out_of_memory(reader);
    return MOOT_OK;
}

static int read_base_url(struct moot_config_reader *reader, const struct moot_tree *node,
                         struct moot_provider *provider)
{
    const struct moot_tree *said = moot__tree_get(node, "base_url");
    int rc = moot__config_text(reader, said, &provider->base_url);
    if (rc)
        return rc;
    if (said)
        rc = moot__config_resolve(reader, said, &provider->base_url);
    else
        rc = derive_url(reader, node, provider);
    bool is_databricks = strcmp(provider->dialect->type, "databricks") == 0;
    if (rc == MOOT_OK)
        rc = normalise(reader, is_databricks, &provider->base_url);
    if (rc == MOOT_OK &&
        !moot__arena_copy(&reader->plan->arena, provider->base_url, &provider->base_url))
        rc = moot__config_out_of_memory(reader); /* cut at its end, it has a NUL there again */
    return rc ? rc : parse_url(reader, said ? said : node, provider);
}

static int check_proxy(struct moot_config_reader *reader, const struct moot_tree *node,
                       const char *name, struct moot_view proxy, struct moot_url *url)
{
    struct moot_error_info why;
    if (moot__url_parse(proxy, MOOT_URL_ALLOW_USERINFO, url, &why))
        return moot__config_fail(reader, MOOT_ECONFIG, node, "%s: %s", name, why.message);
    if (url->scheme != MOOT_URL_HTTP)
        return moot__config_fail(reader, MOOT_ECONFIG, node,
                                 "%s: a proxy is spoken to in plain http, and what passes through "
                                 "it is encrypted; write http://HOST:PORT, or proxy: null for none",
                                 name);
    return MOOT_OK;
}

/* The first of two variables that is set to something; or NULL. */
static const char *either_variable(struct moot_config_reader *reader, const char *upper,
                                   const char *lower)
{
    const char *value = moot__environment_get(&reader->environment, upper);
    if (!value || !*value)
        value = moot__environment_get(&reader->environment, lower);
    return value && *value ? value : NULL;
}

/* What other programs of this machine use. A password is welcome there: it is no file of ours. */
static int derive_proxy(struct moot_config_reader *reader, const struct moot_tree *place,
                        struct moot_provider *provider)
{
    const char *exceptions = either_variable(reader, "NO_PROXY", "no_proxy");
    if (provider->url.scheme != MOOT_URL_HTTPS ||
        moot__proxy_is_excepted(moot__view_str(exceptions), provider->url.host, provider->url.port))
        return MOOT_OK;
    struct moot_view value =
        moot__view_trim(moot__view_str(either_variable(reader, "HTTPS_PROXY", "https_proxy")));
    if (value.len == 0)
        return MOOT_OK;
    static const char scheme[] = "http://"; /* often left out */
    bool has_scheme = false;
    for (size_t i = 0; i + 2 < value.len && !has_scheme; i++)
        has_scheme = memcmp(value.ptr + i, "://", 3) == 0;
    size_t skip = has_scheme ? 0 : sizeof scheme - 1;
    char *copy = moot__arena_alloc(&reader->plan->arena, skip + value.len + 1);
    if (!copy)
        return moot__config_out_of_memory(reader);
    memcpy(copy, scheme, skip);
    memcpy(copy + skip, value.ptr, value.len);
    copy[skip + value.len] = '\0';
    provider->proxy = moot__view(copy, skip + value.len);
    struct moot_url url;
    return check_proxy(reader, place, "HTTPS_PROXY", provider->proxy, &url);
}

static int read_proxy(struct moot_config_reader *reader, const struct moot_tree *provider_node,
                      struct moot_provider *provider)
{
    const struct moot_tree *node = moot__tree_get(provider_node, "proxy");
    if (!node)
        return derive_proxy(reader, provider_node, provider);
    struct moot_view said = {NULL, 0};
    int rc = moot__config_text(reader, node, &said);
    if (rc || said.len == 0 || moot__view_is(said, "none"))
        return rc;
    bool is_reference = moot__view_starts(said, MOOT_VIEW("env:"));
    struct moot_url url;
    rc = moot__config_resolve(reader, node, &said);
    if (rc == MOOT_OK)
        rc = check_proxy(reader, node, "proxy", said, &url);
    if (rc)
        return rc;
    if (url.userinfo.len && !is_reference)
        return moot__config_fail(reader, MOOT_ECONFIG, node,
                                 "a literal password is refused: put the proxy's address into a "
                                 "variable, and write env:NAME here");
    provider->proxy = said;
    return MOOT_OK;
}

/* The address came from where the environment's secrets belong to. */
static bool is_of_environment(const struct moot_tree *node, const struct moot_provider *provider)
{
    const struct moot_tree *said = moot__tree_get(node, "base_url");
    return !said || (moot__view_starts(said->text, MOOT_VIEW("env:")) &&
                     moot__view_is(moot__view(said->text.ptr + 4, said->text.len - 4),
                                   defaults_of(provider)->url_variable));
}

/* What a signature is good for. A Bedrock provider may be given AWS keys by a process, too. */
static int read_region(struct moot_config_reader *reader, const struct moot_tree *node,
                       struct moot_provider *provider)
{
    if (strcmp(provider->dialect->type, "bedrock") != 0)
        return MOOT_OK;
    provider->service = MOOT_VIEW("bedrock");
    return moot__aws_region(reader, moot__tree_get(node, "auth"), &provider->region);
}

int moot__config_read_address(struct moot_config_reader *reader, const struct moot_tree *node,
                              struct moot_provider *provider)
{
    int rc = read_base_url(reader, node, provider);
    if (rc == MOOT_OK)
        rc = read_proxy(reader, node, provider);
    if (rc == MOOT_OK)
        rc = read_region(reader, node, provider);
    return rc ? rc
              : moot__config_read_auth(reader, node, provider, is_of_environment(node, provider));
}
