#ifndef MOOT_BASE_SHA256_H
#define MOOT_BASE_SHA256_H

/* SHA-256 and HMAC (RFC 2104) with it, by mbedTLS. Takes no memory; what was derived from a key is
 * wiped. Any thread. All of them: MOOT_EIO if the library fails, which its software never does but
 * a machine's own unit may. */
#include <moot/error.h>

#include "view.h"

#define MOOT_SHA256_BYTES 32
#define MOOT_HMAC_PIECES  10

struct moot_sha256 {
    unsigned char bytes[MOOT_SHA256_BYTES];
};

MOOT_NODISCARD int moot__sha256(struct moot_view bytes, struct moot_sha256 *digest);

/* Of at most MOOT_HMAC_PIECES pieces, one after the other. */
MOOT_NODISCARD int moot__hmac_sha256(struct moot_view key, const struct moot_view *pieces,
                                     size_t count, struct moot_sha256 *digest);

/* 64 lower-case hexadecimal digits and a NUL. */
void moot__sha256_text(const struct moot_sha256 *digest, char out[2 * MOOT_SHA256_BYTES + 1]);

#endif
