#ifndef MOOT_AGENTS_TRANSCRIPT_H
#define MOOT_AGENTS_TRANSCRIPT_H

/* What was said in one conversation: the caller's turns, then one reply for each finished step of
 * the flow. It belongs to that conversation alone, so that nothing leaks between two of them.
 * Pure; any thread, one at a time. */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>
#include <stddef.h>

#include "engine/base/arena.h"
#include "engine/base/view.h"

struct moot_json;

/* One message as it is sent. Everything is borrowed; who makes one says from where. */
struct moot_turn {
    struct moot_view role;    /* "system", "user", "assistant", "tool", ... */
    struct moot_view content; /* text; not used if content_json is set */
    struct moot_view name;    /* optional: empty means none */

    /* The caller's own content where it is not text (a list of parts, or null beside tool calls);
     * sent as it is. NULL: `content` is sent. */
    const struct moot_json *content_json;
    bool content_absent; /* the caller's message had no content at all: none is sent */

    /* The caller's message object: its members other than role, content and name (tool_calls,
     * tool_call_id, ...) are sent as they are, after those three. NULL: none. */
    const struct moot_json *extra;
};

struct moot_turns {
    const struct moot_turn *items;
    size_t count;
};

struct moot_transcript {
    struct moot_arena *arena; /* borrowed: the conversation's */
    struct moot_turns caller;
    struct moot_view *replies; /* one for each finished step, in order */
    size_t reply_count, reply_capacity;
};

/* Begin with the caller's turns. Texts are copied into the arena; content_json and extra are
 * borrowed and must live as long as the transcript. MOOT_EINPUT (no turn at all, or one without a
 * role), MOOT_ELIMIT (more than MOOT_LIMIT_MESSAGES), MOOT_ENOMEM. */
MOOT_NODISCARD int moot__transcript_begin(struct moot_transcript *transcript,
                                          struct moot_arena *arena, struct moot_turns caller,
                                          struct moot_error_info *info);

/* Add the reply of the next step of the flow; the text is copied. MOOT_ELIMIT (more than
 * MOOT_LIMIT_FLOW_STEPS), MOOT_ENOMEM. */
MOOT_NODISCARD int moot__transcript_add(struct moot_transcript *transcript, struct moot_view text);

/* Read the `messages` array of a request in the OpenAI shape. The turns' array comes from the
 * arena; texts and JSON are borrowed from `messages`. content may be a string, a list, or null
 * beside other members. MOOT_EINPUT (not such an array; the message says which turn), MOOT_ELIMIT,
 * MOOT_ENOMEM. */
MOOT_NODISCARD int moot__turns_read(const struct moot_json *messages, struct moot_arena *arena,
                                    struct moot_turns *out, struct moot_error_info *info);

#endif
