#ifndef MOOT_NET_TLS_VERIFY_H
#define MOOT_NET_TLS_VERIFY_H

/* Our own part of the verification of a server's certificate, on top of mbedTLS's chain and name
 * checks: IP literals against IP entries of the subjectAltName (which 2.28 cannot do), no fallback
 * to the common name (RFC 9525), and a text that says which certificate was refused and why. */
#include <moot/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/view.h"
#include "tls_compat.h"

struct moot_tls_verify {
    char host[256];
    bool is_ip;
    uint8_t ip[16];
    size_t ip_len;
    bool called;       /* a certificate was looked at: the session was not resumed */
    char refusal[224]; /* "" while nothing is wrong */
};

/* A trailing dot is dropped. MOOT_EINVAL when the host is empty, too long or holds a NUL. */
MOOT_NODISCARD int moot__tls_verify_init(struct moot_tls_verify *verify, struct moot_view host);

/* For mbedtls_ssl_set_verify; `context` is the struct. Runs in the worker. */
int moot__tls_verify_certificate(void *context, mbedtls_x509_crt *certificate, int depth,
                                 uint32_t *flags);

/* What mbedTLS's result alone says, for flags that are set after the certificates were looked at.
 */
const char *moot__tls_verify_text(uint32_t flags);

#endif
