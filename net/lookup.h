#ifndef MOOT_NET_LOOKUP_H
#define MOOT_NET_LOOKUP_H

/* A name lookup by the system's resolver, as a work for a thread. It holds copies of all it needs,
 * in the process's own memory, so that it can be abandoned in the middle. */
#include "transport.h"

struct moot_lookup {
    struct moot_work work;
    struct moot_list node;        /* of the transport's lookups under way; loop thread only */
    struct moot_resolve *resolve; /* who asked; loop thread only */
    struct moot_resolve answer;   /* host and port, then the result */
};

/* NULL: no memory. */
MOOT_NODISCARD struct moot_lookup *moot__lookup_new(struct moot_resolve *resolve);
void moot__lookup_drop(struct moot_work *work); /* frees; any thread */

#endif
