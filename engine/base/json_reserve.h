#ifndef MOOT_BASE_JSON_RESERVE_H
#define MOOT_BASE_JSON_RESERVE_H

/* The memory of one yajl parser. yajl writes through whatever its allocator returns, so it must
 * never see NULL: all that it can ask for while reading a document of a known size is taken before
 * it starts. Small documents, and so nearly every event of a stream, fit into the struct itself. */
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

#include <yajl/yajl_common.h>

#include "alloc.h"

enum { MOOT_JSON_RESERVE_INLINE_BYTES = 6 << 10 };

struct moot_json_reserve {
    const struct moot_allocator *allocator;
    char *data; /* inline_data, or a block of the allocator */
    size_t cap, used;
    char *last; /* the block handed out last, which can grow in place */
    alignas(max_align_t) char inline_data[MOOT_JSON_RESERVE_INLINE_BYTES];
};

/* False when there is no memory. Holds pointers into itself: do not move it. */
MOOT_NODISCARD bool moot__json_reserve_init(struct moot_json_reserve *reserve,
                                            const struct moot_allocator *allocator,
                                            size_t text_bytes);
void moot__json_reserve_deinit(struct moot_json_reserve *reserve);

yajl_alloc_funcs moot__json_reserve_functions(struct moot_json_reserve *reserve);

#endif
