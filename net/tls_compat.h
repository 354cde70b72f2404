#ifndef MOOT_NET_TLS_COMPAT_H
#define MOOT_NET_TLS_COMPAT_H

/* mbedTLS 2.28 (Debian 12) and 3.6 (Debian 13) under one set of names. Included by net/tls_*.c and
 * the internal headers among them only. Error numbers were re-used between the branches, so they
 * are tested by name and #ifdef, never by value. */
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#include <mbedtls/config.h>
#define MOOT_MBEDTLS_2 1
#else
#include <mbedtls/build_info.h>
#define MOOT_MBEDTLS_2 0
#endif

#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/cipher.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

/* Worker threads share the CTR_DRBG, the ticket keys and RSA contexts, which mbedTLS guards itself
 * when it was built with threads. */
#if !defined(MBEDTLS_THREADING_C)
#error "moot needs an mbedTLS that was built with MBEDTLS_THREADING_C"
#endif

#if !MOOT_MBEDTLS_2 && defined(MBEDTLS_SSL_PROTO_TLS1_3)
#define MOOT_TLS_HAS_1_3 1
#else
#define MOOT_TLS_HAS_1_3 0
#endif

static inline void moot__compat_versions(mbedtls_ssl_config *config, bool allow_1_3)
{
#if MOOT_MBEDTLS_2
    (void)allow_1_3;
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#else
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(config, allow_1_3 && MOOT_TLS_HAS_1_3
                                                 ? MBEDTLS_SSL_VERSION_TLS1_3
                                                 : MBEDTLS_SSL_VERSION_TLS1_2);
#endif
}

/* x25519 first: it halves the cost of a full handshake on 2.28. */
static inline void moot__compat_groups(mbedtls_ssl_config *config)
{
#if MOOT_MBEDTLS_2
    static const mbedtls_ecp_group_id groups[] = {MBEDTLS_ECP_DP_CURVE25519,
                                                  MBEDTLS_ECP_DP_SECP256R1,
                                                  MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
    mbedtls_ssl_conf_curves(config, groups);
#else
    static const uint16_t groups[] = {
        MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
        MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
    mbedtls_ssl_conf_groups(config, groups);
#endif
}

static inline bool moot__compat_is_1_3(const mbedtls_ssl_context *ssl)
{
#if MOOT_TLS_HAS_1_3
    return mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
#else
    (void)ssl;
    return false;
#endif
}

/* TLS 1.3 tickets come after the handshake; 3.6.1 and later tell of them only when asked to. */
/* What a peer may sign with, in the order of our preference. The library's own order has RSA-PSS
 * first, which its 1.3 needs, but which 3.6.6 refuses of a server that then chooses 1.2 and takes
 * our first; so PKCS #1 stands before it. */
static inline void moot__compat_signatures(mbedtls_ssl_config *config)
{
#if MOOT_TLS_HAS_1_3
    static const uint16_t signatures[] = {
        MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
        MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
        MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
        MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
        MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,    MBEDTLS_TLS1_3_SIG_NONE,
    };
    mbedtls_ssl_conf_sig_algs(config, signatures);
#else
    (void)config;
#endif
}

static inline void moot__compat_signal_tickets(mbedtls_ssl_config *config)
{
#ifdef MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#else
    (void)config;
#endif
}

static inline bool moot__compat_is_new_ticket(int rc)
{
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    return rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
    (void)rc;
    return false;
#endif
}

static inline bool moot__compat_is_version_error(int rc)
{
#ifdef MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION
    if (rc == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION)
        return true;
#endif
#ifdef MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION
    if (rc == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION)
        return true;
#endif
    return false;
}

/* An error is the sum of a module's and of what the module met below it. */
static inline bool moot__compat_is_no_memory(int rc)
{
    int below = rc < 0 ? -(-rc & 0x7f) : 0, above = rc < 0 ? rc - below : 0;
    return above == MBEDTLS_ERR_SSL_ALLOC_FAILED || above == MBEDTLS_ERR_X509_ALLOC_FAILED ||
           above == MBEDTLS_ERR_PK_ALLOC_FAILED || above == MBEDTLS_ERR_ECP_ALLOC_FAILED ||
           above == MBEDTLS_ERR_PEM_ALLOC_FAILED || above == MBEDTLS_ERR_MD_ALLOC_FAILED ||
           above == MBEDTLS_ERR_CIPHER_ALLOC_FAILED || below == MBEDTLS_ERR_MPI_ALLOC_FAILED ||
           below == MBEDTLS_ERR_ASN1_ALLOC_FAILED;
}

static inline int moot__compat_parse_key(mbedtls_pk_context *key, const unsigned char *pem,
                                         size_t size, mbedtls_ctr_drbg_context *rng)
{
#if MOOT_MBEDTLS_2
    (void)rng;
    return mbedtls_pk_parse_key(key, pem, size, NULL, 0);
#else
    return mbedtls_pk_parse_key(key, pem, size, NULL, 0, mbedtls_ctr_drbg_random, rng);
#endif
}

static inline int moot__compat_check_pair(const mbedtls_pk_context *public_key,
                                          const mbedtls_pk_context *key,
                                          mbedtls_ctr_drbg_context *rng)
{
#if MOOT_MBEDTLS_2
    (void)rng;
    return mbedtls_pk_check_pair(public_key, key);
#else
    return mbedtls_pk_check_pair(public_key, key, mbedtls_ctr_drbg_random, rng);
#endif
}

static inline int moot__compat_sign(mbedtls_pk_context *key, const unsigned char hash[32],
                                    unsigned char signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE],
                                    size_t *len, mbedtls_ctr_drbg_context *rng)
{
#if MOOT_MBEDTLS_2
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, 32, signature, len,
                           mbedtls_ctr_drbg_random, rng);
#else
    return mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, hash, 32, signature,
                           MBEDTLS_PK_SIGNATURE_MAX_SIZE, len, mbedtls_ctr_drbg_random, rng);
#endif
}

static inline int moot__compat_set_serial(mbedtls_x509write_cert *cert, unsigned char *serial,
                                          size_t len)
{
#if MOOT_MBEDTLS_2
    mbedtls_mpi number;
    mbedtls_mpi_init(&number);
    int rc = mbedtls_mpi_read_binary(&number, serial, len);
    if (rc == 0)
        rc = mbedtls_x509write_crt_set_serial(cert, &number);
    mbedtls_mpi_free(&number);
    return rc;
#else
    return mbedtls_x509write_crt_set_serial_raw(cert, serial, len);
#endif
}

#endif
