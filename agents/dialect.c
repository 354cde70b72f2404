/* The registry: every dialect there is, in one array. */
#include "dialect.h"

#include "engine/base/check.h"

/* A type's surfaces side by side, its default first. */
static const struct moot_dialect *const dialects[] = {
    &moot__dialect_databricks,         &moot__dialect_databricks_chat,
    &moot__dialect_databricks_gateway, &moot__dialect_openai,
    &moot__dialect_anthropic,          &moot__dialect_azure,
    &moot__dialect_azure_deployments,  &moot__dialect_azure_models,
    &moot__dialect_azure_anthropic,    &moot__dialect_bedrock,
    &moot__dialect_bedrock_invoke,     &moot__dialect_bedrock_openai,
};

const struct moot_dialect *moot__dialect_at(size_t index)
{
    return index < moot__countof(dialects) ? dialects[index] : NULL;
}

const struct moot_dialect *moot__dialect_find(struct moot_view type, struct moot_view surface)
{
    for (size_t i = 0; i < moot__countof(dialects); i++) {
        if (moot__view_is(type, dialects[i]->type) &&
            (surface.len == 0 || moot__view_is(surface, dialects[i]->surface)))
            return dialects[i];
    }
    return NULL;
}

struct moot_view moot__dialect_version(const struct moot_dialect *dialect, struct moot_view said)
{
    return said.len ? said : moot__view_str(dialect->version);
}
