#include "view.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool moot__view_eq_nocase(struct moot_view a, struct moot_view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool moot__view_starts(struct moot_view text, struct moot_view prefix)
{
    return text.len >= prefix.len &&
           moot__view_eq((struct moot_view){text.ptr, prefix.len}, prefix);
}

bool moot__view_ends(struct moot_view text, struct moot_view suffix)
{
    if (text.len < suffix.len)
        return false;
    if (suffix.len == 0)
        return true;
    return moot__view_eq((struct moot_view){text.ptr + text.len - suffix.len, suffix.len}, suffix);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct moot_view moot__view_trim(struct moot_view text)
{
    while (text.len && is_space(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

size_t moot__view_find(struct moot_view text, char byte, size_t from)
{
    if (from >= text.len)
        return text.len;
    const char *hit = memchr(text.ptr + from, byte, text.len - from);
    return hit ? (size_t)(hit - text.ptr) : text.len;
}

bool moot__view_split(struct moot_view *rest, char separator, struct moot_view *part)
{
    if (!rest->ptr)
        return false;
    size_t at = moot__view_find(*rest, separator, 0);
    *part = (struct moot_view){rest->ptr, at};
    if (at == rest->len)
        *rest = (struct moot_view){NULL, 0};
    else
        *rest = (struct moot_view){rest->ptr + at + 1, rest->len - at - 1};
    return true;
}

bool moot__view_to_u64(struct moot_view text, uint64_t *out)
{
    if (text.len == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static size_t digits(struct moot_view text, size_t at)
{
    size_t from = at;
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at - from;
}

/* The JSON grammar of numbers, leading zeros allowed: -?d+(.d+)?([eE][+-]?d+)? */
static bool is_number(struct moot_view text, size_t *point)
{
    size_t at = 0, n;
    *point = SIZE_MAX;
    if (at < text.len && text.ptr[at] == '-')
        at++;
    if ((n = digits(text, at)) == 0)
        return false;
    at += n;
    if (at < text.len && text.ptr[at] == '.') {
        *point = at++;
        if ((n = digits(text, at)) == 0)
            return false;
        at += n;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        if ((n = digits(text, at)) == 0)
            return false;
        at += n;
    }
    return at == text.len;
}

bool moot__view_to_double(struct moot_view text, double *out)
{
    char copy[512 + MB_LEN_MAX];
    size_t point;
    if (text.len >= 512 || !is_number(text, &point))
        return false;
    /* strtod wants the locale's own point, of one byte or several; a host may have set any. */
    const char *local = localeconv()->decimal_point;
    if (!local[0] || strlen(local) > MB_LEN_MAX)
        local = ".";
    size_t whole = point == SIZE_MAX ? text.len : point, len = whole;
    memcpy(copy, text.ptr, whole);
    if (whole < text.len) {
        size_t rest = text.len - whole - 1;
        memcpy(copy + len, local, strlen(local));
        len += strlen(local);
        memcpy(copy + len, text.ptr + whole + 1, rest);
        len += rest;
    }
    copy[len] = '\0';
    *out = strtod(copy, NULL);
    return true;
}

struct moot_view moot__view_cut(struct moot_view text, size_t max)
{
    if (text.len < max)
        return text;
    size_t len = max, lead = max;
    while (lead > 0 && ((unsigned char)text.ptr[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead > 0) {
        unsigned char c = (unsigned char)text.ptr[lead - 1];
        size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        if (lead - 1 + need > len)
            len = lead - 1;
    }
    return moot__view(text.ptr, len);
}

void moot__view_copy(struct moot_view text, char *out, size_t size)
{
    if (size == 0)
        return;
    struct moot_view cut = moot__view_cut(text, size - 1);
    if (cut.len)
        memmove(out, cut.ptr, cut.len);
    out[cut.len] = '\0';
}
