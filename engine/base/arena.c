#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

/* Small at first: of ten thousand streams most have little to keep. */
enum {
    FIRST_BLOCK_BYTES = 992,
    KEPT_BLOCK_BYTES_MAX = 256 << 10,
    ALIGNMENT = alignof(max_align_t),
};

struct moot_arena_block {
    struct moot_arena_block *next;
    size_t cap, used;
    alignas(max_align_t) char data[];
};

void moot__arena_init(struct moot_arena *arena, const struct moot_allocator *allocator, size_t max)
{
    *arena = (struct moot_arena){.allocator = allocator, .max = max};
}

static void free_blocks(struct moot_arena *arena, struct moot_arena_block *block)
{
    while (block) {
        struct moot_arena_block *next = block->next;
        moot__free(arena->allocator, block);
        block = next;
    }
}

void moot__arena_deinit(struct moot_arena *arena)
{
    free_blocks(arena, arena->blocks);
    arena->blocks = NULL;
    arena->used = 0;
}

void moot__arena_wipe(struct moot_arena *arena)
{
    for (struct moot_arena_block *block = arena->blocks; block; block = block->next)
        moot__wipe(block->data, block->cap);
    moot__arena_deinit(arena);
}

void moot__arena_reset(struct moot_arena *arena)
{
    if (!arena->blocks || arena->blocks->cap > KEPT_BLOCK_BYTES_MAX) {
        moot__arena_deinit(arena);
        return;
    }
    free_blocks(arena, arena->blocks->next);
    arena->blocks->next = NULL;
    arena->blocks->used = 0;
    arena->used = 0;
}

static struct moot_arena_block *add_block(struct moot_arena *arena, size_t size)
{
    size_t cap = arena->blocks ? arena->blocks->cap * 2 : FIRST_BLOCK_BYTES;
    if (cap > 1 << 20)
        cap = 1 << 20;
    if (cap < size)
        cap = size;
    struct moot_arena_block *block = moot__alloc(arena->allocator, sizeof *block + cap);
    if (!block)
        return NULL;
    *block = (struct moot_arena_block){.next = arena->blocks, .cap = cap};
    arena->blocks = block;
    return block;
}

void *moot__arena_alloc(struct moot_arena *arena, size_t size)
{
    if (size > arena->max || arena->used > arena->max - size)
        return NULL;
    size_t padded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct moot_arena_block *block = arena->blocks;
    if (!block || block->cap - block->used < padded) {
        block = add_block(arena, padded);
        if (!block)
            return NULL;
    }
    void *ptr = block->data + block->used;
    block->used += padded;
    arena->used += size;
    return ptr;
}

void *moot__arena_calloc(struct moot_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    void *ptr = moot__arena_alloc(arena, count * size);
    if (ptr)
        memset(ptr, 0, count * size);
    return ptr;
}

bool moot__arena_copy(struct moot_arena *arena, struct moot_view text, struct moot_view *out)
{
    *out = (struct moot_view){"", 0};
    char *copy = moot__arena_alloc(arena, text.len + 1);
    if (!copy)
        return false;
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *out = (struct moot_view){copy, text.len};
    return true;
}
