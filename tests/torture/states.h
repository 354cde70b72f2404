#ifndef MOOT_TORTURE_STATES_H
#define MOOT_TORTURE_STATES_H

/* Every state machine of the house, watched from outside: the linker leads moot__sm_init and
 * moot__sm_move through states.c. A machine is known by its table, which it brings along. */
#include <stdbool.h>

#include "engine/base/sm.h"

enum { MACHINES_MAX = 16, STATES_MAX = 32 };

/* The machines that there are; a table that is none of them is an error of its own. */
#define MACHINE_MAP(X)                                                                             \
    X(CONVERSATION, "conversation", "engine/conversation.c")                                       \
    X(CALL, "call", "net/call.c")                                                                  \
    X(CONNECTION, "connection", "net/pool.c")                                                      \
    X(DIAL, "dial", "net/dial.c")                                                                  \
    X(HANDSHAKE, "handshake", "net/tls_handshake.c")                                               \
    X(KEEPER, "keeper", "engine/keeper.c")                                                         \
    X(PROVIDER, "provider", "bench/emulator/connection.c")

enum machine {
#define X(id, name, file) MACHINE_##id,
    MACHINE_MAP(X)
#undef X
        MACHINES
};

const char *machine_name(enum machine machine);
const char *machine_file(enum machine machine);

/* The table of a machine that has been seen, or NULL. */
const struct moot_sm_state *machine_states(enum machine machine, unsigned *count);

/* Called whenever one of them entered a state; from the middle of its step. */
extern void (*states_on_enter)(const struct moot_sm *sm, enum machine machine, unsigned state);

#endif
