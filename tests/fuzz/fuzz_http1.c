/* HTTP/1 messages, responses and requests: whole and in pieces they are the same message. */
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "fuzz.h"
#include "net/http1.h"

struct run {
    struct moot_buf trace;
    int verdict;
    size_t consumed;
};

static int on_head(void *context, const struct moot_http1_head *head)
{
    struct run *run = context;
    FUZZ_REQUIRE(head->status == 0 || (head->status >= 200 && head->status <= 599));
    FUZZ_REQUIRE(!head->chunked || head->content_length == -1);
    moot__ignore(moot__buf_append_u64(&run->trace, (uint64_t)head->status));
    moot__ignore(moot__buf_append_view(&run->trace, head->target));
    for (size_t i = 0; i < head->header_count; i++) {
        struct moot_view value = head->headers[i].value;
        FUZZ_REQUIRE(head->headers[i].name.len > 0);
        FUZZ_REQUIRE(!memchr(value.ptr, '\n', value.len) && !memchr(value.ptr, '\0', value.len));
        moot__ignore(moot__buf_append_view(&run->trace, head->headers[i].name));
        moot__ignore(moot__buf_append_view(&run->trace, value));
    }
    return MOOT_OK;
}

static int on_body(void *context, struct moot_view bytes)
{
    struct run *run = context;
    FUZZ_REQUIRE(bytes.len > 0);
    moot__ignore(moot__buf_append_view(&run->trace, bytes));
    return MOOT_OK;
}

static int on_complete(void *context)
{
    struct run *run = context;
    moot__ignore(moot__buf_append_byte(&run->trace, '.'));
    return MOOT_OK;
}

static void read_message(unsigned variant, struct moot_view bytes, struct moot_rng *cuts,
                         struct run *run)
{
    static const struct moot_http1_callbacks callbacks = {on_head, on_body, on_complete};
    enum moot_http1_kind kind = variant & 1 ? MOOT_HTTP1_REQUEST : MOOT_HTTP1_RESPONSE;
    *run = (struct run){0};
    moot__buf_init(&run->trace, NULL, 8 << 20);
    struct moot_http1_parser *parser = moot__http1_new(NULL, kind, NULL, &callbacks, run);
    FUZZ_REQUIRE(parser);
    moot__http1_reset(parser, (variant >> 1) & (MOOT_HTTP1_NO_BODY | MOOT_HTTP1_CONNECT));
    while (!run->verdict && run->consumed < bytes.len && !moot__http1_is_complete(parser)) {
        size_t left = bytes.len - run->consumed, len = cuts ? fuzz_cut(cuts, left) : left, used;
        run->verdict = moot__http1_feed(parser, bytes.ptr + run->consumed, len, &used);
        FUZZ_REQUIRE(used <= len);
        run->consumed += used;
    }
    if (!run->verdict)
        run->verdict = moot__http1_finish(parser);
    moot__http1_free(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole, pieces;
    struct moot_rng cuts;
    unsigned variant = size ? data[0] : 0;
    fuzz_cuts(&cuts, data, size);
    read_message(variant, fuzz_rest(data, size), NULL, &whole);
    read_message(variant, fuzz_rest(data, size), &cuts, &pieces);
    FUZZ_REQUIRE(whole.verdict == pieces.verdict && whole.consumed == pieces.consumed);
    FUZZ_REQUIRE(whole.trace.len == pieces.trace.len);
    FUZZ_REQUIRE(whole.trace.len == 0 ||
                 memcmp(whole.trace.data, pieces.trace.data, whole.trace.len) == 0);
    moot__buf_deinit(&whole.trace);
    moot__buf_deinit(&pieces.trace);
    return 0;
}
