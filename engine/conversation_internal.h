#ifndef MOOT_CONVERSATION_INTERNAL_H
#define MOOT_CONVERSATION_INTERNAL_H

/* A conversation from the inside, for the five files that make it: conversation.c (the machine),
 * conversation_tell.c (what it says of itself), conversation_turn.c (what one role's turn needs and
 * leaves), conversation_retry.c (what a failure means) and conversation_begin.c. */
#include "agents/prompt.h"
#include "agents/transcript.h"
#include "attempt.h"
#include "conversation.h"
#include "engine.h"
#include "engine/base/sm.h"
#include "turn_spans.h"

struct moot_conversation {
    struct moot_engine *engine;
    struct moot_list node;            /* in engine->conversations */
    struct moot_list slot_node;       /* in engine->slot_queue while waiting for a slot */
    struct moot_list credential_node; /* in the keeper's queue while waiting for a credential */
    struct moot_sm sm;
    struct moot_task step_task;
    struct moot_timer timer; /* backoff, or the work limit */
    struct moot_arena arena;
    bool entered; /* the state's one operation was started */
    bool has_slot, may_depart, attempt_under_way, attempt_done, timer_fired, has_shown, paused;
    bool is_excused;   /* the last attempt failed as any would have, and does not count */
    bool is_throttled; /* the last attempt was refused for want of quota, nothing billed */
    unsigned credential_generation; /* the keeper's, when the last attempt began */
    unsigned credential_failures;   /* and what it had given up when we began to wait */
    bool has_called;                /* an attempt was made, perhaps in vain */

    /* What was asked. */
    struct moot_transcript transcript;
    struct moot_params params;
    struct moot_view params_text;
    bool stream;
    unsigned events;
    uint64_t work_limit_ns, worked_ns, outage_limit_ns;

    /* The turn under way. */
    const struct moot_agent *agent;
    struct moot_upstream *upstream;
    struct moot_waiter waiter;
    struct moot_attempt attempt;
    struct moot_reply reply;
    struct moot_buf target, body;
    size_t shown; /* bytes of the reply that the user has seen */
    unsigned attempts, failures, throttles, excuses;
    unsigned fallbacks, attempts_elsewhere; /* endpoints given up, and how often they were tried */
    struct moot_usage used;                 /* by all attempts so far */
    bool refreshed, possible_duplicate;
    uint64_t state_since_ns, wait_since_ns;
    struct moot_turn_record record; /* for the spans */

    /* What came out. */
    struct moot_agent_reply *replies;
    struct moot_outcome outcome;

    void (*on_event)(struct moot_conversation *, const struct moot_event *, void *);
    void (*on_done)(struct moot_conversation *, const struct moot_outcome *, void *);
    void *data;
};

/* conversation.c: sets up the machine in its first state; posts the first step. */
void moot__conversation_init_machine(struct moot_conversation *c);
void moot__conversation_wake(struct moot_conversation *c);
void moot__conversation_free(struct moot_conversation *c);

/* conversation_tell.c: events, to whoever wants them; who may do anything in them, cancel too. */
void moot__conversation_tell(struct moot_conversation *c, struct moot_event *event);
void moot__conversation_tell_waiting(struct moot_conversation *c, enum moot_wait wait,
                                     uint64_t until_ns);
void moot__conversation_tell_queued(struct moot_conversation *c);
void moot__conversation_tell_tokens(struct moot_conversation *c);
bool moot__conversation_wants_tokens(const struct moot_conversation *c);

/* conversation_turn.c: makes the request of the agent who speaks next; keeps what it answered; what
 * a call used is settled with the limiter, and counted, once each. */
MOOT_NODISCARD int moot__conversation_prepare_turn(struct moot_conversation *c, unsigned agent,
                                                   struct moot_error_info *why);
MOOT_NODISCARD int moot__conversation_fall_back(struct moot_conversation *c,
                                                struct moot_error_info *why); /* there is one */
MOOT_NODISCARD int moot__conversation_keep_reply(struct moot_conversation *c);
void moot__conversation_settle(struct moot_conversation *c);
void moot__conversation_add_known(struct moot_conversation *c, const struct moot_agent_reply *reply,
                                  const struct moot_agent *agent); /* from before */
void moot__conversation_end_turn(struct moot_conversation *c);     /* writes its spans */
void moot__conversation_fill_outcome(struct moot_conversation *c);

/* conversation_retry.c: the attempt has failed. Tells the limiter, and says what is to be done. */
void moot__conversation_judge(struct moot_conversation *c, struct moot_retry_verdict *verdict);

/* After that: is it for the next endpoint to answer? */
bool moot__conversation_must_fall_back(const struct moot_conversation *c,
                                       const struct moot_retry_verdict *verdict);

/* Whether its provider fails for everybody, and what there is to say about it. */
bool moot__conversation_outage(const struct moot_conversation *c, struct moot_error_info *why);

static inline uint64_t moot__conversation_now(const struct moot_conversation *c)
{
    return moot__now_ns(c->engine->transport);
}

/* Which step of the flow it is at: as many as there are replies. */
static inline size_t moot__conversation_at(const struct moot_conversation *c)
{
    return c->transcript.reply_count;
}

#endif
