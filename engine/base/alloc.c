#include "alloc.h"

#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void *default_reallocate(void *context, void *ptr, size_t size)
{
    (void)context;
    return realloc(ptr, size);
}

static void default_release(void *context, void *ptr)
{
    (void)context;
    free(ptr);
}

static const struct moot_allocator default_allocator = {
    .allocate = default_allocate,
    .reallocate = default_reallocate,
    .release = default_release,
};

const struct moot_allocator *moot__default_allocator(void)
{
    return &default_allocator;
}

static const struct moot_allocator *or_default(const struct moot_allocator *allocator)
{
    return allocator ? allocator : &default_allocator;
}

void *moot__alloc(const struct moot_allocator *allocator, size_t size)
{
    allocator = or_default(allocator);
    return allocator->allocate(allocator->context, size ? size : 1);
}

void *moot__calloc(const struct moot_allocator *allocator, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    void *ptr = moot__alloc(allocator, count * size);
    if (ptr)
        memset(ptr, 0, count * size);
    return ptr;
}

void *moot__realloc(const struct moot_allocator *allocator, void *ptr, size_t size)
{
    allocator = or_default(allocator);
    return allocator->reallocate(allocator->context, ptr, size ? size : 1);
}

void moot__free(const struct moot_allocator *allocator, void *ptr)
{
    allocator = or_default(allocator);
    if (ptr)
        allocator->release(allocator->context, ptr);
}

char *moot__strdup(const struct moot_allocator *allocator, struct moot_view text)
{
    char *copy = moot__alloc(allocator, text.len + 1);
    if (!copy)
        return NULL;
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

void moot__wipe(void *ptr, size_t size)
{
    /* Through a volatile pointer, so that the compiler cannot know what is called, and leave it out
     * for memory that nobody reads again. */
    void *(*volatile set)(void *, int, size_t) = memset;
    set(ptr, 0, size);
}
