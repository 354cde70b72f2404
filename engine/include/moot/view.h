#ifndef MOOT_VIEW_H
#define MOOT_VIEW_H

#include <stddef.h>

/* A borrowed piece of text or bytes: pointer and length, never NUL-terminated by contract. The
 * owner is named wherever one is passed. `ptr` may be NULL only when `len` is 0. */
struct moot_view {
    const char *ptr;
    size_t len;
};

/* A view of a string literal. */
#ifdef __cplusplus
#define MOOT_VIEW(literal) (moot_view{("" literal), sizeof(literal) - 1})
#else
#define MOOT_VIEW(literal) ((struct moot_view){("" literal), sizeof(literal) - 1})
#endif

#endif
