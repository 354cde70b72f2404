#ifndef MOOT_NET_POOL_H
#define MOOT_NET_POOL_H

/* Connections of one loop, kept alive between calls. An origin is everything that must be equal for
 * two calls to share a connection: scheme, host, port, trust, proxy and the identity of the
 * credential. Equal specs give the same origin; nothing else ever mixes.
 *
 * A connection is made by dialling, by CONNECT when there is a proxy, by a handshake when the
 * scheme is https, each with its own machine; this file strings them together. */
#include "dial.h"
#include "dns.h"
#include "engine/base/sm.h"
#include "proxy.h"
#include "tls.h"
#include "url.h"

struct moot_call;
struct moot_origin;

struct moot_pool {
    struct moot_transport *transport;
    struct moot_dns *dns;
    struct moot_tls_client *tls; /* NULL when no origin is https */
    struct moot_list origins;
    struct moot_timer sweep;
    size_t connections, handshakes, resumed; /* counters since the start; connections: made */
    size_t open;                             /* connections now */
    struct moot_buf spare_request; /* what the next call writes its request into, or nothing */
    char *scratch;                 /* one read's bytes, shared by all */
    /* Ceilings, from limits.h; after init they may be set lower. */
    size_t read_bytes_max; /* of one read */
    size_t idle_max;       /* connections kept for an origin */
};

struct moot_origin_spec {
    struct moot_url url;    /* scheme, host, port; the path is not looked at */
    struct moot_view proxy; /* a proxy's URL, or empty */
    uint64_t identity;      /* of the credential: equal only when the credential is the same one */
    bool allow_link_local;  /* for tests of the dialler; never set from outside data */
};

MOOT_NODISCARD int moot__pool_init(struct moot_pool *pool, struct moot_transport *transport,
                                   struct moot_dns *dns, struct moot_tls_client *tls);
/* Close every connection. No call may be under way. */
void moot__pool_deinit(struct moot_pool *pool);

/* The origin of a spec, made at first sight, alive until the pool ends. MOOT_ENOMEM, MOOT_EINVAL (a
 * proxy URL that is none, or not http://). */
MOOT_NODISCARD int moot__pool_origin(struct moot_pool *pool, const struct moot_origin_spec *spec,
                                     struct moot_origin **out);
struct moot_view moot__origin_authority(const struct moot_origin *origin); /* for a Host header */

/* One connection. It is idle in its origin's list, or serves one call. */
struct moot_connection {
    struct moot_pool *pool;
    struct moot_origin *origin;
    struct moot_list node; /* in origin->idle or origin->busy */
    struct moot_sm sm;
    struct moot_dial dial;
    struct moot_proxy_connect proxy;
    struct moot_tls_handshake tls;
    struct moot_stream *stream;
    struct moot_http1_parser *parser;
    struct moot_call *call; /* whom it serves */
    uint64_t idle_since_ns;
    uint64_t resolve_ns, connect_ns, tls_ns;
    bool reused, resumed;
    bool keep_alive, eof_delimited; /* of the response being read */
    bool reading;                   /* inside a read; freeing waits for its end */
    bool doomed;
};

/* Give the call a connection: an idle one at once (returns it with `reused` set), else a new one
 * that is under way; when it is ready or has failed, moot__call_on_connected tells the call.
 * MOOT_ENOMEM. */
MOOT_NODISCARD int moot__pool_take(struct moot_origin *origin, struct moot_call *call,
                                   struct moot_connection **out);

/* The call is done with it: keep it for the next, or close it. */
void moot__pool_give_back(struct moot_connection *connection);
void moot__pool_discard(struct moot_connection *connection);

/* What the pool tells a call; implemented in call.c. */
void moot__call_on_connected(struct moot_call *call, int status, enum moot_phase phase,
                             const char *detail);
void moot__call_on_ready(struct moot_call *call, unsigned ready);
extern const struct moot_http1_callbacks moot__call_http1_callbacks; /* context: the connection */

#endif
