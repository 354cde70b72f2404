#include "sm.h"

#include "check.h"

void moot__sm_init(struct moot_sm *sm, const struct moot_sm_state *states, unsigned count,
                   unsigned first)
{
    assert(count <= 32 && first < count);
    *sm = (struct moot_sm){.states = states, .count = count, .current = first};
}

void moot__sm_move(struct moot_sm *sm, unsigned next)
{
    assert(next < sm->count);
    const struct moot_sm_state *from = &sm->states[sm->current];
    assert(from->allowed & MOOT_SM_TO(next));
    sm->current = next;
    if (sm->observe)
        sm->observe(sm->context, from, &sm->states[next]);
}

const char *moot__sm_name(const struct moot_sm *sm)
{
    return sm->states[sm->current].name;
}
