/* What gives credentials, in every shape that is known, and none of it in a message. */
#include "tests/support/test.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/credential_answer.h"
#include "tests/support/failing_alloc.h"

#define CANARY "canary-4f1d"
#define S      MOOT_NS_PER_S

enum { NOW_S = 1750000000 }; /* 2025-06-15T15:06:40Z */

static const struct moot_credential_answer_options usual = {
    .wall_s = NOW_S, .may_be_raw = true, .who = "the test"};

static void shapes_that_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t lifetime_ns;
        const char *token, *key_id, *secret_key, *session;
    } cases[] = {
        {"tok\n", MOOT_NEVER_NS, "tok", "", "", ""},
        {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":3600}", 3600 * S, "t",
         "", "", ""},
        {"{\"access_token\":\"t\",\"expires_in\":\"3599\",\"expires_on\":\"1750003599\"}", 3599 * S,
         "t", "", "", ""},
        {"{\"access_token\":\"t\",\"expires_on\":\"1750000060\"}", 60 * S, "t", "", "", ""},
        {"{\"access_token\":\"t\",\"expiry\":\"2025-06-15T15:07:40Z\"}", 60 * S, "t", "", "", ""},
        {"{\"access_token\":\"t\"}", MOOT_NEVER_NS, "t", "", "", ""},
        {"{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
         "\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"2025-06-15T15:07:40Z\"}}",
         60 * S, "t", "", "", ""},
        {"{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"x\","
         "\"Expiration\":\"2025-06-15T17:07:40+02:00\"}",
         60 * S, "", "a", "s", "x"},
        {"{\"Code\":\"Success\",\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Token\":\"x\","
         "\"Expiration\":\"2025-06-15T15:07:40Z\"}",
         60 * S, "", "a", "s", "x"},
        {"{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\"}", MOOT_NEVER_NS, "", "a",
         "s", ""},
        {"{\"accessToken\":\"t\",\"expires_on\":1750000060,\"expiresOn\":\"2025-06-15 "
         "17:07:40.000000\"}",
         60 * S, "t", "", "", ""},
        {"{\"accessToken\":\"t\",\"expiresOn\":\"2025-06-15 17:07:40.000000\"}", 300 * S, "t", "",
         "", ""},
        {"{\"token\":\"t\",\"expiration\":\"2025-06-15T15:07:40Z\"}", 60 * S, "t", "", "", ""},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_credential_answer answer;
        struct moot_error_info info = {0};
        int rc =
            moot__credential_answer_read(moot__view_str(cases[i].text), &usual, &answer, &info);
        assert_string_equal(info.message, "");
        assert_int_equal(rc, MOOT_OK);
        assert_true(answer.lifetime_ns == cases[i].lifetime_ns);
        const char *const parts[] = {cases[i].token, cases[i].key_id, cases[i].secret_key,
                                     cases[i].session};
        for (size_t part = 0; part < MOOT_ACCESS_PARTS; part++)
            assert_view(moot__access_part(&answer.access, (enum moot_access_part)part),
                        parts[part]);
        moot__access_deinit(&answer.access);
    }
}

static void answers_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "gave nothing"},
        {" \n ", "gave nothing"},
        {CANARY "\n" CANARY, "no header can carry"},
        {"{\"access_token\":\"" CANARY, "no JSON object"},
        {"{}", "no credential is"},
        {"{\"access_token\":17}", "missing"},
        {"{\"access_token\":\"" CANARY "\\u0000\"}", "no header can carry"},
        {"{\"access_token\":\"" CANARY "\xc3\xa9\"}", "no header can carry"},
        {"{\"access_token\":\"" CANARY "\",\"expires_in\":-1}", "credential"},
        {"{\"access_token\":\"" CANARY "\",\"expires_on\":\"1749999999\"}", "expired already"},
        {"{\"Version\":2,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"" CANARY "\"}", "Version"},
        {"{\"AccessKeyId\":\"" CANARY "\"}", "missing"},
        {"{\"status\":{}}", "missing"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_credential_answer answer;
        struct moot_error_info info = {0};
        int rc =
            moot__credential_answer_read(moot__view_str(cases[i].text), &usual, &answer, &info);
        assert_int_equal(rc, MOOT_ECREDENTIAL);
        assert_int_equal(info.phase, MOOT_PHASE_CREDENTIAL);
        assert_non_null(strstr(info.message, cases[i].says));
        assert_null(strstr(info.message, CANARY));
        assert_int_equal(moot__access_kind(&answer.access), MOOT_ACCESS_NONE);
    }
    struct moot_credential_answer_options strict = usual;
    struct moot_credential_answer answer;
    strict.may_be_raw = false;
    assert_int_equal(moot__credential_answer_read(MOOT_VIEW(CANARY), &strict, &answer, NULL),
                     MOOT_ECREDENTIAL);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char text[] = "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Token\":\"x\"}";
    struct moot_failing_alloc memory;
    for (size_t nth = 1;; nth++) {
        moot__failing_alloc_init(&memory, nth);
        struct moot_credential_answer_options options = usual;
        struct moot_credential_answer answer;
        struct moot_error_info info;
        options.allocator = &memory.allocator;
        int rc = moot__credential_answer_read(moot__view_str(text), &options, &answer, &info);
        moot__access_deinit(&answer.access);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory))
            break;
        assert_int_equal(rc, MOOT_ENOMEM);
    }
}

static void refusals_are_quoted_on_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215:\\nno\"}",
         "invalid_client: AADSTS7000215: no"},
        {"{\"errorCode\":\"invalid_client\",\"errorSummary\":\"x\"}", "invalid_client: x"},
        {"{\"code\":\"NoRole\"}", "NoRole"},
        {"<html>", ""},
        {"", ""},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        char out[64];
        moot__credential_answer_refusal(moot__view_str(cases[i].text), NULL, out, sizeof out);
        assert_string_equal(out, cases[i].says);
    }
    char cut[8];
    moot__credential_answer_refusal(MOOT_VIEW("{\"error\":\"invalid_client\"}"), NULL, cut,
                                    sizeof cut);
    assert_string_equal(cut, "invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_that_are_known),
        cmocka_unit_test(answers_that_are_none),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(refusals_are_quoted_on_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
