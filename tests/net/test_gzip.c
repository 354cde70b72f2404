#include "tests/support/test.h"

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "net/gzip.h"
#include "tests/support/failing_alloc.h"

static int keep(void *context, struct moot_view bytes)
{
    return moot__buf_append_view(context, bytes);
}

static int refuse(void *context, struct moot_view bytes)
{
    (void)context;
    (void)bytes;
    return 42;
}

/* Inflate in pieces of at most `piece` bytes. */
static int inflate_in_pieces(struct moot_inflate *decoder, struct moot_view bytes, size_t piece,
                             struct moot_buf *out)
{
    int rc = MOOT_OK;
    for (size_t at = 0; at < bytes.len && !rc; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;
        rc = moot__inflate_feed(decoder, moot__view(bytes.ptr + at, len), keep, out);
    }
    return rc ? rc : moot__inflate_finish(decoder);
}

static int inflate_whole(enum moot_encoding encoding, struct moot_view bytes, uint64_t bytes_max,
                         size_t piece, struct moot_buf *out)
{
    struct moot_inflate *decoder = moot__inflate_new(NULL, encoding, bytes_max);
    assert_non_null(decoder);
    moot__buf_init(out, NULL, 64 << 20);
    int rc = inflate_in_pieces(decoder, bytes, piece, out);
    assert_int_equal(moot__inflate_finish(decoder), rc);
    moot__inflate_free(decoder);
    return rc;
}

static void expect(enum moot_encoding encoding, struct moot_view bytes, int verdict,
                   struct moot_view text)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 2, 7};
    for (size_t i = 0; i < moot__countof(pieces); i++) {
        struct moot_buf out;
        size_t piece = pieces[i] < bytes.len ? pieces[i] : bytes.len + 1;
        assert_int_equal(inflate_whole(encoding, bytes, 1 << 20, piece, &out), verdict);
        if (verdict == MOOT_OK)
            assert_true(moot__view_eq(moot__buf_view(&out), text));
        moot__buf_deinit(&out);
    }
}

static void compressed(struct moot_buf *out, struct moot_view text)
{
    moot__buf_init(out, NULL, 64 << 20);
    assert_int_equal(moot__gzip_compress(out, text), MOOT_OK);
}

static void round_trips(void **state)
{
    (void)state;
    char noise[100000];
    struct moot_rng rng;
    moot__rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)moot__rng_next(&rng);
    const struct moot_view texts[] = {MOOT_VIEW(""), MOOT_VIEW("hello"),
                                      moot__view(noise, sizeof noise)};
    for (size_t i = 0; i < moot__countof(texts); i++) {
        struct moot_buf wire;
        compressed(&wire, texts[i]);
        expect(MOOT_ENCODING_GZIP, moot__buf_view(&wire), MOOT_OK, texts[i]);
        moot__buf_deinit(&wire);
    }
}

/* The deflate data inside of a gzip stream without optional fields is the raw format. */
static void both_kinds_of_deflate(void **state)
{
    (void)state;
    static const char zlib_hello[] = "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15";
    struct moot_view zlib = {zlib_hello, sizeof zlib_hello - 1};
    expect(MOOT_ENCODING_DEFLATE, zlib, MOOT_OK, MOOT_VIEW("hello"));
    expect(MOOT_ENCODING_DEFLATE, moot__view(zlib.ptr + 2, zlib.len - 6), MOOT_OK,
           MOOT_VIEW("hello"));
    expect(MOOT_ENCODING_DEFLATE, moot__view(zlib.ptr, zlib.len - 1), MOOT_ETRUNCATED,
           MOOT_VIEW(""));
    expect(MOOT_ENCODING_DEFLATE, moot__view(zlib.ptr, 1), MOOT_ETRUNCATED, MOOT_VIEW(""));
    expect(MOOT_ENCODING_DEFLATE, MOOT_VIEW(""), MOOT_ETRUNCATED, MOOT_VIEW(""));
    expect(MOOT_ENCODING_GZIP, zlib, MOOT_EENCODING, MOOT_VIEW(""));
}

static void damaged_streams(void **state)
{
    (void)state;
    struct moot_buf wire;
    compressed(&wire, MOOT_VIEW("hello, hello, hello"));
    for (size_t len = 0; len < wire.len; len++)
        expect(MOOT_ENCODING_GZIP, moot__view(wire.data, len), MOOT_ETRUNCATED, MOOT_VIEW(""));
    wire.data[wire.len - 8] ^= 1; /* the checksum */
    expect(MOOT_ENCODING_GZIP, moot__buf_view(&wire), MOOT_EENCODING, MOOT_VIEW(""));
    wire.data[wire.len - 8] ^= 1;
    wire.data[wire.len - 1] ^= 1; /* the length */
    expect(MOOT_ENCODING_GZIP, moot__buf_view(&wire), MOOT_EENCODING, MOOT_VIEW(""));
    wire.data[wire.len - 1] ^= 1;
    assert_int_equal(moot__buf_append_str(&wire, "x"), 0); /* something after the end */
    expect(MOOT_ENCODING_GZIP, moot__buf_view(&wire), MOOT_EENCODING, MOOT_VIEW(""));
    moot__buf_deinit(&wire);
}

static int inflate_zeros(size_t count, uint64_t bytes_max, size_t piece)
{
    struct moot_buf wire, out;
    char *zeros = moot__calloc(NULL, count, 1);
    assert_non_null(zeros);
    compressed(&wire, moot__view(zeros, count));
    int rc = inflate_whole(MOOT_ENCODING_GZIP, moot__buf_view(&wire), bytes_max, piece, &out);
    assert_true(out.len <= bytes_max + 16 * 1024);
    moot__free(NULL, zeros);
    moot__buf_deinit(&wire);
    moot__buf_deinit(&out);
    return rc;
}

static void bombs(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 4096; piece *= 64) { /* zeros shrink about 1000:1 */
        assert_int_equal(inflate_zeros(MOOT_LIMIT_GZIP_FREE_BYTES, 64 << 20, piece), MOOT_OK);
        assert_int_equal(inflate_zeros(2 * MOOT_LIMIT_GZIP_FREE_BYTES, 64 << 20, piece),
                         MOOT_EENCODING);
        assert_int_equal(inflate_zeros(9999, 10000, piece), MOOT_OK);
        assert_int_equal(inflate_zeros(10000, 10000, piece), MOOT_OK);
        assert_int_equal(inflate_zeros(10001, 10000, piece), MOOT_ELIMIT);
    }
}

static void callback_stops_for_good(void **state)
{
    (void)state;
    struct moot_buf wire;
    compressed(&wire, MOOT_VIEW("hello"));
    struct moot_inflate *decoder = moot__inflate_new(NULL, MOOT_ENCODING_GZIP, 100);
    assert_non_null(decoder);
    assert_int_equal(moot__inflate_feed(decoder, moot__buf_view(&wire), refuse, NULL), 42);
    assert_int_equal(moot__inflate_feed(decoder, moot__buf_view(&wire), refuse, NULL), 42);
    assert_int_equal(moot__inflate_finish(decoder), 42);
    moot__inflate_free(decoder);
    moot__buf_deinit(&wire);
}

static int there_and_back(const struct moot_allocator *allocator)
{
    struct moot_buf wire, out;
    moot__buf_init(&wire, allocator, 4096);
    moot__buf_init(&out, allocator, 4096);
    struct moot_inflate *decoder = NULL;
    int rc = moot__gzip_compress(&wire, MOOT_VIEW("hello"));
    assert_true(rc == MOOT_OK || wire.len == 0);
    if (!rc && !(decoder = moot__inflate_new(allocator, MOOT_ENCODING_GZIP, 4096)))
        rc = MOOT_ENOMEM;
    if (!rc)
        rc = inflate_in_pieces(decoder, moot__buf_view(&wire), 3, &out);
    moot__inflate_free(decoder);
    moot__buf_deinit(&out);
    moot__buf_deinit(&wire);
    return rc;
}

static void every_allocation_fails(void **state)
{
    (void)state;
    for (size_t nth = 1; nth < 100; nth++) {
        struct moot_failing_alloc memory;
        moot__failing_alloc_init(&memory, nth);
        int rc = there_and_back(&memory.allocator);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, MOOT_OK);
            return;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(both_kinds_of_deflate),
        cmocka_unit_test(damaged_streams),
        cmocka_unit_test(bombs),
        cmocka_unit_test(callback_stops_for_good),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
