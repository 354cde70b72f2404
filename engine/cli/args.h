#ifndef MOOT_CLI_ARGS_H
#define MOOT_CLI_ARGS_H

/* A command line, read: flags beat variables (MOOT_...) beat the configuration. */
#include <stdio.h>

#include "values.h"

enum {
    CLI_REPEATS_MAX = 64,  /* of all repeatable options together */
    CLI_OPERANDS_MAX = 64, /* words of a question, names of files */
};

struct cli_args;

struct cli_command {
    const char *name;
    const char *summary;  /* one line */
    const char *operands; /* as help shows them, "[QUESTION...]" */
    const char *about;    /* paragraphs below the options; NULL: none */
    const enum cli_option_id *options;
    size_t option_count;
    unsigned operands_min, operands_max;
    int (*run)(const struct cli_args *args); /* returns the exit code */
    void (*help)(FILE *out);                 /* what help adds that tables know; NULL: nothing */
};

struct cli_args {
    const struct cli_command *command;
    bool is_known[CLI_OPTIONS]; /* the command has it; to ask for another is a mistake of ours */
    bool is_set[CLI_OPTIONS];
    struct cli_value values[CLI_OPTIONS]; /* of repeatable ones: the last */
    struct {
        enum cli_option_id id;
        struct cli_value value;
    } repeats[CLI_REPEATS_MAX];
    size_t repeat_count;
    const char *operands[CLI_OPERANDS_MAX];
    size_t operand_count;
    char variables[4096]; /* copies of variables that hold several values */
    size_t variable_bytes;
    char error[512]; /* what was wrong and the way out; "" */
};

/* What looks up a variable: getenv, or a test's. */
typedef char *(*cli_environment_fn)(const char *name);

/* Read the words after the command's name. False: `args->error` says what is wrong. A variable of a
 * repeatable option holds values separated by `;`. --help ends the reading, and is then set. */
MOOT_NODISCARD bool cli_args_read(struct cli_args *args, const struct cli_command *command,
                                  int count, char *const *words, cli_environment_fn environment);

/* The text of an option, or NULL. */
const char *cli_args_text(const struct cli_args *args, enum cli_option_id id);

/* The number of an option, or `otherwise`. */
uint64_t cli_args_number(const struct cli_args *args, enum cli_option_id id, uint64_t otherwise);

bool cli_args_flag(const struct cli_args *args, enum cli_option_id id);

/* The value of a repeatable option number `index`, or NULL beyond the last. */
const struct cli_value *cli_args_repeat(const struct cli_args *args, enum cli_option_id id,
                                        size_t index);

/* The word that was probably meant, at most two edits away; or NULL. `word_at` gives the candidates
 * by index, and NULL after the last. */
const char *cli_guess(const char *word, const char *(*word_at)(const void *context, size_t index),
                      const void *context);

/* The help of a command, made from its table. */
void cli_help_print(const struct cli_command *command, FILE *out);

#endif
