#include "host.h"

#include <poll.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"
#include "signals.h"

/* The library's log: only what a user can act on. */
static void on_log(void *context, enum moot_log_level level, struct moot_view message)
{
    (void)context;
    if (level >= MOOT_LOG_WARNING)
        cli_error("%.*s", (int)message.len, message.ptr);
}

bool cli_host_start(struct cli_host *host, const struct cli_host_options *options)
{
    struct moot_error_info info;
    struct moot_engine_options engine = {
        .size = sizeof engine,
        .plan = options->plan,
        .mode = MOOT_ENGINE_EMBEDDED,
        .ca_file = options->ca_file,
        .trace = options->trace,
        .log = on_log,
    };
    *host = (struct cli_host){.signals = options->signals};
    if (moot_engine_new(&engine, &host->engine, &info) == MOOT_OK)
        return true;
    cli_error_info(NULL, &info);
    return false;
}

void cli_host_turn(struct cli_host *host)
{
    struct pollfd entries[] = {
        {.fd = moot_engine_fd(host->engine), .events = POLLIN},
        {.fd = host->signals, .events = POLLIN},
    };
    int ready = poll(entries, 2, moot_engine_timeout_ms(host->engine));
    if (ready > 0 && entries[1].revents)
        host->interrupts += cli_signals_take(host->signals);
    if (host->interrupts > 1)
        _exit(CLI_EXIT_INTERRUPTED);
    moot_engine_turn(host->engine);
}

static void on_closed(void *data)
{
    ((struct cli_host *)data)->is_closed = true;
}

void cli_host_stop(struct cli_host *host)
{
    moot_engine_close(host->engine, on_closed, host);
    while (!host->is_closed)
        cli_host_turn(host);
}
