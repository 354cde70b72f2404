#include "seam.h"

#include <errno.h>

#include "engine/base/check.h"
#include "sites.h"
#include "tests/sim/sim_wire.h"

static const struct moot_transport_ops *real;
static const struct moot_stream_ops *real_stream;
static struct moot_transport_ops ops;
static struct moot_stream_ops stream_ops;

/* ---- Streams ---- */

/* Whichever call finds out, the connection is gone for all. */
static ptrdiff_t break_off(struct moot_stream *base)
{
    struct sim_stream *stream = moot__container_of(base, struct sim_stream, base);
    stream->failure = FAILURE_RESET;
    moot__sim_stream_update(stream);
    if (stream->wire->ends[1 - stream->end])
        moot__sim_send_reset(stream->wire, 1 - stream->end);
    return MOOT_ERESET;
}

static ptrdiff_t seam_read(struct moot_stream *stream, void *data, size_t cap)
{
    if (torture_fails(TORTURE_READ))
        return break_off(stream);
    if (torture_fails(TORTURE_END))
        return 0;
    return real_stream->read(stream, data, cap);
}

static ptrdiff_t seam_write(struct moot_stream *stream, const void *data, size_t len)
{
    return torture_fails(TORTURE_WRITE) ? break_off(stream) : real_stream->write(stream, data, len);
}

static void wrap_stream(struct moot_stream *stream)
{
    if (!real_stream) {
        real_stream = stream->ops;
        stream_ops = *real_stream;
        stream_ops.read = seam_read;
        stream_ops.write = seam_write;
    }
    stream->ops = &stream_ops;
}

static int seam_connect(struct moot_transport *transport, const struct moot_address *address,
                        struct moot_stream **out)
{
    struct moot_address target = *address;
    if (torture_fails(TORTURE_CONNECT)) {
        *out = NULL;
        errno = EMFILE;
        return MOOT_ECONNECT;
    }
    if (torture_fails(TORTURE_CONNECTED))
        target.port = 1; /* nobody listens there */
    int rc = real->connect(transport, &target, out);
    if (rc == MOOT_OK)
        wrap_stream(*out);
    return rc;
}

/* The real table knows its streams by their own table. */
static int seam_connect_result(struct moot_stream *stream, char *detail, size_t size)
{
    stream->ops = real_stream;
    int rc = real->connect_result(stream, detail, size);
    stream->ops = &stream_ops;
    return rc;
}

/* ---- Listening: the owner's callback comes through ours ---- */

enum { LISTENERS_MAX = 4 };

static struct {
    struct moot_acceptor *acceptor;
    void (*on_accept)(struct moot_acceptor *acceptor, struct moot_stream *stream);
} listeners[LISTENERS_MAX];

static void seam_on_accept(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    wrap_stream(stream);
    for (unsigned i = 0; i < LISTENERS_MAX; i++) {
        if (listeners[i].acceptor != acceptor)
            continue;
        listeners[i].on_accept(acceptor, stream);
        return;
    }
    moot__unreachable();
}

static void forget_listener(const struct moot_acceptor *acceptor)
{
    for (unsigned i = 0; i < LISTENERS_MAX; i++)
        if (listeners[i].acceptor == acceptor) {
            listeners[i].acceptor->on_accept = listeners[i].on_accept;
            listeners[i].acceptor = NULL;
        }
}

static int seam_listen(struct moot_transport *transport, const struct moot_address *address,
                       struct moot_acceptor *acceptor)
{
    if (torture_fails(TORTURE_LISTEN)) {
        errno = EADDRINUSE;
        return MOOT_ECONNECT;
    }
    unsigned at = 0;
    while (listeners[at].acceptor)
        at++;
    assert(at < LISTENERS_MAX);
    listeners[at].acceptor = acceptor;
    listeners[at].on_accept = acceptor->on_accept;
    acceptor->on_accept = seam_on_accept;
    int rc = real->listen(transport, address, acceptor);
    if (rc)
        forget_listener(acceptor);
    return rc;
}

static void seam_unlisten(struct moot_transport *transport, struct moot_acceptor *acceptor)
{
    real->unlisten(transport, acceptor);
    forget_listener(acceptor);
}

/* ---- Lookups and work ---- */

static unsigned refused;

void seam_refuse_lookups(unsigned count)
{
    refused = count;
}

static int seam_resolve(struct moot_transport *transport, struct moot_resolve *resolve)
{
    if (refused > 0 || torture_fails(TORTURE_RESOLVE)) {
        refused -= refused > 0;
        return MOOT_EDNS;
    }
    if (!torture_fails(TORTURE_LOOKUP))
        return real->resolve(transport, resolve);
    struct moot_sim_faults *faults = &sim_host_of(transport)->sim->faults;
    uint32_t before = faults->dns_fail;
    faults->dns_fail = 1000 * 1000;
    int rc = real->resolve(transport, resolve);
    faults->dns_fail = before;
    return rc;
}

static int seam_work_submit(struct moot_transport *transport, struct moot_work *work)
{
    return torture_fails(TORTURE_WORK) ? MOOT_ENOMEM : real->work_submit(transport, work);
}

void seam_wrap(struct moot_transport *transport)
{
    if (!real) {
        real = transport->ops;
        ops = *real;
        ops.connect = seam_connect;
        ops.connect_result = seam_connect_result;
        ops.listen = seam_listen;
        ops.unlisten = seam_unlisten;
        ops.resolve = seam_resolve;
        ops.work_submit = seam_work_submit;
    }
    assert(transport->ops == real);
    transport->ops = &ops;
}
