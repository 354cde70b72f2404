/* Which proxy a provider goes through: its own, the environment's, or none. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/config.h"

/* "NAME=value" lines. */
static const char *environment(void *context, const char *name)
{
    static char value[256];
    struct moot_view rest = moot__view_str(context), line;
    while (moot__view_split(&rest, '\n', &line)) {
        size_t at = moot__view_find(line, '=', 0);
        if (!moot__view_is(moot__view(line.ptr, at), name))
            continue;
        moot__view_copy(moot__view(line.ptr + at + 1, line.len - at - 1), value, sizeof value);
        return value;
    }
    return NULL;
}

static int load(const char *members, const char *variables, struct moot_plan **plan,
                struct moot_error_info *info)
{
    char text[1024], context[512];
    snprintf(text, sizeof text,
             "models: {oracle: {endpoint: a, instruction: b}}\nflow: [oracle]\n"
             "providers:\n  default: {type: openai, api_key: env:KEY, %s}\n",
             members);
    snprintf(context, sizeof context, "KEY=key-0123456789\n%s", variables);
    struct moot_plan_options options = {
        .size = sizeof options,
        .path = "test.yaml",
        .text = moot__view_str(text),
        .environment = environment,
        .environment_context = context,
    };
    return moot_plan_load(&options, plan, info);
}

#define HTTPS "base_url: 'https://api.test/v1'"

static void which_proxy(void **state)
{
    (void)state;
    static const struct {
        const char *members, *variables, *proxy;
    } cases[] = {
        {HTTPS, "", ""},
        {HTTPS, "HTTPS_PROXY=http://p:1", "http://p:1"},
        {HTTPS, "https_proxy=http://q:2", "http://q:2"},
        {HTTPS, "HTTPS_PROXY=http://p:1\nhttps_proxy=http://q:2", "http://p:1"},
        {HTTPS, "HTTPS_PROXY=\nhttps_proxy=http://q:2", "http://q:2"},
        {HTTPS, "HTTPS_PROXY=p:1", "http://p:1"},
        {HTTPS, "HTTPS_PROXY=http://u:pass@p:1", "http://u:pass@p:1"},
        {HTTPS, "HTTP_PROXY=http://p:1\nhttp_proxy=http://p:1", ""},
        {HTTPS, "HTTPS_PROXY=http://p:1\nNO_PROXY=api.test", ""},
        {HTTPS, "HTTPS_PROXY=http://p:1\nno_proxy=x,.test", ""},
        {HTTPS, "HTTPS_PROXY=http://p:1\nNO_PROXY=other.test", "http://p:1"},
        {HTTPS, "HTTPS_PROXY=http://p:1\nNO_PROXY=api.test:444", "http://p:1"},
        {HTTPS ", proxy: null", "HTTPS_PROXY=http://p:1", ""},
        {HTTPS ", proxy: none", "HTTPS_PROXY=http://p:1", ""},
        {HTTPS ", proxy: 'http://own:3'", "HTTPS_PROXY=http://p:1\nNO_PROXY=*", "http://own:3"},
        {HTTPS ", proxy: 'env:OWN'", "OWN=http://u:pass@own:3", "http://u:pass@own:3"},
        {"base_url: 'http://api.test', allow_http: true", "HTTPS_PROXY=http://p:1", ""},
        {"base_url: 'https://localhost:1'", "HTTPS_PROXY=http://p:1", ""},
        {"base_url: 'https://127.0.0.1:1'", "HTTPS_PROXY=http://p:1", ""},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_plan *plan;
        struct moot_error_info info;
        if (load(cases[i].members, cases[i].variables, &plan, &info))
            fail_msg("%zu: %s", i, info.message);
        assert_view(plan->providers[0].proxy, cases[i].proxy);
        moot_plan_unref(plan);
    }
}

static void proxies_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *members, *variables, *why;
    } cases[] = {
        {HTTPS, "HTTPS_PROXY=https://u:s3cret@p:1", "HTTPS_PROXY: a proxy is spoken to in plain"},
        {HTTPS, "HTTPS_PROXY=socks5://u:s3cret@p:1", "HTTPS_PROXY: "},
        {HTTPS, "HTTPS_PROXY=http://u:s3cret@", "HTTPS_PROXY: "},
        {HTTPS ", proxy: 'https://p:1'", "", "proxy: a proxy is spoken to in plain"},
        {HTTPS ", proxy: 'http://u:s3cret@p:1'", "", "a literal password is refused"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_plan *plan;
        struct moot_error_info info;
        assert_int_equal(load(cases[i].members, cases[i].variables, &plan, &info), MOOT_ECONFIG);
        assert_non_null(strstr(info.message, cases[i].why));
        assert_null(strstr(info.message, "s3cret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_proxy),
        cmocka_unit_test(proxies_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
