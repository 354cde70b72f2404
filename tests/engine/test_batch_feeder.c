/* The feeder between a source, a sink and an engine that are arrays. */
#include "tests/support/test.h"

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/batch/feeder.h"

enum { ROWS = 8 };

struct moot_conversation {
    struct moot_conversation_options options;
    bool is_open, is_cancelled, has_called, is_held_up;
};

struct fixture {
    struct moot_row_source source;
    struct moot_row_sink sink;
    struct moot_tally tally;
    struct moot_feeder feeder;
    struct moot_feeder_options options;
    unsigned given, rows, open, begun, done;
    bool source_waits;
    int begin_rc, put_rc, status_rc;
    unsigned lines[MOOT_JOURNAL_LOGS];
    struct moot_conversation talks[ROWS];
};

static struct fixture *fixture_of(struct moot_engine *engine)
{
    return (struct fixture *)(void *)engine;
}

static int next(struct moot_row_source *source, struct moot_row **out)
{
    struct fixture *f = moot__container_of(source, struct fixture, source);
    char text[64];
    if (f->source_waits)
        return MOOT_EAGAIN;
    if (f->given == f->rows)
        return MOOT_ENOTFOUND;
    snprintf(text, sizeof text, "{\"id\":%u,\"prompt\":\"q\"}", f->given++);
    struct moot_row_line line = {.text = moot__view_str(text), .number = f->given};
    line.dialect = moot__row_sniff(NULL, line.text, NULL);
    return moot__row_new(NULL, &line, out);
}

static int put(struct moot_row_sink *sink, const struct moot_journal_entry *entry)
{
    struct fixture *f = moot__container_of(sink, struct fixture, sink);
    if (f->put_rc == MOOT_OK)
        f->lines[entry->log]++;
    return f->put_rc;
}

static int status(struct moot_row_sink *sink)
{
    return moot__container_of(sink, struct fixture, sink)->status_rc;
}

static int begin(struct moot_engine *engine, const struct moot_conversation_options *options,
                 struct moot_conversation **out)
{
    struct fixture *f = fixture_of(engine);
    if (f->begin_rc != MOOT_OK)
        return f->begin_rc;
    assert_true(f->begun < ROWS);
    *out = &f->talks[f->begun++];
    **out = (struct moot_conversation){.options = *options, .is_open = true, .has_called = true};
    f->open++;
    return MOOT_OK;
}

static void cancel(struct moot_conversation *conversation)
{
    conversation->is_cancelled = true;
}

static bool has_called(const struct moot_conversation *conversation)
{
    return conversation->has_called;
}

static bool is_held_up(const struct moot_conversation *conversation)
{
    return conversation->is_held_up;
}

static void on_done(void *data)
{
    ((struct fixture *)data)->done++;
}

/* The n-th conversation ends. */
static void end(struct fixture *f, unsigned n, int code, double cost)
{
    struct moot_conversation *talk = &f->talks[n];
    struct moot_outcome outcome = {.text = {"A", 1}, .cost = cost};
    assert_true(talk->is_open);
    talk->is_open = false;
    f->open--;
    if (code != MOOT_OK)
        moot__fail(&outcome.error, code, MOOT_PHASE_BODY, "why");
    talk->options.on_done(talk, &outcome, talk->options.data);
}

static void set_limits(struct fixture *f, const struct moot_tally_limits *limits)
{
    moot__tally_deinit(&f->tally);
    assert_int_equal(moot__tally_init(&f->tally, limits), MOOT_OK);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.source = {next}, .sink = {.put = put, .status = status}, .rows = 5};
    assert_int_equal(moot__tally_init(&f.tally, &(struct moot_tally_limits){0}), MOOT_OK);
    f.options = (struct moot_feeder_options){
        .engine = {begin, cancel, has_called, is_held_up, (struct moot_engine *)(void *)&f},
        .source = &f.source,
        .sink = &f.sink,
        .tally = &f.tally,
        .in_flight_max = 2,
        .steps = 2,
        .on_done = on_done,
        .data = &f,
    };
    moot__feeder_init(&f.feeder, &f.options);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->open, 0);
    assert_int_equal(f->done, 1);
    struct moot_batch_progress counts;
    moot__tally_counts(&f->tally, &counts);
    assert_int_equal(counts.rows_in_flight, 0);
    moot__feeder_deinit(&f->feeder);
    moot__tally_deinit(&f->tally);
    return 0;
}

static void keeps_as_many_open_as_allowed(void **state)
{
    struct fixture *f = *state;
    moot__feeder_pump(&f->feeder);
    for (unsigned n = 0; n < 5; n++) {
        assert_int_equal(f->open, n < 4 ? 2 : 1);
        assert_int_equal(f->done, 0);
        end(f, n, n == 2 ? MOOT_ETIMEDOUT : MOOT_OK, 0);
    }
    assert_int_equal(f->lines[MOOT_JOURNAL_RESULTS], 4);
    assert_int_equal(f->lines[MOOT_JOURNAL_ERRORS], 1);
    moot__feeder_pump(&f->feeder);
}

static void waits_for_the_source_and_the_sink(void **state)
{
    struct fixture *f = *state;
    f->source_waits = true;
    moot__feeder_pump(&f->feeder);
    assert_int_equal(f->begun, 0);
    f->source_waits = false;
    f->status_rc = MOOT_EAGAIN;
    moot__feeder_pump(&f->feeder);
    assert_int_equal(f->begun, 0);
    f->status_rc = MOOT_OK;
    moot__feeder_pump(&f->feeder);
    for (unsigned n = 0; n < 5; n++)
        end(f, n, MOOT_OK, 0);
}

static void only_calls_before_the_last_are_kept(void **state)
{
    struct fixture *f = *state;
    struct moot_agent_reply reply = {.text = {"t", 1}};
    f->rows = 1;
    moot__feeder_pump(&f->feeder);
    for (unsigned agent = 0; agent < 2; agent++) {
        struct moot_event event = {
            .type = MOOT_EVENT_AGENT_FINISHED, .agent = agent, .reply = &reply};
        f->talks[0].options.on_event(&f->talks[0], &event, f->talks[0].options.data);
        assert_int_equal(f->lines[MOOT_JOURNAL_CALLS], 1);
    }
    end(f, 0, MOOT_OK, 0);
}

static void a_drain_lets_rows_finish_and_a_cancel_ends_them(void **state)
{
    struct fixture *f = *state;
    moot__feeder_pump(&f->feeder);
    moot__tally_stop(&f->tally, MOOT_STOP_INTERRUPT, NULL);
    moot__feeder_pump(&f->feeder);
    end(f, 0, MOOT_OK, 0);
    assert_int_equal(f->begun, 2);
    assert_false(f->talks[1].is_cancelled);
    moot__tally_cancel(&f->tally);
    moot__feeder_pump(&f->feeder);
    assert_true(f->talks[1].is_cancelled);
    end(f, 1, MOOT_ECANCELED, 0);
    assert_int_equal(f->lines[MOOT_JOURNAL_RESULTS], 1);
    assert_int_equal(f->lines[MOOT_JOURNAL_ERRORS], 0);
}

static void a_drain_gives_up_rows_that_have_not_called(void **state)
{
    struct fixture *f = *state;
    moot__feeder_pump(&f->feeder);
    f->talks[1].has_called = false;
    moot__tally_stop(&f->tally, MOOT_STOP_INTERRUPT, NULL);
    moot__feeder_pump(&f->feeder);
    assert_false(f->talks[0].is_cancelled);
    assert_true(f->talks[1].is_cancelled);
    end(f, 1, MOOT_ECANCELED, 0);
    end(f, 0, MOOT_OK, 0);
    assert_int_equal(f->lines[MOOT_JOURNAL_RESULTS], 1);
    assert_int_equal(f->lines[MOOT_JOURNAL_ERRORS], 0);
}

static void a_line_that_cannot_be_kept_ends_everything(void **state)
{
    struct fixture *f = *state;
    struct moot_error_info why;
    moot__feeder_pump(&f->feeder);
    f->put_rc = MOOT_ENOSPC;
    end(f, 0, MOOT_OK, 0);
    assert_true(f->talks[1].is_cancelled);
    assert_int_equal(f->begun, 2);
    assert_int_equal(moot__tally_stopped(&f->tally, &why), MOOT_STOP_ERROR);
    assert_int_equal(why.code, MOOT_ENOSPC);
    end(f, 1, MOOT_ECANCELED, 0);
}

static void a_row_that_cannot_begin_fails_alone(void **state)
{
    struct fixture *f = *state;
    f->begin_rc = MOOT_ELIMIT;
    moot__feeder_pump(&f->feeder);
    assert_int_equal(f->lines[MOOT_JOURNAL_ERRORS], 5);
}

static void no_memory_for_a_conversation_fails_the_run(void **state)
{
    struct fixture *f = *state;
    f->begin_rc = MOOT_ENOMEM;
    moot__feeder_pump(&f->feeder);
    assert_int_equal(f->lines[MOOT_JOURNAL_ERRORS], 0);
    assert_int_equal(moot__tally_stopped(&f->tally, NULL), MOOT_STOP_ERROR);
}

static void the_cost_limit_reserves_what_is_in_flight(void **state)
{
    struct fixture *f = *state;
    struct moot_error_info why;
    set_limits(f, &(struct moot_tally_limits){.cost_max = 3.0});
    moot__feeder_pump(&f->feeder);
    end(f, 0, MOOT_OK, 1.0); /* one spent, one in flight: a third fits */
    assert_int_equal(f->begun, 3);
    end(f, 1, MOOT_OK, 1.0); /* two spent, one in flight: a fourth waits */
    assert_int_equal(f->begun, 3);
    assert_int_equal(moot__tally_stopped(&f->tally, NULL), MOOT_STOP_NONE);
    end(f, 2, MOOT_OK, 0.5); /* 2.5 spent, a mean row more would pass */
    assert_int_equal(f->begun, 3);
    assert_int_equal(moot__tally_stopped(&f->tally, &why), MOOT_STOP_THRESHOLD);
    assert_int_equal(why.code, MOOT_EBUDGET);
}

static double four_at_most(const struct moot_row *row, const void *data)
{
    assert_non_null(row);
    assert_null(data);
    return 4.0;
}

static void the_cost_limit_reserves_what_a_row_can_cost(void **state)
{
    struct fixture *f = *state;
    struct moot_error_info why;
    set_limits(f, &(struct moot_tally_limits){.cost_max = 9.0});
    f->feeder.options.cost_most = four_at_most;
    f->feeder.options.in_flight_max = 5;
    moot__feeder_pump(&f->feeder);
    assert_int_equal(f->begun, 2); /* 8 are reserved */
    end(f, 0, MOOT_OK, 1.0);       /* 1 spent, 4 reserved: another fits */
    assert_int_equal(f->begun, 3);
    end(f, 1, MOOT_ECANCELED, 0); /* gives back what it reserved */
    assert_int_equal(f->begun, 4);
    end(f, 2, MOOT_OK, 4.0);
    assert_int_equal(moot__tally_stopped(&f->tally, NULL), MOOT_STOP_NONE);
    end(f, 3, MOOT_OK, 1.0); /* 6 spent: nothing runs, and 4 more would pass */
    assert_int_equal(f->begun, 4);
    assert_int_equal(moot__tally_stopped(&f->tally, &why), MOOT_STOP_THRESHOLD);
    assert_int_equal(why.code, MOOT_EBUDGET);
    assert_non_null(strstr(why.message, "it may cost 4"));
}

/* The limit is met by the last row: nothing was held back, so nothing was stopped. */
static void a_run_that_costs_just_its_limit_is_complete(void **state)
{
    struct fixture *f = *state;
    f->rows = 3;
    set_limits(f, &(struct moot_tally_limits){.cost_max = 3.0});
    moot__feeder_pump(&f->feeder);
    for (unsigned n = 0; n < 3; n++)
        end(f, n, MOOT_OK, 1.0);
    assert_int_equal(f->lines[MOOT_JOURNAL_RESULTS], 3);
    assert_int_equal(moot__tally_stopped(&f->tally, NULL), MOOT_STOP_NONE);
}

/* A row that was taken from the source and may not begin is nobody's any more, and is not lost. */
static void a_row_that_waits_for_money_begins_when_there_is_some(void **state)
{
    struct fixture *f = *state;
    f->rows = 3;
    set_limits(f, &(struct moot_tally_limits){.cost_max = 3.0});
    moot__feeder_pump(&f->feeder);
    end(f, 0, MOOT_OK, 1.2); /* another one like it would fit, but not two */
    assert_int_equal(f->begun, 2);
    assert_int_equal(f->given, 3);
    end(f, 1, MOOT_OK, 0.2);
    assert_int_equal(f->begun, 3);
    end(f, 2, MOOT_OK, 0.2);
    assert_int_equal(f->done, 1);
}

static void an_outage_stops_the_run_and_leaves_its_rows_as_they_were(void **state)
{
    struct fixture *f = *state;
    struct moot_error_info why;
    moot__feeder_pump(&f->feeder);
    f->talks[1].is_held_up = true;
    end(f, 0, MOOT_EOUTAGE, 0);
    assert_int_equal(moot__tally_stopped(&f->tally, &why), MOOT_STOP_THRESHOLD);
    assert_int_equal(why.code, MOOT_EOUTAGE);
    assert_int_equal(f->lines[MOOT_JOURNAL_ERRORS], 0);
    assert_true(f->talks[1].is_cancelled);
    end(f, 1, MOOT_ECANCELED, 0);
    assert_int_equal(f->done, 1);
}

static void a_drain_waits_for_no_outage(void **state)
{
    struct fixture *f = *state;
    moot__feeder_pump(&f->feeder);
    moot__tally_stop(&f->tally, MOOT_STOP_INTERRUPT, NULL);
    moot__feeder_pump(&f->feeder);
    assert_false(f->talks[0].is_cancelled);
    f->talks[0].is_held_up = true; /* its call has failed meanwhile */
    moot__feeder_pump(&f->feeder);
    assert_true(f->talks[0].is_cancelled);
    assert_false(f->talks[1].is_cancelled);
    end(f, 0, MOOT_ECANCELED, 0);
    end(f, 1, MOOT_OK, 0);
    assert_int_equal(f->done, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_as_many_open_as_allowed),
        TEST(waits_for_the_source_and_the_sink),
        TEST(only_calls_before_the_last_are_kept),
        TEST(a_drain_lets_rows_finish_and_a_cancel_ends_them),
        TEST(a_drain_gives_up_rows_that_have_not_called),
        TEST(a_line_that_cannot_be_kept_ends_everything),
        TEST(a_row_that_cannot_begin_fails_alone),
        TEST(no_memory_for_a_conversation_fails_the_run),
        TEST(the_cost_limit_reserves_what_is_in_flight),
        TEST(the_cost_limit_reserves_what_a_row_can_cost),
        TEST(a_run_that_costs_just_its_limit_is_complete),
        TEST(a_row_that_waits_for_money_begins_when_there_is_some),
        TEST(an_outage_stops_the_run_and_leaves_its_rows_as_they_were),
        TEST(a_drain_waits_for_no_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
