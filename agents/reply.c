/* An answer in the form that every dialect is mapped to. The text grows in a buffer with a ceiling;
 * the few names that an answer carries go to the conversation's arena, once. */
#include "reply.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

#define NAME_BYTES_MAX 256

void moot__reply_init(struct moot_reply *reply, struct moot_arena *arena,
                      struct moot_arena *scratch)
{
    assert(arena && scratch && arena != scratch);
    *reply = (struct moot_reply){.arena = arena, .scratch = scratch};
    moot__buf_init(&reply->text, arena->allocator, MOOT_LIMIT_REPLY_BYTES);
    moot__buf_init(&reply->refusal, arena->allocator, MOOT_LIMIT_REPLY_BYTES);
    moot__buf_init(&reply->tool_calls, arena->allocator, MOOT_LIMIT_REPLY_BYTES);
}

void moot__reply_deinit(struct moot_reply *reply)
{
    moot__buf_deinit(&reply->text);
    moot__buf_deinit(&reply->refusal);
    moot__buf_deinit(&reply->tool_calls);
}

void moot__reply_reset(struct moot_reply *reply)
{
    moot__buf_reset(&reply->text);
    moot__buf_reset(&reply->refusal);
    moot__buf_reset(&reply->tool_calls);
    reply->settled = 0;
    reply->finish = MOOT_FINISH_NONE;
    reply->finish_raw[0] = '\0';
    reply->id = reply->model = (struct moot_view){NULL, 0};
    reply->usage = (struct moot_tokens){0};
}

/* Every provider's words, and the few that compatible servers add. */
static const struct {
    const char *raw;
    enum moot_finish finish;
} finish_words[] = {
    {"stop", MOOT_FINISH_STOP},
    {"end_turn", MOOT_FINISH_STOP},
    {"stop_sequence", MOOT_FINISH_STOP},
    {"eos", MOOT_FINISH_STOP},
    {"length", MOOT_FINISH_LENGTH},
    {"max_tokens", MOOT_FINISH_LENGTH},
    {"model_length", MOOT_FINISH_LENGTH},
    {"model_context_window_exceeded", MOOT_FINISH_LENGTH},
    {"tool_calls", MOOT_FINISH_TOOL_CALLS},
    {"function_call", MOOT_FINISH_TOOL_CALLS},
    {"tool_use", MOOT_FINISH_TOOL_CALLS},
    {"content_filter", MOOT_FINISH_CONTENT_FILTER},
    {"content_filtered", MOOT_FINISH_CONTENT_FILTER},
    {"guardrail_intervened", MOOT_FINISH_CONTENT_FILTER},
    {"refusal", MOOT_FINISH_CONTENT_FILTER},
    {"pause_turn", MOOT_FINISH_PAUSE},
    {"error", MOOT_FINISH_ERROR},
    {"abort", MOOT_FINISH_ERROR},
    {"malformed_model_output", MOOT_FINISH_ERROR},
    {"malformed_tool_use", MOOT_FINISH_ERROR},
};

enum moot_finish moot__finish_read(struct moot_view raw)
{
    if (raw.len == 0)
        return MOOT_FINISH_NONE;
    for (size_t i = 0; i < moot__countof(finish_words); i++) {
        if (moot__view_is(raw, finish_words[i].raw))
            return finish_words[i].finish;
    }
    return MOOT_FINISH_OTHER;
}

const char *moot__finish_name(enum moot_finish finish)
{
    static const char *const names[] = {
#define X(name, text) [MOOT_FINISH_##name] = (text),
        MOOT_FINISH_MAP(X)
#undef X
    };
    assert((size_t)finish < moot__countof(names));
    return names[finish];
}

void moot__reply_set_finish(struct moot_reply *reply, struct moot_view raw)
{
    reply->finish = moot__finish_read(raw);
    moot__view_copy(raw, reply->finish_raw, sizeof(reply->finish_raw));
}

void moot__reply_settle(struct moot_reply *reply)
{
    reply->settled = moot__utf8_settle(&reply->text, reply->settled, true);
    moot__utf8_repair(&reply->refusal);
    if (reply->finish != MOOT_FINISH_STOP && reply->finish != MOOT_FINISH_NONE)
        return;
    if (reply->refusal.len > 0)
        reply->finish = MOOT_FINISH_CONTENT_FILTER;
    else if (reply->tool_calls.len > 0)
        reply->finish = MOOT_FINISH_TOOL_CALLS;
}

static int keep_first(struct moot_reply *reply, struct moot_view *kept, struct moot_view name)
{
    if (kept->len > 0 || name.len == 0)
        return MOOT_OK;
    char cut[NAME_BYTES_MAX + 1];
    moot__view_copy(name, cut, sizeof(cut));
    return moot__arena_copy(reply->arena, moot__view_str(cut), kept) ? MOOT_OK : MOOT_ENOMEM;
}

int moot__reply_set_id(struct moot_reply *reply, struct moot_view id)
{
    return keep_first(reply, &reply->id, id);
}

int moot__reply_set_model(struct moot_reply *reply, struct moot_view model)
{
    return keep_first(reply, &reply->model, model);
}
