#include "timers.h"

#include "engine/base/alloc.h"
#include "engine/base/check.h"

void moot__timers_init(struct moot_timers *timers, const struct moot_allocator *allocator)
{
    *timers = (struct moot_timers){.allocator = allocator};
}

void moot__timers_deinit(struct moot_timers *timers)
{
    assert(timers->count == 0);
    moot__free(timers->allocator, timers->heap);
    timers->heap = NULL;
    timers->cap = 0;
}

static bool is_before(const struct moot_timer *a, const struct moot_timer *b)
{
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return a->sequence < b->sequence;
}

static void place(struct moot_timers *timers, size_t at, struct moot_timer *timer)
{
    timers->heap[at] = timer;
    timer->heap_index = at + 1;
}

static void sift_up(struct moot_timers *timers, size_t at)
{
    struct moot_timer *timer = timers->heap[at];
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!is_before(timer, timers->heap[parent]))
            break;
        place(timers, at, timers->heap[parent]);
        at = parent;
    }
    place(timers, at, timer);
}

static void sift_down(struct moot_timers *timers, size_t at)
{
    struct moot_timer *timer = timers->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && is_before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!is_before(timers->heap[child], timer))
            break;
        place(timers, at, timers->heap[child]);
        at = child;
    }
    place(timers, at, timer);
}

int moot__timers_start(struct moot_timers *timers, struct moot_timer *timer, uint64_t deadline_ns)
{
    moot__timers_stop(timers, timer);
    if (timers->count == timers->cap) {
        size_t cap = timers->cap ? timers->cap * 2 : 64;
        void *heap = moot__realloc(timers->allocator, timers->heap, cap * sizeof *timers->heap);
        if (!heap)
            return MOOT_ENOMEM;
        timers->heap = heap;
        timers->cap = cap;
    }
    timer->deadline_ns = deadline_ns;
    timer->sequence = timers->next_sequence++;
    size_t at = timers->count++;
    place(timers, at, timer);
    sift_up(timers, at);
    return MOOT_OK;
}

void moot__timers_stop(struct moot_timers *timers, struct moot_timer *timer)
{
    if (timer->heap_index == 0)
        return;
    size_t at = timer->heap_index - 1;
    assert(at < timers->count && timers->heap[at] == timer);
    timer->heap_index = 0;
    struct moot_timer *last = timers->heap[--timers->count];
    if (last == timer)
        return;
    place(timers, at, last);
    sift_up(timers, at);
    sift_down(timers, last->heap_index - 1);
}

uint64_t moot__timers_next_ns(const struct moot_timers *timers)
{
    return timers->count ? timers->heap[0]->deadline_ns : MOOT_NEVER_NS;
}

struct moot_timer *moot__timers_take_due(struct moot_timers *timers, uint64_t now_ns)
{
    if (timers->count == 0 || timers->heap[0]->deadline_ns > now_ns)
        return NULL;
    struct moot_timer *timer = timers->heap[0];
    moot__timers_stop(timers, timer);
    return timer;
}
