#ifndef MOOT_TRACE_RING_H
#define MOOT_TRACE_RING_H

/* The way of spans out of a loop: a lock-free byte ring with one producer (the loop's thread) and
 * one consumer (the exporter's). Writing never waits: a full ring drops the span and counts it.
 * Waking the consumer is not the ring's business; moot__ring_pending tells whether to. */
#include <stdatomic.h>

#include "engine/base/alloc.h"
#include "span.h"

/* More than a cache line, because processors fetch them in pairs. */
#define MOOT_RING_APART 128

struct moot_ring {
    /* Constant after init. */
    const struct moot_allocator *allocator;
    unsigned char *data;
    size_t capacity;   /* a power of two */
    size_t record_max; /* longer spans have their texts cut; at most capacity / 2 */
    uint64_t allowed;  /* attributes that are recorded */
    char apart_1[MOOT_RING_APART];

    /* Positions count bytes since init and only grow: 64 bits outlast the machine. The byte of
     * position p is data[p % capacity]; what lies in [released, published) is records. */
    struct {
        _Atomic uint64_t published;        /* written by the producer, after the bytes before it */
        _Atomic uint64_t written, dropped; /* spans; written by the producer, read by anyone */
        uint64_t released_seen;            /* producer only: `released` was at least this */
    } producer;
    char apart_2[MOOT_RING_APART];

    struct {
        _Atomic uint64_t released; /* written by the consumer, after it has read the bytes before */
        uint64_t next;             /* consumer only: what to read next, released <= next */
        uint64_t published_seen;   /* consumer only: `published` was at least this */
    } consumer;
    char apart_3[MOOT_RING_APART];
};

struct moot_ring_options {
    size_t bytes; /* rounded up to a power of two; 0 and anything larger:
                     MOOT_LIMIT_TRACE_RING_BYTES */
    bool content; /* also record attributes of privacy CONTENT: what people wrote */
};

/* Make an empty ring; `options` may be NULL. MOOT_ENOMEM: nothing is held, deinit is still safe. */
MOOT_NODISCARD int moot__ring_init(struct moot_ring *ring, const struct moot_allocator *allocator,
                                   const struct moot_ring_options *options);

/* Neither side may be inside a call. Safe on a zeroed struct, and twice. */
void moot__ring_deinit(struct moot_ring *ring);

/* Producer's thread. Record a span whole, or not at all: false means that the ring was full and
 * the span was counted as dropped. Copies every text; never waits, never allocates. */
bool moot__ring_write(struct moot_ring *ring, const struct moot_span *span);

/* Consumer's thread. Read the next span in place; false if there is none yet. Its texts stay valid
 * until moot__ring_release; several may be read before. */
MOOT_NODISCARD bool moot__ring_read(struct moot_ring *ring, struct moot_span *span);

/* Consumer's thread. Give the space of every span read so far back to the producer. */
void moot__ring_release(struct moot_ring *ring);

/* Any thread. Bytes written and not yet released; the state of an instant. */
uint64_t moot__ring_pending(const struct moot_ring *ring);

/* Any thread. How many spans were taken, and how many were dropped, since init. */
uint64_t moot__ring_written(const struct moot_ring *ring);
uint64_t moot__ring_dropped(const struct moot_ring *ring);

#endif
