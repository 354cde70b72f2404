/* Text that may be broken in any way: what is called valid is, every repair is valid, and what was
 * handed out of a stream of halves of characters never changes. */
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/utf8.h"
#include "fuzz.h"

/* UTF-16 units, one a piece, from two bytes each: what escapes can say, cut as badly as can be. */
static void join(struct moot_view bytes, struct moot_buf *out)
{
    size_t settled = 0;
    moot__buf_init(out, NULL, 64 << 20);
    for (size_t at = 0; at + 1 < bytes.len; at += 2) {
        uint32_t unit =
            (uint32_t)(unsigned char)bytes.ptr[at] << 8 | (unsigned char)bytes.ptr[at + 1];
        char piece[4];
        size_t len = moot__utf8_encode(unit, piece);
        FUZZ_REQUIRE(moot__utf8_append_joining(out, (struct moot_view){piece, len}) == MOOT_OK);
        size_t now = moot__utf8_settle(out, settled, false);
        FUZZ_REQUIRE(now >= settled && now <= out->len);
        FUZZ_REQUIRE(moot__utf8_valid((struct moot_view){out->data, now}));
        settled = now;
    }
    moot__utf8_repair(out);
    FUZZ_REQUIRE(moot__utf8_valid(moot__buf_view(out)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_view text = {(const char *)data, size};
    struct moot_buf replaced, one;
    size_t bad = 0, valid = moot__utf8_scan(text, &bad);
    FUZZ_REQUIRE(valid <= size && bad <= size - valid && (valid == size) == (bad == 0));
    FUZZ_REQUIRE(moot__utf8_valid((struct moot_view){text.ptr, valid}));
    FUZZ_REQUIRE((valid == size) == moot__utf8_valid(text));
    moot__buf_init(&replaced, NULL, 64 << 20);
    FUZZ_REQUIRE(moot__utf8_append_replacing(&replaced, text) == MOOT_OK);
    FUZZ_REQUIRE(moot__utf8_valid(moot__buf_view(&replaced)));
    FUZZ_REQUIRE(valid < size || replaced.len == size);
    moot__buf_deinit(&replaced);
    join(text, &one);
    moot__buf_deinit(&one);
    return 0;
}
