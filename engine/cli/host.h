#ifndef MOOT_CLI_HOST_H
#define MOOT_CLI_HOST_H

/* An engine inside the program's own loop: one poll over the engine's descriptor and the signals.
 * With it, commands on one conversation at a time have neither threads nor locks. */
#include <moot/engine.h>
#include <moot/trace.h>
#include <stdbool.h>

struct cli_host_options {
    struct moot_plan *plan;
    int signals;              /* from cli_signals_open; or -1: none */
    const char *ca_file;      /* NULL: the system's authorities */
    struct moot_trace *trace; /* NULL: none */
};

struct cli_host {
    struct moot_engine *engine;
    int signals;
    unsigned interrupts; /* Ctrl-C and SIGTERM so far */
    bool is_closed;
};

/* Plan, signals and trace must outlive the host. False: it was said why not, and nothing has to be
 * stopped. */
MOOT_NODISCARD bool cli_host_start(struct cli_host *host, const struct cli_host_options *options);

/* Wait until something happens, and let the engine work on it. The second interrupt ends the
 * program at once. */
void cli_host_turn(struct cli_host *host);

/* Close the engine. */
void cli_host_stop(struct cli_host *host);

#endif
