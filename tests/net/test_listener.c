/* The listener: plain and TLS, its cap, its deadline, closing with everything under way. In memory;
 * test_tls_sockets.c has it on real sockets. */
#include "tests/support/test.h"

#include <time.h>

#include "engine/base/check.h"
#include "net/listener.h"
#include "net/tls_mint.h"
#include "tests/support/failing_alloc.h"
#include "tests/support/memnet.h"

enum { GUESTS_MAX = 8 };

struct scene {
    struct memnet net;
    struct moot_listener *listener;
    struct moot_tls_trust *trust;
    struct moot_tls_identity *identity;
    struct moot_tls_client *client;
    struct moot_tls_server *server;
    struct moot_stream *streams[GUESTS_MAX];
    int given, connected;
    bool close_in_callback;
    struct moot_stream *secured;
    int status;
};

static void on_stream(struct moot_listener *listener, struct moot_stream *stream)
{
    struct scene *scene = moot__listener_owner(listener);
    assert_true(scene->given < GUESTS_MAX);
    scene->streams[scene->given++] = stream;
    if (scene->close_in_callback) {
        moot__listener_close(listener);
        scene->listener = NULL;
    }
}

static void scene_init(struct scene *scene, bool tls, unsigned connections_max)
{
    *scene = (struct scene){0};
    memnet_init(&scene->net, NULL);
    struct moot_transport *transport = &scene->net.transport;
    if (tls) {
        struct moot_view name = MOOT_VIEW("api.test");
        struct moot_tls_mint_options mint = {
            .names = &name, .name_count = 1, .wall_ns = (uint64_t)time(NULL) * MOOT_NS_PER_S};
        struct moot_tls_minted minted;
        assert_int_equal(moot__tls_mint(NULL, &mint, &minted), MOOT_OK);
        struct moot_view ca = moot__view_str(minted.ca_pem);
        struct moot_view certificate = moot__view_str(minted.certificate_pem);
        struct moot_view key = moot__view_str(minted.key_pem);
        assert_int_equal(moot__tls_trust_parse(NULL, ca, &scene->trust, NULL), MOOT_OK);
        assert_int_equal(moot__tls_identity_parse(NULL, certificate, key, &scene->identity, NULL),
                         MOOT_OK);
        moot__tls_minted_deinit(&minted);
        assert_int_equal(
            moot__tls_client_new(transport, scene->trust, MOOT_TLS_DEFAULT, &scene->client),
            MOOT_OK);
        assert_int_equal(
            moot__tls_server_new(transport, scene->identity, MOOT_TLS_DEFAULT, &scene->server),
            MOOT_OK);
    }
    struct moot_listener_options options = {.transport = transport,
                                            .address = {.bytes = {127, 0, 0, 1}},
                                            .tls = scene->server,
                                            .connections_max = connections_max,
                                            .on_stream = on_stream,
                                            .owner = scene};
    assert_int_equal(moot__listener_open(&options, &scene->listener), MOOT_OK);
    assert_int_not_equal(moot__listener_address(scene->listener).port, 0);
}

static void scene_deinit(struct scene *scene)
{
    moot__listener_close(scene->listener);
    for (int i = 0; i < scene->given; i++)
        moot__stream_close(scene->streams[i]);
    if (scene->secured)
        moot__stream_close(scene->secured);
    moot__tls_client_free(scene->client);
    moot__tls_server_free(scene->server);
    moot__tls_trust_unref(scene->trust);
    moot__tls_identity_unref(scene->identity);
    memnet_run_idle(&scene->net);
    memnet_deinit(&scene->net);
}

static struct moot_stream *dial(struct scene *scene)
{
    struct moot_transport *transport = &scene->net.transport;
    struct moot_address address = moot__listener_address(scene->listener);
    struct moot_stream *stream;
    assert_int_equal(transport->ops->connect(transport, &address, &stream), MOOT_OK);
    return stream;
}

static void on_done(struct moot_tls_handshake *handshake)
{
    struct scene *scene = handshake->owner;
    scene->connected++;
    scene->status = handshake->status;
    scene->secured = handshake->stream;
}

static void secure(struct scene *scene, struct moot_tls_handshake *handshake)
{
    *handshake = (struct moot_tls_handshake){.on_done = on_done, .owner = scene};
    struct moot_tls_connect_options options = {
        .client = scene->client, .lower = dial(scene), .host = MOOT_VIEW("api.test")};
    assert_int_equal(moot__tls_connect(handshake, &options), MOOT_OK);
}

static void plain_streams_are_given_out(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene, false, 0);
    struct moot_stream *client = dial(&scene);
    assert_int_equal(scene.given, 1);
    assert_int_equal(moot__listener_stats(scene.listener).open, 1);
    char byte;
    assert_int_equal(moot__stream_write(client, "x", 1), 1);
    assert_int_equal(moot__stream_read(scene.streams[0], &byte, 1), 1);
    moot__stream_close(client);
    scene_deinit(&scene);
}

static void the_cap_resets_the_surplus(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene, false, 2);
    struct moot_stream *clients[4];
    for (int i = 0; i < 3; i++)
        clients[i] = dial(&scene);
    char byte;
    assert_int_equal(scene.given, 2);
    assert_int_equal(moot__stream_read(clients[2], &byte, 1), MOOT_ERESET);
    assert_int_equal(moot__listener_stats(scene.listener).refused, 1);
    moot__listener_release(scene.listener);
    clients[3] = dial(&scene);
    assert_int_equal(scene.given, 3);
    assert_int_equal(moot__listener_stats(scene.listener).accepted, 3);
    for (int i = 0; i < 4; i++)
        moot__stream_close(clients[i]);
    scene_deinit(&scene);
}

static void tls_streams_come_after_the_handshake(void **state)
{
    (void)state;
    struct scene scene;
    struct moot_tls_handshake handshake;
    scene_init(&scene, true, 0);
    secure(&scene, &handshake);
    assert_int_equal(scene.given, 0);
    assert_int_equal(moot__listener_stats(scene.listener).handshaking, 1);
    assert_true(memnet_run_until(&scene.net, &scene.given, 1));
    assert_true(memnet_run_until(&scene.net, &scene.connected, 1));
    assert_int_equal(scene.status, MOOT_OK);
    assert_int_equal(moot__listener_stats(scene.listener).handshaking, 0);
    assert_int_equal(moot__listener_stats(scene.listener).open, 1);
    scene_deinit(&scene);
}

static void silent_guests_are_shown_out(void **state)
{
    (void)state;
    struct scene scene;
    scene_init(&scene, true, 1);
    uint64_t before_ns = scene.net.now_ns;
    struct moot_stream *silent = dial(&scene), *surplus = dial(&scene);
    char byte;
    assert_int_equal(moot__stream_read(surplus, &byte, 1), MOOT_ERESET);
    while (moot__listener_stats(scene.listener).handshaking > 0)
        assert_true(memnet_turn(&scene.net));
    assert_true(scene.net.now_ns - before_ns >= 10 * MOOT_NS_PER_S);
    assert_true(scene.net.now_ns - before_ns < 11 * MOOT_NS_PER_S);
    struct moot_listener_stats stats = moot__listener_stats(scene.listener);
    assert_int_equal(stats.handshakes_failed, 1);
    assert_string_equal(stats.last_failure, "the TLS handshake took too long");
    assert_int_equal(moot__stream_read(silent, &byte, 1), 0);
    moot__stream_close(silent);
    moot__stream_close(surplus);
    assert_int_equal(scene.given, 0);
    scene_deinit(&scene);
}

static void closing_takes_all_that_is_under_way(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct scene scene;
        struct moot_tls_handshake handshake;
        scene_init(&scene, true, 0);
        struct moot_stream *silent = dial(&scene);
        secure(&scene, &handshake);
        for (int i = 0; i < turns; i++)
            memnet_turn(&scene.net);
        int given = scene.given;
        moot__listener_close(scene.listener);
        scene.listener = NULL;
        memnet_run_idle(&scene.net);
        assert_int_equal(scene.given, given);
        assert_int_equal(scene.connected, 1);
        assert_int_equal(scene.net.acceptor == NULL, 1);
        moot__stream_close(silent);
        scene_deinit(&scene);
    }
}

static void closing_in_the_callback(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct scene scene;
        struct moot_tls_handshake handshake;
        struct moot_stream *plain = NULL;
        scene_init(&scene, tls, 0);
        scene.close_in_callback = true;
        if (tls)
            secure(&scene, &handshake);
        else
            plain = dial(&scene);
        assert_true(memnet_run_until(&scene.net, &scene.given, 1));
        if (tls)
            assert_true(memnet_run_until(&scene.net, &scene.connected, 1));
        assert_null(scene.listener);
        if (plain)
            moot__stream_close(plain);
        scene_deinit(&scene);
    }
}

static void opening_can_fail(void **state)
{
    (void)state;
    struct moot_failing_alloc memory;
    struct memnet net;
    struct scene scene = {0};
    moot__failing_alloc_init(&memory, 1);
    memnet_init(&net, &memory.allocator);
    struct moot_listener_options options = {
        .transport = &net.transport, .on_stream = on_stream, .owner = &scene};
    assert_int_equal(moot__listener_open(&options, &scene.listener), MOOT_ENOMEM);
    assert_null(scene.listener);
    assert_int_equal(moot__listener_open(&options, &scene.listener), MOOT_OK);
    struct moot_listener *second;
    assert_int_equal(moot__listener_open(&options, &second), MOOT_ECONNECT);
    assert_null(second);
    moot__listener_close(scene.listener);
    moot__listener_close(NULL);
    assert_int_equal(moot__failing_alloc_live(&memory), 0);
    memnet_deinit(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_streams_are_given_out),
        cmocka_unit_test(the_cap_resets_the_surplus),
        cmocka_unit_test(tls_streams_come_after_the_handshake),
        cmocka_unit_test(silent_guests_are_shown_out),
        cmocka_unit_test(closing_takes_all_that_is_under_way),
        cmocka_unit_test(closing_in_the_callback),
        cmocka_unit_test(opening_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
