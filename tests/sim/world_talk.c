/* A conversation as its user sees it: it is begun, watched, paused, resumed and cancelled, by
 * timers of its engine's host or from inside the library's own callbacks, and ends once. */
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "world.h"

static void begin_followers(struct world_talk *talk);

static void cancel(struct world_talk *talk)
{
    if (!talk->cancelled_ns)
        talk->cancelled_ns = moot__sim_now_ns(talk->world->sim);
    moot_conversation_cancel(talk->conversation);
}

static void pause(struct world_talk *talk)
{
    talk->is_paused = true;
    moot_conversation_pause(talk->conversation);
}

static void resume(struct world_talk *talk)
{
    talk->is_paused = false;
    moot_conversation_resume(talk->conversation);
}

/* From inside the library's callback, as every public call is allowed to be. */
static void act_inside(struct world_talk *talk, enum moot_event_type type)
{
    struct world *world = talk->world;
    enum world_act act = talk->act;
    if (act == WORLD_NOTHING || talk->act_event != type)
        return;
    talk->act = WORLD_NOTHING;
    if (act == WORLD_CANCEL) {
        cancel(talk);
    } else if (act == WORLD_CLOSE) {
        moot__timer_start(world->provider_host, &world->close_timer,
                          moot__sim_now_ns(world->sim)); /* as a post: from the loop, later */
    } else {
        pause(talk);
        talk->pause_ns = MOOT_NEVER_NS; /* who pauses now does not again: it would be for ever */
        talk->resume_ns = moot__sim_now_ns(world->sim) + MOOT_NS_PER_S;
        moot__timer_start(world->hosts[talk->engine], &talk->timer, talk->resume_ns);
    }
}

static void keep_shown(struct world_talk *talk, const struct moot_event *event)
{
    if (talk->is_paused)
        world_fail(talk->world, "talk %u was shown tokens while paused", talk->number);
    if (event->text.len >= sizeof talk->shown - talk->shown_len)
        return;
    memcpy(talk->shown + talk->shown_len, event->text.ptr, event->text.len);
    talk->shown_len += event->text.len;
}

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct world_talk *talk = data;
    struct world *world = talk->world;
    if (talk->done || conversation != talk->conversation)
        world_fail(world, "talk %u: an event after its end", talk->number);
    if (event->type == MOOT_EVENT_AGENT_BEGAN || event->type == MOOT_EVENT_RETRY)
        talk->shown_len = 0;
    if (event->type == MOOT_EVENT_RETRY) {
        world_check_said(world, "a retry's error", moot__view_str(event->error->message));
        if (world->is_verbose)
            printf("%10.6f talk %u tries again in %.3f s: %s: %s\n", world_seconds(world),
                   talk->number, (double)event->until_ns / 1e9, moot_error_name(event->error->code),
                   event->error->message);
    }
    if (event->type == MOOT_EVENT_TOKENS)
        keep_shown(talk, event);
    if (event->type == MOOT_EVENT_AGENT_FINISHED && event->agent < WORLD_ROLES)
        talk->turns[event->agent].is_shown_right =
            moot__view_eq(moot__view(talk->shown, talk->shown_len), event->reply->text);
    act_inside(talk, event->type);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct world_talk *talk = data;
    struct world *world = talk->world;
    if (conversation != talk->conversation)
        world_fail(world, "talk %u: on_done of another conversation, or twice", talk->number);
    talk->done++;
    talk->is_over = true;
    talk->conversation = NULL;
    talk->done_ns = moot__sim_now_ns(world->sim);
    world->over++;
    world->stats[talk->engine].size = sizeof world->stats[0];
    moot_engine_stats(world->engines[talk->engine], &world->stats[talk->engine]);
    if (world->is_verbose)
        printf("%10.6f talk %u done: %s: %s: %.*s\n", world_seconds(world), talk->number,
               outcome->error.code ? moot_error_name(outcome->error.code) : "OK",
               outcome->error.message, (int)outcome->text.len, outcome->text.ptr);
    world_check_outcome(talk, outcome);
    begin_followers(talk);
}

static void talk_begin(struct world_talk *talk)
{
    struct world *world = talk->world;
    const struct moot_message message = {MOOT_VIEW("user"), moot__view_str(talk->question)};
    const unsigned all = MOOT_EVENT_BIT(MOOT_EVENT_AGENT_BEGAN) | MOOT_EVENT_BIT(MOOT_EVENT_RETRY) |
                         MOOT_EVENT_BIT(MOOT_EVENT_WAITING) |
                         MOOT_EVENT_BIT(MOOT_EVENT_AGENT_FINISHED);
    const struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = talk->is_streamed,
        .work_limit_ns = talk->work_limit_ns,
        .events = talk->wants_tokens ? all | MOOT_EVENT_BIT(MOOT_EVENT_TOKENS) : all,
        .on_event = on_event,
        .on_done = on_done,
        .data = talk,
    };
    talk->has_begun = true;
    talk->began_ns = moot__sim_now_ns(world->sim);
    talk->refused =
        moot_conversation_begin(world->engines[talk->engine], &options, &talk->conversation);
    if (talk->refused) {
        talk->is_over = true;
        world->over++;
        if (talk->refused != MOOT_ENOMEM || !world->plan.fail_at)
            world_fail(world, "talk %u could not begin: %s", talk->number,
                       moot_error_name(talk->refused));
        begin_followers(talk);
    } else if (talk->done) {
        world_fail(world, "talk %u was done before begin returned", talk->number);
    }
}

/* Those that wait for this one's end begin inside of its on_done. */
static void begin_followers(struct world_talk *talk)
{
    struct world *world = talk->world;
    for (unsigned i = talk->number + 1; i < world->plan.talks && !world->is_closing; i++) {
        struct world_talk *next = &world->talks[i];
        if (next->begins_after != talk->number || next->has_begun)
            continue;
        talk_begin(next);
        if (next->conversation)
            moot__timer_start(world->hosts[next->engine], &next->timer,
                              moot__sim_now_ns(world->sim));
    }
}

/* The acts of a talk in the order of their times; each starts the timer of the next. */
void world_on_talk_timer(struct moot_timer *timer)
{
    struct world_talk *talk = moot__container_of(timer, struct world_talk, timer);
    struct world *world = talk->world;
    uint64_t now_ns = moot__sim_now_ns(world->sim), next_ns = MOOT_NEVER_NS;
    if (!talk->has_begun)
        talk_begin(talk);
    struct {
        uint64_t *at_ns;
        void (*act)(struct world_talk *talk);
    } const acts[] = {
        {&talk->pause_ns, pause}, {&talk->resume_ns, resume}, {&talk->cancel_ns, cancel}};
    for (size_t i = 0; i < moot__countof(acts); i++) {
        if (*acts[i].at_ns <= now_ns && talk->conversation) {
            *acts[i].at_ns = MOOT_NEVER_NS;
            acts[i].act(talk);
        }
        if (*acts[i].at_ns < next_ns)
            next_ns = *acts[i].at_ns;
    }
    if (talk->conversation && next_ns != MOOT_NEVER_NS)
        moot__timer_start(world->hosts[talk->engine], timer, next_ns);
}
