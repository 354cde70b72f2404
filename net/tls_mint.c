/* Certificates for the emulator and the tests. The extensions that 2.28's writer has no helper for
 * (subjectAltName, extended key usage) are written as DER here, and what it signs is mended. */
#include "tls_mint.h"

#include <arpa/inet.h>
#include <mbedtls/pem.h>
#include <string.h>
#include <time.h>

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "tls_compat.h"
#include "tls_identity.h"
#include "tls_mint_der.h"

enum {
    DAY_S = 24 * 60 * 60,
    CA_DAYS = 3650,
    SAN_BYTES = 16 << 10,
    PEM_BYTES = 16 << 10,
    NAME_BYTES = 253,
    TAG_SAN_DNS = 0x82,
    TAG_SAN_IP = 0x87,
};

struct mint {
    const struct moot_allocator *allocator;
    const struct moot_tls_mint_options *options;
    struct moot_tls_rng rng;
    mbedtls_pk_context ca_key, key;
    struct moot_buf san;
    char *pem; /* scratch of PEM_BYTES; wiped */
};

/* --- DER ------------------------------------------------------------------------------------- */

static int put_name(struct moot_buf *buf, struct moot_view name)
{
    char text[NAME_BYTES + 1];
    unsigned char ip[16];
    if (name.len == 0 || name.len > NAME_BYTES)
        return MOOT_EINVAL;
    moot__view_copy(name, text, sizeof(text));
    size_t ip_len = 0;
    if (inet_pton(AF_INET, text, ip) == 1)
        ip_len = 4;
    else if (inet_pton(AF_INET6, text, ip) == 1)
        ip_len = 16;
    int rc =
        moot__der_put_header(buf, ip_len ? TAG_SAN_IP : TAG_SAN_DNS, ip_len ? ip_len : name.len);
    if (rc)
        return rc;
    return ip_len ? moot__buf_append(buf, ip, ip_len) : moot__buf_append_view(buf, name);
}

/* SEQUENCE OF GeneralName into mint->san. */
static int write_san(struct mint *mint)
{
    struct moot_buf names;
    moot__buf_init(&names, mint->allocator, SAN_BYTES);
    int rc = MOOT_OK;
    for (size_t i = 0; i < mint->options->name_count && !rc; i++)
        rc = put_name(&names, mint->options->names[i]);
    if (!rc)
        rc = moot__der_put_header(&mint->san, MOOT_DER_SEQUENCE, names.len);
    if (!rc)
        rc = moot__buf_append(&mint->san, names.data, names.len);
    moot__buf_deinit(&names);
    return rc;
}

/* --- keys and certificates ------------------------------------------------------------------- */

static int make_key(struct mint *mint, mbedtls_pk_context *key)
{
    if (mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0)
        return MOOT_ENOMEM;
    int rc = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
                                 mbedtls_ctr_drbg_random, &mint->rng.drbg);
    return rc == 0 ? MOOT_OK : MOOT_ETLS;
}

static int set_validity(mbedtls_x509write_cert *cert, uint64_t wall_ns, unsigned days)
{
    char from[16], to[16];
    time_t now = (time_t)(wall_ns / MOOT_NS_PER_S);
    time_t begin = now - DAY_S, end = now + (time_t)days * DAY_S;
    struct tm begin_tm, end_tm;
    if (!gmtime_r(&begin, &begin_tm) || !gmtime_r(&end, &end_tm) ||
        strftime(from, sizeof(from), "%Y%m%d%H%M%S", &begin_tm) == 0 ||
        strftime(to, sizeof(to), "%Y%m%d%H%M%S", &end_tm) == 0)
        return MOOT_EINVAL;
    return mbedtls_x509write_crt_set_validity(cert, from, to) == 0 ? MOOT_OK : MOOT_EINVAL;
}

static int set_serial(struct mint *mint, mbedtls_x509write_cert *cert)
{
    unsigned char serial[16];
    if (mbedtls_ctr_drbg_random(&mint->rng.drbg, serial, sizeof(serial)) != 0)
        return MOOT_ETLS;
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, and never short */
    return moot__compat_set_serial(cert, serial, sizeof(serial)) == 0 ? MOOT_OK : MOOT_ENOMEM;
}

static int set_names(mbedtls_x509write_cert *cert, struct moot_view subject)
{
    char name[NAME_BYTES + 4] = "CN=";
    if (subject.len == 0 || subject.len > 64 || memchr(subject.ptr, ',', subject.len))
        subject = MOOT_VIEW("moot"); /* X.520 allows 64 characters */
    moot__view_copy(subject, name + 3, sizeof(name) - 3);
    int named = mbedtls_x509write_crt_set_subject_name(cert, name);
    if (named)
        return moot__compat_is_no_memory(named) ? MOOT_ENOMEM : MOOT_EINVAL;
    return mbedtls_x509write_crt_set_issuer_name(cert, "CN=moot test authority") == 0 ? MOOT_OK
                                                                                      : MOOT_ENOMEM;
}

static int set_ca_extensions(mbedtls_x509write_cert *cert)
{
    if (mbedtls_x509write_crt_set_basic_constraints(cert, 1, 0) != 0 ||
        mbedtls_x509write_crt_set_key_usage(cert, MBEDTLS_X509_KU_KEY_CERT_SIGN |
                                                      MBEDTLS_X509_KU_CRL_SIGN) != 0 ||
        mbedtls_x509write_crt_set_subject_key_identifier(cert) != 0)
        return MOOT_ENOMEM;
    return MOOT_OK;
}

static int set_server_extensions(struct mint *mint, mbedtls_x509write_cert *cert)
{
    /* SEQUENCE { OID 1.3.6.1.5.5.7.3.1 serverAuth } */
    static const unsigned char usage[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
                                          0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
    if (mbedtls_x509write_crt_set_basic_constraints(cert, 0, -1) != 0 ||
        mbedtls_x509write_crt_set_key_usage(cert, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0 ||
        mbedtls_x509write_crt_set_extension(cert, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                            MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0,
                                            usage, sizeof(usage)) != 0 ||
        mbedtls_x509write_crt_set_subject_key_identifier(cert) != 0 ||
        mbedtls_x509write_crt_set_authority_key_identifier(cert) != 0)
        return MOOT_ENOMEM;
    if (mint->options->name_count == 0)
        return MOOT_OK;
    int rc = write_san(mint);
    if (rc)
        return rc;
    if (mbedtls_x509write_crt_set_extension(
            cert, MBEDTLS_OID_SUBJECT_ALT_NAME, MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
            (const unsigned char *)mint->san.data, mint->san.len) != 0)
        return MOOT_ENOMEM;
    return MOOT_OK;
}

static int copy_pem(struct mint *mint, int rc, char **out)
{
    if (rc)
        return MOOT_ETLS;
    *out = moot__strdup(mint->allocator, moot__view_str(mint->pem));
    return *out ? MOOT_OK : MOOT_ENOMEM;
}

static int sign(struct mint *mint, mbedtls_x509write_cert *cert, char **out)
{
    unsigned char *scratch = (unsigned char *)mint->pem;
    int len = mbedtls_x509write_crt_der(cert, scratch, PEM_BYTES, mbedtls_ctr_drbg_random,
                                        &mint->rng.drbg);
    if (len <= 0)
        return MOOT_ETLS;
    struct moot_view der = {mint->pem + PEM_BYTES - len, (size_t)len}; /* it writes backwards */
    struct moot_buf mended;
    moot__buf_init(&mended, mint->allocator, PEM_BYTES);
    int rc = moot__der_mend_certificate(der, &mint->ca_key, &mint->rng.drbg, &mended);
    size_t used;
    if (!rc)
        rc = copy_pem(mint,
                      mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
                                               "-----END CERTIFICATE-----\n",
                                               (const unsigned char *)mended.data, mended.len,
                                               scratch, PEM_BYTES, &used),
                      out);
    moot__buf_deinit(&mended);
    return rc;
}

static int write_certificate(struct mint *mint, bool is_ca, char **out)
{
    const struct moot_tls_mint_options *options = mint->options;
    struct moot_view subject = options->common_name;
    if (is_ca)
        subject = MOOT_VIEW("moot test authority");
    else if (subject.len == 0 && options->name_count > 0)
        subject = options->names[0];
    unsigned days = is_ca ? CA_DAYS : options->days ? options->days : 30;
    mbedtls_x509write_cert cert;
    mbedtls_x509write_crt_init(&cert);
    mbedtls_x509write_crt_set_version(&cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&cert, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&cert, is_ca ? &mint->ca_key : &mint->key);
    mbedtls_x509write_crt_set_issuer_key(&cert, &mint->ca_key);
    int rc = set_names(&cert, subject);
    if (!rc)
        rc = set_serial(mint, &cert);
    if (!rc)
        rc = set_validity(&cert, options->wall_ns, days);
    if (!rc)
        rc = is_ca ? set_ca_extensions(&cert) : set_server_extensions(mint, &cert);
    if (!rc)
        rc = sign(mint, &cert, out);
    mbedtls_x509write_crt_free(&cert);
    return rc;
}

static int make(struct mint *mint, struct moot_tls_minted *out)
{
    int rc = make_key(mint, &mint->ca_key);
    if (!rc)
        rc = make_key(mint, &mint->key);
    if (!rc)
        rc = write_certificate(mint, true, &out->ca_pem);
    if (!rc)
        rc = write_certificate(mint, false, &out->certificate_pem);
    if (!rc)
        rc = copy_pem(mint,
                      mbedtls_pk_write_key_pem(&mint->key, (unsigned char *)mint->pem, PEM_BYTES),
                      &out->key_pem);
    return rc;
}

int moot__tls_mint(const struct moot_allocator *allocator,
                   const struct moot_tls_mint_options *options, struct moot_tls_minted *out)
{
    *out = (struct moot_tls_minted){.allocator = allocator};
    if (options->name_count > MOOT_TLS_MINT_NAMES_MAX || options->wall_ns < DAY_S * MOOT_NS_PER_S)
        return MOOT_EINVAL;
    struct mint *mint = moot__calloc(allocator, 1, sizeof(*mint)); /* too large for a stack */
    if (!mint)
        return MOOT_ENOMEM;
    mint->allocator = allocator;
    mint->options = options;
    mbedtls_pk_init(&mint->ca_key);
    mbedtls_pk_init(&mint->key);
    moot__buf_init(&mint->san, allocator, SAN_BYTES);
    mint->pem = moot__alloc(allocator, PEM_BYTES);
    int rc = moot__tls_rng_init(&mint->rng);
    if (!rc)
        rc = mint->pem ? make(mint, out) : MOOT_ENOMEM;
    if (mint->pem)
        moot__wipe(mint->pem, PEM_BYTES);
    moot__free(allocator, mint->pem);
    moot__buf_deinit(&mint->san);
    mbedtls_pk_free(&mint->key);
    mbedtls_pk_free(&mint->ca_key);
    moot__tls_rng_deinit(&mint->rng);
    moot__free(allocator, mint);
    if (rc)
        moot__tls_minted_deinit(out);
    return rc;
}

void moot__tls_minted_deinit(struct moot_tls_minted *minted)
{
    if (minted->key_pem)
        moot__wipe(minted->key_pem, strlen(minted->key_pem));
    moot__free(minted->allocator, minted->ca_pem);
    moot__free(minted->allocator, minted->certificate_pem);
    moot__free(minted->allocator, minted->key_pem);
    *minted = (struct moot_tls_minted){.allocator = minted->allocator};
}
