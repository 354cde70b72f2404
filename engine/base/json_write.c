#include "json_write.h"

#include <string.h>

#include "check.h"
#include "json_text.h"

/* The state between two calls is small: whether the innermost container is an object (a bit a
 * level), whether a comma is due, and whether a key waits for its value. After anything complete a
 * comma is due, after an opening bracket or a key it is not; so commas need no stack. */

void moot__json_write_init(struct moot_json_writer *w, struct moot_buf *buf)
{
    *w = (struct moot_json_writer){.buf = buf, .start = buf->len};
}

int moot__json_write_finish(struct moot_json_writer *w)
{
    if (!w->error && !w->complete)
        w->error = MOOT_EINVAL;
    if (w->error)
        moot__buf_truncate(w->buf, w->start);
    return w->error;
}

/* A call out of order. */
static void misuse(struct moot_json_writer *w)
{
    assert(0 && "JSON calls out of order");
    w->error = MOOT_EINVAL;
}

/* Where the document ends, with room for `extra` bytes; NULL once anything has failed. What is
 * written there counts from `wrote` on. */
static char *room(struct moot_json_writer *w, size_t extra)
{
    struct moot_buf *buf = w->buf;
    if (!w->error && buf->cap - buf->len < extra)
        w->error = moot__buf_reserve(buf, extra);
    return w->error ? NULL : buf->data + buf->len;
}

static void wrote(struct moot_json_writer *w, const char *end)
{
    w->buf->len = (size_t)(end - w->buf->data);
    assert(w->buf->len <= w->buf->cap);
}

static bool in_object(const struct moot_json_writer *w)
{
    unsigned level = w->depth - 1;
    return w->depth > 0 && (w->objects[level / 8] >> level % 8 & 1);
}

/* Where a value of at most `extra` bytes goes, behind its comma. NULL: it may not be written. */
static char *value_begins(struct moot_json_writer *w, size_t extra)
{
    if (w->error)
        return NULL;
    if (w->complete || in_object(w) != w->has_key) {
        misuse(w);
        return NULL;
    }
    char *to = room(w, extra + w->comma);
    if (to && w->comma)
        *to++ = ',';
    return to;
}

static void value_ends(struct moot_json_writer *w, const char *end)
{
    wrote(w, end);
    w->has_key = false;
    w->comma = true;
    w->complete = w->depth == 0;
}

static void scalar(struct moot_json_writer *w, const char *text, size_t len)
{
    char *to = value_begins(w, len);
    if (!to)
        return;
    memcpy(to, text, len);
    value_ends(w, to + len);
}

/* Containers. */

static void begin(struct moot_json_writer *w, bool object)
{
    char *to = value_begins(w, 1);
    if (!to)
        return;
    if (w->depth == MOOT_JSON_WRITE_DEPTH) {
        misuse(w);
        return;
    }
    unsigned level = w->depth++, bit = 1u << level % 8;
    if (object)
        w->objects[level / 8] |= (unsigned char)bit;
    else
        w->objects[level / 8] &= (unsigned char)~bit;
    *to++ = object ? '{' : '[';
    wrote(w, to);
    w->has_key = w->comma = false;
}

static void end(struct moot_json_writer *w, bool object)
{
    if (w->error)
        return;
    if (w->depth == 0 || in_object(w) != object || w->has_key) {
        misuse(w);
        return;
    }
    char *to = room(w, 1);
    if (!to)
        return;
    *to++ = object ? '}' : ']';
    w->depth--;
    value_ends(w, to);
}

void moot__json_write_object_begin(struct moot_json_writer *w)
{
    begin(w, true);
}

void moot__json_write_object_end(struct moot_json_writer *w)
{
    end(w, true);
}

void moot__json_write_array_begin(struct moot_json_writer *w)
{
    begin(w, false);
}

void moot__json_write_array_end(struct moot_json_writer *w)
{
    end(w, false);
}

/* Strings. */

/* How much room a string needs: of one that is not plain as much as it may take, if that is there;
 * else as much as it does take, so that the ceiling is the document's to the byte. */
static size_t string_room(const struct moot_json_writer *w, struct moot_view text, bool is_plain)
{
    if (is_plain)
        return text.len + 2;
    size_t most = MOOT_JSON_STRING_BYTES_MAX(text.len);
    bool is_there = w->buf->cap - w->buf->len >= most + 2; /* a comma, a colon */
    return is_there ? most : moot__json_string_bytes(text);
}

static char *put_string(char *to, struct moot_view text, bool is_plain)
{
    return is_plain ? moot__json_put_plain(to, text) : moot__json_put_string(to, text);
}

void moot__json_write_string(struct moot_json_writer *w, struct moot_view text)
{
    bool is_plain = moot__json_is_plain(text);
    char *to = value_begins(w, string_room(w, text, is_plain));
    if (to)
        value_ends(w, put_string(to, text, is_plain));
}

void moot__json_write_str(struct moot_json_writer *w, const char *text)
{
    moot__json_write_string(w, moot__view_str(text));
}

void moot__json_write_key(struct moot_json_writer *w, struct moot_view key)
{
    if (w->error)
        return;
    if (!in_object(w) || w->has_key) {
        misuse(w);
        return;
    }
    bool is_plain = moot__json_is_plain(key);
    char *to = room(w, string_room(w, key, is_plain) + 1 + w->comma);
    if (!to)
        return;
    if (w->comma)
        *to++ = ',';
    to = put_string(to, key, is_plain);
    *to++ = ':';
    wrote(w, to);
    w->has_key = true;
    w->comma = false;
}

void moot__json_write_key_str(struct moot_json_writer *w, const char *key)
{
    moot__json_write_key(w, moot__view_str(key));
}

/* Numbers and names. */

void moot__json_write_u64(struct moot_json_writer *w, uint64_t value)
{
    char text[MOOT_JSON_U64_BYTES_MAX];
    scalar(w, text, (size_t)(moot__json_put_u64(text, value) - text));
}

void moot__json_write_i64(struct moot_json_writer *w, int64_t value)
{
    char text[1 + MOOT_JSON_U64_BYTES_MAX] = "-";
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char *end = moot__json_put_u64(text + (value < 0), size);
    scalar(w, text, (size_t)(end - text));
}

void moot__json_write_double(struct moot_json_writer *w, double value)
{
    char text[MOOT_JSON_DOUBLE_BYTES_MAX];
    scalar(w, text, (size_t)(moot__json_put_double(text, value) - text));
}

void moot__json_write_bool(struct moot_json_writer *w, bool value)
{
    scalar(w, value ? "true" : "false", value ? 4 : 5);
}

void moot__json_write_null(struct moot_json_writer *w)
{
    scalar(w, "null", 4);
}

static bool is_digit(struct moot_view text, size_t at)
{
    return at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';
}

static bool skip_digits(struct moot_view text, size_t *at)
{
    size_t from = *at;
    while (is_digit(text, *at))
        ++*at;
    return *at > from;
}

/* RFC 8259, section 6. */
static bool is_number(struct moot_view text)
{
    size_t at = 0;
    if (text.len && text.ptr[0] == '-')
        at++;
    if (at < text.len && text.ptr[at] == '0')
        at++;
    else if (!skip_digits(text, &at))
        return false;
    if (at < text.len && text.ptr[at] == '.') {
        at++;
        if (!skip_digits(text, &at))
            return false;
    }
    if (at < text.len && (text.ptr[at] | 0x20) == 'e') {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        if (!skip_digits(text, &at))
            return false;
    }
    return at == text.len;
}

void moot__json_write_number_text(struct moot_json_writer *w, struct moot_view number)
{
    if (w->error)
        return;
    if (is_number(number))
        scalar(w, number.ptr, number.len);
    else
        w->error = MOOT_EINVAL;
}

/* Trees. */

static void write_scalar(struct moot_json_writer *w, const struct moot_json *value)
{
    switch (value->type) {
    case MOOT_JSON_NULL:
        moot__json_write_null(w);
        break;
    case MOOT_JSON_BOOL:
        moot__json_write_bool(w, value->truth);
        break;
    case MOOT_JSON_NUMBER:
        moot__json_write_number_text(w, value->text);
        break;
    case MOOT_JSON_STRING:
        moot__json_write_string(w, value->text);
        break;
    case MOOT_JSON_ARRAY:
    case MOOT_JSON_OBJECT:
        moot__unreachable();
    }
}

/* Without recursion: the way back up is kept here, as deep as a reader lets a document be. */
void moot__json_write_value(struct moot_json_writer *w, const struct moot_json *value)
{
    const struct moot_json *open[MOOT_LIMIT_JSON_DEPTH];
    size_t depth = 0;
    if (!value) {
        moot__json_write_null(w);
        return;
    }
    for (const struct moot_json *node = value; node && !w->error;) {
        if (depth && open[depth - 1]->type == MOOT_JSON_OBJECT)
            moot__json_write_key(w, node->key);
        if (node->type == MOOT_JSON_ARRAY || node->type == MOOT_JSON_OBJECT) {
            begin(w, node->type == MOOT_JSON_OBJECT);
            if (node->child) {
                assert(depth < MOOT_LIMIT_JSON_DEPTH);
                open[depth++] = node;
                node = node->child;
                continue;
            }
            end(w, node->type == MOOT_JSON_OBJECT);
        } else {
            write_scalar(w, node);
        }
        while (depth && !node->next) {
            node = open[--depth];
            end(w, node->type == MOOT_JSON_OBJECT);
        }
        node = depth ? node->next : NULL;
    }
}

/* Members. */

#define MEMBER(suffix, parameter, argument)                                                        \
    void moot__json_write_member_##suffix(struct moot_json_writer *w, const char *key, parameter)  \
    {                                                                                              \
        moot__json_write_key_str(w, key);                                                          \
        moot__json_write_##suffix(w, argument);                                                    \
    }

MEMBER(string, struct moot_view text, text)
MEMBER(str, const char *text, text)
MEMBER(u64, uint64_t value, value)
MEMBER(i64, int64_t value, value)
MEMBER(double, double value, value)
MEMBER(bool, bool value, value)
MEMBER(value, const struct moot_json *value, value)

void moot__json_write_member_null(struct moot_json_writer *w, const char *key)
{
    moot__json_write_key_str(w, key);
    moot__json_write_null(w);
}

void moot__json_write_member_object_begin(struct moot_json_writer *w, const char *key)
{
    moot__json_write_key_str(w, key);
    moot__json_write_object_begin(w);
}

void moot__json_write_member_array_begin(struct moot_json_writer *w, const char *key)
{
    moot__json_write_key_str(w, key);
    moot__json_write_array_begin(w);
}
