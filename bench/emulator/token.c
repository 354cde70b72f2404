#include "token.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/json_write.h"
#include "engine/base/limits.h"

enum { TOKEN_BYTES = 96, TTL_DEFAULT_S = 3600 };

/* ---- tokens ---- */

static void write_token(const struct moot_emulator *emulator, uint64_t number, uint64_t ends_ns,
                        char token[TOKEN_BYTES])
{
    struct moot_rng rng;
    moot__emulator_draw(emulator, MOOT_EMULATOR_DRAW_TOKEN, number ^ (ends_ns << 8), &rng);
    snprintf(token, TOKEN_BYTES, "moot-%llu-%llu-%016llx", (unsigned long long)number,
             (unsigned long long)ends_ns, (unsigned long long)moot__rng_next(&rng));
}

bool moot__emulator_token_is_valid(const struct moot_emulator_connection *c, struct moot_view token)
{
    struct moot_view rest = token, part;
    uint64_t number, ends_ns;
    char expected[TOKEN_BYTES];
    if (!c->emulator->options.client_id || !moot__view_split(&rest, '-', &part) ||
        !moot__view_split(&rest, '-', &part) || !moot__view_to_u64(part, &number) ||
        !moot__view_split(&rest, '-', &part) || !moot__view_to_u64(part, &ends_ns))
        return false;
    write_token(c->emulator, number, ends_ns, expected);
    return moot__view_is(token, expected) && c->now_ns < ends_ns;
}

/* ---- the request ---- */

/* The decoded value of a form's field, or "". */
static struct moot_view form_value(struct moot_emulator_connection *c, const char *name)
{
    struct moot_view rest = c->body.len ? moot__buf_view(&c->body) : MOOT_VIEW(""), part, key;
    while (moot__view_split(&rest, '&', &part)) {
        struct moot_view value = part, copy = MOOT_VIEW("");
        if (!moot__view_split(&value, '=', &key) || !moot__view_is(key, name) || !value.ptr)
            continue;
        char *text = moot__arena_alloc(&c->arena, value.len + 1);
        for (size_t i = 0; text && i < value.len; i++)
            text[i] = value.ptr[i] == '+' ? ' ' : value.ptr[i];
        int rc = text ? moot__emulator_decode(moot__view(text, value.len), &c->arena, &copy)
                      : MOOT_ENOMEM;
        if (rc == MOOT_OK)
            return copy;
        c->error = rc;
    }
    return MOOT_VIEW("");
}

/* Does the Authorization header hold the client, as HTTP Basic has it? */
static bool is_basic_client(struct moot_emulator_connection *c)
{
    const struct moot_emulator_options *options = &c->emulator->options;
    struct moot_view said = moot__http1_header(&c->head, "authorization");
    struct moot_view basic = MOOT_VIEW("Basic ");
    struct moot_buf text;
    if (!moot__view_starts(said, basic))
        return false;
    moot__buf_init(&text, c->emulator->allocator, MOOT_LIMIT_HTTP_HEAD_BYTES);
    said = moot__view(said.ptr + basic.len, said.len - basic.len);
    int rc = moot__base64_decode(&text, said);
    struct moot_view secret = text.len ? moot__buf_view(&text) : MOOT_VIEW(""), id = MOOT_VIEW("");
    bool is_client = rc == MOOT_OK && moot__view_split(&secret, ':', &id) && secret.ptr &&
                     moot__view_is(id, options->client_id) &&
                     moot__view_is(secret, options->client_secret);
    moot__buf_deinit(&text);
    return is_client;
}

static bool is_client(struct moot_emulator_connection *c)
{
    const struct moot_emulator_options *options = &c->emulator->options;
    if (c->request.surface == MOOT_EMULATOR_DATABRICKS)
        return is_basic_client(c);
    return moot__view_is(form_value(c, "client_id"), options->client_id) &&
           moot__view_is(form_value(c, "client_secret"), options->client_secret);
}

/* ---- the answers ---- */

static int write_error(struct moot_json_writer *w, int status, const char *error,
                       const char *description)
{
    moot__json_write_member_str(w, "error", error);
    moot__json_write_member_str(w, "error_description", description);
    return status;
}

static int write_grant(struct moot_emulator_connection *c, struct moot_json_writer *w)
{
    const struct moot_emulator_options *options = &c->emulator->options;
    uint64_t ttl_ns = options->token_ttl_ns ? options->token_ttl_ns : TTL_DEFAULT_S * MOOT_NS_PER_S;
    char token[TOKEN_BYTES];
    write_token(c->emulator, ++c->emulator->ledger.grants, moot__ns_add(c->now_ns, ttl_ns), token);
    moot__json_write_member_str(w, "access_token", token);
    moot__json_write_member_str(w, "token_type", "Bearer");
    moot__json_write_member_u64(w, "expires_in", ttl_ns / MOOT_NS_PER_S);
    if (c->request.surface == MOOT_EMULATOR_DATABRICKS)
        moot__json_write_member_string(w, "scope", form_value(c, "scope"));
    else
        moot__json_write_member_u64(w, "ext_expires_in", ttl_ns / MOOT_NS_PER_S);
    return 200;
}

int moot__emulator_token_grant(struct moot_emulator_connection *c)
{
    struct moot_json_writer w;
    bool is_databricks = c->request.surface == MOOT_EMULATOR_DATABRICKS;
    struct moot_view scope = form_value(c, "scope");
    int status;
    moot__buf_reset(&c->json);
    moot__json_write_init(&w, &c->json);
    moot__json_write_object_begin(&w);
    if (!moot__view_is(form_value(c, "grant_type"), "client_credentials"))
        status = write_error(&w, 400, "unsupported_grant_type", "Only client_credentials is here.");
    else if (!is_client(c))
        status = write_error(&w, 401, "invalid_client",
                             is_databricks ? "Client authentication failed"
                                           : "AADSTS7000215: Invalid client secret provided.");
    else if (is_databricks ? !moot__view_is(scope, "all-apis")
                           : !moot__view_ends(scope, MOOT_VIEW("/.default")))
        status = write_error(&w, 400, "invalid_scope", "The scope is missing or unknown.");
    else
        status = write_grant(c, &w);
    moot__json_write_object_end(&w);
    int rc = moot__json_write_finish(&w);
    if (c->error == MOOT_OK)
        c->error = rc;
    return status;
}

/* The address is the one under which the client found us. */
void moot__emulator_token_discovery(struct moot_emulator_connection *c)
{
    static const char path[] = "/oidc/.well-known/oauth-authorization-server";
    struct moot_view host = moot__http1_header(&c->head, "host"), base = c->head.target;
    struct moot_json_writer w;
    char address[512];
    base.len = moot__view_find(base, '?', 0);
    base.len = base.len >= sizeof path - 1 ? base.len - (sizeof path - 1) : 0;
    if (host.len > 200 || base.len > 200)
        host.len = base.len = 0;
    moot__buf_reset(&c->json);
    moot__json_write_init(&w, &c->json);
    moot__json_write_object_begin(&w);
    static const struct {
        const char *key, *end;
    } members[] = {{"authorization_endpoint", "/oidc/v1/authorize"},
                   {"token_endpoint", "/oidc/v1/token"}};
    for (size_t i = 0; i < moot__countof(members); i++) {
        snprintf(address, sizeof address, "http%s://%.*s%.*s%s",
                 c->emulator->options.is_tls ? "s" : "", (int)host.len, host.ptr ? host.ptr : "",
                 (int)base.len, base.ptr, members[i].end);
        moot__json_write_member_str(&w, members[i].key, address);
    }
    moot__json_write_object_end(&w);
    int rc = moot__json_write_finish(&w);
    if (c->error == MOOT_OK)
        c->error = rc;
}
