/* Conversations over TLS, straight and through a proxy, on real sockets. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "tests/support/connect_proxy.h"
#include "tls_world.h"

#define ANSWER "model-a heard: Why?"

static void url_of(const struct tls_world *world, const char *host, char *out, size_t size)
{
    snprintf(out, size, "https://%s:%u/v1", host, (unsigned)world->address.port);
}

static uint64_t requests(const struct tls_world *world)
{
    return moot_emulator_ledger(moot__emulator_server_emulator(world->server))->requests;
}

static void answers_over_tls(void **state)
{
    (void)state;
    static struct tls_world world;
    char url[64];
    tls_world_open(&world, true);
    url_of(&world, "127.0.0.1", url, sizeof url);
    tls_world_engine(&world, url, NULL, NULL);
    for (int stream = 0; stream <= 1; stream++) {
        tls_world_ask(&world, stream);
        assert_string_equal(world.error.message, "");
        assert_string_equal(world.text, ANSWER);
    }
    struct moot_engine_stats stats = {.size = sizeof stats};
    moot_engine_stats(world.engine, &stats);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.handshakes, 1);
    tls_world_close_engine(&world);
    tls_world_close(&world);
}

static void the_wrong_peer_is_told_nothing(void **state)
{
    (void)state;
    struct moot_tls_minted other;
    const struct moot_view name = MOOT_VIEW("127.0.0.1");
    struct moot_tls_mint_options options = {.names = &name, .name_count = 1};
    for (int wrong_name = 0; wrong_name <= 1; wrong_name++) {
        static struct tls_world world;
        char url[64];
        tls_world_open(&world, true);
        options.wall_ns = moot__wall_ns(world.loop.transport);
        assert_int_equal(moot__tls_mint(NULL, &options, &other), MOOT_OK);
        url_of(&world, wrong_name ? "localhost" : "127.0.0.1", url, sizeof url);
        tls_world_engine(&world, url, NULL, wrong_name ? NULL : other.ca_pem);
        tls_world_ask(&world, false);
        assert_int_equal(world.error.code, MOOT_ECERT);
        assert_int_equal(world.error.phase, MOOT_PHASE_TLS);
        assert_true(world.error.message[0]);
        assert_int_equal(requests(&world), 0);
        tls_world_close_engine(&world);
        tls_world_close(&world);
        moot__tls_minted_deinit(&other);
    }
}

static void proxy_url_of(const struct connect_proxy *proxy, char *out, size_t size)
{
    snprintf(out, size, "http://user:s3cret@127.0.0.1:%u", (unsigned)proxy->acceptor.address.port);
}

/* The name is known to the proxy alone. */
static void through_the_proxy_of_the_environment(void **state)
{
    (void)state;
    static struct tls_world world;
    static struct connect_proxy proxy;
    char url[64];
    tls_world_open(&world, true);
    connect_proxy_open(&proxy, world.loop.transport);
    proxy.upstream = world.address;
    proxy_url_of(&proxy, url, sizeof url);
    tls_world_engine(&world, "https://api.test/v1", url, NULL);
    for (int stream = 0; stream <= 1; stream++) {
        tls_world_ask(&world, stream);
        assert_string_equal(world.error.message, "");
        assert_string_equal(world.text, ANSWER);
    }
    assert_int_equal(proxy.tunnel_count, 1);
    assert_string_equal(proxy.tunnels[0].head,
                        "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n"
                        "Proxy-Authorization: Basic dXNlcjpzM2NyZXQ=\r\n\r\n");
    assert_int_equal(requests(&world), 2);
    tls_world_close_engine(&world);
    connect_proxy_close(&proxy);
    tls_world_close(&world);
}

static void a_proxy_that_refuses_is_named(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        "\x15\x03\x01 garbage\r\n",
    };
    for (size_t i = 0; i < moot__countof(answers); i++) {
        static struct tls_world world;
        static struct connect_proxy proxy;
        char url[64], name[32];
        tls_world_open(&world, true);
        connect_proxy_open(&proxy, world.loop.transport);
        proxy.answer = answers[i];
        proxy_url_of(&proxy, url, sizeof url);
        tls_world_engine(&world, "https://api.test/v1", url, NULL);
        tls_world_ask(&world, false);
        assert_int_equal(world.error.code, MOOT_EPROXY);
        snprintf(name, sizeof name, "127.0.0.1:%u", (unsigned)proxy.acceptor.address.port);
        assert_non_null(strstr(world.error.message, name));
        assert_null(strstr(world.error.message, "s3cret"));
        assert_int_equal(proxy.tunnel_count, 1);
        assert_null(strstr(proxy.tunnels[0].head, "test-key"));
        assert_int_equal(requests(&world), 0);
        tls_world_close_engine(&world);
        connect_proxy_close(&proxy);
        tls_world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_over_tls),
        cmocka_unit_test(the_wrong_peer_is_told_nothing),
        cmocka_unit_test(through_the_proxy_of_the_environment),
        cmocka_unit_test(a_proxy_that_refuses_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
