/* The sockets of the real transport: streams and acceptors over uv_poll.
 *
 * `wanted` is what the owner asks for, `armed` what epoll watches. Changing a watch costs two
 * system calls, so it is widened when needed and narrowed only when an event comes that nobody
 * wants.
 *
 * A poll tells of bytes and of the peer's end alike. Who has read all that was there, and of whom
 * no event tells since, is told that there is no more without a system call: the pool asks just
 * that before it uses a connection again.
 *
 * A socket is closed at once, but its uv_poll handle closes at the end of the turn, so its memory
 * lives until then. */
#include <errno.h>

#include "engine/base/alloc.h"
#include "socket.h"
#include "transport_uv_internal.h"

enum { ACCEPT_PAUSE_NS = 100 * 1000 * 1000 };

struct uv_stream {
    struct moot_stream base;
    struct transport_uv *transport;
    uv_poll_t poll;
    struct moot_list node;
    int fd;
    int failure; /* the errno that ended it, negative; 0 while it lives */
    unsigned wanted, armed;
    bool is_made;          /* connected, as far as is known */
    bool is_ended;         /* the peer has ended its side, as far as is known */
    uint64_t drained_turn; /* when a read took all that was there; 0: something may be */
};

struct listener {
    struct transport_uv *transport;
    struct moot_acceptor *acceptor; /* NULL once the owner has gone */
    uv_poll_t poll;
    struct moot_list node;
    struct moot_timer retry; /* when descriptors ran out */
    int fd;
};

static struct uv_stream *from_stream(struct moot_stream *base)
{
    return moot__container_of(base, struct uv_stream, base);
}

/* Streams. */

static void on_stream_closed(uv_handle_t *handle)
{
    struct uv_stream *stream = handle->data;
    struct transport_uv *t = stream->transport;
    moot__free(t->base.allocator, stream);
    moot__uv_handle_closed(t);
}

static void stream_end(struct moot_stream *base, bool reset)
{
    struct uv_stream *stream = from_stream(base);
    assert(stream->fd >= 0);
    moot__list_remove(&stream->node);
    uv_close((uv_handle_t *)&stream->poll, on_stream_closed); /* leaves epoll at once */
    moot__socket_close(stream->fd, reset);
    stream->fd = -1;
}

static void stream_close(struct moot_stream *base)
{
    stream_end(base, false);
}

static void stream_abort(struct moot_stream *base)
{
    stream_end(base, true);
}

static void on_uv_poll(uv_poll_t *poll, int status, int events);

static void stream_watch(struct uv_stream *stream, unsigned interest)
{
    if ((stream->armed ^ interest) & MOOT_READABLE)
        stream->drained_turn = 0; /* nobody watched, or will */
    stream->armed = interest;
    if (interest == 0) {
        uv_poll_stop(&stream->poll);
        return;
    }
    int events = (interest & MOOT_READABLE ? UV_READABLE | UV_DISCONNECT : 0) |
                 (interest & MOOT_WRITABLE ? UV_WRITABLE : 0);
    int failed = uv_poll_start(&stream->poll, events, on_uv_poll);
    assert(!failed);
    moot__ignore(failed);
}

static void stream_want(struct moot_stream *base, unsigned interest)
{
    struct uv_stream *stream = from_stream(base);
    assert(stream->fd >= 0 && (interest & ~(unsigned)(MOOT_READABLE | MOOT_WRITABLE)) == 0);
    assert(interest == 0 || base->on_ready);
    stream->wanted = interest;
    if (interest & ~stream->armed)
        stream_watch(stream, stream->armed | interest);
}

/* An error (status < 0) means that both directions are ready to tell it, and that libuv stopped
 * watching. */
static void on_uv_poll(uv_poll_t *poll, int status, int events)
{
    struct uv_stream *stream = poll->data;
    unsigned ready = 0;
    if (status < 0) {
        stream->armed = 0;
        stream->drained_turn = 0;
        ready = MOOT_READABLE | MOOT_WRITABLE;
    } else {
        ready |= events & UV_READABLE ? MOOT_READABLE : 0;
        ready |= events & UV_WRITABLE ? MOOT_WRITABLE : 0;
        stream->is_ended = stream->is_ended || events & UV_DISCONNECT;
        if (events & UV_READABLE)
            stream->drained_turn = 0;
    }
    unsigned unwanted = ready & ~stream->wanted;
    if (status < 0 ? stream->wanted != 0 : unwanted != 0)
        stream_watch(stream, stream->wanted);
    ready &= stream->wanted;
    if (ready)
        stream->base.on_ready(&stream->base, ready);
}

static ptrdiff_t stream_result(struct uv_stream *stream, ptrdiff_t result)
{
    if (result >= 0) {
        stream->is_made = true;
        return result;
    }
    if (result == -EAGAIN)
        return MOOT_EAGAIN;
    stream->failure = (int)result;
    return stream->is_made ? MOOT_ERESET : MOOT_ECONNECT;
}

static ptrdiff_t stream_read(struct moot_stream *base, void *data, size_t cap)
{
    struct uv_stream *stream = from_stream(base);
    if (stream->failure)
        return stream->is_made ? MOOT_ERESET : MOOT_ECONNECT;
    const struct transport_uv *t = stream->transport;
    if (stream->drained_turn >= t->believed_turn && !stream->is_ended)
        return MOOT_EAGAIN;
    ptrdiff_t result = stream_result(stream, moot__socket_read(stream->fd, data, cap));
    bool is_watched = (stream->armed & MOOT_READABLE) != 0;
    if (is_watched && (result == MOOT_EAGAIN || (result > 0 && (size_t)result < cap)))
        stream->drained_turn = t->turn;
    return result;
}

static ptrdiff_t stream_write(struct moot_stream *base, const void *data, size_t len)
{
    struct uv_stream *stream = from_stream(base);
    if (stream->failure)
        return stream->is_made ? MOOT_ERESET : MOOT_ECONNECT;
    return stream_result(stream, moot__socket_write(stream->fd, data, len));
}

static bool stream_ended_cleanly(const struct moot_stream *base)
{
    moot__ignore(base == NULL);
    return true;
}

static const struct moot_stream_ops stream_ops = {
    .read = stream_read,
    .write = stream_write,
    .want = stream_want,
    .ended_cleanly = stream_ended_cleanly,
    .close = stream_close,
    .abort = stream_abort,
};

/* Takes the descriptor: on failure it is closed. */
static struct uv_stream *stream_new(struct transport_uv *t, int fd, bool is_made)
{
    struct uv_stream *stream = moot__calloc(t->base.allocator, 1, sizeof *stream);
    if (!stream || uv_poll_init(t->loop, &stream->poll, fd) != 0) {
        moot__free(t->base.allocator, stream);
        moot__socket_close(fd, true);
        return NULL;
    }
    uv_unref((uv_handle_t *)&stream->poll);
    t->handles++;
    stream->poll.data = stream;
    stream->base.ops = &stream_ops;
    stream->transport = t;
    stream->fd = fd;
    stream->is_made = is_made;
    moot__list_init(&stream->node);
    moot__list_push_back(&t->streams, &stream->node);
    return stream;
}

int moot__uv_connect(struct moot_transport *base, const struct moot_address *address,
                     struct moot_stream **out)
{
    struct transport_uv *t = moot__uv_from_base(base);
    *out = NULL;
    if (t->is_closing)
        return MOOT_EBUSY;
    bool is_made = false;
    int fd = moot__socket_connect(address, &is_made);
    if (fd < 0) {
        errno = -fd;
        return MOOT_ECONNECT;
    }
    struct uv_stream *stream = stream_new(t, fd, is_made);
    if (!stream)
        return MOOT_ENOMEM;
    *out = &stream->base;
    return MOOT_OK;
}

int moot__uv_connect_result(struct moot_stream *base, char *detail, size_t size)
{
    struct uv_stream *stream = from_stream(base);
    assert(base->ops == &stream_ops && size > 0);
    detail[0] = '\0';
    if (!stream->is_made && !stream->failure) {
        int result = moot__socket_connect_result(stream->fd);
        if (result == -EINPROGRESS)
            return MOOT_EAGAIN;
        stream->failure = result;
        stream->is_made = result == 0;
    }
    if (!stream->failure)
        return MOOT_OK;
    moot__socket_error(stream->failure, detail, size);
    return MOOT_ECONNECT;
}

/* Listening. */

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    struct transport_uv *t = listener->transport;
    moot__free(t->base.allocator, listener);
    moot__uv_handle_closed(t);
}

static void on_uv_accept(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    struct transport_uv *t = listener->transport;
    moot__ignore(status != 0 || events != 0); /* accept tells the truth */
    /* The owner may stop listening, or close us, from within on_accept. */
    for (int i = 0; i < MOOT_LIMIT_ACCEPTS_PER_TURN && listener->acceptor; i++) {
        int fd = moot__socket_accept(listener->fd);
        if (fd == -EAGAIN)
            return;
        struct uv_stream *stream = fd >= 0 ? stream_new(t, fd, true) : NULL;
        if (!stream) {
            /* No descriptors or no memory: they wait in the kernel's queue, we on a timer. */
            uv_poll_stop(&listener->poll);
            moot__timer_start(&t->base, &listener->retry,
                              moot__ns_add(moot__now_ns(&t->base), ACCEPT_PAUSE_NS));
            return;
        }
        listener->acceptor->on_accept(listener->acceptor, &stream->base);
    }
}

static void on_retry(struct moot_timer *timer)
{
    struct listener *listener = moot__container_of(timer, struct listener, retry);
    moot__ignore(uv_poll_start(&listener->poll, UV_READABLE, on_uv_accept) != 0);
}

int moot__uv_listen(struct moot_transport *base, const struct moot_address *address,
                    struct moot_acceptor *acceptor)
{
    struct transport_uv *t = moot__uv_from_base(base);
    assert(acceptor->on_accept && !acceptor->internal);
    if (t->is_closing)
        return MOOT_EBUSY;
    int fd = moot__socket_listen(address, &acceptor->address);
    if (fd < 0) {
        errno = -fd;
        return MOOT_ECONNECT;
    }
    struct listener *listener = moot__calloc(base->allocator, 1, sizeof *listener);
    if (!listener || uv_poll_init(t->loop, &listener->poll, fd) != 0) {
        moot__free(base->allocator, listener);
        moot__socket_close(fd, false);
        return MOOT_ENOMEM;
    }
    uv_unref((uv_handle_t *)&listener->poll);
    t->handles++;
    listener->poll.data = listener;
    listener->transport = t;
    listener->fd = fd;
    listener->retry.on_fire = on_retry;
    listener->acceptor = acceptor;
    acceptor->internal = listener;
    moot__list_init(&listener->node);
    moot__list_push_back(&t->listeners, &listener->node);
    on_retry(&listener->retry);
    return MOOT_OK;
}

void moot__uv_unlisten(struct moot_transport *base, struct moot_acceptor *acceptor)
{
    struct listener *listener = acceptor->internal;
    if (!listener)
        return;
    assert(listener->acceptor == acceptor);
    acceptor->internal = NULL;
    listener->acceptor = NULL;
    moot__timer_stop(base, &listener->retry);
    moot__list_remove(&listener->node);
    uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
    moot__socket_close(listener->fd, false);
    listener->fd = -1;
}

void moot__uv_drop_sockets(struct transport_uv *t)
{
    struct moot_list *node;
    while (!moot__list_is_empty(&t->listeners)) {
        node = t->listeners.next;
        moot__uv_unlisten(&t->base, moot__list_entry(node, struct listener, node)->acceptor);
    }
    while (!moot__list_is_empty(&t->streams)) {
        node = t->streams.next;
        stream_close(&moot__list_entry(node, struct uv_stream, node)->base);
    }
}
