#ifndef MOOT_BASE_BUF_H
#define MOOT_BASE_BUF_H

/* A growable byte buffer that cannot exist without a ceiling. */
#include <moot/error.h>
#include <stdint.h>

#include "alloc.h"
#include "view.h"

struct moot_buf {
    char *data; /* NULL until the first byte */
    size_t len, cap;
    size_t max; /* the ceiling, from limits.h */
    const struct moot_allocator *allocator;
};

void moot__buf_init(struct moot_buf *buf, const struct moot_allocator *allocator, size_t max);
void moot__buf_deinit(struct moot_buf *buf); /* safe on a zeroed struct, and twice */

/* Make room for `extra` more bytes. MOOT_ELIMIT above the ceiling, MOOT_ENOMEM. */
MOOT_NODISCARD int moot__buf_reserve(struct moot_buf *buf, size_t extra);

/* On failure nothing is added. Errors as moot__buf_reserve. */
MOOT_NODISCARD int moot__buf_append(struct moot_buf *buf, const void *data, size_t len);
MOOT_NODISCARD int moot__buf_append_view(struct moot_buf *buf, struct moot_view text);
MOOT_NODISCARD int moot__buf_append_str(struct moot_buf *buf, const char *text);
MOOT_NODISCARD int moot__buf_append_u64(struct moot_buf *buf, uint64_t value); /* decimal */
MOOT_NODISCARD int moot__buf_append_byte(struct moot_buf *buf, char byte);

void moot__buf_consume(struct moot_buf *buf, size_t len);  /* drop bytes from the front */
void moot__buf_truncate(struct moot_buf *buf, size_t len); /* drop bytes from the end */
void moot__buf_reset(struct moot_buf *buf);                /* empty, memory kept */

static inline struct moot_view moot__buf_view(const struct moot_buf *buf)
{
    return (struct moot_view){buf->data, buf->len};
}

#endif
