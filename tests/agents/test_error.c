/* Bodies of failed calls, in every shape that is known to be sent. */
#include "fixture.h"

#include "agents/provider_error.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"

static const struct {
    unsigned status;
    const char *body;
    int code;
    bool retriable;
    const char *provider_code;
    const char *message;
} cases[] = {
    /* Databricks: the five of its SDK's parser chain */
    {429, "{\"error_code\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"Too many\",\"details\":[]}",
     MOOT_ETHROTTLED, true, "REQUEST_LIMIT_EXCEEDED", "HTTP 429 REQUEST_LIMIT_EXCEEDED: Too many"},
    {400, "{\"error\":\"bad input\"}", MOOT_EPROVIDER, false, "", "HTTP 400: bad input"},
    {503, "TEMPORARILY_UNAVAILABLE: starting up", MOOT_EPROVIDER, true, "TEMPORARILY_UNAVAILABLE",
     "HTTP 503 TEMPORARILY_UNAVAILABLE: starting up"},
    {502, "<html><body>\n<pre>upstream\nfailed</pre></body></html>", MOOT_EPROVIDER, true, "",
     "HTTP 502: upstream failed"},
    {500, "", MOOT_EPROVIDER, true, "", "HTTP 500: no message"},
    {403, "{\"error_code\":\"PERMISSION_DENIED\",\"message\":\"no\"}", MOOT_EAUTH, false,
     "PERMISSION_DENIED", "HTTP 403 PERMISSION_DENIED: no"},
    {404, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"x\"}", MOOT_EPROVIDER, false,
     "RESOURCE_DOES_NOT_EXIST", "HTTP 404 RESOURCE_DOES_NOT_EXIST: x"},
    /* OpenAI and its kin */
    {429,
     "{\"error\":{\"message\":\"slow\",\"type\":\"requests\",\"param\":null,\"code\":"
     "\"rate_limit_exceeded\"}}",
     MOOT_ETHROTTLED, true, "rate_limit_exceeded", "HTTP 429 rate_limit_exceeded: slow"},
    {429,
     "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\",\"code\":"
     "\"insufficient_quota\"}}",
     MOOT_EQUOTA, false, "insufficient_quota", "HTTP 429 insufficient_quota: pay"},
    {429,
     "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\",\"code\":"
     "\"credit_balance_exhausted\"}}",
     MOOT_EQUOTA, false, "credit_balance_exhausted", "HTTP 429 credit_balance_exhausted: pay"},
    {401,
     "{\"error\":{\"message\":\"bad key\",\"type\":\"invalid_request_error\",\"code\":"
     "\"invalid_api_key\"}}",
     MOOT_EAUTH, false, "invalid_api_key", "HTTP 401 invalid_api_key: bad key"},
    {400, "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\",\"code\":null}}",
     MOOT_EPROVIDER, false, "invalid_request_error", "HTTP 400 invalid_request_error: no"},
    {503, "{\"error\":{\"message\":\"m\",\"type\":\"slow_down\"}}", MOOT_ETHROTTLED, true,
     "slow_down", "HTTP 503 slow_down: m"},
    {402, "{\"error\":{\"code\":402,\"message\":\"no credits\"}}", MOOT_EQUOTA, false, "402",
     "HTTP 402 402: no credits"},
    {400, "[{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"}}]",
     MOOT_EPROVIDER, false, "INVALID_ARGUMENT", "HTTP 400 INVALID_ARGUMENT: m"},
    {529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}",
     MOOT_EPROVIDER, true, "overloaded_error", "HTTP 529 overloaded_error: m"},
    {429,
     "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\","
     "\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}}}",
     MOOT_EQUOTA, false, "enforced_spend_limit_reached",
     "HTTP 429 enforced_spend_limit_reached: m"},
    /* OAuth, FastAPI */
    {401, "{\"error\":\"invalid_client\",\"error_description\":\"who?\"}", MOOT_EAUTH, false,
     "invalid_client", "HTTP 401 invalid_client: who?"},
    {400, "{\"errorCode\":\"E0000001\",\"errorSummary\":\"s\"}", MOOT_EPROVIDER, false, "E0000001",
     "HTTP 400 E0000001: s"},
    {422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\",\"type\":\"missing\"}]}",
     MOOT_EPROVIDER, false, "missing", "HTTP 422 missing: field required"},
    {404, "{\"detail\":\"Not Found\"}", MOOT_EPROVIDER, false, "", "HTTP 404: Not Found"},
    /* Statuses */
    {408, "", MOOT_EPROVIDER, true, "", "HTTP 408: no message"},
    {409, "{}", MOOT_EPROVIDER, true, "", "HTTP 409: {}"},
    {413, "", MOOT_EPROVIDER, false, "", "HTTP 413: no message"},
    {501, "", MOOT_EPROVIDER, false, "", "HTTP 501: no message"},
    {504, "null", MOOT_EPROVIDER, true, "", "HTTP 504: null"},
    {429, "", MOOT_ETHROTTLED, true, "", "HTTP 429: no message"},
    /* Inside a 200 */
    {200, "{\"error\":{\"message\":\"m\",\"code\":503}}", MOOT_EPROVIDER, true, "503",
     "error in the answer: 503: m"},
    {200, "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\"}}", MOOT_EPROVIDER,
     false, "invalid_request_error", "error in the answer: invalid_request_error: m"},
    /* Nasty texts */
    {500, "{\"error\":{\"message\":\"a\\u0000b\\u001b[31m\\r\\nc\"}}", MOOT_EPROVIDER, true, "",
     "HTTP 500: a\\u0000b\\u001b[31m  c"},
    {500, "bad \xFF\xFE bytes", MOOT_EPROVIDER, true, "", "HTTP 500: bad ?? bytes"},
    {500, "{\"error\":{\"message\":\"cut he", MOOT_EPROVIDER, true, "",
     "HTTP 500: {\"error\":{\"message\":\"cut he"},
    {502, "<!DOCTYPE html><head><TITLE>502 Bad Gateway</TITLE></head>", MOOT_EPROVIDER, true, "",
     "HTTP 502: 502 Bad Gateway"},
    {502, "<pre", MOOT_EPROVIDER, true, "", "HTTP 502: <pre"},
};

static void every_body_is_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_error_info info;
        const struct moot_refusal refusal = {.status = cases[i].status,
                                             .body = moot__view_str(cases[i].body)};
        int code = moot__provider_error_read(&refusal, NULL, &info);
        if (code != cases[i].code)
            print_error("body %s\n", cases[i].body);
        assert_int_equal(code, cases[i].code);
        assert_int_equal(info.code, code);
        assert_int_equal(info.http_status, cases[i].status);
        assert_int_equal(info.retriable, cases[i].retriable);
        assert_string_equal(info.provider_code, cases[i].provider_code);
        assert_string_equal(info.message, cases[i].message);
        assert_int_equal(moot__provider_error_read(&refusal, NULL, NULL), code);
    }
}

static void a_long_body_is_cut_between_characters(void **state)
{
    (void)state;
    size_t size = 2 * MOOT_LIMIT_HTTP_ERROR_BODY_BYTES;
    for (size_t lead = 0; lead < 4; lead++) {
        struct moot_buf body;
        moot__buf_init(&body, NULL, size);
        for (size_t i = 0; i < lead; i++)
            assert_int_equal(moot__buf_append_str(&body, "x"), MOOT_OK);
        while (body.len + 4 <= size)
            assert_int_equal(moot__buf_append_str(&body, "\xF0\x9F\x99\x82"), MOOT_OK);
        struct moot_error_info info;
        const struct moot_refusal refusal = {.status = 500, .body = moot__buf_view(&body)};
        assert_int_equal(moot__provider_error_read(&refusal, NULL, &info), MOOT_EPROVIDER);
        assert_true(strlen(info.message) > 500);
        assert_true(moot__utf8_valid(moot__view_str(info.message)));
        moot__buf_deinit(&body);
    }
}

static void no_error_is_seen_in_an_answer(void **state)
{
    (void)state;
    static const char *const sound[] = {
        "{\"choices\":[]}",
        "{\"error\":null,\"choices\":[{\"error\":null}]}",
        "{\"error\":\"\",\"choices\":[]}",
        "{\"object\":\"chat.completion\",\"detail\":\"x\",\"choices\":[]}",
        "[]",
        "null",
        "\"error\"",
    };
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 1 << 20);
    for (size_t i = 0; i < moot__countof(sound); i++)
        assert_false(moot__provider_error_in(read_json(&arena, sound[i])));
    moot__arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_body_is_understood),
        cmocka_unit_test(a_long_body_is_cut_between_characters),
        cmocka_unit_test(no_error_is_seen_in_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
