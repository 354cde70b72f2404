#ifndef MOOT_AGENTS_AGENT_H
#define MOOT_AGENTS_AGENT_H

/* One role of a configuration: who it is, what it is told, with which parameters it is asked.
 * Immutable once the configuration is read; shared by every conversation, on any thread. */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/view.h"

struct moot_json;

/* The tutorial's defaults: temperature 0.5, max_tokens 500. */
#define MOOT_DEFAULT_TEMPERATURE "0.5"
#define MOOT_DEFAULT_MAX_TOKENS  "500"

/* One parameter of the chat API. A JSON null means: do not send it, and no default in its place. */
struct moot_param {
    struct moot_view name;
    const struct moot_json *value;
    bool by_default; /* filled by us; a dialect leaves it out where the model is known to refuse */
};

struct moot_params {
    const struct moot_param *items; /* in the order in which they are sent */
    size_t count;
};

/* Whose answer the caller's own parameters change: nobody's, the last role's, everybody's. */
enum moot_caller_params { MOOT_CALLER_NONE, MOOT_CALLER_FINAL, MOOT_CALLER_ALL };

struct moot_agent {
    struct moot_view role;        /* its key below `models` */
    struct moot_view endpoint;    /* the model's name at the provider */
    struct moot_view instruction; /* its system message; empty: none is sent */
    unsigned provider;            /* index in the plan */
    struct moot_params params;
    const struct moot_agent
        *fallback; /* the same role elsewhere, asked when this one cannot; NULL */
};

struct moot_agents {
    const struct moot_agent *items;
    size_t count;
};

/* Put `agent->params` in the order of the wire: temperature, max_tokens, then the others as they
 * were configured; and fill the first two where they are absent (max_tokens only if
 * max_completion_tokens is absent as well). New memory comes from the arena. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__agent_apply_defaults(struct moot_agent *agent, struct moot_arena *arena);

/* NULL if there is none of that name; the last one wins if there are several. */
const struct moot_param *moot__params_find(struct moot_params params, const char *name);

/* Parameters that the engine writes itself (messages, model, stream): never taken from a
 * configuration or a caller. */
bool moot__param_is_reserved(struct moot_view name);

/* `base` with `overriding` laid over it: same names keep their place and take the new value, new
 * names follow. Reserved names and null values of `overriding` are passed over (clients send null
 * for "not set"); max_tokens and max_completion_tokens replace each other. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__params_merge(struct moot_params base, struct moot_params overriding,
                                      struct moot_arena *arena, struct moot_params *out);

/* The members of a JSON object as parameters, borrowed from it; the array comes from the arena.
 * MOOT_EINVAL (not an object), MOOT_ENOMEM. */
MOOT_NODISCARD int moot__params_read(const struct moot_json *object, struct moot_arena *arena,
                                     struct moot_params *out);

/* What to lay over the parameters of step `step` of `steps`: the caller's, or none. */
struct moot_params moot__params_for_step(enum moot_caller_params mode, struct moot_params caller,
                                         size_t step, size_t steps);

/* The most tokens that an answer may have, for the limiter's reservation: max_completion_tokens or
 * max_tokens; 0 if neither is there or it is no such number. */
uint64_t moot__params_max_tokens(struct moot_params params);

#endif
