/* Parameters are kept as the JSON that they were configured in and sent as such, numbers digit for
 * digit; only their order and two defaults are ours. */
#include "agent.h"

#include "engine/base/check.h"
#include "engine/base/json_read.h"

static const struct moot_json default_temperature = {
    .type = MOOT_JSON_NUMBER,
    .text = {MOOT_DEFAULT_TEMPERATURE, sizeof(MOOT_DEFAULT_TEMPERATURE) - 1},
};
static const struct moot_json default_max_tokens = {
    .type = MOOT_JSON_NUMBER,
    .text = {MOOT_DEFAULT_MAX_TOKENS, sizeof(MOOT_DEFAULT_MAX_TOKENS) - 1},
};

static const struct moot_param *find(struct moot_params params, struct moot_view name)
{
    for (size_t i = params.count; i > 0; i--) {
        if (moot__view_eq(params.items[i - 1].name, name))
            return &params.items[i - 1];
    }
    return NULL;
}

const struct moot_param *moot__params_find(struct moot_params params, const char *name)
{
    return find(params, moot__view_str(name));
}

bool moot__param_is_reserved(struct moot_view name)
{
    static const char *const reserved[] = {"messages", "model", "stream"};
    for (size_t i = 0; i < moot__countof(reserved); i++) {
        if (moot__view_is(name, reserved[i]))
            return true;
    }
    return false;
}

int moot__agent_apply_defaults(struct moot_agent *agent, struct moot_arena *arena)
{
    const struct moot_params given = agent->params;
    struct moot_param *items = moot__arena_calloc(arena, given.count + 2, sizeof(*items));
    if (!items)
        return MOOT_ENOMEM;

    size_t count = 0;
    const struct moot_param *temperature = moot__params_find(given, "temperature");
    items[count++] =
        temperature ? *temperature
                    : (struct moot_param){MOOT_VIEW("temperature"), &default_temperature, true};
    const struct moot_param *max_tokens = moot__params_find(given, "max_tokens");
    if (max_tokens)
        items[count++] = *max_tokens;
    else if (!moot__params_find(given, "max_completion_tokens"))
        items[count++] = (struct moot_param){MOOT_VIEW("max_tokens"), &default_max_tokens, true};

    for (size_t i = 0; i < given.count; i++) {
        struct moot_view name = given.items[i].name;
        if (!moot__view_is(name, "temperature") && !moot__view_is(name, "max_tokens"))
            items[count++] = given.items[i];
    }
    assert(count <= given.count + 2);
    agent->params = (struct moot_params){items, count};
    return MOOT_OK;
}

/* The two names of one thing. */
static bool is_same_parameter(struct moot_view a, struct moot_view b)
{
    struct moot_view older = MOOT_VIEW("max_tokens"), newer = MOOT_VIEW("max_completion_tokens");
    return moot__view_eq(a, b) || (moot__view_eq(a, older) && moot__view_eq(b, newer)) ||
           (moot__view_eq(a, newer) && moot__view_eq(b, older));
}

static void lay_over(struct moot_param *items, size_t *count, const struct moot_param *param)
{
    for (size_t i = 0; i < *count; i++) {
        if (is_same_parameter(items[i].name, param->name)) {
            items[i] = *param;
            return;
        }
    }
    items[(*count)++] = *param;
}

int moot__params_merge(struct moot_params base, struct moot_params overriding,
                       struct moot_arena *arena, struct moot_params *out)
{
    if (overriding.count == 0) {
        *out = base;
        return MOOT_OK;
    }
    struct moot_param *items =
        moot__arena_calloc(arena, base.count + overriding.count, sizeof(*items));
    if (!items)
        return MOOT_ENOMEM;
    size_t count = 0;
    for (; count < base.count; count++)
        items[count] = base.items[count];
    for (size_t i = 0; i < overriding.count; i++) {
        const struct moot_param *param = &overriding.items[i];
        if (!moot__param_is_reserved(param->name) && !moot__json_is_null(param->value))
            lay_over(items, &count, param);
    }
    *out = (struct moot_params){items, count};
    return MOOT_OK;
}

int moot__params_read(const struct moot_json *object, struct moot_arena *arena,
                      struct moot_params *out)
{
    if (!moot__json_is_object(object))
        return MOOT_EINVAL;
    struct moot_param *items = moot__arena_calloc(arena, object->count + 1, sizeof(*items));
    if (!items)
        return MOOT_ENOMEM;
    size_t count = 0;
    for (const struct moot_json *member = object->child; member; member = member->next)
        items[count++] = (struct moot_param){.name = member->key, .value = member};
    assert(count == object->count);
    *out = (struct moot_params){items, count};
    return MOOT_OK;
}

struct moot_params moot__params_for_step(enum moot_caller_params mode, struct moot_params caller,
                                         size_t step, size_t steps)
{
    assert(step < steps);
    bool applies = mode == MOOT_CALLER_ALL || (mode == MOOT_CALLER_FINAL && step + 1 == steps);
    return applies ? caller : (struct moot_params){NULL, 0};
}

uint64_t moot__params_max_tokens(struct moot_params params)
{
    static const char *const names[] = {"max_completion_tokens", "max_tokens"};
    for (size_t i = 0; i < moot__countof(names); i++) {
        const struct moot_param *param = moot__params_find(params, names[i]);
        uint64_t most;
        if (param && moot__json_u64(param->value, &most))
            return most;
    }
    return 0;
}
