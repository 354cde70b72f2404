#ifndef MOOT_NET_LISTENER_H
#define MOOT_NET_LISTENER_H

/* A listening socket that gives streams ready for HTTP: over TLS after the handshake. Holds the cap
 * on connections and the deadline of handshakes. */
#include "tls.h"
#include "transport.h"

struct moot_listener;

struct moot_listener_options {
    struct moot_transport *transport;
    struct moot_address address; /* port 0: the system's choice */
    struct moot_tls_server *tls; /* NULL: plain; must outlive the listener */
    unsigned connections_max;    /* shaking hands and given out; more are reset. 0: no cap */
    uint64_t handshake_ns;       /* 0: 10 s */
    /* A stream, now the owner's. Never called from moot__listener_open. May close the listener. */
    void (*on_stream)(struct moot_listener *listener, struct moot_stream *stream);
    void *owner;
};

struct moot_listener_stats {
    unsigned open;        /* given out and not yet released */
    unsigned handshaking; /* accepted, TLS not yet done */
    uint64_t accepted, refused, handshakes_failed;
    char last_failure[256]; /* why the last handshake failed, or "" */
};

/* MOOT_ECONNECT (the address cannot be bound), MOOT_ENOMEM, MOOT_EINVAL. */
MOOT_NODISCARD int moot__listener_open(const struct moot_listener_options *options,
                                       struct moot_listener **out);

/* With the real port. */
struct moot_address moot__listener_address(const struct moot_listener *listener);
void *moot__listener_owner(const struct moot_listener *listener);
struct moot_listener_stats moot__listener_stats(const struct moot_listener *listener);

/* The owner closed a stream that it got: its place is free again. */
void moot__listener_release(struct moot_listener *listener);

/* Stop listening, give up handshakes, free the listener; no callback follows. Streams given out
 * stay the owner's. NULL does nothing. */
void moot__listener_close(struct moot_listener *listener);

#endif
