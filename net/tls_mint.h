#ifndef MOOT_NET_TLS_MINT_H
#define MOOT_NET_TLS_MINT_H

/* Makes a certificate authority and server certificates signed by it, for the emulator, demos and
 * tests. ECDSA P-256 with SHA-256; the authority's key leaves this module only as PEM. */
#include <moot/error.h>
#include <stdint.h>

#include "engine/base/alloc.h"
#include "engine/base/view.h"

enum { MOOT_TLS_MINT_NAMES_MAX = 32 };

struct moot_tls_mint_options {
    struct moot_view common_name;  /* of the server; empty: the first name, or "moot" */
    const struct moot_view *names; /* DNS names and IP literals of the subjectAltName; */
    size_t name_count;             /* none: no subjectAltName, which our clients refuse */
    uint64_t wall_ns;              /* now, since 1970: valid from a day before it ... */
    unsigned days;                 /* ... until this many days after it; 0: 30 */
};

/* PEM texts, NUL-terminated, owned. */
struct moot_tls_minted {
    const struct moot_allocator *allocator;
    char *ca_pem;          /* what clients are to trust */
    char *certificate_pem; /* the server's certificate */
    char *key_pem;         /* its private key; wiped by deinit */
};

/* Make a new authority and one server certificate. Costs some milliseconds. MOOT_EINVAL (too many
 * or too long names), MOOT_ENOMEM, MOOT_ETLS (no randomness). On failure *out is empty. */
MOOT_NODISCARD int moot__tls_mint(const struct moot_allocator *allocator,
                                  const struct moot_tls_mint_options *options,
                                  struct moot_tls_minted *out);
void moot__tls_minted_deinit(
    struct moot_tls_minted *minted); /* safe on a zeroed struct, and twice */

#endif
