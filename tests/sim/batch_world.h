#ifndef MOOT_TEST_SIM_BATCH_WORLD_H
#define MOOT_TEST_SIM_BATCH_WORLD_H

/* A simulated world with a run in it that is to end: engines, feeders, tally and journal of a
 * process, a provider, and a disk. The process is killed, or the power is cut, or the disk fails
 * it; the next one goes on in the same world, with the same provider, at a later time. At last
 * everything heals, and then the run must come to its end, with every row in the files once, asked
 * again only as far as somebody was in the middle of asking.
 *
 * batch_draw.c decides what the seed means, batch_process.c is a process, batch_world.c lets them
 * follow each other, batch_check.c judges. */
#include <moot.h>

#include "bench/emulator/server.h"
#include "disk_sim.h"
#include "engine/base/rng.h"
#include "engine/batch/feeder.h"
#include "engine/batch/input.h"
#include "engine/batch/journal.h"
#include "engine/batch/writer.h"
#include "tests/support/failing_alloc.h"
#include "transport_sim.h"

enum {
    BATCH_ROWS = 60,
    BATCH_ROLES = 3,
    BATCH_LOOPS = 2,
    BATCH_RUNS = 10,
    BATCH_RULES = 3,
    BATCH_ID_BYTES = 24,
};

#define BATCH_INPUT  "in.jsonl"
#define BATCH_OUTPUT "out.jsonl"

/* How a process ends, if nothing else ends it before. */
enum batch_death { BATCH_LIVES, BATCH_KILLED, BATCH_POWER_CUT };

struct batch_run_plan {
    enum batch_death death;
    uint64_t after_ns;           /* of its life */
    uint64_t within_calls;       /* of the disk, instead; 0: not */
    uint64_t pause_ns;           /* until the next one */
    uint64_t room_bytes;         /* beyond what the files have; 0: enough */
    bool is_fresh, retry_failed; /* as the options of that name */
    struct moot_disk_sim_faults faults;
};

/* What the seed means. */
struct batch_plan {
    unsigned rows, roles, loops, runs; /* runs: after those all is healed */
    bool is_openai, is_streamed;       /* the input's dialect; the calls */
    bool has_bad_rows;                 /* a line that is no row, and an id that comes twice */
    unsigned in_flight_max;
    unsigned sync_lines;
    uint64_t sync_ns;
    uint64_t tick_ns;          /* how often a process looks after its files */
    uint64_t compact_at_bytes; /* 0: as it is */
    uint64_t rpm;              /* 0: not said */
    uint64_t row_timeout_ns;
    bool cuts_at_last, runs_after_last;
    struct moot_sim_options sim;
    struct moot_emulator_options emulator;
    struct moot_emulator_rule rules[BATCH_RULES];
    struct batch_run_plan each[BATCH_RUNS];
};

/* One step of one row. */
struct batch_turn {
    unsigned billed, retries;
    uint64_t tokens_in, tokens_out; /* as the provider counted them, if always the same */
    bool is_uneven;                 /* not always */
    bool is_asked, is_finished;     /* by the process that lives */
    bool is_written;                /* its line was, by that process */
    bool is_kept;                   /* in the files: no process may ask again */
    unsigned lost;                  /* how often a process ended in the middle of it */
};

struct batch_found {
    unsigned results, errors, calls[BATCH_ROLES];
    struct moot_row_facts facts;
};

struct batch_row {
    char id[BATCH_ID_BYTES];
    struct batch_turn turns[BATCH_ROLES];
    bool has_ended, is_written, is_kept; /* as of a turn */
    bool is_seen;                        /* in the files now */
    bool is_promised;                    /* and in them for good: a sync said so */
    struct batch_found found;            /* by the last look at the files */
};

struct batch_world;

struct batch_loop {
    struct batch_process *process;
    struct moot_transport *host;
    struct moot_engine *engine;
    struct moot_feeder feeder;
    struct moot_task pump;
    struct moot_timer tick;
    bool has_feeder, is_done, is_closed, is_host_closed;
};

/* What a process has in its memory. */
struct batch_process {
    struct batch_world *world;
    struct batch_loop loops[BATCH_LOOPS];
    struct moot_plan *plan;
    struct moot_budget *budget;
    struct moot_tally tally;
    struct moot_input input;
    struct moot_journal journal;
    struct moot_resume resume;
    struct moot_row_source source;
    struct moot_writer writer;
    bool has_tally, has_input, is_open;
    bool input_ended;
    struct {
        struct moot_syncer syncer;
        struct moot_work work;
        int handles[MOOT_JOURNAL_LOGS];
        bool is_busy;
        int error;
        enum moot_journal_log failed;
    } sync;
    struct moot_error_info info;   /* how it ended */
    enum moot_batch_status status; /* the same */
    bool is_over;                  /* it has returned its status */
};

struct batch_world {
    uint64_t seed;
    bool is_verbose;
    struct moot_rng rng; /* of the draw only */
    struct batch_plan plan;
    struct moot_sim *sim;
    struct moot_disk_sim *disk;
    struct moot_failing_alloc memory, provider_memory;
    struct moot_transport *provider_host;
    bool provider_is_closed;
    struct moot_emulator_server *server;
    const struct batch_run_plan *run; /* of the process that lives, or was the last */
    struct batch_row rows[BATCH_ROWS];
    unsigned processes, kills, cuts, failures, syncs_failed;
    unsigned strange_rows; /* lines in the files of no row that is to be asked, at the last look */
    bool may_have_gaps;    /* the power was cut, and no process has opened the files since */
    /* A sync failed where nothing could be done about it: at the start of a process, or where the
     * lines could not be cut off either. A later one promises too much. */
    bool is_hollow;
    bool has_failed;
    char failure[512];
};

/* batch_draw.c */
void batch_draw(struct batch_world *world);
void batch_describe(const struct batch_world *world);
int batch_write_config(const struct batch_world *world, uint16_t port, char *text, size_t size);
MOOT_NODISCARD int batch_write_input(const struct batch_world *world, struct moot_buf *out);
unsigned batch_bad_rows(const struct batch_world *world);

/* batch_process.c: begin, as moot_batch_run does; false: it ended at once, with its status. */
bool batch_process_begin(struct batch_process *process, const struct batch_run_plan *run);
/* After every step of the world: what a turn does at its end. */
void batch_process_end_turn(struct batch_process *process);
bool batch_process_is_through(const struct batch_process *process); /* its rows have ended */
/* Close its engines; they are from a later step. */
void batch_process_close(struct batch_process *process);
bool batch_process_is_closed(const struct batch_process *process);
void batch_process_finish(struct batch_process *process); /* the end of moot_batch_run */
void batch_process_free(struct batch_process *process);

/* batch_check.c */
void batch_fail(struct batch_world *world, const char *format, ...) MOOT_PRINTF(2, 3);
struct batch_row *batch_row_of(struct batch_world *world, struct moot_view id);
void batch_take_receipt(void *context, const struct moot_emulator_receipt *receipt);
void batch_check_opened(struct batch_world *world); /* by a process: the files are valid */
void batch_check_death(struct batch_world *world, enum batch_death death); /* before a cut */
void batch_check_ended(struct batch_world *world, const struct batch_process *process);
void batch_check_complete(struct batch_world *world); /* and on the disk for good */
void batch_check_books(struct batch_world *world);

#endif
