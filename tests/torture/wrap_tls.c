/* mbedTLS, called by net/tls*.c. Types of mbedTLS stay behind net/tls.h: here are only pointers.
 *
 * And a rule: a handshake in which memory failed never ends in a session from which a byte is
 * taken. mbedTLS before 2.28.10 does not notice when it had none for its own Finished, which may be
 * the last message of all (CVE-2025-27810): the session then seems made, until the peer refuses. */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "torture.h"
#include "wrap.h"

enum {
    INTERNAL_ERROR = -0x6C00, /* MBEDTLS_ERR_SSL_INTERNAL_ERROR */
    NO_ENTROPY = -0x0034,     /* MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED */
    SHAKEN_MAX = 64,
};

/* Since 3.0 (which has this header) some functions are given randomness. */
#if __has_include(<mbedtls/build_info.h>)
#define AND_RANDOM       , int (*random)(void *, unsigned char *, size_t), void *context
#define AND_RANDOM_GIVEN , random, context
#else
#define AND_RANDOM
#define AND_RANDOM_GIVEN
#endif

WRAP(int, mbedtls_ssl_setup, (void *ssl, const void *config), (ssl, config), TORTURE_TLS,
     return INTERNAL_ERROR)
WRAP(int, mbedtls_ssl_set_hostname, (void *ssl, const char *name), (ssl, name), TORTURE_TLS,
     return INTERNAL_ERROR)
WRAP(int, mbedtls_ssl_set_session, (void *ssl, const void *session), (ssl, session), TORTURE_TLS,
     return INTERNAL_ERROR)
WRAP(int, mbedtls_ssl_get_session, (const void *ssl, void *session), (ssl, session), TORTURE_TLS,
     return INTERNAL_ERROR)
WRAP(int, mbedtls_ssl_config_defaults, (void *config, int side, int transport, int preset),
     (config, side, transport, preset), TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_ssl_conf_own_cert, (void *config, void *cert, void *key), (config, cert, key),
     TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_ssl_write, (void *ssl, const unsigned char *data, size_t len), (ssl, data, len),
     TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_ssl_close_notify, (void *ssl), (ssl), TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_ssl_ticket_setup,
     (void *ticket, int (*random)(void *, unsigned char *, size_t), void *context, int cipher,
      unsigned lifetime),
     (ticket, random, context, cipher, lifetime), TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_x509_crt_parse, (void *chain, const unsigned char *text, size_t size),
     (chain, text, size), TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_x509_crt_parse_file, (void *chain, const char *path), (chain, path), TORTURE_TLS,
     return INTERNAL_ERROR)
WRAP(int, mbedtls_pk_parse_key,
     (void *key, const unsigned char *text, size_t size, const unsigned char *word,
      size_t len AND_RANDOM),
     (key, text, size, word, len AND_RANDOM_GIVEN), TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_pk_check_pair, (const void *left, const void *right AND_RANDOM),
     (left, right AND_RANDOM_GIVEN), TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_pk_setup, (void *key, const void *info), (key, info), TORTURE_TLS,
     return INTERNAL_ERROR)
WRAP(int, mbedtls_ecp_gen_key,
     (int group, void *key, int (*random)(void *, unsigned char *, size_t), void *context),
     (group, key, random, context), TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_x509write_crt_pem,
     (void *cert, unsigned char *text, size_t size, int (*random)(void *, unsigned char *, size_t),
      void *context),
     (cert, text, size, random, context), TORTURE_TLS, return INTERNAL_ERROR)
WRAP(int, mbedtls_pk_write_key_pem, (void *key, unsigned char *text, size_t size),
     (key, text, size), TORTURE_TLS, return INTERNAL_ERROR)

/* ---- Randomness ---- */

/* Entropy that is the same in every run, so that a case can be repeated. The library finds it here
 * before its own, for our generators and for PSA's. */
int mbedtls_entropy_func(void *context, unsigned char *data, size_t len);
int mbedtls_entropy_func(void *context, unsigned char *data, size_t len)
{
    (void)context;
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)(17 * i + 5);
    return 0;
}

WRAP(int, mbedtls_ctr_drbg_seed,
     (void *drbg, int (*entropy)(void *, unsigned char *, size_t), void *context,
      const unsigned char *custom, size_t len),
     (drbg, entropy, context, custom, len), TORTURE_RANDOM, return NO_ENTROPY)
WRAP(int, mbedtls_ctr_drbg_random, (void *drbg, unsigned char *data, size_t len), (drbg, data, len),
     TORTURE_RANDOM, return NO_ENTROPY)

/* ---- PSA ---- */

int psa_crypto_init(void);
void mbedtls_psa_crypto_free(void);

/* A process has one PSA, made by the first who needs it and never freed. Since 3.6 it takes memory
 * for its keys when the first of them is made, and keeps it: not lost, but not given back either.
 * And whoever comes later does not ask for it, so that it would fail in the first case only. */
void torture_renew_psa(void)
{
    mbedtls_psa_crypto_free();
    torture_check(psa_crypto_init() == 0, "no PSA");
}

/* ---- What the library loses ---- */

static size_t lost;

size_t torture_tls_lost(void)
{
    return lost;
}

void torture_tls_forget_lost(void)
{
    lost = 0;
}

/* mbedTLS 3.6.6 frees the keys of a TLS 1.3 session that could not be made whole, but not what they
 * point to (compute_handshake_transform and compute_application_transform in ssl_tls13_keys.c). The
 * library finds this function here before its own, which is the next. Simulation only: one thread.
 */
typedef int populate_fn(void *transform, int endpoint, int suite, const void *keys, void *ssl);
populate_fn mbedtls_ssl_tls13_populate_transform;
int mbedtls_ssl_tls13_populate_transform(void *transform, int endpoint, int suite, const void *keys,
                                         void *ssl)
{
    populate_fn *populate;
    void *symbol = dlsym(RTLD_NEXT, __func__);
    memcpy(&populate, &symbol, sizeof populate);
    size_t before = torture_library_blocks(TORTURE_MBEDTLS);
    int rc = populate(transform, endpoint, suite, keys, ssl);
    if (rc != 0)
        lost += torture_library_blocks(TORTURE_MBEDTLS) - before;
    return rc;
}

/* ---- Handshakes ---- */

/* Contexts in whose handshake memory failed. Simulation only: one thread. */
static const void *tainted[SHAKEN_MAX];
static unsigned tainted_count;

int __real_mbedtls_ssl_handshake_step(void *ssl);
int __wrap_mbedtls_ssl_handshake_step(void *ssl);
int __wrap_mbedtls_ssl_handshake_step(void *ssl)
{
    if (torture_fails(TORTURE_TLS))
        return INTERNAL_ERROR;
    size_t before = torture_failures_of(TORTURE_MBEDTLS);
    int rc = __real_mbedtls_ssl_handshake_step(ssl);
    if (torture_failures_of(TORTURE_MBEDTLS) > before && tainted_count < SHAKEN_MAX)
        tainted[tainted_count++] = ssl;
    return rc;
}

void __real_mbedtls_ssl_free(void *ssl);
void __wrap_mbedtls_ssl_free(void *ssl);
void __wrap_mbedtls_ssl_free(void *ssl)
{
    for (unsigned i = 0; i < tainted_count; i++)
        if (tainted[i] == ssl)
            tainted[i] = NULL;
    __real_mbedtls_ssl_free(ssl);
}

int __real_mbedtls_ssl_read(void *ssl, unsigned char *data, size_t cap);
int __wrap_mbedtls_ssl_read(void *ssl, unsigned char *data, size_t cap);
int __wrap_mbedtls_ssl_read(void *ssl, unsigned char *data, size_t cap)
{
    if (torture_fails(TORTURE_TLS))
        return INTERNAL_ERROR;
    int rc = __real_mbedtls_ssl_read(ssl, data, cap);
    for (unsigned i = 0; i < tainted_count && rc > 0; i++)
        torture_check(tainted[i] != ssl, "a session is used whose handshake had no memory");
    return rc;
}
