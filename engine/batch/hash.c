#include "hash.h"

#include <string.h>

#define C1 UINT64_C(0x87c37b91114253d5)
#define C2 UINT64_C(0x4cf5ad432745937f)

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t mix1(uint64_t k)
{
    return rotate(k * C1, 31) * C2;
}

static uint64_t mix2(uint64_t k)
{
    return rotate(k * C2, 33) * C1;
}

static uint64_t finish(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* Little-endian, whatever the machine; in one expression, which compilers know for a load. */
static uint64_t load(const unsigned char *bytes)
{
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
           (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 |
           (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

static void add_block(struct moot_hasher *hasher, const unsigned char *block)
{
    uint64_t h1 = hasher->h1 ^ mix1(load(block));
    h1 = (rotate(h1, 27) + hasher->h2) * 5 + 0x52dce729;
    uint64_t h2 = hasher->h2 ^ mix2(load(block + 8));
    h2 = (rotate(h2, 31) + h1) * 5 + 0x38495ab5;
    hasher->h1 = h1;
    hasher->h2 = h2;
}

void moot__hasher_add(struct moot_hasher *hasher, struct moot_view bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;
    size_t held = hasher->bytes % 16;
    hasher->bytes += left;
    if (held > 0) {
        size_t take = left < 16 - held ? left : 16 - held;
        if (take > 0)
            memcpy(hasher->tail + held, at, take);
        at += take;
        left -= take;
        if (held + take < 16)
            return;
        add_block(hasher, hasher->tail);
    }
    for (; left >= 16; left -= 16, at += 16)
        add_block(hasher, at);
    if (left > 0)
        memcpy(hasher->tail, at, left);
}

struct moot_hash moot__hasher_result(const struct moot_hasher *hasher)
{
    uint64_t h1 = hasher->h1;
    uint64_t h2 = hasher->h2;
    unsigned char tail[16] = {0};
    memcpy(tail, hasher->tail, hasher->bytes % 16);
    h1 ^= mix1(load(tail)) ^ hasher->bytes;
    h2 ^= mix2(load(tail + 8)) ^ hasher->bytes;
    h1 += h2;
    h2 += h1;
    h1 = finish(h1);
    h2 = finish(h2);
    h1 += h2;
    h2 += h1;
    return (struct moot_hash){h1, h2};
}

struct moot_hash moot__hash(struct moot_view bytes)
{
    struct moot_hasher hasher = {0};
    moot__hasher_add(&hasher, bytes);
    return moot__hasher_result(&hasher);
}

void moot__hash_text(struct moot_hash hash, char out[33])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 16; i++) {
        uint64_t half = i < 8 ? hash.h1 : hash.h2;
        unsigned byte = (unsigned)(half >> (8 * (i % 8)) & 0xff);
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    out[32] = '\0';
}
