/* moot ask: one question through the flow, shown while it is answered. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <moot/preview.h>

#include "cli.h"
#include "host.h"
#include "signals.h"
#include "speaker.h"

enum { QUESTION_BYTES = 1 << 20 };

struct ask {
    struct cli_speaker speaker;
    bool is_json, is_done;
    int code;
};

/* --- the question ---------------------------------------------------------------------------- */

static bool join_words(const struct cli_args *args, char *text, size_t *length)
{
    for (size_t i = 0; i < args->operand_count; i++) {
        size_t word = strlen(args->operands[i]);
        if (word + 1 > QUESTION_BYTES - *length)
            return false;
        if (i > 0)
            text[(*length)++] = ' ';
        memcpy(text + *length, args->operands[i], word);
        *length += word;
    }
    return true;
}

static bool read_question(const struct cli_args *args, char *text, size_t *length)
{
    bool is_stdin = args->operand_count == 0 ||
                    (args->operand_count == 1 && strcmp(args->operands[0], "-") == 0);
    if (args->operand_count == 0 && cli_is_terminal(stdin)) {
        cli_error("there is no question; the form is: moot ask [OPTION...] QUESTION...");
        return false;
    }
    *length = 0;
    if (is_stdin) {
        *length = fread(text, 1, QUESTION_BYTES, stdin);
        if (ferror(stdin)) {
            cli_error("standard input: %s", strerror(errno));
            return false;
        }
        while (*length > 0 && *length < QUESTION_BYTES && text[*length - 1] == '\n')
            (*length)--; /* the newline of `echo` is not part of the question */
    }
    if (*length == QUESTION_BYTES || (!is_stdin && !join_words(args, text, length))) {
        cli_error("the question is longer than 1 MiB; ask it with `moot batch`");
        return false;
    }
    if (*length == 0)
        cli_error("the question is empty");
    return *length > 0;
}

/* --- the conversation ------------------------------------------------------------------------ */

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct ask *ask = data;
    cli_speaker_event(&ask->speaker, event);
    if (ferror(stdout))
        moot_conversation_cancel(conversation); /* nobody reads any more */
}

/* What the next question would meet as well is the configuration's, as in a batch. */
static int exit_code(int error)
{
    switch (error) {
    case MOOT_ECANCELED:
        return CLI_EXIT_INTERRUPTED;
    case MOOT_EAUTH:
    case MOOT_ECREDENTIAL:
    case MOOT_ECERT:
        return CLI_EXIT_USAGE;
    default:
        return CLI_EXIT_FAILED;
    }
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct ask *ask = data;
    (void)conversation;
    ask->is_done = true;
    cli_speaker_finish(&ask->speaker);
    if (ask->is_json)
        cli_outcome_json(outcome);
    if (outcome->error.code == MOOT_OK)
        return;
    ask->code = exit_code(outcome->error.code);
    if (!ask->is_json && outcome->error.code != MOOT_ECANCELED)
        cli_outcome_error(outcome);
}

static int converse(struct cli_host *host, struct ask *ask, struct moot_view question)
{
    const struct moot_message message = {MOOT_VIEW("user"), question};
    struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = true,
        .on_event = on_event,
        .on_done = on_done,
        .data = ask,
    };
    if (ask->is_json) /* whole answers matter: one may be asked for again until it is complete */
        options.events = MOOT_EVENT_BIT(MOOT_EVENT_AGENT_FINISHED);
    struct moot_conversation *conversation;
    int rc = moot_conversation_begin(host->engine, &options, &conversation);
    if (rc != MOOT_OK)
        return cli_error("the question cannot be asked: %s", moot_error_text(rc));
    bool is_canceled = false;
    while (!ask->is_done) {
        cli_host_turn(host);
        if (host->interrupts > 0 && !is_canceled && !ask->is_done) {
            is_canceled = true;
            moot_conversation_cancel(conversation);
        }
    }
    if (ferror(stdout) || fflush(stdout) != 0)
        return cli_error("standard output: %s", strerror(errno));
    return ask->code;
}

static int with_signals(const struct cli_args *args, struct cli_host_options *options,
                        struct ask *ask, struct moot_view question)
{
    struct cli_host host;
    int code = CLI_EXIT_USAGE;
    if (!cli_trace_open(args, MOOT_TRACE_REPLACE, &options->trace))
        return code;
    if (cli_host_start(&host, options)) {
        code = converse(&host, ask, question);
        cli_host_stop(&host);
    }
    cli_trace_close(options->trace);
    return code;
}

static int run(const struct cli_args *args)
{
    char text[QUESTION_BYTES];
    struct moot_view question = {text, 0};
    struct cli_host_options options = {
        .ca_file = cli_args_text(args, CLI_CA),
    };
    if (!cli_plan_load(args, &options.plan))
        return CLI_EXIT_USAGE;
    struct ask ask = {
        .is_json = cli_args_flag(args, CLI_JSON),
        .speaker = {.steps = moot_plan_step_count(options.plan),
                    .show_all = cli_args_flag(args, CLI_SHOW_ALL),
                    .is_quiet = cli_args_flag(args, CLI_JSON)},
    };
    int code = CLI_EXIT_USAGE;
    if (read_question(args, text, &question.len) && (options.signals = cli_signals_open()) >= 0) {
        code = with_signals(args, &options, &ask, question);
        cli_signals_close(options.signals);
    }
    moot_plan_unref(options.plan);
    return code;
}

static const enum cli_option_id options[] = {
    CLI_CONFIG, CLI_SHOW_ALL, CLI_JSON, CLI_TRACE, CLI_TRACE_CONTENT, CLI_CA, CLI_HELP,
};

const struct cli_command cli_command_ask = {
    .name = "ask",
    .summary = "one question, answered while you watch",
    .operands = "[QUESTION...]",
    .about = "Without a question, or with -, it is read from standard input. Standard output gets\n"
             "the last role's answer and nothing else, unless --show-all or --json; what the\n"
             "roles before it say is shown on a terminal. Ctrl-C ends it.\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_max = CLI_OPERANDS_MAX,
    .run = run,
};
