#include "credential_source.h"

#include "engine/base/err.h"
#include "net/pool.h"

const struct moot_credential_source_ops moot__credential_fixed = {.name = "the configuration"};

int moot__credential_spec_copy(struct moot_credential_spec *copy,
                               const struct moot_credential_spec *spec)
{
    *copy = *spec;
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++)
        copy->secrets[i] = (struct moot_credential){0};
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++) {
        if (!spec->secrets[i].secret)
            continue;
        int rc = moot__credential_copy(&copy->secrets[i], &spec->secrets[i]);
        if (rc) {
            moot__credential_spec_deinit(copy);
            return rc;
        }
    }
    return MOOT_OK;
}

void moot__credential_spec_deinit(struct moot_credential_spec *spec)
{
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++)
        moot__credential_deinit(&spec->secrets[i]);
}

struct moot_access moot__credential_spec_access(const struct moot_credential_spec *spec)
{
    struct moot_access borrowed;
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++)
        borrowed.parts[i] = spec->secrets[i].secret;
    return moot__access_ref(&borrowed);
}

int moot__fetch_read_secret(struct moot_fetch *fetch)
{
    struct moot_credential *credential = &fetch->spec->secrets[0];
    if (!credential->secret)
        return MOOT_OK;
    int rc = moot__credential_refresh(credential, &fetch->error);
    if (rc == MOOT_ENOTFOUND) /* still the same */
        rc = MOOT_OK;
    return rc;
}

int moot__fetch_take_answer(struct moot_fetch *fetch, struct moot_view text, bool may_be_raw)
{
    struct moot_transport *transport = fetch->pool->transport;
    const struct moot_credential_answer_options options = {
        .allocator = transport->allocator,
        .wall_s = (int64_t)(moot__wall_ns(transport) / MOOT_NS_PER_S),
        .may_be_raw = may_be_raw,
        .who = fetch->spec->source->name,
    };
    moot__error_clear(&fetch->error);
    return moot__credential_answer_read(text, &options, &fetch->answer, &fetch->error);
}
