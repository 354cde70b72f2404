#ifndef MOOT_CLI_SPEAKER_H
#define MOOT_CLI_SPEAKER_H

/* A conversation as people read it: who speaks is a heading on standard error, the last role's
 * answer is standard output, what came before it is dim on a terminal's standard error. With
 * `show_all` every answer is standard output. */
#include <moot/conversation.h>
#include <stdbool.h>

#include "out.h"

struct cli_speaker {
    size_t steps; /* of the flow */
    bool show_all;
    bool is_quiet;  /* nothing is shown but errors */
    FILE *headings; /* NULL: standard error */
    FILE *to;       /* of the role that speaks; NULL: it is not shown */
    bool to_terminal;
    bool has_spoken; /* this role: something was shown */
    char last;       /* byte that was shown */
};

/* For moot_conversation_options.on_event. */
void cli_speaker_event(struct cli_speaker *speaker, const struct moot_event *event);

/* End a line that is still open. */
void cli_speaker_finish(struct cli_speaker *speaker);

/* The outcome as a line of JSON on standard output. */
void cli_outcome_json(const struct moot_outcome *outcome);

/* Why there is no answer, on standard error. */
void cli_outcome_error(const struct moot_outcome *outcome);

#endif
