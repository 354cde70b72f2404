#include "document.h"

#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

static const struct moot_json_read_options lenient = {.keep_halves = true};

static int read_repaired(struct moot_arena *arena, struct moot_view text,
                         const struct moot_json **out, struct moot_json_error *error)
{
    struct moot_buf repaired;
    moot__buf_init(&repaired, arena->allocator, MOOT_LIMIT_JSON_BYTES);
    int rc = moot__utf8_append_replacing(&repaired, text);
    if (rc == MOOT_OK)
        rc = moot__json_read(arena, moot__buf_view(&repaired), &lenient, out, error);
    moot__buf_deinit(&repaired);
    return rc;
}

int moot__document_read(struct moot_arena *arena, struct moot_view text,
                        const struct moot_json **out, struct moot_json_error *error)
{
    struct moot_view mark = MOOT_VIEW("\xEF\xBB\xBF");
    if (moot__view_starts(text, mark))
        text = moot__view(text.ptr + mark.len, text.len - mark.len);
    int rc = moot__json_read(arena, text, &lenient, out, error);
    return rc == MOOT_EUTF8 ? read_repaired(arena, text, out, error) : rc;
}
