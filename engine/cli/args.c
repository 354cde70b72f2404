#include "args.h"

#include <assert.h>
#include <string.h>

enum { WORD_MAX = 40, EDITS_MAX = 2 };

/* --- did you mean ---------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, drop, change, swap neighbours) from one word to the other. */
static size_t edits_between(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *cli_guess(const char *word, const char *(*word_at)(const void *context, size_t index),
                      const void *context)
{
    const char *best = NULL, *candidate;
    size_t best_edits = EDITS_MAX + 1;
    for (size_t i = 0; (candidate = word_at(context, i)) != NULL; i++) {
        size_t edits = edits_between(word, candidate);
        if (edits < best_edits && edits < strlen(word)) {
            best_edits = edits;
            best = candidate;
        }
    }
    return best;
}

static const char *option_at(const void *context, size_t index)
{
    const struct cli_command *command = context;
    return index < command->option_count ? cli_options[command->options[index]].name : NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool store(struct cli_args *args, enum cli_option_id id, const char *text, const char *where)
{
    const struct cli_option *option = &cli_options[id];
    struct cli_value value;
    const char *want = cli_value_read(option, text, &value);
    if (want) {
        snprintf(args->error, sizeof args->error, "%s must be %s, not '%.64s'", where, want, text);
        return false;
    }
    if (option->is_repeatable) {
        if (args->repeat_count == CLI_REPEATS_MAX) {
            snprintf(args->error, sizeof args->error, "%s was given too often: at most %d times",
                     where, CLI_REPEATS_MAX);
            return false;
        }
        args->repeats[args->repeat_count].id = id;
        args->repeats[args->repeat_count].value = value;
        args->repeat_count++;
    }
    args->values[id] = value;
    args->is_set[id] = true;
    return true;
}

/* Find a long option by `name[0..length)`. */
static bool find_long(struct cli_args *args, const char *name, size_t length,
                      enum cli_option_id *out)
{
    const struct cli_command *command = args->command;
    for (size_t i = 0; i < command->option_count; i++) {
        const char *known = cli_options[command->options[i]].name;
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            *out = command->options[i];
            return true;
        }
    }
    char word[WORD_MAX + 1];
    snprintf(word, sizeof word, "%.*s", (int)least(length, WORD_MAX), name);
    const char *guess = cli_guess(word, option_at, command);
    if (guess)
        snprintf(args->error, sizeof args->error, "unknown option --%s; did you mean --%s?", word,
                 guess);
    else
        snprintf(args->error, sizeof args->error,
                 "unknown option --%s; `moot %s --help` lists the known ones", word, command->name);
    return false;
}

static bool find_short(struct cli_args *args, char letter, enum cli_option_id *out)
{
    const struct cli_command *command = args->command;
    for (size_t i = 0; i < command->option_count; i++) {
        if (cli_options[command->options[i]].short_name == letter) {
            *out = command->options[i];
            return true;
        }
    }
    snprintf(args->error, sizeof args->error,
             "unknown option -%c; `moot %s --help` lists the known ones", letter, command->name);
    return false;
}

/* One option at `words[*at]`; `*at` moves to its last word. */
static bool read_option(struct cli_args *args, int count, char *const *words, int *at)
{
    const char *word = words[*at];
    const char *text = NULL;
    enum cli_option_id id = CLI_HELP;
    char where[WORD_MAX + 3];
    if (word[1] == '-') {
        const char *equals = strchr(word, '=');
        size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
        if (!find_long(args, word + 2, length, &id))
            return false;
        text = equals ? equals + 1 : NULL;
    } else {
        if (!find_short(args, word[1], &id))
            return false;
        text = word[2] ? word + 2 : NULL;
    }
    snprintf(where, sizeof where, "--%s", cli_options[id].name);
    if (cli_options[id].kind == CLI_KIND_FLAG) {
        if (text) {
            snprintf(args->error, sizeof args->error, "%s takes no value; leave '%.64s' out", where,
                     text);
            return false;
        }
        text = "1";
    } else if (!text) {
        if (*at + 1 >= count) {
            snprintf(args->error, sizeof args->error, "%s needs a value: %s %s", where, where,
                     cli_options[id].argument);
            return false;
        }
        text = words[++*at];
    }
    return store(args, id, text, where);
}

/* A variable of a repeatable option: cut it at each `;`. */
static bool read_list(struct cli_args *args, enum cli_option_id id, const char *text,
                      const char *where)
{
    size_t length = strlen(text);
    if (length >= sizeof args->variables - args->variable_bytes) {
        snprintf(args->error, sizeof args->error, "%s is too long; give options instead", where);
        return false;
    }
    char *copy = args->variables + args->variable_bytes;
    memcpy(copy, text, length + 1);
    args->variable_bytes += length + 1;
    while (copy) {
        char *end = strchr(copy, ';');
        if (end)
            *end = '\0';
        if (*copy && !store(args, id, copy, where))
            return false;
        copy = end ? end + 1 : NULL;
    }
    return true;
}

static bool read_variables(struct cli_args *args, cli_environment_fn environment)
{
    for (size_t i = 0; i < args->command->option_count; i++) {
        enum cli_option_id id = args->command->options[i];
        char name[CLI_VARIABLE_BYTES];
        if (id == CLI_HELP || args->is_set[id])
            continue;
        cli_option_variable(id, name);
        const char *text = environment(name);
        if (!text || !text[0])
            continue; /* set to nothing is not set */
        bool is_read = cli_options[id].is_repeatable ? read_list(args, id, text, name)
                                                     : store(args, id, text, name);
        if (!is_read)
            return false;
    }
    return true;
}

static bool read_operand(struct cli_args *args, const char *word)
{
    const struct cli_command *command = args->command;
    if (args->operand_count == least(command->operands_max, CLI_OPERANDS_MAX)) {
        snprintf(args->error, sizeof args->error,
                 command->operands_max ? "'%.64s' is too much; the form is: moot %s [OPTION...] %s"
                                       : "'%.64s' is too much; the form is: moot %s [OPTION...]%s",
                 word, command->name, command->operands);
        return false;
    }
    args->operands[args->operand_count++] = word;
    return true;
}

bool cli_args_read(struct cli_args *args, const struct cli_command *command, int count,
                   char *const *words, cli_environment_fn environment)
{
    *args = (struct cli_args){.command = command};
    for (size_t i = 0; i < command->option_count; i++)
        args->is_known[command->options[i]] = true;
    assert(args->is_known[CLI_HELP]);
    bool only_operands = false;
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (!only_operands && strcmp(word, "--") == 0)
            only_operands = true;
        else if (only_operands || word[0] != '-' || word[1] == '\0') {
            if (!read_operand(args, word))
                return false;
        } else if (!read_option(args, count, words, &i))
            return false;
        if (args->is_set[CLI_HELP])
            return true;
    }
    if (!read_variables(args, environment))
        return false;
    if (args->operand_count >= command->operands_min)
        return true;
    snprintf(args->error, sizeof args->error, "%s is missing; the form is: moot %s [OPTION...] %s",
             command->operands, command->name, command->operands);
    return false;
}

/* --- asking ---------------------------------------------------------------------------------- */

const char *cli_args_text(const struct cli_args *args, enum cli_option_id id)
{
    assert(args->is_known[id]);
    return args->is_set[id] ? args->values[id].text : NULL;
}

uint64_t cli_args_number(const struct cli_args *args, enum cli_option_id id, uint64_t otherwise)
{
    assert(args->is_known[id]);
    return args->is_set[id] ? args->values[id].number : otherwise;
}

bool cli_args_flag(const struct cli_args *args, enum cli_option_id id)
{
    assert(args->is_known[id]);
    return args->is_set[id] && args->values[id].truth;
}

const struct cli_value *cli_args_repeat(const struct cli_args *args, enum cli_option_id id,
                                        size_t index)
{
    assert(cli_options[id].is_repeatable);
    for (size_t i = 0; i < args->repeat_count; i++) {
        if (args->repeats[i].id == id && index-- == 0)
            return &args->repeats[i].value;
    }
    return NULL;
}
