#ifndef MOOT_BATCH_TALLY_H
#define MOOT_BATCH_TALLY_H

/* What the engines of one run share: counts, and the decision whether another row may begin. Every
 * function takes the lock; any thread. */
#include <moot/batch.h>
#include <pthread.h>

#include "row.h"

enum moot_tally_verdict {
    MOOT_TALLY_GO,
    MOOT_TALLY_WAIT, /* until a row ends: what is under way may use up the rest of the money */
    MOOT_TALLY_STOP, /* for good */
};

/* Why no row begins any more; the first reason stays, but an error overrides the others. */
enum moot_tally_stop {
    MOOT_STOP_NONE,
    MOOT_STOP_INTERRUPT,
    MOOT_STOP_THRESHOLD,
    MOOT_STOP_ERROR, /* what runs is ended as well */
};

struct moot_tally_limits {
    bool has_errors_max;
    uint64_t errors_max;
    double errors_percent_max, cost_max;
};

struct moot_tally {
    struct moot_tally_limits limits;
    struct {
        pthread_mutex_t mutex;
        struct moot_batch_progress counts;
        double cost_before; /* of earlier runs, within counts.cost */
        double reserved;    /* the most that the rows in flight can cost */
        enum moot_tally_stop stop;
        bool cancel;
        struct moot_error_info why;
    } synced;
};

MOOT_NODISCARD int moot__tally_init(struct moot_tally *tally,
                                    const struct moot_tally_limits *limits);
void moot__tally_deinit(struct moot_tally *tally);
void moot__tally_earlier_cost(struct moot_tally *tally, double cost);

/* May a row begin that costs `most` at most (US dollars; 0: nobody knows)? On GO it is in flight,
 * and that much is reserved: it ends by moot__tally_end or moot__tally_give_up, told the same. */
enum moot_tally_verdict moot__tally_ask(struct moot_tally *tally, double most);
void moot__tally_give_up(struct moot_tally *tally, double most); /* it leaves no line */

/* It leaves a line. */
void moot__tally_end(struct moot_tally *tally, const struct moot_row_facts *facts, double most);
void moot__tally_throttled(struct moot_tally *tally);

void moot__tally_stop(struct moot_tally *tally, enum moot_tally_stop stop,
                      const struct moot_error_info *why);
void moot__tally_cancel(struct moot_tally *tally); /* end what runs, too */
bool moot__tally_is_cancelled(struct moot_tally *tally);
enum moot_tally_stop moot__tally_stopped(struct moot_tally *tally, struct moot_error_info *why);
void moot__tally_counts(struct moot_tally *tally, struct moot_batch_progress *out);

#endif
