#ifndef MOOT_BASE_VIEW_H
#define MOOT_BASE_VIEW_H

/* Helpers over borrowed text: comparing, splitting, numbers. All pure, none allocates. */
#include <moot/view.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline struct moot_view moot__view(const char *ptr, size_t len)
{
    return (struct moot_view){ptr, len};
}

static inline struct moot_view moot__view_str(const char *nul_terminated)
{
    return (struct moot_view){nul_terminated, nul_terminated ? strlen(nul_terminated) : 0};
}

static inline bool moot__view_eq(struct moot_view a, struct moot_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool moot__view_is(struct moot_view a, const char *text)
{
    return moot__view_eq(a, moot__view_str(text));
}

bool moot__view_eq_nocase(struct moot_view a, struct moot_view b); /* ASCII only */
bool moot__view_starts(struct moot_view text, struct moot_view prefix);
bool moot__view_ends(struct moot_view text, struct moot_view suffix);
struct moot_view moot__view_trim(struct moot_view text); /* spaces, tabs, CR, LF at both ends */

/* Index of the first `byte` at or after `from`, or `text.len`. */
size_t moot__view_find(struct moot_view text, char byte, size_t from);

/* Cut the part before the first `separator` off `*rest` and return it; with no separator left, all
 * of it. Returns false once `*rest` was used up. */
bool moot__view_split(struct moot_view *rest, char separator, struct moot_view *part);

/* Decimal digits only, whole view, no sign; false if empty, too large or anything else. */
bool moot__view_to_u64(struct moot_view text, uint64_t *out);

/* A JSON-style decimal number (sign, fraction, exponent), locale-free, whole view; false if it is
 * not one. Out of range gives +-HUGE_VAL or 0 and true. */
bool moot__view_to_double(struct moot_view text, double *out);

/* The beginning of `text` of at most `max` bytes, in whole characters: what a message quotes. */
struct moot_view moot__view_cut(struct moot_view text, size_t max);

/* Copy into a fixed NUL-terminated array, cutting at a UTF-8 boundary if it does not fit. */
void moot__view_copy(struct moot_view text, char *out, size_t size);

#endif
