#ifndef MOOT_AGENTS_REPLY_H
#define MOOT_AGENTS_REPLY_H

/* One agent's answer, whichever dialect it came in: whole, or growing while it is streamed.
 * Pure; belongs to one call. */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/view.h"
#include "usage.h"

/* Why the model stopped. */
#define MOOT_FINISH_MAP(X)                                                                         \
    X(NONE, "")                                                                                    \
    X(STOP, "stop")                                                                                \
    X(LENGTH, "length")                                                                            \
    X(TOOL_CALLS, "tool_calls")                                                                    \
    X(CONTENT_FILTER, "content_filter")                                                            \
    X(ERROR, "error")                                                                              \
    X(PAUSE, "pause")                                                                              \
    X(OTHER, "other")

enum moot_finish {
#define X(name, text) MOOT_FINISH_##name,
    MOOT_FINISH_MAP(X)
#undef X
};

struct moot_reply {
    struct moot_arena *arena;   /* borrowed: id and model live there */
    struct moot_arena *scratch; /* borrowed: JSON while it is being read; empty in between */
    struct moot_buf text;       /* UTF-8; may be empty in an answer */
    size_t settled; /* bytes of the text that no later piece changes: valid UTF-8; what is after
                       them may be half a character */
    struct moot_buf refusal;    /* the model's refusal, or empty */
    struct moot_buf tool_calls; /* a JSON array in the OpenAI shape, or empty */
    enum moot_finish finish;
    char finish_raw[32]; /* as the provider spelled it, cut if longer; "" if it never said */
    struct moot_view id, model;
    struct moot_tokens usage;
};

/* Buffers take memory from the arena's allocator. Any number of replies may share a scratch, as
 * none keeps anything there. */
void moot__reply_init(struct moot_reply *reply, struct moot_arena *arena,
                      struct moot_arena *scratch);
void moot__reply_deinit(struct moot_reply *reply); /* safe on a zeroed struct, and twice */
void moot__reply_reset(struct moot_reply *reply);  /* as after init, memory kept */

/* The finish reason of any provider: each known spelling is mapped, unknown ones are OTHER. */
enum moot_finish moot__finish_read(struct moot_view raw);
const char *moot__finish_name(enum moot_finish finish); /* the OpenAI word; "" for NONE */

/* The last reason given is kept. */
void moot__reply_set_finish(struct moot_reply *reply, struct moot_view raw);

/* Once everything is in, or nothing more comes: text and refusal become valid UTF-8, and what the
 * model did decides the reason where the server named it `stop` or nothing: a refusal is
 * CONTENT_FILTER, tool calls are TOOL_CALLS. finish_raw stays as it was. */
void moot__reply_settle(struct moot_reply *reply);

/* The first id and model given are kept; both are cut at 256 bytes. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__reply_set_id(struct moot_reply *reply, struct moot_view id);
MOOT_NODISCARD int moot__reply_set_model(struct moot_reply *reply, struct moot_view model);

#endif
