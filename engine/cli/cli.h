#ifndef MOOT_CLI_H
#define MOOT_CLI_H

/* The program on top of the library's public API: what all commands share. */
#include <moot/plan.h>
#include <moot/trace.h>

#include "args.h"

enum cli_exit {
    CLI_EXIT_OK = 0,            /* done; every row succeeded */
    CLI_EXIT_USAGE = 1,         /* usage or configuration, the credential, the authority */
    CLI_EXIT_FAILED = 2,        /* the answer, or some rows, failed */
    CLI_EXIT_THRESHOLD = 3,     /* --max-errors or --max-cost stopped the run */
    CLI_EXIT_INTERRUPTED = 130, /* by Ctrl-C or SIGTERM; a batch goes on where it stopped */
};

/* Load what -c names. False: it was said what is wrong with it. */
MOOT_NODISCARD bool cli_plan_load(const struct cli_args *args, struct moot_plan **out);

/* Open what --trace names; *out is NULL without it. False: it was said what is wrong. */
MOOT_NODISCARD bool cli_trace_open(const struct cli_args *args, enum moot_trace_mode mode,
                                   struct moot_trace **out);

/* Close it, say what it lacks, return how many spans it got. NULL is allowed. */
uint64_t cli_trace_close(struct moot_trace *trace);

extern const struct cli_command cli_command_ask, cli_command_batch, cli_command_check,
    cli_command_demo, cli_command_mock;

#endif
