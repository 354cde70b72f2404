#include "buf.h"

#include <string.h>

#include "check.h"

void moot__buf_init(struct moot_buf *buf, const struct moot_allocator *allocator, size_t max)
{
    assert(max > 0);
    *buf = (struct moot_buf){.max = max, .allocator = allocator};
}

void moot__buf_deinit(struct moot_buf *buf)
{
    moot__free(buf->allocator, buf->data);
    buf->data = NULL;
    buf->len = buf->cap = 0;
}

int moot__buf_reserve(struct moot_buf *buf, size_t extra)
{
    if (extra > buf->max || buf->len > buf->max - extra)
        return MOOT_ELIMIT;
    size_t need = buf->len + extra;
    if (need <= buf->cap)
        return MOOT_OK;
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max)
        cap = buf->max;
    char *data = moot__realloc(buf->allocator, buf->data, cap);
    if (!data)
        return MOOT_ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return MOOT_OK;
}

int moot__buf_append(struct moot_buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return MOOT_OK;
    int rc = moot__buf_reserve(buf, len);
    if (rc)
        return rc;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return MOOT_OK;
}

int moot__buf_append_view(struct moot_buf *buf, struct moot_view text)
{
    return moot__buf_append(buf, text.ptr, text.len);
}

int moot__buf_append_str(struct moot_buf *buf, const char *text)
{
    return moot__buf_append(buf, text, strlen(text));
}

int moot__buf_append_u64(struct moot_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return moot__buf_append(buf, digits + at, sizeof digits - at);
}

int moot__buf_append_byte(struct moot_buf *buf, char byte)
{
    return moot__buf_append(buf, &byte, 1);
}

void moot__buf_consume(struct moot_buf *buf, size_t len)
{
    assert(len <= buf->len);
    buf->len -= len;
    if (buf->len && len)
        memmove(buf->data, buf->data + len, buf->len);
}

void moot__buf_truncate(struct moot_buf *buf, size_t len)
{
    assert(len <= buf->len);
    buf->len = len;
}

void moot__buf_reset(struct moot_buf *buf)
{
    buf->len = 0;
}
