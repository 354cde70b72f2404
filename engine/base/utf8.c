#include "utf8.h"

#include <string.h>

#include "check.h"

/* A half in three-byte form: ED, then A0..AF for a high or B0..BF for a low one, then any tail. */
enum { HALF_LEAD = 0xED, HALF_BYTES = 3, HIGH_FIRST = 0xD800, LOW_FIRST = 0xDC00 };

static const char replacement[] = "\xEF\xBF\xBD";

static bool is_tail(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of the well-formed sequence at `p`, or 0; then `*bad` is its maximal subpart. */
static size_t sequence(const unsigned char *p, size_t left, size_t *bad)
{
    unsigned char lead = p[0], low = 0x80, high = 0xBF;
    size_t len;
    *bad = 1;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF) {
        len = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        len = 3;
        low = lead == 0xE0 ? 0xA0 : low;
        high = lead == 0xED ? 0x9F : high;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        len = 4;
        low = lead == 0xF0 ? 0x90 : low;
        high = lead == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (left < 2 || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (left <= i || !is_tail(p[i])) {
            *bad = i;
            return 0;
        }
    }
    return len;
}

/* Most text is ASCII: skip it 32 bytes at a time, then 8. */
static size_t skip_ascii(struct moot_view text, size_t at)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint64_t words[4];
    for (; text.len - at >= sizeof words; at += sizeof words) {
        memcpy(words, text.ptr + at, sizeof words);
        if ((words[0] | words[1] | words[2] | words[3]) & high_bits)
            break;
    }
    for (; text.len - at >= sizeof words[0]; at += sizeof words[0]) {
        memcpy(words, text.ptr + at, sizeof words[0]);
        if (words[0] & high_bits)
            break;
    }
    return at;
}

size_t moot__utf8_scan(struct moot_view text, size_t *bad)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t at = 0, ignored;
    if (!bad)
        bad = &ignored;
    while (at < text.len) {
        at = skip_ascii(text, at);
        size_t end = text.len - at > sizeof(uint64_t) ? at + sizeof(uint64_t) : text.len;
        while (at < end) {
            size_t n = sequence(p + at, text.len - at, bad);
            if (n == 0)
                return at;
            at += n;
        }
    }
    *bad = 0;
    return at;
}

bool moot__utf8_valid(struct moot_view text)
{
    return moot__utf8_scan(text, NULL) == text.len;
}

size_t moot__utf8_encode(uint32_t code_point, char out[4])
{
    assert(code_point <= 0x10FFFF);
    unsigned char *to = (unsigned char *)out;
    if (code_point < 0x80) {
        to[0] = (unsigned char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        to[0] = (unsigned char)(0xC0 | code_point >> 6);
        to[1] = (unsigned char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        to[0] = (unsigned char)(0xE0 | code_point >> 12);
        to[1] = (unsigned char)(0x80 | (code_point >> 6 & 0x3F));
        to[2] = (unsigned char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    to[0] = (unsigned char)(0xF0 | code_point >> 18);
    to[1] = (unsigned char)(0x80 | (code_point >> 12 & 0x3F));
    to[2] = (unsigned char)(0x80 | (code_point >> 6 & 0x3F));
    to[3] = (unsigned char)(0x80 | (code_point & 0x3F));
    return 4;
}

int moot__utf8_append_replacing(struct moot_buf *buf, struct moot_view text)
{
    size_t before = buf->len;
    while (text.len) {
        size_t bad, good = moot__utf8_scan(text, &bad);
        int rc = moot__buf_append(buf, text.ptr, good);
        if (!rc && bad)
            rc = moot__buf_append(buf, replacement, sizeof replacement - 1);
        if (rc) {
            moot__buf_truncate(buf, before);
            return rc;
        }
        text.ptr += good + bad;
        text.len -= good + bad;
    }
    return MOOT_OK;
}

/* Whether the three bytes at `p` are a half whose second byte starts with the bits of `kind`:
 * 0xA0 a high one, 0xB0 a low one. */
static bool is_half(const char *p, unsigned char kind)
{
    const unsigned char *bytes = (const unsigned char *)p;
    return bytes[0] == HALF_LEAD && (bytes[1] & 0xF0) == kind && is_tail(bytes[2]);
}

static bool ends_with_high(const struct moot_buf *buf)
{
    return buf->len >= HALF_BYTES && is_half(buf->data + buf->len - HALF_BYTES, 0xA0);
}

/* The ten bits that a half carries. */
static uint32_t half_bits(const char *p)
{
    const unsigned char *bytes = (const unsigned char *)p;
    return (uint32_t)(bytes[1] & 0x0F) << 6 | (uint32_t)(bytes[2] & 0x3F);
}

int moot__utf8_append_joining(struct moot_buf *buf, struct moot_view text)
{
    if (text.len < HALF_BYTES || !is_half(text.ptr, 0xB0) || !ends_with_high(buf))
        return moot__buf_append_view(buf, text);
    /* 3 + 3 bytes become 4: one more than is there, two fewer than both. */
    int rc = moot__buf_reserve(buf, text.len - 2);
    if (rc)
        return rc;
    char *seam = buf->data + buf->len - HALF_BYTES;
    uint32_t code_point = 0x10000 + (half_bits(seam) << 10 | half_bits(text.ptr));
    buf->len += moot__utf8_encode(code_point, seam) - HALF_BYTES;
    return moot__buf_append(buf, text.ptr + HALF_BYTES, text.len - HALF_BYTES);
}

size_t moot__utf8_settle(struct moot_buf *buf, size_t from, bool final)
{
    assert(from <= buf->len);
    size_t settled = buf->len;
    if (!final && ends_with_high(buf))
        settled -= HALF_BYTES;
    for (size_t at = from; at < settled;) {
        char *p = memchr(buf->data + at, HALF_LEAD, settled - at);
        if (!p)
            break;
        at = (size_t)(p - buf->data) + 1;
        if (settled - at >= HALF_BYTES - 1 && (is_half(p, 0xA0) || is_half(p, 0xB0)))
            memcpy(p, replacement, HALF_BYTES);
    }
    return settled;
}

void moot__utf8_repair(struct moot_buf *buf)
{
    moot__utf8_settle(buf, 0, true);
}
