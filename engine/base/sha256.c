/* The contexts lie on the stack: mbedTLS's generic interface would allocate them. */
#include "sha256.h"

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include "alloc.h"
#include "check.h"

#define BLOCK_BYTES 64

/* 2.28 has the names that 3.6 uses as well, but there they return nothing. */
#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define sha256_starts mbedtls_sha256_starts_ret
#define sha256_update mbedtls_sha256_update_ret
#define sha256_finish mbedtls_sha256_finish_ret
#else
#define sha256_starts mbedtls_sha256_starts
#define sha256_update mbedtls_sha256_update
#define sha256_finish mbedtls_sha256_finish
#endif

static int hash_pieces(const struct moot_view *pieces, size_t count, struct moot_sha256 *digest)
{
    mbedtls_sha256_context context;
    mbedtls_sha256_init(&context);
    int rc = sha256_starts(&context, 0);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (pieces[i].len > 0)
            rc = sha256_update(&context, (const unsigned char *)pieces[i].ptr, pieces[i].len);
    if (rc == 0)
        rc = sha256_finish(&context, digest->bytes);
    mbedtls_sha256_free(&context); /* wipes it */
    return rc == 0 ? MOOT_OK : MOOT_EIO;
}

int moot__sha256(struct moot_view bytes, struct moot_sha256 *digest)
{
    return hash_pieces(&bytes, 1, digest);
}

/* A key's block with `mask` over it, and the pieces after it. */
static int hash_masked(const unsigned char *key, unsigned char mask, const struct moot_view *pieces,
                       size_t count, struct moot_sha256 *digest)
{
    unsigned char block[BLOCK_BYTES];
    struct moot_view all[1 + MOOT_HMAC_PIECES] = {{(const char *)block, BLOCK_BYTES}};
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ mask;
    for (size_t i = 0; i < count; i++)
        all[1 + i] = pieces[i];
    int rc = hash_pieces(all, 1 + count, digest);
    moot__wipe(block, sizeof block);
    return rc;
}

int moot__hmac_sha256(struct moot_view key, const struct moot_view *pieces, size_t count,
                      struct moot_sha256 *digest)
{
    assert(count <= MOOT_HMAC_PIECES);
    unsigned char block[BLOCK_BYTES] = {0};
    struct moot_sha256 inner = {{0}};
    int rc = MOOT_OK;
    if (key.len > BLOCK_BYTES) {
        rc = moot__sha256(key, &inner);
        memcpy(block, inner.bytes, sizeof inner.bytes);
    } else if (key.len > 0) {
        memcpy(block, key.ptr, key.len);
    }
    if (!rc)
        rc = hash_masked(block, 0x36, pieces, count, &inner);
    struct moot_view outer = {(const char *)inner.bytes, sizeof inner.bytes};
    if (!rc)
        rc = hash_masked(block, 0x5c, &outer, 1, digest);
    moot__wipe(block, sizeof block);
    moot__wipe(&inner, sizeof inner);
    return rc;
}

void moot__sha256_text(const struct moot_sha256 *digest, char out[2 * MOOT_SHA256_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < MOOT_SHA256_BYTES; i++) {
        out[2 * i] = digits[digest->bytes[i] >> 4];
        out[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    out[2 * MOOT_SHA256_BYTES] = '\0';
}
