/* A server's certificate, its key and the keys of its session tickets: what all servers of one name
 * have in common, whatever loop they run on. */
#include "tls_identity.h"

#include <pthread.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/err.h"

enum { TICKET_LIFETIME_S = 24 * 60 * 60 };

/* The one mutable variable of the library: PSA's state is global to the process, and before 4.0 two
 * threads must not initialise it at the same time. */
static pthread_once_t psa_once = PTHREAD_ONCE_INIT;

static void psa_init(void)
{
    moot__ignore(psa_crypto_init() != PSA_SUCCESS); /* a failure shows in the first handshake */
}

int moot__tls_rng_init(struct moot_tls_rng *rng)
{
    static const char label[] = "moot-tls";
    pthread_once(&psa_once, psa_init);
    mbedtls_entropy_init(&rng->entropy);
    mbedtls_ctr_drbg_init(&rng->drbg);
    int rc = mbedtls_ctr_drbg_seed(&rng->drbg, mbedtls_entropy_func, &rng->entropy,
                                   (const unsigned char *)label, sizeof(label) - 1);
    return rc == 0 ? MOOT_OK : MOOT_ETLS;
}

void moot__tls_rng_deinit(struct moot_tls_rng *rng)
{
    mbedtls_ctr_drbg_free(&rng->drbg);
    mbedtls_entropy_free(&rng->entropy);
}

/* mbedTLS could not: for what `text` says, or because it had no memory. */
static int refuse(struct moot_error_info *info, int rc, const char *text)
{
    if (moot__compat_is_no_memory(rc))
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE,
                          "no memory for a server's certificate");
    return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_PREPARE, "%s", text);
}

static int parse_chain(struct moot_tls_identity *identity, const char *pem, size_t len,
                       struct moot_error_info *info)
{
    int rc = mbedtls_x509_crt_parse(&identity->chain, (const unsigned char *)pem, len + 1);
    return rc ? refuse(info, rc, "the server's certificate is not readable PEM") : MOOT_OK;
}

static int parse_key(struct moot_tls_identity *identity, const char *pem, size_t len,
                     struct moot_error_info *info)
{
    int rc = moot__compat_parse_key(&identity->key, (const unsigned char *)pem, len + 1,
                                    &identity->rng.drbg);
    if (rc)
        return refuse(info, rc, "the server's private key is not readable PEM (or has a password)");
    rc = moot__compat_check_pair(&identity->chain.pk, &identity->key, &identity->rng.drbg);
    if (rc)
        return refuse(info, rc, "the private key does not belong to the server's certificate");
    /* One signature now: 2.28 caches a table in the key when it first signs, without a lock, and
     * workers will share the key. */
    static const unsigned char hash[32] = {1};
    unsigned char signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t used;
    rc = moot__compat_sign(&identity->key, hash, signature, &used, &identity->rng.drbg);
    return rc ? refuse(info, rc, "the server's private key cannot sign") : MOOT_OK;
}

static int fill(struct moot_tls_identity *identity, struct moot_view certificate_pem,
                struct moot_view key_pem, struct moot_error_info *info)
{
    char *certificate = moot__strdup(identity->allocator, certificate_pem);
    char *key = moot__strdup(identity->allocator, key_pem);
    int rc = certificate && key ? MOOT_OK : MOOT_ENOMEM;
    if (rc)
        moot__fail(info, rc, MOOT_PHASE_PREPARE, "no memory for a server's certificate");
    if (!rc)
        rc = parse_chain(identity, certificate, certificate_pem.len, info);
    if (!rc)
        rc = parse_key(identity, key, key_pem.len, info);
    if (key)
        moot__wipe(key, key_pem.len);
    moot__free(identity->allocator, key);
    moot__free(identity->allocator, certificate);
    return rc;
}

int moot__tls_identity_parse(const struct moot_allocator *allocator,
                             struct moot_view certificate_pem, struct moot_view key_pem,
                             struct moot_tls_identity **out, struct moot_error_info *info)
{
    assert(out);
    *out = NULL;
    struct moot_tls_identity *identity = moot__calloc(allocator, 1, sizeof(*identity));
    if (!identity)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "no memory for an identity");
    identity->allocator = allocator;
    atomic_init(&identity->refs, 1);
    mbedtls_x509_crt_init(&identity->chain);
    mbedtls_pk_init(&identity->key);
    mbedtls_ssl_ticket_init(&identity->tickets);
    int rc = moot__tls_rng_init(&identity->rng);
    if (!rc &&
        mbedtls_ssl_ticket_setup(&identity->tickets, mbedtls_ctr_drbg_random, &identity->rng.drbg,
                                 MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFETIME_S) != 0)
        rc = MOOT_ETLS;
    if (rc)
        moot__fail(info, rc, MOOT_PHASE_PREPARE, "no randomness for a server's tickets");
    else
        rc = fill(identity, certificate_pem, key_pem, info);
    if (rc) {
        moot__tls_identity_unref(identity);
        return rc;
    }
    if (info)
        memset(info, 0, sizeof(*info));
    *out = identity;
    return MOOT_OK;
}

struct moot_tls_identity *moot__tls_identity_ref(struct moot_tls_identity *identity)
{
    atomic_fetch_add_explicit(&identity->refs, 1, memory_order_relaxed);
    return identity;
}

void moot__tls_identity_unref(struct moot_tls_identity *identity)
{
    if (!identity || atomic_fetch_sub_explicit(&identity->refs, 1, memory_order_acq_rel) != 1)
        return;
    mbedtls_ssl_ticket_free(&identity->tickets);
    mbedtls_pk_free(&identity->key);
    mbedtls_x509_crt_free(&identity->chain);
    moot__tls_rng_deinit(&identity->rng);
    moot__free(identity->allocator, identity);
}
