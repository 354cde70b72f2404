#ifndef MOOT_ACCESS_H
#define MOOT_ACCESS_H

/* What opens a provider for a while: a token, or the three parts with which AWS requests are
 * signed. Plain data that owns its secrets; one thread. */
#include <stddef.h>
#include <stdint.h>

#include "secret.h"

enum moot_access_part {
    MOOT_ACCESS_TOKEN, /* goes into a header; or none, and: */
    MOOT_ACCESS_KEY_ID,
    MOOT_ACCESS_SECRET_KEY,
    MOOT_ACCESS_SESSION_TOKEN, /* of keys that expire */
    MOOT_ACCESS_PARTS
};

enum moot_access_kind {
    MOOT_ACCESS_NONE, /* the provider wants none */
    MOOT_ACCESS_BEARER,
    MOOT_ACCESS_AWS_KEYS,
};

struct moot_access {
    struct moot_secret *parts[MOOT_ACCESS_PARTS]; /* NULL: not of this kind */
};

enum moot_access_kind moot__access_kind(const struct moot_access *access);

/* The bytes of a part; empty if it has none. */
struct moot_view moot__access_part(const struct moot_access *access, enum moot_access_part part);

/* Another owner of the same secrets. */
struct moot_access moot__access_ref(const struct moot_access *access);
void moot__access_deinit(struct moot_access *access); /* safe on a zeroed struct, and twice */

bool moot__access_eq(const struct moot_access *a, const struct moot_access *b);

/* Take every part out of a text; see mask.h. */
void moot__access_mask(const struct moot_access *access, char *text, size_t size);

#endif
