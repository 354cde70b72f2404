#include "tests/support/test.h"

#include "engine/base/check.h"
#include "net/url.h"

struct accepted {
    const char *text;
    unsigned flags;
    enum moot_url_scheme scheme;
    const char *userinfo, *host;
    bool is_ipv6;
    unsigned port;
    const char *path, *query, *authority;
};

static const struct accepted accepted[] = {
    {"http://a", 0, MOOT_URL_HTTP, "", "a", false, 80, "", "", "a"},
    {"https://a/", 0, MOOT_URL_HTTPS, "", "a", false, 443, "/", "", "a"},
    {"HTTPS://API.Example.com/v1/", 0, MOOT_URL_HTTPS, "", "API.Example.com", false, 443, "/v1/",
     "", "api.example.com"},
    {"https://h.example.:8443/v1//x", 0, MOOT_URL_HTTPS, "", "h.example", false, 8443, "/v1//x", "",
     "h.example:8443"},
    {"http://127.0.0.1:1/?a=b", 0, MOOT_URL_HTTP, "", "127.0.0.1", false, 1, "/", "a=b",
     "127.0.0.1:1"},
    {"https://h?api-version=2024-10-21&x=%2F?", 0, MOOT_URL_HTTPS, "", "h", false, 443, "",
     "api-version=2024-10-21&x=%2F?", "h"},
    {"http://[::1]:65535/x", 0, MOOT_URL_HTTP, "", "::1", true, 65535, "/x", "", "[::1]:65535"},
    {"https://[FE80::1:2]", 0, MOOT_URL_HTTPS, "", "FE80::1:2", true, 443, "", "", "[fe80::1:2]"},
    {"http://[::ffff:10.0.0.1]/", 0, MOOT_URL_HTTP, "", "::ffff:10.0.0.1", true, 80, "/", "",
     "[::ffff:10.0.0.1]"},
    {"http://my_service.docker-net:80/", 0, MOOT_URL_HTTP, "", "my_service.docker-net", false, 80,
     "/", "", "my_service.docker-net"},
    {"http://1.example/", 0, MOOT_URL_HTTP, "", "1.example", false, 80, "/", "", "1.example"},
    {"http://0x7f.example/", 0, MOOT_URL_HTTP, "", "0x7f.example", false, 80, "/", "",
     "0x7f.example"},
    {"http://u:p%40ss@proxy:3128", MOOT_URL_ALLOW_USERINFO, MOOT_URL_HTTP, "u:p%40ss", "proxy",
     false, 3128, "", "", "proxy:3128"},
    {"http://@proxy", MOOT_URL_ALLOW_USERINFO, MOOT_URL_HTTP, "", "proxy", false, 80, "", "",
     "proxy"},
    {"https://h/a:b@c/(d);e=f,g!$&'*+~-._%20", 0, MOOT_URL_HTTPS, "", "h", false, 443,
     "/a:b@c/(d);e=f,g!$&'*+~-._%20", "", "h"},
    {"https://h/.well-known/...x/..a", 0, MOOT_URL_HTTPS, "", "h", false, 443,
     "/.well-known/...x/..a", "", "h"},
};

static const char *const refused[] = {
    "",
    "h",
    "//h/",
    "ftp://h/",
    "file:///etc/passwd",
    "http:/h",
    "http:h",
    "http:///x",
    "http://",
    "http://:80",
    "http://?x",
    " http://h",
    "http://h ",
    "http://h/a b",
    "http://h/\t",
    "http://h/\n",
    "http://h\r\n",
    "http://h/\x7f",
    "http://h\xC3\xA9/",
    "http://h/\xC3\xA9",
    "http://h/#",
    "http://h#f",
    "http://h/a#b",
    "http://h\\@evil/",
    "http://h/a\\b",
    "http://u@h/",
    "http://u:p@h/",
    "http://a@b@c/",
    "http://h:/",
    "http://h:0/",
    "http://h:080/",
    "http://h:+80/",
    "http://h:-1/",
    "http://h:65536/",
    "http://h:99999999999999999999/",
    "http://h:8o/",
    "http://h:80:80/",
    "http://.",
    "http://..",
    "http://.h",
    "http://h..",
    "http://a..b/",
    "http://-h/",
    "http://h-/",
    "http://a.-b/",
    "http://h%2eexample/",
    "http://h%00/",
    "http://h!/",
    "http://h*/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://0X7F.0.0.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.0.0.01/",
    "http://127.0.0.256/",
    "http://127.0.0.1.1/",
    "http://127.0.0.0x1/",
    "http://example.0x/",
    "http://1.2.3.4./5/..",
    "http://[::1/",
    "http://[]/",
    "http://[::1]x/",
    "http://[::1]:/",
    "http://[1.2.3.4]/",
    "http://[fe80::1%25eth0]/",
    "http://[::g]/",
    "http://[1:2:3:4:5:6:7:8:9]/",
    "http://::1/",
    "http://h/..",
    "http://h/../x",
    "http://h/a/..",
    "http://h/a/./b",
    "http://h/%2e%2E/x",
    "http://h/.%2e",
    "http://h/%2",
    "http://h/%zz",
    "http://h/%",
    "http://h/<x>",
    "http://h/\"x\"",
    "http://h/{x}",
    "http://h/a|b",
    "http://h/a^b",
    "http://h/a`b",
    "http://h/[x]",
    "http://h/?a=[b]",
    "http://h/?a%",
};

static void accepts(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(accepted); i++) {
        const struct accepted *row = &accepted[i];
        struct moot_url url;
        struct moot_buf buf;
        if (moot__url_parse(moot__view_str(row->text), row->flags, &url, NULL) != MOOT_OK)
            fail_msg("refused: %s", row->text);
        assert_int_equal(url.scheme, row->scheme);
        assert_view(url.userinfo, row->userinfo);
        assert_view(url.host, row->host);
        assert_int_equal(url.host_is_ipv6, row->is_ipv6);
        assert_int_equal(url.port, row->port);
        assert_view(url.path, row->path);
        assert_view(url.query, row->query);
        moot__buf_init(&buf, NULL, 512);
        assert_int_equal(moot__url_append_authority(&buf, &url), MOOT_OK);
        assert_view(moot__buf_view(&buf), row->authority);
        moot__buf_deinit(&buf);
    }
}

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(refused); i++) {
        struct moot_error_info info = {0};
        struct moot_url url;
        if (moot__url_parse(moot__view_str(refused[i]), 0, &url, &info) != MOOT_EINVAL)
            fail_msg("accepted: %s", refused[i]);
        assert_int_equal(info.code, MOOT_EINVAL);
    }
    struct moot_url url;
    assert_int_equal(moot__url_parse(moot__view("http://h\0x", 10), 0, &url, NULL), MOOT_EINVAL);
    assert_int_equal(moot__url_parse(moot__view(NULL, 0), 0, &url, NULL), MOOT_EINVAL);
}

static void messages_hold_no_password(void **state)
{
    (void)state;
    struct moot_error_info info = {0};
    struct moot_url url;
    assert_int_equal(moot__url_parse(moot__view_str("http://user:hunter2@h/"), 0, &url, &info),
                     MOOT_EINVAL);
    assert_null(strstr(info.message, "hunter2"));
}

static int parse_host_of(size_t label_bytes, size_t total)
{
    char text[600] = "http://";
    size_t at = 7;
    struct moot_url url;
    for (size_t i = 0; i < total; i++)
        text[at++] = (i + 1) % (label_bytes + 1) == 0 && i + 1 < total ? '.' : 'a';
    return moot__url_parse(moot__view(text, at), 0, &url, NULL);
}

static void host_limits(void **state)
{
    (void)state;
    assert_int_equal(parse_host_of(62, 62), MOOT_OK);
    assert_int_equal(parse_host_of(63, 63), MOOT_OK);
    assert_int_equal(parse_host_of(64, 64), MOOT_EINVAL);
    assert_int_equal(parse_host_of(50, 252), MOOT_OK);
    assert_int_equal(parse_host_of(50, 253), MOOT_OK);
    assert_int_equal(parse_host_of(50, 254), MOOT_EINVAL);
}

static void loopback(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1", "127.255.255.254", "::1",
                                      "0:0::1",    "0:0:0:0:0:0:0:1", "localhost",
                                      "LocalHost", "localhost."};
    static const char *const no[] = {"",
                                     "128.0.0.1",
                                     "127.1",
                                     "0127.0.0.1",
                                     "::2",
                                     "::",
                                     "0.0.0.0",
                                     "::ffff:127.0.0.1",
                                     "localhost.example",
                                     "127.0.0.1.example",
                                     "xlocalhost"};
    for (size_t i = 0; i < moot__countof(yes); i++)
        assert_true(moot__url_is_loopback(moot__view_str(yes[i])));
    for (size_t i = 0; i < moot__countof(no); i++)
        assert_false(moot__url_is_loopback(moot__view_str(no[i])));
    assert_true(moot__url_is_address(MOOT_VIEW("10.0.0.1")));
    assert_true(moot__url_is_address(MOOT_VIEW("fe80::1")));
    assert_false(moot__url_is_address(MOOT_VIEW("fe80.example")));
}

static void encodes_segments(void **state)
{
    (void)state;
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 64);
    assert_int_equal(moot__url_append_segment(&buf, MOOT_VIEW("anthropic.claude-3:0/~_")), MOOT_OK);
    assert_view(moot__buf_view(&buf), "anthropic.claude-3%3A0%2F~_");
    moot__buf_reset(&buf);
    assert_int_equal(moot__url_append_segment(&buf, moot__view("\0\xFF %", 4)), MOOT_OK);
    assert_view(moot__buf_view(&buf), "%00%FF%20%25");
    assert_int_equal(moot__url_append_segment(&buf, MOOT_VIEW("")), MOOT_EINVAL);
    assert_int_equal(moot__url_append_segment(&buf, MOOT_VIEW(".")), MOOT_EINVAL);
    assert_int_equal(moot__url_append_segment(&buf, MOOT_VIEW("..")), MOOT_EINVAL);
    assert_int_equal(moot__url_append_segment(&buf, MOOT_VIEW("...")), MOOT_OK);
    assert_view(moot__buf_view(&buf), "%00%FF%20%25...");
    char many[60];
    memset(many, '/', sizeof many);
    assert_int_equal(moot__url_append_segment(&buf, moot__view(many, sizeof many)), MOOT_ELIMIT);
    assert_view(moot__buf_view(&buf), "%00%FF%20%25...");
    moot__buf_deinit(&buf);
}

static void joins_paths(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"", "", "/"},
        {"/", "", "/"},
        {"", "x", "/x"},
        {"", "/x", "/x"},
        {"/", "x", "/x"},
        {"/", "/x", "/x"},
        {"/v1", "chat", "/v1/chat"},
        {"/v1", "/chat", "/v1/chat"},
        {"/v1/", "chat", "/v1/chat"},
        {"/v1/", "/chat", "/v1/chat"},
        {"/v1", "", "/v1"},
        {"/v1/", "", "/v1/"},
        {"v1", "chat", "/v1/chat"},
    };
    for (size_t i = 0; i < moot__countof(rows); i++) {
        struct moot_buf buf;
        moot__buf_init(&buf, NULL, 64);
        assert_int_equal(
            moot__url_append_path(&buf, moot__view_str(rows[i][0]), moot__view_str(rows[i][1])),
            MOOT_OK);
        assert_view(moot__buf_view(&buf), rows[i][2]);
        moot__buf_deinit(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(messages_hold_no_password),
        cmocka_unit_test(host_limits),
        cmocka_unit_test(loopback),
        cmocka_unit_test(encodes_segments),
        cmocka_unit_test(joins_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
