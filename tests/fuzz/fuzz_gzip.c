/* Compressed bodies: whole and in pieces they are the same bytes, and never out of proportion. */
#include <string.h>

#include "engine/base/limits.h"
#include "fuzz.h"
#include "net/gzip.h"

enum { OUT_MAX = 4 << 20 };

static int on_bytes(void *context, struct moot_view bytes)
{
    return moot__buf_append_view(context, bytes);
}

static int inflate_all(enum moot_encoding encoding, struct moot_view bytes, struct moot_rng *cuts,
                       struct moot_buf *out)
{
    struct moot_inflate *decoder = moot__inflate_new(NULL, encoding, OUT_MAX);
    FUZZ_REQUIRE(decoder);
    int rc = MOOT_OK;
    moot__buf_init(out, NULL, OUT_MAX);
    for (size_t at = 0; at < bytes.len && !rc;) {
        size_t len = cuts ? fuzz_cut(cuts, bytes.len - at) : bytes.len;
        rc = moot__inflate_feed(decoder, moot__view(bytes.ptr + at, len), on_bytes, out);
        at += len;
    }
    if (!rc)
        rc = moot__inflate_finish(decoder);
    moot__inflate_free(decoder);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum moot_encoding encoding = size && data[0] & 1 ? MOOT_ENCODING_DEFLATE : MOOT_ENCODING_GZIP;
    struct moot_view bytes = fuzz_rest(data, size);
    struct moot_buf whole, pieces;
    struct moot_rng cuts;
    fuzz_cuts(&cuts, data, size);
    int rc = inflate_all(encoding, bytes, NULL, &whole);
    int rc_pieces = inflate_all(encoding, bytes, &cuts, &pieces);
    /* Where the output is refused as out of proportion depends on what went in until then. */
    FUZZ_REQUIRE((rc == MOOT_OK) == (rc_pieces == MOOT_OK));
    if (rc == MOOT_OK) {
        FUZZ_REQUIRE(whole.len == pieces.len);
        FUZZ_REQUIRE(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
        FUZZ_REQUIRE(whole.len <= MOOT_LIMIT_GZIP_FREE_BYTES ||
                     whole.len <= bytes.len * MOOT_LIMIT_GZIP_RATIO);
    }
    moot__buf_deinit(&whole);
    moot__buf_deinit(&pieces);
    return 0;
}
