#ifndef MOOT_TORTURE_INTERRUPTS_H
#define MOOT_TORTURE_INTERRUPTS_H

/* What may happen to a conversation at any moment, and how it must end then. */
#include "engine/base/sm.h"
#include "stage.h"

/* X(id, name) */
#define INTERRUPT_MAP(X)                                                                           \
    X(CANCEL, "cancel")                                                                            \
    X(WORK_LIMIT, "work limit")                                                                    \
    X(DEADLINE, "call's deadline")                                                                 \
    X(RESET, "peer reset")                                                                         \
    X(CLOSE, "engine close")                                                                       \
    X(NO_MEMORY, "out of memory, once")                                                            \
    X(NO_MEMORY_LEFT, "out of memory, for good")

enum interrupt {
#define X(id, name) INTERRUPT_##id,
    INTERRUPT_MAP(X)
#undef X
        INTERRUPTS
};

const char *interrupt_name(enum interrupt interrupt);

/* Whether it can happen now: a peer that is connected, a conversation that is at work, ... To the
 * conversation of this machine, or, NULL, to any. */
bool interrupt_can(const struct stage *stage, enum interrupt interrupt, const struct moot_sm *sm);

/* Let it happen. Once a process: from now on torture_ended knows how talks must end. */
void interrupt_now(struct stage *stage, enum interrupt interrupt);

#endif
