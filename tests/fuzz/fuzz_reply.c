/* A whole answer of any dialect, as a success and as a failure. */
#include <string.h>

#include "agents/dialect.h"
#include "agents/reply.h"
#include "engine/base/utf8.h"
#include "fuzz.h"

static void check_error(const struct moot_error_info *info, int rc)
{
    FUZZ_REQUIRE(rc < 0 && info->code == rc);
    struct moot_view message = {info->message, strnlen(info->message, sizeof info->message)};
    FUZZ_REQUIRE(message.len < sizeof info->message);
    FUZZ_REQUIRE(moot__utf8_valid(message));
    for (size_t i = 0; i < message.len; i++)
        FUZZ_REQUIRE((unsigned char)message.ptr[i] >= ' ' && message.ptr[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = {400, 401, 403, 404, 408, 413, 422, 429,
                                        500, 502, 503, 504, 529, 200, 302, 418};
    unsigned variant = size ? data[0] : 0;
    const struct moot_dialect *dialect = moot__dialect_at(variant & 15u);
    if (!dialect)
        return 0;
    struct moot_view body = fuzz_rest(data, size);
    struct moot_error_info info = {0};
    struct moot_arena arena, scratch;
    struct moot_reply reply;
    moot__arena_init(&arena, NULL, 64 << 20);
    moot__arena_init(&scratch, NULL, 64 << 20);
    moot__reply_init(&reply, &arena, &scratch);
    int rc = dialect->read_reply(body, &reply, &info);
    if (rc != MOOT_OK) {
        check_error(&info, rc);
    } else {
        moot__reply_settle(&reply);
        FUZZ_REQUIRE(moot__utf8_valid(moot__buf_view(&reply.text)));
        FUZZ_REQUIRE(moot__utf8_valid(moot__buf_view(&reply.refusal)));
    }
    memset(&info, 0, sizeof info);
    const struct moot_refusal refusal = {.status = statuses[variant >> 4], .body = body};
    check_error(&info, dialect->read_error(&refusal, NULL, &info));
    moot__reply_deinit(&reply);
    moot__arena_deinit(&arena);
    moot__arena_deinit(&scratch);
    return 0;
}
