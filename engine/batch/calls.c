#include "calls.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"

int moot__call_write(const struct moot_row *row, unsigned step,
                     const struct moot_agent_reply *reply, struct moot_buf *out)
{
    struct moot_json_writer w;
    size_t before = out->len;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    moot__json_write_member_string(&w, "id", row->id);
    moot__json_write_member_u64(&w, "step", step);
    moot__json_write_member_string(&w, "role", reply->role);
    moot__json_write_member_string(&w, "endpoint", reply->endpoint);
    moot__json_write_member_string(&w, "provider", reply->provider);
    moot__json_write_member_string(&w, "model", reply->model);
    moot__json_write_member_string(&w, "text", reply->text);
    moot__json_write_member_string(&w, "finish_reason", reply->finish_reason);
    moot__json_write_member_u64(&w, "attempts", reply->attempts);
    if (reply->fallbacks)
        moot__json_write_member_u64(&w, "fallbacks", reply->fallbacks);
    moot__json_write_member_bool(&w, "possible_duplicate", reply->possible_duplicate);
    if (reply->usage.known) {
        moot__json_write_member_object_begin(&w, "usage");
        moot__json_write_member_u64(&w, "input_tokens", reply->usage.input_tokens);
        moot__json_write_member_u64(&w, "output_tokens", reply->usage.output_tokens);
        moot__json_write_member_u64(&w, "total_tokens", reply->usage.total_tokens);
        moot__json_write_member_u64(&w, "reasoning_tokens", reply->usage.reasoning_tokens);
        moot__json_write_member_u64(&w, "cached_tokens", reply->usage.cached_tokens);
        moot__json_write_member_u64(&w, "cache_written_tokens", reply->usage.cache_written_tokens);
        moot__json_write_object_end(&w);
    }
    moot__json_write_object_end(&w);
    int rc = moot__json_write_finish(&w);
    if (rc == MOOT_OK)
        rc = moot__buf_append_byte(out, '\n');
    if (rc != MOOT_OK)
        moot__buf_truncate(out, before);
    return rc;
}

void moot__known_calls_init(struct moot_known_calls *known, const struct moot_allocator *allocator)
{
    *known = (struct moot_known_calls){.rows = {.allocator = allocator}};
    moot__arena_init(&known->arena, allocator, SIZE_MAX / 2);
}

void moot__known_calls_deinit(struct moot_known_calls *known)
{
    moot__free(known->rows.allocator, known->calls);
    known->calls = NULL;
    known->count = known->cap = 0;
    moot__id_set_deinit(&known->rows);
    moot__arena_deinit(&known->arena);
}

static void read_usage(const struct moot_json *from, struct moot_usage *usage)
{
    usage->known = moot__json_u64(moot__json_get(from, "input_tokens"), &usage->input_tokens) &&
                   moot__json_u64(moot__json_get(from, "output_tokens"), &usage->output_tokens);
    moot__json_u64(moot__json_get(from, "total_tokens"), &usage->total_tokens);
    moot__json_u64(moot__json_get(from, "reasoning_tokens"), &usage->reasoning_tokens);
    moot__json_u64(moot__json_get(from, "cached_tokens"), &usage->cached_tokens);
    moot__json_u64(moot__json_get(from, "cache_written_tokens"), &usage->cache_written_tokens);
}

static int copy_texts(struct moot_arena *arena, const struct moot_json *line,
                      struct moot_agent_reply *reply)
{
    const struct {
        const char *key;
        struct moot_view *to;
    } texts[] = {
        {"role", &reply->role},
        {"endpoint", &reply->endpoint},
        {"model", &reply->model},
        {"text", &reply->text},
        {"finish_reason", &reply->finish_reason},
        {"provider", &reply->provider},
    };
    for (size_t i = 0; i < moot__countof(texts); i++)
        if (!moot__arena_copy(arena, moot__json_text(line, texts[i].key), texts[i].to))
            return MOOT_ENOMEM;
    return MOOT_OK;
}

static int grow(struct moot_known_calls *known)
{
    if (known->count < known->cap)
        return MOOT_OK;
    size_t cap = known->cap ? known->cap * 2 : 64;
    if (cap > UINT32_MAX)
        return MOOT_ELIMIT;
    struct moot_known_call *calls =
        moot__realloc(known->rows.allocator, known->calls, cap * sizeof *calls);
    if (!calls)
        return MOOT_ENOMEM;
    known->calls = calls;
    known->cap = cap;
    return MOOT_OK;
}

bool moot__known_calls_add(struct moot_known_calls *known, const struct moot_json *line, int *rc)
{
    struct moot_view id = moot__json_text(line, "id");
    uint64_t step = 0, attempts = 0;
    if (id.len == 0 || !moot__json_u64(moot__json_get(line, "step"), &step) ||
        step >= MOOT_LIMIT_FLOW_STEPS || !moot__json_is_string(moot__json_get(line, "text")))
        return false;
    *rc = grow(known);
    if (*rc != MOOT_OK)
        return true;
    struct moot_known_call *call = &known->calls[known->count];
    *call = (struct moot_known_call){.step = (unsigned)step};
    *rc = copy_texts(&known->arena, line, &call->reply);
    if (*rc == MOOT_OK)
        *rc = moot__id_set_add(&known->rows, moot__row_key(id), 0);
    if (*rc != MOOT_OK)
        return true;
    moot__json_u64(moot__json_get(line, "attempts"), &attempts);
    call->reply.attempts = (unsigned)attempts;
    uint64_t fallbacks = 0;
    moot__json_u64(moot__json_get(line, "fallbacks"), &fallbacks);
    call->reply.fallbacks = (unsigned)fallbacks;
    moot__json_bool(moot__json_get(line, "possible_duplicate"), &call->reply.possible_duplicate);
    read_usage(moot__json_get(line, "usage"), &call->reply.usage);
    uint32_t *last = moot__id_set_find(&known->rows, moot__row_key(id));
    call->next = *last;
    *last = (uint32_t)++known->count;
    return true;
}

int moot__known_calls_give(struct moot_known_calls *known, struct moot_row *row)
{
    const uint32_t *last = moot__id_set_find(&known->rows, row->key);
    if (!last)
        return MOOT_OK;
    const struct moot_known_call *steps[MOOT_LIMIT_FLOW_STEPS] = {NULL};
    size_t count = 0;
    /* Newest first: whoever answered a step heard the newest answers to the steps before it. Where
     * a power cut has taken one of those, what was said to it counts no more. */
    unsigned before = MOOT_LIMIT_FLOW_STEPS;
    for (uint32_t at = *last; at != 0; at = known->calls[at - 1].next) {
        const struct moot_known_call *call = &known->calls[at - 1];
        if (call->step >= before)
            continue;
        before = call->step;
        steps[before] = call;
    }
    while (count < moot__countof(steps) && steps[count])
        count++;
    if (count == 0)
        return MOOT_OK;
    struct moot_agent_reply *replies = moot__arena_calloc(&row->arena, count, sizeof *replies);
    if (!replies)
        return MOOT_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct moot_agent_reply *from = &steps[i]->reply;
        replies[i] = *from;
        if (!moot__arena_copy(&row->arena, from->role, &replies[i].role) ||
            !moot__arena_copy(&row->arena, from->endpoint, &replies[i].endpoint) ||
            !moot__arena_copy(&row->arena, from->provider, &replies[i].provider) ||
            !moot__arena_copy(&row->arena, from->model, &replies[i].model) ||
            !moot__arena_copy(&row->arena, from->text, &replies[i].text) ||
            !moot__arena_copy(&row->arena, from->finish_reason, &replies[i].finish_reason))
            return MOOT_ENOMEM;
    }
    row->replies = replies;
    row->reply_count = count;
    return MOOT_OK;
}
