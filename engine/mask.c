/* Every way in which a secret may be spelled gives a needle, and each needle is looked for on its
 * own. Texts are short and this runs for failures alone, so it is plain search. Needles are as long
 * as a text can be: of a longer secret only the beginning can be found there. */
#include "mask.h"

#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/view.h"

enum {
    SPELLINGS = 7,
    TEXT_BYTES_MAX = 512,
    NEEDLE_BYTES_MAX = 640,
    SECRET_BYTES_MIN = 4,
    PART_BYTES = 16,    /* so much of the beginning is a find */
    CUT_PART_BYTES = 8, /* at the end of the text */
};

struct needle {
    char bytes[NEEDLE_BYTES_MAX];
    size_t len;
};

static void add(struct needle *needle, char byte)
{
    if (needle->len < sizeof needle->bytes)
        needle->bytes[needle->len++] = byte;
}

/* ---- Spellings ---- */

static void spell_plain(struct needle *needle, struct moot_view secret)
{
    for (size_t i = 0; i < secret.len; i++)
        add(needle, secret.ptr[i]);
}

static void spell_percent(struct needle *needle, struct moot_view secret, const char *digits)
{
    for (size_t i = 0; i < secret.len; i++) {
        unsigned char c = (unsigned char)secret.ptr[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
        if (is_plain) {
            add(needle, (char)c);
            continue;
        }
        add(needle, '%');
        add(needle, digits[c >> 4]);
        add(needle, digits[c & 15]);
    }
}

static void spell_json(struct needle *needle, struct moot_view secret)
{
    for (size_t i = 0; i < secret.len; i++) {
        if (strchr("\"\\/", secret.ptr[i]) && secret.ptr[i])
            add(needle, '\\');
        add(needle, secret.ptr[i]);
    }
}

/* The characters that depend on the secret alone when `shift` unknown bytes stand in front of it.
 */
static void spell_base64(struct needle *needle, struct moot_view secret, unsigned shift)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned have = shift * 8 % 6, unknown = have;
    for (size_t i = 0; i < secret.len && i < NEEDLE_BYTES_MAX; i++) {
        bits = bits << 8 | (unsigned char)secret.ptr[i];
        for (have += 8; have >= 6; have -= 6) {
            if (unknown == 0)
                add(needle, digits[bits >> (have - 6) & 63]);
            unknown = 0; /* the first character was shared with what stands in front */
        }
    }
}

/* ---- Looking ---- */

static size_t match(const char *text, size_t left, const struct needle *needle)
{
    size_t n = 0;
    while (n < left && n < needle->len && text[n] == needle->bytes[n])
        n++;
    bool is_find = n == needle->len || n >= PART_BYTES || (n == left && n >= CUT_PART_BYTES);
    return is_find ? n : 0;
}

static void mask(char *text, size_t size, const struct needle *needle)
{
    static const struct moot_view mark = {"[secret]", 8};
    char out[TEXT_BYTES_MAX + 1];
    size_t len = strlen(text), out_len = 0;
    for (size_t i = 0; i < len && out_len < TEXT_BYTES_MAX;) {
        size_t n = match(text + i, len - i, needle);
        struct moot_view piece = n ? mark : moot__view(text + i, 1);
        for (size_t j = 0; j < piece.len && out_len < TEXT_BYTES_MAX; j++)
            out[out_len++] = piece.ptr[j];
        i += n ? n : 1;
    }
    moot__view_copy(moot__view(out, out_len), text, size);
}

void moot__mask_secret(char *text, size_t size, struct moot_view secret)
{
    assert(size <= TEXT_BYTES_MAX);
    if (secret.len < SECRET_BYTES_MIN)
        return;
    struct needle needle;
    for (unsigned spelling = 0; spelling < SPELLINGS; spelling++) {
        needle.len = 0;
        if (spelling == 0)
            spell_plain(&needle, secret);
        else if (spelling <= 2)
            spell_percent(&needle, secret, spelling == 1 ? "0123456789ABCDEF" : "0123456789abcdef");
        else if (spelling == 3)
            spell_json(&needle, secret);
        else
            spell_base64(&needle, secret, spelling - 4);
        if (needle.len >= SECRET_BYTES_MIN)
            mask(text, size, &needle);
    }
    moot__wipe(&needle, sizeof needle);
}
