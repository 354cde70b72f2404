/* What travels between the two ends of a simulated connection, and what its arrival does. */
#include "sim_wire.h"

#include <string.h>

#include "engine/base/alloc.h"

/* The system's own patience: with a handshake, and, by keepalive, with a peer gone silent. */
enum { SYN_RETRY_S = 1, CONNECT_GIVES_UP_S = 127, KEEPALIVE_GIVES_UP_S = 135, BACKLOG = 128 };

struct packet {
    struct moot_list node; /* in pipe->packets */
    uint64_t at_ns;
    enum packet_kind kind;
    size_t len;
};

void moot__sim_note_wire(const struct sim_host *host, const struct wire *wire,
                         enum moot_sim_event_kind kind, int64_t value)
{
    moot__sim_note(host->sim, &(struct moot_sim_event){.kind = kind,
                                                       .host = host->id,
                                                       .object = wire ? wire->number : 0,
                                                       .value = value});
}

/* ---- readiness ---- */

unsigned moot__sim_readiness(const struct sim_stream *stream)
{
    if (stream->failure)
        return MOOT_READABLE | MOOT_WRITABLE;
    if (!stream->is_made)
        return 0;
    bool is_readable = pipe_in(stream)->arrived > 0 || pipe_in(stream)->has_ended;
    return (is_readable ? MOOT_READABLE : 0u) | (room(stream) > 0 ? MOOT_WRITABLE : 0u);
}

/* Which of several streams comes first in a turn is drawn; and whether one is called for nothing.
 */
void moot__sim_stream_update(struct sim_stream *stream)
{
    struct moot_sim *sim = stream->host->sim;
    bool is_linked = moot__list_is_linked(&stream->ready_node);
    bool is_ready = (moot__sim_readiness(stream) & stream->wanted) != 0;
    if (!is_ready && stream->wanted)
        is_ready = moot__sim_chance(sim, sim->faults.spurious);
    if (is_ready && !is_linked && moot__sim_chance(sim, 500000))
        moot__list_push_front(&stream->host->ready, &stream->ready_node);
    else if (is_ready && !is_linked)
        moot__list_push_back(&stream->host->ready, &stream->ready_node);
    else if (!is_ready && is_linked)
        moot__list_remove(&stream->ready_node);
}

void moot__sim_update_end(const struct wire *wire, unsigned end)
{
    if (wire->ends[end])
        moot__sim_stream_update(wire->ends[end]);
}

/* ---- packets ---- */

void moot__sim_wire_release(struct wire *wire)
{
    if (wire->ends[0] || wire->ends[1] || wire->packets > 0)
        return;
    moot__timers_stop(&wire->sim->events, &wire->give_up);
    moot__buf_deinit(&wire->pipes[0].bytes);
    moot__buf_deinit(&wire->pipes[1].bytes);
    moot__free(wire->sim->allocator, wire);
}

/* The first packet of a pipe leaves it. */
static void packet_drop(struct wire *wire, struct pipe *pipe)
{
    struct moot_list *node = moot__list_pop_front(&pipe->packets);
    moot__list_push_front(&wire->sim->spare_packets, node);
    wire->packets--;
    if (moot__list_is_empty(&pipe->packets)) {
        moot__timers_stop(&wire->sim->events, &pipe->event);
        return;
    }
    struct packet *next = moot__list_entry(pipe->packets.next, struct packet, node);
    moot__timers_start(&wire->sim->events, &pipe->event, next->at_ns);
}

void moot__sim_free_spare_packets(struct moot_sim *sim)
{
    struct moot_list *node;
    while ((node = moot__list_pop_front(&sim->spare_packets)))
        moot__free(sim->allocator, moot__list_entry(node, struct packet, node));
}

/* Memory of the world itself is not what is tested: without any, it stops. */
static struct packet *packet_new(struct moot_sim *sim)
{
    struct moot_list *spare = moot__list_pop_front(&sim->spare_packets);
    struct packet *packet = spare ? moot__list_entry(spare, struct packet, node)
                                  : moot__alloc(sim->allocator, sizeof *packet);
    if (!packet)
        moot__unreachable();
    return packet;
}

static void packet_add(struct wire *wire, unsigned to, const struct packet *what)
{
    struct pipe *pipe = &wire->pipes[to];
    struct packet *packet = packet_new(wire->sim);
    *packet = *what;
    moot__list_init(&packet->node);
    if (moot__list_is_empty(&pipe->packets))
        moot__timers_start(&wire->sim->events, &pipe->event, packet->at_ns);
    moot__list_push_back(&pipe->packets, &packet->node);
    wire->packets++;
}

static void travel(struct wire *wire, unsigned to, enum packet_kind kind, size_t len)
{
    struct moot_sim *sim = wire->sim;
    struct pipe *pipe = &wire->pipes[to];
    uint64_t at_ns =
        sim->now_ns + moot__sim_between(sim, sim->options.delay_ns_min, sim->options.delay_ns_max);
    if (at_ns < pipe->last_ns)
        at_ns = pipe->last_ns;
    if (kind == DATA && moot__sim_chance(sim, sim->faults.stall)) {
        uint64_t stall_ns = moot__sim_between(sim, 0, sim->faults.stall_ns_max);
        at_ns += stall_ns;
        moot__sim_note(sim, &(struct moot_sim_event){.kind = MOOT_SIM_STALL,
                                                     .object = wire->number,
                                                     .value = (int64_t)stall_ns});
    }
    pipe->last_ns = at_ns;
    packet_add(wire, to, &(struct packet){.at_ns = at_ns, .kind = kind, .len = len});
}

bool moot__sim_send(struct wire *wire, unsigned to, enum packet_kind kind, size_t len)
{
    if (wire->is_silent)
        return false;
    if (wire->is_cut) {
        if (kind == DATA || kind == FIN)
            travel(wire, 1 - to, RST, 0);
        return false;
    }
    travel(wire, to, kind, len);
    return true;
}

/* What is in flight to `end` is lost; the bytes that arrived stay. */
static void drop_in_flight(struct wire *wire, unsigned end)
{
    struct pipe *pipe = &wire->pipes[end];
    while (!moot__list_is_empty(&pipe->packets))
        packet_drop(wire, pipe);
    moot__buf_truncate(&pipe->bytes, pipe->arrived);
}

void moot__sim_send_reset(struct wire *wire, unsigned to)
{
    if (moot__sim_chance(wire->sim, 500000)) {
        drop_in_flight(wire, to);
        wire->pipes[to].last_ns = 0;
    }
    moot__ignore(moot__sim_send(wire, to, RST, 0));
}

static void fail_end(struct wire *wire, unsigned end, enum failure failure)
{
    struct sim_stream *stream = wire->ends[end];
    if (!stream || stream->failure)
        return;
    stream->failure = failure;
    moot__sim_stream_update(stream);
}

/* ---- arrivals ---- */

static bool is_same_address(const struct moot_address *a, const struct moot_address *b)
{
    return a->port == b->port && a->is_ipv6 == b->is_ipv6 &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct listener *moot__sim_find_listener(struct moot_sim *sim, const struct moot_address *address)
{
    MOOT_LIST_FOREACH (host_node, &sim->hosts) {
        struct sim_host *host = moot__list_entry(host_node, struct sim_host, node);
        MOOT_LIST_FOREACH (node, &host->listeners) {
            struct listener *listener = moot__list_entry(node, struct listener, node);
            if (is_same_address(&listener->acceptor->address, address))
                return listener;
        }
    }
    return NULL;
}

/* A listener without memory or room lets the client knock again. */
static void on_syn(struct wire *wire)
{
    struct listener *listener = moot__sim_find_listener(wire->sim, &wire->address);
    if (!wire->ends[0])
        return;
    if (!listener || moot__sim_chance(wire->sim, wire->sim->faults.refuse)) {
        moot__ignore(moot__sim_send(wire, 0, REFUSED, 0));
        return;
    }
    moot__sim_note_wire(listener->host, wire, MOOT_SIM_SYN, wire->address.port);
    struct sim_stream *stream =
        listener->waiting_count < BACKLOG ? moot__sim_stream_new(listener->host, wire, 1) : NULL;
    if (!stream) {
        uint64_t again_ns = wire->sim->now_ns + SYN_RETRY_S * MOOT_NS_PER_S;
        packet_add(wire, 1, &(struct packet){.at_ns = again_ns, .kind = SYN});
        return;
    }
    stream->is_made = true;
    moot__list_push_back(&listener->waiting, &stream->node);
    listener->waiting_count++;
    listener->host->waiting++;
    moot__ignore(moot__sim_send(wire, 0, SYN_ACK, 0));
}

static void on_data(struct wire *wire, unsigned to, size_t len)
{
    struct pipe *pipe = &wire->pipes[to];
    struct sim_stream *stream = wire->ends[to];
    if (!stream || stream->failure) {
        if (wire->ends[1 - to])
            moot__sim_send_reset(wire, 1 - to);
        return;
    }
    pipe->arrived += len;
    assert(pipe->arrived <= pipe->bytes.len);
    moot__sim_stream_update(stream);
}

static void arrive(struct wire *wire, unsigned to, enum packet_kind kind, size_t len)
{
    static const enum moot_sim_event_kind names[] = {
        [SYN] = MOOT_SIM_SYN,   [SYN_ACK] = MOOT_SIM_SYN_ACK, [REFUSED] = MOOT_SIM_REFUSED,
        [DATA] = MOOT_SIM_DATA, [FIN] = MOOT_SIM_FIN,         [RST] = MOOT_SIM_RST,
    };
    struct sim_stream *stream = wire->ends[to];
    if (kind != SYN && stream)
        moot__sim_note_wire(stream->host, wire, names[kind], (int64_t)len);
    switch (kind) {
    case SYN:
        on_syn(wire);
        break;
    case SYN_ACK:
        if (stream) {
            stream->is_made = true;
            if (!wire->is_silent && !wire->is_cut)
                moot__timers_stop(&wire->sim->events, &wire->give_up);
            moot__sim_stream_update(stream);
        } else if (wire->ends[1]) {
            moot__sim_send_reset(wire, 1);
        }
        break;
    case REFUSED:
        fail_end(wire, to, FAILURE_REFUSED);
        break;
    case DATA:
        on_data(wire, to, len);
        break;
    case FIN:
        wire->pipes[to].has_ended = true;
        moot__sim_update_end(wire, to);
        break;
    case RST:
        fail_end(wire, to, FAILURE_RESET);
        break;
    }
}

static void on_give_up(struct moot_timer *event)
{
    struct wire *wire = moot__container_of(event, struct wire, give_up);
    for (unsigned end = 0; end < 2; end++) {
        struct sim_stream *stream = wire->ends[end];
        if (!stream || stream->failure)
            continue;
        moot__sim_note_wire(stream->host, wire, MOOT_SIM_TIMED_OUT, 0);
        fail_end(wire, end, FAILURE_TIMED_OUT);
    }
}

void moot__sim_fall_silent(struct wire *wire)
{
    struct moot_sim *sim = wire->sim;
    if (wire->is_silent)
        return;
    wire->is_silent = true;
    moot__sim_note(sim, &(struct moot_sim_event){.kind = MOOT_SIM_SILENCE, .object = wire->number});
    moot__timers_start(&sim->events, &wire->give_up,
                       sim->now_ns + KEEPALIVE_GIVES_UP_S * MOOT_NS_PER_S);
}

void moot__sim_cut(struct wire *wire, bool with_fin)
{
    struct moot_sim *sim = wire->sim;
    if (wire->is_silent || wire->is_cut)
        return;
    for (unsigned to = 0; to < 2 && with_fin; to++)
        travel(wire, to, FIN, 0);
    wire->is_cut = true;
    moot__sim_note(sim, &(struct moot_sim_event){
                            .kind = MOOT_SIM_CUT, .object = wire->number, .value = with_fin});
    moot__timers_start(&sim->events, &wire->give_up,
                       sim->now_ns + KEEPALIVE_GIVES_UP_S * MOOT_NS_PER_S);
}

static void on_pipe(struct wire *wire, unsigned to)
{
    struct pipe *pipe = &wire->pipes[to];
    struct packet packet = *moot__list_entry(pipe->packets.next, struct packet, node);
    packet_drop(wire, pipe);
    wire->packets++; /* the wire stays while we are here */
    arrive(wire, to, packet.kind, packet.len);
    wire->packets--;
    moot__sim_wire_release(wire);
}

static void on_pipe_0(struct moot_timer *event)
{
    on_pipe(moot__container_of(event, struct wire, pipes[0].event), 0);
}

static void on_pipe_1(struct moot_timer *event)
{
    on_pipe(moot__container_of(event, struct wire, pipes[1].event), 1);
}

struct wire *moot__sim_wire_new(struct moot_sim *sim, const struct moot_address *address)
{
    struct wire *wire = moot__calloc(sim->allocator, 1, sizeof *wire);
    if (!wire)
        return NULL;
    wire->sim = sim;
    wire->number = ++sim->wires_made;
    wire->address = *address;
    wire->give_up.on_fire = on_give_up;
    wire->pipes[0].event.on_fire = on_pipe_0;
    wire->pipes[1].event.on_fire = on_pipe_1;
    for (size_t i = 0; i < 2; i++) {
        moot__buf_init(&wire->pipes[i].bytes, sim->allocator, sim->options.window_bytes);
        moot__list_init(&wire->pipes[i].packets);
    }
    moot__timers_start(&sim->events, &wire->give_up,
                       sim->now_ns + CONNECT_GIVES_UP_S * MOOT_NS_PER_S);
    return wire;
}
