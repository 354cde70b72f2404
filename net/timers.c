/* A pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986): the simplest heap whose nodes live in
 * their owners' memory and can leave from the middle.
 *
 * A node has a list of children, first `child`, then `next`; `prev` is the sibling before it, or
 * the parent for a first child. Every child is due no earlier than its parent. The root has no
 * sibling and is its own `prev`, so that `prev` also tells whether a timer is started. */
#include "timers.h"

#include "engine/base/check.h"

void moot__timers_init(struct moot_timers *timers)
{
    *timers = (struct moot_timers){0};
}

static bool is_before(const struct moot_timer *a, const struct moot_timer *b)
{
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return a->sequence < b->sequence;
}

/* Two heaps into one; the later root becomes the first child of the earlier. */
static struct moot_timer *meld(struct moot_timer *a, struct moot_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    struct moot_timer *top = is_before(b, a) ? b : a;
    struct moot_timer *below = top == a ? b : a;
    below->next = top->child;
    below->prev = top;
    if (top->child)
        top->child->prev = below;
    top->child = below;
    top->next = NULL;
    return top;
}

/* The children of a node that leaves into one heap: in pairs from the left, then all from the
 * right, which is what makes the cost logarithmic. */
static struct moot_timer *meld_children(struct moot_timer *first)
{
    struct moot_timer *pairs = NULL; /* last pair first, linked by `next` */
    while (first) {
        struct moot_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct moot_timer *all = NULL;
    while (pairs) {
        struct moot_timer *after = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = after;
    }
    return all;
}

static void set_root(struct moot_timers *timers, struct moot_timer *root)
{
    timers->root = root;
    if (root)
        root->prev = root;
    assert((root == NULL) == (timers->count == 0));
}

void moot__timers_start(struct moot_timers *timers, struct moot_timer *timer, uint64_t deadline_ns)
{
    moot__timers_stop(timers, timer);
    timer->deadline_ns = deadline_ns;
    timer->sequence = timers->next_sequence++;
    timer->child = timer->next = NULL;
    timers->count++;
    set_root(timers, meld(timers->root, timer));
    assert(moot__timer_is_started(timer));
}

void moot__timers_stop(struct moot_timers *timers, struct moot_timer *timer)
{
    if (!moot__timer_is_started(timer))
        return;
    assert(timers->count > 0);
    struct moot_timer *rest = meld_children(timer->child);
    if (timer != timers->root) {
        assert(timer->prev != timer);
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        rest = meld(timers->root, rest);
    }
    timers->count--;
    timer->child = timer->next = timer->prev = NULL;
    set_root(timers, rest);
}

uint64_t moot__timers_next_ns(const struct moot_timers *timers)
{
    return timers->root ? timers->root->deadline_ns : MOOT_NEVER_NS;
}

struct moot_timer *moot__timers_take_due(struct moot_timers *timers, uint64_t now_ns)
{
    struct moot_timer *timer = timers->root;
    if (!timer || timer->deadline_ns > now_ns)
        return NULL;
    moot__timers_stop(timers, timer);
    return timer;
}
