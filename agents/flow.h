#ifndef MOOT_AGENTS_FLOW_H
#define MOOT_AGENTS_FLOW_H

/* Who speaks next. A flow is data, interpreted here and nowhere else: today a plain sequence of
 * roles; verbs (repeat, when, pick, return) would join as kinds of steps. Pure. */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent.h"
#include "engine/base/arena.h"
#include "engine/base/view.h"

struct moot_flow_step {
    unsigned agent; /* index in the plan */
};

/* Immutable, shared. */
struct moot_flow {
    const struct moot_flow_step *steps;
    size_t count; /* at least 1 */
};

struct moot_flow_roles {
    const struct moot_view *items;
    size_t count;
};

/* Resolve names to agents. No names mean oracle then judge. Memory comes from the arena.
 * MOOT_ECONFIG (an unknown role, named in the message; more than MOOT_LIMIT_FLOW_STEPS),
 * MOOT_ENOMEM. */
MOOT_NODISCARD int moot__flow_resolve(struct moot_flow *flow, struct moot_arena *arena,
                                      struct moot_flow_roles roles, struct moot_agents agents,
                                      struct moot_error_info *info);

/* The agent that speaks once `finished` steps are done; false: the conversation is over. */
bool moot__flow_next(const struct moot_flow *flow, size_t finished, unsigned *agent);

/* Whether that agent's answer is the conversation's answer. */
bool moot__flow_is_last(const struct moot_flow *flow, size_t finished);

#endif
