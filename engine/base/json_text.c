/* Most bytes of most texts stand for themselves, so a text is a few runs that are copied whole, and
 * the work is to find where a run ends: many bytes at a time, without a branch for each. */
#include "json_text.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "utf8.h"

static const char replacement[] = "\xEF\xBF\xBD";
enum { REPLACEMENT_BYTES = sizeof replacement - 1 };

/* What follows the backslash, 'u' for the long form, 0 for bytes that need none. */
static const char escapes[256] = {
    ['\0'] = 'u', [1] = 'u',    [2] = 'u',    [3] = 'u',     [4] = 'u',    [5] = 'u',
    [6] = 'u',    [7] = 'u',    ['\b'] = 'b', ['\t'] = 't',  ['\n'] = 'n', [11] = 'u',
    ['\f'] = 'f', ['\r'] = 'r', [14] = 'u',   [15] = 'u',    [16] = 'u',   [17] = 'u',
    [18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',    [22] = 'u',   [23] = 'u',
    [24] = 'u',   [25] = 'u',   [26] = 'u',   [27] = 'u',    [28] = 'u',   [29] = 'u',
    [30] = 'u',   [31] = 'u',   ['"'] = '"',  ['\\'] = '\\',
};

/* Which bytes end a run: those that need an escape and, in a text whose UTF-8 nobody has looked at
 * yet, those above ASCII. */
enum stop { STOP_ESCAPES = 0, STOP_WIDE = 0x80 };

static inline bool is_stop(unsigned char byte, enum stop stop)
{
    return escapes[byte] != 0 || (byte & stop);
}

enum { BLOCK = 64 };

/* Looks at every byte, so that compilers make vectors of it. */
static inline bool block_has_stop(const char *block, enum stop stop)
{
    unsigned char found = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        unsigned char byte = (unsigned char)block[i];
        bool needs_escape = (byte < 0x20) | (byte == '"') | (byte == '\\');
        found = (unsigned char)(found | needs_escape | (byte & stop));
    }
    return found != 0;
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* The same of eight bytes. Subtracting borrows into a byte's top bit if it was below the bound and
 * its top bit was clear. */
static inline bool word_has_stop(const char *bytes, enum stop stop)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');
    uint64_t below = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t equal = ((quote - EACH_BYTE(1)) & ~quote) | ((slash - EACH_BYTE(1)) & ~slash);
    return (((below | equal) & EACH_BYTE(0x80)) | (word & EACH_BYTE((uint64_t)stop))) != 0;
}

/* Where the run that begins at `at` ends. */
static inline size_t run_end(struct moot_view text, size_t at, enum stop stop)
{
    enum { WORD = sizeof(uint64_t) };
    while (text.len - at >= BLOCK && !block_has_stop(text.ptr + at, stop))
        at += BLOCK;
    while (text.len - at >= WORD && !word_has_stop(text.ptr + at, stop))
        at += WORD;
    /* The last word again, from its end: most texts are plain up to there. */
    if (at > 0 && text.len - at < WORD && text.len >= WORD &&
        !word_has_stop(text.ptr + text.len - WORD, stop))
        return text.len;
    while (at < text.len && !is_stop((unsigned char)text.ptr[at], stop))
        at++;
    return at;
}

/* Of text whose UTF-8 nobody has looked at yet. */
static size_t plain_end(struct moot_view text)
{
    return run_end(text, 0, STOP_WIDE);
}

/* Of valid UTF-8. */
static size_t next_escape(struct moot_view text, size_t at)
{
    return run_end(text, at, STOP_ESCAPES);
}

static char *put_bytes(char *to, const char *bytes, size_t len)
{
    if (len)
        memcpy(to, bytes, len);
    return to + len;
}

static char *put_escape(char *to, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = escapes[byte];
    if (escapes[byte] == 'u') {
        to = put_bytes(to, "00", 2);
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return to;
}

/* Of valid UTF-8. */
static char *put_escaped(char *to, struct moot_view text)
{
    for (size_t from = 0;; from++) {
        size_t end = next_escape(text, from);
        to = put_bytes(to, text.ptr + from, end - from);
        if (end == text.len)
            return to;
        to = put_escape(to, (unsigned char)text.ptr[end]);
        from = end;
    }
}

static struct moot_view after(struct moot_view text, size_t len)
{
    return moot__view(text.ptr + len, text.len - len);
}

/* Of any bytes. */
static char *put_checked(char *to, struct moot_view text)
{
    while (text.len) {
        size_t bad, good = moot__utf8_scan(text, &bad);
        to = put_escaped(to, moot__view(text.ptr, good));
        if (bad)
            to = put_bytes(to, replacement, REPLACEMENT_BYTES);
        text = after(text, good + bad);
    }
    return to;
}

char *moot__json_put_string(char *to, struct moot_view text)
{
    *to++ = '"';
    size_t plain = plain_end(text);
    to = put_bytes(to, text.ptr, plain);
    if (plain < text.len)
        to = put_checked(to, after(text, plain));
    *to++ = '"';
    return to;
}

static size_t escaped_bytes(struct moot_view text)
{
    size_t bytes = text.len;
    for (size_t at = next_escape(text, 0); at < text.len; at = next_escape(text, at + 1))
        bytes += escapes[(unsigned char)text.ptr[at]] == 'u' ? 5 : 1;
    return bytes;
}

size_t moot__json_string_bytes(struct moot_view text)
{
    size_t plain = plain_end(text), bytes = plain + 2;
    if (plain == text.len)
        return bytes;
    text = after(text, plain);
    while (text.len) {
        size_t bad, good = moot__utf8_scan(text, &bad);
        bytes += escaped_bytes(moot__view(text.ptr, good)) + (bad ? REPLACEMENT_BYTES : 0);
        text = after(text, good + bad);
    }
    return bytes;
}

/* ---- Numbers ---- */

/* "00" to "99". */
#define TEN(tens)                                                                                  \
    tens "0" tens "1" tens "2" tens "3" tens "4" tens "5" tens "6" tens "7" tens "8" tens "9"
static const char pairs[] =
    TEN("0") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") TEN("6") TEN("7") TEN("8") TEN("9");

static unsigned digit_count(uint64_t value)
{
    for (unsigned count = 1;; count += 4, value /= 10000) {
        if (value < 10)
            return count;
        if (value < 100)
            return count + 1;
        if (value < 1000)
            return count + 2;
        if (value < 10000)
            return count + 3;
    }
}

/* From the last pair to the first. */
char *moot__json_put_u64(char *to, uint64_t value)
{
    char *end = to + digit_count(value), *at = end;
    for (; value >= 10; value /= 100) {
        at -= 2;
        memcpy(at, pairs + 2 * (value % 100), 2);
    }
    if (at > to)
        *--at = (char)('0' + value);
    assert(at == to);
    return end;
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

char *moot__json_put_double(char *to, double value)
{
    if (!isfinite(value))
        return put_bytes(to, "null", 4);
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
    size_t bytes = point(text, (size_t)len);
    assert(bytes <= MOOT_JSON_DOUBLE_BYTES_MAX);
    return put_bytes(to, text, bytes);
}
