/* The registry: every dialect there is, in one array. */
#include "dialect.h"

#include "engine/base/check.h"

static const struct moot_dialect *const dialects[] = {
    &moot__dialect_databricks,
    &moot__dialect_openai,
};

const struct moot_dialect *moot__dialect_at(size_t index)
{
    return index < moot__countof(dialects) ? dialects[index] : NULL;
}

const struct moot_dialect *moot__dialect_find(struct moot_view name)
{
    for (size_t i = 0; i < moot__countof(dialects); i++) {
        if (moot__view_is(name, dialects[i]->name))
            return dialects[i];
    }
    return NULL;
}
