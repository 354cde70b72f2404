/* Moves bytes between streams and the sans-I/O core. One `peer` for each stream; its pump is the
 * only place that writes, arms the timer and ends a stream.
 *
 * A stalled peer, and one whose fault said FIN, has what it sends read and dropped: without that a
 * close would turn into an RST, and the peer's own end would not be seen. */
#include "server.h"

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "net/listener.h"

enum { DISCARD_READS = 16 }; /* in one turn; the stream is level-triggered */

struct peer {
    struct moot_list node; /* in server->peers */
    struct moot_emulator_server *server;
    struct moot_stream *stream;
    struct moot_emulator_connection *connection;
    struct moot_timer timer;
    bool peer_ended; /* read gave 0: reading again would only say so again */
    bool is_blocked; /* the last write took less than it was offered */
};

struct moot_emulator_server {
    struct moot_transport *transport;
    struct moot_listener *listener;
    struct moot_emulator *emulator;
    bool is_tls;
    struct moot_list peers;
    char read_buffer[MOOT_LIMIT_READ_CHUNK_BYTES]; /* shared: every read is fed at once */
};

/* ---- one peer ---- */

static void peer_drop(struct peer *peer, bool is_reset)
{
    struct moot_emulator_server *server = peer->server;
    assert(moot__list_is_linked(&peer->node));
    moot__timer_stop(server->transport, &peer->timer);
    moot_emulator_connection_free(peer->connection);
    if (is_reset)
        moot__stream_abort(peer->stream);
    else
        moot__stream_close(peer->stream);
    moot__list_remove(&peer->node);
    moot__listener_release(server->listener);
    moot__free(server->transport->allocator, peer);
}

/* Write what can be written. False: the stream failed. */
static bool peer_write(struct peer *peer)
{
    struct moot_transport *transport = peer->server->transport;
    peer->is_blocked = false;
    for (;;) {
        struct moot_view out = moot_emulator_connection_output(peer->connection);
        if (out.len == 0)
            return true;
        ptrdiff_t taken = moot__stream_write(peer->stream, out.ptr, out.len);
        if (taken == MOOT_EAGAIN) {
            peer->is_blocked = true;
            return true;
        }
        if (taken < 0)
            return false;
        moot_emulator_connection_consume(peer->connection, (size_t)taken,
                                         moot__clock_ns(transport));
    }
}

static bool is_draining(const struct peer *peer)
{
    enum moot_emulator_verdict verdict = moot_emulator_connection_verdict(peer->connection);
    return verdict == MOOT_EMULATOR_STALL || verdict == MOOT_EMULATOR_CLOSE;
}

/* Drop what the peer sends. False: it has ended, or failed. */
static bool peer_discard(struct peer *peer)
{
    struct moot_emulator_server *server = peer->server;
    ptrdiff_t got = 1;
    if (peer->peer_ended)
        return false;
    for (int i = 0; i < DISCARD_READS && got > 0; i++)
        got = moot__stream_read(peer->stream, server->read_buffer, sizeof server->read_buffer);
    return got > 0 || got == MOOT_EAGAIN;
}

static void peer_pump(struct peer *peer)
{
    struct moot_transport *transport = peer->server->transport;
    if (!peer_write(peer)) {
        peer_drop(peer, true);
        return;
    }
    bool is_empty = moot_emulator_connection_output(peer->connection).len == 0;
    uint64_t next_ns = moot_emulator_connection_next_ns(peer->connection);
    enum moot_emulator_verdict verdict = moot_emulator_connection_verdict(peer->connection);
    if (is_empty && next_ns == MOOT_NEVER_NS && verdict == MOOT_EMULATOR_CLOSE) {
        moot__ignore(peer_discard(peer));
        peer_drop(peer, false);
        return;
    }
    bool is_left = verdict == MOOT_EMULATOR_STALL && peer->peer_ended; /* nobody will end it */
    if (is_empty && next_ns == MOOT_NEVER_NS && (verdict == MOOT_EMULATOR_RESET || is_left)) {
        peer_drop(peer, true);
        return;
    }
    bool wants_read = is_draining(peer) || moot_emulator_connection_room(peer->connection) > 0;
    unsigned interest = wants_read && !peer->peer_ended ? MOOT_READABLE : 0;
    moot__stream_want(peer->stream, interest | (peer->is_blocked ? MOOT_WRITABLE : 0));
    if (next_ns == MOOT_NEVER_NS)
        moot__timer_stop(transport, &peer->timer);
    else if (!moot__timer_is_started(&peer->timer) || peer->timer.deadline_ns != next_ns)
        moot__timer_start(transport, &peer->timer, next_ns);
}

/* One read; the stream is level-triggered. False: the peer is gone. */
static bool peer_read(struct peer *peer)
{
    struct moot_emulator_server *server = peer->server;
    size_t room = moot_emulator_connection_room(peer->connection);
    if (is_draining(peer))
        return peer_discard(peer);
    if (room == 0 || peer->peer_ended)
        return true;
    if (room > sizeof server->read_buffer)
        room = sizeof server->read_buffer;
    ptrdiff_t got = moot__stream_read(peer->stream, server->read_buffer, room);
    uint64_t now_ns = moot__clock_ns(server->transport);
    if (got == MOOT_EAGAIN)
        return true;
    if (got < 0)
        return false;
    if (got == 0) {
        peer->peer_ended = true;
        moot_emulator_connection_eof(peer->connection, now_ns);
    } else {
        moot_emulator_connection_feed(peer->connection,
                                      (struct moot_view){server->read_buffer, (size_t)got}, now_ns);
    }
    return true;
}

static void on_ready(struct moot_stream *stream, unsigned ready)
{
    struct peer *peer = stream->owner;
    if ((ready & MOOT_READABLE) && !peer_read(peer)) {
        peer_drop(peer, true);
        return;
    }
    peer_pump(peer);
}

static void on_timer(struct moot_timer *timer)
{
    struct peer *peer = moot__container_of(timer, struct peer, timer);
    moot_emulator_connection_tick(peer->connection, moot__clock_ns(peer->server->transport));
    peer_pump(peer);
}

static void on_stream(struct moot_listener *listener, struct moot_stream *stream)
{
    struct moot_emulator_server *server = moot__listener_owner(listener);
    const struct moot_allocator *allocator = server->transport->allocator;
    struct peer *peer = moot__calloc(allocator, 1, sizeof *peer);
    if (!peer || moot_emulator_connection_new(server->emulator, moot__clock_ns(server->transport),
                                              &peer->connection) != MOOT_OK) {
        moot__free(allocator, peer);
        moot__stream_abort(stream);
        moot__listener_release(listener);
        return;
    }
    peer->server = server;
    peer->stream = stream;
    peer->timer.on_fire = on_timer;
    stream->owner = peer;
    stream->on_ready = on_ready;
    moot__list_init(&peer->node);
    moot__list_push_back(&server->peers, &peer->node);
    peer_pump(peer);
}

/* ---- the server ---- */

static int make_emulator(struct moot_emulator_server *server,
                         const struct moot_emulator_options *given)
{
    struct moot_transport *transport = server->transport;
    struct moot_emulator_options options = given ? *given : moot_emulator_options_default();
    options.is_tls = server->is_tls;
    if (options.wall_offset_ns == 0)
        options.wall_offset_ns =
            moot__ns_until(moot__clock_ns(transport), moot__wall_ns(transport));
    return moot_emulator_new(&options, transport->allocator, &server->emulator);
}

int moot__emulator_server_open(const struct moot_emulator_server_options *options,
                               struct moot_emulator_server **out)
{
    struct moot_transport *transport = options->transport;
    struct moot_emulator_server *server = moot__calloc(transport->allocator, 1, sizeof *server);
    struct moot_listener_options listen = {
        .transport = transport,
        .address = options->address,
        .tls = options->tls,
        .connections_max = options->connections_max,
        .on_stream = on_stream,
        .owner = server,
    };
    *out = NULL;
    if (!server)
        return MOOT_ENOMEM;
    server->transport = transport;
    server->is_tls = options->tls != NULL;
    moot__list_init(&server->peers);
    int rc = make_emulator(server, options->emulator);
    if (rc == MOOT_OK)
        rc = moot__listener_open(&listen, &server->listener);
    if (rc) {
        moot__emulator_server_close(server);
        return rc;
    }
    *out = server;
    return MOOT_OK;
}

struct moot_address moot__emulator_server_address(const struct moot_emulator_server *server)
{
    return moot__listener_address(server->listener);
}

const struct moot_emulator *
moot__emulator_server_emulator(const struct moot_emulator_server *server)
{
    return server->emulator;
}

void moot__emulator_server_close(struct moot_emulator_server *server)
{
    if (!server)
        return;
    MOOT_LIST_FOREACH_SAFE (node, after, &server->peers)
        peer_drop(moot__list_entry(node, struct peer, node), true);
    moot__listener_close(server->listener);
    moot_emulator_free(server->emulator);
    moot__free(server->transport->allocator, server);
}
