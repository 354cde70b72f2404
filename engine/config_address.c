/* Where a provider is and which secret opens it.
 *
 * A secret goes to one origin, and the two are only combined when both were said, or both came from
 * the environment: a configuration that names an address but no secret does not get whatever key
 * happens to be in the environment. No message quotes an address or a proxy: either may hold a
 * password. */
#include "config_read.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "net/proxy.h"

struct defaults {
    const char *type, *url_variable, *key_variable, *url;
};

static const struct defaults *defaults_of(const struct moot_provider *provider)
{
    static const struct defaults table[] = {
        {"databricks", "DATABRICKS_HOST", "DATABRICKS_TOKEN", NULL},
        {"openai", "OPENAI_BASE_URL", "OPENAI_API_KEY", "https://api.openai.com/v1"},
        {"anthropic", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "https://api.anthropic.com"},
        {"azure", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", NULL},
        {"bedrock", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_BEARER_TOKEN_BEDROCK", NULL},
    };
    for (size_t i = 0; i < moot__countof(table); i++) {
        if (strcmp(provider->dialect->type, table[i].type) == 0)
            return &table[i];
    }
    moot__unreachable();
    return &table[0];
}

/* Turn "env:NAME" into its value; other texts stay. */
static int resolve(struct moot_config_reader *reader, const struct moot_tree *node,
                   struct moot_view *text)
{
    static const struct moot_view prefix = {"env:", 4};
    if (!moot__view_starts(*text, prefix))
        return MOOT_OK;
    const char *name = text->ptr + prefix.len; /* NUL-terminated: a copy in the arena */
    const char *value = moot__environment_get(&reader->environment, name);
    if (!value || !*value)
        return moot__config_fail(reader, MOOT_ECONFIG, node,
                                 "variable %.64s is not set; export it, or write the address",
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

static int read_base_url(struct moot_config_reader *reader, const struct moot_tree *node,
                         struct moot_provider *provider)
{
    const struct defaults *defaults = defaults_of(provider);
    const struct moot_tree *said = moot__tree_get(node, "base_url");
    int rc = moot__config_text(reader, said, &provider->base_url);
    if (rc)
        return rc;
    const struct moot_tree *place = said ? said : node;
    if (said) {
        rc = resolve(reader, said, &provider->base_url);
    } else {
        const char *value = moot__environment_get(&reader->environment, defaults->url_variable);
        if (!value || !*value)
            value = defaults->url;
        if (!value)
            return moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                         "this provider has no address: set %s, or add "
                                         "base_url: https://...",
                                         defaults->url_variable);
        if (!moot__arena_copy(&reader->plan->arena, moot__view_trim(moot__view_str(value)),
                              &provider->base_url))
            return moot__config_out_of_memory(reader);
    }
    bool is_databricks = strcmp(provider->dialect->type, "databricks") == 0;
    if (rc == MOOT_OK)
        rc = normalise(reader, is_databricks, &provider->base_url);
    return rc ? rc : parse_url(reader, place, provider);
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
    rc = resolve(reader, node, &said);
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

static int load_key(struct moot_config_reader *reader, const struct moot_tree *place,
                    struct moot_view reference, struct moot_provider *provider)
{
    const struct moot_credential_options options = {reader->environment, reader->folder};
    struct moot_error_info why;
    int rc = moot__credential_init(&provider->credential, reader->plan->allocator, reference,
                                   &options, &why);
    if (rc == MOOT_ENOMEM)
        return moot__config_out_of_memory(reader);
    if (rc)
        return moot__config_fail(reader, rc, place, "api_key: %s", why.message);
    provider->has_credential = true;
    return MOOT_OK;
}

static int read_key(struct moot_config_reader *reader, const struct moot_tree *node,
                    struct moot_provider *provider)
{
    const struct defaults *defaults = defaults_of(provider);
    const struct moot_tree *said = moot__tree_get(node, "api_key");
    if (said && said->type == MOOT_JSON_NULL)
        return MOOT_OK;
    if (said) {
        if (said->type != MOOT_JSON_STRING)
            return moot__config_fail(reader, MOOT_ECONFIG, said,
                                     "a literal secret is refused: write env:NAME or file:PATH");
        return load_key(reader, said, said->text, provider);
    }
    const struct moot_tree *base_url = moot__tree_get(node, "base_url");
    bool is_of_environment =
        !base_url || (moot__view_starts(base_url->text, MOOT_VIEW("env:")) &&
                      moot__view_is(moot__view(base_url->text.ptr + 4, base_url->text.len - 4),
                                    defaults->url_variable));
    if (is_of_environment) {
        char reference[64] = "env:";
        moot__view_copy(moot__view_str(defaults->key_variable), reference + 4,
                        sizeof reference - 4);
        return load_key(reader, node, moot__view_str(reference), provider);
    }
    if (moot__url_is_loopback(provider->url.host))
        return MOOT_OK; /* a server on this machine, most likely without keys */
    return moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                 "this provider has an address but no secret; add api_key: "
                                 "env:NAME or file:PATH, or api_key: null if it needs none");
}

int moot__config_read_address(struct moot_config_reader *reader, const struct moot_tree *node,
                              struct moot_provider *provider)
{
    int rc = read_base_url(reader, node, provider);
    if (rc == MOOT_OK)
        rc = read_proxy(reader, node, provider);
    return rc ? rc : read_key(reader, node, provider);
}
