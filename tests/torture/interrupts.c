#include "interrupts.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/conversation_internal.h"
#include "tests/sim/sim_wire.h"

static const char *const names[INTERRUPTS] = {
#define X(id, name) name,
    INTERRUPT_MAP(X)
#undef X
};

/* What was done in this process, and to whom. */
static enum interrupt done = INTERRUPTS;
static bool is_struck[STAGE_TALKS];
static bool in_any_turn;

const char *interrupt_name(enum interrupt interrupt)
{
    return names[interrupt];
}

/* ---- Who can be struck ---- */

/* A talk whose end is still open, or NULL. */
static struct moot_conversation *open_talk(const struct stage *stage, unsigned index)
{
    const struct stage_talk *talk = &stage->talks[index];
    if (!talk->begun || talk->done)
        return NULL;
    const char *state = moot__sm_name(&talk->conversation->sm);
    bool is_decided = strcmp(state, "closing") == 0 || strcmp(state, "done") == 0;
    return is_decided ? NULL : talk->conversation;
}

static struct moot_conversation *calling_talk(const struct stage *stage, unsigned index)
{
    struct moot_conversation *c = open_talk(stage, index);
    return c && strcmp(moot__sm_name(&c->sm), "call") == 0 && c->attempt_under_way &&
                   moot__call_is_under_way(&c->attempt.call) &&
                   strcmp(moot__sm_name(&c->attempt.call.sm), "ended") != 0
               ? c
               : NULL;
}

bool interrupt_can(const struct stage *stage, enum interrupt interrupt, const struct moot_sm *sm)
{
    bool any_there = false, any_calling = false;
    for (unsigned i = 0; i < STAGE_TALKS; i++) {
        const struct stage_talk *talk = &stage->talks[i];
        if (!talk->begun || talk->done || (sm && &talk->conversation->sm != sm))
            continue;
        any_there = true;
        any_calling = any_calling || calling_talk(stage, i);
    }
    switch (interrupt) {
    case INTERRUPT_CANCEL:
        return any_there; /* too late is allowed */
    case INTERRUPT_WORK_LIMIT:
    case INTERRUPT_DEADLINE:
        return any_calling;
    case INTERRUPT_RESET:
        return moot__sim_host_streams(stage->here) > 0;
    case INTERRUPT_CLOSE:
        return stage->engine != NULL;
    case INTERRUPT_NO_MEMORY:
    case INTERRUPT_NO_MEMORY_LEFT:
        return torture_is_counting();
    case INTERRUPTS:
        break;
    }
    moot__unreachable();
}

/* ---- Striking ---- */

static void cancel(struct stage *stage)
{
    for (unsigned i = 0; i < STAGE_TALKS; i++) {
        is_struck[i] = open_talk(stage, i) != NULL;
        if (stage->talks[i].begun && !stage->talks[i].done)
            moot_conversation_cancel(stage->talks[i].conversation);
    }
}

/* The limit is over now: its timer is due. */
static void pass_work_limit(struct stage *stage)
{
    for (unsigned i = 0; i < STAGE_TALKS; i++) {
        struct moot_conversation *c = calling_talk(stage, i);
        if (!c)
            continue;
        is_struck[i] = true;
        c->work_limit_ns = 1;
        moot__timer_start(stage->here, &c->timer, moot__now_ns(stage->here));
    }
}

static void pass_deadline(struct stage *stage)
{
    for (unsigned i = 0; i < STAGE_TALKS; i++) {
        struct moot_conversation *c = calling_talk(stage, i);
        if (!c)
            continue;
        is_struck[i] = true;
        c->attempt.call.deadlines.total_ns = 1;
        moot__timer_start(stage->here, &c->attempt.call.timer, moot__now_ns(stage->here));
    }
}

/* An RST arrives on every connection of the engine's. */
static void reset(struct stage *stage)
{
    MOOT_LIST_FOREACH (node, &sim_host_of(stage->here)->streams) {
        struct sim_stream *stream = moot__list_entry(node, struct sim_stream, node);
        stream->failure = stream->is_made ? FAILURE_RESET : FAILURE_REFUSED;
        moot__sim_stream_update(stream);
        if (stream->wire->ends[1 - stream->end])
            moot__sim_send_reset(stream->wire, 1 - stream->end);
    }
}

static void close_engine(struct stage *stage)
{
    for (unsigned i = 0; i < STAGE_TALKS; i++)
        is_struck[i] = open_talk(stage, i) != NULL;
    stage_close_engine(stage);
}

void interrupt_now(struct stage *stage, enum interrupt interrupt)
{
    assert(done == INTERRUPTS);
    in_any_turn = stage_on_turn != NULL;
    stage_on_turn = NULL;
    done = interrupt;
    switch (interrupt) {
    case INTERRUPT_CANCEL:
        cancel(stage);
        return;
    case INTERRUPT_WORK_LIMIT:
        pass_work_limit(stage);
        return;
    case INTERRUPT_DEADLINE:
        pass_deadline(stage);
        return;
    case INTERRUPT_RESET:
        reset(stage);
        return;
    case INTERRUPT_CLOSE:
        close_engine(stage);
        return;
    case INTERRUPT_NO_MEMORY:
        torture_fail_next(TORTURE_ONCE);
        return;
    case INTERRUPT_NO_MEMORY_LEFT:
        torture_fail_next(TORTURE_GROUP);
        return;
    case INTERRUPTS:
        break;
    }
    moot__unreachable();
}

/* ---- How talks must end ---- */

static bool is_right(int code, int expected)
{
    bool struck = is_struck[stage_now()->judged];
    switch (done) {
    case INTERRUPT_CANCEL:
        return code == (struck ? MOOT_ECANCELED : expected);
    case INTERRUPT_CLOSE: /* who had not begun never will */
        return code == MOOT_ECANCELED || (!struck && code == expected);
    case INTERRUPT_WORK_LIMIT:
        /* Unless the end was there already, and only the telling was left: a failure, or, where the
         * limit passed in any turn, what this turn read; and no time is left to try again. */
        return (struck && code == MOOT_ETIMEDOUT) || (code == expected && (expected || !struck)) ||
               (in_any_turn && (code == expected || code == MOOT_EPROVIDER || code == MOOT_ERESET));
    case INTERRUPT_DEADLINE: /* and is perhaps tried again */
        return code == expected || (struck && code == MOOT_ETIMEDOUT);
    case INTERRUPT_RESET:
        return code == expected || code == MOOT_ERESET || code == MOOT_ECONNECT ||
               code == MOOT_ETRUNCATED || code == MOOT_ECREDENTIAL;
    case INTERRUPT_NO_MEMORY:
    case INTERRUPT_NO_MEMORY_LEFT:
        return code == expected ||
               (torture_has_failed() && torture_is_fit(code, torture_groups_failed()));
    case INTERRUPTS:
        return code == expected;
    }
    moot__unreachable();
}

void torture_ended(int code, int expected, const char *message)
{
    torture_check(is_right(code, expected), "ended with %s (%s) after %s, not %s",
                  code ? moot_error_name(code) : "OK", message,
                  done == INTERRUPTS ? "nothing" : names[done],
                  expected ? moot_error_name(expected) : "OK");
}

/* Of a provider that runs out of memory a conversation sees anything. */
void torture_peer_ended(int code, int expected, const char *message)
{
    if (done != INTERRUPT_NO_MEMORY && done != INTERRUPT_NO_MEMORY_LEFT)
        torture_ended(code, expected, message);
}
