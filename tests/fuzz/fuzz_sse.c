/* Event streams: whole and in pieces they are the same events. */
#include <string.h>

#include "engine/base/check.h"
#include "fuzz.h"
#include "net/sse.h"

static int on_event(void *context, const struct moot_sse_event *event)
{
    struct moot_buf *trace = context;
    moot__ignore(moot__buf_append_byte(trace, event->kind == MOOT_SSE_EVENT ? 'e' : 's'));
    moot__ignore(moot__buf_append_view(trace, event->name));
    moot__ignore(moot__buf_append_byte(trace, '|'));
    moot__ignore(moot__buf_append_view(trace, event->data));
    moot__ignore(moot__buf_append_byte(trace, '|'));
    moot__ignore(moot__buf_append_view(trace, event->id));
    return MOOT_OK;
}

static int read_stream(struct moot_view bytes, struct moot_rng *cuts, struct moot_buf *trace)
{
    struct moot_sse_parser parser;
    struct moot_sse_event pending;
    int rc = MOOT_OK;
    moot__buf_init(trace, NULL, 64 << 20);
    moot__sse_init(&parser, NULL);
    for (size_t at = 0; at < bytes.len && !rc;) {
        size_t len = cuts ? fuzz_cut(cuts, bytes.len - at) : bytes.len;
        struct moot_view copy = {moot__strdup(NULL, moot__view(bytes.ptr + at, len)), len};
        FUZZ_REQUIRE(copy.ptr); /* a copy, so that a view that outlives it shows */
        rc = moot__sse_feed(&parser, copy, on_event, trace);
        moot__free(NULL, (char *)(uintptr_t)copy.ptr);
        at += len;
    }
    int end = moot__sse_finish(&parser, &pending);
    FUZZ_REQUIRE(rc == MOOT_OK ? end == 0 || end == 1 || end < 0 : end == rc);
    if (end == 1)
        on_event(trace, &pending);
    moot__sse_deinit(&parser);
    return rc ? rc : end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_view bytes = {(const char *)data, size};
    struct moot_buf whole, pieces;
    struct moot_rng cuts;
    fuzz_cuts(&cuts, data, size);
    int rc = read_stream(bytes, NULL, &whole);
    FUZZ_REQUIRE(rc == read_stream(bytes, &cuts, &pieces));
    FUZZ_REQUIRE(whole.len == pieces.len);
    FUZZ_REQUIRE(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
    moot__buf_deinit(&whole);
    moot__buf_deinit(&pieces);
    return 0;
}
