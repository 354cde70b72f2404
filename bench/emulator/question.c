/* The chat request's body: what it asks, counted and checked as strictly as a provider would. */
#include "question.h"

#include "engine/base/check.h"
#include "surface.h"

int moot__emulator_complain(struct moot_emulator_complaint *complaint, const char *param,
                            const char *message)
{
    complaint->param = param;
    complaint->message = message;
    return MOOT_EINVAL;
}

int moot__emulator_join_texts(const struct moot_json *content, struct moot_arena *arena,
                              struct moot_view *out)
{
    size_t len = 0;
    for (const struct moot_json *part = content->child; part; part = part->next)
        len += moot__json_text(part, "text").len;
    char *text = moot__arena_alloc(arena, len ? len : 1);
    if (!text)
        return MOOT_ENOMEM;
    *out = moot__view(text, len);
    for (const struct moot_json *part = content->child; part; part = part->next) {
        struct moot_view piece = moot__json_text(part, "text");
        if (piece.len)
            memcpy(text, piece.ptr, piece.len);
        text += piece.len;
    }
    return MOOT_OK;
}

int moot__emulator_question(struct moot_view body, struct moot_arena *arena,
                            struct moot_emulator_request *out,
                            struct moot_emulator_complaint *complaint)
{
    const struct moot_json *root = NULL;
    *complaint = (struct moot_emulator_complaint){NULL, "The body is not valid JSON."};
    int rc = moot__json_read(arena, body, NULL, &root, NULL);
    if (rc)
        return rc;
    if (!moot__json_is_object(root))
        return moot__emulator_complain(complaint, NULL, "The body must be a JSON object.");
    return moot__emulator_surface(out->surface)->read(root, arena, out, complaint);
}
