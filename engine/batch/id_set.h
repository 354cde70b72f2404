#ifndef MOOT_BATCH_ID_SET_H
#define MOOT_BATCH_ID_SET_H

/* Which rows are known, by 96 bits of the hash of their ids, in 16 bytes each and below 24 bytes a
 * row with the room between: a million rows cost less than 24 MB, whatever their ids look like. A
 * false match among a million rows has the probability 10^-17. One thread at a time. */
#include <moot/alloc.h>
#include <moot/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"

enum { MOOT_ID_SHARDS = 256 };

struct moot_id_entry;

struct moot_id_shard {
    struct moot_id_entry *entries;
    uint32_t count, cap;
};

/* Zeroed but for the allocator is an empty set. Each shard grows on its own, so that growing never
 * holds the whole set twice. */
struct moot_id_set {
    const struct moot_allocator *allocator;
    struct moot_id_shard shards[MOOT_ID_SHARDS];
    size_t count;
};

void moot__id_set_deinit(struct moot_id_set *set); /* safe on an empty set, and twice */

/* The note that was added with the hash; NULL when it is not in the set. Valid until the next add
 * or remove. */
uint32_t *moot__id_set_find(struct moot_id_set *set, struct moot_hash id);

/* Add with a note; the note of one that is there is left. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__id_set_add(struct moot_id_set *set, struct moot_hash id, uint32_t note);

/* False if it was not there. */
bool moot__id_set_remove(struct moot_id_set *set, struct moot_hash id);

size_t moot__id_set_bytes(const struct moot_id_set *set); /* of memory, this struct left out */

#endif
