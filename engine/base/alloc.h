#ifndef MOOT_BASE_ALLOC_H
#define MOOT_BASE_ALLOC_H

#include <moot/alloc.h>
#include <moot/version.h>
#include <stddef.h>

#include "view.h"

/* The one door to memory. A NULL allocator means the process's own. All return NULL when there is
 * no memory. Sizes of 0 are allocated as 1. */
MOOT_NODISCARD void *moot__alloc(const struct moot_allocator *allocator, size_t size);
MOOT_NODISCARD void *moot__calloc(const struct moot_allocator *allocator, size_t count,
                                  size_t size);
MOOT_NODISCARD void *moot__realloc(const struct moot_allocator *allocator, void *ptr, size_t size);
void moot__free(const struct moot_allocator *allocator, void *ptr);

/* A NUL-terminated copy of a view. */
MOOT_NODISCARD char *moot__strdup(const struct moot_allocator *allocator, struct moot_view text);

/* Overwrite memory in a way that the compiler may not remove. */
void moot__wipe(void *ptr, size_t size);

/* The process's own allocator as a value, for hosts of the hook that need one to wrap. */
const struct moot_allocator *moot__default_allocator(void);

#endif
