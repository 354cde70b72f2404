#include "access.h"

#include "engine/base/view.h"
#include "mask.h"

enum moot_access_kind moot__access_kind(const struct moot_access *access)
{
    if (access->parts[MOOT_ACCESS_TOKEN])
        return MOOT_ACCESS_BEARER;
    return access->parts[MOOT_ACCESS_SECRET_KEY] ? MOOT_ACCESS_AWS_KEYS : MOOT_ACCESS_NONE;
}

struct moot_view moot__access_part(const struct moot_access *access, enum moot_access_part part)
{
    struct moot_secret *secret = access->parts[part];
    return secret ? moot__secret_expose(secret) : (struct moot_view){"", 0};
}

struct moot_access moot__access_ref(const struct moot_access *access)
{
    struct moot_access owned = *access;
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++)
        if (owned.parts[i])
            moot__secret_ref(owned.parts[i]);
    return owned;
}

void moot__access_deinit(struct moot_access *access)
{
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++)
        moot__secret_free(access->parts[i]);
    *access = (struct moot_access){{NULL}};
}

bool moot__access_eq(const struct moot_access *a, const struct moot_access *b)
{
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++) {
        enum moot_access_part part = (enum moot_access_part)i;
        if (!moot__view_eq(moot__access_part(a, part), moot__access_part(b, part)))
            return false;
    }
    return true;
}

void moot__access_mask(const struct moot_access *access, char *text, size_t size)
{
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++)
        moot__mask_secret(text, size, moot__access_part(access, (enum moot_access_part)i));
}
