#ifndef MOOT_BASE_UTF8_H
#define MOOT_BASE_UTF8_H

/* UTF-8 as the Unicode standard defines it (table 3-7): no overlong forms, no surrogates, nothing
 * above U+10FFFF.
 *
 * Streams of JSON strings need one thing more. A provider may cut an emoji between two deltas, so
 * that one ends with the escape \ud83d and the next begins with \ude00. Such a lone half is kept in
 * its three-byte form (ED A0..BF xx, "WTF-8") until its neighbour has come: append each delta with
 * moot__utf8_append_joining, hand out what moot__utf8_settle says is final. All functions are pure
 * but for the buffer that they are given. */
#include <stdbool.h>

#include "buf.h"
#include "view.h"

/* The length of the longest valid beginning of `text`; all of it when `text` is valid. `*bad` gets
 * the number of bytes after it that one U+FFFD stands for (the "maximal subpart" of the standard,
 * section 3.9, as browsers do), 0 when `text` is valid; may be NULL. */
size_t moot__utf8_scan(struct moot_view text, size_t *bad);

bool moot__utf8_valid(struct moot_view text);

/* Write a code point up to U+10FFFF, a surrogate in its three-byte form. Returns 1 to 4. */
size_t moot__utf8_encode(uint32_t code_point, char out[4]);

/* Append `text` with each ill-formed part replaced by U+FFFD. On failure (MOOT_ELIMIT,
 * MOOT_ENOMEM) nothing is added. */
MOOT_NODISCARD int moot__utf8_append_replacing(struct moot_buf *buf, struct moot_view text);

/* Append a delta, valid but for lone halves. A high half at the end of `buf` and a low half at the
 * start of `text` become the one character that they are. On failure nothing is changed. */
MOOT_NODISCARD int moot__utf8_append_joining(struct moot_buf *buf, struct moot_view text);

/* Replace the lone halves at and after `from` by U+FFFD, in place. A high half at the very end
 * stays unless `final`, as the next delta may complete it. Returns up to where the buffer is now
 * settled: bytes before that are valid UTF-8 and will not change. `from` is what the last call
 * returned, or 0. */
size_t moot__utf8_settle(struct moot_buf *buf, size_t from, bool final);

/* The last settling of a whole buffer: no half is left. */
void moot__utf8_repair(struct moot_buf *buf);

#endif
