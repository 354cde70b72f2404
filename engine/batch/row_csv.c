#include "row_csv.h"

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/utf8.h"

enum { COLUMNS_MAX = 1024 };

/* The raw field at the front of `*rest`, its quotes included, and its comma taken off. False when
 * there is none left, or (with *is_bad) when its quotes are not right. */
static bool next_field(struct moot_view *rest, struct moot_view *field, bool *is_bad)
{
    if (!rest->ptr)
        return false;
    size_t end = 0;
    if (rest->len > 0 && rest->ptr[0] == '"') {
        end = 1;
        while ((end = moot__view_find(*rest, '"', end)) + 1 < rest->len &&
               rest->ptr[end + 1] == '"')
            end += 2;
        if (end >= rest->len || (end + 1 < rest->len && rest->ptr[end + 1] != ',')) {
            *is_bad = true;
            return false;
        }
        end++;
    } else {
        end = moot__view_find(*rest, ',', 0);
    }
    *field = moot__view(rest->ptr, end);
    *rest = end < rest->len ? moot__view(rest->ptr + end + 1, rest->len - end - 1)
                            : moot__view(NULL, 0);
    return true;
}

/* The text of a raw field: without its quotes, doubled ones made single. */
static bool unquote(struct moot_arena *arena, struct moot_view field, struct moot_view *out)
{
    if (field.len < 2 || field.ptr[0] != '"')
        return moot__arena_copy(arena, field, out);
    char *text = moot__arena_alloc(arena, field.len);
    if (!text)
        return false;
    size_t len = 0;
    for (size_t i = 1; i + 1 < field.len; i++) {
        text[len++] = field.ptr[i];
        if (field.ptr[i] == '"')
            i++;
    }
    *out = moot__view(text, len);
    return true;
}

/* A field of the header, in the quotes or not, is one of the names. */
static bool names_column(struct moot_view field, const char *name)
{
    if (field.len >= 2 && field.ptr[0] == '"')
        field = moot__view(field.ptr + 1, field.len - 2);
    return moot__view_is(moot__view_trim(field), name);
}

bool moot__csv_is_header(struct moot_view line)
{
    static const char *const names[] = {"prompt", "question", "input", "messages"};
    struct moot_view field;
    bool is_bad = false;
    bool found = false;
    unsigned count = 0;
    while (next_field(&line, &field, &is_bad) && count++ < COLUMNS_MAX)
        for (size_t i = 0; i < moot__countof(names); i++)
            found = found || names_column(field, names[i]);
    return found && !is_bad && count <= COLUMNS_MAX;
}

/* The value of a field, under its column's name. */
static int make_member(struct moot_row *row, struct moot_view name, struct moot_view field,
                       struct moot_json **out)
{
    struct moot_json *member = moot__arena_calloc(&row->arena, 1, sizeof *member);
    struct moot_view key, text;
    if (!member || !unquote(&row->arena, name, &key) || !unquote(&row->arena, field, &text))
        return MOOT_ENOMEM;
    key = moot__view_trim(key);
    member->type = MOOT_JSON_STRING;
    member->text = text;
    if (moot__view_is(key, "messages")) {
        const struct moot_json *value = NULL;
        int rc = moot__json_read(&row->arena, text, NULL, &value, NULL);
        if (rc != MOOT_OK)
            return rc;
        *member = *value;
        member->next = NULL;
    }
    member->key = key;
    *out = member;
    return MOOT_OK;
}

int moot__csv_read(struct moot_row *row, struct moot_view header, struct moot_view record,
                   struct moot_error_info *info)
{
    if (!moot__utf8_valid(header) || !moot__utf8_valid(record))
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0, "the record is not UTF-8");
    struct moot_json *root = moot__arena_calloc(&row->arena, 1, sizeof *root);
    if (!root)
        return MOOT_ENOMEM;
    root->type = MOOT_JSON_OBJECT;
    struct moot_json **next = &root->child;
    struct moot_view name, field;
    bool is_bad = false;
    while (next_field(&header, &name, &is_bad)) {
        if (!next_field(&record, &field, &is_bad))
            return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                                 is_bad ? "quotes are not closed, or text follows them"
                                        : "the record has fewer fields than the header columns");
        int rc = make_member(row, name, field, next);
        if (rc == MOOT_ENOMEM)
            return rc;
        if (rc != MOOT_OK)
            return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                                 "the field of column messages is not JSON");
        next = &(*next)->next;
        root->count++;
    }
    if (record.ptr)
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                             "the record has more fields than the header columns");
    row->input = root;
    return MOOT_OK;
}
