#ifndef MOOT_NET_TLS_IDENTITY_H
#define MOOT_NET_TLS_IDENTITY_H

/* The inside of an identity, for the server's configuration; and the randomness that identities,
 * clients and servers each have of their own. */
#include <stdatomic.h>
#include <stdbool.h>

#include "tls.h"
#include "tls_compat.h"

struct moot_tls_rng {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg; /* has mbedTLS's own lock: workers share it */
};

/* MOOT_ETLS when the system gives no entropy. deinit is safe after a failed init. Also makes sure
 * that PSA, which TLS 1.3 is built on, was initialised once in the process. */
MOOT_NODISCARD int moot__tls_rng_init(struct moot_tls_rng *rng);
void moot__tls_rng_deinit(struct moot_tls_rng *rng);

struct moot_tls_identity {
    const struct moot_allocator *allocator;
    atomic_uint refs;
    struct moot_tls_rng rng;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    mbedtls_ssl_ticket_context tickets; /* has a lock of its own, too */
};

#endif
