/* What providers tell of their quotas: every form, and what strangers might write instead. */
#include "tests/support/test.h"

#include "agents/rate_headers.h"
#include "engine/base/check.h"
#include "engine/base/rng.h"

#define MS   MOOT_NS_PER_MS
#define S    MOOT_NS_PER_S
#define NOW  INT64_C(1795350000) /* 2026-11-22T12:20:00Z */
#define NONE MOOT_RATE_UNSAID

static void times_are_read_in_every_form(void **state)
{
    static const struct {
        const char *text;
        bool is_read;
        uint64_t ns;
    } cases[] = {
        {"20ms", true, 20 * MS},
        {"1s", true, S},
        {"6m0s", true, 360 * S},
        {"2m59.56s", true, 179560 * MS},
        {"7.66s", true, 7660 * MS},
        {"1h30m0s", true, 5400 * S},
        {"500us", true, 500000},
        {"0s", true, 0},
        {"0", true, 0},
        {"12", true, 12 * S},
        {" 0.5 ", true, 500 * MS},
        {"-1", true, 0},
        {"1e18", true, 0}, /* a date in milliseconds, then, of the far future: see below */
        {"1795350060", true, 60 * S},
        {"1795350060000", true, 60 * S},
        {"1795349000", true, 0},
        {"2026-11-22T12:20:59Z", true, 59 * S},
        {"2026-11-22T12:20:59.5Z", true, 59500 * MS},
        {"2026-11-22T14:21:00+02:00", true, 60 * S},
        {"2025-08-21T12:40:59Z", true, 0},
        {"2026-13-22T12:20:59Z", false, 0},
        {"2026-11-22T12:20:59", false, 0},
        {"2026-11-22", false, 0},
        {"", false, 0},
        {"nan", false, 0},
        {"inf", false, 0},
        {"s", false, 0},
        {"5", true, 5 * S},
        {"5x", false, 0},
        {"5s5", false, 0},
        {"..s", false, 0},
        {"tomorrow", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        uint64_t ns = 0;
        assert_int_equal(moot__rate_time(moot__view_str(cases[i].text), NOW, &ns),
                         cases[i].is_read);
        if (strcmp(cases[i].text, "1e18") == 0)
            assert_int_equal(ns, UINT64_C(3660) * 86400 * S); /* ten years */
        else if (cases[i].is_read)
            assert_int_equal(ns, cases[i].ns);
    }
}

static struct moot_rates read_all(const char *const headers[][2], size_t count)
{
    struct moot_rates rates = {0};
    for (size_t i = 0; i < count; i++)
        assert_true(moot__rate_header(&rates, moot__view_str(headers[i][0]),
                                      moot__view_str(headers[i][1]), NOW));
    return rates;
}

static void assert_rate(const struct moot_rates *rates, enum moot_rate_meter meter,
                        struct moot_rate expected)
{
    assert_true(rates->said & (1u << meter));
    assert_int_equal(rates->meters[meter].limit, expected.limit);
    assert_int_equal(rates->meters[meter].remaining, expected.remaining);
    assert_int_equal(rates->meters[meter].reset_ns, expected.reset_ns);
    assert_int_equal(rates->meters[meter].window_ns, expected.window_ns);
}

static void openai(void **state)
{
    static const char *const headers[][2] = {
        {"x-ratelimit-limit-requests", "600"},     {"X-RateLimit-Remaining-Requests", "599"},
        {"x-ratelimit-reset-requests", "100ms"},   {"x-ratelimit-limit-tokens", "80000"},
        {"x-ratelimit-remaining-tokens", "79000"}, {"x-ratelimit-reset-tokens", "6m0s"}};
    (void)state;
    struct moot_rates rates = read_all(headers, moot__countof(headers));
    assert_rate(&rates, MOOT_RATE_REQUESTS, (struct moot_rate){600, 599, 100 * MS, NONE});
    assert_rate(&rates, MOOT_RATE_TOKENS, (struct moot_rate){80000, 79000, 360 * S, NONE});
    assert_int_equal(rates.said, 1u << MOOT_RATE_REQUESTS | 1u << MOOT_RATE_TOKENS);
}

static void azure_and_mistral(void **state)
{
    static const char *const headers[][2] = {
        {"x-ratelimit-remaining-requests", "-1"}, /* as seen: not a count, so not told */
        {"x-ratelimit-reset-requests", "8"},
        {"x-ratelimit-limit-tokens-minute", "5000000"},
        {"x-ratelimit-remaining-tokens-minute", "4999911"}};
    (void)state;
    struct moot_rates rates = read_all(headers, moot__countof(headers));
    assert_rate(&rates, MOOT_RATE_REQUESTS, (struct moot_rate){NONE, NONE, 8 * S, NONE});
    assert_rate(&rates, MOOT_RATE_TOKENS, (struct moot_rate){5000000, 4999911, NONE, 60 * S});
}

static void anthropic(void **state)
{
    static const char *const headers[][2] = {
        {"anthropic-ratelimit-requests-limit", "50"},
        {"anthropic-ratelimit-requests-remaining", "49"},
        {"anthropic-ratelimit-requests-reset", "2026-11-22T12:20:01Z"},
        {"anthropic-ratelimit-input-tokens-limit", "30000"},
        {"anthropic-ratelimit-input-tokens-remaining", "29000"},
        {"anthropic-ratelimit-input-tokens-reset", "2026-11-22T12:20:02Z"},
        {"anthropic-ratelimit-output-tokens-limit", "8000"},
        {"anthropic-ratelimit-output-tokens-remaining", "0"},
        {"anthropic-ratelimit-output-tokens-reset", "2026-11-22T12:20:45Z"}};
    (void)state;
    struct moot_rates rates = read_all(headers, moot__countof(headers));
    assert_rate(&rates, MOOT_RATE_REQUESTS, (struct moot_rate){50, 49, S, NONE});
    assert_rate(&rates, MOOT_RATE_INPUT, (struct moot_rate){30000, 29000, 2 * S, NONE});
    assert_rate(&rates, MOOT_RATE_OUTPUT, (struct moot_rate){8000, 0, 45 * S, NONE});
}

static void the_fields_of_the_ietf(void **state)
{
    static const struct {
        const char *name, *value;
        struct moot_rate expected;
    } cases[] = {
        {"RateLimit", "\"default\";r=50;t=30", {NONE, 50, 30 * S, NONE}},
        {"RateLimit", "limit=100, remaining=50, reset=5", {100, 50, 5 * S, NONE}},
        {"RateLimit", "\"burst\";r=5;t=1, \"daily\";r=999;t=9999", {NONE, 5, S, NONE}},
        {"RateLimit-Policy", "\"default\";q=100;w=60", {100, NONE, NONE, 60 * S}},
        {"RateLimit-Policy",
         "\"permin\";q=50;w=60,\"perhr\";q=1000;w=3600",
         {50, NONE, NONE, 60 * S}},
        {"RateLimit-Policy",
         "\"perhr\";q=1000;w=3600, \"permin\";q=50;w=60;qu=\"requests\"",
         {50, NONE, NONE, 60 * S}},
        {"RateLimit-Policy",
         "\"b\";q=9;w=1;qu=\"content-bytes\", \"r\";q=100;w=60",
         {100, NONE, NONE, 60 * S}},
        {"RateLimit-Policy", "100;w=60", {100, NONE, NONE, 60 * S}},
        {"RateLimit-Limit", "100, 100;w=60", {100, NONE, NONE, NONE}},
        {"RateLimit-Reset", "30", {NONE, NONE, 30 * S, NONE}},
    };
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++) {
        const char *const header[][2] = {{cases[i].name, cases[i].value}};
        struct moot_rates rates = read_all(header, 1);
        assert_rate(&rates, MOOT_RATE_REQUESTS, cases[i].expected);
    }
}

static void every_header_of_the_table_is_read(void **state)
{
    static const char *const names[] = {
#define X(name, meter, tells, window_s) name,
        MOOT_RATE_HEADER_MAP(X)
#undef X
    };
    (void)state;
    for (size_t i = 0; i < moot__countof(names); i++) {
        struct moot_rates rates = {0};
        assert_true(moot__rate_header(&rates, moot__view_str(names[i]), MOOT_VIEW("17"), NOW));
        assert_true(rates.said != 0);
    }
}

static void other_headers_are_left_alone(void **state)
{
    static const char *const names[] = {"",
                                        "x",
                                        "retry-after",
                                        "x-request-id",
                                        "x-ratelimit-",
                                        "x-ratelimit-limit-requests-day",
                                        "anthropic-ratelimit-unified-reset",
                                        "authorization",
                                        "ratelimit-limits"};
    (void)state;
    for (size_t i = 0; i < moot__countof(names); i++) {
        struct moot_rates rates = {0};
        assert_false(moot__rate_header(&rates, moot__view_str(names[i]), MOOT_VIEW("1"), NOW));
        assert_int_equal(rates.said, 0);
    }
}

static void what_is_no_number_says_nothing(void **state)
{
    static const char *const values[] = {"",     "nan", "-1",   "0x10", "inf", "unlimited",
                                         "1,5x", "1 2", "\xff", "--",   ";;",  ","};
    (void)state;
    for (size_t i = 0; i < moot__countof(values); i++) {
        struct moot_rates rates = {0};
        bool is_list = strcmp(values[i], "1,5x") == 0;
        moot__rate_header(&rates, MOOT_VIEW("x-ratelimit-limit-tokens"), moot__view_str(values[i]),
                          NOW);
        assert_int_equal(rates.said != 0, is_list);
    }
    struct moot_rates rates = {0};
    moot__rate_header(&rates, MOOT_VIEW("x-ratelimit-limit-tokens"), MOOT_VIEW("1e308"), NOW);
    assert_rate(&rates, MOOT_RATE_TOKENS,
                (struct moot_rate){UINT64_C(1000000000000000), NONE, NONE, NONE});
    moot__rate_header(&rates, MOOT_VIEW("x-ratelimit-limit-tokens"), MOOT_VIEW("7"), NOW);
    assert_int_equal(rates.meters[MOOT_RATE_TOKENS].limit, 7); /* the least of both */
}

static void noise_is_survived(void **state)
{
    static const char *const names[] = {"ratelimit", "ratelimit-policy", "ratelimit-limit",
                                        "x-ratelimit-reset-tokens"};
    static const char alphabet[] = "0123456789.;,=\"-:TZqwrtumsh +\xc2\xb5\xff";
    (void)state;
    struct moot_rng rng;
    moot__rng_init(&rng, 11);
    for (unsigned i = 0; i < 20000; i++) {
        char text[24];
        size_t len = moot__rng_below(&rng, sizeof text);
        for (size_t at = 0; at < len; at++)
            text[at] = alphabet[moot__rng_below(&rng, sizeof alphabet - 1)];
        struct moot_rates rates = {0};
        moot__rate_header(&rates, moot__view_str(names[i % moot__countof(names)]),
                          moot__view(text, len), NOW);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_in_every_form),
        cmocka_unit_test(openai),
        cmocka_unit_test(azure_and_mistral),
        cmocka_unit_test(anthropic),
        cmocka_unit_test(the_fields_of_the_ietf),
        cmocka_unit_test(every_header_of_the_table_is_read),
        cmocka_unit_test(other_headers_are_left_alone),
        cmocka_unit_test(what_is_no_number_says_nothing),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
