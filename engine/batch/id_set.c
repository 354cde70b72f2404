/* Open addressing with linear probing in 256 shards. A shard is filled to 7/8 and then grows by a
 * quarter, hence it is at least 0.7 full once it has grown: 16 bytes / 0.7 < 24 bytes a row.
 *
 * Removing moves later entries of the same run back, so there are no graves to step over. */
#include "id_set.h"

#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"

struct moot_id_entry {
    uint64_t key;
    uint32_t key2; /* 0 marks a free place, so no hash is stored with it */
    uint32_t note;
};

static_assert(sizeof(struct moot_id_entry) == 16, "16 bytes a row");

enum { FIRST_CAP = 16 };

static struct moot_id_shard *shard_of(struct moot_id_set *set, struct moot_hash id)
{
    return &set->shards[id.h2 >> 56];
}

static uint32_t key2_of(struct moot_hash id)
{
    uint32_t key2 = (uint32_t)id.h2;
    return key2 != 0 ? key2 : 1;
}

/* Where a key would like to be: its upper half scaled to the size. */
static uint32_t home(const struct moot_id_shard *shard, uint64_t key)
{
    return (uint32_t)(((key >> 32) * shard->cap) >> 32);
}

static uint32_t after(const struct moot_id_shard *shard, uint32_t at)
{
    return at + 1 == shard->cap ? 0 : at + 1;
}

/* The entry itself, or the free place where it belongs. */
static struct moot_id_entry *place(const struct moot_id_shard *shard, uint64_t key, uint32_t key2)
{
    assert(shard->count < shard->cap);
    uint32_t at = home(shard, key);
    while (shard->entries[at].key2 != 0 &&
           (shard->entries[at].key != key || shard->entries[at].key2 != key2))
        at = after(shard, at);
    return &shard->entries[at];
}

static int grow(struct moot_id_set *set, struct moot_id_shard *shard)
{
    if (shard->cap > UINT32_MAX / 2)
        return MOOT_ENOMEM;
    struct moot_id_shard larger = {.cap = shard->cap ? shard->cap + shard->cap / 4 : FIRST_CAP};
    larger.entries = moot__calloc(set->allocator, larger.cap, sizeof *larger.entries);
    if (!larger.entries)
        return MOOT_ENOMEM;
    for (uint32_t i = 0; i < shard->cap; i++) {
        if (shard->entries[i].key2 == 0)
            continue;
        *place(&larger, shard->entries[i].key, shard->entries[i].key2) = shard->entries[i];
        larger.count++;
    }
    assert(larger.count == shard->count);
    moot__free(set->allocator, shard->entries);
    *shard = larger;
    return MOOT_OK;
}

void moot__id_set_deinit(struct moot_id_set *set)
{
    for (unsigned i = 0; i < MOOT_ID_SHARDS; i++)
        moot__free(set->allocator, set->shards[i].entries);
    memset(set->shards, 0, sizeof set->shards);
    set->count = 0;
}

uint32_t *moot__id_set_find(struct moot_id_set *set, struct moot_hash id)
{
    struct moot_id_shard *shard = shard_of(set, id);
    if (shard->count == 0)
        return NULL;
    struct moot_id_entry *entry = place(shard, id.h1, key2_of(id));
    return entry->key2 != 0 ? &entry->note : NULL;
}

int moot__id_set_add(struct moot_id_set *set, struct moot_hash id, uint32_t note)
{
    struct moot_id_shard *shard = shard_of(set, id);
    if (shard->count >= shard->cap - shard->cap / 8) {
        int rc = grow(set, shard);
        if (rc != MOOT_OK)
            return rc;
    }
    struct moot_id_entry *entry = place(shard, id.h1, key2_of(id));
    if (entry->key2 != 0)
        return MOOT_OK;
    *entry = (struct moot_id_entry){.key = id.h1, .key2 = key2_of(id), .note = note};
    shard->count++;
    set->count++;
    return MOOT_OK;
}

bool moot__id_set_remove(struct moot_id_set *set, struct moot_hash id)
{
    struct moot_id_shard *shard = shard_of(set, id);
    if (shard->count == 0)
        return false;
    struct moot_id_entry *entry = place(shard, id.h1, key2_of(id));
    if (entry->key2 == 0)
        return false;
    uint32_t hole = (uint32_t)(entry - shard->entries);
    for (uint32_t at = after(shard, hole); shard->entries[at].key2 != 0; at = after(shard, at)) {
        uint32_t from_home = (at + shard->cap - home(shard, shard->entries[at].key)) % shard->cap;
        uint32_t from_hole = (at + shard->cap - hole) % shard->cap;
        if (from_home < from_hole)
            continue; /* its home is behind the hole: it may not move before it */
        shard->entries[hole] = shard->entries[at];
        hole = at;
    }
    shard->entries[hole] = (struct moot_id_entry){0};
    shard->count--;
    set->count--;
    return true;
}

size_t moot__id_set_bytes(const struct moot_id_set *set)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < MOOT_ID_SHARDS; i++)
        bytes += set->shards[i].cap * sizeof(struct moot_id_entry);
    return bytes;
}
