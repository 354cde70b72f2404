/* Taking an OpenAI-shaped request apart. The turns are here; tools and schemas in chat_tools.c. */
#include "chat.h"

#include <stdio.h>

#include "chat_internal.h"
#include "document.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"

int moot__chat_refuse(struct moot_error_info *info, const char *who, struct moot_view what,
                      const char *why)
{
    return moot__fail(info, MOOT_EINPUT, MOOT_PHASE_PREPARE, "%.*s cannot be told to %s: %s",
                      (int)(what.len < 64 ? what.len : 64), what.ptr, who, why);
}

int moot__chat_no_memory(struct moot_error_info *info)
{
    return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "out of memory");
}

/* ---- Blocks --------------------------------------------------------------------------------- */

/* The place of what is read, and where it goes. */
struct reader {
    const char *who;
    struct moot_arena *arena;
    struct moot_error_info *info;
    struct moot_block **system; /* where the next one goes */
    struct moot_chat_turn **next_turn, *turn;
    struct moot_block **next_block;
    size_t number; /* of the message, from 1 */
};

static int refuse(const struct reader *r, const char *what, const char *why)
{
    char place[96];
    snprintf(place, sizeof place, "message %zu: %.60s", r->number, what);
    return moot__chat_refuse(r->info, r->who, moot__view_str(place), why);
}

static struct moot_block *new_block(const struct reader *r, enum moot_block_type type)
{
    struct moot_block *block = moot__arena_calloc(r->arena, 1, sizeof *block);
    if (block)
        block->type = type;
    return block;
}

static bool is_blank(struct moot_view text)
{
    return moot__view_trim(text).len == 0;
}

/* Append a block to the side's turn, which is begun if the other side spoke last. */
static int say(struct reader *r, bool is_assistant, struct moot_block *block)
{
    if (!block)
        return moot__chat_no_memory(r->info);
    if (!r->turn || r->turn->is_assistant != is_assistant) {
        struct moot_chat_turn *turn = moot__arena_calloc(r->arena, 1, sizeof *turn);
        if (!turn)
            return moot__chat_no_memory(r->info);
        turn->is_assistant = is_assistant;
        *r->next_turn = r->turn = turn;
        r->next_turn = &turn->next;
        r->next_block = &turn->blocks;
    }
    *r->next_block = block;
    r->next_block = &block->next;
    return MOOT_OK;
}

/* Blank texts say nothing, and providers refuse them. */
static int say_text(struct reader *r, bool is_assistant, struct moot_view text)
{
    if (is_blank(text))
        return MOOT_OK;
    struct moot_block *block = new_block(r, MOOT_BLOCK_TEXT);
    if (block)
        block->text = text;
    return say(r, is_assistant, block);
}

/* `data:MEDIA/TYPE;base64,DATA`, or a URL that the provider fetches. */
static int say_image(struct reader *r, bool is_assistant, const struct moot_json *part)
{
    const struct moot_json *image = moot__json_get(part, "image_url");
    struct moot_view url =
        moot__json_is_string(image) ? image->text : moot__json_text(image, "url");
    struct moot_block *block = new_block(r, MOOT_BLOCK_IMAGE);
    if (!block)
        return moot__chat_no_memory(r->info);
    static const struct moot_view scheme = {"data:", 5}, coding = {";base64", 7};
    block->data = url;
    if (moot__view_starts(url, scheme)) {
        size_t comma = moot__view_find(url, ',', 0);
        struct moot_view head = moot__view(url.ptr + scheme.len, comma - scheme.len);
        if (comma == url.len || !moot__view_ends(head, coding))
            return refuse(r, "an image_url", "a data: URL must be ;base64,");
        block->media_type = moot__view(head.ptr, head.len - coding.len);
        block->data = moot__view(url.ptr + comma + 1, url.len - comma - 1);
    }
    if (block->data.len == 0)
        return refuse(r, "an image_url", "it has no url");
    return say(r, is_assistant, block);
}

static int say_part(struct reader *r, bool is_assistant, const struct moot_json *part)
{
    if (moot__json_is_string(part))
        return say_text(r, is_assistant, part->text);
    struct moot_view type = moot__json_text(part, "type");
    bool has_more = part->count > 2; /* cache_control and the like: the provider's own words */
    if (!has_more && (moot__view_is(type, "text") || moot__view_is(type, "input_text") ||
                      moot__view_is(type, "output_text")))
        return say_text(r, is_assistant, moot__json_text(part, "text"));
    if (moot__view_is(type, "refusal"))
        return say_text(r, is_assistant, moot__json_text(part, "refusal"));
    if (moot__view_is(type, "image_url"))
        return say_image(r, is_assistant, part);
    struct moot_block *block = new_block(r, MOOT_BLOCK_RAW);
    if (block) {
        block->json = part;
        block->name = type;
    }
    return say(r, is_assistant, block);
}

static int say_content(struct reader *r, bool is_assistant, const struct moot_turn *turn)
{
    const struct moot_json *content = turn->content_json;
    if (!content)
        return turn->content_absent ? MOOT_OK : say_text(r, is_assistant, turn->content);
    if (!moot__json_is_array(content))
        return moot__json_is_null(content) ? MOOT_OK
                                           : refuse(r, "its content", "it is no text and no list");
    int rc = MOOT_OK;
    for (const struct moot_json *part = content->child; part && rc == MOOT_OK; part = part->next)
        rc = say_part(r, is_assistant, part);
    return rc;
}

/* ---- Tools, used ---------------------------------------------------------------------------- */

/* Arguments are text in this shape and an object in the others. What a model wrote as text may not
 * be an object; then the text is kept as the member `arguments` of one. */
static int read_arguments(struct reader *r, struct moot_view text, const struct moot_json **out)
{
    if (is_blank(text))
        text = MOOT_VIEW("{}");
    int rc = moot__document_read(r->arena, text, out, NULL);
    if (rc == MOOT_OK && moot__json_is_object(*out))
        return MOOT_OK;
    if (rc == MOOT_ENOMEM)
        return moot__chat_no_memory(r->info);
    struct moot_json *object = moot__arena_calloc(r->arena, 2, sizeof *object);
    if (!object)
        return moot__chat_no_memory(r->info);
    object[0] = (struct moot_json){.type = MOOT_JSON_OBJECT, .count = 1, .child = &object[1]};
    object[1] =
        (struct moot_json){.type = MOOT_JSON_STRING, .key = MOOT_VIEW("arguments"), .text = text};
    *out = object;
    return MOOT_OK;
}

static int say_call(struct reader *r, const struct moot_json *call)
{
    const struct moot_json *function = moot__json_get(call, "function");
    const struct moot_json *arguments = moot__json_get(function, "arguments");
    if (!function)
        return refuse(r, "a tool call", "it is of no function");
    struct moot_block *block = new_block(r, MOOT_BLOCK_TOOL_USE);
    if (!block)
        return moot__chat_no_memory(r->info);
    block->id = moot__json_text(call, "id");
    block->name = moot__json_text(function, "name");
    block->json = arguments;
    if (!moot__json_is_object(arguments)) {
        struct moot_view text = {NULL, 0};
        moot__json_string(arguments, &text);
        int rc = read_arguments(r, text, &block->json);
        if (rc)
            return rc;
    }
    return say(r, true, block);
}

static int say_calls(struct reader *r, const struct moot_json *message)
{
    const struct moot_json *calls = moot__json_get(message, "tool_calls");
    int rc = MOOT_OK;
    for (const struct moot_json *call = moot__json_is_array(calls) ? calls->child : NULL;
         call && rc == MOOT_OK; call = call->next)
        rc = say_call(r, call);
    return rc;
}

/* A result's parts, as one text. */
static int result_text(struct reader *r, const struct moot_turn *turn, struct moot_view *text)
{
    const struct moot_json *content = turn->content_json;
    *text = turn->content;
    if (!moot__json_is_array(content))
        return MOOT_OK;
    size_t len = 0;
    for (const struct moot_json *part = content->child; part; part = part->next) {
        if (!moot__view_is(moot__json_text(part, "type"), "text"))
            return refuse(r, "a tool's result", "only texts can be");
        len += moot__json_text(part, "text").len;
    }
    char *joined = moot__arena_alloc(r->arena, len + 1);
    if (!joined)
        return moot__chat_no_memory(r->info);
    size_t at = 0;
    for (const struct moot_json *part = content->child; part; part = part->next) {
        struct moot_view piece = moot__json_text(part, "text");
        if (piece.len)
            memcpy(joined + at, piece.ptr, piece.len);
        at += piece.len;
    }
    *text = moot__view(joined, len);
    return MOOT_OK;
}

static int say_result(struct reader *r, const struct moot_turn *turn)
{
    struct moot_block *block = new_block(r, MOOT_BLOCK_TOOL_RESULT);
    if (!block)
        return moot__chat_no_memory(r->info);
    block->id = moot__json_text(turn->extra, "tool_call_id");
    if (block->id.len == 0)
        return refuse(r, "a tool's result", "it has no tool_call_id");
    int rc = result_text(r, turn, &block->text);
    return rc ? rc : say(r, false, block);
}

/* ---- Turns ---------------------------------------------------------------------------------- */

static int say_system(struct reader *r, const struct moot_turn *turn)
{
    struct reader apart = *r; /* as if it were a turn of its own */
    struct moot_chat_turn *own = NULL;
    apart.turn = NULL;
    apart.next_turn = &own;
    int rc = say_content(&apart, false, turn);
    for (struct moot_block *block = own ? own->blocks : NULL; block && rc == MOOT_OK;
         block = block->next) {
        if (block->type != MOOT_BLOCK_TEXT && block->type != MOOT_BLOCK_RAW)
            return refuse(r, "a system message", "it must be text");
        *r->system = block;
        r->system = &block->next;
    }
    return rc;
}

static bool is_empty(const struct moot_json *value)
{
    bool is_container = moot__json_is_array(value) || moot__json_is_object(value);
    return moot__json_is_null(value) || (is_container && value->count == 0);
}

/* Members of the message that no other shape has a place for. */
static int check_members(const struct reader *r, const struct moot_turn *turn)
{
    static const char *const known[] = {"role", "content", "tool_calls", "tool_call_id", "refusal"};
    if (turn->name.len)
        return refuse(r, "a name", "its messages have none");
    const struct moot_json *member = turn->extra ? turn->extra->child : NULL;
    for (; member; member = member->next) {
        bool is_known = is_empty(member);
        for (size_t i = 0; i < moot__countof(known) && !is_known; i++)
            is_known = moot__view_is(member->key, known[i]);
        if (!is_known) {
            char what[48];
            moot__view_copy(member->key, what, sizeof what);
            return refuse(r, what, "its messages have no such member");
        }
    }
    return MOOT_OK;
}

static int take_turn(struct reader *r, const struct moot_turn *turn)
{
    int rc = check_members(r, turn);
    if (rc)
        return rc;
    if (moot__view_is(turn->role, "system") || moot__view_is(turn->role, "developer"))
        return say_system(r, turn);
    if (moot__view_is(turn->role, "user"))
        return say_content(r, false, turn);
    if (moot__view_is(turn->role, "tool"))
        return say_result(r, turn);
    if (moot__view_is(turn->role, "assistant")) {
        rc = say_content(r, true, turn);
        return rc ? rc : say_calls(r, turn->extra);
    }
    char role[32];
    moot__view_copy(turn->role, role, sizeof role);
    return refuse(r, role, "it has no such role");
}

int moot__chat_understand(const struct moot_request *request, const char *who,
                          struct moot_arena *arena, struct moot_chat *chat,
                          struct moot_error_info *info)
{
    *chat = (struct moot_chat){0};
    struct reader r = {.who = who, .arena = arena, .info = info, .system = &chat->system};
    r.next_turn = &chat->turns;
    for (size_t i = 0; i < request->turns.count; i++) {
        r.number = i + 1;
        int rc = take_turn(&r, &request->turns.items[i]);
        if (rc)
            return rc;
    }
    if (!chat->turns)
        return moot__chat_refuse(info, who, MOOT_VIEW("a conversation"),
                                 "it has no message that says something");
    if (moot__params_merge(request->agent->params, request->overriding, arena, &chat->params))
        return moot__chat_no_memory(info);
    return moot__chat_take_tools(chat, who, arena, info);
}
