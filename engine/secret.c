#include "secret.h"

#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"

struct moot_secret {
    const struct moot_allocator *allocator;
    unsigned refs;
    size_t len;
    char bytes[];
};

struct moot_secret *moot__secret_new(const struct moot_allocator *allocator, struct moot_view value)
{
    struct moot_secret *secret = moot__alloc(allocator, sizeof *secret + value.len + 1);
    if (!secret)
        return NULL;
    secret->allocator = allocator;
    secret->refs = 1;
    secret->len = value.len;
    if (value.len)
        memcpy(secret->bytes, value.ptr, value.len);
    secret->bytes[value.len] = '\0';
    return secret;
}

struct moot_secret *moot__secret_ref(struct moot_secret *secret)
{
    assert(secret->refs > 0);
    secret->refs++;
    return secret;
}

void moot__secret_free(struct moot_secret *secret)
{
    if (!secret || --secret->refs > 0)
        return;
    const struct moot_allocator *allocator = secret->allocator;
    moot__wipe(secret, sizeof *secret + secret->len + 1);
    moot__free(allocator, secret);
}

struct moot_view moot__secret_expose(const struct moot_secret *secret)
{
    assert(secret);
    return moot__view(secret->bytes, secret->len);
}

bool moot__secret_eq(const struct moot_secret *a, const struct moot_secret *b)
{
    return moot__view_eq(moot__secret_expose(a), moot__secret_expose(b));
}
