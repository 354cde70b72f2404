/* Most bytes of most texts stand for themselves, so a text is a few runs that are copied whole, and
 * the work is to find where a run ends: many bytes at a time, without a branch for each. */
#include "json_text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "utf8.h"

/* Not to be made part of its caller, which then has less to set up when it is not called. */
#if defined(__GNUC__)
#define RARE __attribute__((cold, noinline))
#else
#define RARE
#endif

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
static inline bool word_has_stop(uint64_t word, enum stop stop)
{
    uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');
    uint64_t below = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t equal = ((quote - EACH_BYTE(1)) & ~quote) | ((slash - EACH_BYTE(1)) & ~slash);
    return (((below | equal) & EACH_BYTE(0x80)) | (word & EACH_BYTE((uint64_t)stop))) != 0;
}

enum { WORD = sizeof(uint64_t), HALF = WORD / 2 };

static inline uint64_t load_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Both ends of 4 to 8 bytes, which overlap: every byte is in it, no other one. */
static inline uint64_t load_ends(struct moot_view text)
{
    uint32_t first, last;
    memcpy(&first, text.ptr, sizeof first);
    memcpy(&last, text.ptr + text.len - sizeof last, sizeof last);
    return (uint64_t)first << 32 | last;
}

/* Most texts are. The last word overlaps with the one before. */
bool moot__json_is_plain(struct moot_view text)
{
    size_t at = 0;
    for (; text.len - at > BLOCK; at += BLOCK)
        if (block_has_stop(text.ptr + at, STOP_WIDE))
            return false;
    for (; text.len - at > WORD; at += WORD)
        if (word_has_stop(load_word(text.ptr + at), STOP_WIDE))
            return false;
    if (text.len >= WORD)
        return !word_has_stop(load_word(text.ptr + text.len - WORD), STOP_WIDE);
    if (text.len >= HALF)
        return !word_has_stop(load_ends(text), STOP_WIDE);
    while (at < text.len && !is_stop((unsigned char)text.ptr[at], STOP_WIDE))
        at++;
    return at == text.len;
}

/* Where the run that begins at `at` ends, in valid UTF-8. */
static size_t run_end(struct moot_view text, size_t at)
{
    while (text.len - at >= BLOCK && !block_has_stop(text.ptr + at, STOP_ESCAPES))
        at += BLOCK;
    while (text.len - at >= WORD && !word_has_stop(load_word(text.ptr + at), STOP_ESCAPES))
        at += WORD;
    while (at < text.len && !is_stop((unsigned char)text.ptr[at], STOP_ESCAPES))
        at++;
    return at;
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
        size_t end = run_end(text, from);
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

/* Any bytes: valid UTF-8 up to what is not, and so on. */
static RARE char *put_checked(char *to, struct moot_view text)
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

char *moot__json_put_plain(char *to, struct moot_view text)
{
    *to++ = '"';
    to = put_bytes(to, text.ptr, text.len);
    *to++ = '"';
    return to;
}

char *moot__json_put_string(char *to, struct moot_view text)
{
    if (moot__json_is_plain(text))
        return moot__json_put_plain(to, text);
    *to++ = '"';
    to = put_checked(to, text);
    *to++ = '"';
    return to;
}

static size_t escaped_bytes(struct moot_view text)
{
    size_t bytes = text.len;
    for (size_t at = run_end(text, 0); at < text.len; at = run_end(text, at + 1))
        bytes += escapes[(unsigned char)text.ptr[at]] == 'u' ? 5 : 1;
    return bytes;
}

size_t moot__json_string_bytes(struct moot_view text)
{
    size_t bytes = 2;
    if (moot__json_is_plain(text))
        return bytes + text.len;
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

#define E8 UINT64_C(100000000)

/* Eight digits, zeros in front included. */
static char *put_eight(char *to, uint32_t value)
{
    for (unsigned at = 8; at > 0; value /= 100)
        memcpy(to + (at -= 2), pairs + 2 * (value % 100), 2);
    return to + 8;
}

/* One to eight digits. */
static char *put_few(char *to, uint32_t value)
{
    unsigned count = 1;
    for (uint32_t bound = 10; count < 8 && value >= bound; bound *= 10)
        count++;
    char *at = to + count;
    for (; value >= 10; value /= 100)
        memcpy(at -= 2, pairs + 2 * (value % 100), 2);
    if (at > to)
        *to = (char)('0' + value);
    return to + count;
}

char *moot__json_put_u64(char *to, uint64_t value)
{
    if (value < E8)
        return put_few(to, (uint32_t)value);
    uint64_t high = value / E8;
    if (high < E8) {
        to = put_few(to, (uint32_t)high);
    } else {
        to = put_few(to, (uint32_t)(high / E8));
        to = put_eight(to, (uint32_t)(high % E8));
    }
    return put_eight(to, (uint32_t)(value % E8));
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
