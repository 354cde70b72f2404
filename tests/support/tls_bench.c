#include "tls_bench.h"

#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "test.h"

uint64_t tls_wall_ns(void)
{
    return (uint64_t)time(NULL) * MOOT_NS_PER_S;
}

void tls_mint_for(struct tls_fixture *fixture, const struct moot_view *names, size_t count,
                  struct moot_view common_name)
{
    struct moot_tls_mint_options options = {
        .common_name = common_name, .names = names, .name_count = count, .wall_ns = tls_wall_ns()};
    struct moot_error_info info;
    assert_int_equal(moot__tls_mint(NULL, &options, &fixture->minted), MOOT_OK);
    assert_int_equal(
        moot__tls_trust_parse(NULL, moot__view_str(fixture->minted.ca_pem), &fixture->trust, &info),
        MOOT_OK);
    assert_int_equal(moot__tls_identity_parse(NULL, moot__view_str(fixture->minted.certificate_pem),
                                              moot__view_str(fixture->minted.key_pem),
                                              &fixture->identity, &info),
                     MOOT_OK);
}

void tls_fixture_deinit(struct tls_fixture *fixture)
{
    moot__tls_minted_deinit(&fixture->minted);
    moot__tls_trust_unref(fixture->trust);
    moot__tls_identity_unref(fixture->identity);
}

int tls_setup(void **state)
{
    static const char *const texts[] = {"api.test", "*.wild.test", "127.0.0.1", "::1"};
    struct moot_view names[4];
    for (size_t i = 0; i < 4; i++)
        names[i] = moot__view_str(texts[i]);
    struct tls_fixture *fixture = moot__calloc(NULL, 1, sizeof(*fixture));
    assert_non_null(fixture);
    tls_mint_for(fixture, names, 4, (struct moot_view){0});
    *state = fixture;
    return 0;
}

int tls_teardown(void **state)
{
    tls_fixture_deinit(*state);
    moot__free(NULL, *state);
    return 0;
}

void tls_bench_init(struct tls_bench *bench, const struct tls_fixture *fixture,
                    enum moot_tls_version version_max)
{
    memnet_init(&bench->net, NULL);
    assert_int_equal(
        moot__tls_client_new(&bench->net.transport, fixture->trust, version_max, &bench->client),
        MOOT_OK);
    assert_int_equal(
        moot__tls_server_new(&bench->net.transport, fixture->identity, version_max, &bench->server),
        MOOT_OK);
}

void tls_bench_deinit(struct tls_bench *bench)
{
    moot__tls_client_free(bench->client);
    moot__tls_server_free(bench->server);
    memnet_run_idle(&bench->net);
    memnet_deinit(&bench->net);
}

void tls_on_connected(struct moot_tls_handshake *handshake)
{
    struct tls_link *link = handshake->owner;
    link->connected++;
    if (link->both)
        ++*link->both;
    link->client = handshake->stream;
    assert_true((handshake->status == MOOT_OK) == (handshake->stream != NULL));
}

void tls_on_accepted(struct moot_tls_handshake *handshake)
{
    struct tls_link *link = handshake->owner;
    link->accepted++;
    link->server = handshake->stream;
    if (link->both)
        ++*link->both;
    assert_true((handshake->status == MOOT_OK) == (handshake->stream != NULL));
}

void tls_link_start(struct tls_link *link, struct tls_bench *bench, const char *host,
                    const char *key)
{
    int *both = link->both;
    *link = (struct tls_link){.bench = bench, .both = both};
    link->connect.on_done = tls_on_connected;
    link->connect.owner = link;
    link->accept.on_done = tls_on_accepted;
    link->accept.owner = link;
    assert_true(memnet_pair(&bench->net, &link->client_lower, &link->server_lower));
    struct moot_tls_connect_options options = {.client = bench->client,
                                               .lower = link->client_lower,
                                               .host = moot__view_str(host),
                                               .session_key = moot__view_str(key)};
    assert_int_equal(moot__tls_connect(&link->connect, &options), MOOT_OK);
    assert_int_equal(moot__tls_accept(&link->accept, bench->server, link->server_lower, 0),
                     MOOT_OK);
    assert_int_equal(link->connected + link->accepted, 0);
}

void tls_link_finish(struct tls_link *link)
{
    assert_true(memnet_run_until(&link->bench->net, &link->connected, 1));
    assert_true(memnet_run_until(&link->bench->net, &link->accepted, 1));
    assert_int_equal(link->connected, 1);
    assert_int_equal(link->accepted, 1);
}

void tls_ignore_ready(struct moot_stream *stream, unsigned ready)
{
    (void)stream;
    (void)ready;
}

/* Let the client see what the server sent after its handshake (tickets). */
void tls_link_drain(struct tls_link *link)
{
    char byte;
    memnet_run_idle(&link->bench->net);
    assert_int_equal(moot__stream_read(link->client, &byte, 1), MOOT_EAGAIN);
}

void tls_link_close(struct tls_link *link)
{
    if (link->client)
        moot__stream_close(link->client);
    if (link->server)
        moot__stream_close(link->server);
    link->client = link->server = NULL;
}

void tls_link_make(struct tls_link *link, struct tls_bench *bench, const char *key)
{
    tls_link_start(link, bench, "api.test", key);
    tls_link_finish(link);
    assert_string_equal(link->connect.detail, "");
    assert_int_equal(link->connect.status, MOOT_OK);
    assert_int_equal(link->accept.status, MOOT_OK);
    link->client->on_ready = tls_ignore_ready;
    link->server->on_ready = tls_ignore_ready;
    tls_link_drain(link);
}
