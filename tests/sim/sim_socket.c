/* Streams and acceptors of the simulated transport: what a host sees of its connections. */
#include <errno.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "sim_wire.h"

static struct sim_stream *from_stream(struct moot_stream *base)
{
    return moot__container_of(base, struct sim_stream, base);
}

/* ---- a stream's table ---- */

static const struct moot_stream_ops stream_ops;

struct sim_stream *moot__sim_stream_new(struct sim_host *host, struct wire *wire, unsigned end)
{
    struct sim_stream *stream = moot__calloc(host->base.allocator, 1, sizeof *stream);
    if (!stream)
        return NULL;
    *stream = (struct sim_stream){.base = {.ops = &stream_ops}, .host = host, .wire = wire};
    stream->end = end;
    moot__list_init(&stream->node);
    moot__list_init(&stream->ready_node);
    wire->ends[end] = stream;
    host->stream_count++;
    return stream;
}

static int failure_code(const struct sim_stream *stream)
{
    return stream->is_made ? MOOT_ERESET : MOOT_ECONNECT;
}

/* Bytes that arrived before a reset are still there, as in Linux. */
static ptrdiff_t read_some(struct sim_stream *stream, void *data, size_t cap)
{
    struct moot_sim *sim = stream->host->sim;
    struct pipe *pipe = pipe_in(stream);
    if (pipe->arrived == 0 && stream->failure)
        return failure_code(stream);
    if (pipe->arrived == 0)
        return pipe->has_ended ? 0 : MOOT_EAGAIN;
    if (moot__sim_chance(sim, sim->faults.early_again))
        return MOOT_EAGAIN;
    size_t len = cap < pipe->arrived ? cap : pipe->arrived;
    if (moot__sim_chance(sim, sim->faults.short_read))
        len = (size_t)moot__sim_between(sim, 1, len);
    memcpy(data, pipe->bytes.data, len);
    moot__sim_note_bytes(sim, data, len);
    moot__buf_consume(&pipe->bytes, len);
    pipe->arrived -= len;
    return (ptrdiff_t)len;
}

static ptrdiff_t stream_read(struct moot_stream *base, void *data, size_t cap)
{
    struct sim_stream *stream = from_stream(base);
    assert(cap > 0);
    ptrdiff_t result = read_some(stream, data, cap);
    moot__sim_note_wire(stream->host, stream->wire, MOOT_SIM_READ, result);
    moot__sim_stream_update(stream);
    moot__sim_update_end(stream->wire, 1 - stream->end); /* there is room again */
    return result;
}

static void corrupt(struct wire *wire, unsigned char *bytes, size_t len)
{
    struct moot_sim *sim = wire->sim;
    unsigned char *byte = &bytes[moot__sim_between(sim, 0, len - 1)];
    moot__sim_note(sim, &(struct moot_sim_event){
                            .kind = MOOT_SIM_CORRUPT, .object = wire->number, .value = *byte});
    *byte ^= (unsigned char)moot__sim_between(sim, 1, UINT8_MAX);
    sim->corruptions++;
}

/* Cut what was written, the last bytes of the pipe, into segments; one of them may be the end of
 * the wire. */
static void send_segments(struct wire *wire, unsigned to, size_t len)
{
    struct moot_sim *sim = wire->sim;
    while (len > 0) {
        struct moot_buf *bytes = &wire->pipes[to].bytes;
        size_t max = len < sim->options.segment_bytes_max ? len : sim->options.segment_bytes_max;
        size_t part = (size_t)moot__sim_between(sim, 1, max);
        if (moot__sim_chance(sim, sim->faults.corrupt))
            corrupt(wire, (unsigned char *)bytes->data + bytes->len - len, part);
        len -= part;
        if (moot__sim_chance(sim, sim->faults.silence))
            moot__sim_fall_silent(wire);
        if (!moot__sim_send(wire, to, DATA, part))
            return;
        if (moot__sim_chance(sim, sim->faults.reset)) {
            moot__sim_send_reset(wire, to);
            moot__sim_send_reset(wire, 1 - to);
            return;
        }
        if (moot__sim_chance(sim, sim->faults.fin))
            moot__sim_cut(wire, true);
        if (moot__sim_chance(sim, sim->faults.forget))
            moot__sim_cut(wire, false);
    }
}

static ptrdiff_t write_some(struct sim_stream *stream, const void *data, size_t len)
{
    struct moot_sim *sim = stream->host->sim;
    if (stream->failure)
        return failure_code(stream);
    if (!stream->is_made || room(stream) == 0 || moot__sim_chance(sim, sim->faults.early_again))
        return MOOT_EAGAIN;
    if (len > room(stream))
        len = room(stream);
    if (moot__sim_chance(sim, sim->faults.short_write))
        len = (size_t)moot__sim_between(sim, 1, len);
    if (moot__buf_append(&pipe_out(stream)->bytes, data, len) != MOOT_OK)
        moot__unreachable(); /* the world's own memory */
    moot__sim_note_bytes(sim, data, len);
    send_segments(stream->wire, 1 - stream->end, len);
    return (ptrdiff_t)len;
}

static ptrdiff_t stream_write(struct moot_stream *base, const void *data, size_t len)
{
    struct sim_stream *stream = from_stream(base);
    assert(len > 0);
    ptrdiff_t result = write_some(stream, data, len);
    moot__sim_note_wire(stream->host, stream->wire, MOOT_SIM_WRITE, result);
    moot__sim_stream_update(stream);
    return result;
}

static void stream_want(struct moot_stream *base, unsigned interest)
{
    struct sim_stream *stream = from_stream(base);
    assert((interest & ~(unsigned)(MOOT_READABLE | MOOT_WRITABLE)) == 0);
    assert(interest == 0 || base->on_ready);
    stream->wanted = interest;
    moot__sim_stream_update(stream);
}

static bool stream_ended_cleanly(const struct moot_stream *base)
{
    moot__ignore(base == NULL);
    return true;
}

/* Unread bytes turn a FIN into an RST. */
static void stream_end(struct sim_stream *stream, bool is_reset)
{
    struct wire *wire = stream->wire;
    unsigned end = stream->end;
    is_reset = is_reset || pipe_in(stream)->arrived > 0;
    moot__sim_note_wire(stream->host, wire, MOOT_SIM_CLOSE, is_reset);
    moot__list_remove(&stream->ready_node);
    moot__list_remove(&stream->node);
    stream->host->stream_count--;
    wire->ends[end] = NULL;
    if (end == 0 && !wire->is_silent && !wire->is_cut)
        moot__timers_stop(&wire->sim->events, &wire->give_up);
    bool is_peer_there = stream->is_made && !stream->failure;
    moot__free(stream->host->base.allocator, stream);
    if (is_peer_there && is_reset)
        moot__sim_send_reset(wire, 1 - end);
    else if (is_peer_there)
        moot__ignore(moot__sim_send(wire, 1 - end, FIN, 0));
    moot__sim_wire_release(wire);
}

static void stream_close(struct moot_stream *base)
{
    stream_end(from_stream(base), false);
}

static void stream_abort(struct moot_stream *base)
{
    stream_end(from_stream(base), true);
}

static const struct moot_stream_ops stream_ops = {
    .read = stream_read,
    .write = stream_write,
    .want = stream_want,
    .ended_cleanly = stream_ended_cleanly,
    .close = stream_close,
    .abort = stream_abort,
};

/* ---- connecting ---- */

int moot__sim_connect(struct moot_transport *base, const struct moot_address *address,
                      struct moot_stream **out)
{
    struct sim_host *host = sim_host_of(base);
    struct moot_sim *sim = host->sim;
    *out = NULL;
    if (host->is_closing)
        return MOOT_EBUSY;
    struct wire *wire = moot__sim_wire_new(sim, address);
    if (!wire)
        return MOOT_ENOMEM;
    struct sim_stream *stream = moot__sim_stream_new(host, wire, 0);
    if (!stream) {
        moot__sim_wire_release(wire);
        return MOOT_ENOMEM;
    }
    moot__list_push_back(&host->streams, &stream->node);
    moot__sim_note_wire(host, wire, MOOT_SIM_CONNECT, address->port);
    if (!moot__sim_chance(sim, sim->faults.unanswered))
        moot__ignore(moot__sim_send(wire, 1, SYN, 0));
    *out = &stream->base;
    return MOOT_OK;
}

int moot__sim_connect_result(struct moot_stream *base, char *detail, size_t size)
{
    static const char *const texts[] = {[FAILURE_NONE] = "",
                                        [FAILURE_REFUSED] = "Connection refused",
                                        [FAILURE_TIMED_OUT] = "Connection timed out",
                                        [FAILURE_RESET] = "Connection reset by peer"};
    const struct sim_stream *stream = from_stream(base);
    assert(base->ops == &stream_ops && size > 0);
    moot__view_copy(moot__view_str(texts[stream->failure]), detail, size);
    if (stream->failure)
        return MOOT_ECONNECT;
    return stream->is_made ? MOOT_OK : MOOT_EAGAIN;
}

/* ---- listening ---- */

int moot__sim_listen(struct moot_transport *base, const struct moot_address *address,
                     struct moot_acceptor *acceptor)
{
    struct sim_host *host = sim_host_of(base);
    struct moot_sim *sim = host->sim;
    assert(acceptor->on_accept && !acceptor->internal);
    if (host->is_closing)
        return MOOT_EBUSY;
    struct moot_address actual = *address;
    if (actual.port == 0)
        actual.port = sim->next_port++;
    if (moot__sim_find_listener(sim, &actual)) {
        errno = EADDRINUSE;
        return MOOT_ECONNECT;
    }
    struct listener *listener = moot__calloc(base->allocator, 1, sizeof *listener);
    if (!listener)
        return MOOT_ENOMEM;
    listener->host = host;
    listener->acceptor = acceptor;
    acceptor->address = actual;
    acceptor->internal = listener;
    moot__list_init(&listener->waiting);
    moot__list_init(&listener->node);
    moot__list_push_back(&host->listeners, &listener->node);
    moot__sim_note_wire(host, NULL, MOOT_SIM_LISTEN, actual.port);
    return MOOT_OK;
}

void moot__sim_unlisten(struct moot_transport *base, struct moot_acceptor *acceptor)
{
    struct listener *listener = acceptor->internal;
    moot__ignore(base == NULL);
    if (!listener)
        return;
    acceptor->internal = NULL;
    listener->host->waiting -= listener->waiting_count;
    while (!moot__list_is_empty(&listener->waiting))
        stream_end(moot__list_entry(listener->waiting.next, struct sim_stream, node), true);
    moot__list_remove(&listener->node);
    moot__free(listener->host->base.allocator, listener);
}

/* ---- what is due in a turn, and the end ---- */

/* What is not ready is here for nothing, and is told what it wants to hear.
 *
 * Still ready, it goes into the list of the next turn before its owner hears of it, and whatever
 * the owner does, closing included, takes it out again. */
void moot__sim_run_ready(struct sim_host *host)
{
    struct moot_list round, *node;
    moot__list_init(&round);
    moot__list_splice(&round, &host->ready);
    while (!host->is_closing && (node = moot__list_pop_front(&round))) {
        struct sim_stream *stream = moot__list_entry(node, struct sim_stream, ready_node);
        unsigned ready = moot__sim_readiness(stream) & stream->wanted;
        if (ready == 0)
            ready = stream->wanted;
        assert(ready != 0);
        moot__sim_stream_update(stream);
        moot__sim_note_wire(host, stream->wire, MOOT_SIM_READY, ready);
        stream->base.on_ready(&stream->base, ready);
    }
    assert(moot__list_is_empty(&round)); /* closing took them all */
}

/* The first waiting connection of any listener; its owner may stop listening. */
static struct listener *next_waiting(struct sim_host *host)
{
    MOOT_LIST_FOREACH (node, &host->listeners) {
        struct listener *listener = moot__list_entry(node, struct listener, node);
        if (listener->waiting_count > 0)
            return listener;
    }
    return NULL;
}

void moot__sim_run_accepts(struct sim_host *host)
{
    for (int i = 0; i < MOOT_LIMIT_ACCEPTS_PER_TURN && host->waiting > 0; i++) {
        struct listener *listener = next_waiting(host);
        assert(listener);
        struct sim_stream *stream =
            moot__list_entry(moot__list_pop_front(&listener->waiting), struct sim_stream, node);
        listener->waiting_count--;
        host->waiting--;
        moot__list_push_back(&host->streams, &stream->node);
        moot__sim_note_wire(host, stream->wire, MOOT_SIM_ACCEPT, stream->wire->address.port);
        listener->acceptor->on_accept(listener->acceptor, &stream->base);
    }
}

void moot__sim_drop_sockets(struct sim_host *host)
{
    while (!moot__list_is_empty(&host->listeners)) {
        struct listener *listener = moot__list_entry(host->listeners.next, struct listener, node);
        moot__sim_unlisten(&host->base, listener->acceptor);
    }
    while (!moot__list_is_empty(&host->streams))
        stream_end(moot__list_entry(host->streams.next, struct sim_stream, node), false);
}
