/* What a complete head means for the bytes after it: RFC 9112 sections 3, 4 and 6, with every
 * choice that the RFC leaves between repairing and refusing made in favour of refusing. Pure. */
#include "http1_guard.h"

#include "engine/base/check.h"

static bool refuse(struct moot_http1_guard *guard, int code, int status, const char *reason)
{
    assert(!guard->fault.reason);
    guard->fault = (struct moot_http1_fault){code, status, reason};
    return false;
}

static bool malformed(struct moot_http1_guard *guard, const char *reason)
{
    return refuse(guard, MOOT_EPROTO, 400, reason);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- start lines --- */

static bool is_version(struct moot_view text)
{
    return moot__view_is(text, "HTTP/1.1") || moot__view_is(text, "HTTP/1.0");
}

static bool check_status_line(struct moot_http1_guard *guard, struct moot_view line)
{
    if (line.len < 12 || !is_version(moot__view(line.ptr, 8)) || line.ptr[8] != ' ')
        return malformed(guard, "not an HTTP/1 status line");
    const char *code = line.ptr + 9;
    if (!is_digit(code[0]) || !is_digit(code[1]) || !is_digit(code[2]))
        return malformed(guard, "a status that is not three digits");
    if (code[0] < '1' || code[0] > '5')
        return malformed(guard, "a status outside of 100 to 599");
    if (line.len > 12 && line.ptr[12] != ' ')
        return malformed(guard, "a status that is not three digits");
    return true;
}

static bool check_request_line(struct moot_http1_guard *guard, struct moot_view line)
{
    struct moot_view method, target, version;
    if (guard->spaces != 2 || !moot__view_split(&line, ' ', &method) ||
        !moot__view_split(&line, ' ', &target) || !moot__view_split(&line, ' ', &version))
        return malformed(guard, "a request line that is not three words");
    if (method.len == 0 || target.len == 0)
        return malformed(guard, "a request line that is not three words");
    if (moot__view_find(target, '#', 0) < target.len)
        return malformed(guard, "a fragment in the request target");
    if (!is_version(version))
        return refuse(guard, MOOT_EPROTO, 505, "an HTTP version other than 1.0 and 1.1");
    return true;
}

bool moot__http1_guard_start_line(struct moot_http1_guard *guard, struct moot_view line)
{
    return guard->kind == MOOT_HTTP1_REQUEST ? check_request_line(guard, line)
                                             : check_status_line(guard, line);
}

/* --- headers --- */

/* What is gathered of the headers that frame a message. */
struct framing {
    struct moot_http1_guard *guard;
    struct moot_http1_head *head;
    unsigned hosts, lengths, encodings;
    bool says_close, says_keep_alive;
};

static bool on_content_length(struct framing *framing, struct moot_view value)
{
    uint64_t length;
    if (++framing->lengths > 1)
        return malformed(framing->guard, "more than one Content-Length");
    if (!moot__view_to_u64(value, &length) || length > INT64_MAX)
        return malformed(framing->guard, "a Content-Length that is not a number");
    framing->head->content_length = (int64_t)length;
    return true;
}

static bool on_transfer_encoding(struct framing *framing, struct moot_view value)
{
    if (++framing->encodings > 1)
        return malformed(framing->guard, "more than one Transfer-Encoding");
    if (!moot__view_eq_nocase(value, MOOT_VIEW("chunked")))
        return refuse(framing->guard, MOOT_EPROTO, 501, "a Transfer-Encoding other than chunked");
    if (framing->head->minor == 0)
        return malformed(framing->guard, "Transfer-Encoding in HTTP/1.0");
    framing->head->chunked = true;
    return true;
}

static bool on_connection(struct framing *framing, struct moot_view value)
{
    struct moot_view option;
    while (moot__view_split(&value, ',', &option)) {
        option = moot__view_trim(option);
        if (moot__view_eq_nocase(option, MOOT_VIEW("close")))
            framing->says_close = true;
        if (moot__view_eq_nocase(option, MOOT_VIEW("keep-alive")))
            framing->says_keep_alive = true;
    }
    return true;
}

static bool on_host(struct framing *framing, struct moot_view value)
{
    if (framing->guard->kind == MOOT_HTTP1_RESPONSE)
        return true;
    if (++framing->hosts > 1)
        return malformed(framing->guard, "more than one Host");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c <= ' ' || c >= 0x7F || strchr("/\\?#@,\"<>", c))
            return malformed(framing->guard, "an invalid character in Host");
    }
    return value.len > 0 || malformed(framing->guard, "an empty Host");
}

static bool on_expect(struct framing *framing, struct moot_view value)
{
    if (framing->guard->kind == MOOT_HTTP1_RESPONSE || framing->head->minor == 0)
        return true;
    if (!moot__view_eq_nocase(value, MOOT_VIEW("100-continue")))
        return refuse(framing->guard, MOOT_EPROTO, 417, "an expectation other than 100-continue");
    framing->head->expect_continue = true;
    return true;
}

static const struct {
    struct moot_view name;
    bool (*handle)(struct framing *framing, struct moot_view value);
} framing_headers[] = {
    {{"content-length", 14}, on_content_length},
    {{"transfer-encoding", 17}, on_transfer_encoding},
    {{"connection", 10}, on_connection},
    {{"host", 4}, on_host},
    {{"expect", 6}, on_expect},
};

static bool gather(struct framing *framing)
{
    const struct moot_http1_head *head = framing->head;
    for (size_t i = 0; i < head->header_count; i++) {
        struct moot_http1_header header = head->headers[i];
        for (size_t k = 0; k < moot__countof(framing_headers); k++)
            if (moot__view_eq_nocase(header.name, framing_headers[k].name) &&
                !framing_headers[k].handle(framing, header.value))
                return false;
    }
    return true;
}

/* --- bodies --- */

static bool frame_request(struct framing *framing, unsigned flags)
{
    struct moot_http1_head *head = framing->head;
    if (head->minor == 1 && framing->hosts != 1)
        return malformed(framing->guard, "no Host");
    if (moot__view_is(head->method, "CONNECT") && !(flags & MOOT_HTTP1_CONNECT))
        return refuse(framing->guard, MOOT_EPROTO, 501, "CONNECT");
    head->has_body = head->chunked || head->content_length > 0;
    if (moot__view_is(head->method, "CONNECT") && head->has_body)
        return malformed(framing->guard, "CONNECT with a body");
    return true;
}

static bool frame_response(struct framing *framing, unsigned flags)
{
    struct moot_http1_head *head = framing->head;
    int status = head->status;
    if (status < 200 && head->minor == 0)
        return malformed(framing->guard, "an informational response in HTTP/1.0");
    if (status == 101)
        return malformed(framing->guard, "a switch of protocols that nobody asked for");
    if (head->chunked && (status < 200 || status == 204))
        return malformed(framing->guard, "Transfer-Encoding in a response that has no body");
    if (status < 200 || status == 204 || status == 304 || (flags & MOOT_HTTP1_NO_BODY))
        return true;
    if ((flags & MOOT_HTTP1_CONNECT) && status < 300)
        return true;
    head->has_body = head->chunked || head->content_length != 0;
    head->eof_delimited = head->has_body && !head->chunked && head->content_length < 0;
    return true;
}

bool moot__http1_guard_framing(struct moot_http1_guard *guard, struct moot_http1_head *head,
                               unsigned flags)
{
    struct framing framing = {.guard = guard, .head = head};
    head->content_length = -1;
    head->chunked = head->has_body = head->eof_delimited = head->expect_continue = false;
    if (!gather(&framing))
        return false;
    if (framing.lengths && framing.encodings)
        return malformed(guard, "both Content-Length and Transfer-Encoding");
    if (!(guard->kind == MOOT_HTTP1_REQUEST ? frame_request(&framing, flags)
                                            : frame_response(&framing, flags)))
        return false;
    if (head->has_body && head->content_length > 0 &&
        (uint64_t)head->content_length > guard->limits->body_bytes)
        return refuse(guard, MOOT_ELIMIT, 413, "the body is too long");
    head->expect_continue = head->expect_continue && head->has_body;
    head->keep_alive = !framing.says_close && !head->eof_delimited &&
                       (head->minor == 1 || framing.says_keep_alive);
    return true;
}
