#ifndef MOOT_TEST_SIM_WIRE_H
#define MOOT_TEST_SIM_WIRE_H

/* A simulated connection, between sim_wire.c, where things travel, and sim_socket.c, where hosts
 * see the ends of it.
 *
 * A wire is one connection. It has two ends, 0 the client and 1 the server, each a stream or NULL
 * (not yet there, or gone), and two pipes: pipe[i] holds the bytes on their way to end i, those
 * that arrived in front. Everything that travels is a packet; a pipe's packets arrive in the order
 * in which they were sent, so that only the first is an event of the world. The wire lives as long
 * as an end or a packet does. */
#include "transport_sim_internal.h"

enum failure { FAILURE_NONE, FAILURE_REFUSED, FAILURE_TIMED_OUT, FAILURE_RESET };

enum packet_kind { SYN, SYN_ACK, REFUSED, DATA, FIN, RST };

struct sim_stream {
    struct moot_stream base;
    struct sim_host *host;
    struct wire *wire;
    unsigned end;
    struct moot_list node;       /* in host->streams, or in a listener's `waiting` */
    struct moot_list ready_node; /* in host->ready, or in the round of a turn */
    unsigned wanted;
    enum failure failure;
    bool is_made; /* the handshake is over */
};

struct pipe {
    struct moot_buf bytes;
    size_t arrived;   /* of `bytes` */
    uint64_t last_ns; /* arrival of the packet sent last */
    struct moot_list packets;
    struct moot_timer event; /* arrival of the first of them; started when there is one */
    bool has_ended;          /* FIN arrived */
};

struct wire {
    struct moot_sim *sim;
    uint64_t number;
    struct moot_address address;
    struct sim_stream *ends[2];
    struct pipe pipes[2];
    struct moot_timer give_up; /* an event of the world: not made, or silent, for too long */
    size_t packets;
    bool is_silent;
    bool is_cut; /* somebody between answers with an RST whatever is sent */
};

struct listener {
    struct sim_host *host;
    struct moot_acceptor *acceptor;
    struct moot_list node;
    struct moot_list waiting; /* streams made and not yet accepted */
    size_t waiting_count;
};

static inline struct pipe *pipe_in(const struct sim_stream *stream)
{
    return &stream->wire->pipes[stream->end];
}

static inline struct pipe *pipe_out(const struct sim_stream *stream)
{
    return &stream->wire->pipes[1 - stream->end];
}

static inline size_t room(const struct sim_stream *stream)
{
    return stream->host->sim->options.window_bytes - pipe_out(stream)->bytes.len;
}

/* What is true of a stream, wanted or not. */
unsigned moot__sim_readiness(const struct sim_stream *stream);

/* To be called after every change: a stream is in its host's ready list when what its owner wants
 * is true. The second does it for an end that may be gone. */
void moot__sim_stream_update(struct sim_stream *stream);
void moot__sim_update_end(const struct wire *wire, unsigned end);

/* NULL without memory. Release frees a wire that nobody and nothing is on any more. */
struct wire *moot__sim_wire_new(struct moot_sim *sim, const struct moot_address *address);
void moot__sim_wire_release(struct wire *wire);

/* Returns whether it went out, which in a wire fallen silent nothing does. */
bool moot__sim_send(struct wire *wire, unsigned to, enum packet_kind kind, size_t len);
/* From now on nothing arrives at either end; each finds out when its system gives up. */
void moot__sim_fall_silent(struct wire *wire);
/* From now on whatever is sent is answered by an RST from between; with or without a FIN to both
 * ends, whose systems give up when they have nothing to send. */
void moot__sim_cut(struct wire *wire, bool with_fin);

/* An RST; what is in flight in front of it may be lost. */
void moot__sim_send_reset(struct wire *wire, unsigned to);

/* sim_socket.c: an end of a wire on a host; NULL without memory. */
struct sim_stream *moot__sim_stream_new(struct sim_host *host, struct wire *wire, unsigned end);

struct listener *moot__sim_find_listener(struct moot_sim *sim, const struct moot_address *address);

void moot__sim_note_wire(const struct sim_host *host, const struct wire *wire,
                         enum moot_sim_event_kind kind, int64_t value);

#endif
