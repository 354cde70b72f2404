/* A flow is resolved once, when the configuration is read, so that stepping through it needs no
 * names and cannot fail. */
#include "flow.h"

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"

static bool find_agent(struct moot_agents agents, struct moot_view role, unsigned *index)
{
    for (size_t i = 0; i < agents.count; i++) {
        if (moot__view_eq(agents.items[i].role, role)) {
            *index = (unsigned)i;
            return true;
        }
    }
    return false;
}

int moot__flow_resolve(struct moot_flow *flow, struct moot_arena *arena,
                       struct moot_flow_roles roles, struct moot_agents agents,
                       struct moot_error_info *info)
{
    static const struct moot_view tutorial[] = {{"oracle", 6}, {"judge", 5}};
    if (roles.count == 0)
        roles = (struct moot_flow_roles){tutorial, moot__countof(tutorial)};
    if (roles.count > MOOT_LIMIT_FLOW_STEPS)
        return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_PREPARE,
                          "flow: %zu steps are more than %d", roles.count, MOOT_LIMIT_FLOW_STEPS);

    struct moot_flow_step *steps = moot__arena_calloc(arena, roles.count, sizeof(*steps));
    if (!steps)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "no memory for the flow");
    for (size_t i = 0; i < roles.count; i++) {
        struct moot_view role = roles.items[i];
        if (!find_agent(agents, role, &steps[i].agent))
            return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_PREPARE,
                              "flow: role '%.*s' is not among the models", (int)role.len,
                              role.len ? role.ptr : "");
    }
    *flow = (struct moot_flow){steps, roles.count};
    return MOOT_OK;
}

bool moot__flow_next(const struct moot_flow *flow, size_t finished, unsigned *agent)
{
    assert(flow->count > 0 && finished <= flow->count);
    if (finished >= flow->count)
        return false;
    *agent = flow->steps[finished].agent;
    return true;
}

bool moot__flow_is_last(const struct moot_flow *flow, size_t finished)
{
    assert(flow->count > 0);
    return finished + 1 == flow->count;
}
