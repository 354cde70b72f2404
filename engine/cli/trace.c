#include <moot/trace.h>

#include <inttypes.h>

#include "cli.h"
#include "out.h"

bool cli_trace_open(const struct cli_args *args, enum moot_trace_mode mode, struct moot_trace **out)
{
    struct moot_trace_options options = {
        .size = sizeof options,
        .path = cli_args_text(args, CLI_TRACE),
        .mode = mode,
        .content = cli_args_flag(args, CLI_TRACE_CONTENT),
    };
    struct moot_error_info info;
    *out = NULL;
    if (!options.path || moot_trace_open(&options, out, &info) == MOOT_OK)
        return true;
    cli_error_info(options.path, &info);
    return false;
}

uint64_t cli_trace_close(struct moot_trace *trace)
{
    struct moot_trace_stats stats = {.size = sizeof stats};
    if (!trace)
        return 0;
    moot_trace_close(trace, &stats);
    if (stats.dropped)
        cli_error("the trace lacks %" PRIu64 " spans: %s", stats.dropped,
                  stats.error ? moot_error_text(stats.error) : "they came faster than the disk");
    return stats.written;
}
