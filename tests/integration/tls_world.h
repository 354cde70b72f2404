#ifndef MOOT_TEST_TLS_WORLD_H
#define MOOT_TEST_TLS_WORLD_H

/* One loop with an emulated provider behind real sockets, plain or over TLS with a certificate of
 * its own for api.test and 127.0.0.1, and an engine of one role that talks to it. */
#include <moot.h>

#include "bench/emulator/server.h"
#include "net/tls_mint.h"
#include "tests/support/loop.h"

struct tls_world {
    struct test_loop loop;
    struct moot_tls_minted minted;
    struct moot_tls_identity *identity;
    struct moot_tls_server *tls;
    struct moot_emulator_server *server;
    struct moot_address address; /* the provider's */
    char ca_file[32];
    struct moot_plan *plan;
    struct moot_engine *engine;
    int engine_closed, done;
    struct moot_error_info error;
    char text[256];
};

void tls_world_open(struct tls_world *world, bool tls);
/* `https_proxy` NULL: none in the environment; `ca_pem` NULL: the world's own authority. */
void tls_world_engine(struct tls_world *world, const char *url, const char *https_proxy,
                      const char *ca_pem);
void tls_world_ask(struct tls_world *world, bool stream); /* and wait for the end */
void tls_world_close_engine(struct tls_world *world);
void tls_world_close(struct tls_world *world); /* nothing is left */

#endif
