#include "base64.h"

#include "check.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int moot__base64_encode(struct moot_buf *out, struct moot_view data)
{
    size_t before = out->len;
    int rc = moot__buf_reserve(out, (data.len + 2) / 3 * 4);
    for (size_t i = 0; rc == MOOT_OK && i < data.len; i += 3) {
        size_t n = data.len - i < 3 ? data.len - i : 3;
        unsigned bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < n ? (unsigned char)data.ptr[i + j] : 0u);
        const char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                              n > 1 ? digits[bits >> 6 & 63] : '=',
                              n > 2 ? digits[bits & 63] : '='};
        rc = moot__buf_append(out, four, sizeof four);
    }
    if (rc != MOOT_OK)
        out->len = before;
    return rc;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last `pads` are padding. */
static int decode_four(struct moot_buf *out, const char *four, size_t pads)
{
    int bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - pads ? value_of(four[i]) : 0;
        if (value < 0)
            return MOOT_EINVAL;
        bits = bits << 6 | value;
    }
    const char bytes[3] = {(char)(bits >> 16 & 255), (char)(bits >> 8 & 255), (char)(bits & 255)};
    return moot__buf_append(out, bytes, 3 - pads);
}

int moot__base64_decode(struct moot_buf *out, struct moot_view text)
{
    size_t before = out->len;
    if (text.len % 4 != 0)
        return MOOT_EINVAL;
    int rc = MOOT_OK;
    for (size_t i = 0; rc == MOOT_OK && i < text.len; i += 4) {
        const char *four = text.ptr + i;
        size_t pads = 0;
        if (i + 4 == text.len && four[3] == '=')
            pads = four[2] == '=' ? 2 : 1;
        rc = decode_four(out, four, pads);
    }
    if (rc != MOOT_OK)
        out->len = before;
    return rc;
}
