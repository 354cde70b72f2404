/* Strict order: what an answer told is made to last before anything more is asked, first with the
 * engine's own promise, then with the files of a batch, looked at whenever a request arrives. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/emulator/thread.h"
#include "engine/base/check.h"
#include "engine/engine.h"
#include "world.h"

enum { ROWS = 60, AT_ONCE = 7 };

static bool is_judge(struct moot_view endpoint)
{
    return moot__view_eq(endpoint, MOOT_VIEW("model-b"));
}

/* Rows ask "Row N?"; the request of either role has it. */
static unsigned row_of(struct moot_view body)
{
    char text[4096];
    moot__view_copy(body, text, sizeof text);
    const char *at = strstr(text, "Row ");
    return at ? (unsigned)strtoul(at + 4, NULL, 10) : ROWS;
}

/* ---- The engine ---- */

struct order {
    struct world world;
    struct talk talks[ROWS];
    bool refuses;
    unsigned told[ROWS], lasting[ROWS]; /* 1: the oracle's answer, 2: the end */
    unsigned asked, ended, ended_lasting, hooks, violations;
};

static int before_send(void *data)
{
    struct order *order = data;
    order->hooks++;
    if (order->refuses)
        return MOOT_EIO;
    memcpy(order->lasting, order->told, sizeof order->told);
    order->ended_lasting = order->ended;
    return MOOT_OK;
}

static struct order *order_of(struct talk *talk)
{
    return moot__container_of(talk->world, struct order, world);
}

static void on_event(struct talk *talk, const struct moot_event *event)
{
    struct order *order = order_of(talk);
    if (event->type == MOOT_EVENT_AGENT_FINISHED)
        order->told[talk - order->talks] = 1;
}

static void on_done(struct talk *talk)
{
    struct order *order = order_of(talk);
    order->told[talk - order->talks] = 2;
    order->ended++;
}

static void on_request(void *context, struct moot_view endpoint, struct moot_view body)
{
    struct order *order = context;
    unsigned row = row_of(body);
    assert_true(row < ROWS);
    order->asked++;
    if (is_judge(endpoint))
        order->violations += order->lasting[row] < 1;
    else /* a slot that was free from the beginning, or is again */
        order->violations += row >= AT_ONCE + order->ended_lasting;
}

static void begin(struct order *order, unsigned rows)
{
    *order = (struct order){.hooks = 0};
    struct world_options options = world_options();
    options.emulator.on_request = on_request;
    options.emulator.on_request_context = order;
    options.concurrency = AT_ONCE;
    world_init(&order->world, &options);
    moot__engine_before_send(order->world.engine, before_send, order);
    for (unsigned i = 0; i < rows; i++) {
        char question[32];
        snprintf(question, sizeof question, "Row %u?", i);
        order->talks[i] = (struct talk){.on_event = on_event, .on_done = on_done};
        assert_int_equal(talk_begin(&order->world, &order->talks[i], question, i % 2), MOOT_OK);
    }
}

static void nothing_is_asked_before_what_was_told_lasts(void **state)
{
    (void)state;
    static struct order order;
    begin(&order, ROWS);
    for (unsigned i = 0; i < ROWS; i++)
        talk_run(&order.world, &order.talks[i]);
    assert_int_equal(order.asked, 2 * ROWS);
    assert_int_equal(order.violations, 0);
    assert_int_equal(order.ended_lasting, ROWS); /* also when nothing more is sent */
    assert_true(order.hooks <= 4 * ROWS);
    world_deinit(&order.world);
}

static void nothing_leaves_while_nothing_can_last(void **state)
{
    (void)state;
    static struct order order;
    begin(&order, 3);
    order.refuses = true;
    test_loop_run_turns(&order.world.loop, 20);
    assert_int_equal(order.asked, 0);
    assert_in_range(order.hooks, 1, 3);
    moot_conversation_cancel(order.talks[1].conversation);
    talk_run(&order.world, &order.talks[1]);
    assert_int_equal(order.talks[1].error.code, MOOT_ECANCELED);
    order.refuses = false; /* the end of it is told, which asks again */
    world_close_engine(&order.world);
    world_deinit(&order.world);
    assert_int_equal(order.ended, 3);
}

/* What waits for its turn, cancelled from the callback of another one that ended. */
static void cancel_the_other(struct talk *talk)
{
    struct order *order = order_of(talk);
    on_done(talk);
    if (!order->talks[1].done)
        moot_conversation_cancel(order->talks[1].conversation);
}

static void who_waits_to_depart_may_be_cancelled(void **state)
{
    (void)state;
    static struct order order;
    begin(&order, 2);
    order.refuses = true;
    order.talks[0].on_done = cancel_the_other;
    test_loop_run_turns(&order.world.loop, 20);
    moot_conversation_cancel(order.talks[0].conversation);
    talk_run(&order.world, &order.talks[1]);
    assert_int_equal(order.talks[0].error.code, MOOT_ECANCELED);
    assert_int_equal(order.talks[1].error.code, MOOT_ECANCELED);
    assert_int_equal(order.asked, 0);
    world_deinit(&order.world);
}

/* ---- The batch ---- */

/* What the provider's thread sees of the files. */
struct files {
    char folder[64], input[96], output[96];
    int calls, results; /* -1: not opened yet */
    unsigned judges, oracles, violations;
};

static int open_in(struct files *files, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", files->folder, name);
    return open(path, O_RDONLY);
}

/* All of it, as a text; its lines. */
static unsigned read_all(int fd, char *text, size_t room)
{
    ssize_t len = pread(fd, text, room - 1, 0);
    unsigned lines = 0;
    text[len > 0 ? len : 0] = '\0';
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

static void look_at_files(void *context, struct moot_view endpoint, struct moot_view body)
{
    static char text[1 << 20];
    struct files *files = context;
    if (files->calls < 0) {
        files->calls = open_in(files, "out.calls.jsonl");
        files->results = open_in(files, "out.jsonl");
    }
    if (is_judge(endpoint)) {
        char line[64];
        snprintf(line, sizeof line, "{\"id\":\"row%u\",\"step\":0,", row_of(body));
        read_all(files->calls, text, sizeof text);
        files->violations += !strstr(text, line);
        files->judges++;
    } else {
        files->oracles++;
        files->violations += files->oracles > AT_ONCE + read_all(files->results, text, sizeof text);
    }
}

static void run_batch(struct files *files, const char *url, unsigned loops)
{
    struct world_options options = world_options();
    struct moot_plan *plan = world_plan(&options, url);
    struct moot_batch_options batch_options = {
        .size = sizeof batch_options,
        .plan = plan,
        .input_path = files->input,
        .output_path = files->output,
        .concurrency = AT_ONCE,
        .loops = loops,
        .fresh = true,
    };
    struct moot_batch *batch;
    assert_int_equal(moot_batch_new(&batch_options, &batch, NULL), MOOT_OK);
    assert_int_equal(moot_batch_run(batch, NULL), MOOT_BATCH_COMPLETE);
    moot_batch_free(batch);
    moot_plan_unref(plan);
}

static void check_files(unsigned loops)
{
    struct files files = {.folder = "order-XXXXXX", .calls = -1, .results = -1};
    assert_non_null(mkdtemp(files.folder));
    snprintf(files.input, sizeof files.input, "%s/in.jsonl", files.folder);
    snprintf(files.output, sizeof files.output, "%s/out.jsonl", files.folder);
    FILE *input = fopen(files.input, "w");
    assert_non_null(input);
    for (unsigned i = 0; i < ROWS; i++)
        fprintf(input, "{\"id\":\"row%u\",\"question\":\"Row %u?\"}\n", i, i);
    assert_int_equal(fclose(input), 0);
    struct moot_emulator_options emulator = moot_emulator_options_default();
    emulator.on_request = look_at_files;
    emulator.on_request_context = &files;
    struct moot_emulator_thread_options options = {.size = sizeof options, .emulator = &emulator};
    struct moot_emulator_thread *provider;
    assert_int_equal(moot_emulator_thread_start(&options, &provider, NULL), MOOT_OK);
    run_batch(&files, moot_emulator_thread_url(provider), loops);
    moot_emulator_thread_stop(provider);
    assert_int_equal(files.judges, ROWS);
    assert_int_equal(files.oracles, ROWS);
    assert_int_equal(files.violations, 0);
    close(files.calls);
    close(files.results);
    static const char *const names[] = {"in.jsonl",        "out.jsonl",     "out.errors.jsonl",
                                        "out.calls.jsonl", "out.moot.json", "out.summary.json",
                                        "out.batch.json"};
    for (size_t i = 0; i < moot__countof(names); i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s", files.folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(files.folder), 0);
}

static void lines_are_in_the_files_before_the_next_call_arrives(void **state)
{
    (void)state;
    check_files(1);
    check_files(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_asked_before_what_was_told_lasts),
        cmocka_unit_test(nothing_leaves_while_nothing_can_last),
        cmocka_unit_test(who_waits_to_depart_may_be_cancelled),
        cmocka_unit_test(lines_are_in_the_files_before_the_next_call_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
