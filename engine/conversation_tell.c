/* What a conversation tells the one who began it, while it goes on. */
#include "conversation_internal.h"

void moot__conversation_tell(struct moot_conversation *c, struct moot_event *event)
{
    if (!c->on_event || !(c->events & (1u << event->type)))
        return;
    event->agent = (unsigned)moot__conversation_at(c);
    event->role = c->agent ? c->agent->role : (struct moot_view){NULL, 0};
    c->on_event(c, event, c->data);
}

void moot__conversation_tell_waiting(struct moot_conversation *c, enum moot_wait wait,
                                     uint64_t until_ns)
{
    struct moot_event event = {.type = MOOT_EVENT_WAITING, .wait = wait, .until_ns = until_ns};
    moot__conversation_tell(c, &event);
}

/* In the gate's queue: for the quota, or for a provider that fails. */
void moot__conversation_tell_queued(struct moot_conversation *c)
{
    struct moot_error_info why;
    struct moot_event event = {
        .type = MOOT_EVENT_WAITING,
        .wait = MOOT_WAIT_QUOTA,
        .until_ns =
            moot__ns_until(moot__conversation_now(c), moot__gate_next_ns(&c->upstream->gate)),
    };
    if (moot__conversation_outage(c, &why)) {
        event.wait = MOOT_WAIT_PROVIDER;
        event.error = &why;
    }
    moot__conversation_tell(c, &event);
}

bool moot__conversation_wants_tokens(const struct moot_conversation *c)
{
    return c->on_event && c->events & (1u << MOOT_EVENT_TOKENS);
}

/* The text that is there, will not change and was not shown yet; nothing while paused. */
void moot__conversation_tell_tokens(struct moot_conversation *c)
{
    if (c->paused || c->reply.settled <= c->shown)
        return;
    struct moot_event event = {
        .type = MOOT_EVENT_TOKENS,
        .text = moot__view(c->reply.text.data + c->shown, c->reply.settled - c->shown),
    };
    c->shown = c->reply.settled;
    if (moot__conversation_wants_tokens(c)) {
        c->has_shown = true;
        moot__conversation_tell(c, &event);
    }
}
