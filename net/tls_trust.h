#ifndef MOOT_NET_TLS_TRUST_H
#define MOOT_NET_TLS_TRUST_H

/* The inside of a trust, for the client's configuration and its workers. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tls.h"
#include "tls_compat.h"

struct moot_tls_trust {
    const struct moot_allocator *allocator;
    atomic_uint refs;
    mbedtls_x509_crt roots;
    /* 2.28 caches a table in the group of an EC root when it first verifies with it, without a lock
     * of its own; workers hold this one around the verification of a chain. */
    pthread_mutex_t verify_lock;
};

#endif
