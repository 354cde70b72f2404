/* moot: a table of commands, each on the library's public API. */
#include <stdlib.h>
#include <string.h>

#include <moot/version.h>

#include "cli.h"
#include "out.h"
#include "signals.h"

static const struct cli_command *const commands[] = {
    &cli_command_ask, &cli_command_batch, &cli_command_check, &cli_command_mock, &cli_command_demo,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const char *command_at(const void *context, size_t index)
{
    (void)context;
    return index < COMMANDS ? commands[index]->name : NULL;
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int print_help(FILE *out)
{
    fputs("moot: conversations between LLM agents, thousands at a time\n\n"
          "Usage: moot COMMAND [OPTION...] [OPERAND...]\n\nCommands:\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n`moot COMMAND --help` explains one; `moot --version` tells the version.\n"
          "Every option has a variable, MOOT_ and its name in capitals; options beat variables,\n"
          "variables beat the configuration.\n\n"
          "Exit: 0 done, every row succeeded; 1 usage or configuration; 2 the answer or some\n"
          "rows failed; 3 a threshold stopped the run; 130 interrupted (a batch can go on).\n",
          out);
    return CLI_EXIT_OK;
}

int main(int argc, char **argv)
{
    cli_process_prepare();
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0)
        return printf("moot %s\n", moot_version()) < 0 ? CLI_EXIT_FAILED : CLI_EXIT_OK;
    bool wants_help = strcmp(name, "help") == 0;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (wants_help && argc == 2))
        return print_help(stdout);
    if (wants_help)
        name = argv[2];
    const struct cli_command *command = find(name);
    if (!command) {
        const char *guess = cli_guess(name, command_at, NULL);
        if (argc < 2) {
            print_help(stderr);
            return CLI_EXIT_USAGE;
        }
        return guess ? cli_error("unknown command '%s'; did you mean '%s'?", name, guess)
                     : cli_error("unknown command '%s'; `moot --help` lists the known ones", name);
    }
    struct cli_args args = {.is_set = {[CLI_HELP] = wants_help}};
    if (!wants_help && !cli_args_read(&args, command, argc - 2, argv + 2, getenv))
        return cli_error("%s", args.error);
    if (args.is_set[CLI_HELP]) {
        cli_help_print(command, stdout);
        return CLI_EXIT_OK;
    }
    return command->run(&args);
}
