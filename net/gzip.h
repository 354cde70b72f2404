#ifndef MOOT_NET_GZIP_H
#define MOOT_NET_GZIP_H

/* The content encodings gzip and deflate (RFC 1952, 1950, 1951), streamed. moot never asks for them
 * by default; a peer that sends them unasked, or a user who enables them, ends here. Sans-I/O. */
#include <moot/error.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/view.h"

enum moot_encoding {
    MOOT_ENCODING_GZIP,
    MOOT_ENCODING_DEFLATE, /* zlib's format, or the raw one that some servers send in its place */
};

/* Some inflated bytes, lent until it returns. Non-zero stops the decoder for good and becomes the
 * result of moot__inflate_feed. */
typedef int moot_inflate_fn(void *context, struct moot_view bytes);

struct moot_inflate;

/* NULL: no memory. `bytes_max`: how much may come out. */
MOOT_NODISCARD struct moot_inflate *moot__inflate_new(const struct moot_allocator *allocator,
                                                      enum moot_encoding encoding,
                                                      uint64_t bytes_max);
void moot__inflate_free(struct moot_inflate *decoder); /* NULL does nothing */

/* All of `bytes` is consumed. 0; MOOT_EENCODING (corrupt, bytes after the end, or more than
 * MOOT_LIMIT_GZIP_RATIO times the input came out, counted from MOOT_LIMIT_GZIP_FREE_BYTES on);
 * MOOT_ELIMIT (bytes_max); MOOT_ENOMEM; or the callback's result. Every later call returns the
 * same. */
MOOT_NODISCARD int moot__inflate_feed(struct moot_inflate *decoder, struct moot_view bytes,
                                      moot_inflate_fn *on_bytes, void *context);

/* The input has ended: 0 if the stream did too (checksum and length were right), else
 * MOOT_ETRUNCATED or the earlier error. */
MOOT_NODISCARD int moot__inflate_finish(struct moot_inflate *decoder);

/* Append a whole gzip stream of `bytes`, as servers and tests need one. Nothing is added on
 * failure; MOOT_ELIMIT, MOOT_ENOMEM. */
MOOT_NODISCARD int moot__gzip_compress(struct moot_buf *buf, struct moot_view bytes);

#endif
