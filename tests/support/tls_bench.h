#ifndef MOOT_TEST_TLS_BENCH_H
#define MOOT_TEST_TLS_BENCH_H

/* A client and a server of ours on a transport in memory, and links between them, for the tests of
 * TLS. Completions are counted; virtual time; work runs when told. */
#include "memnet.h"
#include "net/tls.h"
#include "net/tls_mint.h"

/* One authority and identity for names, one of everything for the process: minting costs. */
struct tls_fixture {
    struct moot_tls_minted minted;
    struct moot_tls_trust *trust;
    struct moot_tls_identity *identity;
};

struct tls_bench {
    struct memnet net;
    struct moot_tls_client *client;
    struct moot_tls_server *server;
};

/* A connect and an accept facing each other. */
struct tls_link {
    struct tls_bench *bench;
    struct moot_tls_handshake connect, accept;
    struct moot_stream *client_lower, *server_lower;
    struct moot_stream *client, *server;
    int *both; /* counts every on_done */
    int connected, accepted;
};

/* For cmocka: *state is a struct tls_fixture for api.test, *.wild.test and the loopbacks. */
uint64_t tls_wall_ns(void);
void tls_mint_for(struct tls_fixture *fixture, const struct moot_view *names, size_t count,
                  struct moot_view common_name);
void tls_fixture_deinit(struct tls_fixture *fixture);
int tls_setup(void **state);
int tls_teardown(void **state);
void tls_bench_init(struct tls_bench *bench, const struct tls_fixture *fixture,
                    enum moot_tls_version version_max);
void tls_bench_deinit(struct tls_bench *bench);
void tls_on_connected(struct moot_tls_handshake *handshake);
void tls_on_accepted(struct moot_tls_handshake *handshake);
void tls_link_start(struct tls_link *link, struct tls_bench *bench, const char *host,
                    const char *key);
void tls_link_finish(struct tls_link *link);
void tls_ignore_ready(struct moot_stream *stream, unsigned ready);
void tls_link_drain(struct tls_link *link);
void tls_link_close(struct tls_link *link);
void tls_link_make(struct tls_link *link, struct tls_bench *bench, const char *key);

#endif
