/* The queue in front of a limiter. Invariants: a waiter in a queue holds no grant; only the head is
 * ever asked for, so the limiter's order is the queue's. */
#include "gate.h"

void moot__gate_init(struct moot_gate *gate, struct moot_limiter *limiter)
{
    assert(limiter);
    *gate = (struct moot_gate){.limiter = limiter, .next_ns = MOOT_NEVER_NS};
    for (unsigned i = 0; i < MOOT_RANKS; i++)
        moot__list_init(&gate->queues[i]);
}

void moot__gate_deinit(struct moot_gate *gate)
{
    assert(gate->waiting == 0);
    gate->limiter = NULL;
}

void moot__gate_waiter_init(struct moot_waiter *waiter)
{
    *waiter = (struct moot_waiter){.rank = MOOT_RANK_NEW};
    moot__list_init(&waiter->node);
}

void moot__gate_enter(struct moot_gate *gate, struct moot_waiter *waiter, uint64_t now_ns)
{
    assert(!waiter->grant.is_held);
    assert(waiter->rank < MOOT_RANKS);
    waiter->entered_ns = now_ns;
    moot__list_push_back(&gate->queues[waiter->rank], &waiter->node);
    gate->waiting++;
    if (gate->waiting == 1)
        gate->next_ns = now_ns;
}

void moot__gate_leave(struct moot_gate *gate, struct moot_waiter *waiter)
{
    if (!moot__list_is_linked(&waiter->node))
        return;
    moot__list_remove(&waiter->node);
    if (waiter->grant.is_held) {
        moot__limiter_cancel(gate->limiter, &waiter->grant);
        return;
    }
    assert(gate->waiting > 0);
    gate->waiting--;
}

static struct moot_list *first_queue(struct moot_gate *gate)
{
    for (unsigned i = 0; i < MOOT_RANKS; i++) {
        if (!moot__list_is_empty(&gate->queues[i]))
            return &gate->queues[i];
    }
    return NULL;
}

size_t moot__gate_pump(struct moot_gate *gate, uint64_t now_ns, struct moot_list *granted)
{
    size_t count = 0;
    for (struct moot_list *queue; (queue = first_queue(gate)) != NULL; count++) {
        struct moot_waiter *head = moot__list_entry(queue->next, struct moot_waiter, node);
        const uint64_t estimate[MOOT_METERS] = {1, head->input_tokens, head->output_tokens, 0};
        if (moot__limiter_reserve(gate->limiter, now_ns, estimate, &head->grant, &gate->next_ns))
            break;
        moot__list_remove(&head->node);
        moot__list_push_back(granted, &head->node);
        assert(gate->waiting > 0);
        gate->waiting--;
    }
    return count;
}

/* A provider that never answered is more likely to be a wrong address than an outage. */
static uint64_t patience_of(const struct moot_gate *gate, const struct moot_waiter *waiter)
{
    bool has_answered = atomic_load(&gate->limiter->succeeded) > 0;
    return has_answered || waiter->patience_ns < MOOT_GATE_PATIENCE_FIRST_NS
               ? waiter->patience_ns
               : MOOT_GATE_PATIENCE_FIRST_NS;
}

/* Until when; nobody waits for an outage that was over before. */
static uint64_t end_of_patience(const struct moot_gate *gate, const struct moot_waiter *waiter,
                                uint64_t since_ns)
{
    if (waiter->patience_ns == 0)
        return MOOT_NEVER_NS;
    uint64_t from_ns = waiter->began_ns > since_ns ? waiter->began_ns : since_ns;
    return moot__ns_add(from_ns, patience_of(gate, waiter));
}

void moot__gate_expire(struct moot_gate *gate, uint64_t now_ns, struct moot_list *expired)
{
    /* Half open, it answers: who still waits does so for its turn, or for quota. */
    if (atomic_load(&gate->limiter->breaker.state) != MOOT_BREAKER_OPEN)
        return;
    uint64_t since_ns = atomic_load(&gate->limiter->breaker.since_ns);
    for (unsigned i = 0; i < MOOT_RANKS; i++)
        MOOT_LIST_FOREACH_SAFE (node, after, &gate->queues[i]) {
            struct moot_waiter *waiter = moot__list_entry(node, struct moot_waiter, node);
            uint64_t end_ns = end_of_patience(gate, waiter, since_ns);
            if (end_ns > now_ns) {
                gate->next_ns = end_ns < gate->next_ns ? end_ns : gate->next_ns;
                continue;
            }
            moot__list_remove(node);
            moot__list_push_back(expired, node);
            assert(gate->waiting > 0);
            gate->waiting--;
        }
}
