#ifndef MOOT_ENGINE_ENGINE_H
#define MOOT_ENGINE_ENGINE_H

/* One loop's worth of everything that conversations share: transport, pool, gates, randomness, the
 * trace ring. A part is reached through its own header; this one only holds them together. */
#include <moot/engine.h>
#include <stdatomic.h>

#include "config.h"
#include "engine/base/rng.h"
#include "gate.h"
#include "keeper.h"
#include "loop.h"
#include "net/dns.h"
#include "net/pool.h"
#include "trace/ring.h"

/* One provider, as this engine sees it. */
struct moot_upstream {
    struct moot_engine *engine;
    const struct moot_provider *provider; /* the plan's */
    const struct moot_dialect *dialect;
    struct moot_origin *origin;
    struct moot_keeper keeper; /* of its credential */
    struct moot_gate gate;
    struct moot_timer timer; /* when the gate wants to be pumped */
};

struct moot_engine {
    const struct moot_allocator *allocator;
    struct moot_plan *plan;
    struct moot_budget *budget;
    struct moot_loop *loop; /* NULL on a transport that is not ours (simulation) */
    struct moot_transport *transport;
    struct moot_dns dns;
    struct moot_tls_trust *trust;
    struct moot_tls_client *tls;
    struct moot_pool pool;
    struct moot_upstream *upstreams; /* in the plan's order */
    unsigned upstream_count;
    struct moot_arena scratch; /* answers while they are being read; empty between them */
    struct moot_rng rng;
    struct moot_trace *trace;
    struct moot_ring *ring; /* the trace's, for this engine; or NULL */

    struct moot_list conversations; /* all that are not done */
    struct moot_list slot_queue;    /* of them, those waiting for a slot */
    unsigned talking, concurrency;  /* slots taken, and how many there are; 0: no cap */
    struct moot_engine_stats stats;

    struct moot_list
        departures; /* waiters whose calls may be sent, until the turn's work is done */
    struct moot_task depart_task;
    int (*before_send)(void *data); /* or NULL */
    void *before_send_data;

    atomic_bool sealed; /* asked to close, maybe from another thread: no conversation begins */
    bool closing;       /* on our own thread: those that are under way end */
    struct moot_task closing_task;
    void (*on_closed)(void *data);
    void *on_closed_data;

    void (*log)(void *context, enum moot_log_level level, struct moot_view message);
    void *log_context;
};

/* As moot_engine_new, on a transport that outlives the engine: for simulation and tests. */
MOOT_NODISCARD int moot__engine_new_on(struct moot_transport *transport,
                                       const struct moot_engine_options *options,
                                       struct moot_engine **out, struct moot_error_info *info);

/* An engine that was made but never used: free it, the transport stays. */
void moot__engine_abandon(struct moot_engine *engine);

/* moot_engine_close, on the engine's own thread; on_closed and its data are set. */
void moot__engine_close_here(struct moot_engine *engine);

/* Take a slot: true at once, or false and `node` waits in order. */
bool moot__engine_take_slot(struct moot_engine *engine, struct moot_list *node);
void moot__engine_free_slot(struct moot_engine *engine);

/* Someone entered the gate, or a call was settled: let pass who may. Those who pass depart
 * together, from a task. */
void moot__upstream_pump(struct moot_upstream *upstream);

/* Have a function called before calls leave, once for all that leave together, and soon after every
 * callback that told of an answer or an end: what these have said can be made to last before more
 * is asked. It may block; unless it returns MOOT_OK nothing leaves, and what waits goes on waiting
 * until it is cancelled. Before the first conversation begins. */
void moot__engine_before_send(struct moot_engine *engine, int (*before_send)(void *data),
                              void *data);

/* The user was told of an answer or an end. */
void moot__engine_told(struct moot_engine *engine);

/* A conversation is over; the last one lets a closing engine go on. */
void moot__engine_conversation_ended(struct moot_engine *engine);

void moot__engine_log(struct moot_engine *engine, enum moot_log_level level, const char *format,
                      ...) MOOT_PRINTF(3, 4);

#endif
