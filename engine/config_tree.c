/* From JSON to the tree, and from the tree to JSON. Values come in the order of the text, so one
 * cursor that only moves forward finds every line and column. */
#include "config_tree.h"

#include "engine/base/check.h"
#include "engine/base/err.h"

const char *moot__tree_type_name(enum moot_json_type type)
{
    static const char *const names[] = {
        [MOOT_JSON_NULL] = "nothing",    [MOOT_JSON_BOOL] = "true or false",
        [MOOT_JSON_NUMBER] = "a number", [MOOT_JSON_STRING] = "a text",
        [MOOT_JSON_ARRAY] = "a list",    [MOOT_JSON_OBJECT] = "a map",
    };
    return (size_t)type < moot__countof(names) ? names[type] : "something else";
}

const struct moot_tree *moot__tree_get(const struct moot_tree *map, const char *key)
{
    if (!map || map->type != MOOT_JSON_OBJECT)
        return NULL;
    for (const struct moot_tree *member = map->child; member; member = member->next) {
        if (moot__view_is(member->key, key))
            return member;
    }
    return NULL;
}

struct cursor {
    struct moot_view text;
    size_t at;
    unsigned line, column;
};

static void advance(struct cursor *cursor, size_t to)
{
    assert(to <= cursor->text.len);
    for (; cursor->at < to; cursor->at++) {
        if (cursor->text.ptr[cursor->at] == '\n') {
            cursor->line++;
            cursor->column = 1;
        } else if (((unsigned char)cursor->text.ptr[cursor->at] & 0xc0) != 0x80) {
            cursor->column++; /* characters, not bytes */
        }
    }
}

/* Back from a member's value over the colon to the quote that opens its key. */
static size_t key_offset(struct moot_view text, size_t value)
{
    size_t i = value;
    while (i > 0 && text.ptr[i - 1] != '"')
        i--;
    for (i = i > 0 ? i - 1 : 0; i > 0; i--) {
        size_t slashes = 0;
        if (text.ptr[i - 1] != '"')
            continue;
        while (slashes + 1 < i && text.ptr[i - 2 - slashes] == '\\')
            slashes++;
        if (slashes % 2 == 0)
            return i - 1;
    }
    return i;
}

static struct moot_tree *from_json(struct cursor *cursor, const struct moot_json *json,
                                   struct moot_arena *arena)
{
    struct moot_tree *tree = moot__arena_calloc(arena, 1, sizeof *tree);
    if (!tree)
        return NULL;
    tree->type = json->type;
    tree->truth = json->truth;
    tree->key = json->key;
    if (json->key.ptr) {
        advance(cursor, key_offset(cursor->text, json->offset));
        tree->key_line = cursor->line;
        tree->key_column = cursor->column;
    }
    advance(cursor, json->offset);
    tree->line = cursor->line;
    tree->column = cursor->column;
    if (json->type == MOOT_JSON_STRING || json->type == MOOT_JSON_NUMBER)
        tree->text = json->text;
    if (json->type != MOOT_JSON_ARRAY && json->type != MOOT_JSON_OBJECT)
        return tree;
    struct moot_tree **last = &tree->child;
    for (const struct moot_json *child = json->child; child; child = child->next) {
        *last = from_json(cursor, child, arena);
        if (!*last)
            return NULL;
        last = &(*last)->next;
        tree->count++;
    }
    return tree;
}

int moot__tree_read_json(struct moot_arena *arena, struct moot_view text, const char *file,
                         const struct moot_tree **out, struct moot_error_info *info)
{
    const struct moot_json_read_options options = {.reject_duplicate_keys = true};
    const struct moot_json *json;
    struct moot_json_error error;
    *out = NULL;
    int rc = moot__json_read(arena, text, &options, &json, &error);
    if (rc == MOOT_ENOMEM)
        return moot__fail(info, rc, MOOT_PHASE_PREPARE, "out of memory");
    if (rc)
        return moot__fail_at(info, MOOT_ECONFIG, error.line, error.column, "%s:%u:%u: JSON: %s",
                             file, error.line, error.column, error.reason);
    struct cursor cursor = {text, 0, 1, 1};
    *out = from_json(&cursor, json, arena);
    return *out ? MOOT_OK : moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "out of memory");
}

struct moot_json *moot__tree_to_json(const struct moot_tree *tree, struct moot_arena *arena)
{
    struct moot_json *json = moot__arena_calloc(arena, 1, sizeof *json);
    if (!json)
        return NULL;
    json->type = tree->type;
    json->truth = tree->truth;
    json->count = (uint32_t)tree->count;
    if (tree->key.ptr && !moot__arena_copy(arena, tree->key, &json->key))
        return NULL;
    if (tree->type == MOOT_JSON_STRING || tree->type == MOOT_JSON_NUMBER)
        return moot__arena_copy(arena, tree->text, &json->text) ? json : NULL;
    struct moot_json **last = &json->child;
    for (const struct moot_tree *child = tree->child; child; child = child->next) {
        *last = moot__tree_to_json(child, arena);
        if (!*last)
            return NULL;
        last = &(*last)->next;
    }
    return json;
}
