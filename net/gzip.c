#include "gzip.h"

#define ZLIB_CONST
#include <zlib.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"

#define OUT_BYTES   (16 * 1024)
#define WINDOW_BITS 15
#define GZIP_BITS   (WINDOW_BITS + 16) /* zlib's way to say: with gzip's header and trailer */

struct moot_inflate {
    const struct moot_allocator *allocator;
    enum moot_encoding encoding;
    z_stream stream;
    bool is_ready; /* zlib was told the format */
    bool is_done;
    int error;
    uint64_t in_bytes, out_bytes, bytes_max;
    unsigned char first; /* of deflate: two bytes tell zlib's format from the raw one */
    bool has_first;
    unsigned char out[OUT_BYTES];
};

/* zlib's opaque pointer is one to a `const struct moot_allocator *`. */
static void *z_allocate(void *opaque, unsigned count, unsigned size)
{
    const struct moot_allocator **allocator = opaque;
    return moot__calloc(*allocator, count, size);
}

static void z_release(void *opaque, void *ptr)
{
    const struct moot_allocator **allocator = opaque;
    moot__free(*allocator, ptr);
}

static int translate(int rc)
{
    return rc == Z_MEM_ERROR ? MOOT_ENOMEM : MOOT_EENCODING;
}

struct moot_inflate *moot__inflate_new(const struct moot_allocator *allocator,
                                       enum moot_encoding encoding, uint64_t bytes_max)
{
    struct moot_inflate *decoder = moot__calloc(allocator, 1, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->allocator = allocator;
    decoder->encoding = encoding;
    decoder->bytes_max = bytes_max;
    return decoder;
}

void moot__inflate_free(struct moot_inflate *decoder)
{
    if (!decoder)
        return;
    if (decoder->is_ready)
        inflateEnd(&decoder->stream);
    moot__free(decoder->allocator, decoder);
}

static int make_ready(struct moot_inflate *decoder, int window_bits)
{
    decoder->stream =
        (z_stream){.zalloc = z_allocate, .zfree = z_release, .opaque = &decoder->allocator};
    int rc = inflateInit2(&decoder->stream, window_bits);
    if (rc != Z_OK)
        return translate(rc);
    decoder->is_ready = true;
    return MOOT_OK;
}

static int check_bounds(const struct moot_inflate *decoder)
{
    if (decoder->out_bytes > decoder->bytes_max)
        return MOOT_ELIMIT;
    if (decoder->out_bytes > MOOT_LIMIT_GZIP_FREE_BYTES &&
        decoder->out_bytes / MOOT_LIMIT_GZIP_RATIO > decoder->in_bytes)
        return MOOT_EENCODING;
    return MOOT_OK;
}

/* One call of zlib: some input in, at most OUT_BYTES out. */
static int inflate_some(struct moot_inflate *decoder, moot_inflate_fn *on_bytes, void *context)
{
    z_stream *stream = &decoder->stream;
    unsigned before = stream->avail_in;
    stream->next_out = decoder->out;
    stream->avail_out = OUT_BYTES;
    int rc = inflate(stream, Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return translate(rc);
    size_t made = OUT_BYTES - stream->avail_out;
    decoder->in_bytes += before - stream->avail_in;
    decoder->out_bytes += made;
    decoder->is_done = rc == Z_STREAM_END;
    int bounds = check_bounds(decoder);
    if (bounds || made == 0)
        return bounds;
    return on_bytes(context, moot__view((const char *)decoder->out, made));
}

static int inflate_all(struct moot_inflate *decoder, struct moot_view bytes,
                       moot_inflate_fn *on_bytes, void *context)
{
    z_stream *stream = &decoder->stream;
    bool out_was_full = false;
    size_t at = 0;
    while (!decoder->is_done && (at < bytes.len || out_was_full)) {
        size_t piece = bytes.len - at < UINT32_MAX ? bytes.len - at : UINT32_MAX;
        stream->next_in = (const Bytef *)(bytes.ptr + at);
        stream->avail_in = (unsigned)piece;
        int rc = inflate_some(decoder, on_bytes, context);
        if (rc)
            return rc;
        at += piece - stream->avail_in;
        out_was_full = stream->avail_out == 0;
    }
    return at < bytes.len ? MOOT_EENCODING : MOOT_OK;
}

/* RFC 1950 2.2: method 8 and a header that is a multiple of 31. */
static bool is_zlib_header(unsigned char a, unsigned char b)
{
    return (a & 15) == 8 && (a * 256 + b) % 31 == 0;
}

/* Deflate's format is known from two bytes, which may come in two reads. */
static int feed_first_bytes(struct moot_inflate *decoder, struct moot_view *bytes,
                            moot_inflate_fn *on_bytes, void *context)
{
    if (decoder->encoding == MOOT_ENCODING_GZIP)
        return make_ready(decoder, GZIP_BITS);
    if (!decoder->has_first) {
        decoder->has_first = true;
        decoder->first = (unsigned char)bytes->ptr[0];
        *bytes = moot__view(bytes->ptr + 1, bytes->len - 1);
        if (bytes->len == 0)
            return MOOT_OK;
    }
    bool zlib = is_zlib_header(decoder->first, (unsigned char)bytes->ptr[0]);
    int rc = make_ready(decoder, zlib ? WINDOW_BITS : -WINDOW_BITS);
    if (rc)
        return rc;
    return inflate_all(decoder, moot__view((const char *)&decoder->first, 1), on_bytes, context);
}

int moot__inflate_feed(struct moot_inflate *decoder, struct moot_view bytes,
                       moot_inflate_fn *on_bytes, void *context)
{
    assert(on_bytes);
    if (decoder->error || bytes.len == 0)
        return decoder->error;
    int rc = MOOT_OK;
    if (!decoder->is_ready)
        rc = feed_first_bytes(decoder, &bytes, on_bytes, context);
    if (!rc && bytes.len)
        rc = inflate_all(decoder, bytes, on_bytes, context);
    decoder->error = rc;
    return rc;
}

int moot__inflate_finish(struct moot_inflate *decoder)
{
    if (!decoder->error && !decoder->is_done)
        decoder->error = MOOT_ETRUNCATED;
    return decoder->error;
}

static int compress_into(struct moot_buf *buf, z_stream *stream, struct moot_view bytes)
{
    unsigned char out[4096];
    size_t at = 0;
    int rc;
    do {
        size_t piece = bytes.len - at < UINT32_MAX ? bytes.len - at : UINT32_MAX;
        stream->next_in = (const Bytef *)(bytes.ptr + at);
        stream->avail_in = (unsigned)piece;
        stream->next_out = out;
        stream->avail_out = sizeof out;
        rc = deflate(stream, at + piece == bytes.len ? Z_FINISH : Z_NO_FLUSH);
        assert(rc != Z_STREAM_ERROR);
        at += piece - stream->avail_in;
        int appended = moot__buf_append(buf, out, sizeof out - stream->avail_out);
        if (appended)
            return appended;
    } while (rc != Z_STREAM_END);
    return MOOT_OK;
}

int moot__gzip_compress(struct moot_buf *buf, struct moot_view bytes)
{
    const struct moot_allocator *allocator = buf->allocator;
    size_t before = buf->len;
    z_stream stream = {.zalloc = z_allocate, .zfree = z_release, .opaque = &allocator};
    int rc =
        deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY);
    if (rc != Z_OK)
        return translate(rc);
    if (bytes.len == 0)
        bytes = MOOT_VIEW("");
    rc = compress_into(buf, &stream, bytes);
    deflateEnd(&stream);
    if (rc)
        moot__buf_truncate(buf, before);
    return rc;
}
