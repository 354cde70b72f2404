#ifndef MOOT_TEST_TRANSPORT_SIM_H
#define MOOT_TEST_TRANSPORT_SIM_H

/* The second implementation of net/transport.h: a world of hosts with virtual time, where every
 * delay, cut and fault is drawn from one seed. Nothing here reads a real clock, socket or random
 * source, so that a seed is a whole run: the same program with the same seed takes the same steps,
 * which moot__sim_hash proves.
 *
 * A host is a transport; several of them (machines, or threads with a loop each) share the world's
 * clock, its names and one flat space of addresses. Everything runs on the one thread that steps
 * the world.
 *
 * A step takes one turn of one host that has something to do, or, when none has, moves time on to
 * the next event. A turn is that of a loop: due timers, posted tasks, ready streams, new
 * connections, finished work and lookups, tasks again. It costs a drawn span of time, so that a
 * host that spins is late for the rest of the world.
 *
 * A stream may be called ready when it is not, and be told MOOT_EAGAIN when it is, as poll(2)
 * allows; but never so that a byte waits for ever.
 *
 * What is kept of TCP: bytes in order, cut anywhere; a window that fills; FIN after the bytes; RST
 * with or without them; an RST in answer to what comes for a closed end, and to a close that left
 * bytes unread; connections refused, unanswered, or made and closed before they were accepted. */
#include <stdbool.h>

#include "net/transport.h"

struct moot_sim;

/* X(id, name, what `value` is) */
#define MOOT_SIM_EVENT_MAP(X)                                                                      \
    X(TURN, "turn", "0")                                                                           \
    X(TIMER, "timer", "how late it fires, ns")                                                     \
    X(TASK, "task", "0")                                                                           \
    X(READY, "ready", "MOOT_READABLE | MOOT_WRITABLE")                                             \
    X(READ, "read", "bytes, or the error")                                                         \
    X(WRITE, "write", "bytes, or the error")                                                       \
    X(LISTEN, "listen", "port")                                                                    \
    X(CONNECT, "connect", "port")                                                                  \
    X(ACCEPT, "accept", "port")                                                                    \
    X(CLOSE, "close", "1: by an RST")                                                              \
    X(SYN, "syn", "port")                                                                          \
    X(SYN_ACK, "syn-ack", "0")                                                                     \
    X(REFUSED, "refused", "0")                                                                     \
    X(TIMED_OUT, "timed-out", "0")                                                                 \
    X(DATA, "data", "bytes that arrived")                                                          \
    X(FIN, "fin", "0")                                                                             \
    X(RST, "rst", "0")                                                                             \
    X(STALL, "stall", "ns")                                                                        \
    X(SILENCE, "silence", "0")                                                                     \
    X(CUT, "cut", "1: with a FIN to both ends")                                                    \
    X(CORRUPT, "corrupt", "the byte that it was")                                                  \
    X(JUMP, "jump", "of the wall clock, s")                                                        \
    X(RESOLVED, "resolved", "status")                                                              \
    X(WORK_RUN, "work-run", "0")                                                                   \
    X(WORK_DONE, "work-done", "status")                                                            \
    X(CLOSED, "closed", "0")

enum moot_sim_event_kind {
#define X(id, name, what) MOOT_SIM_##id,
    MOOT_SIM_EVENT_MAP(X)
#undef X
};

struct moot_sim_event {
    uint64_t now_ns;
    enum moot_sim_event_kind kind;
    unsigned host;   /* from 0, in order of making */
    uint64_t object; /* a connection's number, from 1; or 0 */
    int64_t value;   /* see the map */
};

/* What goes wrong, in parts of a million. */
struct moot_sim_faults {
    uint32_t dns_fail, dns_hang;    /* of lookups: an error; an error after a long while */
    uint32_t dns_empty, dns_dead;   /* a name without addresses; dead addresses before the real ones
                                       or instead of them */
    uint32_t refuse, unanswered;    /* of connections: refused; lost, until the system gives up */
    uint32_t reset, stall, silence; /* of segments: both ends are reset; late by up to stall_ns_max;
                                       nothing from it on arrives, until the systems give up */
    uint32_t fin,
        forget;       /* of segments: behind it somebody between closes both ways, or forgets
                         the connection: who sends next gets an RST, who listens hears nothing */
    uint32_t corrupt; /* of segments: one byte of it becomes another */
    uint32_t short_read, short_write; /* of calls: fewer bytes than there are, or is room for */
    uint32_t early_again; /* of reads and writes: MOOT_EAGAIN where they could have gone on */
    uint32_t spurious;    /* of changes to a stream: it is called ready when it is not */
    uint64_t stall_ns_max;
};

struct moot_sim_options {
    uint64_t seed;
    const struct moot_allocator *allocator; /* of the world itself; NULL: the process's */
    uint64_t wall_ns;                       /* wall time at the start; 0: some day in 2023 */
    uint64_t turn_ns_max;                   /* what a turn costs, at most; from here 0: a default */
    uint64_t late_ns_max;                   /* how late time moves on when nothing is to do */
    uint64_t delay_ns_min, delay_ns_max;    /* one way, of a segment */
    uint64_t dns_ns_max, work_ns_max;
    size_t segment_bytes_max; /* bytes are cut into segments of 1 to this */
    size_t window_bytes;      /* written and not yet read, one way */
    struct moot_sim_faults faults;
    void (*on_event)(void *context, const struct moot_sim_event *event); /* may be NULL */
    void *context;
};

/* MOOT_ENOMEM; *out is then NULL. */
MOOT_NODISCARD int moot__sim_new(const struct moot_sim_options *options, struct moot_sim **out);

/* Every host must have been closed. NULL does nothing. */
void moot__sim_free(struct moot_sim *sim);

/* Another host. Its streams come from `allocator` (NULL: the process's), as the real transport's
 * do, so that one left open shows there. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__sim_host_new(struct moot_sim *sim, const struct moot_allocator *allocator,
                                      struct moot_transport **out);

/* As moot__transport_uv_close: everything under way is dropped without a callback, but work comes
 * to its `done`; then `on_closed(data)` (may be NULL) from a later step, the host being gone. */
void moot__sim_host_close(struct moot_transport *host, void (*on_closed)(void *data), void *data);

/* Whether a loop under this host would go on running: somebody holds it, or tasks, work or lookups
 * are under way. */
bool moot__sim_host_is_alive(struct moot_transport *host);

/* Streams of a host that are open. */
size_t moot__sim_host_streams(struct moot_transport *host);

/* What a name resolves to: IP literals, separated by spaces; "" means that it does not exist.
 * Copied. "localhost" is known as 127.0.0.1 until it is told otherwise. False: not an address, or
 * too many names. */
MOOT_NODISCARD bool moot__sim_name(struct moot_sim *sim, const char *name, const char *addresses);

/* From now on. What has begun to go wrong is not mended. */
void moot__sim_set_faults(struct moot_sim *sim, const struct moot_sim_faults *faults);

/* Take a step. False: there is nothing left that could ever happen. */
bool moot__sim_step(struct moot_sim *sim);

/* The wall clocks of all hosts are set, forward or back; monotonic time knows nothing of it. */
void moot__sim_jump_wall(struct moot_sim *sim, int64_t seconds);

/* Bytes that were made others so far. */
uint64_t moot__sim_corruptions(const struct moot_sim *sim);

/* The turn under way blocks for so long. */
void moot__sim_pass(struct moot_sim *sim, uint64_t ns);

uint64_t moot__sim_now_ns(const struct moot_sim *sim);
uint64_t moot__sim_steps(const struct moot_sim *sim);

/* Over everything that happened so far: kinds, times, bytes. */
uint64_t moot__sim_hash(const struct moot_sim *sim);

struct moot_sim_bound {
    uint64_t until_ns; /* the world's time; MOOT_NEVER_NS: none */
    uint64_t steps;    /* taken here */
};

/* Step until `is_met(context)`. False: a bound came first, or the end of all events. */
bool moot__sim_run_until(struct moot_sim *sim, bool (*is_met)(void *context), void *context,
                         struct moot_sim_bound bound);

/* Static storage. */
const char *moot__sim_event_name(enum moot_sim_event_kind kind);

#endif
