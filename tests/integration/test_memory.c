/* A whole life (plan, engine, conversation with a retry, close) in which the n-th allocation fails,
 * for every n; and in which all from the n-th on fail. Each ends in a clean error where it failed,
 * one completion at most, and not one block left.
 *
 * In simulation, so that back-off costs no time; and once on the real loop, through the public
 * functions alone. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "tests/sim/transport_sim.h"
#include "tests/support/failing_alloc.h"
#include "world.h"

#define ANSWER_B "model-b heard: Better please."

enum { STEPS_MAX = 1000 * 1000, SWEEP_MAX = 5000 };

struct life {
    struct moot_failing_alloc memory;
    struct world world; /* only its engine and plan, and `engine_closed` */
    struct talk talk;
    bool stream;
    int rc; /* of the first step that failed */

    /* Where it is lived: in simulation, or on a loop. */
    struct moot_sim *sim;
    struct moot_transport *here, *there;
    struct moot_emulator_server *server;
    int hosts_closed;
};

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "TEST_KEY") == 0 ? "test-key-0123456789" : NULL;
}

static int load_plan(struct life *life)
{
    char text[512];
    int len = snprintf(text, sizeof text,
                       "models:\n"
                       "  oracle: {endpoint: model-a, instruction: You know.}\n"
                       "  judge: {endpoint: model-b, instruction: You judge.}\n"
                       "configuration: {user_response_instruction: Better please.}\n"
                       "providers:\n"
                       "  default: {type: databricks, base_url: 'http://127.0.0.1:%u',\n"
                       "            api_key: env:TEST_KEY}\n",
                       moot__emulator_server_address(life->server).port);
    struct moot_plan_options options = {
        .size = sizeof options,
        .allocator = &life->memory.allocator,
        .path = "test.yaml",
        .text = {text, (size_t)len},
        .environment = environment,
    };
    struct moot_error_info info = {0};
    int rc = moot_plan_load(&options, &life->world.plan, &info);
    assert_int_equal(rc, info.code);
    assert_int_equal(rc == MOOT_OK, life->world.plan != NULL);
    return rc;
}

static int make_engine(struct life *life)
{
    struct moot_engine_options options = {
        .size = sizeof options,
        .allocator = &life->memory.allocator,
        .plan = life->world.plan,
        .mode = MOOT_ENGINE_ON_LOOP,
        .loop = &life->world.loop.loop,
    };
    struct moot_error_info info = {0};
    int rc = life->sim ? moot__engine_new_on(life->here, &options, &life->world.engine, &info)
                       : moot_engine_new(&options, &life->world.engine, &info);
    assert_int_equal(rc, info.code);
    assert_int_equal(rc == MOOT_OK, life->world.engine != NULL);
    return rc;
}

static void run_until_count(struct life *life, int *counter);

static int converse(struct life *life)
{
    int rc = talk_begin(&life->world, &life->talk, "Why?", life->stream);
    if (rc) {
        assert_null(life->talk.conversation);
        return rc;
    }
    run_until_count(life, &life->talk.done);
    assert_int_equal(life->talk.done, 1);
    return life->talk.error.code;
}

/* ---- Where ---- */

static bool has_come(void *context)
{
    return *(int *)context > 0;
}

static void run_until_count(struct life *life, int *counter)
{
    struct moot_sim_bound bound = {.until_ns = MOOT_NEVER_NS, .steps = STEPS_MAX};
    if (life->sim)
        assert_true(moot__sim_run_until(life->sim, has_come, counter, bound));
    else
        assert_true(test_loop_run_until_count(&life->world.loop, counter, 1));
}

static void on_closed(void *data)
{
    ++*(int *)data;
}

static void close_engine(struct life *life)
{
    if (!life->world.engine)
        return;
    if (life->sim) {
        life->world.engine->on_closed = on_closed;
        life->world.engine->on_closed_data = &life->world.engine_closed;
        moot__engine_close_here(life->world.engine);
    } else {
        moot_engine_close(life->world.engine, on_closed, &life->world.engine_closed);
    }
    run_until_count(life, &life->world.engine_closed);
    assert_int_equal(life->world.engine_closed, 1);
}

static void open_server(struct life *life, struct moot_transport *transport)
{
    struct moot_emulator_options emulator = moot_emulator_options_default();
    static const struct moot_emulator_rule rules[] = {
        {.fault = MOOT_EMULATOR_FAULT_GZIP, .first = 1, .last = 1},
        {.fault = MOOT_EMULATOR_FAULT_500, .first = 2, .last = 2},
    };
    emulator.rules = rules;
    emulator.rule_count = life->sim ? 2 : 1; /* back-off takes its time on a loop */
    struct moot_emulator_server_options server = {
        .transport = transport,
        .address = {.bytes = {127, 0, 0, 1}},
        .emulator = &emulator,
    };
    assert_int_equal(moot__emulator_server_open(&server, &life->server), MOOT_OK);
}

static void begin(struct life *life, bool in_simulation)
{
    if (in_simulation) {
        const struct moot_sim_options options = {.seed = 1};
        assert_int_equal(moot__sim_new(&options, &life->sim), MOOT_OK);
        assert_int_equal(moot__sim_host_new(life->sim, &life->memory.allocator, &life->here),
                         MOOT_OK);
        assert_int_equal(moot__sim_host_new(life->sim, NULL, &life->there), MOOT_OK);
        open_server(life, life->there);
    } else {
        test_loop_init(&life->world.loop);
        open_server(life, life->world.loop.transport);
    }
}

static void end(struct life *life)
{
    close_engine(life);
    moot_plan_unref(life->world.plan);
    moot__emulator_server_close(life->server);
    if (life->sim) {
        assert_int_equal(moot__sim_host_streams(life->here), 0);
        assert_false(moot__sim_host_is_alive(life->here));
        moot__sim_host_close(life->here, on_closed, &life->hosts_closed);
        run_until_count(life, &life->hosts_closed);
        moot__sim_host_close(life->there, NULL, NULL);
        while (moot__sim_step(life->sim)) {
        }
        moot__sim_free(life->sim);
    } else {
        test_loop_deinit(&life->world.loop);
    }
    assert_int_equal(moot__failing_alloc_live(&life->memory), 0);
}

/* ---- The sweeps ---- */

struct sweep {
    bool in_simulation, stream, stay_failed;
};

/* True when the n-th allocation was reached. */
static bool live(const struct sweep *sweep, size_t nth)
{
    static struct life life;
    memset(&life, 0, sizeof life);
    life.stream = sweep->stream;
    moot__failing_alloc_init(&life.memory, 0);
    begin(&life, sweep->in_simulation);
    life.memory.stay_failed = sweep->stay_failed;
    life.memory.fail_at = moot__failing_alloc_calls(&life.memory) + nth;
    life.rc = load_plan(&life);
    if (!life.rc)
        life.rc = make_engine(&life);
    if (!life.rc)
        life.rc = converse(&life);
    bool reached = moot__failing_alloc_failed(&life.memory);
    if (life.rc != MOOT_OK && (life.rc != MOOT_ENOMEM || !reached))
        fail_msg("allocation %zu: %s: %s", nth, moot_error_name(life.rc), life.talk.error.message);
    if (life.rc == MOOT_OK)
        assert_string_equal(life.talk.text, ANSWER_B);
    if (!reached) {
        assert_int_equal(life.rc, MOOT_OK);
        assert_int_equal(life.talk.attempts[1], sweep->in_simulation ? 2 : 1);
    }
    end(&life);
    return reached;
}

static void sweep_all(bool in_simulation, bool stay_failed)
{
    for (int stream = 0; stream < 2; stream++) {
        const struct sweep sweep = {in_simulation, stream, stay_failed};
        size_t nth = 1;
        while (live(&sweep, nth) && nth < SWEEP_MAX)
            nth++;
        print_message("%zu allocations\n", nth - 1);
        assert_true(nth > 30 && nth < SWEEP_MAX);
    }
}

static void each_allocation_fails(void **state)
{
    (void)state;
    sweep_all(true, false);
}

static void all_allocations_fail_from_one_on(void **state)
{
    (void)state;
    sweep_all(true, true);
}

static void each_allocation_fails_on_a_loop(void **state)
{
    (void)state;
    sweep_all(false, false);
}

static void all_allocations_fail_on_a_loop(void **state)
{
    (void)state;
    sweep_all(false, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
        cmocka_unit_test(all_allocations_fail_from_one_on),
        cmocka_unit_test(each_allocation_fails_on_a_loop),
        cmocka_unit_test(all_allocations_fail_on_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
