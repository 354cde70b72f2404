#include "auth.h"

#include "engine/base/check.h"
#include "surface.h"

static struct moot_view bearer_of(const struct moot_http1_head *head)
{
    struct moot_view authorization = moot__http1_header(head, "authorization");
    struct moot_view bearer = MOOT_VIEW("Bearer ");
    if (!moot__view_starts(authorization, bearer))
        return MOOT_VIEW("");
    return moot__view(authorization.ptr + bearer.len, authorization.len - bearer.len);
}

bool moot__emulator_is_authorized(const struct moot_emulator_connection *c,
                                  const struct moot_http1_head *head)
{
    const char *key = c->emulator->options.api_key;
    const char *own = moot__emulator_surface(c->request.surface)->key_header;
    if (!key || moot__view_is(bearer_of(head), key))
        return true;
    return own && moot__view_is(moot__http1_header(head, own), key);
}
