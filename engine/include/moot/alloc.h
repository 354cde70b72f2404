#ifndef MOOT_ALLOC_H
#define MOOT_ALLOC_H

#include <stddef.h>

/* The host's allocator. All memory of a plan, budget or engine comes from the allocator given when
 * it was made, except what the TLS and loop libraries take from libc on their own.
 *
 * Thread: an allocator given to a plan or budget, or shared by engines on several threads, must be
 * thread-safe. `allocate` and `reallocate` return NULL when there is no memory; the engine then
 * reports MOOT_ENOMEM. `reallocate(NULL, n)` allocates. `release(NULL)` does nothing. */
struct moot_allocator {
    void *(*allocate)(void *context, size_t size);
    void *(*reallocate)(void *context, void *ptr, size_t size);
    void (*release)(void *context, void *ptr);
    void *context;
};

#endif
