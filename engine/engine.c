/* Making and ending an engine. An engine closes in order: conversations (each gets its on_done),
 * then connections, then whatever the loop still holds; on_closed is the last thing. */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "budget.h"
#include "conversation.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "trace_file.h"

/* ---- Slots ---- */

bool moot__engine_take_slot(struct moot_engine *engine, struct moot_list *node)
{
    if (!engine->concurrency || engine->talking < engine->concurrency) {
        engine->talking++;
        return true;
    }
    moot__list_push_back(&engine->slot_queue, node);
    return false;
}

void moot__engine_free_slot(struct moot_engine *engine)
{
    assert(engine->talking > 0);
    struct moot_list *next = moot__list_pop_front(&engine->slot_queue);
    if (next)
        moot__conversation_admit(next); /* the slot changes hands */
    else
        engine->talking--;
}

/* ---- Gates ---- */

/* Those end who have waited long enough for a provider that fails. */
static void expire(struct moot_upstream *upstream, uint64_t now_ns)
{
    struct moot_list expired, *node;
    moot__list_init(&expired);
    moot__gate_expire(&upstream->gate, now_ns, &expired);
    while ((node = moot__list_pop_front(&expired)))
        moot__conversation_expire(node);
}

void moot__upstream_pump(struct moot_upstream *upstream)
{
    struct moot_transport *transport = upstream->engine->transport;
    uint64_t now = moot__now_ns(transport);
    if (moot__gate_pump(&upstream->gate, now, &upstream->engine->departures) > 0)
        moot__task_post(transport, &upstream->engine->depart_task);
    if (moot__limiter_is_failing(upstream->gate.limiter))
        expire(upstream, now);
    uint64_t next = moot__gate_next_ns(&upstream->gate);
    if (next == MOOT_NEVER_NS)
        moot__timer_stop(transport, &upstream->timer);
    else if (!moot__timer_is_started(&upstream->timer) || upstream->timer.deadline_ns != next)
        moot__timer_start(transport, &upstream->timer, next);
}

static void on_gate_timer(struct moot_timer *timer)
{
    moot__upstream_pump(moot__container_of(timer, struct moot_upstream, timer));
}

/* ---- Departures ---- */

static void on_depart(struct moot_task *task)
{
    struct moot_engine *engine = moot__container_of(task, struct moot_engine, depart_task);
    struct moot_list leaving, *node;
    if (engine->before_send) {
        if (engine->before_send(engine->before_send_data) != MOOT_OK)
            return;
        moot__refresh_now(engine->transport);
    }
    moot__list_init(&leaving); /* who is granted meanwhile goes next time */
    for (int i = 0; i < MOOT_LIMIT_DEPARTURES_PER_TURN; i++) {
        if (!(node = moot__list_pop_front(&engine->departures)))
            break;
        moot__list_push_back(&leaving, node);
    }
    if (!moot__list_is_empty(&engine->departures))
        moot__task_post(engine->transport, &engine->depart_task);
    while ((node = moot__list_pop_front(&leaving)))
        moot__conversation_depart(node);
}

void moot__engine_before_send(struct moot_engine *engine, int (*before_send)(void *data),
                              void *data)
{
    assert(moot__list_is_empty(&engine->conversations));
    engine->before_send = before_send;
    engine->before_send_data = data;
}

void moot__engine_told(struct moot_engine *engine)
{
    if (engine->before_send)
        moot__task_post(engine->transport, &engine->depart_task);
}

/* ---- Upstreams ---- */

static int init_upstream(struct moot_engine *engine, unsigned index)
{
    struct moot_upstream *upstream = &engine->upstreams[index];
    const struct moot_provider *provider = &engine->plan->providers[index];
    upstream->engine = engine;
    upstream->provider = provider;
    upstream->dialect = provider->dialect;
    upstream->timer.on_fire = on_gate_timer;
    moot__gate_init(&upstream->gate, moot__budget_limiter(engine->budget, index));
    engine->upstream_count = index + 1;
    int rc = moot__keeper_init(&upstream->keeper, engine, index, moot__conversation_opened);
    if (rc)
        return rc;
    struct moot_origin_spec spec = {
        .url = provider->url,
        .proxy = provider->proxy,
        .identity = index,
    };
    return moot__pool_origin(&engine->pool, &spec, &upstream->origin);
}

static void deinit_upstream(struct moot_upstream *upstream)
{
    moot__timer_stop(upstream->engine->transport, &upstream->timer);
    moot__gate_deinit(&upstream->gate);
    moot__keeper_deinit(&upstream->keeper);
}

static int init_upstreams(struct moot_engine *engine)
{
    unsigned count = (unsigned)engine->plan->provider_count;
    engine->upstreams = moot__calloc(engine->allocator, count, sizeof *engine->upstreams);
    if (!engine->upstreams)
        return MOOT_ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        int rc = init_upstream(engine, i);
        if (rc)
            return rc;
    }
    return MOOT_OK;
}

/* ---- Making ---- */

static bool needs_tls(const struct moot_plan *plan)
{
    for (size_t i = 0; i < plan->provider_count; i++)
        if (plan->providers[i].url.scheme == MOOT_URL_HTTPS ||
            plan->providers[i].credential.url.scheme == MOOT_URL_HTTPS)
            return true;
    return false;
}

static int init_tls(struct moot_engine *engine, const char *ca_file, struct moot_error_info *info)
{
    if (!needs_tls(engine->plan))
        return MOOT_OK;
    int rc = moot__tls_trust_load(engine->allocator, ca_file, &engine->trust, info);
    if (rc)
        return rc;
    if (info && info->message[0])
        moot__engine_log(engine, MOOT_LOG_WARNING, "%s", info->message);
    return moot__tls_client_new(engine->transport, engine->trust, MOOT_TLS_DEFAULT, &engine->tls);
}

static int init_parts(struct moot_engine *engine, const struct moot_engine_options *options,
                      struct moot_error_info *info)
{
    uint64_t seed;
    moot__random(engine->transport, &seed, sizeof seed);
    moot__rng_init(&engine->rng, seed);
    moot__dns_init(&engine->dns, engine->transport);
    int rc = init_tls(engine, options->ca_file, info);
    if (!rc)
        rc = moot__pool_init(&engine->pool, engine->transport, &engine->dns, engine->tls);
    if (!rc && options->budget)
        engine->budget = moot_budget_ref(options->budget);
    else if (!rc)
        rc = moot_budget_new_with(engine->allocator, engine->plan, NULL, &engine->budget, info);
    if (!rc)
        rc = init_upstreams(engine);
    return rc;
}

/* Everything but the loop. Works on an engine that was only partly made. */
static void deinit_parts(struct moot_engine *engine)
{
    assert(moot__list_is_empty(&engine->departures));
    moot__task_cancel(engine->transport, &engine->depart_task);
    for (unsigned i = 0; i < engine->upstream_count; i++)
        deinit_upstream(&engine->upstreams[i]);
    moot__free(engine->allocator, engine->upstreams);
    moot_budget_unref(engine->budget);
    moot__pool_deinit(&engine->pool);
    moot__tls_client_free(engine->tls);
    moot__tls_trust_unref(engine->trust);
    moot__dns_deinit(&engine->dns);
    moot__arena_deinit(&engine->scratch);
    if (engine->trace)
        moot__trace_detach(engine->trace, engine->ring);
    moot_plan_unref(engine->plan);
}

static void on_closing(struct moot_task *task);

int moot__engine_new_on(struct moot_transport *transport, const struct moot_engine_options *options,
                        struct moot_engine **out, struct moot_error_info *info)
{
    *out = NULL;
    if (options->size != sizeof *options || !options->plan)
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_NONE, "incomplete engine options");
    struct moot_engine *engine = moot__calloc(options->allocator, 1, sizeof *engine);
    if (!engine)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "out of memory");
    engine->allocator = options->allocator;
    engine->transport = transport;
    engine->plan = moot_plan_ref(options->plan);
    engine->concurrency = options->concurrency;
    engine->trace = options->trace;
    engine->ring = options->trace ? moot__trace_attach(options->trace) : NULL;
    engine->log = options->log;
    engine->log_context = options->log_context;
    moot__arena_init(&engine->scratch, options->allocator, MOOT_LIMIT_JSON_TREE_BYTES);
    moot__list_init(&engine->conversations);
    moot__list_init(&engine->slot_queue);
    moot__list_init(&engine->departures);
    moot__task_init(&engine->depart_task, on_depart);
    moot__task_init(&engine->closing_task, on_closing);
    struct moot_error_info local = {0};
    int rc = init_parts(engine, options, &local);
    if (rc) {
        if (!local.message[0])
            moot__fail(&local, rc, MOOT_PHASE_NONE, "%s", moot_error_text(rc));
        if (info)
            *info = local;
        deinit_parts(engine);
        moot__free(options->allocator, engine);
        return rc;
    }
    *out = engine;
    return MOOT_OK;
}

/* ---- Closing ---- */

static void free_engine(void *data)
{
    struct moot_engine *engine = data;
    void (*on_closed)(void *) = engine->on_closed;
    void *on_closed_data = engine->on_closed_data;
    moot__free(engine->allocator, engine);
    on_closed(on_closed_data);
}

static void on_closing(struct moot_task *task)
{
    struct moot_engine *engine = moot__container_of(task, struct moot_engine, closing_task);
    if (!moot__list_is_empty(&engine->conversations))
        return; /* the last one posts us again */
    bool is_idle = true;
    for (unsigned i = 0; i < engine->upstream_count; i++)
        is_idle = moot__keeper_close(&engine->upstreams[i].keeper) && is_idle;
    if (!is_idle)
        return; /* and so does each of them */
    deinit_parts(engine);
    if (engine->loop)
        moot__loop_close(engine->loop, free_engine, engine);
    else
        free_engine(engine);
}

void moot__engine_abandon(struct moot_engine *engine)
{
    deinit_parts(engine);
    moot__free(engine->allocator, engine);
}

void moot__engine_close_here(struct moot_engine *engine)
{
    assert(!engine->closing && engine->on_closed);
    engine->closing = true;
    MOOT_LIST_FOREACH (node, &engine->conversations)
        moot__conversation_shut_down(node);
    moot__task_post(engine->transport, &engine->closing_task);
}

void moot__engine_conversation_ended(struct moot_engine *engine)
{
    moot__transport_let_go(engine->transport);
    if (engine->closing && moot__list_is_empty(&engine->conversations))
        moot__task_post(engine->transport, &engine->closing_task);
}

/* ---- Looking in ---- */

void moot_engine_stats(const struct moot_engine *engine, struct moot_engine_stats *stats)
{
    size_t size = stats->size < sizeof *stats ? stats->size : sizeof *stats;
    struct moot_engine_stats now = engine->stats;
    now.size = size;
    now.connections = engine->pool.connections;
    now.handshakes = engine->pool.handshakes;
    now.resumed = engine->pool.resumed;
    now.spans_dropped = engine->ring ? moot__ring_dropped(engine->ring) : 0;
    memcpy(stats, &now, size);
}

void moot__engine_log(struct moot_engine *engine, enum moot_log_level level, const char *format,
                      ...)
{
    if (!engine->log)
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    engine->log(engine->log_context, level, moot__view(text, len));
}
