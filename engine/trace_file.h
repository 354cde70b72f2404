#ifndef MOOT_ENGINE_TRACE_FILE_H
#define MOOT_ENGINE_TRACE_FILE_H

/* The way of an engine's spans into a trace file. */
#include <moot/trace.h>

#include "trace/ring.h"

/* A ring for one producer, the calling engine's loop; the trace owns and empties it. NULL: no
 * memory. Any thread. */
MOOT_NODISCARD struct moot_ring *moot__trace_attach(struct moot_trace *trace);

/* The producer is done with its ring; what it holds is still written, and the next engine may get
 * it. Any thread, after the last write. NULL is allowed as `ring`. */
void moot__trace_detach(struct moot_trace *trace, struct moot_ring *ring);

#endif
