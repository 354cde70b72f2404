#include "transcript.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"
#include "engine/base/limits.h"

static int no_memory(struct moot_error_info *info)
{
    return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "no memory for the messages");
}

static int check_count(size_t count, struct moot_error_info *info)
{
    if (count == 0)
        return moot__fail(info, MOOT_EINPUT, MOOT_PHASE_PREPARE, "there is no message");
    if (count > MOOT_LIMIT_MESSAGES)
        return moot__fail(info, MOOT_ELIMIT, MOOT_PHASE_PREPARE, "%zu messages are more than %d",
                          count, MOOT_LIMIT_MESSAGES);
    return MOOT_OK;
}

static bool copy_turn(struct moot_arena *arena, const struct moot_turn *turn,
                      struct moot_turn *copy)
{
    *copy = *turn;
    return moot__arena_copy(arena, turn->role, &copy->role) &&
           moot__arena_copy(arena, turn->content, &copy->content) &&
           moot__arena_copy(arena, turn->name, &copy->name);
}

int moot__transcript_begin(struct moot_transcript *transcript, struct moot_arena *arena,
                           struct moot_turns caller, struct moot_error_info *info)
{
    *transcript = (struct moot_transcript){.arena = arena};
    int rc = check_count(caller.count, info);
    if (rc != MOOT_OK)
        return rc;
    struct moot_turn *turns = moot__arena_calloc(arena, caller.count, sizeof(*turns));
    if (!turns)
        return no_memory(info);
    for (size_t i = 0; i < caller.count; i++) {
        if (caller.items[i].role.len == 0)
            return moot__fail(info, MOOT_EINPUT, MOOT_PHASE_PREPARE, "message %zu has no role",
                              i + 1);
        if (!copy_turn(arena, &caller.items[i], &turns[i]))
            return no_memory(info);
    }
    transcript->caller = (struct moot_turns){turns, caller.count};
    return MOOT_OK;
}

/* Old arrays stay in the arena: they are small, and flows are short. */
static int grow(struct moot_transcript *transcript)
{
    size_t capacity = transcript->reply_capacity ? 2 * transcript->reply_capacity : 4;
    struct moot_view *replies = moot__arena_calloc(transcript->arena, capacity, sizeof(*replies));
    if (!replies)
        return MOOT_ENOMEM;
    if (transcript->reply_count > 0)
        memcpy(replies, transcript->replies, transcript->reply_count * sizeof(*replies));
    transcript->replies = replies;
    transcript->reply_capacity = capacity;
    return MOOT_OK;
}

int moot__transcript_add(struct moot_transcript *transcript, struct moot_view text)
{
    assert(transcript->reply_count <= transcript->reply_capacity);
    if (transcript->reply_count >= MOOT_LIMIT_FLOW_STEPS)
        return MOOT_ELIMIT;
    if (transcript->reply_count == transcript->reply_capacity) {
        int rc = grow(transcript);
        if (rc != MOOT_OK)
            return rc;
    }
    struct moot_view *reply = &transcript->replies[transcript->reply_count];
    if (!moot__arena_copy(transcript->arena, text, reply))
        return MOOT_ENOMEM;
    transcript->reply_count++;
    return MOOT_OK;
}

static bool is_plain_key(struct moot_view key)
{
    return moot__view_is(key, "role") || moot__view_is(key, "content") ||
           moot__view_is(key, "name");
}

static int read_turn(const struct moot_json *message, size_t number, struct moot_turn *turn,
                     struct moot_error_info *info)
{
    turn->role = moot__json_text(message, "role");
    if (turn->role.len == 0)
        return moot__fail(info, MOOT_EINPUT, MOOT_PHASE_PREPARE,
                          "message %zu: role must be a string", number);
    turn->name = moot__json_text(message, "name");
    for (const struct moot_json *member = message->child; member; member = member->next) {
        if (!is_plain_key(member->key))
            turn->extra = message;
    }
    const struct moot_json *content = moot__json_get(message, "content");
    if (moot__json_is_string(content)) {
        turn->content = content->text;
        return MOOT_OK;
    }
    bool is_absent = !content || moot__json_is_null(content);
    if (!moot__json_is_array(content) && !(is_absent && turn->extra))
        return moot__fail(info, MOOT_EINPUT, MOOT_PHASE_PREPARE,
                          "message %zu: content must be a string or a list of parts", number);
    turn->content_json = content;
    turn->content_absent = !content;
    return MOOT_OK;
}

int moot__turns_read(const struct moot_json *messages, struct moot_arena *arena,
                     struct moot_turns *out, struct moot_error_info *info)
{
    if (!moot__json_is_array(messages))
        return moot__fail(info, MOOT_EINPUT, MOOT_PHASE_PREPARE, "messages must be a list");
    int rc = check_count(messages->count, info);
    if (rc != MOOT_OK)
        return rc;
    struct moot_turn *turns = moot__arena_calloc(arena, messages->count, sizeof(*turns));
    if (!turns)
        return no_memory(info);
    size_t count = 0;
    for (const struct moot_json *message = messages->child; message; message = message->next) {
        rc = read_turn(message, count + 1, &turns[count], info);
        if (rc != MOOT_OK)
            return rc;
        count++;
    }
    *out = (struct moot_turns){turns, count};
    return MOOT_OK;
}
