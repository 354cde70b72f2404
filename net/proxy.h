#ifndef MOOT_NET_PROXY_H
#define MOOT_NET_PROXY_H

/* Going through an HTTP proxy: whether to (HTTPS_PROXY, NO_PROXY), and the CONNECT exchange that
 * turns a stream to the proxy into one to the origin. The provider's credential never meets the
 * proxy; the proxy's own comes from its URL and goes nowhere else. RFC 9110 section 9.3.6. */
#include "engine/base/buf.h"
#include "http1.h"
#include "transport.h"
#include "url.h"

/* Whether `host` is excepted by a NO_PROXY list: comma-separated host names (a suffix at a dot,
 * with or without the leading dot), addresses, `*`; an optional :port must match. Case is ignored.
 * Loopback hosts are always excepted. */
bool moot__proxy_is_excepted(struct moot_view no_proxy, struct moot_view host, uint16_t port);

/* One CONNECT. Embedded in its owner; on_done comes once, from the loop, unless cancelled, with
 * MOOT_OK or MOOT_EPROXY: the detail names the proxy, and what it said. */
struct moot_proxy_connect {
    void (*on_done)(struct moot_proxy_connect *op);
    int status;
    char detail[256];

    struct moot_stream *stream;
    struct moot_view host; /* the proxy's, for the detail */
    uint16_t port;
    struct moot_http1_parser *parser;
    struct moot_buf out;
    size_t out_sent;
    int http_status;
    bool complete;
};

/* Ask the proxy behind `stream` for `host`:`port`. The stream stays the caller's; its on_ready and
 * owner are used until done. `proxy` gives the credential, if any, and outlives the exchange.
 * MOOT_ENOMEM, MOOT_EINVAL. */
MOOT_NODISCARD int moot__proxy_connect_start(struct moot_proxy_connect *op,
                                             const struct moot_allocator *allocator,
                                             struct moot_stream *stream,
                                             const struct moot_url *proxy,
                                             const struct moot_url *origin);
void moot__proxy_connect_cancel(struct moot_proxy_connect *op);

#endif
