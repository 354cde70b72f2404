/* Bytes come in from the file, through the inflater if there is one, into one buffer with a
 * ceiling; complete lines are handed out of it in place, and what is behind them is moved to the
 * front only when there is no complete line left. So a line costs one scan and no copy, and memory
 * is bounded by the longest line that is allowed. */
#include "lines.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#include "engine/base/check.h"

enum { CHUNK_BYTES = 256 << 10, GZIP_WINDOW_BITS = 15 + 16 };

struct moot_inflater {
    z_stream stream;
    bool in_member; /* a member began and has not ended */
    bool more;      /* it stopped for want of room, not of input */
    unsigned char input[CHUNK_BYTES];
};

static void *zlib_alloc(void *context, uInt count, uInt size)
{
    return moot__calloc(context, count, size);
}

static void zlib_free(void *context, void *ptr)
{
    moot__free(context, ptr);
}

void moot__lines_init(struct moot_lines *lines, const struct moot_allocator *allocator,
                      const struct moot_disk *disk, int fd, size_t line_bytes_max)
{
    *lines = (struct moot_lines){.disk = disk,
                                 .fd = fd,
                                 .allocator = allocator,
                                 .next_line = 1,
                                 .line_bytes_max = line_bytes_max};
    moot__buf_init(&lines->bytes, allocator, line_bytes_max + CHUNK_BYTES + 2);
}

void moot__lines_deinit(struct moot_lines *lines)
{
    if (lines->inflater)
        inflateEnd(&lines->inflater->stream);
    moot__free(lines->allocator, lines->inflater);
    lines->inflater = NULL;
    moot__buf_deinit(&lines->bytes);
}

/* Up to CHUNK_BYTES from the file; 0 at the end. */
static int read_some(struct moot_lines *lines, void *to, size_t room, size_t *got)
{
    int error;
    do
        error = lines->disk->ops->read(lines->disk, lines->fd, to, room, got);
    while (error == EINTR);
    if (error != 0)
        return MOOT_EIO;
    lines->bytes_read += *got;
    if (lines->is_hashed)
        moot__hasher_add(&lines->hasher, moot__view(to, *got));
    return MOOT_OK;
}

static int start_inflater(struct moot_lines *lines)
{
    struct moot_inflater *inflater = moot__calloc(lines->allocator, 1, sizeof *inflater);
    if (!inflater)
        return MOOT_ENOMEM;
    /* zlib's opaque pointer is not const; ours is only read. */
    union {
        const struct moot_allocator *in;
        void *out;
    } context = {.in = lines->allocator};
    inflater->stream.zalloc = zlib_alloc;
    inflater->stream.zfree = zlib_free;
    inflater->stream.opaque = context.out;
    if (inflateInit2(&inflater->stream, GZIP_WINDOW_BITS) != Z_OK) {
        moot__free(lines->allocator, inflater);
        return MOOT_ENOMEM;
    }
    assert(lines->bytes.len <= sizeof inflater->input);
    memcpy(inflater->input, lines->bytes.data, lines->bytes.len);
    inflater->stream.next_in = inflater->input;
    inflater->stream.avail_in = (uInt)lines->bytes.len;
    inflater->in_member = true;
    lines->inflater = inflater;
    moot__buf_reset(&lines->bytes);
    return MOOT_OK;
}

/* One step of inflating into the buffer, which has room for a chunk. */
static int inflate_some(struct moot_lines *lines)
{
    struct moot_inflater *inflater = lines->inflater;
    z_stream *stream = &inflater->stream;
    if (stream->avail_in == 0 && !inflater->more) {
        size_t got = 0;
        int rc = read_some(lines, inflater->input, sizeof inflater->input, &got);
        if (rc != MOOT_OK)
            return rc;
        if (got == 0) {
            lines->ended = true;
            return inflater->in_member ? MOOT_EENCODING : MOOT_OK;
        }
        stream->next_in = inflater->input;
        stream->avail_in = (uInt)got;
    }
    if (!inflater->in_member) {
        if (inflateReset(stream) != Z_OK)
            return MOOT_EENCODING;
        inflater->in_member = true;
    }
    stream->next_out = (unsigned char *)lines->bytes.data + lines->bytes.len;
    stream->avail_out = CHUNK_BYTES;
    int z = inflate(stream, Z_NO_FLUSH);
    if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
        return z == Z_MEM_ERROR ? MOOT_ENOMEM : MOOT_EENCODING;
    lines->bytes.len += CHUNK_BYTES - stream->avail_out;
    inflater->more = stream->avail_out == 0 && z != Z_STREAM_END;
    if (z == Z_STREAM_END)
        inflater->in_member = false;
    return MOOT_OK;
}

/* The first bytes tell gzip (RFC 1952: 1f 8b) and a byte order mark. */
static int look_at_start(struct moot_lines *lines)
{
    while (lines->bytes.len < 3 && !lines->ended) {
        int rc = moot__buf_reserve(&lines->bytes, CHUNK_BYTES);
        size_t got = 0;
        if (rc == MOOT_OK)
            rc = read_some(lines, lines->bytes.data + lines->bytes.len,
                           CHUNK_BYTES - lines->bytes.len, &got);
        if (rc != MOOT_OK)
            return rc;
        lines->bytes.len += got;
        lines->ended = got == 0;
    }
    if (!moot__view_starts(moot__buf_view(&lines->bytes), MOOT_VIEW("\x1f\x8b")))
        return MOOT_OK;
    int rc = start_inflater(lines);
    lines->ended = false;
    while (rc == MOOT_OK && lines->bytes.len < 3 && !lines->ended) {
        rc = moot__buf_reserve(&lines->bytes, CHUNK_BYTES);
        if (rc == MOOT_OK)
            rc = inflate_some(lines);
    }
    return rc;
}

static int begin(struct moot_lines *lines)
{
    lines->began = true;
    int rc = look_at_start(lines);
    if (rc == MOOT_OK &&
        moot__view_starts(moot__buf_view(&lines->bytes), MOOT_VIEW("\xef\xbb\xbf")))
        lines->start = lines->scanned = 3;
    return rc;
}

/* Make room in front, then read one piece behind. */
static int fill(struct moot_lines *lines)
{
    moot__buf_consume(&lines->bytes, lines->start);
    lines->scanned -= lines->start;
    lines->start = 0;
    int rc = moot__buf_reserve(&lines->bytes, CHUNK_BYTES);
    if (rc == MOOT_ELIMIT) {
        lines->skipping = true;
        moot__buf_reset(&lines->bytes);
        lines->scanned = 0;
        rc = moot__buf_reserve(&lines->bytes, CHUNK_BYTES);
    }
    if (rc != MOOT_OK)
        return rc;
    if (lines->inflater)
        return inflate_some(lines);
    size_t got = 0;
    rc = read_some(lines, lines->bytes.data + lines->bytes.len, CHUNK_BYTES, &got);
    lines->bytes.len += got;
    lines->ended = rc == MOOT_OK && got == 0;
    return rc;
}

/* Look for the end of the line in what was read; true with its index. */
static bool find_end(struct moot_lines *lines, size_t *end)
{
    struct moot_view bytes = moot__buf_view(&lines->bytes);
    size_t at = moot__view_find(bytes, '\n', lines->scanned);
    while (lines->quoted && at <= bytes.len) {
        for (size_t q = moot__view_find(bytes, '"', lines->scanned); q < at;
             q = moot__view_find(bytes, '"', q + 1))
            lines->in_quotes = !lines->in_quotes;
        if (at == bytes.len || !lines->in_quotes)
            break;
        lines->scanned = at + 1;
        lines->next_line++;
        at = moot__view_find(bytes, '\n', lines->scanned);
    }
    lines->scanned = at;
    *end = at;
    return at < bytes.len;
}

static void take(struct moot_lines *lines, size_t end, bool has_newline, struct moot_line *line)
{
    size_t len = end - lines->start;
    if (len > 0 && lines->bytes.data[lines->start + len - 1] == '\r')
        len--;
    line->text = moot__view(len ? lines->bytes.data + lines->start : "", len);
    line->has_newline = has_newline;
    lines->start = end + (has_newline ? 1 : 0);
    lines->scanned = lines->start;
    lines->in_quotes = false;
    lines->next_line++;
}

int moot__lines_next(struct moot_lines *lines, struct moot_line *line)
{
    int rc = lines->began ? MOOT_OK : begin(lines);
    *line = (struct moot_line){.number = lines->next_line < UINT_MAX ? (unsigned)lines->next_line
                                                                     : UINT_MAX};
    size_t end = 0;
    bool found = false;
    while (rc == MOOT_OK && !(found = find_end(lines, &end)) && !lines->ended)
        rc = fill(lines);
    if (rc != MOOT_OK)
        return rc;
    if (!found && lines->start == lines->bytes.len && !lines->skipping)
        return MOOT_ENOTFOUND;
    take(lines, end, found, line);
    bool too_long = lines->skipping || line->text.len > lines->line_bytes_max;
    lines->skipping = false;
    if (too_long) {
        line->text = moot__view("", 0);
        return MOOT_ELIMIT;
    }
    return MOOT_OK;
}

uint64_t moot__lines_offset(const struct moot_lines *lines)
{
    return lines->bytes_read - (lines->bytes.len - lines->start);
}
