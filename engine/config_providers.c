/* Who is asked: `providers`. Where and with which secret is in config_address.c. */
#include "config_read.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { DIALECT_WORDS = 32 };

static moot_words provider_keys = {"type",
                                   "base_url",
                                   "api_key",
                                   "auth",
                                   "requests_per_minute",
                                   "input_tokens_per_minute",
                                   "output_tokens_per_minute",
                                   "tokens_per_minute",
                                   "requests_per_day",
                                   "tokens_per_day",
                                   "share",
                                   "concurrency",
                                   "concurrency_max",
                                   "allow_http",
                                   "surface",
                                   "api_version",
                                   "proxy",
                                   "headers",
                                   "timeouts",
                                   "retry",
                                   "prices",
                                   NULL};

static int read_concurrency(struct moot_config_reader *reader, const struct moot_tree *node,
                            struct moot_limiter_options *quota)
{
    uint64_t most = 0, fixed = 0;
    const struct moot_tree *concurrency = moot__tree_get(node, "concurrency");
    int rc = moot__config_quantity(reader, moot__tree_get(node, "concurrency_max"), &most);
    if (rc)
        return rc;
    bool is_auto = concurrency && concurrency->type == MOOT_JSON_STRING &&
                   moot__view_is(concurrency->text, "auto");
    if (!is_auto && concurrency) {
        rc = moot__config_quantity(reader, concurrency, &fixed);
        if (rc)
            return moot__config_fail(reader, MOOT_ECONFIG, concurrency,
                                     "'concurrency' must be auto or a whole number from 1 on");
    }
    if (fixed > MOOT_LIMIT_CONVERSATIONS || most > MOOT_LIMIT_CONVERSATIONS)
        return moot__config_fail(reader, MOOT_ECONFIG, node, "'concurrency' can be %d at most",
                                 MOOT_LIMIT_CONVERSATIONS);
    quota->concurrency = (uint32_t)fixed;
    quota->concurrency_max = (uint32_t)most;
    return MOOT_OK;
}

static int read_quota(struct moot_config_reader *reader, const struct moot_tree *node,
                      struct moot_limiter_options *quota)
{
    static const char *const keys[MOOT_METERS] = {"requests_per_minute", "input_tokens_per_minute",
                                                  "output_tokens_per_minute", "tokens_per_minute"};
    static const char *const days[MOOT_DAY_METERS] = {"requests_per_day", "tokens_per_day"};
    for (unsigned i = 0; i < MOOT_METERS; i++) {
        int rc =
            moot__config_quantity(reader, moot__tree_get(node, keys[i]), &quota->per_minute[i]);
        if (rc)
            return rc;
    }
    for (unsigned i = 0; i < MOOT_DAY_METERS; i++) {
        int rc = moot__config_quantity(reader, moot__tree_get(node, days[i]), &quota->per_day[i]);
        if (rc)
            return rc;
    }
    return read_concurrency(reader, node, quota);
}

/* Like the path of a secret, relative to the configuration's folder. */
static int read_share(struct moot_config_reader *reader, const struct moot_tree *node,
                      struct moot_view *share)
{
    struct moot_view path = {NULL, 0};
    int rc = moot__config_text(reader, node, &path);
    if (rc || !node || node->type == MOOT_JSON_NULL)
        return rc;
    if (path.len == 0 || strlen(path.ptr) != path.len)
        return moot__config_fail(reader, MOOT_ECONFIG, node,
                                 "'share' must be the path of a file, which moot makes");
    if (path.ptr[0] == '/' || reader->folder.len == 0) {
        *share = path;
        return MOOT_OK;
    }
    size_t len = reader->folder.len + 1 + path.len;
    char *joined = moot__arena_alloc(&reader->plan->arena, len + 1);
    if (!joined)
        return moot__config_out_of_memory(reader);
    memcpy(joined, reader->folder.ptr, reader->folder.len);
    joined[reader->folder.len] = '/';
    memcpy(joined + reader->folder.len + 1, path.ptr, path.len);
    joined[len] = '\0';
    *share = moot__view(joined, len);
    return MOOT_OK;
}

static int read_timeouts(struct moot_config_reader *reader, const struct moot_tree *node,
                         struct moot_timeouts *timeouts)
{
    static moot_words keys = {"connect", "first_byte", "idle", "total", NULL};
    *timeouts = (struct moot_timeouts){MOOT_TIMEOUT_CONNECT_NS, MOOT_TIMEOUT_FIRST_BYTE_NS,
                                       MOOT_TIMEOUT_IDLE_NS, MOOT_TIMEOUT_TOTAL_NS};
    if (!node)
        return MOOT_OK;
    uint64_t *const places[] = {&timeouts->connect_ns, &timeouts->first_byte_ns, &timeouts->idle_ns,
                                &timeouts->total_ns};
    int rc = moot__config_check_keys(reader, node, "'timeouts'", keys);
    for (unsigned i = 0; i < moot__countof(places) && !rc; i++)
        rc = moot__config_duration(reader, moot__tree_get(node, keys[i]), places[i]);
    return rc;
}

static int read_retry(struct moot_config_reader *reader, const struct moot_tree *node,
                      struct moot_retry_policy *policy)
{
    static moot_words keys = {"unknown", "max_attempts", NULL};
    static moot_words choices = {"retry", "fail", NULL};
    if (!node)
        return MOOT_OK;
    unsigned choice = 0;
    uint64_t most = 0;
    int rc = moot__config_check_keys(reader, node, "'retry'", keys);
    if (rc == MOOT_OK)
        rc = moot__config_choice(reader, moot__tree_get(node, "unknown"), choices, &choice);
    if (rc == MOOT_OK)
        rc = moot__config_quantity(reader, moot__tree_get(node, "max_attempts"), &most);
    policy->unknown_fails = choice == 1;
    policy->attempts_max = most < 1000000 ? (unsigned)most : 1000000;
    return rc;
}

static int read_price(struct moot_config_reader *reader, const struct moot_tree *entry,
                      struct moot_price *price)
{
    static moot_words keys = {"input", "cached_input", "cache_write", "output", NULL};
    int rc = moot__config_check_keys(
        reader, entry, "a price (US dollars per million tokens of an endpoint)", keys);
    if (rc == MOOT_OK)
        rc = moot__config_amount(reader, moot__tree_get(entry, "input"), &price->input);
    price->cached_input = price->cache_write = price->input;
    if (rc == MOOT_OK)
        rc = moot__config_amount(reader, moot__tree_get(entry, "cached_input"),
                                 &price->cached_input);
    if (rc == MOOT_OK)
        rc = moot__config_amount(reader, moot__tree_get(entry, "cache_write"), &price->cache_write);
    if (rc == MOOT_OK)
        rc = moot__config_amount(reader, moot__tree_get(entry, "output"), &price->output);
    return rc;
}

static int read_prices(struct moot_config_reader *reader, const struct moot_tree *node,
                       struct moot_provider *provider)
{
    if (!node)
        return MOOT_OK;
    int rc = moot__config_expect(reader, node, MOOT_JSON_OBJECT);
    if (rc)
        return rc;
    struct moot_arena *arena = &reader->plan->arena;
    struct moot_price *prices = moot__arena_calloc(arena, node->count + 1, sizeof *prices);
    if (!prices)
        return moot__config_out_of_memory(reader);
    for (const struct moot_tree *entry = node->child; entry; entry = entry->next) {
        struct moot_price *price = &prices[provider->price_count++];
        if (!moot__arena_copy(arena, entry->key, &price->endpoint))
            return moot__config_out_of_memory(reader);
        rc = read_price(reader, entry, price);
        if (rc)
            return rc;
    }
    provider->prices = prices;
    return MOOT_OK;
}

/* RFC 9110, 5.6.2. */
static bool is_header_name(struct moot_view name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_alnum && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.len > 0;
}

static bool is_header_value(struct moot_view value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_in(struct moot_view name, const char *const *words)
{
    for (; *words; words++) {
        if (moot__view_eq_nocase(name, moot__view_str(*words)))
            return true;
    }
    return false;
}

static int check_header(struct moot_config_reader *reader, const struct moot_tree *entry)
{
    static moot_words secret = {
        "authorization", "proxy-authorization", "api-key", "x-api-key", "cookie", NULL};
    static moot_words engine = {"host",
                                "content-length",
                                "content-type",
                                "connection",
                                "transfer-encoding",
                                "accept-encoding",
                                "expect",
                                "upgrade",
                                "te",
                                "trailer",
                                NULL};
    if (is_in(entry->key, secret))
        return moot__config_fail_key(reader, MOOT_ECONFIG, entry,
                                     "a literal secret is refused: use api_key: env:NAME or "
                                     "api_key: file:PATH, from which this header is written");
    if (is_in(entry->key, engine))
        return moot__config_fail_key(reader, MOOT_ECONFIG, entry,
                                     "this header is written by the engine; remove it");
    if (!is_header_name(entry->key))
        return moot__config_fail_key(reader, MOOT_ECONFIG, entry, "this is no header's name");
    int rc = moot__config_expect(reader, entry, MOOT_JSON_STRING);
    if (rc == MOOT_OK && !is_header_value(entry->text))
        rc = moot__config_fail(reader, MOOT_ECONFIG, entry,
                               "a header's value is one line without control characters");
    return rc;
}

static int read_headers(struct moot_config_reader *reader, const struct moot_tree *node,
                        struct moot_provider *provider)
{
    if (!node)
        return MOOT_OK;
    int rc = moot__config_expect(reader, node, MOOT_JSON_OBJECT);
    if (rc)
        return rc;
    struct moot_arena *arena = &reader->plan->arena;
    struct moot_http1_header *headers = moot__arena_calloc(arena, node->count + 1, sizeof *headers);
    if (!headers)
        return moot__config_out_of_memory(reader);
    for (const struct moot_tree *entry = node->child; entry; entry = entry->next) {
        struct moot_http1_header *header = &headers[provider->header_count++];
        rc = check_header(reader, entry);
        if (rc)
            return rc;
        if (!moot__arena_copy(arena, entry->key, &header->name) ||
            !moot__arena_copy(arena, entry->text, &header->value))
            return moot__config_out_of_memory(reader);
    }
    provider->headers = headers;
    return MOOT_OK;
}

/* The types that there are; of one of them, if it is said, the surfaces. The names are the
 * registry's. */
static void list_dialects(struct moot_view type, const char *words[], size_t size)
{
    size_t count = 0;
    const struct moot_dialect *dialect;
    for (size_t i = 0; (dialect = moot__dialect_at(i)) && count + 1 < size; i++) {
        const char *word = type.len ? dialect->surface : dialect->type;
        bool is_of_type = type.len == 0 || moot__view_is(type, dialect->type);
        bool is_twice = count > 0 && strcmp(words[count - 1], word) == 0;
        if (is_of_type && !is_twice)
            words[count++] = word;
    }
    words[count] = NULL;
}

static int read_type(struct moot_config_reader *reader, const struct moot_tree *node,
                     struct moot_provider *provider)
{
    const char *words[DIALECT_WORDS];
    const struct moot_tree *type = moot__tree_get(node, "type");
    if (!type || type->type == MOOT_JSON_NULL)
        return moot__config_fail_key(reader, MOOT_ECONFIG, node,
                                     "this provider has no type; add type: databricks, or "
                                     "type: openai (any server that speaks it), or another");
    unsigned choice = 0, surface = 0;
    list_dialects((struct moot_view){NULL, 0}, words, moot__countof(words));
    int rc = moot__config_choice(reader, type, words, &choice);
    if (rc)
        return rc;
    struct moot_view name = moot__view_str(words[choice]);
    list_dialects(name, words, moot__countof(words));
    rc = moot__config_choice(reader, moot__tree_get(node, "surface"), words, &surface);
    provider->dialect = moot__dialect_find(name, moot__view_str(words[surface]));
    provider->auth = provider->dialect->auth;
    if (rc == MOOT_OK)
        rc = moot__config_text(reader, moot__tree_get(node, "api_version"), &provider->version);
    if (rc == MOOT_OK && provider->version.len && !is_header_value(provider->version))
        rc = moot__config_fail(reader, MOOT_ECONFIG, moot__tree_get(node, "api_version"),
                               "a version is one line without control characters");
    return rc;
}

int moot__config_read_provider(struct moot_config_reader *reader, const struct moot_tree *node,
                               struct moot_provider *provider)
{
    int rc = moot__config_check_keys(reader, node, "a provider", provider_keys);
    if (rc == MOOT_OK)
        rc = read_type(reader, node, provider);
    if (rc == MOOT_OK)
        rc = read_quota(reader, node, &provider->quota);
    if (rc == MOOT_OK)
        rc = read_share(reader, moot__tree_get(node, "share"), &provider->share);
    if (rc == MOOT_OK)
        rc = read_timeouts(reader, moot__tree_get(node, "timeouts"), &provider->timeouts);
    if (rc == MOOT_OK)
        rc = read_retry(reader, moot__tree_get(node, "retry"), &provider->retry);
    if (rc == MOOT_OK)
        rc = read_prices(reader, moot__tree_get(node, "prices"), provider);
    if (rc == MOOT_OK)
        rc = read_headers(reader, moot__tree_get(node, "headers"), provider);
    if (rc == MOOT_OK)
        rc = moot__config_bool(reader, moot__tree_get(node, "allow_http"), &provider->allow_http);
    return rc ? rc : moot__config_read_address(reader, node, provider);
}

/* Nothing said: what the official SDKs would take from the environment; the tutorial's provider
 * first. */
static int derive_default(struct moot_config_reader *reader, struct moot_provider *provider)
{
    static const struct moot_tree nothing = {.type = MOOT_JSON_OBJECT, .line = 1, .column = 1};
    static const struct {
        const char *variable;
        struct moot_view type;
    } signs[] = {
        {"DATABRICKS_HOST", {"databricks", 10}},
        {"DATABRICKS_CONFIG_PROFILE", {"databricks", 10}},
        {"OPENAI_API_KEY", {"openai", 6}},
        {"ANTHROPIC_API_KEY", {"anthropic", 9}},
        {"ANTHROPIC_AUTH_TOKEN", {"anthropic", 9}},
        {"AZURE_OPENAI_ENDPOINT", {"azure", 5}},
        {"AWS_BEARER_TOKEN_BEDROCK", {"bedrock", 7}},
    };
    for (size_t i = 0; i < moot__countof(signs) && !provider->dialect; i++) {
        const char *value = moot__environment_get(&reader->environment, signs[i].variable);
        if (value && *value)
            provider->dialect = moot__dialect_find(signs[i].type, (struct moot_view){"", 0});
    }
    if (!provider->dialect)
        return moot__config_fail(
            reader, MOOT_ECONFIG, &nothing,
            "no provider: set DATABRICKS_HOST and DATABRICKS_TOKEN, or OPENAI_API_KEY, "
            "ANTHROPIC_API_KEY, AZURE_OPENAI_ENDPOINT or AWS_BEARER_TOKEN_BEDROCK, "
            "or add a section 'providers'");
    provider->auth = provider->dialect->auth;
    int rc = read_timeouts(reader, NULL, &provider->timeouts);
    return rc ? rc : moot__config_read_address(reader, &nothing, provider);
}

int moot__config_read_providers(struct moot_config_reader *reader,
                                const struct moot_tree *providers)
{
    struct moot_plan *plan = reader->plan;
    size_t count = 1;
    if (providers) {
        int rc = moot__config_expect(reader, providers, MOOT_JSON_OBJECT);
        if (rc)
            return rc;
        count = providers->count;
        if (count == 0 || count > MOOT_LIMIT_PROVIDERS)
            return moot__config_fail(reader, MOOT_ECONFIG, providers,
                                     "'providers' must have 1 to %d entries; or remove it, and "
                                     "the environment decides",
                                     MOOT_LIMIT_PROVIDERS);
    }
    plan->providers = moot__arena_calloc(&plan->arena, count, sizeof *plan->providers);
    if (!plan->providers)
        return moot__config_out_of_memory(reader);
    if (!providers) {
        plan->provider_count = 1;
        plan->providers[0].name = MOOT_VIEW("default");
        return derive_default(reader, &plan->providers[0]);
    }
    for (const struct moot_tree *node = providers->child; node; node = node->next) {
        struct moot_provider *provider = &plan->providers[plan->provider_count++];
        if (!moot__arena_copy(&plan->arena, node->key, &provider->name))
            return moot__config_out_of_memory(reader);
        int rc = moot__config_read_provider(reader, node, provider);
        if (rc)
            return rc;
    }
    return MOOT_OK;
}
