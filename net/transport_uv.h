#ifndef MOOT_NET_TRANSPORT_UV_H
#define MOOT_NET_TRANSPORT_UV_H

/* The real transport: own sockets, driven by uv_poll on the caller's loop. */
#include <moot/alloc.h>
#include <moot/version.h>

#include "transport.h"

struct uv_loop_s;

/* Make a transport on `loop`, which must outlive it. MOOT_ENOMEM; *out is then NULL and the loop as
 * it was. Loop thread, or before the loop runs. */
MOOT_NODISCARD int moot__transport_uv_new(const struct moot_allocator *allocator,
                                          struct uv_loop_s *loop, struct moot_transport **out);

/* Close: legal in every callback, once. Everything still under way is dropped without a callback:
 * timers, tasks, lookups, and streams and acceptors, which are closed and gone. Only work ends in
 * its `done`, as promised: the close waits for what already runs, and the rest comes with
 * MOOT_ECANCELED. Then `on_closed(data)` (may be NULL) is called from the loop; the transport is
 * freed and no handle of it is in the loop. Lookups that hang in a thread end in their own time and
 * touch nothing. */
void moot__transport_uv_close(struct moot_transport *transport, void (*on_closed)(void *data),
                              void *data);

#endif
