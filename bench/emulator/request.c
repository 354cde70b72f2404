#include "request.h"

#include "answer.h"
#include "engine/base/check.h"

static struct moot_view path_of(struct moot_view target)
{
    struct moot_view schemes[] = {MOOT_VIEW("http://"), MOOT_VIEW("https://")};
    for (size_t i = 0; i < moot__countof(schemes); i++) {
        if (!moot__view_starts(target, schemes[i]))
            continue;
        size_t slash = moot__view_find(target, '/', schemes[i].len);
        target = moot__view(target.ptr + slash, target.len - slash);
    }
    return moot__view(target.ptr, moot__view_find(target, '?', 0));
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decode one segment; a % that is none stays as it is. */
int moot__emulator_decode(struct moot_view segment, struct moot_arena *arena, struct moot_view *out)
{
    char *text = moot__arena_alloc(arena, segment.len + 1);
    size_t len = 0;
    if (!text)
        return MOOT_ENOMEM;
    for (size_t i = 0; i < segment.len; i++) {
        int high = i + 2 < segment.len && segment.ptr[i] == '%' ? hex(segment.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex(segment.ptr[i + 2]) : -1;
        if (low >= 0) {
            text[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            text[len++] = segment.ptr[i];
        }
    }
    *out = moot__view(text, len);
    return MOOT_OK;
}

/* A path that ends in `before`, or in `before`, one segment and `after`. */
struct pattern {
    const char *before, *after; /* `after` NULL: no segment */
    enum moot_emulator_route route;
    enum moot_emulator_surface surface;
    bool stream; /* for those whose body does not say */
};

/* The first that fits is taken. */
static const struct pattern patterns[] = {
    {"/serving-endpoints/", "/invocations", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_DATABRICKS, false},
    {"/serving-endpoints/chat/completions", NULL, MOOT_EMULATOR_CHAT, MOOT_EMULATOR_DATABRICKS,
     false},
    {"/ai-gateway/mlflow/v1/chat/completions", NULL, MOOT_EMULATOR_CHAT, MOOT_EMULATOR_DATABRICKS,
     false},
    {"/v1/messages", NULL, MOOT_EMULATOR_CHAT, MOOT_EMULATOR_ANTHROPIC, false},
    {"/model/", "/converse", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_CONVERSE, false},
    {"/model/", "/converse-stream", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_CONVERSE, true},
    {"/model/", "/invoke", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_INVOKE, false},
    {"/model/", "/invoke-with-response-stream", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_INVOKE, true},
    {"/bedrock/openai/v1/chat/completions", NULL, MOOT_EMULATOR_CHAT, MOOT_EMULATOR_BEDROCK_OPENAI,
     false},
    {"/openai/v1/chat/completions", NULL, MOOT_EMULATOR_CHAT, MOOT_EMULATOR_AZURE, false},
    {"/openai/deployments/", "/chat/completions", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_AZURE_DATED,
     false},
    {"/models/chat/completions", NULL, MOOT_EMULATOR_CHAT, MOOT_EMULATOR_AZURE_DATED, false},
    {"/chat/completions", NULL, MOOT_EMULATOR_CHAT, MOOT_EMULATOR_OPENAI, false},
    {"/oidc/v1/token", NULL, MOOT_EMULATOR_GRANT, MOOT_EMULATOR_DATABRICKS, false},
    {"/oidc/.well-known/oauth-authorization-server", NULL, MOOT_EMULATOR_DISCOVERY,
     MOOT_EMULATOR_DATABRICKS, false},
    {"/", "/oauth2/v2.0/token", MOOT_EMULATOR_GRANT, MOOT_EMULATOR_AZURE, false},
    {"/models", NULL, MOOT_EMULATOR_MODELS, MOOT_EMULATOR_OPENAI, false},
    {"/_moot/ledger", NULL, MOOT_EMULATOR_LEDGER, MOOT_EMULATOR_OPENAI, false},
    {"/_moot/log", NULL, MOOT_EMULATOR_LOG, MOOT_EMULATOR_OPENAI, false},
};

/* Whose error a path without a route gets. */
static const struct {
    const char *part;
    enum moot_emulator_surface surface;
} owners[] = {
    {"/serving-endpoints", MOOT_EMULATOR_DATABRICKS},
    {"/anthropic/", MOOT_EMULATOR_ANTHROPIC},
    {"/model/", MOOT_EMULATOR_CONVERSE},
    {"/openai/deployments", MOOT_EMULATOR_AZURE},
};

static bool fits(const struct pattern *pattern, struct moot_view path, struct moot_view *segment)
{
    struct moot_view before = moot__view_str(pattern->before);
    *segment = MOOT_VIEW("");
    if (!pattern->after)
        return moot__view_ends(path, before);
    struct moot_view after = moot__view_str(pattern->after);
    if (!moot__view_ends(path, after))
        return false;
    path.len -= after.len;
    size_t name = path.len;
    while (name > 0 && path.ptr[name - 1] != '/')
        name--;
    *segment = moot__view(path.ptr + name, path.len - name);
    return segment->len && moot__view_ends(moot__view(path.ptr, name), before);
}

/* The value of api-version in the query, as it is written there. */
static struct moot_view version_in(struct moot_view target)
{
    struct moot_view name = MOOT_VIEW("api-version="), part;
    size_t mark = moot__view_find(target, '?', 0);
    struct moot_view rest = moot__view(target.ptr + mark, target.len - mark);
    if (rest.len == 0)
        return MOOT_VIEW("");
    rest = moot__view(rest.ptr + 1, rest.len - 1);
    while (moot__view_split(&rest, '&', &part))
        if (moot__view_starts(part, name))
            return moot__view(part.ptr + name.len, part.len - name.len);
    return MOOT_VIEW("");
}

int moot__emulator_route(struct moot_view target, struct moot_arena *arena,
                         struct moot_emulator_request *out)
{
    struct moot_view path = path_of(target), segment;
    out->route = MOOT_EMULATOR_NOWHERE;
    out->surface = MOOT_EMULATOR_OPENAI;
    out->endpoint = MOOT_VIEW("");
    out->version = version_in(target);
    for (size_t i = 0; i < moot__countof(patterns); i++) {
        if (!fits(&patterns[i], path, &segment))
            continue;
        out->route = patterns[i].route;
        out->surface = patterns[i].surface;
        out->stream = patterns[i].stream;
        return segment.len ? moot__emulator_decode(segment, arena, &out->endpoint) : MOOT_OK;
    }
    for (size_t i = 0; i < moot__countof(owners); i++)
        if (moot__emulator_holds(path, moot__view_str(owners[i].part)))
            out->surface = owners[i].surface;
    return MOOT_OK;
}
