#include "tool_calls.h"

#include <stdbool.h>

#include "engine/base/check.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

#define NAME_BYTES_MAX 512

struct moot_tool_call {
    uint64_t index; /* the server's, or the place in the delta */
    char *id, *name;
    struct moot_buf arguments;
    bool custom;       /* a `custom` tool with free text, not a `function` */
    bool empty_object; /* the arguments began with a piece that was just {} */
};

void moot__tool_calls_init(struct moot_tool_calls *calls, const struct moot_allocator *allocator)
{
    *calls = (struct moot_tool_calls){.allocator = allocator};
}

void moot__tool_calls_deinit(struct moot_tool_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++) {
        moot__free(calls->allocator, calls->items[i].id);
        moot__free(calls->allocator, calls->items[i].name);
        moot__buf_deinit(&calls->items[i].arguments);
    }
    moot__free(calls->allocator, calls->items);
    *calls = (struct moot_tool_calls){.allocator = calls->allocator};
}

static int add(struct moot_tool_calls *calls, uint64_t index, struct moot_tool_call **out)
{
    if (calls->count >= MOOT_LIMIT_TOOL_CALLS)
        return MOOT_ELIMIT;
    if (calls->count == calls->capacity) {
        size_t capacity = calls->capacity ? 2 * calls->capacity : 4;
        void *items =
            moot__realloc(calls->allocator, calls->items, capacity * sizeof(*calls->items));
        if (!items)
            return MOOT_ENOMEM;
        calls->items = items;
        calls->capacity = capacity;
    }
    struct moot_tool_call *call = &calls->items[calls->count++];
    *call = (struct moot_tool_call){.index = index};
    moot__buf_init(&call->arguments, calls->allocator, MOOT_LIMIT_REPLY_BYTES);
    *out = call;
    return MOOT_OK;
}

/* A piece belongs to the latest call of its index; but another id is another call, since some
 * servers number every call 0. */
static int find_or_add(struct moot_tool_calls *calls, uint64_t index, struct moot_view id,
                       struct moot_tool_call **out)
{
    for (size_t i = calls->count; i > 0; i--) {
        struct moot_tool_call *call = &calls->items[i - 1];
        if (call->index != index)
            continue;
        if (id.len > 0 && call->id && !moot__view_is(id, call->id))
            break;
        *out = call;
        return MOOT_OK;
    }
    return add(calls, index, out);
}

static int keep_first(const struct moot_tool_calls *calls, char **kept, struct moot_view text)
{
    if (*kept || text.len == 0)
        return MOOT_OK;
    if (text.len > NAME_BYTES_MAX)
        return MOOT_ELIMIT;
    *kept = moot__strdup(calls->allocator, text);
    return *kept ? MOOT_OK : MOOT_ENOMEM;
}

static int count_bytes(struct moot_tool_calls *calls, const struct moot_tool_call *call,
                       size_t before)
{
    assert(call->arguments.len >= before); /* joining two halves of 3 bytes makes one of 4 */
    calls->bytes += call->arguments.len - before;
    return calls->bytes > MOOT_LIMIT_REPLY_BYTES ? MOOT_ELIMIT : MOOT_OK;
}

/* Some servers begin with {} and then send the real ones; those braces stand only if nothing
 * follows. */
static int take_text(struct moot_tool_calls *calls, struct moot_tool_call *call,
                     struct moot_view text)
{
    size_t before = call->arguments.len;
    if (before == 0 && moot__view_is(text, "{}")) {
        call->empty_object = true;
        return MOOT_OK;
    }
    int rc = moot__utf8_append_joining(&call->arguments, text);
    return rc ? rc : count_bytes(calls, call, before);
}

/* Arguments come as text, or whole as the object that they are. */
static int take_arguments(struct moot_tool_calls *calls, struct moot_tool_call *call,
                          const struct moot_json *arguments)
{
    if (!arguments || moot__json_is_null(arguments))
        return MOOT_OK;
    if (moot__json_is_string(arguments))
        return take_text(calls, call, arguments->text);
    size_t before = call->arguments.len;
    struct moot_json_writer writer;
    moot__json_write_init(&writer, &call->arguments);
    moot__json_write_value(&writer, arguments);
    int rc = moot__json_write_finish(&writer);
    return rc ? rc : count_bytes(calls, call, before);
}

static int take_piece(struct moot_tool_calls *calls, const struct moot_json *piece,
                      uint64_t position)
{
    uint64_t index = position;
    moot__ignore(moot__json_u64(moot__json_get(piece, "index"), &index));
    struct moot_view id = moot__json_text(piece, "id");
    struct moot_tool_call *call = NULL;
    int rc = find_or_add(calls, index, id, &call);
    if (rc != MOOT_OK)
        return rc;

    const struct moot_json *custom = moot__json_get(piece, "custom");
    const struct moot_json *function = custom ? custom : moot__json_get(piece, "function");
    if (custom)
        call->custom = true;
    rc = keep_first(calls, &call->id, id);
    if (rc == MOOT_OK)
        rc = keep_first(calls, &call->name, moot__json_text(function, "name"));
    if (rc == MOOT_OK)
        rc = take_arguments(calls, call, moot__json_get(function, custom ? "input" : "arguments"));
    return rc;
}

int moot__tool_calls_take(struct moot_tool_calls *calls, const struct moot_json *pieces)
{
    if (!moot__json_is_array(pieces))
        return MOOT_OK;
    uint64_t position = 0;
    for (const struct moot_json *piece = pieces->child; piece; piece = piece->next, position++) {
        int rc = moot__json_is_object(piece) ? take_piece(calls, piece, position) : MOOT_OK;
        if (rc != MOOT_OK)
            return rc;
    }
    return MOOT_OK;
}

int moot__tool_calls_add(struct moot_tool_calls *calls, const struct moot_tool_piece *piece)
{
    struct moot_tool_call *call = NULL;
    int rc = find_or_add(calls, piece->index, piece->id, &call);
    if (rc == MOOT_OK)
        rc = keep_first(calls, &call->id, piece->id);
    if (rc == MOOT_OK)
        rc = keep_first(calls, &call->name, piece->name);
    return rc ? rc : take_text(calls, call, piece->arguments);
}

static void write_call(const struct moot_tool_call *call, struct moot_json_writer *writer)
{
    struct moot_view arguments = moot__buf_view(&call->arguments);
    if (arguments.len == 0 && call->empty_object)
        arguments = MOOT_VIEW("{}");
    const char *kind = call->custom ? "custom" : "function";
    moot__json_write_object_begin(writer);
    moot__json_write_member_str(writer, "id", call->id ? call->id : "");
    moot__json_write_member_str(writer, "type", kind);
    moot__json_write_member_object_begin(writer, kind);
    moot__json_write_member_str(writer, "name", call->name ? call->name : "");
    moot__json_write_member_string(writer, call->custom ? "input" : "arguments", arguments);
    moot__json_write_object_end(writer);
    moot__json_write_object_end(writer);
}

int moot__tool_calls_write(const struct moot_tool_calls *calls, struct moot_buf *out)
{
    if (calls->count == 0)
        return MOOT_OK;
    struct moot_json_writer writer;
    moot__json_write_init(&writer, out);
    moot__json_write_array_begin(&writer);
    for (size_t i = 0; i < calls->count; i++)
        write_call(&calls->items[i], &writer);
    moot__json_write_array_end(&writer);
    return moot__json_write_finish(&writer);
}
