#include "http1_write.h"

#include "engine/base/check.h"
#include "http1_bytes.h"

bool moot__http1_is_token(struct moot_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!moot__http1_byte_is(text.ptr[i], MOOT_HTTP1_TOKEN))
            return false;
    return text.len > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool moot__http1_is_field_value(struct moot_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!moot__http1_byte_is(text.ptr[i], MOOT_HTTP1_TEXT))
            return false;
    return text.len == 0 || (!is_blank(text.ptr[0]) && !is_blank(text.ptr[text.len - 1]));
}

bool moot__http1_is_target(struct moot_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!moot__http1_byte_is(text.ptr[i], MOOT_HTTP1_TARGET) || text.ptr[i] == '#')
            return false;
    return text.len > 0;
}

const char *moot__http1_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {424, "Failed Dependency"},
        {425, "Too Early"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {529, "Overloaded"},
    };
    for (size_t i = 0; i < moot__countof(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "";
}

/* All parts or none. */
static int append_parts(struct moot_buf *buf, const struct moot_view *parts, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].len;
    int rc = moot__buf_reserve(buf, total);
    if (rc)
        return rc;
    char *to = buf->data + buf->len;
    for (size_t i = 0; i < count; to += parts[i++].len)
        if (parts[i].len)
            memcpy(to, parts[i].ptr, parts[i].len);
    buf->len += total;
    return MOOT_OK;
}

int moot__http1_write_request_line(struct moot_buf *buf, struct moot_view method,
                                   struct moot_view target)
{
    struct moot_view parts[] = {method, MOOT_VIEW(" "), target, MOOT_VIEW(" HTTP/1.1\r\n")};
    if (!moot__http1_is_token(method) || !moot__http1_is_target(target))
        return MOOT_EINVAL;
    return append_parts(buf, parts, moot__countof(parts));
}

int moot__http1_write_status_line(struct moot_buf *buf, int status)
{
    if (status < 100 || status > 599)
        return MOOT_EINVAL;
    char code[3] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                    (char)('0' + status % 10)};
    struct moot_view parts[] = {MOOT_VIEW("HTTP/1.1 "), moot__view(code, sizeof code),
                                MOOT_VIEW(" "), moot__view_str(moot__http1_status_text(status)),
                                MOOT_VIEW("\r\n")};
    return append_parts(buf, parts, moot__countof(parts));
}

int moot__http1_write_header(struct moot_buf *buf, struct moot_view name, struct moot_view value)
{
    struct moot_view parts[] = {name, MOOT_VIEW(": "), value, MOOT_VIEW("\r\n")};
    if (!moot__http1_is_token(name) || !moot__http1_is_field_value(value))
        return MOOT_EINVAL;
    return append_parts(buf, parts, moot__countof(parts));
}

int moot__http1_write_header_u64(struct moot_buf *buf, struct moot_view name, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return moot__http1_write_header(buf, name, moot__view(digits + at, sizeof digits - at));
}

int moot__http1_write_end(struct moot_buf *buf)
{
    return moot__buf_append_str(buf, "\r\n");
}

/* "1a4\r\n" into `out`; returns its part that is used. */
static struct moot_view size_line(size_t len, char out[sizeof(size_t) * 2 + 2])
{
    static const char hex[] = "0123456789abcdef";
    size_t end = sizeof(size_t) * 2 + 2, at = end;
    out[--at] = '\n';
    out[--at] = '\r';
    do {
        out[--at] = hex[len & 15];
        len >>= 4;
    } while (len);
    return moot__view(out + at, end - at);
}

int moot__http1_write_chunk_begin(struct moot_buf *buf, size_t len)
{
    char line[sizeof(size_t) * 2 + 2];
    assert(len > 0);
    return moot__buf_append_view(buf, size_line(len, line));
}

int moot__http1_write_chunk_end(struct moot_buf *buf)
{
    return moot__buf_append_str(buf, "\r\n");
}

int moot__http1_write_chunk(struct moot_buf *buf, struct moot_view bytes)
{
    char line[sizeof(size_t) * 2 + 2];
    if (bytes.len == 0)
        return MOOT_OK;
    struct moot_view parts[] = {size_line(bytes.len, line), bytes, MOOT_VIEW("\r\n")};
    return append_parts(buf, parts, moot__countof(parts));
}

int moot__http1_write_last_chunk(struct moot_buf *buf)
{
    return moot__buf_append_str(buf, "0\r\n\r\n");
}
