/* See the header. mbedTLS calls moot__tls_verify_certificate for each certificate of the chain, the
 * root first and the leaf (depth 0) last, with the flags it found; we add flags, never clear one.
 */
#include "tls_verify.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"

enum { SAN_DNS = 2, SAN_IP = 7 }; /* context tags of GeneralName, RFC 5280 4.2.1.6 */

int moot__tls_verify_init(struct moot_tls_verify *verify, struct moot_view host)
{
    memset(verify, 0, sizeof(*verify));
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    if (host.len == 0 || host.len >= sizeof(verify->host) || memchr(host.ptr, 0, host.len))
        return MOOT_EINVAL;
    memcpy(verify->host, host.ptr, host.len);
    if (inet_pton(AF_INET, verify->host, verify->ip) == 1)
        verify->ip_len = 4;
    else if (inet_pton(AF_INET6, verify->host, verify->ip) == 1)
        verify->ip_len = 16;
    verify->is_ip = verify->ip_len != 0;
    return MOOT_OK;
}

static bool is_san(const mbedtls_x509_sequence *san, int kind)
{
    return san->buf.p &&
           (san->buf.tag & MBEDTLS_ASN1_TAG_CLASS_MASK) == MBEDTLS_ASN1_CONTEXT_SPECIFIC &&
           (san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == kind;
}

static bool has_ip(const mbedtls_x509_crt *leaf, const struct moot_tls_verify *verify)
{
    for (const mbedtls_x509_sequence *san = &leaf->subject_alt_names; san; san = san->next)
        if (is_san(san, SAN_IP) && san->buf.len == verify->ip_len &&
            memcmp(san->buf.p, verify->ip, verify->ip_len) == 0)
            return true;
    return false;
}

static bool has_dns(const mbedtls_x509_crt *leaf)
{
    for (const mbedtls_x509_sequence *san = &leaf->subject_alt_names; san; san = san->next)
        if (is_san(san, SAN_DNS))
            return true;
    return false;
}

/* Text of a name in a certificate, which anybody may have written. */
static void append_name(char *out, size_t size, const mbedtls_x509_buf *name, int kind)
{
    size_t at = strlen(out);
    if (at > 0 && at + 2 < size) {
        out[at++] = ',';
        out[at++] = ' ';
    }
    out[at] = '\0';
    if (kind == SAN_IP) {
        if ((name->len == 4 || name->len == 16) && size - at > INET6_ADDRSTRLEN)
            inet_ntop(name->len == 4 ? AF_INET : AF_INET6, name->p, out + at,
                      (socklen_t)(size - at));
        return;
    }
    for (size_t i = 0; i < name->len && at + 1 < size; i++)
        out[at++] = name->p[i] > ' ' && name->p[i] < 0x7f ? (char)name->p[i] : '?';
    out[at] = '\0';
}

static void refuse_name(struct moot_tls_verify *verify, const mbedtls_x509_crt *leaf)
{
    char names[100] = "";
    for (const mbedtls_x509_sequence *san = &leaf->subject_alt_names; san; san = san->next) {
        if (is_san(san, SAN_DNS))
            append_name(names, sizeof(names), &san->buf, SAN_DNS);
        else if (is_san(san, SAN_IP))
            append_name(names, sizeof(names), &san->buf, SAN_IP);
    }
    if (names[0])
        snprintf(verify->refusal, sizeof(verify->refusal),
                 "the certificate is for %s, not for %.80s", names, verify->host);
    else
        snprintf(verify->refusal, sizeof(verify->refusal),
                 "the certificate has no subjectAltName, so it is not for %.80s (a common name "
                 "does not count)",
                 verify->host);
}

static void refuse_date(struct moot_tls_verify *verify, const char *subject, const char *what,
                        const mbedtls_x509_time *date)
{
    snprintf(verify->refusal, sizeof(verify->refusal), "the certificate of %s %s %04d-%02d-%02d",
             subject, what, date->year, date->mon, date->day);
}

/* One text, for the most telling flag. */
static void refuse(struct moot_tls_verify *verify, const mbedtls_x509_crt *certificate, int depth,
                   uint32_t flags)
{
    char subject[80] = "", issuer[80] = "";
    if (mbedtls_x509_dn_gets(subject, sizeof(subject), &certificate->subject) < 0)
        snprintf(subject, sizeof(subject), "(a long name)");
    if (mbedtls_x509_dn_gets(issuer, sizeof(issuer), &certificate->issuer) < 0)
        snprintf(issuer, sizeof(issuer), "(a long name)");
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) && strcmp(subject, issuer) == 0)
        snprintf(verify->refusal, sizeof(verify->refusal),
                 "the certificate of %s is self-signed and not among the trusted ones", subject);
    else if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        snprintf(verify->refusal, sizeof(verify->refusal),
                 "the certificate of %s has an unknown issuer: %s", subject, issuer);
    else if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
        refuse_date(verify, subject, "expired on", &certificate->valid_to);
    else if (flags & MBEDTLS_X509_BADCERT_FUTURE)
        refuse_date(verify, subject, "is not valid before", &certificate->valid_from);
    else if (depth == 0 && (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH))
        refuse_name(verify, certificate);
    else
        snprintf(verify->refusal, sizeof(verify->refusal), "the certificate of %s %s", subject,
                 moot__tls_verify_text(flags));
}

const char *moot__tls_verify_text(uint32_t flags)
{
    if (flags &
        (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY))
        return "has a key or signature that is too weak";
    if (flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
                 MBEDTLS_X509_BADCERT_NS_CERT_TYPE))
        return "is not for TLS servers";
    if (flags & MBEDTLS_X509_BADCERT_MISSING)
        return "is missing";
    if (flags & MBEDTLS_X509_BADCERT_REVOKED)
        return "is revoked";
    return "was not accepted";
}

int moot__tls_verify_certificate(void *context, mbedtls_x509_crt *certificate, int depth,
                                 uint32_t *flags)
{
    struct moot_tls_verify *verify = context;
    verify->called = true;
    if (depth == 0) {
        bool named = verify->is_ip ? has_ip(certificate, verify) : has_dns(certificate);
        if (!named)
            *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    if (*flags != 0 && verify->refusal[0] == '\0')
        refuse(verify, certificate, depth, *flags);
    return 0;
}
