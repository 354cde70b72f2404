/* One role's turn: from the messages to the request's bytes, and from the answer to what is kept.
 */
#include "conversation_internal.h"
#include "engine/base/err.h"
#include "engine/base/json_write.h"

/* Begun small, the buffer would be moved three times. */
enum { USUAL_BODY_BYTES = 2000 };

static int encode(struct moot_conversation *c, const struct moot_turns *turns,
                  struct moot_error_info *why)
{
    const struct moot_plan *plan = c->engine->plan;
    struct moot_request request = {
        .agent = c->agent,
        .turns = *turns,
        .overriding = moot__params_for_step(plan->caller_params, c->params,
                                            moot__conversation_at(c), plan->flow.count),
        .version = c->upstream->provider->version,
        .stream = c->stream,
    };
    const struct moot_dialect *dialect = c->upstream->dialect;
    moot__buf_reset(&c->target);
    moot__buf_reset(&c->body);
    int rc = moot__buf_reserve(&c->body, USUAL_BODY_BYTES);
    if (!rc)
        rc = dialect->write_target(&request, c->upstream->provider->url.path, &c->target);
    if (rc)
        return rc;
    struct moot_json_writer writer;
    moot__json_write_init(&writer, &c->body);
    rc = dialect->write_body(&request, &c->arena, &writer, why);
    if (rc)
        return rc;
    struct moot_params merged;
    rc = moot__params_merge(c->agent->params, request.overriding, &c->arena, &merged);
    if (rc)
        return rc;
    c->waiter.input_tokens = moot__estimate_turns(*turns);
    c->waiter.output_tokens = moot__params_max_tokens(merged);
    c->record.message_count = turns->count;
    return moot__json_write_finish(&writer);
}

/* Whoever has a fallback waits for no outage: the gate lets pass those who find out whether it is
 * over, and sends the others on. */
enum { PATIENCE_WITH_FALLBACK_NS = 1 };

/* c->agent is whom to ask. */
static int prepare(struct moot_conversation *c, struct moot_error_info *why)
{
    const struct moot_plan *plan = c->engine->plan;
    c->upstream = &c->engine->upstreams[c->agent->provider];
    c->failures = c->throttles = c->excuses = 0;
    c->attempts_elsewhere = c->attempts;
    c->refreshed = false;
    c->shown = 0;
    moot__reply_reset(&c->reply);
    moot__gate_waiter_init(&c->waiter);
    c->waiter.patience_ns = c->agent->fallback ? PATIENCE_WITH_FALLBACK_NS : c->outage_limit_ns;
    c->waiter.began_ns = moot__conversation_now(c);
    c->waiter.rank = moot__conversation_at(c) ? MOOT_RANK_UNDER_WAY : MOOT_RANK_NEW;
    moot__turn_record_begin(&c->record, c->engine);
    const struct moot_prompt_config prompt = {
        .user_response_instruction = plan->user_response_instruction,
        .history = plan->history_first_only ? MOOT_HISTORY_FIRST : MOOT_HISTORY_ALL,
    };
    struct moot_turns turns;
    moot__error_clear(why);
    int rc = moot__prompt_assemble(&prompt, c->agent, &c->transcript, &c->arena, &turns);
    if (!rc)
        rc = encode(c, &turns, why);
    moot__turn_record_assembled(&c->record, c->engine, c->body.len);
    if (rc && why->code != rc)
        moot__ignore(moot__fail(why, rc, MOOT_PHASE_PREPARE, "%s", moot_error_text(rc)));
    return rc;
}

int moot__conversation_prepare_turn(struct moot_conversation *c, unsigned agent,
                                    struct moot_error_info *why)
{
    c->agent = &c->engine->plan->agents.items[agent];
    c->attempts = c->fallbacks = 0;
    c->used = (struct moot_usage){0};
    c->possible_duplicate = c->has_shown = false;
    return prepare(c, why);
}

int moot__conversation_fall_back(struct moot_conversation *c, struct moot_error_info *why)
{
    if (c->attempts > c->attempts_elsewhere)
        moot__conversation_end_turn(c);
    c->agent = c->agent->fallback;
    c->fallbacks++;
    c->outcome.fallbacks++;
    int rc = prepare(c, why);
    c->waiter.rank = MOOT_RANK_UNDER_WAY;
    return rc;
}

/* ---- What it cost ---- */

static void add_usage(struct moot_usage *sum, const struct moot_usage *usage)
{
    sum->input_tokens += usage->input_tokens;
    sum->output_tokens += usage->output_tokens;
    sum->total_tokens += usage->total_tokens;
    sum->reasoning_tokens += usage->reasoning_tokens;
    sum->cached_tokens += usage->cached_tokens;
    sum->cache_written_tokens += usage->cache_written_tokens;
    sum->known = sum->known || usage->known;
}

static double cost_of(const struct moot_conversation *c, const struct moot_agent *agent,
                      const struct moot_usage *usage)
{
    const struct moot_provider *provider = &c->engine->plan->providers[agent->provider];
    const struct moot_price *price = moot__provider_price(provider, agent->endpoint);
    return price ? moot__price_of(price, usage) : 0;
}

static void add_to_outcome(struct moot_conversation *c, const struct moot_agent *agent,
                           const struct moot_usage *usage)
{
    add_usage(&c->outcome.usage, usage);
    c->outcome.cost += cost_of(c, agent, usage);
}

/* Of an attempt that has ended, well or not: what it said of itself was billed. */
static void count_usage(struct moot_conversation *c)
{
    const struct moot_tokens *said = &c->reply.usage;
    if (!said->known)
        return;
    const struct moot_usage usage = {
        .input_tokens = said->prompt,
        .output_tokens = said->completion,
        .total_tokens = said->total,
        .reasoning_tokens = said->reasoning,
        .cached_tokens = said->cached,
        .cache_written_tokens = said->cache_written,
        .known = true,
    };
    add_usage(&c->used, &usage);
    add_to_outcome(c, c->agent, &usage);
    c->engine->stats.input_tokens += usage.input_tokens;
    c->engine->stats.output_tokens += usage.output_tokens;
}

void moot__conversation_add_known(struct moot_conversation *c, const struct moot_agent_reply *reply,
                                  const struct moot_agent *agent)
{
    add_to_outcome(c, agent, &reply->usage);
    c->outcome.fallbacks += reply->fallbacks;
    c->outcome.possible_duplicate = c->outcome.possible_duplicate || reply->possible_duplicate;
    c->outcome.calls += reply->attempts;
    c->outcome.retries += reply->attempts > 1 ? reply->attempts - 1 : 0;
}

/* What the provider said, or nearly: an answer that was billed without numbers is settled with what
 * was reserved for it. */
void moot__conversation_settle(struct moot_conversation *c)
{
    if (!c->waiter.grant.is_held)
        return;
    count_usage(c);
    struct moot_limiter *limiter = c->upstream->gate.limiter;
    const struct moot_tokens *used = &c->reply.usage;
    uint64_t input = used->prompt, output = used->completion;
    if (c->attempt.error.code == MOOT_OK || c->attempt.reach == MOOT_REACH_SENT) {
        if (!(used->known & MOOT_TOKENS_PROMPT))
            input = c->waiter.input_tokens;
        if (!(used->known & MOOT_TOKENS_COMPLETION))
            output = moot__estimate_tokens(c->reply.text.len);
    }
    if (c->upstream->dialect->counting.cached_free)
        input -= used->cached < input ? used->cached : input;
    moot__limiter_on_rates(limiter, &c->attempt.rates, moot__conversation_now(c));
    if (c->attempt.reach == MOOT_REACH_NOT_SENT)
        moot__limiter_cancel(limiter, &c->waiter.grant);
    else
        moot__limiter_settle(limiter, &c->waiter.grant, input, output);
}

static int keep_view(struct moot_conversation *c, struct moot_view text, struct moot_view *out)
{
    return moot__arena_copy(&c->arena, text, out) ? MOOT_OK : MOOT_ENOMEM;
}

/* All or nothing: a reply is in the transcript, and so counts, once everything of it is kept. */
int moot__conversation_keep_reply(struct moot_conversation *c)
{
    struct moot_agent_reply *kept = &c->replies[moot__conversation_at(c)];
    *kept = (struct moot_agent_reply){
        .role = c->agent->role,
        .endpoint = c->agent->endpoint,
        .provider = c->upstream->provider->name,
        .attempts = c->attempts,
        .fallbacks = c->fallbacks,
        .possible_duplicate = c->possible_duplicate,
        .usage = c->used,
    };
    int rc = keep_view(c, c->reply.model, &kept->model);
    if (!rc)
        rc = keep_view(c, moot__view_str(c->reply.finish_raw), &kept->finish_reason);
    if (!rc)
        rc = moot__transcript_add(&c->transcript, moot__buf_view(&c->reply.text));
    if (!rc)
        kept->text = c->transcript.replies[c->transcript.reply_count - 1];
    return rc;
}

void moot__conversation_end_turn(struct moot_conversation *c)
{
    struct moot_turn_end end = {
        .agent = c->agent,
        .provider = moot__view_str(c->upstream->dialect->type),
        .attempt = &c->attempt,
        .attempts = c->attempts - c->attempts_elsewhere,
        .stream = c->stream,
    };
    moot__turn_record_end(&c->record, c->engine, &end);
}

void moot__conversation_fill_outcome(struct moot_conversation *c)
{
    struct moot_outcome *outcome = &c->outcome;
    outcome->replies = c->replies;
    outcome->reply_count = moot__conversation_at(c);
    outcome->ended_wall_ns = moot__wall_ns(c->engine->transport);
    /* Of a turn that did not end: cancelled, say, after an attempt that may have been billed. */
    outcome->possible_duplicate = outcome->possible_duplicate || c->possible_duplicate;
    if (outcome->error.code != MOOT_OK) {
        outcome->text = moot__buf_view(&c->reply.text); /* partial */
        outcome->model = c->agent ? c->agent->endpoint : (struct moot_view){NULL, 0};
        return;
    }
    const struct moot_agent_reply *last = &c->replies[moot__conversation_at(c) - 1];
    outcome->text = last->text;
    outcome->model = last->endpoint;
    outcome->finish_reason = last->finish_reason;
}
