/* The help of a command, from its table, folded to the width of a terminal of 80 columns. */
#include <string.h>

#include "args.h"

enum { WIDTH = 79, INDENT = 6 };

static void print_folded(FILE *out, const char *text, int indent)
{
    int column = indent;
    fprintf(out, "%*s", indent, "");
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_option(FILE *out, enum cli_option_id id)
{
    const struct cli_option *option = &cli_options[id];
    char variable[CLI_VARIABLE_BYTES];
    fputs("  ", out);
    if (option->short_name)
        fprintf(out, "-%c, ", option->short_name);
    fprintf(out, "--%s", option->name);
    if (option->argument)
        fprintf(out, " %s", option->argument);
    if (id != CLI_HELP) {
        cli_option_variable(id, variable);
        fprintf(out, "   (%s%s)", variable, option->is_repeatable ? "; may be repeated" : "");
    }
    fputc('\n', out);
    print_folded(out, option->help, INDENT);
}

void cli_help_print(const struct cli_command *command, FILE *out)
{
    fprintf(out,
            "moot %s: %s\n\nUsage: moot %s [OPTION...]%s%s\n\nOptions, each with its variable:\n",
            command->name, command->summary, command->name, command->operands[0] ? " " : "",
            command->operands);
    for (size_t i = 0; i < command->option_count; i++)
        print_option(out, command->options[i]);
    if (command->about)
        fprintf(out, "\n%s", command->about);
    if (command->help)
        command->help(out);
}
