#include "tls_mint_der.h"

#include <mbedtls/asn1.h>
#include <mbedtls/md.h>
#include <string.h>

#include "engine/base/check.h"

int moot__der_put_header(struct moot_buf *buf, int tag, size_t len)
{
    assert(len < 0x10000);
    unsigned char header[4] = {(unsigned char)tag};
    size_t used = 1;
    if (len >= 0x100) {
        header[used++] = 0x82;
        header[used++] = (unsigned char)(len >> 8);
    } else if (len >= 0x80) {
        header[used++] = 0x81;
    }
    header[used++] = (unsigned char)(len & 0xff);
    return moot__buf_append(buf, header, used);
}

/* SEQUENCE { OID 1.2.840.10045.4.3.2 ecdsa-with-SHA256 }, and as 2.28 writes it. */
static const unsigned char algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                          0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const unsigned char algorithm_with_null[] = {0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                                    0xce, 0x3d, 0x04, 0x03, 0x02, 0x05, 0x00};

/* A SEQUENCE of three pieces, the middle one being `algorithm`. */
static int put_around(struct moot_buf *out, struct moot_view before, struct moot_view after)
{
    int rc =
        moot__der_put_header(out, MOOT_DER_SEQUENCE, before.len + sizeof(algorithm) + after.len);
    if (!rc)
        rc = moot__buf_append_view(out, before);
    if (!rc)
        rc = moot__buf_append(out, algorithm, sizeof(algorithm));
    return rc ? rc : moot__buf_append_view(out, after);
}

/* BIT STRING of the key's signature over `signed_part`. */
static int put_signature(struct moot_buf *out, struct moot_view signed_part,
                         mbedtls_pk_context *key, mbedtls_ctr_drbg_context *rng)
{
    unsigned char hash[32], signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t len = 0;
    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                   (const unsigned char *)signed_part.ptr, signed_part.len, hash) != 0 ||
        moot__compat_sign(key, hash, signature, &len, rng) != 0)
        return MOOT_ETLS;
    int rc = moot__der_put_header(out, MOOT_DER_BIT_STRING, len + 1);
    if (!rc)
        rc = moot__buf_append_byte(out, 0); /* no unused bits */
    return rc ? rc : moot__buf_append(out, signature, len);
}

/* What is signed, with its algorithm named right. */
static int put_signed_part(struct moot_buf *out, const mbedtls_x509_crt *certificate)
{
    unsigned char *body = certificate->tbs.p, *end = body + certificate->tbs.len;
    size_t body_bytes;
    if (mbedtls_asn1_get_tag(&body, end, &body_bytes, MOOT_DER_SEQUENCE) != 0)
        return MOOT_ETLS;
    const unsigned char *named = certificate->sig_oid.p - 4; /* two headers before the OID */
    const unsigned char *rest = named + sizeof(algorithm_with_null);
    struct moot_view before = {(const char *)body, (size_t)(named - body)};
    struct moot_view after = {(const char *)rest, (size_t)(end - rest)};
    return put_around(out, before, after);
}

static bool is_with_null(const mbedtls_x509_crt *certificate)
{
    const unsigned char *end = certificate->tbs.p + certificate->tbs.len;
    const unsigned char *named = certificate->sig_oid.p - 4;
    return (size_t)(end - named) >= sizeof(algorithm_with_null) &&
           memcmp(named, algorithm_with_null, sizeof(algorithm_with_null)) == 0;
}

static int mend(const mbedtls_x509_crt *certificate, mbedtls_pk_context *key,
                mbedtls_ctr_drbg_context *rng, struct moot_buf *out)
{
    struct moot_buf part, signature;
    moot__buf_init(&part, out->allocator, out->max);
    moot__buf_init(&signature, out->allocator, out->max);
    int rc = put_signed_part(&part, certificate);
    if (!rc)
        rc = put_signature(&signature, moot__buf_view(&part), key, rng);
    if (!rc)
        rc = put_around(out, moot__buf_view(&part), moot__buf_view(&signature));
    moot__buf_deinit(&signature);
    moot__buf_deinit(&part);
    return rc;
}

int moot__der_mend_certificate(struct moot_view der, mbedtls_pk_context *key,
                               mbedtls_ctr_drbg_context *rng, struct moot_buf *out)
{
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    int rc = mbedtls_x509_crt_parse_der(&certificate, (const unsigned char *)der.ptr, der.len);
    if (rc)
        rc = MOOT_ETLS;
    else if (is_with_null(&certificate))
        rc = mend(&certificate, key, rng, out);
    else
        rc = moot__buf_append_view(out, der);
    mbedtls_x509_crt_free(&certificate);
    return rc;
}
