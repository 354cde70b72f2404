#ifndef MOOT_TEST_CONNECT_PROXY_H
#define MOOT_TEST_CONNECT_PROXY_H

/* A small HTTP proxy for tests: it knows CONNECT, counts what it sees, and reaches one upstream
 * whatever name it is asked for; or it answers with a text of the test's. */
#include <stdbool.h>
#include <stddef.h>

#include "net/transport.h"

enum { PROXY_TUNNELS_MAX = 40, PROXY_HALF_BYTES = 16 << 10 };

/* One direction of a tunnel. */
struct proxy_half {
    struct moot_stream *from, *to;
    char bytes[PROXY_HALF_BYTES];
    size_t len;
    bool ended;
};

struct proxy_tunnel {
    struct connect_proxy *proxy;
    struct proxy_half up, down;
    char head[2048]; /* of the request, NUL-terminated */
    size_t head_len;
    bool is_open; /* bytes are passed on */
};

struct connect_proxy {
    struct moot_transport *transport;
    struct moot_acceptor acceptor; /* its address has the port */
    struct moot_address upstream;
    const char *answer; /* instead of a tunnel; NULL: a tunnel */
    struct proxy_tunnel tunnels[PROXY_TUNNELS_MAX];
    unsigned tunnel_count;
};

/* Listen on loopback; `upstream` and `answer` are set by the caller. */
void connect_proxy_open(struct connect_proxy *proxy, struct moot_transport *transport);
void connect_proxy_close(struct connect_proxy *proxy);

#endif
