#ifndef MOOT_TRACE_RECORD_H
#define MOOT_TRACE_RECORD_H

/* A span as bytes, for the ring. Never leaves the process: host byte order, 8-byte units.
 *
 *   head     64 bytes, see struct moot_record_head
 *   values   for each bit of `set`, lowest first: a number is 8 bytes; a text is its length in
 *            8 bytes, then its bytes, padded to a multiple of 8 */
#include <stddef.h>

#include "span.h"

#define MOOT_RECORD_UNIT 8
#define MOOT_RECORD_MAX_MIN                                                                        \
    1024 /* room for the head, every number and the lengths of all texts                           \
          */

struct moot_record_head {
    uint32_t size; /* of the whole record */
    uint16_t name;
    uint16_t status;
    uint64_t set;
    struct moot_span_ids ids;
    uint64_t start_wall_ns, end_wall_ns;
};
static_assert(sizeof(struct moot_record_head) == 64, "one cache line");
static_assert(sizeof(struct moot_record_head) + 8 * (MOOT_ATTRS + 1) <= MOOT_RECORD_MAX_MIN,
              "the smallest ceiling holds every attribute");

/* How a span is going to be written: what of it, and how long a text may be. */
struct moot_record_plan {
    uint64_t set;
    size_t text_max; /* every longer text is cut to this, at the end of a character */
    size_t size;     /* of the whole record */
};

/* Lay out the attributes of `span` that are in `allowed`, so that the record is at most `max` bytes
 * (a multiple of 8, at least MOOT_RECORD_MAX_MIN). If it would be longer, the longest texts are
 * cut to equal lengths, shorter ones stay whole, and MOOT_ATTR_TRUNCATED is set. Pure. */
struct moot_record_plan moot__record_plan(const struct moot_span *span, uint64_t allowed,
                                          size_t max);

/* Write what was planned to `out`, 8-byte aligned and plan->size bytes long. */
void moot__record_encode(const struct moot_span *span, const struct moot_record_plan *plan,
                         void *out);

/* Read a record in place: texts of `out` point into it. */
void moot__record_decode(const void *record, struct moot_span *out);

#endif
