#ifndef MOOT_BATCH_HASH_H
#define MOOT_BATCH_HASH_H

/* A 128-bit fingerprint of bytes: MurmurHash3, x64, 128 bits, seed 0, as other languages' libraries
 * compute it too. It tells rows, files and ids apart; it does not resist someone who wants two to
 * collide, and nothing here asks it to: the only one a collision harms is who made the file. */
#include <stddef.h>
#include <stdint.h>

#include "engine/base/view.h"

struct moot_hash {
    uint64_t h1, h2;
};

/* Bytes hashed in pieces give what they give as a whole. Zeroed memory is a fresh state. */
struct moot_hasher {
    uint64_t h1, h2, bytes;
    unsigned char tail[16]; /* a block that is not full yet */
};

void moot__hasher_add(struct moot_hasher *hasher, struct moot_view bytes);
struct moot_hash moot__hasher_result(const struct moot_hasher *hasher);

struct moot_hash moot__hash(struct moot_view bytes);

/* 32 lower-case hexadecimal digits and a NUL: the digest's bytes in their usual order. */
void moot__hash_text(struct moot_hash hash, char out[33]);

#endif
