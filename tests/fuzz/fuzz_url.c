/* URLs: what was accepted is written as an authority that is read as the same place, and holds
 * nothing that could end a line or begin another host. */
#include <string.h>

#include "fuzz.h"
#include "net/proxy.h"
#include "net/url.h"

static void check_text(struct moot_view text)
{
    for (size_t i = 0; i < text.len; i++)
        FUZZ_REQUIRE((unsigned char)text.ptr[i] > ' ' && (unsigned char)text.ptr[i] < 0x7f);
}

static void read_back(const struct moot_url *url)
{
    struct moot_buf text;
    struct moot_url again;
    moot__buf_init(&text, NULL, 64 << 10);
    FUZZ_REQUIRE(
        moot__buf_append_str(&text, url->scheme == MOOT_URL_HTTPS ? "https://" : "http://") == 0);
    FUZZ_REQUIRE(moot__url_append_authority(&text, url) == MOOT_OK);
    check_text(moot__buf_view(&text));
    FUZZ_REQUIRE(moot__url_parse(moot__buf_view(&text), 0, &again, NULL) == MOOT_OK);
    FUZZ_REQUIRE(again.port == url->port && again.host.len == url->host.len);
    FUZZ_REQUIRE(again.host_is_ipv6 == url->host_is_ipv6);
    FUZZ_REQUIRE(moot__url_is_loopback(again.host) == moot__url_is_loopback(url->host));
    moot__buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned flags = size && data[0] & 1 ? MOOT_URL_ALLOW_USERINFO : 0;
    struct moot_view text = fuzz_rest(data, size);
    struct moot_error_info info = {0};
    struct moot_url url;
    struct moot_buf out;
    int rc = moot__url_parse(text, flags, &url, &info);
    if (rc == MOOT_OK) {
        FUZZ_REQUIRE(url.host.len > 0);
        check_text(url.host);
        check_text(url.path);
        check_text(url.query);
        read_back(&url);
    } else {
        FUZZ_REQUIRE(info.code == rc && info.message[0]);
    }
    moot__buf_init(&out, NULL, 1 << 20);
    if (moot__url_append_segment(&out, text) == MOOT_OK) {
        check_text(moot__buf_view(&out));
        FUZZ_REQUIRE(!memchr(out.data, '/', out.len));
    }
    (void)moot__proxy_is_excepted(text, (struct moot_view){"host.test", 9}, 443);
    moot__buf_deinit(&out);
    return 0;
}
