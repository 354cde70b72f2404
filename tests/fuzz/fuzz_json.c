/* JSON: what was read and written again is read as the same. */
#include <string.h>

#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "engine/base/utf8.h"
#include "fuzz.h"

enum { MEMORY_MAX = 64 << 20 };

static void check_texts(const struct moot_json *node, unsigned depth)
{
    FUZZ_REQUIRE(depth <= MOOT_LIMIT_JSON_DEPTH);
    if (node->type == MOOT_JSON_STRING)
        FUZZ_REQUIRE(moot__utf8_valid(node->text));
    if (node->type == MOOT_JSON_NUMBER)
        FUZZ_REQUIRE(node->text.len > 0 && node->text.len <= MOOT_LIMIT_JSON_NUMBER_BYTES);
    if (node->type != MOOT_JSON_ARRAY && node->type != MOOT_JSON_OBJECT)
        return;
    uint32_t count = 0;
    for (const struct moot_json *child = node->child; child; child = child->next, count++)
        check_texts(child, depth + 1);
    FUZZ_REQUIRE(count == node->count);
}

static bool write_again(const struct moot_json *root, struct moot_buf *out)
{
    struct moot_json_writer writer;
    moot__buf_init(out, NULL, MEMORY_MAX);
    moot__json_write_init(&writer, out);
    moot__json_write_value(&writer, root);
    return moot__json_write_finish(&writer) == MOOT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_view text = {(const char *)data, size};
    struct moot_arena arena;
    struct moot_json_error error;
    const struct moot_json *root, *again;
    moot__arena_init(&arena, NULL, MEMORY_MAX);
    int rc = moot__json_read(&arena, text, NULL, &root, &error);
    if (rc != MOOT_OK) {
        FUZZ_REQUIRE(!root && error.reason && error.offset <= size);
    } else {
        struct moot_buf first, second;
        check_texts(root, 0);
        FUZZ_REQUIRE(write_again(root, &first));
        FUZZ_REQUIRE(moot__json_read(&arena, moot__buf_view(&first), NULL, &again, NULL) == 0);
        FUZZ_REQUIRE(write_again(again, &second));
        FUZZ_REQUIRE(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
        moot__buf_deinit(&first);
        moot__buf_deinit(&second);
    }
    moot__arena_deinit(&arena);
    return 0;
}
