#include "states.h"

#include <string.h>

#include "engine/base/check.h"
#include "torture.h"

static const struct {
    const char *name, *file;
} machines[MACHINES] = {
#define X(id, name, file) {name, file},
    MACHINE_MAP(X)
#undef X
};

static struct {
    const struct moot_sm_state *states;
    unsigned count;
} seen[MACHINES];

void (*states_on_enter)(const struct moot_sm *sm, enum machine machine, unsigned state);

const char *machine_name(enum machine machine)
{
    return machines[machine].name;
}

const char *machine_file(enum machine machine)
{
    return machines[machine].file;
}

const struct moot_sm_state *machine_states(enum machine machine, unsigned *count)
{
    *count = seen[machine].count;
    return seen[machine].states;
}

/* A table has no name: it is told from others by its states'. */
static enum machine recognise(const struct moot_sm *sm)
{
    static const struct {
        const char *state;
        enum machine machine;
    } marks[] = {{"flow", MACHINE_HANDSHAKE}, {"pick", MACHINE_CONVERSATION},
                 {"sending", MACHINE_CALL},   {"dialling", MACHINE_CONNECTION},
                 {"resolving", MACHINE_DIAL}, {"streaming", MACHINE_PROVIDER},
                 {"pausing", MACHINE_KEEPER}};
    enum machine found = MACHINES;
    for (unsigned i = 0; i < sm->count; i++)
        for (size_t k = 0; k < moot__countof(marks); k++)
            if (strcmp(sm->states[i].name, marks[k].state) == 0)
                found = marks[k].machine;
    torture_check(found != MACHINES, "a machine that nobody knows, with the state '%s'",
                  sm->states[0].name);
    torture_check(!seen[found].states || seen[found].states == sm->states,
                  "two machines are taken for '%s'", machines[found].name);
    seen[found].states = sm->states;
    seen[found].count = sm->count;
    return found;
}

static void entered(const struct moot_sm *sm)
{
    enum machine machine = 0;
    while (machine < MACHINES && seen[machine].states != sm->states)
        machine++;
    if (machine == MACHINES)
        machine = recognise(sm);
    if (states_on_enter)
        states_on_enter(sm, machine, sm->current);
}

void __real_moot__sm_init(struct moot_sm *sm, const struct moot_sm_state *states, unsigned count,
                          unsigned first);
void __wrap_moot__sm_init(struct moot_sm *sm, const struct moot_sm_state *states, unsigned count,
                          unsigned first);
void __wrap_moot__sm_init(struct moot_sm *sm, const struct moot_sm_state *states, unsigned count,
                          unsigned first)
{
    __real_moot__sm_init(sm, states, count, first);
    entered(sm);
}

void __real_moot__sm_move(struct moot_sm *sm, unsigned next);
void __wrap_moot__sm_move(struct moot_sm *sm, unsigned next);
void __wrap_moot__sm_move(struct moot_sm *sm, unsigned next)
{
    __real_moot__sm_move(sm, next);
    entered(sm);
}
