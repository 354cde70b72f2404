/* CA roots: parsed once (some 10 ms and half a megabyte for a system's bundle), then shared by
 * every client of every loop.
 *
 * Fails closed: a trust holds at least one certificate or does not exist. A bundle in which some
 * certificates are unreadable is used without them, and the message says how many; distributions do
 * ship such bundles. */
#include "tls_trust.h"

#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/err.h"

static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine, Arch */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* older RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
    "/etc/ssl/cert.pem",                                 /* macOS, BSD */
    "/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD */
};

static struct moot_tls_trust *trust_new(const struct moot_allocator *allocator)
{
    struct moot_tls_trust *trust = moot__calloc(allocator, 1, sizeof(*trust));
    if (!trust)
        return NULL;
    if (pthread_mutex_init(&trust->verify_lock, NULL) != 0) {
        moot__free(allocator, trust);
        return NULL;
    }
    trust->allocator = allocator;
    atomic_init(&trust->refs, 1);
    mbedtls_x509_crt_init(&trust->roots);
    return trust;
}

static bool is_empty(const struct moot_tls_trust *trust)
{
    return trust->roots.raw.len == 0;
}

/* `skipped` is what mbedTLS returned: below 0 nothing could be read, above 0 so many could not. */
static int finish(struct moot_tls_trust *trust, int skipped, const char *source,
                  struct moot_tls_trust **out, struct moot_error_info *info)
{
    if (moot__compat_is_no_memory(skipped)) {
        moot__tls_trust_unref(trust);
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "no memory for CA certificates");
    }
    if (skipped < 0 || is_empty(trust)) {
        moot__tls_trust_unref(trust);
        return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_PREPARE,
                          "%s holds no readable CA certificate in PEM or DER form", source);
    }
    if (info)
        memset(info, 0, sizeof(*info));
    if (skipped > 0)
        moot__fail(info, MOOT_OK, MOOT_PHASE_PREPARE,
                   "%d of the certificates in %s could not be read and were skipped", skipped,
                   source);
    *out = trust;
    return MOOT_OK;
}

static int load_system(const struct moot_allocator *allocator, struct moot_tls_trust **out,
                       struct moot_error_info *info)
{
    for (size_t i = 0; i < moot__countof(system_bundles); i++) {
        struct moot_tls_trust *trust = trust_new(allocator);
        if (!trust)
            return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "no memory for a trust");
        int skipped = mbedtls_x509_crt_parse_file(&trust->roots, system_bundles[i]);
        if ((skipped >= 0 && !is_empty(trust)) || moot__compat_is_no_memory(skipped))
            return finish(trust, skipped, system_bundles[i], out, info);
        moot__tls_trust_unref(trust);
    }
    return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_PREPARE,
                      "no CA certificates found in %s, %s, %s, %s, %s or %s; install "
                      "ca-certificates or name a file",
                      system_bundles[0], system_bundles[1], system_bundles[2], system_bundles[3],
                      system_bundles[4], system_bundles[5]);
}

int moot__tls_trust_load(const struct moot_allocator *allocator, const char *ca_file,
                         struct moot_tls_trust **out, struct moot_error_info *info)
{
    assert(out);
    *out = NULL;
    if (!ca_file)
        return load_system(allocator, out, info);
    struct moot_tls_trust *trust = trust_new(allocator);
    if (!trust)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "no memory for a trust");
    return finish(trust, mbedtls_x509_crt_parse_file(&trust->roots, ca_file), ca_file, out, info);
}

int moot__tls_trust_parse(const struct moot_allocator *allocator, struct moot_view pem,
                          struct moot_tls_trust **out, struct moot_error_info *info)
{
    assert(out);
    *out = NULL;
    struct moot_tls_trust *trust = trust_new(allocator);
    char *text = moot__strdup(allocator, pem);
    if (!trust || !text) {
        moot__tls_trust_unref(trust);
        moot__free(allocator, text);
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "no memory for a trust");
    }
    /* The length includes the NUL: that is how mbedTLS tells PEM from DER. */
    int skipped = mbedtls_x509_crt_parse(&trust->roots, (const unsigned char *)text, pem.len + 1);
    moot__free(allocator, text);
    return finish(trust, skipped, "the given text", out, info);
}

struct moot_tls_trust *moot__tls_trust_ref(struct moot_tls_trust *trust)
{
    atomic_fetch_add_explicit(&trust->refs, 1, memory_order_relaxed);
    return trust;
}

void moot__tls_trust_unref(struct moot_tls_trust *trust)
{
    if (!trust || atomic_fetch_sub_explicit(&trust->refs, 1, memory_order_acq_rel) != 1)
        return;
    mbedtls_x509_crt_free(&trust->roots);
    pthread_mutex_destroy(&trust->verify_lock);
    moot__free(trust->allocator, trust);
}
