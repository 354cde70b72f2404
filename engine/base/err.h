#ifndef MOOT_BASE_ERR_H
#define MOOT_BASE_ERR_H

/* Filling a struct moot_error_info. */
#include <moot/error.h>
#include <stddef.h>
#include <string.h>

#include "view.h"

/* No error. Only what tells is written: the texts are most of the struct, and it is cleared for
 * every call. */
static inline void moot__error_clear(struct moot_error_info *info)
{
    memset(info, 0, offsetof(struct moot_error_info, provider_code));
    info->provider_code[0] = info->message[0] = '\0';
}

/* Set code, phase and a printf-formatted message; everything else is cleared. `info` may be NULL.
 * Returns `code`, so that `return moot__fail(...)` reads well. */
int moot__fail(struct moot_error_info *info, int code, enum moot_phase phase, const char *format,
               ...) MOOT_PRINTF(4, 5);

/* The same with a place in a file. */
int moot__fail_at(struct moot_error_info *info, int code, unsigned line, unsigned column,
                  const char *format, ...) MOOT_PRINTF(5, 6);

#endif
