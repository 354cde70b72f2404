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
static int decode(struct moot_view segment, struct moot_arena *arena, struct moot_view *out)
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

/* The {endpoint} of ".../serving-endpoints/{endpoint}/invocations", or false. */
static bool endpoint_of(struct moot_view path, struct moot_view *out)
{
    struct moot_view before = MOOT_VIEW("/serving-endpoints/"), after = MOOT_VIEW("/invocations");
    if (!moot__view_ends(path, after))
        return false;
    path.len -= after.len;
    size_t name = path.len;
    while (name > 0 && path.ptr[name - 1] != '/')
        name--;
    *out = moot__view(path.ptr + name, path.len - name);
    return out->len && moot__view_ends(moot__view(path.ptr, name), before);
}

int moot__emulator_route(struct moot_view target, struct moot_arena *arena,
                         struct moot_emulator_request *out)
{
    static const struct {
        const char *suffix;
        enum moot_emulator_route route;
        enum moot_emulator_surface surface;
    } routes[] = {
        {"/serving-endpoints/chat/completions", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_DATABRICKS},
        {"/ai-gateway/mlflow/v1/chat/completions", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_DATABRICKS},
        {"/chat/completions", MOOT_EMULATOR_CHAT, MOOT_EMULATOR_OPENAI},
        {"/models", MOOT_EMULATOR_MODELS, MOOT_EMULATOR_OPENAI},
        {"/_moot/ledger", MOOT_EMULATOR_LEDGER, MOOT_EMULATOR_OPENAI},
        {"/_moot/log", MOOT_EMULATOR_LOG, MOOT_EMULATOR_OPENAI},
    };
    struct moot_view path = path_of(target), endpoint;
    out->route = MOOT_EMULATOR_NOWHERE;
    out->surface = MOOT_EMULATOR_OPENAI;
    out->endpoint = MOOT_VIEW("");
    if (endpoint_of(path, &endpoint)) {
        out->route = MOOT_EMULATOR_CHAT;
        out->surface = MOOT_EMULATOR_DATABRICKS;
        return decode(endpoint, arena, &out->endpoint);
    }
    for (size_t i = 0; i < moot__countof(routes); i++) {
        if (moot__view_ends(path, moot__view_str(routes[i].suffix))) {
            out->route = routes[i].route;
            out->surface = routes[i].surface;
            return MOOT_OK;
        }
    }
    if (moot__emulator_holds(path, MOOT_VIEW("/serving-endpoints")))
        out->surface = MOOT_EMULATOR_DATABRICKS;
    return MOOT_OK;
}
