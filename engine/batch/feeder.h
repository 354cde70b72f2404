#ifndef MOOT_BATCH_FEEDER_H
#define MOOT_BATCH_FEEDER_H

/* One engine's share of a run: takes rows from a source, begins a conversation for each, writes how
 * it ended to a sink. Knows neither files nor threads: a run puts a reader thread, a writer thread
 * and real engines around it; a simulation puts arrays and its own transport. Everything here runs
 * on the engine's thread. */
#include <moot/conversation.h>

#include "engine/base/buf.h"
#include "engine/base/list.h"
#include "journal.h"
#include "row.h"
#include "tally.h"

/* Where rows come from. */
struct moot_row_source {
    /* MOOT_OK and a row, now the caller's. MOOT_EAGAIN: none now; the run pumps the feeder when
     * there is. MOOT_ENOTFOUND: no more. Anything else: broken for good. */
    int (*next)(struct moot_row_source *source, struct moot_row **out);
};

/* Where lines go. */
struct moot_row_sink {
    /* Takes a copy. MOOT_ENOMEM, or the error that an earlier line met. */
    int (*put)(struct moot_row_sink *sink, const struct moot_journal_entry *entry);
    /* MOOT_OK; MOOT_EAGAIN: too much is waiting to be written, the run pumps the feeder when that
     * is over; or the error that ended it: then no row may begin. */
    int (*status)(struct moot_row_sink *sink);
};

/* What conversations are begun with: the engine's own functions, or a test's. */
struct moot_feeder_engine {
    int (*begin)(struct moot_engine *engine, const struct moot_conversation_options *options,
                 struct moot_conversation **out);
    void (*cancel)(struct moot_conversation *conversation);
    bool (*has_called)(const struct moot_conversation *conversation);
    bool (*is_held_up)(const struct moot_conversation *conversation); /* by an outage; or NULL */
    struct moot_engine *engine;
};

struct moot_feeder_options {
    const struct moot_allocator *allocator;
    struct moot_feeder_engine engine;
    struct moot_row_source *source;
    struct moot_row_sink *sink;
    struct moot_tally *tally;
    unsigned in_flight_max; /* conversations open at once */
    unsigned steps;         /* of the plan's flow: the last one's answer is no side line */
    bool stream;
    uint64_t row_timeout_ns;
    uint64_t outage_max_ns;
    /* The most that a row can cost; 0: nobody knows. NULL: nobody asks. */
    double (*cost_most)(const struct moot_row *row, const void *data);
    const void *cost_data;
    void (*on_done)(void *data); /* nothing runs and nothing will begin; once */
    void *data;
};

struct moot_feeder {
    struct moot_feeder_options options;
    struct moot_list running;
    struct moot_row
        *next; /* taken from the source, not begun; the next run begins it if we do not */
    unsigned in_flight;
    struct moot_buf line; /* the one in work */
    bool ended;           /* no row will begin */
    bool pumping, drained, cancelled, done;
};

void moot__feeder_init(struct moot_feeder *feeder, const struct moot_feeder_options *options);
void moot__feeder_deinit(struct moot_feeder *feeder); /* done, or never pumped */

/* Begin what may begin, or end what must: at the start, when the source or the sink is ready again,
 * when the tally stopped or cancelled the run. May call on_done. */
void moot__feeder_pump(struct moot_feeder *feeder);

#endif
