#include "turn_spans.h"

#include "attempt.h"
#include "engine.h"

static uint64_t wall(struct moot_engine *engine)
{
    return moot__wall_ns(engine->transport);
}

void moot__turn_record_root(struct moot_turn_record *record, struct moot_engine *engine)
{
    if (engine->ring)
        moot__span_ids_root(&record->root, &engine->rng);
}

void moot__turn_record_begin(struct moot_turn_record *record, struct moot_engine *engine)
{
    record->limiter_wait_ns = record->backoff_wait_ns = 0;
    if (engine->ring)
        record->began_wall_ns = record->assembled_wall_ns = wall(engine);
}

void moot__turn_record_assembled(struct moot_turn_record *record, struct moot_engine *engine,
                                 size_t request_bytes)
{
    record->request_bytes = request_bytes;
    if (engine->ring)
        record->assembled_wall_ns = wall(engine);
}

static void write_assemble(const struct moot_turn_record *record, struct moot_engine *engine,
                           const struct moot_span_ids *ids, const struct moot_turn_end *end)
{
    struct moot_span span MOOT_UNINITIALIZED;
    moot__span_begin(&span, MOOT_SPAN_ASSEMBLE, ids, record->began_wall_ns);
    moot__span_set_view(&span, MOOT_ATTR_ROLE, end->agent->role);
    moot__span_set_u64(&span, MOOT_ATTR_MESSAGES, record->message_count);
    moot__span_set_u64(&span, MOOT_ATTR_REQUEST_BYTES, record->request_bytes);
    moot__span_end(&span, record->assembled_wall_ns);
    moot__ring_write(engine->ring, &span);
}

static void set_usage(struct moot_span *span, const struct moot_tokens *used)
{
    if (used->known & MOOT_TOKENS_PROMPT)
        moot__span_set_u64(span, MOOT_ATTR_INPUT_TOKENS, used->prompt);
    if (used->known & MOOT_TOKENS_COMPLETION)
        moot__span_set_u64(span, MOOT_ATTR_OUTPUT_TOKENS, used->completion);
    if (used->known & MOOT_TOKENS_TOTAL)
        moot__span_set_u64(span, MOOT_ATTR_TOTAL_TOKENS, used->total);
    if (used->known & MOOT_TOKENS_CACHED)
        moot__span_set_u64(span, MOOT_ATTR_CACHED_TOKENS, used->cached);
    if (used->known & MOOT_TOKENS_CACHE_WRITTEN)
        moot__span_set_u64(span, MOOT_ATTR_CACHE_WRITTEN_TOKENS, used->cache_written);
}

static void set_times(struct moot_span *span, const struct moot_attempt *attempt)
{
    const struct moot_call_times *times = &attempt->call.times;
    moot__span_set_bool(span, MOOT_ATTR_CONNECTION_REUSED, times->reused);
    if (!times->reused && times->connected_ns) {
        moot__span_set_u64(span, MOOT_ATTR_RESOLVE_NS, times->resolve_ns);
        moot__span_set_u64(span, MOOT_ATTR_CONNECT_NS, times->connect_ns);
        if (times->tls_ns)
            moot__span_set_u64(span, MOOT_ATTR_TLS_NS, times->tls_ns);
    }
    if (times->first_byte_ns && times->sent_ns)
        moot__span_set_u64(span, MOOT_ATTR_FIRST_BYTE_NS,
                           moot__ns_until(times->sent_ns, times->first_byte_ns));
    if (attempt->first_token_ns && times->sent_ns)
        moot__span_set_u64(span, MOOT_ATTR_FIRST_TOKEN_NS,
                           moot__ns_until(times->sent_ns, attempt->first_token_ns));
}

static void set_attempts(struct moot_span *span, const struct moot_turn_record *record,
                         const struct moot_turn_end *end)
{
    moot__span_set_u64(span, MOOT_ATTR_ATTEMPTS, end->attempts);
    moot__span_set_u64(span, MOOT_ATTR_RETRIES, end->attempts ? end->attempts - 1 : 0);
    moot__span_set_u64(span, MOOT_ATTR_LIMITER_WAIT_NS, record->limiter_wait_ns);
    moot__span_set_u64(span, MOOT_ATTR_BACKOFF_WAIT_NS, record->backoff_wait_ns);
}

static void write_response(const struct moot_turn_record *record, struct moot_engine *engine,
                           const struct moot_span_ids *ids, const struct moot_turn_end *end)
{
    const struct moot_attempt *attempt = end->attempt;
    const struct moot_reply *reply = attempt->reply;
    struct moot_span span MOOT_UNINITIALIZED;
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, ids, record->assembled_wall_ns);
    moot__span_set_view(&span, MOOT_ATTR_ROLE, end->agent->role);
    moot__span_set_view(&span, MOOT_ATTR_PROVIDER, end->provider);
    moot__span_set_view(&span, MOOT_ATTR_REQUEST_MODEL, end->agent->endpoint);
    moot__span_set_bool(&span, MOOT_ATTR_STREAM, end->stream);
    moot__span_set_view(&span, MOOT_ATTR_RESPONSE_ID, reply->id);
    moot__span_set_view(&span, MOOT_ATTR_RESPONSE_MODEL, reply->model);
    moot__span_set_str(&span, MOOT_ATTR_FINISH_REASON, reply->finish_raw);
    set_usage(&span, &reply->usage);
    set_attempts(&span, record, end);
    if (attempt->call.status)
        moot__span_set_u64(&span, MOOT_ATTR_HTTP_STATUS, (uint64_t)attempt->call.status);
    set_times(&span, attempt);
    if (attempt->error.code)
        moot__span_fail(&span, &attempt->error);
    moot__span_end(&span, wall(engine));
    moot__ring_write(engine->ring, &span);
}

void moot__turn_record_end(struct moot_turn_record *record, struct moot_engine *engine,
                           const struct moot_turn_end *end)
{
    if (!engine->ring)
        return;
    struct moot_span_ids agent, child;
    moot__span_ids_child(&agent, &record->root, &engine->rng);
    moot__span_ids_child(&child, &agent, &engine->rng);
    write_assemble(record, engine, &child, end);
    moot__span_ids_child(&child, &agent, &engine->rng);
    write_response(record, engine, &child, end);
    struct moot_span span MOOT_UNINITIALIZED;
    moot__span_begin(&span, MOOT_SPAN_AGENT_CALL, &agent, record->began_wall_ns);
    moot__span_set_view(&span, MOOT_ATTR_ROLE, end->agent->role);
    moot__span_set_view(&span, MOOT_ATTR_REQUEST_MODEL, end->agent->endpoint);
    if (end->attempt->error.code)
        moot__span_fail(&span, &end->attempt->error);
    moot__span_end(&span, wall(engine));
    moot__ring_write(engine->ring, &span);
}

void moot__conversation_span(struct moot_turn_record *record, struct moot_engine *engine,
                             const struct moot_outcome *outcome, struct moot_view params)
{
    if (!engine->ring)
        return;
    struct moot_span span MOOT_UNINITIALIZED;
    moot__span_begin(&span, MOOT_SPAN_CONVERSATION, &record->root, outcome->began_wall_ns);
    moot__span_set_view(&span, MOOT_ATTR_ROW_ID, record->row);
    moot__span_set_view(&span, MOOT_ATTR_REQUEST_MODEL, outcome->model);
    moot__span_set_view(&span, MOOT_ATTR_CALLER_PARAMS, params);
    if (outcome->cost > 0)
        moot__span_set_f64(&span, MOOT_ATTR_COST, outcome->cost);
    if (outcome->possible_duplicate)
        moot__span_set_bool(&span, MOOT_ATTR_POSSIBLE_DUPLICATE, true);
    if (outcome->error.code)
        moot__span_fail(&span, &outcome->error);
    moot__span_end(&span, outcome->ended_wall_ns);
    moot__ring_write(engine->ring, &span);
}
