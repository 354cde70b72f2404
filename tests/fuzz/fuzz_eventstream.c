/* AWS event streams: whole and in pieces they are the same events. A fuzzer does not guess
 * checksums, so the input is also read as the headers of a message that is sound otherwise. */
#include <string.h>
#include <zlib.h>

#include "engine/base/check.h"
#include "fuzz.h"
#include "net/eventstream.h"

static int on_event(void *context, const struct moot_eventstream_event *event)
{
    struct moot_buf *trace = context;
    moot__ignore(moot__buf_append_byte(trace, (char)('0' + (int)event->kind)));
    moot__ignore(moot__buf_append_view(trace, event->name));
    moot__ignore(moot__buf_append_byte(trace, '|'));
    moot__ignore(moot__buf_append_view(trace, event->content_type));
    moot__ignore(moot__buf_append_byte(trace, '|'));
    moot__ignore(moot__buf_append_view(trace, event->payload));
    return MOOT_OK;
}

static int read_stream(struct moot_view bytes, struct moot_rng *cuts, struct moot_buf *trace)
{
    struct moot_eventstream_parser parser;
    int rc = MOOT_OK;
    moot__buf_init(trace, NULL, 64 << 20);
    moot__eventstream_init(&parser, NULL);
    for (size_t at = 0; at < bytes.len && !rc;) {
        size_t len = cuts ? fuzz_cut(cuts, bytes.len - at) : bytes.len;
        struct moot_view copy = {moot__strdup(NULL, moot__view(bytes.ptr + at, len)), len};
        FUZZ_REQUIRE(copy.ptr); /* a copy, so that a view that outlives it shows */
        rc = moot__eventstream_feed(&parser, copy, on_event, trace);
        moot__free(NULL, (char *)(uintptr_t)copy.ptr);
        at += len;
    }
    int end = moot__eventstream_finish(&parser);
    FUZZ_REQUIRE(rc == MOOT_OK ? end == 0 || end == 1 : end == rc);
    moot__eventstream_deinit(&parser);
    return end;
}

static int read_both_ways(struct moot_view bytes)
{
    struct moot_buf whole, pieces;
    struct moot_rng cuts;
    fuzz_cuts(&cuts, (const uint8_t *)bytes.ptr, bytes.len);
    int rc = read_stream(bytes, NULL, &whole);
    FUZZ_REQUIRE(rc == read_stream(bytes, &cuts, &pieces));
    FUZZ_REQUIRE(whole.len == pieces.len);
    FUZZ_REQUIRE(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
    moot__buf_deinit(&whole);
    moot__buf_deinit(&pieces);
    return rc;
}

static void put_u32(unsigned char *at, size_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (24 - 8 * i) & 0xff);
}

/* A message of these headers and no payload. */
static void read_headers(struct moot_view headers)
{
    size_t total = headers.len + 16;
    unsigned char *frame = moot__alloc(NULL, total);
    FUZZ_REQUIRE(frame);
    put_u32(frame, total);
    put_u32(frame + 4, headers.len);
    put_u32(frame + 8, crc32_z(0, frame, 8));
    if (headers.len)
        memcpy(frame + 12, headers.ptr, headers.len);
    put_u32(frame + total - 4, crc32_z(0, frame, total - 4));
    int rc = read_both_ways(moot__view((const char *)frame, total));
    FUZZ_REQUIRE(rc == MOOT_OK || rc == MOOT_EPROTO || rc == MOOT_ELIMIT);
    moot__free(NULL, frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_view bytes = {(const char *)data, size};
    read_both_ways(bytes);
    read_headers(bytes);
    return 0;
}
