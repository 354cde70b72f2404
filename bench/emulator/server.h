#ifndef MOOT_EMULATOR_SERVER_H
#define MOOT_EMULATOR_SERVER_H

/* The emulator behind a transport, real or simulated: a listening socket, and one emulator for all
 * of its connections. Belongs to the transport's thread. Times in the emulator's log are those of
 * moot__clock_ns. */
#include "emulator.h"
#include "net/tls.h"
#include "net/transport.h"

struct moot_emulator_server;

struct moot_emulator_server_options {
    struct moot_transport *transport;             /* must outlive the server */
    struct moot_address address;                  /* port 0: the system's choice */
    const struct moot_emulator_options *emulator; /* as for moot_emulator_new. A wall_offset_ns of
                                                     0 is replaced by the transport's own */
    struct moot_tls_server *tls;                  /* NULL: plain; must outlive the server */
    unsigned connections_max;                     /* more are reset; 0: no cap */
};

/* MOOT_EINVAL, MOOT_ENOMEM, MOOT_ECONNECT (the address cannot be bound). */
MOOT_NODISCARD int moot__emulator_server_open(const struct moot_emulator_server_options *options,
                                              struct moot_emulator_server **out);

/* With the real port. */
struct moot_address moot__emulator_server_address(const struct moot_emulator_server *server);

/* For ledger and log. */
const struct moot_emulator *
moot__emulator_server_emulator(const struct moot_emulator_server *server);

/* Stop listening, abort every connection, free. Legal in every callback. NULL does nothing. */
void moot__emulator_server_close(struct moot_emulator_server *server);

#endif
