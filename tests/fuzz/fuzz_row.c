/* Rows of a batch: the first line chooses the dialect, the others are rows of it. What is written
 * of a row, as an answer or as a failure, is one line of valid JSON that names the same row. */
#include <string.h>

#include "engine/base/json_read.h"
#include "engine/batch/row.h"
#include "fuzz.h"

static void check_line(const struct moot_row *row, const struct moot_buf *out)
{
    struct moot_view line = moot__buf_view(out);
    struct moot_arena arena;
    const struct moot_json *root;
    struct moot_row_facts facts;
    struct moot_hash key;
    FUZZ_REQUIRE(line.len > 0 && line.ptr[line.len - 1] == '\n');
    FUZZ_REQUIRE(memchr(line.ptr, '\n', line.len) == line.ptr + line.len - 1);
    moot__arena_init(&arena, NULL, 64 << 20);
    FUZZ_REQUIRE(moot__json_read(&arena, line, NULL, &root, NULL) == MOOT_OK);
    FUZZ_REQUIRE(moot__row_recall(root, &key, &facts));
    FUZZ_REQUIRE(memcmp(&key, &row->key, sizeof key) == 0);
    moot__arena_deinit(&arena);
}

static void write_both(const struct moot_row *row)
{
    struct moot_agent_reply reply = {.text = MOOT_VIEW("An answer.")};
    struct moot_outcome outcome = {.text = reply.text, .replies = &reply, .reply_count = 1};
    struct moot_error_info error = {.code = MOOT_EPROVIDER, .http_status = 400};
    struct moot_row_facts facts;
    struct moot_buf out;
    moot__buf_init(&out, NULL, 64 << 20);
    if (row->error.code == MOOT_OK) {
        moot__row_facts(row, &outcome, &facts);
        FUZZ_REQUIRE(moot__row_write_result(row, &outcome, &facts, &out) == MOOT_OK);
        check_line(row, &out);
        moot__buf_reset(&out);
        FUZZ_REQUIRE(row->message_count > 0);
        outcome.error = error;
        moot__row_facts(row, &outcome, &facts);
    } else {
        error = row->error;
        moot__row_facts(row, NULL, &facts);
    }
    FUZZ_REQUIRE(moot__row_write_error(row, &error, &facts, &out) == MOOT_OK);
    check_line(row, &out);
    moot__buf_deinit(&out);
}

static struct moot_view next_line(struct moot_view *text)
{
    const char *stop = text->len ? memchr(text->ptr, '\n', text->len) : NULL;
    struct moot_view line = {text->ptr, stop ? (size_t)(stop - text->ptr) : text->len};
    size_t used = line.len + (stop ? 1 : 0);
    *text = (struct moot_view){text->ptr + used, text->len - used};
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_view text = {(const char *)data, size}, rest = text;
    struct moot_view first = next_line(&rest);
    struct moot_error_info info;
    struct moot_row_line line = {.dialect = moot__row_sniff(NULL, first, &info)};
    if (!line.dialect)
        return 0;
    if (moot__row_dialect_is_csv(line.dialect)) {
        line.header = first;
        line.number = 1;
        text = rest;
    }
    while (text.len > 0) {
        struct moot_row *row;
        line.text = next_line(&text);
        line.number++;
        FUZZ_REQUIRE(moot__row_new(NULL, &line, &row) == MOOT_OK);
        write_both(row);
        moot__row_free(row);
    }
    return 0;
}
