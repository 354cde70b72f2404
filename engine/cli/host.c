#include "host.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
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

static bool open_engine(struct cli_host *host, const struct cli_host_options *options)
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
    if (moot_engine_new(&engine, &host->engine, &info) == MOOT_OK)
        return true;
    cli_error_info(NULL, &info);
    return false;
}

bool cli_host_start(struct cli_host *host, const struct cli_host_options *options)
{
    *host = (struct cli_host){.signals = cli_signals_open()};
    if (host->signals < 0) {
        cli_error("no descriptor is left: %s", strerror(errno));
        return false;
    }
    if (open_engine(host, options))
        return true;
    cli_signals_close(host->signals);
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
    cli_signals_close(host->signals);
}
