#ifndef MOOT_NET_TRANSPORT_H
#define MOOT_NET_TRANSPORT_H

/* The one seam below everything that thinks: sockets, time, names, randomness and work off the
 * loop, as a table of functions. transport_uv.c is the real one, tests/sim/transport_sim.c the
 * simulated one; HTTP, SSE, pool, calls, limiter, conversations, batch and the emulator run
 * unchanged on both.
 *
 * Thread: a transport and all that hangs on it belong to one loop thread; only the `run` function
 * of a moot_work leaves it.
 *
 * Callbacks: none is ever called synchronously from the function that asked for it; each comes from
 * the loop's own stack. From inside any callback every function here may be called, closing or
 * stopping the very object included; after close, stop or cancel returned, the callback of that
 * object does not come any more.
 *
 * Objects (timer, task, work, resolve) are embedded in their owner's memory and must stay there
 * while they are under way. */
#include <moot/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/list.h"
#include "engine/base/view.h"

struct moot_transport;
struct moot_stream;

/* An IP address and port, in network byte order; compares bytewise when zero-initialised. */
struct moot_address {
    uint8_t bytes[16];
    uint16_t port; /* host byte order */
    bool is_ipv6;
    uint32_t scope;
};

/* One shot at `deadline_ns` or soon after, never before, and never before the sockets were read at
 * a time when it was due: bytes that came in time are seen first. Zero-initialise; set `on_fire`.
 * Starting cannot fail: the links of the heap (timers.h) are in the timer. */
struct moot_timer {
    void (*on_fire)(struct moot_timer *timer);
    uint64_t deadline_ns;
    uint64_t sequence; /* order among equal deadlines: the earlier started fires first */
    struct moot_timer *child, *next, *prev; /* of the heap; `prev` is NULL when not started */
};

/* A function to be called once from the loop's own stack, this turn or the next. */
struct moot_task {
    void (*run)(struct moot_task *task);
    struct moot_list node;
};

/* A blocking or long computation. `run` is called once on another thread (in simulation: later, on
 * the same), `done` once on the loop after it; `done` always comes, whatever happens meanwhile, so
 * the memory must live until then. `run` touches nothing that the loop touches. When the transport
 * closes before `run` began, it is left out: `done` comes with status MOOT_ECANCELED. */
struct moot_work {
    void (*run)(struct moot_work *work);
    void (*done)(struct moot_work *work);
    int status; /* in `done`: MOOT_OK, or MOOT_ECANCELED */
    struct moot_list node;
    int state; /* the transport's, under its lock */
};

/* A name lookup. `host` is a name or an IP literal without brackets. `on_done` runs once unless
 * cancelled; `status` is MOOT_OK with 1..MOOT_LIMIT_DNS_ADDRESSES addresses in the system's order,
 * or MOOT_EDNS with a text in `detail`. Cancel returns at once; the lookup is forgotten. */
struct moot_resolve {
    void (*on_done)(struct moot_resolve *resolve);
    char host[256];
    uint16_t port;
    int status;
    char detail[128];
    unsigned count;
    struct moot_address addresses[MOOT_LIMIT_DNS_ADDRESSES];
    void *internal; /* the transport's; NULL when not under way */
};

enum {
    MOOT_READABLE = 1, /* a read would not block: bytes, end or error */
    MOOT_WRITABLE = 2, /* a write would not block; also: the connection was made or refused */
};

/* A non-blocking stream of bytes. TLS and proxies wrap one in another with the same table.
 *
 * read:  > 0 bytes read; 0 the peer ended its side; MOOT_EAGAIN nothing yet; else an error
 *        (MOOT_ERESET, MOOT_ECONNECT, MOOT_ETLS, ...), which is final. `cap` > 0.
 * write: > 0 bytes taken; MOOT_EAGAIN none now; else an error, final. `len` > 0. A caller that got
 *        MOOT_EAGAIN or a short count must offer the same bytes again.
 * want:  which of READABLE and WRITABLE should call `on_ready`; level-triggered: it comes again
 *        each turn while wanted and true. Idempotent and cheap.
 * ended_cleanly: after read gave 0, whether the end is authenticated (TLS close_notify); plain
 *        streams say true.
 * abort: `close` with an RST where that makes sense, so that no TIME_WAIT is left.
 * close: releases everything; no callback follows; the stream is gone. */
struct moot_stream_ops {
    ptrdiff_t (*read)(struct moot_stream *stream, void *data, size_t cap);
    ptrdiff_t (*write)(struct moot_stream *stream, const void *data, size_t len);
    void (*want)(struct moot_stream *stream, unsigned interest);
    bool (*ended_cleanly)(const struct moot_stream *stream);
    void (*close)(struct moot_stream *stream);
    void (*abort)(struct moot_stream *stream);
};

struct moot_stream {
    const struct moot_stream_ops *ops;
    void (*on_ready)(struct moot_stream *stream, unsigned ready); /* set by the owner */
    void *owner;                                                  /* the owner's, never read here */
};

/* A listening socket. `on_accept` gives the new stream to the owner, who sets its on_ready. */
struct moot_acceptor {
    void (*on_accept)(struct moot_acceptor *acceptor, struct moot_stream *stream);
    void *owner;
    struct moot_address address; /* with the real port once listening */
    void *internal;
};

struct moot_transport_ops {
    /* Monotonic time, read once a turn (cheap); and read now (for measuring). */
    uint64_t (*now_ns)(struct moot_transport *transport);
    uint64_t (*clock_ns)(struct moot_transport *transport);
    /* The caller has blocked: what now_ns and the timers know of the time is old. NULL where
     * nothing blocks. */
    void (*refresh_now)(struct moot_transport *transport);
    uint64_t (*wall_ns)(struct moot_transport *transport); /* since 1970, for records */
    void (*random)(struct moot_transport *transport, void *data, size_t len);

    void (*timer_start)(struct moot_transport *transport, struct moot_timer *timer,
                        uint64_t deadline_ns); /* restarts a started one */
    void (*timer_stop)(struct moot_transport *transport, struct moot_timer *timer);
    void (*task_post)(struct moot_transport *transport, struct moot_task *task); /* idempotent */
    void (*task_cancel)(struct moot_transport *transport, struct moot_task *task);
    /* MOOT_ENOMEM; MOOT_EBUSY when closing or too much waits; then `done` does not come. */
    int (*work_submit)(struct moot_transport *transport, struct moot_work *work);

    /* Sockets and timers alone do not keep a host's loop running, so that idle connections and
     * housekeeping never hold up its end: who has something under way holds it, and lets go
     * afterwards. Counted. Posted tasks, work and lookups hold it by themselves. */
    void (*hold)(struct moot_transport *transport);
    void (*let_go)(struct moot_transport *transport);

    /* MOOT_ENOMEM; MOOT_EINVAL: no host; MOOT_EBUSY: closing; MOOT_EDNS: too many wait. Then
     * `on_done` does not come. */
    int (*resolve)(struct moot_transport *transport, struct moot_resolve *resolve);
    void (*resolve_cancel)(struct moot_transport *transport, struct moot_resolve *resolve);
    /* Begin to connect; the stream is writable (or readable) when made or refused, which the first
     * read or write then tells. Errors here, with *out NULL: MOOT_ENOMEM, MOOT_EBUSY (closing),
     * MOOT_ECONNECT with errno telling why (no descriptors, no route). */
    int (*connect)(struct moot_transport *transport, const struct moot_address *address,
                   struct moot_stream **out);
    /* Of a plain stream, after WRITABLE: MOOT_OK, MOOT_EAGAIN (not yet) or MOOT_ECONNECT with the
     * reason in detail. */
    int (*connect_result)(struct moot_stream *stream, char *detail, size_t size);
    /* MOOT_ENOMEM, MOOT_EBUSY (closing), MOOT_ECONNECT with errno telling why. Out of descriptors,
     * it stops accepting and tries again after a while. */
    int (*listen)(struct moot_transport *transport, const struct moot_address *address,
                  struct moot_acceptor *acceptor);
    void (*unlisten)(struct moot_transport *transport, struct moot_acceptor *acceptor);
};

struct moot_transport {
    const struct moot_transport_ops *ops;
    const struct moot_allocator *allocator;
};

/* Thin, readable spellings of the table. */
static inline uint64_t moot__now_ns(struct moot_transport *t)
{
    return t->ops->now_ns(t);
}
static inline uint64_t moot__clock_ns(struct moot_transport *t)
{
    return t->ops->clock_ns(t);
}
static inline void moot__refresh_now(struct moot_transport *t)
{
    if (t->ops->refresh_now)
        t->ops->refresh_now(t);
}
static inline uint64_t moot__wall_ns(struct moot_transport *t)
{
    return t->ops->wall_ns(t);
}
static inline void moot__random(struct moot_transport *t, void *data, size_t len)
{
    t->ops->random(t, data, len);
}
static inline void moot__timer_start(struct moot_transport *t, struct moot_timer *timer,
                                     uint64_t deadline_ns)
{
    t->ops->timer_start(t, timer, deadline_ns);
}
static inline void moot__timer_stop(struct moot_transport *t, struct moot_timer *timer)
{
    t->ops->timer_stop(t, timer);
}
static inline bool moot__timer_is_started(const struct moot_timer *timer)
{
    return timer->prev != NULL;
}
static inline void moot__task_init(struct moot_task *task, void (*run)(struct moot_task *))
{
    task->run = run;
    moot__list_init(&task->node);
}
static inline void moot__task_post(struct moot_transport *t, struct moot_task *task)
{
    t->ops->task_post(t, task);
}
static inline void moot__task_cancel(struct moot_transport *t, struct moot_task *task)
{
    t->ops->task_cancel(t, task);
}
static inline void moot__transport_hold(struct moot_transport *t)
{
    t->ops->hold(t);
}
static inline void moot__transport_let_go(struct moot_transport *t)
{
    t->ops->let_go(t);
}
MOOT_NODISCARD static inline int moot__work_submit(struct moot_transport *t, struct moot_work *work)
{
    return t->ops->work_submit(t, work);
}
static inline ptrdiff_t moot__stream_read(struct moot_stream *s, void *data, size_t cap)
{
    return s->ops->read(s, data, cap);
}
static inline ptrdiff_t moot__stream_write(struct moot_stream *s, const void *data, size_t len)
{
    return s->ops->write(s, data, len);
}
static inline void moot__stream_want(struct moot_stream *s, unsigned interest)
{
    s->ops->want(s, interest);
}
static inline void moot__stream_close(struct moot_stream *s)
{
    s->ops->close(s);
}
static inline void moot__stream_abort(struct moot_stream *s)
{
    s->ops->abort(s);
}

#endif
