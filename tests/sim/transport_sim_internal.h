#ifndef MOOT_TEST_TRANSPORT_SIM_INTERNAL_H
#define MOOT_TEST_TRANSPORT_SIM_INTERNAL_H

/* What the parts of the simulated transport share: transport_sim.c has the world, its steps and the
 * hosts' turns; sim_host.c what hosts ask for besides sockets; sim_socket.c streams and acceptors,
 * sim_wire.c what is between them. Nobody else includes this. */
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "net/timers.h"
#include "transport_sim.h"

enum { SIM_NAMES_MAX = 64, SIM_NAME_BYTES = 64 };

struct sim_name {
    char name[SIM_NAME_BYTES];
    unsigned count; /* 0: it does not exist */
    struct moot_address addresses[MOOT_LIMIT_DNS_ADDRESSES];
};

struct moot_sim {
    const struct moot_allocator *allocator;
    struct moot_sim_options options;
    struct moot_sim_faults faults;
    struct moot_rng rng;
    uint64_t now_ns;
    struct moot_timers events; /* of the world: arrivals, lookups, work */
    struct moot_list hosts;
    struct moot_list spare_packets; /* sim_wire.c's, to be used again */
    unsigned hosts_made;
    uint64_t wires_made;
    uint16_t next_port;
    struct sim_name names[SIM_NAMES_MAX];
    unsigned name_count;
    int64_t wall_jump_s;
    uint64_t corruptions;
    uint64_t steps, hash;
};

struct sim_host {
    struct moot_transport base;
    struct moot_sim *sim;
    struct moot_list node; /* in sim->hosts */
    unsigned id;
    struct moot_rng rng;
    uint64_t turn_ns; /* when the turn under way began */
    bool in_turn;
    struct moot_timers timers;
    struct moot_list tasks;
    struct moot_list streams, listeners;
    struct moot_list ready;        /* streams, by `ready_node`: wanted and true */
    size_t stream_count;           /* in `streams` */
    size_t waiting;                /* connections not yet accepted, of all listeners */
    struct moot_list lookups;      /* under way */
    struct moot_list lookups_done; /* their on_done is due */
    struct moot_list works;        /* submitted, `done` not yet due */
    struct moot_list works_done;   /* their `done` is due */
    size_t work_count;             /* of both lists */
    size_t holds;
    bool is_closing;
    void (*on_closed)(void *data);
    void *data;
};

static inline struct sim_host *sim_host_of(struct moot_transport *base)
{
    return moot__container_of(base, struct sim_host, base);
}

/* Note an event: into the hash, and to whoever listens. */
void moot__sim_note(struct moot_sim *sim, const struct moot_sim_event *event);
void moot__sim_note_bytes(struct moot_sim *sim, const void *data, size_t len); /* hash only */

/* A draw against parts of a million. */
bool moot__sim_chance(struct moot_sim *sim, uint32_t of_a_million);

/* A draw in [min, max]. */
uint64_t moot__sim_between(struct moot_sim *sim, uint64_t min, uint64_t max);

/* sim_host.c: entries of the table, the due callbacks, and the end of them. */
int moot__sim_work_submit(struct moot_transport *base, struct moot_work *work);
int moot__sim_resolve(struct moot_transport *base, struct moot_resolve *resolve);
void moot__sim_resolve_cancel(struct moot_transport *base, struct moot_resolve *resolve);
void moot__sim_run_done(struct sim_host *host);
void moot__sim_drop_under_way(struct sim_host *host);
bool moot__sim_parse_address(const char *text, struct moot_address *out);

/* sim_wire.c. */
void moot__sim_free_spare_packets(struct moot_sim *sim);

/* sim_socket.c: entries of the table, the due callbacks, and the end of them. */
int moot__sim_connect(struct moot_transport *base, const struct moot_address *address,
                      struct moot_stream **out);
int moot__sim_connect_result(struct moot_stream *base, char *detail, size_t size);
int moot__sim_listen(struct moot_transport *base, const struct moot_address *address,
                     struct moot_acceptor *acceptor);
void moot__sim_unlisten(struct moot_transport *base, struct moot_acceptor *acceptor);
void moot__sim_run_ready(struct sim_host *host);
void moot__sim_run_accepts(struct sim_host *host);
void moot__sim_drop_sockets(struct sim_host *host);

#endif
