#ifndef MOOT_BASE_SM_H
#define MOOT_BASE_SM_H

/* State tables. A machine is an array of {name, allowed next states}; moot__sm_move is the only
 * writer of a state and checks the edge, so an impossible move is found where it is made. */
#include <stdint.h>

struct moot_sm_state {
    const char *name;
    uint32_t allowed; /* MOOT_SM_TO(next) | ... */
};

#define MOOT_SM_TO(state) (UINT32_C(1) << (state))

/* Called after each move, for traces and tests; may be NULL. */
typedef void moot_sm_observe_fn(void *context, const struct moot_sm_state *from,
                                const struct moot_sm_state *to);

struct moot_sm {
    const struct moot_sm_state *states;
    unsigned count;
    unsigned current;
    moot_sm_observe_fn *observe;
    void *context;
};

void moot__sm_init(struct moot_sm *sm, const struct moot_sm_state *states, unsigned count,
                   unsigned first);
void moot__sm_move(struct moot_sm *sm, unsigned next); /* asserts that the edge is in the table */
const char *moot__sm_name(const struct moot_sm *sm);

#endif
