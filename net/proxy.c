#include "proxy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "http1_write.h"

enum { CONNECT_BYTES_MAX = 4096 };

static bool host_matches(struct moot_view entry, struct moot_view host)
{
    if (entry.len && entry.ptr[0] == '.')
        entry = moot__view(entry.ptr + 1, entry.len - 1);
    if (entry.len == 0 || entry.len > host.len)
        return false;
    size_t at = host.len - entry.len;
    if (!moot__view_eq_nocase(moot__view(host.ptr + at, entry.len), entry))
        return false;
    return at == 0 || (host.ptr[at - 1] == '.' && !moot__url_is_address(host));
}

/* "host", "host:port", "[v6]", "[v6]:port", "v6": the port is what follows the only colon. */
static bool entry_matches(struct moot_view entry, struct moot_view host, uint16_t port)
{
    if (moot__view_is(entry, "*"))
        return true;
    struct moot_view name = entry, digits = {NULL, 0};
    if (entry.len && entry.ptr[0] == '[') {
        size_t end = moot__view_find(entry, ']', 0);
        name = moot__view(entry.ptr + 1, end - 1);
        if (end + 1 < entry.len && entry.ptr[end + 1] == ':')
            digits = moot__view(entry.ptr + end + 2, entry.len - end - 2);
    } else {
        size_t colon = moot__view_find(entry, ':', 0);
        if (colon < entry.len && moot__view_find(entry, ':', colon + 1) == entry.len) {
            name = moot__view(entry.ptr, colon);
            digits = moot__view(entry.ptr + colon + 1, entry.len - colon - 1);
        }
    }
    uint64_t wanted;
    if (digits.len && (!moot__view_to_u64(digits, &wanted) || wanted != port))
        return false;
    return host_matches(name, host);
}

bool moot__proxy_is_excepted(struct moot_view no_proxy, struct moot_view host, uint16_t port)
{
    if (moot__url_is_loopback(host))
        return true;
    struct moot_view entry;
    while (moot__view_split(&no_proxy, ',', &entry)) {
        entry = moot__view_trim(entry);
        if (entry.len && entry_matches(entry, host, port))
            return true;
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Basic credentials are over the decoded "user:password". RFC 7617. */
static int append_credential(struct moot_buf *out, struct moot_view userinfo)
{
    char plain[1024];
    size_t len = 0;
    for (size_t i = 0; i < userinfo.len; i++) {
        if (len == sizeof plain)
            return MOOT_ELIMIT;
        char c = userinfo.ptr[i];
        if (c == '%' && i + 2 < userinfo.len && hex_digit(userinfo.ptr[i + 1]) >= 0 &&
            hex_digit(userinfo.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(userinfo.ptr[i + 1]) * 16 + hex_digit(userinfo.ptr[i + 2]));
            i += 2;
        }
        plain[len++] = c;
    }
    int rc = moot__buf_append_str(out, "Basic ");
    if (!rc)
        rc = moot__base64_encode(out, moot__view(plain, len));
    moot__wipe(plain, sizeof plain);
    return rc;
}

static int write_credential_header(struct moot_buf *out, const struct moot_allocator *allocator,
                                   struct moot_view userinfo)
{
    struct moot_buf value;
    moot__buf_init(&value, allocator, 2048);
    int rc = append_credential(&value, userinfo);
    if (!rc)
        rc =
            moot__http1_write_header(out, MOOT_VIEW("Proxy-Authorization"), moot__buf_view(&value));
    if (value.data)
        moot__wipe(value.data, value.cap);
    moot__buf_deinit(&value);
    return rc;
}

static int write_request(struct moot_proxy_connect *op, const struct moot_allocator *allocator,
                         const struct moot_url *proxy, const struct moot_url *origin)
{
    char target[300];
    bool v6 = origin->host_is_ipv6;
    int n = snprintf(target, sizeof target, "%s%.*s%s:%u", v6 ? "[" : "", (int)origin->host.len,
                     origin->host.ptr, v6 ? "]" : "", (unsigned)origin->port);
    if (n < 0 || (size_t)n >= sizeof target)
        return MOOT_EINVAL;
    struct moot_view authority = moot__view(target, (size_t)n);
    int rc = moot__http1_write_request_line(&op->out, MOOT_VIEW("CONNECT"), authority);
    if (!rc)
        rc = moot__http1_write_header(&op->out, MOOT_VIEW("Host"), authority);
    if (!rc && proxy->userinfo.len)
        rc = write_credential_header(&op->out, allocator, proxy->userinfo);
    if (!rc)
        rc = moot__http1_write_end(&op->out);
    return rc;
}

static void release(struct moot_proxy_connect *op)
{
    if (op->out.data)
        moot__wipe(op->out.data, op->out.cap); /* it may have held the proxy's password */
    moot__buf_deinit(&op->out);
    moot__http1_free(op->parser);
    op->parser = NULL;
    op->stream = NULL;
}

static void finish(struct moot_proxy_connect *op, int status)
{
    moot__stream_want(op->stream, 0);
    release(op);
    op->status = status;
    op->on_done(op);
}

static int on_head(void *context, const struct moot_http1_head *head)
{
    struct moot_proxy_connect *op = context;
    op->http_status = head->status;
    return 0;
}

static int on_complete(void *context)
{
    struct moot_proxy_connect *op = context;
    op->complete = true;
    return 0;
}

/* The detail, which never quotes the proxy's user or password. True, for the caller to return. */
MOOT_PRINTF(3, 4)
static bool refuse(struct moot_proxy_connect *op, int *status, const char *format, ...)
{
    int n =
        snprintf(op->detail, sizeof op->detail, "the proxy %.*s:%u ",
                 (int)(op->host.len < 128 ? op->host.len : 128), op->host.ptr, (unsigned)op->port);
    assert(n > 0 && (size_t)n < sizeof op->detail);
    va_list args;
    va_start(args, format);
    vsnprintf(op->detail + n, sizeof op->detail - (size_t)n, format, args);
    va_end(args);
    *status = MOOT_EPROXY;
    return true;
}

static bool send_some(struct moot_proxy_connect *op, int *status)
{
    while (op->out_sent < op->out.len) {
        ptrdiff_t n =
            moot__stream_write(op->stream, op->out.data + op->out_sent, op->out.len - op->out_sent);
        if (n == MOOT_EAGAIN)
            return false;
        if (n < 0)
            return refuse(op, status, "broke the connection before CONNECT was sent");
        op->out_sent += (size_t)n;
    }
    return false;
}

/* Only the answer's own bytes may be taken from the stream: what follows belongs to TLS. A proxy
 * that sends more than its head before we spoke is broken or worse, and is refused. */
static bool read_some(struct moot_proxy_connect *op, int *status)
{
    char data[1024];
    ptrdiff_t n = moot__stream_read(op->stream, data, sizeof data);
    if (n == MOOT_EAGAIN)
        return false;
    if (n <= 0)
        return refuse(op, status, "closed the connection instead of answering CONNECT");
    size_t consumed = 0;
    int rc = moot__http1_feed(op->parser, data, (size_t)n, &consumed);
    if (op->http_status == 407)
        return refuse(op, status,
                      "answered CONNECT with status 407: put user:password@ into its URL");
    if (op->http_status && (op->http_status < 200 || op->http_status > 299))
        return refuse(op, status, "answered CONNECT with status %d", op->http_status);
    if (rc)
        return refuse(op, status, "answered CONNECT with something that is not HTTP");
    if (!op->complete)
        return false;
    if (consumed < (size_t)n)
        return refuse(op, status, "sent bytes before the handshake");
    return true;
}

static void on_ready(struct moot_stream *stream, unsigned ready)
{
    struct moot_proxy_connect *op = stream->owner;
    int status = MOOT_OK;
    if (ready & MOOT_WRITABLE && send_some(op, &status)) {
        finish(op, status);
        return;
    }
    if (ready & MOOT_READABLE && read_some(op, &status)) {
        finish(op, status);
        return;
    }
    bool sending = op->out_sent < op->out.len;
    moot__stream_want(stream, MOOT_READABLE | (sending ? MOOT_WRITABLE : 0u));
}

int moot__proxy_connect_start(struct moot_proxy_connect *op, const struct moot_allocator *allocator,
                              struct moot_stream *stream, const struct moot_url *proxy,
                              const struct moot_url *origin)
{
    op->status = 0;
    op->detail[0] = '\0';
    op->out_sent = 0;
    op->http_status = 0;
    op->complete = false;
    op->stream = stream;
    op->host = proxy->host;
    op->port = proxy->port;
    moot__buf_init(&op->out, allocator, CONNECT_BYTES_MAX);
    static const struct moot_http1_callbacks callbacks = {.on_head = on_head,
                                                          .on_complete = on_complete};
    op->parser = moot__http1_new(allocator, MOOT_HTTP1_RESPONSE, NULL, &callbacks, op);
    int rc = MOOT_ENOMEM;
    if (op->parser) {
        moot__http1_reset(op->parser, MOOT_HTTP1_CONNECT);
        rc = write_request(op, allocator, proxy, origin);
    }
    if (rc) {
        release(op);
        return rc;
    }
    stream->owner = op;
    stream->on_ready = on_ready;
    moot__stream_want(stream, MOOT_READABLE | MOOT_WRITABLE);
    return MOOT_OK;
}

void moot__proxy_connect_cancel(struct moot_proxy_connect *op)
{
    if (op->stream)
        release(op);
}
