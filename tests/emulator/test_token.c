/* Access tokens for client credentials: who gets one, where, and for how long it is good. */
#include "client.h"

#include <stdio.h>

#define GRANT "/oidc/v1/token"
#define ENTRA "/tenant-1/oauth2/v2.0/token"
/* me:a+b c */
#define BASIC "Authorization: Basic bWU6YStiIGM=\r\n"
#define FORM  "grant_type=client_credentials&scope=all-apis"
#define ENTRA_FORM                                                                                 \
    "grant_type=client_credentials&client_id=me&client_secret=a%2Bb+c&scope=https%3A%2F%2F"        \
    "cognitiveservices.azure.com%2F.default"

static void open_client(struct client *c)
{
    struct moot_emulator_options options = moot_emulator_options_default();
    options.client_id = "me";
    options.client_secret = "a+b c";
    options.token_ttl_ns = 60 * MOOT_NS_PER_S;
    client_open(c, &options);
}

/* The Authorization header with the token of the last answer. */
static void take_token(struct client *c, char *out, size_t size)
{
    static const char key[] = "\"access_token\":\"";
    const char *begin = strstr(client_text(c), key);
    assert_non_null(begin);
    begin += sizeof key - 1;
    int len =
        snprintf(out, size, "Authorization: Bearer %.*s\r\n", (int)strcspn(begin, "\""), begin);
    assert_in_range(len, 1, size - 1);
}

static void a_token_is_good_until_it_ends(void **state)
{
    (void)state;
    static const struct {
        const char *path, *headers, *form, *says, *ask;
    } cases[] = {
        {GRANT, BASIC, FORM, "\"token_type\":\"Bearer\",\"expires_in\":60,\"scope\":\"all-apis\"}",
         INVOKE},
        {ENTRA, "", ENTRA_FORM, "\"token_type\":\"Bearer\",\"expires_in\":60,\"ext_expires_in\":60",
         "/openai/v1/chat/completions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client c;
        char header[200];
        open_client(&c);
        c.headers = cases[i].headers;
        assert_has(client_ask(&c, cases[i].path, cases[i].form), cases[i].says);
        take_token(&c, header, sizeof header);
        c.headers = header;
        assert_has(client_ask(&c, cases[i].ask, HELLO), "HTTP/1.1 200 ");
        c.now_ns += 59 * MOOT_NS_PER_S;
        assert_has(client_ask(&c, cases[i].ask, HELLO), "HTTP/1.1 200 ");
        c.now_ns += 2 * MOOT_NS_PER_S;
        assert_has(client_ask(&c, cases[i].ask, HELLO), "HTTP/1.1 401 ");
        assert_int_equal(moot_emulator_ledger(c.emulator)->grants, 1);
        client_close(&c);
    }
}

static void others_get_none(void **state)
{
    (void)state;
    static const struct {
        const char *path, *headers, *form, *says;
    } cases[] = {
        {GRANT, "", FORM, "\"error\":\"invalid_client\""},
        {GRANT, "Authorization: Basic bWU6b3RoZXI=\r\n", FORM, "\"error\":\"invalid_client\""},
        {GRANT, "Authorization: Basic ?\r\n", FORM, "\"error\":\"invalid_client\""},
        {GRANT, BASIC, "grant_type=password", "\"error\":\"unsupported_grant_type\""},
        {GRANT, BASIC, "grant_type=client_credentials", "\"error\":\"invalid_scope\""},
        {ENTRA, BASIC, FORM, "AADSTS7000215"},
        {ENTRA, "", "", "\"error\":\"unsupported_grant_type\""},
    };
    struct client c;
    open_client(&c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        c.headers = cases[i].headers;
        assert_has(client_ask(&c, cases[i].path, cases[i].form), cases[i].says);
    }
    const char *forged[] = {"Authorization: Bearer moot-1-99999999999999-0000000000000000\r\n",
                            "Authorization: Bearer moot-1\r\n", "Authorization: Bearer \r\n", ""};
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        c.headers = forged[i];
        assert_has(client_ask(&c, INVOKE, HELLO), "HTTP/1.1 401 ");
    }
    assert_int_equal(moot_emulator_ledger(c.emulator)->grants, 0);
    client_close(&c);
}

static void says_where_tokens_are_given(void **state)
{
    (void)state;
    struct client c;
    open_client(&c);
    client_send(&c, "GET /base/oidc/.well-known/oauth-authorization-server HTTP/1.1\r\n"
                    "Host: h:1\r\n\r\n");
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_has(client_text(&c), "\"token_endpoint\":\"http://h:1/base/oidc/v1/token\"");
    client_close(&c);
    client_open(&c, NULL); /* without a client there is nothing */
    assert_has(client_ask(&c, GRANT, FORM), "HTTP/1.1 404 ");
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_good_until_it_ends),
        cmocka_unit_test(others_get_none),
        cmocka_unit_test(says_where_tokens_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
