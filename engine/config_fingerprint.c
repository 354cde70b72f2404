/* What identifies a plan's answers. The canonical form is JSON without spaces: agents in order of
 * the flow's first use would depend on the flow alone, so they are sorted by name; parameters are
 * sorted too, since their order does not change an answer. */
#include "config.h"

#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/base/json_write.h"
#include "engine/base/limits.h"

static int compare_views(struct moot_view a, struct moot_view b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least ? memcmp(a.ptr, b.ptr, least) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_agents(const void *a, const void *b)
{
    const struct moot_agent *const *left = a, *const *right = b;
    return compare_views((*left)->role, (*right)->role);
}

static int compare_params(const void *a, const void *b)
{
    const struct moot_param *const *left = a, *const *right = b;
    return compare_views((*left)->name, (*right)->name);
}

/* Nothing where there are none: the plans of earlier versions keep their fingerprints. */
static void write_fallbacks(struct moot_json_writer *w, const struct moot_plan *plan,
                            const struct moot_agent *agent)
{
    if (!agent)
        return;
    moot__json_write_member_array_begin(w, "fallbacks");
    for (; agent; agent = agent->fallback) {
        moot__json_write_object_begin(w);
        moot__json_write_member_string(w, "endpoint", agent->endpoint);
        moot__json_write_member_str(w, "type", plan->providers[agent->provider].dialect->type);
        moot__json_write_object_end(w);
    }
    moot__json_write_array_end(w);
}

static int write_agent(struct moot_json_writer *w, struct moot_plan *plan,
                       const struct moot_agent *agent)
{
    size_t count = agent->params.count;
    const struct moot_param **sorted = moot__arena_calloc(&plan->arena, count + 1, sizeof *sorted);
    if (!sorted)
        return MOOT_ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &agent->params.items[i];
    qsort(sorted, count, sizeof *sorted, compare_params);
    moot__json_write_object_begin(w);
    moot__json_write_member_string(w, "role", agent->role);
    moot__json_write_member_string(w, "endpoint", agent->endpoint);
    moot__json_write_member_string(w, "instruction", agent->instruction);
    moot__json_write_member_str(w, "type", plan->providers[agent->provider].dialect->type);
    moot__json_write_member_object_begin(w, "params");
    for (size_t i = 0; i < count; i++) {
        moot__json_write_key(w, sorted[i]->name);
        moot__json_write_value(w, sorted[i]->value);
    }
    moot__json_write_object_end(w);
    write_fallbacks(w, plan, agent->fallback);
    moot__json_write_object_end(w);
    return MOOT_OK;
}

static int write_plan(struct moot_json_writer *w, struct moot_plan *plan)
{
    size_t count = plan->agents.count;
    const struct moot_agent **sorted = moot__arena_calloc(&plan->arena, count + 1, sizeof *sorted);
    if (!sorted)
        return MOOT_ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &plan->agents.items[i];
    qsort(sorted, count, sizeof *sorted, compare_agents);
    moot__json_write_object_begin(w);
    moot__json_write_member_array_begin(w, "agents");
    for (size_t i = 0; i < count; i++) {
        int rc = write_agent(w, plan, sorted[i]);
        if (rc)
            return rc;
    }
    moot__json_write_array_end(w);
    moot__json_write_member_array_begin(w, "flow");
    for (size_t i = 0; i < plan->flow.count; i++)
        moot__json_write_string(w, plan->agents.items[plan->flow.steps[i].agent].role);
    moot__json_write_array_end(w);
    moot__json_write_member_string(w, "user_response_instruction", plan->user_response_instruction);
    moot__json_write_member_bool(w, "history_first_only", plan->history_first_only);
    moot__json_write_member_u64(w, "caller_params", (uint64_t)plan->caller_params);
    moot__json_write_object_end(w);
    return MOOT_OK;
}

/* Two lanes of FNV-1a that differ in start and multiplier, each mixed at the end. It tells changed
 * configurations from unchanged ones; it is no defence against someone who forges one. */
static uint64_t hash(struct moot_view text, uint64_t start, uint64_t multiplier)
{
    uint64_t h = start;
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * multiplier;
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

static void write_hex(uint64_t value, char out[16])
{
    for (int i = 15; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

int moot__plan_compute_fingerprint(struct moot_plan *plan)
{
    struct moot_buf buf;
    struct moot_json_writer w;
    moot__buf_init(&buf, plan->allocator, 2 * (size_t)MOOT_LIMIT_CONFIG_TREE_BYTES);
    moot__json_write_init(&w, &buf);
    int rc = write_plan(&w, plan);
    if (rc == MOOT_OK)
        rc = moot__json_write_finish(&w);
    if (rc == MOOT_OK) {
        struct moot_view text = moot__buf_view(&buf);
        write_hex(hash(text, UINT64_C(0xcbf29ce484222325), UINT64_C(0x100000001b3)),
                  plan->fingerprint);
        write_hex(hash(text, UINT64_C(0x9ae16a3b2f90404f), UINT64_C(0xff51afd7ed558ccd)),
                  plan->fingerprint + 16);
        plan->fingerprint[32] = '\0';
    }
    moot__buf_deinit(&buf);
    return rc;
}
