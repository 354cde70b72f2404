#ifndef MOOT_NET_TLS_ENDPOINT_H
#define MOOT_NET_TLS_ENDPOINT_H

/* What a client and a server of a loop have in common: the mbedTLS configuration, randomness, the
 * gate that lets few handshakes compute at once, and a spare read buffer. Handshakes and streams
 * keep a reference, so that a client or server may be freed at any time. */
#include "tls.h"
#include "tls_compat.h"
#include "tls_identity.h"
#include "tls_session.h"

struct moot_tls_endpoint {
    struct moot_transport *transport;
    unsigned refs; /* the loop's */
    mbedtls_ssl_config config;
    struct moot_tls_rng rng;
    struct moot_tls_trust *trust;       /* of a client */
    struct moot_tls_identity *identity; /* of a server */
    struct moot_tls_sessions sessions;  /* of a client */
    char *spare;                        /* MOOT_LIMIT_READ_CHUNK_BYTES, or NULL */

    unsigned working;       /* handshakes in a worker */
    struct moot_list queue; /* struct moot_tls_turn, those that could go on */
    struct moot_task pump;
};

/* A place in the queue of the gate. `on_turn` runs from the loop's stack with a worker's place
 * free; it takes the place by moot__tls_gate_enter, or not. */
struct moot_tls_turn {
    struct moot_list node;
    void (*on_turn)(struct moot_tls_turn *turn);
};

void moot__tls_endpoint_unref(struct moot_tls_endpoint *endpoint);

/* A read buffer of MOOT_LIMIT_READ_CHUNK_BYTES; NULL when there is no memory. */
MOOT_NODISCARD char *moot__tls_buffer_take(struct moot_tls_endpoint *endpoint);
void moot__tls_buffer_give(struct moot_tls_endpoint *endpoint, char *buffer);

void moot__tls_gate_queue(struct moot_tls_endpoint *endpoint, struct moot_tls_turn *turn);
void moot__tls_gate_enter(struct moot_tls_endpoint *endpoint);
void moot__tls_gate_exit(struct moot_tls_endpoint *endpoint);

struct moot_tls_client {
    struct moot_tls_endpoint endpoint;
};
struct moot_tls_server {
    struct moot_tls_endpoint endpoint;
};

#endif
