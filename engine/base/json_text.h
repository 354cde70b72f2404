#ifndef MOOT_BASE_JSON_TEXT_H
#define MOOT_BASE_JSON_TEXT_H

/* Values as the bytes that JSON has for them. Each function writes at `to` and returns where that
 * ends; the caller has made room for the most that it may be. For writers that know their document
 * by heart; everybody else takes json_write.h, which is made of these. Pure. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "view.h"

enum { MOOT_JSON_U64_BYTES_MAX = 20, MOOT_JSON_DOUBLE_BYTES_MAX = 32 };

/* Every byte may become "\u001f", and there are the quotes. */
#define MOOT_JSON_STRING_BYTES_MAX(len) (6 * (size_t)(len) + 2)

/* With its quotes. Ill-formed UTF-8 becomes U+FFFD; escaped is only what must be. */
char *moot__json_put_string(char *to, struct moot_view text);

/* How long that is, to the byte. */
size_t moot__json_string_bytes(struct moot_view text);

/* Is it ASCII without escapes? Then it is as long as it was and its quotes, and
 * moot__json_put_plain needs no second look. */
bool moot__json_is_plain(struct moot_view text);
char *moot__json_put_plain(char *to, struct moot_view text);

char *moot__json_put_u64(char *to, uint64_t value);

/* The shortest decimal that reads back as the same double, whatever the locale. NaN and the
 * infinities, which JSON lacks, become null. */
char *moot__json_put_double(char *to, double value);

#endif
