/* A listener: accepts, shakes hands, hands out.
 *
 *     accepted ──(plain)──────────────► given out ──release──► (free place)
 *         └─(TLS)─► handshaking ─┬─ok──►
 *                                └─failed or late: closed, counted
 *
 * Every accepted connection takes a place until its handshake fails or its owner releases it; with
 * no place free it is reset at once, which costs the peer a round trip and us nothing. */
#include "listener.h"

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/view.h"

#define HANDSHAKE_DEFAULT_NS (UINT64_C(10) * MOOT_NS_PER_S)

struct moot_listener {
    struct moot_listener_options options;
    struct moot_acceptor acceptor;
    struct moot_listener_stats stats;
    struct moot_list guests; /* shaking hands */
};

struct guest {
    struct moot_listener *listener;
    struct moot_list node;
    struct moot_tls_handshake handshake;
};

static void guest_free(struct guest *guest)
{
    struct moot_listener *listener = guest->listener;
    assert(listener->stats.handshaking > 0);
    listener->stats.handshaking--;
    moot__list_remove(&guest->node);
    moot__free(listener->options.transport->allocator, guest);
}

/* May free the listener. */
static void give_out(struct moot_listener *listener, struct moot_stream *stream)
{
    listener->stats.open++;
    listener->options.on_stream(listener, stream);
}

static void on_shaken(struct moot_tls_handshake *handshake)
{
    struct guest *guest = moot__container_of(handshake, struct guest, handshake);
    struct moot_listener *listener = guest->listener;
    struct moot_stream *stream = handshake->stream;
    if (handshake->status != MOOT_OK) {
        listener->stats.handshakes_failed++;
        moot__view_copy(moot__view_str(handshake->detail), listener->stats.last_failure,
                        sizeof(listener->stats.last_failure));
    }
    guest_free(guest);
    if (stream)
        give_out(listener, stream);
}

static int shake_hands(struct moot_listener *listener, struct moot_stream *stream)
{
    struct moot_transport *transport = listener->options.transport;
    struct guest *guest = moot__calloc(transport->allocator, 1, sizeof(*guest));
    if (!guest)
        return MOOT_ENOMEM;
    guest->listener = listener;
    guest->handshake.on_done = on_shaken;
    int rc =
        moot__tls_accept(&guest->handshake, listener->options.tls, stream,
                         moot__ns_add(moot__now_ns(transport), listener->options.handshake_ns));
    if (rc) {
        moot__free(transport->allocator, guest);
        return rc;
    }
    moot__list_init(&guest->node);
    moot__list_push_back(&listener->guests, &guest->node);
    listener->stats.handshaking++;
    return MOOT_OK;
}

static void on_accept(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    struct moot_listener *listener = acceptor->owner;
    unsigned taken = listener->stats.open + listener->stats.handshaking;
    unsigned most = listener->options.connections_max;
    if ((most > 0 && taken >= most) ||
        (listener->options.tls && shake_hands(listener, stream) != MOOT_OK)) {
        listener->stats.refused++;
        moot__stream_abort(stream);
        return;
    }
    listener->stats.accepted++;
    if (!listener->options.tls)
        give_out(listener, stream);
}

int moot__listener_open(const struct moot_listener_options *options, struct moot_listener **out)
{
    assert(options->transport && options->on_stream && out);
    *out = NULL;
    struct moot_transport *transport = options->transport;
    struct moot_listener *listener = moot__calloc(transport->allocator, 1, sizeof(*listener));
    if (!listener)
        return MOOT_ENOMEM;
    listener->options = *options;
    if (listener->options.handshake_ns == 0)
        listener->options.handshake_ns = HANDSHAKE_DEFAULT_NS;
    listener->acceptor.on_accept = on_accept;
    listener->acceptor.owner = listener;
    moot__list_init(&listener->guests);
    int rc = transport->ops->listen(transport, &options->address, &listener->acceptor);
    if (rc) {
        moot__free(transport->allocator, listener);
        return rc;
    }
    *out = listener;
    return MOOT_OK;
}

struct moot_address moot__listener_address(const struct moot_listener *listener)
{
    return listener->acceptor.address;
}

void *moot__listener_owner(const struct moot_listener *listener)
{
    return listener->options.owner;
}

struct moot_listener_stats moot__listener_stats(const struct moot_listener *listener)
{
    return listener->stats;
}

void moot__listener_release(struct moot_listener *listener)
{
    assert(listener->stats.open > 0);
    listener->stats.open--;
}

void moot__listener_close(struct moot_listener *listener)
{
    if (!listener)
        return;
    struct moot_transport *transport = listener->options.transport;
    transport->ops->unlisten(transport, &listener->acceptor);
    MOOT_LIST_FOREACH_SAFE (node, after, &listener->guests) {
        struct guest *guest = moot__list_entry(node, struct guest, node);
        moot__tls_handshake_cancel(&guest->handshake);
        guest_free(guest);
    }
    assert(listener->stats.handshaking == 0);
    moot__free(transport->allocator, listener);
}
