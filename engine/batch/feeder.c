/* A row's way: source, (tally: may it begin?), conversation, line, sink. It is in flight from the
 * tally's yes until its line is with the sink; a row that leaves no line (the run ended first) is
 * begun again by the next run, with the replies that the side file kept.
 *
 * A credential or certificate that is refused before any row was answered is the run's failure, not
 * the row's: no million of lines that say the same, nothing to retry afterwards. */
#include "feeder.h"

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "row.h"

enum { LINE_BYTES_MAX = 2 * MOOT_LIMIT_ROW_BYTES };

struct moot_feed {
    struct moot_list node; /* feeder.running */
    struct moot_feeder *feeder;
    struct moot_row *row;
    struct moot_conversation *conversation;
};

void moot__feeder_init(struct moot_feeder *feeder, const struct moot_feeder_options *options)
{
    assert(options->in_flight_max > 0 && options->steps > 0);
    *feeder = (struct moot_feeder){.options = *options};
    moot__list_init(&feeder->running);
    moot__buf_init(&feeder->line, options->allocator, LINE_BYTES_MAX);
}

void moot__feeder_deinit(struct moot_feeder *feeder)
{
    assert(moot__list_is_empty(&feeder->running) && feeder->in_flight == 0);
    moot__buf_deinit(&feeder->line);
    moot__row_free(feeder->next);
    feeder->next = NULL;
}

static void fail_run(struct moot_feeder *feeder, int code, const char *what)
{
    struct moot_error_info info;
    moot__fail(&info, code, MOOT_PHASE_NONE, "%s: %s", what, moot_error_text(code));
    moot__tally_stop(feeder->options.tally, MOOT_STOP_ERROR, &info);
}

/* The line of a row is with the sink, or the run has failed. */
static int put(struct moot_feeder *feeder, enum moot_journal_log log, const struct moot_row *row,
               const struct moot_row_facts *facts)
{
    struct moot_journal_entry entry = {
        .log = log,
        .line = moot__buf_view(&feeder->line),
        .key = row->key,
    };
    if (facts)
        entry.facts = *facts;
    int rc = feeder->options.sink->put(feeder->options.sink, &entry);
    if (rc != MOOT_OK)
        fail_run(feeder, rc, "results cannot be recorded");
    return rc;
}

/* Write how a row ended; without an outcome, what is wrong with it. */
static void record(struct moot_feeder *feeder, const struct moot_row *row,
                   const struct moot_outcome *outcome)
{
    struct moot_row_facts facts;
    const struct moot_error_info *error = outcome ? &outcome->error : &row->error;
    moot__row_facts(row, outcome, &facts);
    moot__buf_reset(&feeder->line);
    bool is_answer = error->code == MOOT_OK;
    int rc = is_answer ? moot__row_write_result(row, outcome, &facts, &feeder->line)
                       : moot__row_write_error(row, error, &facts, &feeder->line);
    struct moot_error_info too_long;
    if (rc == MOOT_ELIMIT && is_answer) {
        moot__fail(&too_long, rc, MOOT_PHASE_NONE, "the answer is too long for a line");
        facts.code = rc;
        is_answer = false;
        rc = moot__row_write_error(row, &too_long, &facts, &feeder->line);
    }
    if (rc != MOOT_OK)
        fail_run(feeder, rc, "a line could not be written");
    else
        rc = put(feeder, is_answer ? MOOT_JOURNAL_RESULTS : MOOT_JOURNAL_ERRORS, row, &facts);
    if (rc == MOOT_OK)
        moot__tally_end(feeder->options.tally, &facts, row->cost_most);
    else
        moot__tally_give_up(feeder->options.tally, row->cost_most);
}

/* What fails every row alike, and what the user can do about it; NULL of anything else. */
static const char *way_out(int code)
{
    switch (code) {
    case MOOT_EAUTH:
    case MOOT_ECREDENTIAL:
        return "check the provider's api_key or its variable";
    case MOOT_ECERT:
        return "name the authority to trust with --ca FILE";
    default:
        return NULL;
    }
}

/* Is it the run that has failed? */
static bool is_refused(struct moot_feeder *feeder, const struct moot_error_info *error)
{
    struct moot_batch_progress counts;
    const char *way = way_out(error->code);
    if (!way)
        return false;
    moot__tally_counts(feeder->options.tally, &counts);
    if (counts.rows_succeeded > 0)
        return false;
    struct moot_error_info of_run = *error, said;
    moot__fail(&said, error->code, error->phase, "%s; no row was answered: %s", error->message,
               way);
    memcpy(of_run.message, said.message, sizeof of_run.message);
    moot__tally_stop(feeder->options.tally, MOOT_STOP_ERROR, &of_run);
    return true;
}

/* A provider has answered nobody for too long. The rows are as they were: the run stops. */
static bool is_outage(struct moot_feeder *feeder, const struct moot_error_info *error)
{
    if (error->code != MOOT_EOUTAGE)
        return false;
    moot__tally_stop(feeder->options.tally, MOOT_STOP_THRESHOLD, error);
    return true;
}

static void free_feed(struct moot_feed *feed)
{
    struct moot_feeder *feeder = feed->feeder;
    moot__list_remove(&feed->node);
    moot__row_free(feed->row);
    moot__free(feeder->options.allocator, feed);
    assert(feeder->in_flight > 0);
    feeder->in_flight--;
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct moot_feed *feed = data;
    struct moot_feeder *feeder = feed->feeder;
    moot__ignore(conversation);
    if (outcome->error.code == MOOT_ECANCELED || is_refused(feeder, &outcome->error) ||
        is_outage(feeder, &outcome->error))
        moot__tally_give_up(feeder->options.tally, feed->row->cost_most);
    else
        record(feeder, feed->row, outcome);
    free_feed(feed);
    moot__feeder_pump(feeder);
}

/* A call that is not the row's last is kept, should the row not come to its end. */
static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct moot_feed *feed = data;
    struct moot_feeder *feeder = feed->feeder;
    moot__ignore(conversation);
    if (event->type == MOOT_EVENT_RETRY && event->error && event->error->code == MOOT_ETHROTTLED)
        moot__tally_throttled(feeder->options.tally);
    if (event->type != MOOT_EVENT_AGENT_FINISHED || event->agent + 1 >= feeder->options.steps)
        return;
    moot__buf_reset(&feeder->line);
    int rc = moot__call_write(feed->row, event->agent, event->reply, &feeder->line);
    if (rc == MOOT_OK)
        moot__ignore(put(feeder, MOOT_JOURNAL_CALLS, feed->row, NULL));
    else if (rc != MOOT_ELIMIT) /* a call too long for a line is asked again after a crash */
        fail_run(feeder, rc, "a line could not be written");
}

static int begin(struct moot_feeder *feeder, struct moot_row *row)
{
    const struct moot_feeder_options *options = &feeder->options;
    struct moot_feed *feed = moot__calloc(options->allocator, 1, sizeof *feed);
    if (!feed)
        return MOOT_ENOMEM;
    feed->feeder = feeder;
    feed->row = row;
    moot__list_init(&feed->node);
    struct moot_conversation_options conversation = {
        .size = sizeof conversation,
        .messages = row->messages,
        .message_count = row->message_count,
        .params = row->params,
        .name = row->id,
        .replies = row->replies,
        /* Never the last one's: that row would have ended. */
        .reply_count = row->reply_count < options->steps ? row->reply_count : options->steps - 1,
        .stream = options->stream,
        .work_limit_ns = options->row_timeout_ns,
        .outage_limit_ns = options->outage_max_ns,
        /* Tokens are shown to nobody, so an answer that breaks off may be asked for again. */
        .events = MOOT_EVENT_BIT(MOOT_EVENT_AGENT_FINISHED) | MOOT_EVENT_BIT(MOOT_EVENT_RETRY),
        .on_event = on_event,
        .on_done = on_done,
        .data = feed,
    };
    int rc = options->engine.begin(options->engine.engine, &conversation, &feed->conversation);
    if (rc != MOOT_OK) {
        moot__free(options->allocator, feed);
        return rc;
    }
    moot__list_push_back(&feeder->running, &feed->node);
    feeder->in_flight++;
    return MOOT_OK;
}

/* One row that the tally has let pass. */
static void feed_row(struct moot_feeder *feeder, struct moot_row *row)
{
    int rc = row->error.code == MOOT_OK ? begin(feeder, row) : row->error.code;
    if (rc == MOOT_OK)
        return;
    if (row->error.code != MOOT_OK) {
        record(feeder, row, NULL);
    } else if (rc == MOOT_ENOMEM || rc == MOOT_EBUSY) {
        moot__tally_give_up(feeder->options.tally, row->cost_most);
        fail_run(feeder, rc, "a conversation could not be begun");
    } else {
        moot__fail_at(&row->error, MOOT_EINPUT, row->line, 0, "the row cannot be asked: %s",
                      moot_error_text(rc));
        record(feeder, row, NULL);
    }
    moot__row_free(row);
}

/* The next row, if there is one: only then does it matter whether it may begin. */
static bool peek_row(struct moot_feeder *feeder)
{
    const struct moot_feeder_options *options = &feeder->options;
    if (feeder->next)
        return true;
    int rc = options->source->next(options->source, &feeder->next);
    if (rc == MOOT_OK && options->cost_most)
        feeder->next->cost_most = options->cost_most(feeder->next, options->cost_data);
    if (rc == MOOT_OK || rc == MOOT_EAGAIN)
        return rc == MOOT_OK;
    if (rc != MOOT_ENOTFOUND)
        fail_run(feeder, rc, "the input cannot be read");
    feeder->ended = true;
    return false;
}

/* Begin one row; false when the feeder has to wait, or is through. */
static bool begin_row(struct moot_feeder *feeder)
{
    if (feeder->in_flight >= feeder->options.in_flight_max || !peek_row(feeder))
        return false;
    enum moot_tally_verdict verdict =
        moot__tally_ask(feeder->options.tally, feeder->next->cost_most);
    if (verdict != MOOT_TALLY_GO) {
        feeder->ended = verdict == MOOT_TALLY_STOP;
        return false;
    }
    struct moot_row *row = feeder->next;
    feeder->next = NULL;
    feed_row(feeder, row);
    return true;
}

static void cancel_all(struct moot_feeder *feeder)
{
    feeder->cancelled = true;
    MOOT_LIST_FOREACH (node, &feeder->running) {
        struct moot_feed *feed = moot__list_entry(node, struct moot_feed, node);
        feeder->options.engine.cancel(feed->conversation);
    }
}

/* No row begins any more: those that wait for their first call have not begun either. */
static void drain(struct moot_feeder *feeder)
{
    feeder->ended = feeder->drained = true;
    MOOT_LIST_FOREACH (node, &feeder->running) {
        struct moot_feed *feed = moot__list_entry(node, struct moot_feed, node);
        if (!feeder->options.engine.has_called(feed->conversation))
            feeder->options.engine.cancel(feed->conversation);
    }
}

/* May rows begin? Asked also when none will: those that run cannot go on without the sink. */
static bool has_sink(struct moot_feeder *feeder)
{
    int rc = feeder->options.sink->status(feeder->options.sink);
    if (rc != MOOT_OK && rc != MOOT_EAGAIN)
        fail_run(feeder, rc, "results cannot be recorded");
    return rc != MOOT_EAGAIN;
}

/* While no row begins any more, nobody waits for a provider that fails. */
static void let_go(struct moot_feeder *feeder)
{
    MOOT_LIST_FOREACH (node, &feeder->running) {
        struct moot_feed *feed = moot__list_entry(node, struct moot_feed, node);
        if (feeder->options.engine.is_held_up &&
            feeder->options.engine.is_held_up(feed->conversation))
            feeder->options.engine.cancel(feed->conversation);
    }
}

void moot__feeder_pump(struct moot_feeder *feeder)
{
    if (feeder->done || feeder->pumping)
        return;
    feeder->pumping = true;
    bool may_begin = has_sink(feeder);
    while (may_begin && !feeder->ended && begin_row(feeder))
        ;
    if (!feeder->drained && moot__tally_stopped(feeder->options.tally, NULL) != MOOT_STOP_NONE)
        drain(feeder);
    if (feeder->drained)
        let_go(feeder);
    if (!feeder->cancelled && moot__tally_is_cancelled(feeder->options.tally))
        cancel_all(feeder);
    feeder->pumping = false;
    if (feeder->ended && feeder->in_flight == 0) {
        feeder->done = true;
        feeder->options.on_done(feeder->options.data);
    }
}
