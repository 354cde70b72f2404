#ifndef MOOT_CLI_PROGRESS_H
#define MOOT_CLI_PROGRESS_H

/* Where a batch is, on standard error: a block that is drawn again and again on a terminal, a line
 * now and then elsewhere, or a line of JSON. */
#include <moot/batch.h>
#include <stdio.h>

/* The first four in the order of --progress. */
enum cli_progress_mode {
    CLI_PROGRESS_AUTO,
    CLI_PROGRESS_PLAIN,
    CLI_PROGRESS_JSON,
    CLI_PROGRESS_OFF,
    CLI_PROGRESS_BLOCK, /* what AUTO is on a terminal */
};

struct cli_progress {
    enum cli_progress_mode mode;
    FILE *out;
    int columns;    /* of the terminal; 0: ask it */
    bool has_drawn; /* there is a block to draw over */
    /* Speeds, of the last seconds. */
    uint64_t last_ns, last_rows, last_tokens;
    double rows_per_s, tokens_per_s;
};

/* Resolve AUTO, and start at nothing. */
void cli_progress_init(struct cli_progress *progress, enum cli_progress_mode mode, FILE *out);

/* How often it wants to be told. */
uint64_t cli_progress_interval_ns(const struct cli_progress *progress);

void cli_progress_show(struct cli_progress *progress, const struct moot_batch_progress *now);

/* How it ended, in one line; in JSON mode it is the last. */
void cli_progress_finish(struct cli_progress *progress, const struct moot_batch_progress *now,
                         enum moot_batch_status status);

/* "complete", "some_failed", "threshold", "interrupted", "error". */
const char *cli_batch_status_name(enum moot_batch_status status);

struct cli_json;
void cli_progress_json(struct cli_json *json, const struct moot_batch_progress *now);

#endif
