/* What rustls asks of a certificate and OpenSSL and mbedTLS let pass: RFC 5758 section 3.2 wants
 * ecdsa-with-SHA256 without a parameter. (The signature itself is checked by every TLS test.) */
#include <string.h>

#include "net/tls_mint.h"
#include "tests/support/test.h"

enum { DER_BYTES = 4096 };

/* The bytes between a PEM's first and last line. */
static size_t decode(const char *pem, unsigned char der[DER_BYTES])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    unsigned held = 0;
    size_t len = 0;
    for (const char *at = strchr(pem, '\n'); *at != '-' && *at != '='; at++) {
        if (*at == '\n')
            continue;
        const char *found = strchr(alphabet, *at);
        assert_non_null(found);
        bits = bits << 6 | (uint32_t)(found - alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            assert_true(len < DER_BYTES);
            der[len++] = (unsigned char)(bits >> held);
        }
    }
    return len;
}

static void check(const char *pem)
{
    static const unsigned char oid[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    unsigned char der[DER_BYTES];
    size_t len = decode(pem, der);
    unsigned found = 0;
    for (size_t i = 0; i + sizeof(oid) < len; i++) {
        if (memcmp(der + i, oid, sizeof(oid)) != 0)
            continue;
        found++;
        assert_int_equal(der[i - 1], sizeof(oid));     /* of the sequence: nothing else in it */
        assert_int_not_equal(der[i + sizeof(oid)], 5); /* NULL */
    }
    assert_int_equal(found, 2);
}

static void an_algorithm_has_no_parameter(void **state)
{
    (void)state;
    struct moot_view names[] = {MOOT_VIEW("localhost"), MOOT_VIEW("127.0.0.1")};
    struct moot_tls_mint_options options = {
        .names = names, .name_count = 2, .wall_ns = UINT64_C(1800000000000000000)};
    struct moot_tls_minted minted;
    assert_int_equal(moot__tls_mint(NULL, &options, &minted), MOOT_OK);
    check(minted.ca_pem);
    check(minted.certificate_pem);
    moot__tls_minted_deinit(&minted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_algorithm_has_no_parameter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
