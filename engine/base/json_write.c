#include "json_write.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "utf8.h"

/* The state between two calls is small: whether the innermost container is an object (a bit a
 * level), whether a comma is due, and whether a key waits for its value. After anything complete a
 * comma is due, after an opening bracket or a key it is not; so commas need no stack. */

static const char replacement[] = "\xEF\xBF\xBD";

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

/* Make room; false once anything has failed. */
static bool reserve(struct moot_json_writer *w, size_t extra)
{
    if (!w->error && w->buf->cap - w->buf->len < extra)
        w->error = moot__buf_reserve(w->buf, extra);
    return !w->error;
}

/* Room must have been made. */
static void put(struct moot_json_writer *w, const char *data, size_t len)
{
    assert(w->buf->cap - w->buf->len >= len);
    if (len)
        memcpy(w->buf->data + w->buf->len, data, len);
    w->buf->len += len;
}

static void put_byte(struct moot_json_writer *w, char byte)
{
    assert(w->buf->cap > w->buf->len);
    w->buf->data[w->buf->len++] = byte;
}

static bool in_object(const struct moot_json_writer *w)
{
    unsigned level = w->depth - 1;
    return w->depth > 0 && (w->objects[level / 8] >> level % 8 & 1);
}

/* Before a value that is `extra` bytes long at least. */
static bool value_begins(struct moot_json_writer *w, size_t extra)
{
    if (w->error)
        return false;
    if (w->complete || in_object(w) != w->has_key) {
        misuse(w);
        return false;
    }
    if (!reserve(w, extra + w->comma))
        return false;
    if (w->comma)
        put_byte(w, ',');
    return true;
}

static void value_ends(struct moot_json_writer *w)
{
    w->has_key = false;
    w->comma = true;
    w->complete = w->depth == 0;
}

static void scalar(struct moot_json_writer *w, const char *text, size_t len)
{
    if (!value_begins(w, len))
        return;
    put(w, text, len);
    value_ends(w);
}

/* Containers. */

static void begin(struct moot_json_writer *w, bool object)
{
    if (!value_begins(w, 1))
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
    put_byte(w, object ? '{' : '[');
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
    if (!reserve(w, 1))
        return;
    put_byte(w, object ? '}' : ']');
    w->depth--;
    value_ends(w);
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

/* What follows the backslash, 'u' for the long form, 0 for bytes that need none. */
static const char escapes[256] = {
    ['\0'] = 'u', [1] = 'u',    [2] = 'u',    [3] = 'u',     [4] = 'u',    [5] = 'u',
    [6] = 'u',    [7] = 'u',    ['\b'] = 'b', ['\t'] = 't',  ['\n'] = 'n', [11] = 'u',
    ['\f'] = 'f', ['\r'] = 'r', [14] = 'u',   [15] = 'u',    [16] = 'u',   [17] = 'u',
    [18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',    [22] = 'u',   [23] = 'u',
    [24] = 'u',   [25] = 'u',   [26] = 'u',   [27] = 'u',    [28] = 'u',   [29] = 'u',
    [30] = 'u',   [31] = 'u',   ['"'] = '"',  ['\\'] = '\\',
};

static void put_escape(struct moot_json_writer *w, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    put_byte(w, '\\');
    put_byte(w, escapes[byte]);
    if (escapes[byte] == 'u') {
        put(w, "00", 2);
        put_byte(w, digits[byte >> 4]);
        put_byte(w, digits[byte & 15]);
    }
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Whether any of eight bytes needs an escape. Subtracting borrows into a byte's top bit if it was
 * below the bound and its top bit was clear. */
static bool any_escape(uint64_t word)
{
    uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');
    uint64_t below = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t equal = ((quote - EACH_BYTE(1)) & ~quote) | ((slash - EACH_BYTE(1)) & ~slash);
    return ((below | equal) & EACH_BYTE(0x80)) != 0;
}

/* Where the ASCII that needs no escape ends. Most strings are nothing else. */
static size_t plain_ascii_end(struct moot_view text)
{
    size_t at = 0;
    for (uint64_t word; text.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text.ptr + at, sizeof word);
        if (word & EACH_BYTE(0x80) || any_escape(word))
            break;
    }
    while (at < text.len && !escapes[(unsigned char)text.ptr[at]] &&
           (unsigned char)text.ptr[at] < 0x80)
        at++;
    return at;
}

/* Where the bytes that need no escape end. */
static size_t plain_end(struct moot_view text, size_t at)
{
    for (uint64_t word; text.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text.ptr + at, sizeof word);
        if (any_escape(word))
            break;
    }
    while (at < text.len && !escapes[(unsigned char)text.ptr[at]])
        at++;
    return at;
}

/* Valid UTF-8, escaped: runs of plain bytes at once, the escapes between them one by one. There is
 * room for `text` and `after` more bytes unescaped, and there will be for those `after`. */
static bool put_escaped(struct moot_json_writer *w, struct moot_view text, size_t after)
{
    size_t from = 0;
    for (size_t at = plain_end(text, 0); at < text.len; at = plain_end(text, from)) {
        unsigned char byte = (unsigned char)text.ptr[at];
        put(w, text.ptr + from, at - from);
        from = at + 1;
        if (!reserve(w, (escapes[byte] == 'u' ? 6u : 2u) + text.len - from + after))
            return false;
        put_escape(w, byte);
    }
    put(w, text.ptr + from, text.len - from);
    return true;
}

/* Room for the text, its quotes and whatever else makes up `after` must have been made. `after`
 * counts the closing quote. */
static bool put_string(struct moot_json_writer *w, struct moot_view text, size_t after)
{
    put_byte(w, '"');
    size_t plain = plain_ascii_end(text);
    put(w, text.ptr, plain);
    text = moot__view(text.ptr + plain, text.len - plain);
    while (text.len) {
        size_t bad, good = moot__utf8_scan(text, &bad);
        size_t left = text.len - good;
        if (!put_escaped(w, moot__view(text.ptr, good), left + after))
            return false;
        if (bad) {
            if (!reserve(w, sizeof replacement - 1 + left - bad + after))
                return false;
            put(w, replacement, sizeof replacement - 1);
        }
        text = moot__view(text.ptr + good + bad, left - bad);
    }
    put_byte(w, '"');
    return true;
}

void moot__json_write_string(struct moot_json_writer *w, struct moot_view text)
{
    if (value_begins(w, text.len + 2) && put_string(w, text, 1))
        value_ends(w);
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
    if (!reserve(w, key.len + 3 + w->comma))
        return;
    if (w->comma)
        put_byte(w, ',');
    if (!put_string(w, key, 2)) /* the quote and the colon */
        return;
    put_byte(w, ':');
    w->has_key = true;
    w->comma = false;
}

void moot__json_write_key_str(struct moot_json_writer *w, const char *key)
{
    moot__json_write_key(w, moot__view_str(key));
}

/* Numbers and names. */

static void write_digits(struct moot_json_writer *w, uint64_t value, bool negative)
{
    char text[21];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    if (negative)
        text[--at] = '-';
    scalar(w, text + at, sizeof text - at);
}

void moot__json_write_u64(struct moot_json_writer *w, uint64_t value)
{
    write_digits(w, value, false);
}

void moot__json_write_i64(struct moot_json_writer *w, int64_t value)
{
    write_digits(w, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

/* Whatever stands for the decimal point in this locale, one byte or several, becomes a point. */
static size_t point(char *text, size_t len)
{
    size_t to = 0;
    bool seen = false;
    for (size_t at = 0; at < len; at++) {
        char c = text[at];
        if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == 'e')
            text[to++] = c;
        else if (!seen)
            text[to++] = '.';
        seen = seen || text[to - 1] == '.';
    }
    return to;
}

void moot__json_write_double(struct moot_json_writer *w, double value)
{
    if (!isfinite(value)) {
        moot__json_write_null(w);
        return;
    }
    /* Every normal double that has a form of 15 digits or fewer is found at 15, as %g drops
     * trailing zeros; the subnormal ones have fewer digits of their own. */
    char text[64];
    int len = 0;
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof text, "%.*g", digits, value);
        assert(len > 0 && (size_t)len < sizeof text);
        if (strtod(text, NULL) == value) /* in the locale it was written in */
            break;
    }
    scalar(w, text, point(text, (size_t)len));
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
