/* One producer, one consumer, whole records, no locks and no read-modify-write.
 *
 *      released            next              published
 *         v                 v                    v
 *   ......[ read, not given back ][ to be read   ].........
 *
 * The producer owns the bytes from `published` up to `released` + capacity, the consumer those from
 * `released` to `published`. Each side moves its own mark with a release store once it is done with
 * the bytes before it, and looks at the other's with an acquire load, so bytes change hands only
 * together with the mark that passed them. Each side keeps the last value it saw of the other's
 * mark and looks again only when that one does not suffice: in the common case neither touches the
 * other's cache line. A stale value is always on the safe side, because marks only grow.
 *
 * A record never wraps. Where the rest of the ring is too short for it, a pad of that length comes
 * first, published by the same store; a pad is never published alone, so a reader that sees one
 * sees the record behind it. In the worst case a record needs almost twice its size, which is why
 * it may be at most half the ring: an empty ring then takes any record, wherever its marks stand.
 *
 * tests/trace/ring.pml is this file as a model, checked exhaustively. */
#include "ring.h"

#include <string.h>

#include "engine/base/limits.h"
#include "record.h"

/* A pad is a record head's first 8 bytes with this name. */
#define PAD UINT16_MAX

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "positions are lock-free");
static_assert(MOOT_LIMIT_SPAN_BYTES <= MOOT_LIMIT_TRACE_RING_BYTES / 2, "any span fits");
static_assert(MOOT_LIMIT_SPAN_BYTES % MOOT_RECORD_UNIT == 0, "records are made of units");

struct pad {
    uint32_t size;
    uint16_t name;
    uint16_t unused;
};
static_assert(sizeof(struct pad) == MOOT_RECORD_UNIT, "a pad fits wherever anything is left");
static_assert(offsetof(struct pad, size) == offsetof(struct moot_record_head, size) &&
                  offsetof(struct pad, name) == offsetof(struct moot_record_head, name),
              "a pad is told from a record by its name");

static size_t ring_capacity(const struct moot_ring_options *options)
{
    size_t wanted = options ? options->bytes : 0;
    if (wanted == 0 || wanted > MOOT_LIMIT_TRACE_RING_BYTES)
        wanted = MOOT_LIMIT_TRACE_RING_BYTES;
    size_t capacity = 2 * MOOT_RECORD_MAX_MIN;
    while (capacity < wanted)
        capacity *= 2;
    return capacity;
}

int moot__ring_init(struct moot_ring *ring, const struct moot_allocator *allocator,
                    const struct moot_ring_options *options)
{
    memset(ring, 0, sizeof *ring);
    ring->allocator = allocator;
    ring->capacity = ring_capacity(options);
    ring->record_max = ring->capacity / 2;
    if (ring->record_max > MOOT_LIMIT_SPAN_BYTES)
        ring->record_max = MOOT_LIMIT_SPAN_BYTES;
    ring->allowed = options && options->content ? UINT64_MAX : ~moot__attrs_content;
    ring->data = moot__alloc(allocator, ring->capacity);
    return ring->data ? MOOT_OK : MOOT_ENOMEM;
}

void moot__ring_deinit(struct moot_ring *ring)
{
    moot__free(ring->allocator, ring->data);
    ring->data = NULL;
}

/* Only its writer counts, so a counter needs no read-modify-write. */
static void count(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

/* Whether `size` bytes after `published` belong to the producer. */
static bool has_room(struct moot_ring *ring, uint64_t published, size_t size)
{
    if (published + size - ring->producer.released_seen <= ring->capacity)
        return true;
    ring->producer.released_seen =
        atomic_load_explicit(&ring->consumer.released, memory_order_acquire);
    return published + size - ring->producer.released_seen <= ring->capacity;
}

bool moot__ring_write(struct moot_ring *ring, const struct moot_span *span)
{
    assert(ring->data);
    const struct moot_record_plan plan = moot__record_plan(span, ring->allowed, ring->record_max);
    uint64_t published = atomic_load_explicit(&ring->producer.published, memory_order_relaxed);
    size_t at = (size_t)published & (ring->capacity - 1);
    size_t pad = plan.size <= ring->capacity - at ? 0 : ring->capacity - at;
    if (!has_room(ring, published, pad + plan.size)) {
        count(&ring->producer.dropped);
        return false;
    }
    if (pad) {
        const struct pad head = {.size = (uint32_t)pad, .name = PAD};
        memcpy(ring->data + at, &head, sizeof head);
        at = 0;
    }
    moot__record_encode(span, &plan, ring->data + at);
    atomic_store_explicit(&ring->producer.published, published + pad + plan.size,
                          memory_order_release);
    count(&ring->producer.written);
    return true;
}

bool moot__ring_read(struct moot_ring *ring, struct moot_span *span)
{
    uint64_t next = ring->consumer.next;
    if (next == ring->consumer.published_seen) {
        ring->consumer.published_seen =
            atomic_load_explicit(&ring->producer.published, memory_order_acquire);
        if (next == ring->consumer.published_seen)
            return false;
    }
    struct pad head;
    const unsigned char *record = ring->data + ((size_t)next & (ring->capacity - 1));
    memcpy(&head, record, sizeof head);
    if (head.name == PAD) {
        next += head.size;
        record = ring->data;
        assert(next % ring->capacity == 0 && next < ring->consumer.published_seen);
        memcpy(&head, record, sizeof head);
    }
    moot__record_decode(record, span);
    ring->consumer.next = next + head.size;
    assert(ring->consumer.next <= ring->consumer.published_seen);
    return true;
}

void moot__ring_release(struct moot_ring *ring)
{
    atomic_store_explicit(&ring->consumer.released, ring->consumer.next, memory_order_release);
}

uint64_t moot__ring_pending(const struct moot_ring *ring)
{
    /* In this order `published` cannot be older than `released`: the difference is never negative.
     */
    uint64_t released = atomic_load_explicit(&ring->consumer.released, memory_order_acquire);
    uint64_t published = atomic_load_explicit(&ring->producer.published, memory_order_relaxed);
    assert(published >= released);
    /* A third thread may be held up between the two, while both marks go round. */
    return published - released < ring->capacity ? published - released : ring->capacity;
}

uint64_t moot__ring_written(const struct moot_ring *ring)
{
    return atomic_load_explicit(&ring->producer.written, memory_order_relaxed);
}

uint64_t moot__ring_dropped(const struct moot_ring *ring)
{
    return atomic_load_explicit(&ring->producer.dropped, memory_order_relaxed);
}
