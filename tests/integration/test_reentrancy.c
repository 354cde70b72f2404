/* Every public call is legal in every callback, and at every moment of a conversation's life.
 *
 * A drama is two conversations in a small world. At one moment (the first event of a type, on_done,
 * a posted function) the first of them acts; or the loop is interrupted after so many turns, which
 * finds every state there is. However it goes: each conversation that began is done exactly once,
 * the engine closes, and nothing is left in the loop. */
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "world.h"

enum moment {
    IN_AGENT_BEGAN = MOOT_EVENT_AGENT_BEGAN,
    IN_TOKENS = MOOT_EVENT_TOKENS,
    IN_WAITING = MOOT_EVENT_WAITING,
    IN_RETRY = MOOT_EVENT_RETRY,
    IN_AGENT_FINISHED = MOOT_EVENT_AGENT_FINISHED,
    IN_DONE,
    IN_POSTED,
    MOMENTS
};

struct drama;

/* MOOT_TEST_VERBOSE=1 tells which drama is being played. */
static bool verbose(void)
{
    return getenv("MOOT_TEST_VERBOSE") != NULL;
}

struct act {
    const char *name;
    void (*run)(struct drama *drama);
};

enum { HERO, OTHER, SEQUEL, CAST };

struct drama {
    struct talk talks[CAST];
    struct world world;
    struct moot_emulator_rule rule;
    const struct act *act;
    enum moment moment;
    bool stream, acted, posted;
    int begun, posts, posts_run;
};

static struct drama *drama_of(struct talk *talk, int role)
{
    return moot__container_of(talk - role, struct drama, talks[0]);
}

/* ---- What is done ---- */

static bool is_on_stage(const struct talk *talk)
{
    return talk->conversation && !talk->done;
}

static void cancel_self(struct drama *drama)
{
    moot_conversation_cancel(drama->talks[HERO].conversation);
    moot_conversation_cancel(drama->talks[HERO].conversation);
}

static void cancel_other(struct drama *drama)
{
    if (is_on_stage(&drama->talks[OTHER]))
        moot_conversation_cancel(drama->talks[OTHER].conversation);
}

static void cancel_both(struct drama *drama)
{
    cancel_other(drama);
    cancel_self(drama);
}

static void wake_up(struct moot_engine *engine, void *data)
{
    struct drama *drama = data;
    assert_non_null(engine);
    drama->posts_run++;
    for (int i = 0; i < CAST; i++)
        if (is_on_stage(&drama->talks[i]))
            moot_conversation_resume(drama->talks[i].conversation);
}

static void post(struct drama *drama)
{
    assert_int_equal(moot_engine_post(drama->world.engine, wake_up, drama), MOOT_OK);
    drama->posts++;
}

static void pause_self(struct drama *drama)
{
    moot_conversation_pause(drama->talks[HERO].conversation);
    moot_conversation_pause(drama->talks[HERO].conversation);
    post(drama);
}

static void pause_and_resume(struct drama *drama)
{
    moot_conversation_resume(drama->talks[HERO].conversation);
    moot_conversation_pause(drama->talks[HERO].conversation);
    moot_conversation_resume(drama->talks[HERO].conversation);
    moot_conversation_resume(drama->talks[HERO].conversation);
}

static void pause_and_cancel(struct drama *drama)
{
    moot_conversation_pause(drama->talks[HERO].conversation);
    cancel_self(drama);
}

static void pause_other(struct drama *drama)
{
    if (is_on_stage(&drama->talks[OTHER]))
        moot_conversation_pause(drama->talks[OTHER].conversation);
    post(drama);
}

static void begin_another(struct drama *drama)
{
    assert_int_equal(talk_begin(&drama->world, &drama->talks[SEQUEL], "And then?", drama->stream),
                     MOOT_OK);
    assert_int_equal(drama->talks[SEQUEL].done, 0);
    drama->begun++;
}

static void cancel_and_begin(struct drama *drama)
{
    cancel_self(drama);
    begin_another(drama);
}

static void begin_and_cancel(struct drama *drama)
{
    begin_another(drama);
    moot_conversation_cancel(drama->talks[SEQUEL].conversation);
    assert_int_equal(drama->talks[SEQUEL].done, 0);
}

static void close_engine(struct drama *drama)
{
    world_close_engine(&drama->world);
}

static void cancel_and_close(struct drama *drama)
{
    cancel_self(drama);
    close_engine(drama);
}

static void close_and_cancel(struct drama *drama)
{
    close_engine(drama);
    cancel_self(drama);
}

static void begin_and_close(struct drama *drama)
{
    begin_another(drama);
    post(drama);
    close_engine(drama);
}

static void look(struct drama *drama)
{
    struct moot_engine_stats stats = {.size = sizeof stats};
    moot_engine_stats(drama->world.engine, &stats);
    assert_int_equal(stats.conversations_begun, drama->begun);
}

static const struct act acts[] = {
    {"cancel self", cancel_self},
    {"cancel other", cancel_other},
    {"cancel both", cancel_both},
    {"pause self", pause_self},
    {"pause and resume", pause_and_resume},
    {"pause and cancel", pause_and_cancel},
    {"pause other", pause_other},
    {"begin another", begin_another},
    {"cancel and begin", cancel_and_begin},
    {"begin and cancel", begin_and_cancel},
    {"close", close_engine},
    {"cancel and close", cancel_and_close},
    {"close and cancel", close_and_cancel},
    {"begin and close", begin_and_close},
    {"post", post},
    {"look", look},
};

/* ---- When ---- */

static void act_once(struct drama *drama)
{
    if (drama->acted)
        return;
    drama->acted = true;
    drama->act->run(drama);
}

static void act_posted(struct moot_engine *engine, void *data)
{
    struct drama *drama = data;
    assert_non_null(engine);
    if (is_on_stage(&drama->talks[HERO]))
        act_once(drama);
}

static void on_event(struct talk *talk, const struct moot_event *event)
{
    struct drama *drama = drama_of(talk, HERO);
    if ((int)event->type == (int)drama->moment)
        act_once(drama);
    if (drama->moment == IN_POSTED && event->type == MOOT_EVENT_AGENT_BEGAN && !drama->posted) {
        drama->posted = true;
        assert_int_equal(moot_engine_post(talk->world->engine, act_posted, drama), MOOT_OK);
    }
}

static void on_done(struct talk *talk)
{
    struct drama *drama = drama_of(talk, HERO);
    if (drama->moment == IN_DONE)
        act_once(drama);
}

/* ---- Where ---- */

struct scene {
    const char *name;
    bool stream;
    unsigned concurrency;
    enum moot_emulator_fault fault; /* of the first request, or of all */
    bool always;
    uint64_t token_ns, hint_ns;
    const char *provider_extra;
};

static const struct scene scenes[] = {
    {.name = "streams at once", .stream = true},
    {.name = "paced streams", .stream = true, .token_ns = 200000},
    {.name = "whole"},
    {.name = "one slot", .stream = true, .concurrency = 1},
    {.name = "retry", .stream = true, .fault = MOOT_EMULATOR_FAULT_500},
    {.name = "error inside",
     .stream = true,
     .fault = MOOT_EMULATOR_FAULT_ERROR_CHUNK,
     .always = true},
    {.name = "broken body",
     .fault = MOOT_EMULATOR_FAULT_SHORT_BODY,
     .always = true,
     .provider_extra = ", retry: {max_attempts: 1}"},
    {.name = "refused", .fault = MOOT_EMULATOR_FAULT_400, .always = true},
};

/* Each of these stops somewhere for ever, as far as a test is concerned. */
static const struct scene dead_ends[] = {
    {.name = "no answer", .fault = MOOT_EMULATOR_FAULT_STALL_STATUS, .always = true},
    {.name = "half a stream",
     .stream = true,
     .fault = MOOT_EMULATOR_FAULT_STALL_BODY,
     .always = true},
    {.name = "waits for a slot",
     .concurrency = 1,
     .fault = MOOT_EMULATOR_FAULT_STALL_STATUS,
     .always = true},
    {.name = "waits for quota", .provider_extra = ", requests_per_minute: 1"},
    {.name = "backs off",
     .fault = MOOT_EMULATOR_FAULT_429,
     .always = true,
     .hint_ns = 60 * MOOT_NS_PER_S},
    {.name = "unread request", .fault = MOOT_EMULATOR_FAULT_STALL_ACCEPT, .always = true},
};

static void raise_curtain(struct drama *drama, const struct scene *scene)
{
    memset(drama, 0, sizeof *drama);
    struct world_options options = world_options();
    drama->rule = (struct moot_emulator_rule){
        .fault = scene->fault,
        .rate = scene->always ? 1 : 0,
        .first = scene->always ? 0 : 1,
        .last = scene->always ? 0 : 1,
        .has_hint = scene->hint_ns > 0,
        .hint = MOOT_EMULATOR_HINT_MS,
        .hint_ns = scene->hint_ns,
    };
    options.emulator.rules = &drama->rule;
    options.emulator.rule_count = scene->fault ? 1 : 0;
    options.emulator.first_token_ns = options.emulator.inter_token_ns = scene->token_ns;
    options.concurrency = scene->concurrency;
    options.provider_extra = scene->provider_extra;
    drama->stream = scene->stream;
    drama->moment = MOMENTS;
    world_init(&drama->world, &options);
}

static void enter(struct drama *drama, int role)
{
    assert_int_equal(talk_begin(&drama->world, &drama->talks[role], "Why?", drama->stream),
                     MOOT_OK);
    drama->begun++;
}

static bool is_over(void *context)
{
    struct drama *drama = context;
    int done = 0;
    for (int i = 0; i < CAST; i++)
        done += drama->talks[i].done;
    return done >= drama->begun && drama->posts_run == drama->posts;
}

static void fall_curtain(struct drama *drama)
{
    assert_true(test_loop_run_until(&drama->world.loop, is_over, drama));
    world_close_engine(&drama->world);
    assert_true(test_loop_run_until_count(&drama->world.loop, &drama->world.engine_closed, 1));
    int done = 0;
    for (int i = 0; i < CAST; i++) {
        assert_true(drama->talks[i].done <= 1);
        done += drama->talks[i].done;
    }
    assert_int_equal(done, drama->begun);
    assert_int_equal(drama->posts_run, drama->posts);
    world_deinit(&drama->world);
}

/* ---- Acts in callbacks ---- */

static bool is_worth_it(const struct scene *scene, enum moment moment)
{
    bool waits = scene->fault == MOOT_EMULATOR_FAULT_500; /* a real while, for each drama */
    return !waits || moment == IN_RETRY || moment == IN_WAITING;
}

static void play(const struct scene *scene, enum moment moment, const struct act *act)
{
    static struct drama drama;
    raise_curtain(&drama, scene);
    drama.moment = moment;
    drama.act = act;
    drama.talks[HERO].on_event = on_event;
    drama.talks[HERO].on_done = on_done;
    enter(&drama, HERO);
    enter(&drama, OTHER);
    fall_curtain(&drama);
}

static void every_call_in_every_callback(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(scenes); i++)
        for (int moment = 0; moment < MOMENTS; moment++)
            for (size_t k = 0; k < moot__countof(acts); k++)
                if (is_worth_it(&scenes[i], (enum moment)moment)) {
                    if (verbose())
                        print_message("%s, moment %d: %s\n", scenes[i].name, moment, acts[k].name);
                    play(&scenes[i], (enum moment)moment, &acts[k]);
                }
}

/* ---- Interruptions ---- */

enum { TURNS = 24 };

static void interrupt(const struct scene *scene, unsigned turns, bool by_close)
{
    static struct drama drama;
    raise_curtain(&drama, scene);
    enter(&drama, HERO);
    enter(&drama, OTHER);
    test_loop_run_turns(&drama.world.loop, turns);
    for (int i = 0; i < 2 && !by_close; i++)
        if (is_on_stage(&drama.talks[i]))
            moot_conversation_cancel(drama.talks[i].conversation);
    if (by_close)
        close_engine(&drama);
    int done_before = drama.talks[HERO].done;
    fall_curtain(&drama);
    if (!done_before)
        assert_int_equal(drama.talks[HERO].error.code, MOOT_ECANCELED);
}

static void interrupt_all(const struct scene *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned turns = 0; turns < TURNS; turns++) {
            if (verbose())
                print_message("%s, after %u turns\n", all[i].name, turns);
            interrupt(&all[i], turns, true);
            interrupt(&all[i], turns, false);
        }
}

static void interrupted_at_every_turn(void **state)
{
    (void)state;
    interrupt_all(scenes, moot__countof(scenes));
}

static void interrupted_while_it_waits(void **state)
{
    (void)state;
    interrupt_all(dead_ends, moot__countof(dead_ends));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_in_every_callback),
        cmocka_unit_test(interrupted_at_every_turn),
        cmocka_unit_test(interrupted_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
