#ifndef MOOT_BASE_ARENA_H
#define MOOT_BASE_ARENA_H

/* Bump memory with one lifetime: a conversation, a document. Freed all at once. */
#include <stdbool.h>

#include "alloc.h"
#include "view.h"

struct moot_arena_block;

struct moot_arena {
    const struct moot_allocator *allocator;
    struct moot_arena_block *blocks; /* newest first */
    size_t used, max;                /* bytes handed out, and the ceiling */
};

void moot__arena_init(struct moot_arena *arena, const struct moot_allocator *allocator, size_t max);
void moot__arena_deinit(struct moot_arena *arena); /* safe on a zeroed struct, and twice */
/* The same, overwritten before it is freed: of what held secrets. */
void moot__arena_wipe(struct moot_arena *arena);

/* Everything handed out is gone; one block is kept, unless it is a large one. */
void moot__arena_reset(struct moot_arena *arena);

/* Aligned for any type; NULL when there is no memory or the ceiling is reached. */
MOOT_NODISCARD void *moot__arena_alloc(struct moot_arena *arena, size_t size);
MOOT_NODISCARD void *moot__arena_calloc(struct moot_arena *arena, size_t count, size_t size);

/* A copy with a NUL after it (not counted). On failure returns false and *out is empty. */
MOOT_NODISCARD bool moot__arena_copy(struct moot_arena *arena, struct moot_view text,
                                     struct moot_view *out);

#endif
