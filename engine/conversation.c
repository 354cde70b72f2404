/* One conversation: every role of the flow speaks in turn.
 *
 *              ┌────────────────────────── next role ──────────────────────────┐
 *              ▼                                                               │
 *   slot ──► pick ──► credential ◄──► quota ──► call ──► (answered) ───────────┘
 *    │        │        │    ▲          │         │
 *    │        │        │    └─ backoff ◄── (failed, again)
 *    └────────┴────────┴──────────┴────┴─────────┴────► closing ──► done
 *
 * An endpoint that cannot answer hands over to the next one of its role: from quota (it fails for
 * everybody) or call to credential again, until a token was shown.
 *
 * slot     waits for one of the engine's places; the one that leaves wakes us
 * pick     asks the flow who speaks, assembles the messages and encodes the request; never waits,
 *          and goes to closing when nobody is left to speak
 * credential  waits until the upstream's keeper has one that is good, or has given up; before quota
 *          is taken, and again when it ended while we waited for quota
 * quota    waits at the provider's gate; the gate gives a grant, which we hold from then on, and
 * the engine wakes us to depart with all others that got one in this turn call     one attempt is
 * under way; its on_done wakes us, and the grant is settled; an answer that ended while the user
 * had paused waits here to be shown backoff  waits for the retry timer closing  waits until the
 * attempt, if one is under way, has ended done     the user's on_done runs, and we are gone
 *
 * Callbacks store and post the step; conv_step is the only driver and conv_move the only writer of
 * the state. Cancel, deadline and shutdown are all conv_end: the first reason is kept. */
#include "conversation_internal.h"
#include "engine/base/check.h"
#include "engine/base/err.h"

enum { SLOT, PICK, CREDENTIAL, QUOTA, CALL, BACKOFF, CLOSING, DONE, STATES };

static const struct moot_sm_state conversation_states[STATES] = {
    [SLOT] = {"slot", MOOT_SM_TO(PICK) | MOOT_SM_TO(CLOSING)},
    [PICK] = {"pick", MOOT_SM_TO(CREDENTIAL) | MOOT_SM_TO(CLOSING)},
    [CREDENTIAL] = {"credential", MOOT_SM_TO(QUOTA) | MOOT_SM_TO(CLOSING)},
    [QUOTA] = {"quota", MOOT_SM_TO(CALL) | MOOT_SM_TO(CREDENTIAL) | MOOT_SM_TO(CLOSING)},
    [CALL] = {"call", MOOT_SM_TO(PICK) | MOOT_SM_TO(CREDENTIAL) | MOOT_SM_TO(BACKOFF) |
                          MOOT_SM_TO(CLOSING)},
    [BACKOFF] = {"backoff", MOOT_SM_TO(CREDENTIAL) | MOOT_SM_TO(CLOSING)},
    [CLOSING] = {"closing", MOOT_SM_TO(DONE)},
    [DONE] = {"done", 0},
};

static void conv_step(struct moot_conversation *c);

/* ---- Moving ---- */

static bool conv_move(struct moot_conversation *c, unsigned next)
{
    moot__sm_move(&c->sm, next);
    c->entered = false;
    c->state_since_ns = moot__conversation_now(c);
    return true;
}

void moot__conversation_wake(struct moot_conversation *c)
{
    moot__task_post(c->engine->transport, &c->step_task);
}

/* The state that is about to be left was a wait: it counts as one, however it ended. Waiting out a
 * failure of its own is work. */
static uint64_t conv_waited(struct moot_conversation *c)
{
    uint64_t span_ns = moot__conversation_now(c) - c->state_since_ns;
    bool is_held_up = c->sm.current == BACKOFF && (c->is_throttled || c->is_excused);
    if (c->sm.current == SLOT || c->sm.current == CREDENTIAL || c->sm.current == QUOTA ||
        is_held_up)
        c->outcome.waited_ns += span_ns;
    else if (c->sm.current == BACKOFF)
        c->worked_ns += span_ns;
    return span_ns;
}

/* Let go of whatever the state waits for. */
static void conv_release(struct moot_conversation *c)
{
    moot__list_remove(&c->slot_node);
    moot__list_remove(&c->credential_node);
    moot__timer_stop(c->engine->transport, &c->timer);
    if (c->attempt_under_way)
        moot__attempt_cancel(&c->attempt);
    else if (c->upstream) {
        moot__gate_leave(&c->upstream->gate, &c->waiter);
        moot__limiter_cancel(c->upstream->gate.limiter, &c->waiter.grant);
        moot__upstream_pump(c->upstream);
    }
}

static bool conv_end(struct moot_conversation *c, const struct moot_error_info *error)
{
    if (c->sm.current == CLOSING || c->sm.current == DONE)
        return true;
    c->outcome.error = *error;
    conv_waited(c);
    conv_move(c, CLOSING);
    conv_release(c);
    moot__conversation_wake(c);
    return true;
}

static bool conv_fail(struct moot_conversation *c, int code, enum moot_phase phase)
{
    struct moot_error_info error;
    moot__fail(&error, code, phase, "%s", moot_error_text(code));
    return conv_end(c, &error);
}

/* ---- Slot ---- */

static bool do_slot(struct moot_conversation *c)
{
    if (!c->entered) {
        c->entered = true;
        c->has_slot = moot__engine_take_slot(c->engine, &c->slot_node);
        if (!c->has_slot)
            moot__conversation_tell_waiting(c, MOOT_WAIT_SLOT, 0);
    }
    if (!c->has_slot || c->sm.current != SLOT)
        return false;
    conv_waited(c);
    return conv_move(c, PICK);
}

void moot__conversation_admit(struct moot_list *node)
{
    struct moot_conversation *c = moot__list_entry(node, struct moot_conversation, slot_node);
    c->has_slot = true;
    moot__conversation_wake(c);
}

/* ---- Pick ---- */

static bool do_pick(struct moot_conversation *c)
{
    unsigned agent;
    if (!moot__flow_next(&c->engine->plan->flow, moot__conversation_at(c), &agent)) {
        static const struct moot_error_info no_error = {.code = MOOT_OK};
        return conv_end(c, &no_error);
    }
    struct moot_error_info why;
    if (moot__conversation_prepare_turn(c, agent, &why))
        return conv_end(c, &why);
    conv_move(c, CREDENTIAL);
    struct moot_event event = {.type = MOOT_EVENT_AGENT_BEGAN};
    moot__conversation_tell(c, &event);
    return true;
}

/* ---- Credential ---- */

/* What the provider said of the last one tells more than that the same one came again. */
static bool conv_fail_locked_out(struct moot_conversation *c)
{
    const struct moot_keeper *keeper = &c->upstream->keeper;
    bool was_refused = keeper->is_same && c->refreshed && c->attempt.error.code == MOOT_EAUTH;
    return conv_end(c, was_refused ? &c->attempt.error : &keeper->error);
}

/* As with a provider that fails for everybody. */
static bool is_patient(const struct moot_conversation *c)
{
    return c->upstream->keeper.error.retriable &&
           moot__conversation_now(c) - c->state_since_ns < c->outage_limit_ns;
}

static bool do_credential(struct moot_conversation *c)
{
    struct moot_keeper *keeper = &c->upstream->keeper;
    bool has_waited = c->entered;
    if (has_waited && moot__list_is_linked(&c->credential_node))
        return false;
    bool has_failed = has_waited && keeper->failures != c->credential_failures;
    if (has_failed && !is_patient(c))
        return conv_fail_locked_out(c);
    c->entered = true;
    c->credential_failures = keeper->failures;
    switch (moot__keeper_ask(keeper)) {
    case MOOT_KEEPER_READY:
        conv_waited(c);
        return conv_move(c, QUOTA);
    case MOOT_KEEPER_FAILED:
        return conv_fail_locked_out(c);
    case MOOT_KEEPER_WAIT:
        break;
    }
    moot__keeper_queue(keeper, &c->credential_node);
    if (!has_waited)
        moot__conversation_tell_waiting(c, MOOT_WAIT_CREDENTIAL, 0);
    return c->sm.current != CREDENTIAL;
}

void moot__conversation_opened(struct moot_list *node)
{
    moot__conversation_wake(moot__list_entry(node, struct moot_conversation, credential_node));
}

/* ---- Quota ---- */

/* Whoever waited for long may find that it ended meanwhile: quota is for those who can use it. */
static bool has_credential(struct moot_conversation *c)
{
    if (moot__keeper_ask(&c->upstream->keeper) == MOOT_KEEPER_READY)
        return true;
    moot__limiter_cancel(c->upstream->gate.limiter, &c->waiter.grant);
    moot__upstream_pump(c->upstream);
    return false;
}

static bool do_quota(struct moot_conversation *c)
{
    if (!c->entered) {
        c->entered = true;
        c->may_depart = false;
        moot__gate_enter(&c->upstream->gate, &c->waiter, moot__conversation_now(c));
        moot__upstream_pump(c->upstream);
        if (c->entered && !c->waiter.grant.is_held) /* not sent to the next endpoint at once */
            moot__conversation_tell_queued(c);
    }
    if (!c->may_depart || c->sm.current != QUOTA)
        return false;
    c->record.limiter_wait_ns += conv_waited(c);
    return conv_move(c, has_credential(c) ? CALL : CREDENTIAL);
}

/* Ask the role's next endpoint. */
static bool conv_fall_back(struct moot_conversation *c)
{
    struct moot_error_info why;
    if (moot__conversation_fall_back(c, &why))
        return conv_end(c, &why);
    return conv_move(c, CREDENTIAL);
}

/* The provider has failed for longer than the conversation cares to wait. */
void moot__conversation_expire(struct moot_list *node)
{
    struct moot_waiter *waiter = moot__list_entry(node, struct moot_waiter, node);
    struct moot_conversation *c = moot__container_of(waiter, struct moot_conversation, waiter);
    struct moot_error_info why;
    if (c->agent->fallback) {
        c->record.limiter_wait_ns += conv_waited(c);
        conv_fall_back(c);
        moot__conversation_wake(c);
    } else if (moot__conversation_outage(c, &why))
        conv_end(c, &why);
    else
        conv_fail(c, MOOT_EOUTAGE, MOOT_PHASE_LIMITER); /* it came back this moment */
}

/* Its machine is the only one to know which states wait. */
bool moot__conversation_is_held_up(const struct moot_conversation *c)
{
    return (c->sm.current == QUOTA || c->sm.current == BACKOFF) &&
           moot__limiter_is_failing(c->upstream->gate.limiter);
}

void moot__conversation_depart(struct moot_list *node)
{
    struct moot_waiter *waiter = moot__list_entry(node, struct moot_waiter, node);
    struct moot_conversation *c = moot__container_of(waiter, struct moot_conversation, waiter);
    c->may_depart = true;
    conv_step(c);
}

/* ---- Call ---- */

static void on_attempt_text(struct moot_attempt *attempt, struct moot_view text)
{
    struct moot_conversation *c = moot__container_of(attempt, struct moot_conversation, attempt);
    (void)text; /* it is in the reply as well */
    moot__conversation_tell_tokens(c);
}

static void on_attempt_done(struct moot_attempt *attempt)
{
    struct moot_conversation *c = moot__container_of(attempt, struct moot_conversation, attempt);
    c->attempt_under_way = false;
    c->attempt_done = true;
    conv_step(c);
}

/* What is left of the work limit; it may have been passed while a timer was late. */
static uint64_t work_left_ns(const struct moot_conversation *c)
{
    return c->work_limit_ns ? moot__ns_until(c->worked_ns, c->work_limit_ns) : MOOT_NEVER_NS;
}

static bool conv_fail_overdue(struct moot_conversation *c)
{
    struct moot_error_info error;
    moot__fail(&error, MOOT_ETIMEDOUT, c->attempt_under_way ? MOOT_PHASE_BODY : MOOT_PHASE_BACKOFF,
               "the conversation was longer at work than its limit allows");
    error.possible_duplicate = c->attempt_under_way && c->attempt.call.sent;
    return conv_end(c, &error);
}

/* The backoff is over, or the conversation was at work for too long. */
static void on_timer(struct moot_timer *timer)
{
    struct moot_conversation *c = moot__container_of(timer, struct moot_conversation, timer);
    if (c->sm.current == CALL) {
        conv_fail_overdue(c);
        return;
    }
    c->timer_fired = true;
    conv_step(c);
}

static int start_attempt(struct moot_conversation *c)
{
    struct moot_upstream *upstream = c->upstream;
    moot__reply_reset(&c->reply);
    c->shown = 0;
    c->attempt_done = false;
    c->credential_generation = upstream->keeper.generation;
    c->attempt.on_text = on_attempt_text;
    c->attempt.on_done = on_attempt_done;
    c->attempt.reply = &c->reply;
    const struct moot_timeouts *timeouts = &upstream->provider->timeouts;
    struct moot_attempt_request request = {
        .pool = &c->engine->pool,
        .origin = upstream->origin,
        .dialect = upstream->dialect,
        .auth = upstream->provider->auth,
        .version = upstream->provider->version,
        .target = moot__buf_view(&c->target),
        .body = moot__buf_view(&c->body),
        .access = upstream->keeper.access,
        .region = upstream->provider->region,
        .service = upstream->provider->service,
        .headers = upstream->provider->headers,
        .header_count = upstream->provider->header_count,
        .deadlines = {timeouts->connect_ns, timeouts->first_byte_ns, timeouts->idle_ns,
                      timeouts->total_ns},
        .stream = c->stream,
    };
    int rc = moot__attempt_start(&c->attempt, &request);
    if (rc)
        return rc;
    c->attempt_under_way = c->has_called = true;
    c->outcome.retries += c->attempts > 0;
    c->attempts++;
    c->outcome.calls++;
    c->engine->stats.calls++;
    if (c->paused)
        moot__call_pause(&c->attempt.call);
    if (c->work_limit_ns)
        moot__timer_start(c->engine->transport, &c->timer,
                          moot__ns_add(moot__conversation_now(c), work_left_ns(c)));
    return MOOT_OK;
}

static bool on_answered(struct moot_conversation *c)
{
    moot__limiter_on_success(c->upstream->gate.limiter, c->waiter.grant.sent_at_ns,
                             c->attempt.call.times.ended_ns);
    moot__conversation_tell_tokens(c); /* of an answer that came whole, or while paused */
    if (c->sm.current != CALL)
        return true;
    int rc = moot__conversation_keep_reply(c);
    if (rc)
        return conv_fail(c, rc, MOOT_PHASE_BODY);
    const struct moot_agent_reply *reply = &c->replies[moot__conversation_at(c) - 1];
    c->outcome.possible_duplicate = c->outcome.possible_duplicate || reply->possible_duplicate;
    moot__conversation_end_turn(c);
    c->attempt_done = false; /* nothing of it is left to be lost */
    conv_move(c, PICK);
    struct moot_event event = {.type = MOOT_EVENT_AGENT_FINISHED, .reply = reply};
    if (c->on_event && c->events & (1u << event.type)) {
        event.agent = (unsigned)moot__conversation_at(c) - 1;
        event.role = reply->role;
        c->on_event(c, &event, c->data);
        moot__engine_told(c->engine);
    }
    return true;
}

/* After a 401. */
static bool can_have_another(struct moot_conversation *c)
{
    c->refreshed = true;
    return moot__keeper_refused(&c->upstream->keeper, c->credential_generation) != MOOT_KEEPER_SAME;
}

static bool on_failed(struct moot_conversation *c)
{
    struct moot_retry_verdict verdict;
    moot__conversation_judge(c, &verdict);
    c->engine->stats.calls_failed++;
    c->possible_duplicate = c->possible_duplicate || verdict.possible_duplicate;
    c->attempt.error.retry_after_ns = verdict.retry_after_ns;
    c->attempt.error.possible_duplicate = c->possible_duplicate;
    if (verdict.again && verdict.refresh_credential)
        verdict.again = can_have_another(c);
    if (moot__conversation_must_fall_back(c, &verdict)) {
        struct moot_error_info error = c->attempt.error;
        struct moot_event event = {.type = MOOT_EVENT_RETRY, .error = &error};
        conv_fall_back(c);
        moot__conversation_tell(c, &event);
        return true;
    }
    if (!verdict.again) {
        c->outcome.possible_duplicate = c->outcome.possible_duplicate || c->possible_duplicate;
        moot__conversation_end_turn(c);
        return conv_end(c, &c->attempt.error);
    }
    c->engine->stats.retries++;
    conv_move(c, BACKOFF);
    c->wait_since_ns = verdict.delay_ns;
    struct moot_event event = {
        .type = MOOT_EVENT_RETRY, .error = &c->attempt.error, .until_ns = verdict.delay_ns};
    moot__conversation_tell(c, &event);
    return true;
}

/* The answer is whole, but the user has paused before the end of it. */
static bool must_wait_for_user(const struct moot_conversation *c)
{
    return c->attempt.error.code == MOOT_OK && c->paused && moot__conversation_wants_tokens(c) &&
           c->shown < c->reply.settled;
}

static bool do_call(struct moot_conversation *c)
{
    if (!c->entered) {
        c->entered = true;
        if (work_left_ns(c) == 0)
            return conv_fail_overdue(c);
        int rc = start_attempt(c);
        if (rc)
            return conv_fail(c, rc, MOOT_PHASE_SEND);
    }
    if (!c->attempt_done) {
        moot__conversation_tell_tokens(c); /* what came while paused */
        return c->sm.current != CALL;
    }
    moot__conversation_settle(c); /* now, however long the user stays away */
    if (must_wait_for_user(c)) {
        moot__upstream_pump(c->upstream);
        return false;
    }
    moot__timer_stop(c->engine->transport, &c->timer);
    c->worked_ns += moot__conversation_now(c) - c->state_since_ns;
    struct moot_upstream *upstream = c->upstream; /* of this call, whoever is asked next */
    bool moved = c->attempt.error.code == MOOT_OK ? on_answered(c) : on_failed(c);
    moot__upstream_pump(upstream);
    return moved;
}

/* ---- Backoff ---- */

static bool do_backoff(struct moot_conversation *c)
{
    if (!c->entered) {
        c->entered = true;
        c->timer_fired = false;
        moot__timer_start(c->engine->transport, &c->timer,
                          moot__ns_add(moot__conversation_now(c), c->wait_since_ns));
        moot__conversation_tell_waiting(c, MOOT_WAIT_BACKOFF, c->wait_since_ns);
    }
    if (!c->timer_fired || c->sm.current != BACKOFF)
        return false;
    c->record.backoff_wait_ns += conv_waited(c);
    c->waiter.rank = MOOT_RANK_UNDER_WAY;
    return conv_move(c, CREDENTIAL);
}

/* ---- The end ---- */

static bool do_closing(struct moot_conversation *c)
{
    if (c->attempt_under_way)
        return false;
    /* An answer that could not be kept, or was never shown, was billed all the same. */
    if (c->attempt_done && c->attempt.error.code == MOOT_OK)
        c->possible_duplicate = true;
    if (c->upstream && c->waiter.grant.is_held) {
        /* A call that was given up may have been billed. */
        if (c->attempt.reach == MOOT_REACH_SENT)
            c->possible_duplicate = true;
        moot__conversation_settle(c);
        moot__upstream_pump(c->upstream);
    }
    return conv_move(c, DONE);
}

void moot__conversation_free(struct moot_conversation *c)
{
    const struct moot_allocator *allocator = c->engine->allocator;
    moot__list_remove(&c->node);
    moot__task_cancel(c->engine->transport, &c->step_task);
    moot__reply_deinit(&c->reply);
    moot__buf_deinit(&c->target);
    moot__buf_deinit(&c->body);
    moot__arena_deinit(&c->arena);
    moot__free(allocator, c);
}

static void do_done(struct moot_conversation *c)
{
    struct moot_engine *engine = c->engine;
    moot__conversation_fill_outcome(c);
    moot__conversation_span(&c->record, engine, &c->outcome, c->params_text);
    engine->stats.conversations_done++;
    if (c->has_slot)
        moot__engine_free_slot(engine);
    c->on_done(c, &c->outcome, c->data);
    moot__engine_told(engine);
    moot__conversation_free(c);
    moot__engine_conversation_ended(engine);
}

static void conv_step(struct moot_conversation *c)
{
    for (bool moved = true; moved;) {
        switch (c->sm.current) {
        case SLOT:
            moved = do_slot(c);
            break;
        case PICK:
            moved = do_pick(c);
            break;
        case CREDENTIAL:
            moved = do_credential(c);
            break;
        case QUOTA:
            moved = do_quota(c);
            break;
        case CALL:
            moved = do_call(c);
            break;
        case BACKOFF:
            moved = do_backoff(c);
            break;
        case CLOSING:
            moved = do_closing(c);
            break;
        case DONE:
            do_done(c);
            return;
        default:
            moot__unreachable();
        }
    }
}

static void on_step(struct moot_task *task)
{
    conv_step(moot__container_of(task, struct moot_conversation, step_task));
}

void moot__conversation_shut_down(struct moot_list *node)
{
    struct moot_conversation *c = moot__list_entry(node, struct moot_conversation, node);
    conv_fail(c, MOOT_ECANCELED, MOOT_PHASE_NONE);
}

void moot_conversation_cancel(struct moot_conversation *c)
{
    conv_fail(c, MOOT_ECANCELED, MOOT_PHASE_NONE);
}

bool moot__conversation_has_called(const struct moot_conversation *c)
{
    return c->has_called;
}

void moot_conversation_pause(struct moot_conversation *c)
{
    c->paused = true;
    if (c->attempt_under_way)
        moot__call_pause(&c->attempt.call);
}

void moot_conversation_resume(struct moot_conversation *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    if (c->attempt_under_way)
        moot__call_resume(&c->attempt.call);
    moot__conversation_wake(c);
}

void moot__conversation_init_machine(struct moot_conversation *c)
{
    moot__sm_init(&c->sm, conversation_states, STATES, SLOT);
    moot__task_init(&c->step_task, on_step);
    c->timer.on_fire = on_timer;
    c->state_since_ns = moot__conversation_now(c);
}
