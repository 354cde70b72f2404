#include <moot/plan.h>

#include "cli.h"
#include "out.h"

bool cli_plan_load(const struct cli_args *args, struct moot_plan **out)
{
    const char *path = cli_args_text(args, CLI_CONFIG);
    struct moot_plan_options options = {.size = sizeof options, .path = path};
    struct moot_error_info info;
    *out = NULL;
    if (!path) {
        cli_error("there is no configuration; give -c FILE or set MOOT_CONFIG");
        return false;
    }
    if (moot_plan_load(&options, out, &info) == MOOT_OK)
        return true;
    cli_error_info(path, &info);
    return false;
}
