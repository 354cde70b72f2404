/* Through a proxy: the exchange, byte for byte, what refuses it, and who is excepted. */
#include "tests/support/test.h"

#include <string.h>

#include "engine/base/check.h"
#include "net/proxy.h"
#include "tests/support/call_bench.h"

#define PROXY  "http://user:s3cret%40@proxy.test:3128"
#define TUNNEL "HTTP/1.1 200 Connection established\r\n\r\n"

static void begin(struct call_bench *bench, struct call_probe *probe, const char *url)
{
    call_bench_init(bench, NULL);
    const struct moot_http1_header headers[] = {
        {MOOT_VIEW("Authorization"), MOOT_VIEW("Bearer key")}};
    struct moot_call_request request = call_request(call_bench_origin(bench, url, PROXY));
    request.headers = headers;
    request.header_count = 1;
    assert_int_equal(call_start(bench, probe, &request), MOOT_OK);
    memnet_run_idle(&bench->net);
    assert_int_equal(probe->dones, 0);
}

/* dXNlcjpzM2NyZXRA is user:s3cret@ */
static void the_tunnel_comes_first(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    begin(&bench, &probe, "http://api.test");
    assert_string_equal(bench.peers[0].got, "CONNECT api.test:80 HTTP/1.1\r\nHost: api.test:80\r\n"
                                            "Proxy-Authorization: Basic dXNlcjpzM2NyZXRA\r\n\r\n");
    size_t connect_bytes = bench.peers[0].got_bytes;
    call_say(&bench, 0, TUNNEL);
    assert_string_equal(bench.peers[0].got + connect_bytes,
                        "GET /x HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer key\r\n\r\n");
    call_say(&bench, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    call_expect(&bench, &probe, MOOT_OK);
    assert_int_equal(bench.pool.open, 1);
    call_bench_deinit(&bench);
}

static void an_address_of_version_6_has_brackets(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    begin(&bench, &probe, "http://[2001:db8::1]:8080");
    assert_non_null(strstr(bench.peers[0].got, "CONNECT [2001:db8::1]:8080 HTTP/1.1\r\n"
                                               "Host: [2001:db8::1]:8080\r\n"));
    moot__call_cancel(&probe.call);
    call_expect(&bench, &probe, MOOT_ECANCELED);
    call_bench_deinit(&bench);
}

static void what_a_proxy_may_answer_instead(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!",
         "answered CONNECT with status 407"},
        {"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", "answered CONNECT with status 502"},
        {"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
         "answered CONNECT with status 403"},
        {"HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n",
         "answered CONNECT with status 302"},
        {"\x16\x03\x01 garbage\r\n\r\n", "something that is not HTTP"},
        {TUNNEL "HTTP/1.1 200 OK\r\n", "sent bytes before the handshake"},
        {"", "closed the connection"},
        {"HTTP/1.1 200 Conn", "closed the connection"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        static struct call_bench bench;
        static struct call_probe probe;
        begin(&bench, &probe, "http://api.test");
        call_say(&bench, 0, cases[i].text);
        if (probe.dones == 0)
            call_hang_up(&bench, 0);
        call_expect(&bench, &probe, MOOT_EPROXY);
        const char *message = probe.call.error.message;
        assert_non_null(strstr(message, cases[i].why));
        assert_non_null(strstr(message, "proxy.test:3128"));
        assert_null(strstr(message, "s3cret"));
        assert_null(strstr(bench.peers[0].got, "Bearer"));
        assert_false(probe.call.sent);
        assert_int_equal(probe.heads, 0);
        assert_int_equal(bench.pool.open, 0);
        call_bench_deinit(&bench);
    }
}

static void an_answer_in_pieces(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    begin(&bench, &probe, "http://api.test");
    for (const char *c = TUNNEL; *c; c++)
        call_say_bytes(&bench, 0, c, 1);
    assert_non_null(strstr(bench.peers[0].got, "GET /x"));
    moot__call_cancel(&probe.call);
    call_expect(&bench, &probe, MOOT_ECANCELED);
    call_bench_deinit(&bench);
}

static void a_proxy_that_is_not_there(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    bench.net.refuse_connects = true;
    struct moot_call_request request =
        call_request(call_bench_origin(&bench, "http://api.test", PROXY));
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
    call_expect(&bench, &probe, MOOT_ECONNECT);
    assert_non_null(strstr(probe.call.error.message, "the proxy: 127.0.0.1 port 3128"));
    call_bench_deinit(&bench);
}

static void who_is_excepted(void **state)
{
    (void)state;
    static const struct {
        const char *list, *host;
        bool is_excepted;
    } cases[] = {
        {"", "api.test", false},
        {"*", "api.test", true},
        {"api.test", "api.test", true},
        {"api.test", "API.Test", true},
        {"test", "api.test", true},
        {".test", "api.test", true},
        {".api.test", "api.test", true},
        {"pi.test", "api.test", false},
        {"api.test", "test", false},
        {"other , api.test", "api.test", true},
        {"api.test:443", "api.test", true},
        {"api.test:80", "api.test", false},
        {"api.test:x", "api.test", false},
        {"10.0.0.1", "10.0.0.1", true},
        {"0.0.1", "10.0.0.1", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"[2001:db8::1]", "2001:db8::1", true},
        {"[2001:db8::1]:443", "2001:db8::1", true},
        {"[2001:db8::1]:80", "2001:db8::1", false},
        {"[", "api.test", false},
        {"[]", "api.test", false},
        {",,", "api.test", false},
        {"", "localhost", true},
        {"", "127.0.0.1", true},
        {"", "::1", true},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        bool is_excepted = moot__proxy_is_excepted(moot__view_str(cases[i].list),
                                                   moot__view_str(cases[i].host), 443);
        if (is_excepted != cases[i].is_excepted)
            fail_msg("'%s' and %s", cases[i].list, cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tunnel_comes_first),
        cmocka_unit_test(an_address_of_version_6_has_brackets),
        cmocka_unit_test(what_a_proxy_may_answer_instead),
        cmocka_unit_test(an_answer_in_pieces),
        cmocka_unit_test(a_proxy_that_is_not_there),
        cmocka_unit_test(who_is_excepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
