#ifndef MOOT_CLI_MOCK_OPTIONS_H
#define MOOT_CLI_MOCK_OPTIONS_H

/* The emulator's options from the command line. */
#include "args.h"
#include "bench/emulator/emulator.h"

enum { CLI_RULES_MAX = CLI_REPEATS_MAX, CLI_SCRIPTS_MAX = 512, CLI_SCRIPT_BYTES = 128 << 10 };

struct cli_mock {
    struct moot_emulator_options options; /* points into this struct */
    struct moot_emulator_rule rules[CLI_RULES_MAX];
    struct moot_emulator_script scripts[CLI_SCRIPTS_MAX];
    char script_text[CLI_SCRIPT_BYTES];
    char error[640]; /* what is wrong and the way out */
};

/* False: `error` says what is wrong. */
MOOT_NODISCARD bool cli_mock_read(struct cli_mock *mock, const struct cli_args *args);

/* Read lines `part of the question TAB answer` in place; \n, \t and \\ stand for what they do in C.
 * An empty part matches every question; blank lines and those that begin with # are skipped. False:
 * `error` names `file` and the line. */
MOOT_NODISCARD bool cli_mock_read_scripts(struct cli_mock *mock, const char *file);

#endif
