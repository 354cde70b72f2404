#include "options.h"

#include <assert.h>
#include <string.h>

const struct cli_option cli_options[CLI_OPTIONS] = {
#define X(id, name, short_name, kind, repeatable, argument, help)                                  \
    [CLI_##id] = {name, short_name, kind, repeatable, argument, help},
    CLI_OPTION_MAP(X)
#undef X
};

void cli_option_variable(enum cli_option_id id, char out[CLI_VARIABLE_BYTES])
{
    static const char prefix[] = "MOOT_";
    const char *name = cli_options[id].name;
    size_t length = strlen(name);
    assert(sizeof prefix + length <= CLI_VARIABLE_BYTES);
    memcpy(out, prefix, sizeof prefix);
    for (size_t i = 0; i <= length; i++) {
        char c = name[i];
        out[sizeof prefix - 1 + i] =
            c == '-' ? '_' : (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
}
