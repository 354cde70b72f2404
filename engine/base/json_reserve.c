#include "json_reserve.h"

#include <string.h>

#include "check.h"

/* How much is enough. yajl makes five small blocks and has two buffers, each 2 KiB at first and
 * then the power of two above what it holds. One holds a string while it is decoded, the other a
 * token that the input ends in; both are parts of the text and do not overlap, so twice the text
 * covers them. Four times also covers a buffer that has to move as it grows. */
enum {
    SMALL_BLOCKS_BYTES = 12 << 10,
    INLINE_TEXT_BYTES_MAX = 2000, /* below it both buffers keep their first size */
    HEADER_BYTES = alignof(max_align_t),
};

static_assert(HEADER_BYTES >= sizeof(size_t), "a block's size is kept before it");

static size_t *size_of(void *ptr)
{
    return (size_t *)(void *)((char *)ptr - HEADER_BYTES);
}

static size_t padded(size_t size)
{
    return (size + HEADER_BYTES - 1) & ~(size_t)(HEADER_BYTES - 1);
}

static void *reserve_allocate(void *context, size_t size)
{
    struct moot_json_reserve *reserve = context;
    size_t need = HEADER_BYTES + padded(size);
    assert(reserve->cap - reserve->used >= need);
    if (reserve->cap - reserve->used < need)
        return NULL;
    reserve->last = reserve->data + reserve->used + HEADER_BYTES;
    reserve->used += need;
    *size_of(reserve->last) = size;
    return reserve->last;
}

static void *reserve_reallocate(void *context, void *ptr, size_t size)
{
    struct moot_json_reserve *reserve = context;
    if (!ptr)
        return reserve_allocate(context, size);
    size_t old = *size_of(ptr);
    if (ptr == reserve->last && size >= old) {
        size_t more = padded(size) - padded(old);
        assert(reserve->cap - reserve->used >= more);
        if (reserve->cap - reserve->used < more)
            return NULL;
        reserve->used += more;
        *size_of(ptr) = size;
        return ptr;
    }
    void *moved = reserve_allocate(context, size);
    if (moved)
        memcpy(moved, ptr, old < size ? old : size);
    return moved;
}

static void reserve_release(void *context, void *ptr)
{
    (void)context;
    (void)ptr; /* all at once, at deinit */
}

bool moot__json_reserve_init(struct moot_json_reserve *reserve,
                             const struct moot_allocator *allocator, size_t text_bytes)
{
    reserve->allocator = allocator;
    reserve->used = 0;
    reserve->last = NULL;
    reserve->data = reserve->inline_data;
    reserve->cap = sizeof reserve->inline_data;
    if (text_bytes <= INLINE_TEXT_BYTES_MAX)
        return true;
    reserve->cap = SMALL_BLOCKS_BYTES + 4 * text_bytes;
    reserve->data = moot__alloc(allocator, reserve->cap);
    return reserve->data != NULL;
}

void moot__json_reserve_deinit(struct moot_json_reserve *reserve)
{
    if (reserve->data != reserve->inline_data)
        moot__free(reserve->allocator, reserve->data);
    reserve->data = NULL;
}

yajl_alloc_funcs moot__json_reserve_functions(struct moot_json_reserve *reserve)
{
    return (yajl_alloc_funcs){
        .malloc = reserve_allocate,
        .realloc = reserve_reallocate,
        .free = reserve_release,
        .ctx = reserve,
    };
}
