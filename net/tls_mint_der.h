#ifndef MOOT_NET_TLS_MINT_DER_H
#define MOOT_NET_TLS_MINT_DER_H

/* The DER that mbedTLS has no helper for, or a wrong one. For tls_mint.c alone. */
#include <moot/error.h>

#include "engine/base/buf.h"
#include "tls_compat.h"

enum { MOOT_DER_SEQUENCE = 0x30, MOOT_DER_BIT_STRING = 0x03 };

/* A tag and a length below 64 KiB. Errors as moot__buf_append. */
MOOT_NODISCARD int moot__der_put_header(struct moot_buf *buf, int tag, size_t len);

/* mbedTLS 2.28 names ecdsa-with-SHA256 with a NULL parameter, which RFC 5758 section 3.2 forbids
 * and rustls refuses. Append to `out` the same certificate named right and signed again with `key`,
 * the issuer's; one that is right already as it is. MOOT_ETLS (not a certificate, or no
 * randomness), MOOT_ENOMEM, MOOT_ELIMIT. */
MOOT_NODISCARD int moot__der_mend_certificate(struct moot_view der, mbedtls_pk_context *key,
                                              mbedtls_ctr_drbg_context *rng, struct moot_buf *out);

#endif
