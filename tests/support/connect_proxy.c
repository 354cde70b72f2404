#include "connect_proxy.h"

#include <string.h>

#include "test.h"

static void end(struct proxy_tunnel *tunnel)
{
    if (tunnel->up.from)
        moot__stream_close(tunnel->up.from);
    if (tunnel->up.to)
        moot__stream_close(tunnel->up.to);
    tunnel->up.from = tunnel->up.to = NULL;
}

/* Move what can be moved; false when an end is gone. */
static bool pump(struct proxy_half *half)
{
    if (half->len == 0 && !half->ended) {
        ptrdiff_t n = moot__stream_read(half->from, half->bytes, sizeof half->bytes);
        half->ended = n <= 0 && n != MOOT_EAGAIN;
        half->len = n > 0 ? (size_t)n : 0;
    }
    while (half->len) {
        ptrdiff_t n = moot__stream_write(half->to, half->bytes, half->len);
        if (n == MOOT_EAGAIN)
            return true;
        if (n < 0)
            return false;
        half->len -= (size_t)n;
        memmove(half->bytes, half->bytes + n, half->len);
    }
    return !half->ended;
}

static void want(struct proxy_tunnel *tunnel)
{
    moot__stream_want(tunnel->up.from, (tunnel->up.len ? 0u : MOOT_READABLE) |
                                           (tunnel->down.len ? MOOT_WRITABLE : 0u));
    moot__stream_want(tunnel->up.to, (tunnel->down.len ? 0u : MOOT_READABLE) |
                                         (tunnel->up.len ? MOOT_WRITABLE : 0u));
}

static void pass_on(struct proxy_tunnel *tunnel)
{
    if (pump(&tunnel->up) && pump(&tunnel->down))
        want(tunnel);
    else
        end(tunnel);
}

static void say(struct proxy_tunnel *tunnel, const char *text)
{
    ptrdiff_t n = moot__stream_write(tunnel->up.from, text, strlen(text));
    assert_true(n < 0 || n == (ptrdiff_t)strlen(text)); /* the client may be gone */
}

static void on_upstream(struct moot_stream *stream, unsigned ready)
{
    struct proxy_tunnel *tunnel = stream->owner;
    (void)ready;
    if (!tunnel->is_open) {
        tunnel->is_open = true;
        say(tunnel, "HTTP/1.1 200 Connection established\r\n\r\n");
    }
    pass_on(tunnel);
}

static void act(struct proxy_tunnel *tunnel)
{
    struct connect_proxy *proxy = tunnel->proxy;
    moot__stream_want(tunnel->up.from, 0);
    if (proxy->answer) {
        say(tunnel, proxy->answer);
        end(tunnel);
        return;
    }
    struct moot_stream *upstream;
    assert_int_equal(proxy->transport->ops->connect(proxy->transport, &proxy->upstream, &upstream),
                     MOOT_OK);
    upstream->owner = tunnel;
    upstream->on_ready = on_upstream;
    tunnel->up.to = tunnel->down.from = upstream;
    tunnel->down.to = tunnel->up.from;
    moot__stream_want(upstream, MOOT_WRITABLE);
}

static void on_client(struct moot_stream *stream, unsigned ready)
{
    struct proxy_tunnel *tunnel = stream->owner;
    (void)ready;
    if (tunnel->is_open) {
        pass_on(tunnel);
        return;
    }
    size_t room = sizeof tunnel->head - 1 - tunnel->head_len;
    assert_true(room > 0);
    ptrdiff_t n = moot__stream_read(stream, tunnel->head + tunnel->head_len, room);
    if (n == MOOT_EAGAIN)
        return;
    if (n <= 0) {
        end(tunnel);
        return;
    }
    tunnel->head_len += (size_t)n;
    if (strstr(tunnel->head, "\r\n\r\n"))
        act(tunnel);
}

static void on_accept(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    struct connect_proxy *proxy = acceptor->owner;
    assert_true(proxy->tunnel_count < PROXY_TUNNELS_MAX);
    struct proxy_tunnel *tunnel = &proxy->tunnels[proxy->tunnel_count++];
    memset(tunnel, 0, sizeof *tunnel);
    tunnel->proxy = proxy;
    tunnel->up.from = stream;
    stream->owner = tunnel;
    stream->on_ready = on_client;
    moot__stream_want(stream, MOOT_READABLE);
}

void connect_proxy_open(struct connect_proxy *proxy, struct moot_transport *transport)
{
    struct moot_address loopback = {.bytes = {127, 0, 0, 1}};
    memset(proxy, 0, sizeof *proxy);
    proxy->transport = transport;
    proxy->acceptor.on_accept = on_accept;
    proxy->acceptor.owner = proxy;
    assert_int_equal(transport->ops->listen(transport, &loopback, &proxy->acceptor), MOOT_OK);
}

void connect_proxy_close(struct connect_proxy *proxy)
{
    proxy->transport->ops->unlisten(proxy->transport, &proxy->acceptor);
    for (unsigned i = 0; i < proxy->tunnel_count; i++)
        end(&proxy->tunnels[i]);
}
