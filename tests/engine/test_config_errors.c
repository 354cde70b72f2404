/* Bad configurations: each says what, where and what to do, and none shows a secret. */
#include "tests/support/test.h"

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/config.h"

#define CANARY "sk-canary-4f1d"
#define ROLES  "models: {oracle: {endpoint: a}, judge: {endpoint: b}}\n"

static const char *get_variable(void *context, const char *name)
{
    (void)context;
    static const char *const pairs[][2] = {
        {"DATABRICKS_HOST", "https://example.com"},
        {"DATABRICKS_TOKEN", CANARY},
        {"KEY", CANARY},
        {"EMPTY", ""},
        {"FAR", "http://user:" CANARY "@example.com"},
        {"PLAIN", "http://example.com"},
    };
    for (size_t i = 0; i < moot__countof(pairs); i++) {
        if (strcmp(pairs[i][0], name) == 0)
            return pairs[i][1];
    }
    return NULL;
}

static const char *get_nothing(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

struct bad {
    const char *text;
    int error;
    unsigned line, column;
    const char *says;
};

#define OPENAI(rest) ROLES "providers:\n  p: {type: openai, " rest "}\n"

#define TWO                                                                                        \
    "providers:\n  default: {type: openai, api_key: env:KEY}\n"                                    \
    "  q: {type: openai, api_key: env:KEY}\nflow: [oracle]\n"

static const struct bad cases[] = {
    /* The text */
    {"", MOOT_ECONFIG, 1, 1, "empty"},
    {"[]", MOOT_ECONFIG, 1, 1, "must be a map, not a list"},
    {"a: [", MOOT_ECONFIG, 2, 1, "YAML"},
    {"{\"models\": {},}", MOOT_ECONFIG, 1, 15, "JSON"},
    {"models: 1\nmodels: 2\n", MOOT_ECONFIG, 2, 1, "already there"},
    {"{\"models\": 1,\n \"models\": 2}", MOOT_ECONFIG, 2, 12, "a key appears twice"},
    {ROLES "---\na: 1\n", MOOT_ECONFIG, 3, 1, "second document"},
    {"models: !ruby/object {}\n", MOOT_ECONFIG, 1, 9, "tags"},
    {"models: !!set {}\n", MOOT_ECONFIG, 1, 9, "tags"},
    {"models: !secret x\n", MOOT_ECONFIG, 1, 9, "tags"},
    {"models: &a [*a]\n", MOOT_ECONFIG, 1, 9, "nested too deeply"},
    {"? [a]\n: b\n", MOOT_ECONFIG, 1, 3, "key must be"},
    {"models:\n  oracle: {endpoint: a, temperature: .inf}\n", MOOT_ECONFIG, 2, 38, "infinity"},
    /* The top */
    {"modles: {}\n", MOOT_ECONFIG, 1, 1,
     "unknown key 'modles' in the configuration; did you mean "
     "'models'?"},
    {ROLES "extra: 1\n", MOOT_ECONFIG, 2, 1, "known are models, configuration, providers, flow or"},
    {"flow: [a]\n", MOOT_ECONFIG, 1, 1, "'models' is missing"},
    {"{\n  \"models\": {\"oracle\": {\"endpoint\": \"a\"}},\n  \"flwo\": []\n}", MOOT_ECONFIG, 3, 3,
     "did you mean 'flow'?"},
    {"flavors: {python_function: {loader_module: x}}\n", MOOT_ECONFIG, 1, 1, "model_config="},
    /* Roles */
    {"models: []\n", MOOT_ECONFIG, 1, 9, "'models' must be a map, not a list"},
    {"models: {}\n", MOOT_ECONFIG, 1, 9, "1 to 64 roles"},
    {"models:\n  oracle: a\n", MOOT_ECONFIG, 2, 11, "'oracle' must be a map, not a text"},
    {"models:\n  oracle: {temperature: 1}\n", MOOT_ECONFIG, 2, 3, "has no endpoint"},
    {"models:\n  oracle: {endpoint: 5}\n", MOOT_ECONFIG, 2, 22, "must be a text, not a number"},
    {"models:\n  oracle: {endpiont: a}\n", MOOT_ECONFIG, 2, 12, "did you mean 'endpoint'?"},
    {"models:\n  oracle: {endpoint: a, stream: true}\n", MOOT_ECONFIG, 2, 25, "by the engine"},
    {"models:\n  oracle: {endpoint: a, api_key: " CANARY "}\n", MOOT_ECONFIG, 2, 25,
     "below 'providers'"},
    {"models:\n  oracle: {endpoint: a, provider: defautl}\n", MOOT_ECONFIG, 2, 35,
     "did you mean 'default'?"},
    {ROLES "providers:\n  a: {type: openai, api_key: env:KEY}\n  b: {type: openai, api_key: "
           "env:KEY}\n",
     MOOT_ECONFIG, 1, 10, "say which one with provider: NAME"},
    /* Flow */
    {"models: {oracle: {endpoint: a}}\n", MOOT_ECONFIG, 1, 9, "names the role 'judge'"},
    {"models: {oracle: {endpoint: []}}\n" TWO, MOOT_ECONFIG, 1, 29, "1 to 8"},
    {"models: {oracle: {endpoint: [a, 5]}}\n" TWO, MOOT_ECONFIG, 1, 33, "must be a text"},
    {"models: {oracle: {endpoint: [a, '']}}\n" TWO, MOOT_ECONFIG, 1, 33, "the model's name"},
    {"models: {oracle: {endpoint: [a, {provider: q}]}}\n" TWO, MOOT_ECONFIG, 1, 33,
     "the model's name"},
    {"models: {oracle: {endpoint: [a, {endpoint: a, provider: r}]}}\n" TWO, MOOT_ECONFIG, 1, 57,
     "no provider of this name"},
    {"models: {oracle: {endpoint: [a, {endpoint: a, privider: q}]}}\n" TWO, MOOT_ECONFIG, 1, 47,
     "did you mean 'provider'?"},
    {"models: {oracle: {endpoint: [a, {endpoint: a, provider: q}, a]}}\n" TWO, MOOT_ECONFIG, 1, 61,
     "in the list already"},
    {"models: {oracle: {endpoint: [a, b, c, d, e, f, g, h, i]}}\n" TWO, MOOT_ECONFIG, 1, 29,
     "1 to 8"},
    {ROLES "flow: [oracle, jugde]\n", MOOT_ECONFIG, 2, 16, "did you mean 'judge'?"},
    {ROLES "flow: []\n", MOOT_ECONFIG, 2, 7, "1 to 64 steps"},
    {ROLES "flow: oracle\n", MOOT_ECONFIG, 2, 7, "'flow' must be a list, not a text"},
    {ROLES "flow: [{repeat: 3}]\n", MOOT_ECONFIG, 2, 8, "not available"},
    /* Configuration */
    {ROLES "configuration: {history: last}\n", MOOT_ECONFIG, 2, 26, "must be all or first"},
    {ROLES "configuration: {caller_params: true}\n", MOOT_ECONFIG, 2, 32,
     "must be none, final or all"},
    {ROLES "configuration: {user_response: x}\n", MOOT_ECONFIG, 2, 17, "unknown key"},
    /* Providers */
    {ROLES "providers: {}\n", MOOT_ECONFIG, 2, 12, "1 to 64 entries"},
    {ROLES "providers:\n  p: {base_url: x}\n", MOOT_ECONFIG, 3, 3, "no type"},
    {ROLES "providers:\n  p: {type: nobody}\n", MOOT_ECONFIG, 3, 13, "databricks, openai"},
    {ROLES "providers:\n  p: {type: other}\n", MOOT_ECONFIG, 3, 13, "databricks, openai"},
    {"models: {oracle: {endpoint: a, seed: 1}, judge: {endpoint: b}}\nproviders:\n"
     "  p: {type: anthropic, api_key: env:KEY}\n",
     MOOT_ECONFIG, 1, 32, "seed cannot be told to Anthropic"},
    {"models: {oracle: {endpoint: a, temperature: 2}, judge: {endpoint: b}}\nproviders:\n"
     "  p: {type: anthropic, api_key: env:KEY}\n",
     MOOT_ECONFIG, 1, 10, "a temperature above 1"},
    {OPENAI("api_key: " CANARY), MOOT_ECONFIG, 3, 30, "a literal secret is refused"},
    {OPENAI("api_key: 12345"), MOOT_ECONFIG, 3, 30, "a literal secret is refused"},
    {OPENAI("api_key: 'exec:get \"x'"), MOOT_ECONFIG, 3, 30, "without a shell"},
    {OPENAI("api_key: env:ABSENT"), MOOT_ECREDENTIAL, 3, 30, "variable ABSENT is not set"},
    {OPENAI("api_key: env:EMPTY"), MOOT_ECREDENTIAL, 3, 30, "variable EMPTY is empty"},
    {OPENAI("api_key: env:KEY, headers: {Authorization: Bearer " CANARY "}"), MOOT_ECONFIG, 3, 49,
     "a literal secret is refused"},
    {OPENAI("api_key: env:KEY, headers: {Host: x}"), MOOT_ECONFIG, 3, 49, "by the engine"},
    {OPENAI("api_key: env:KEY, headers: {X-A: \"x\\r\\nY: z\"}"), MOOT_ECONFIG, 3, 54, "one line"},
    {OPENAI("base_url: 'https://example.com/v1'"), MOOT_ECONFIG, 3, 3, "an address but no secret"},
    {OPENAI("base_url: 'http://example.com/v1', api_key: env:KEY"), MOOT_EPLAINTEXT, 3, 31,
     "allow_http"},
    {OPENAI("base_url: env:PLAIN, api_key: env:KEY"), MOOT_EPLAINTEXT, 3, 31, "allow_http"},
    {OPENAI("base_url: env:FAR, api_key: env:KEY"), MOOT_ECONFIG, 3, 31, "base_url"},
    {OPENAI("base_url: env:ABSENT, api_key: env:KEY"), MOOT_ECONFIG, 3, 31, "not set"},
    {OPENAI("base_url: 'https://u:" CANARY "@example.com', api_key: env:KEY"), MOOT_ECONFIG, 3, 31,
     "base_url"},
    {OPENAI("base_url: 'https://example.com?k=" CANARY "', api_key: env:KEY"), MOOT_ECONFIG, 3, 31,
     "query"},
    {OPENAI("api_key: env:KEY, proxy: 'http://u:" CANARY "@proxy:8080'"), MOOT_ECONFIG, 3, 46,
     "a literal password is refused"},
    {OPENAI("api_key: env:KEY, requests_per_minute: 80q"), MOOT_ECONFIG, 3, 60, "80k or 1.5M"},
    {OPENAI("api_key: env:KEY, requests_per_minute: 0"), MOOT_ECONFIG, 3, 60, "from 1 on"},
    {OPENAI("api_key: env:KEY, tokens_per_day: none"), MOOT_ECONFIG, 3, 55, "80k or 1.5M"},
    {OPENAI("api_key: env:KEY, share: ''"), MOOT_ECONFIG, 3, 46, "the path of a file"},
    {OPENAI("api_key: env:KEY, requests_per_minute: 1.5"), MOOT_ECONFIG, 3, 60, "whole"},
    {OPENAI("api_key: env:KEY, request_per_minute: 5"), MOOT_ECONFIG, 3, 39,
     "did you mean 'requests_per_minute'?"},
    {OPENAI("api_key: env:KEY, concurrency: many"), MOOT_ECONFIG, 3, 52, "auto or"},
    {OPENAI("api_key: env:KEY, surface: invocations"), MOOT_ECONFIG, 3, 48, "chat"},
    {OPENAI("api_key: env:KEY, timeouts: {total: 5 minutes}"), MOOT_ECONFIG, 3, 57, "250ms, 5s"},
    {OPENAI("api_key: env:KEY, timeouts: {total: 0s}"), MOOT_ECONFIG, 3, 57, "duration"},
    {OPENAI("api_key: env:KEY, retry: {unknown: maybe}"), MOOT_ECONFIG, 3, 56, "retry or fail"},
    {OPENAI("api_key: env:KEY, prices: {m: {input: -1}}"), MOOT_ECONFIG, 3, 59, "from 0 on"},
    {OPENAI("api_key: env:KEY, allow_http: yes"), MOOT_ECONFIG, 3, 51, "true or false"},
    {ROLES "batch: {max_errors: 0%}\n", MOOT_ECONFIG, 2, 21, "5%"},
};

static int load(const char *text, const struct bad *bad, struct moot_error_info *info)
{
    struct moot_plan *plan;
    const struct moot_plan_options options = {.size = sizeof options,
                                              .path = "agent.conf",
                                              .text = moot__view_str(text),
                                              .environment = bad ? get_variable : get_nothing};
    int rc = moot_plan_load(&options, &plan, info);
    assert_true((rc == MOOT_OK) == (plan != NULL));
    moot_plan_unref(plan);
    return rc;
}

static void each_is_refused_where_it_is_wrong(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_error_info info = {0};
        char place[64];
        int rc = load(cases[i].text, &cases[i], &info);
        snprintf(place, sizeof place, "agent.conf:%u:%u: ", cases[i].line, cases[i].column);
        bool is_right = rc == cases[i].error && info.code == rc && info.line == cases[i].line &&
                        info.column == cases[i].column && strstr(info.message, cases[i].says) &&
                        strncmp(info.message, place, strlen(place)) == 0;
        if (!is_right) {
            print_message("case %zu: %s\n  got %d at %u:%u: %s\n", i, cases[i].text, rc, info.line,
                          info.column, info.message);
            failures++;
        }
        assert_null(strstr(info.message, CANARY));
        assert_null(strstr(info.message, "canary"));
    }
    assert_int_equal(failures, 0);
}

static void nothing_in_the_environment_says_what_to_set(void **state)
{
    (void)state;
    struct moot_error_info info = {0};
    assert_int_equal(load(ROLES, NULL, &info), MOOT_ECONFIG);
    assert_non_null(strstr(info.message, "set DATABRICKS_HOST and DATABRICKS_TOKEN, or "
                                         "OPENAI_API_KEY"));
}

static void files_that_are_not_there(void **state)
{
    (void)state;
    struct moot_plan *plan;
    struct moot_error_info info = {0};
    struct moot_plan_options options = {.size = sizeof options, .path = "/nonexistent/agent.yaml"};
    assert_int_equal(moot_plan_load(&options, &plan, &info), MOOT_ENOTFOUND);
    assert_null(plan);
    assert_non_null(strstr(info.message, "/nonexistent/agent.yaml"));
    options.path = MOOT_SOURCE_DIR "/tests"; /* a folder without an MLmodel */
    assert_int_equal(moot_plan_load(&options, &plan, &info), MOOT_ENOTFOUND);
    assert_non_null(strstr(info.message, "MLmodel"));
    options.path = NULL;
    assert_int_equal(moot_plan_load(&options, &plan, &info), MOOT_EINVAL);
    assert_int_equal(moot_plan_load(&options, &plan, NULL), MOOT_EINVAL);
}

/* Every prefix of a configuration is either refused with a place or read: never worse. */
static void every_prefix_is_survived(void **state)
{
    (void)state;
    static const char text[] =
        ROLES "providers:\n  p: &p {type: openai, api_key: 'env:KEY', timeouts: {total: 5s}}\n"
              "  q: *p\nflow: [oracle, \"judge\"]\n# end\n";
    char prefix[sizeof text];
    for (size_t len = 0; len < sizeof text; len++) {
        struct moot_error_info info = {0};
        memcpy(prefix, text, len);
        prefix[len] = '\0';
        int rc = load(prefix, &cases[0], &info);
        assert_true(rc == MOOT_OK || rc == MOOT_ECONFIG || rc == MOOT_ECREDENTIAL);
        assert_true(rc == MOOT_OK || (info.line > 0 && info.column > 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_refused_where_it_is_wrong),
        cmocka_unit_test(nothing_in_the_environment_says_what_to_set),
        cmocka_unit_test(files_that_are_not_there),
        cmocka_unit_test(every_prefix_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
