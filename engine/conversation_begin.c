/* What a caller gives is checked and copied here, before anything is under way. */
#include <string.h>

#include "conversation_internal.h"
#include "engine/base/check.h"
#include "engine/base/json_read.h"
#include "engine/base/utf8.h"

#define OUTAGE_LIMIT_NS (60 * MOOT_NS_PER_S)

/* ---- Beginning ---- */

static int keep_view(struct moot_conversation *c, struct moot_view text, struct moot_view *out)
{
    return moot__arena_copy(&c->arena, text, out) ? MOOT_OK : MOOT_ENOMEM;
}

static int copy_messages(struct moot_conversation *c,
                         const struct moot_conversation_options *options)
{
    if (options->message_count > MOOT_LIMIT_MESSAGES)
        return MOOT_ELIMIT;
    struct moot_turn *turns =
        moot__arena_calloc(&c->arena, options->message_count + 1, sizeof *turns);
    if (!turns)
        return MOOT_ENOMEM;
    size_t bytes = 0;
    for (size_t i = 0; i < options->message_count; i++) {
        const struct moot_message *message = &options->messages[i];
        if (message->content.len > MOOT_LIMIT_CALL_REQUEST_BYTES - bytes)
            return MOOT_ELIMIT;
        bytes += message->content.len;
        if (!moot__utf8_valid(message->content) || !moot__utf8_valid(message->role))
            return MOOT_EUTF8;
        turns[i].role = message->role;
        turns[i].content = message->content;
    }
    struct moot_error_info info;
    int rc = moot__transcript_begin(&c->transcript, &c->arena,
                                    (struct moot_turns){turns, options->message_count}, &info);
    return rc == MOOT_EINPUT ? MOOT_EINVAL : rc;
}

static int copy_params(struct moot_conversation *c, struct moot_view params)
{
    if (params.len == 0)
        return MOOT_OK;
    const struct moot_json *object;
    int rc = keep_view(c, params, &c->params_text);
    if (!rc)
        rc = moot__json_read(&c->arena, c->params_text, NULL, &object, NULL);
    if (rc)
        return rc;
    rc = moot__params_read(object, &c->arena, &c->params);
    return rc == MOOT_EINPUT ? MOOT_EJSON : rc;
}

/* The reply says which endpoint of the role's; one that says nothing is of the first. */
static const struct moot_agent *find_endpoint(const struct moot_conversation *c, unsigned agent,
                                              const struct moot_agent_reply *reply)
{
    const struct moot_plan *plan = c->engine->plan;
    const struct moot_agent *first = &plan->agents.items[agent];
    for (const struct moot_agent *one = first; one; one = one->fallback)
        if (moot__view_eq(one->endpoint, reply->endpoint) &&
            moot__view_eq(plan->providers[one->provider].name, reply->provider))
            return one;
    return first;
}

static int copy_replies(struct moot_conversation *c,
                        const struct moot_conversation_options *options)
{
    size_t steps = c->engine->plan->flow.count;
    if (options->reply_count > steps)
        return MOOT_EINVAL;
    c->replies = moot__arena_calloc(&c->arena, steps, sizeof *c->replies);
    if (!c->replies)
        return MOOT_ENOMEM;
    for (size_t i = 0; i < options->reply_count; i++) {
        struct moot_agent_reply *kept = &c->replies[i];
        unsigned agent;
        bool there = moot__flow_next(&c->engine->plan->flow, i, &agent);
        assert(there);
        moot__ignore(there);
        *kept = options->replies[i];
        const struct moot_agent *who = find_endpoint(c, agent, kept);
        kept->role = who->role;
        kept->endpoint = who->endpoint;
        kept->provider = c->engine->plan->providers[who->provider].name;
        int rc = moot__transcript_add(&c->transcript, options->replies[i].text);
        if (!rc)
            rc = keep_view(c, options->replies[i].model, &kept->model);
        if (!rc)
            rc = keep_view(c, options->replies[i].finish_reason, &kept->finish_reason);
        if (rc)
            return rc;
        kept->text = c->transcript.replies[i];
        moot__conversation_add_known(c, kept, who);
    }
    return MOOT_OK;
}

static struct moot_conversation *new_conversation(struct moot_engine *engine,
                                                  const struct moot_conversation_options *options)
{
    struct moot_conversation *c = moot__calloc(engine->allocator, 1, sizeof *c);
    if (!c)
        return NULL;
    c->engine = engine;
    moot__list_init(&c->node);
    moot__list_init(&c->slot_node);
    moot__list_init(&c->credential_node);
    moot__conversation_init_machine(c);
    moot__gate_waiter_init(&c->waiter);
    moot__arena_init(&c->arena, engine->allocator, MOOT_LIMIT_CONVERSATION_BYTES);
    moot__buf_init(&c->target, engine->allocator, MOOT_LIMIT_HTTP_URL_BYTES);
    moot__buf_init(&c->body, engine->allocator, MOOT_LIMIT_CALL_REQUEST_BYTES);
    moot__reply_init(&c->reply, &c->arena, &engine->scratch);
    c->stream = options->stream;
    c->events = options->events ? options->events : ~0u;
    c->work_limit_ns = options->work_limit_ns;
    c->outage_limit_ns = options->outage_limit_ns ? options->outage_limit_ns : OUTAGE_LIMIT_NS;
    c->on_event = options->on_event;
    c->on_done = options->on_done;
    c->data = options->data;
    c->outcome.began_wall_ns = moot__wall_ns(engine->transport);
    moot__turn_record_root(&c->record, engine);
    return c;
}

int moot_conversation_begin(struct moot_engine *engine,
                            const struct moot_conversation_options *options,
                            struct moot_conversation **out)
{
    *out = NULL;
    if (options->size != sizeof *options || !options->on_done || !options->message_count)
        return MOOT_EINVAL;
    if (engine->closing || atomic_load(&engine->sealed))
        return MOOT_EBUSY;
    uint64_t open = engine->stats.conversations_begun - engine->stats.conversations_done;
    if (open >= MOOT_LIMIT_CONVERSATIONS)
        return MOOT_EBUSY;
    struct moot_conversation *c = new_conversation(engine, options);
    if (!c)
        return MOOT_ENOMEM;
    int rc = copy_messages(c, options);
    if (!rc)
        rc = copy_params(c, options->params);
    if (!rc)
        rc = copy_replies(c, options);
    if (!rc)
        rc = keep_view(c, options->name, &c->record.row);
    if (rc) {
        moot__conversation_free(c);
        return rc;
    }
    engine->stats.conversations_begun++;
    moot__transport_hold(engine->transport);
    moot__list_push_back(&engine->conversations, &c->node);
    moot__conversation_wake(c);
    *out = c;
    return MOOT_OK;
}
