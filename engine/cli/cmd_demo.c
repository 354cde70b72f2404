/* moot demo: the main job with neither key nor network. The emulator runs in this process, behind
 * TLS on loopback; the tutorial's own configuration, unmodified but for the address, is put through
 * it with the same engine as everything else. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <moot/preview.h>

#include "bench/emulator/thread.h"
#include "cli.h"
#include "host.h"
#include "signals.h"
#include "speaker.h"

#define ORACLE "databricks-mixtral-8x7b-instruct"
#define JUDGE  "databricks-meta-llama-3-1-405b-instruct"

/* model_config of MLflow's ChatModel tutorial, as JSON. */
static const char model_config[] =
    "{\"models\": {"
    "\"judge\": {\"endpoint\": \"" JUDGE "\", \"instruction\": "
    "\"You are an evaluator of answers provided by others. Based on the context of both the "
    "question and the answer, provide a corrected answer if it is incorrect; otherwise, enhance "
    "the answer with additional context and explanation.\", "
    "\"temperature\": 0.5, \"max_tokens\": 2000}, "
    "\"oracle\": {\"endpoint\": \"" ORACLE "\", \"instruction\": "
    "\"You are a knowledgeable source of information that excels at providing detailed, but brief "
    "answers to questions. Provide an answer to the question based on the information "
    "provided.\", "
    "\"temperature\": 0.9, \"max_tokens\": 5000}}, "
    "\"configuration\": {\"user_response_instruction\": "
    "\"Can you evaluate and enhance this answer with the provided contextual history?\"}, "
    "\"providers\": {\"default\": {\"type\": \"databricks\", \"base_url\": \"%s\"}}}";

static const char *const questions[] = {
    "Why does a scone need cold butter?",
    "How many bridges cross the Seine within Paris?",
    "What is a moot?",
};
enum { QUESTIONS = sizeof questions / sizeof questions[0] };

/* The judge is asked with the same words every time, so its answers tell which role it plays. */
static const struct moot_emulator_script scripts[] = {
    {"cold butter", "Cold butter stays in small pieces until the oven. There it melts, its water "
                    "turns to steam, and the layers part."},
    {"bridges", "There are 35 bridges over the Seine in Paris."},
    {"What is a moot?", "An assembly of a neighbourhood, as the Anglo-Saxons held it to settle "
                        "what concerned all."},
    {"evaluate and enhance",
     "I have read the question and the answer before me. The answer stands; a source and an "
     "example would make it better. (These words are the emulator's: it plays both roles.)"},
};

struct demo {
    struct cli_speaker speaker;
    bool is_json, is_done;
    unsigned answered;
    struct moot_usage usage;
    uint64_t calls, began_ns, ended_ns;
};

/* --- one question ---------------------------------------------------------------------------- */

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    (void)conversation;
    cli_speaker_event(&((struct demo *)data)->speaker, event);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    struct demo *demo = data;
    (void)conversation;
    demo->is_done = true;
    cli_speaker_finish(&demo->speaker);
    if (demo->is_json)
        cli_outcome_json(outcome);
    demo->usage.input_tokens += outcome->usage.input_tokens;
    demo->usage.output_tokens += outcome->usage.output_tokens;
    demo->calls += outcome->calls;
    if (demo->began_ns == 0)
        demo->began_ns = outcome->began_wall_ns;
    demo->ended_ns = outcome->ended_wall_ns;
    if (outcome->error.code == MOOT_OK)
        demo->answered++;
    else if (outcome->error.code != MOOT_ECANCELED)
        cli_outcome_error(outcome);
}

/* False: stop. */
static bool ask(struct cli_host *host, struct demo *demo, const char *question)
{
    const struct moot_message message = {MOOT_VIEW("user"), {question, strlen(question)}};
    struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = true,
        .on_event = on_event,
        .on_done = on_done,
        .data = demo,
    };
    struct moot_conversation *conversation;
    bool is_canceled = false;
    if (!demo->is_json)
        printf("\n%s? %s%s\n", cli_dim(stdout), cli_plain(stdout), question);
    fflush(stdout);
    demo->is_done = false;
    int rc = moot_conversation_begin(host->engine, &options, &conversation);
    if (rc != MOOT_OK) {
        cli_error("the question cannot be asked: %s", moot_error_text(rc));
        return false;
    }
    while (!demo->is_done) {
        cli_host_turn(host);
        if (host->interrupts > 0 && !is_canceled && !demo->is_done) {
            is_canceled = true;
            moot_conversation_cancel(conversation);
        }
    }
    return !is_canceled;
}

/* --- the run --------------------------------------------------------------------------------- */

static void print_summary(const struct demo *demo, uint64_t handshakes)
{
    char in[CLI_SHOWN_BYTES], out[CLI_SHOWN_BYTES], span[CLI_SHOWN_BYTES];
    if (demo->is_json)
        return;
    printf("\n%u of %d questions answered: %" PRIu64 " calls over TLS (handshakes: %" PRIu64 "), "
           "%s tokens in, %s out, %s\n",
           demo->answered, QUESTIONS, demo->calls, handshakes,
           cli_show_count(demo->usage.input_tokens, in),
           cli_show_count(demo->usage.output_tokens, out),
           cli_show_span(demo->ended_ns - demo->began_ns, span));
}

static int ask_all(const struct cli_args *args, struct cli_host_options *options)
{
    struct demo demo = {
        .is_json = cli_args_flag(args, CLI_JSON),
        .speaker = {.steps = moot_plan_step_count(options->plan),
                    .show_all = true,
                    .headings = stdout,
                    .is_quiet = cli_args_flag(args, CLI_JSON)},
    };
    struct cli_host host;
    if (!cli_host_start(&host, options))
        return CLI_EXIT_USAGE;
    for (int i = 0; i < QUESTIONS && ask(&host, &demo, questions[i]);)
        i++;
    struct moot_engine_stats stats = {.size = sizeof stats};
    moot_engine_stats(host.engine, &stats);
    bool is_interrupted = host.interrupts > 0;
    cli_host_stop(&host);
    print_summary(&demo, stats.handshakes);
    if (is_interrupted)
        return CLI_EXIT_INTERRUPTED;
    return demo.answered == QUESTIONS ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static int with_plan(const struct cli_args *args, struct cli_host_options *options)
{
    int code = CLI_EXIT_USAGE;
    if (!cli_trace_open(args, MOOT_TRACE_REPLACE, &options->trace))
        return code;
    code = ask_all(args, options);
    uint64_t spans = cli_trace_close(options->trace);
    if (cli_args_flag(args, CLI_JSON))
        return code;
    if (!options->trace)
        printf("`moot demo --trace FILE` keeps the spans of it\n");
    else
        printf("%" PRIu64 " spans in %s\n", spans, cli_args_text(args, CLI_TRACE));
    return code;
}

/* The emulator's authority as a file, for as long as it runs. */
static bool write_authority(const char *pem, char path[])
{
    size_t length = strlen(pem);
    int fd = mkstemp(path);
    bool is_written = fd >= 0 && write(fd, pem, length) == (ssize_t)length;
    if (!is_written)
        cli_error("%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !is_written)
        unlink(path);
    return is_written;
}

/* No key is asked for, and none of the environment's reaches anybody. */
static const char *empty_environment(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

static int with_provider(const struct cli_args *args, struct moot_emulator_thread *provider,
                         int signals)
{
    char text[sizeof model_config + 64], path[256];
    const char *folder = getenv("TMPDIR");
    struct moot_error_info info;
    snprintf(text, sizeof text, model_config, moot_emulator_thread_url(provider));
    snprintf(path, sizeof path, "%s/moot_demo_XXXXXX", folder && folder[0] ? folder : "/tmp");
    struct moot_plan_options plan = {
        .size = sizeof plan,
        .path = "demo.json",
        .text = {text, strlen(text)},
        .environment = empty_environment,
    };
    struct cli_host_options options = {.signals = signals, .ca_file = path};
    int code = CLI_EXIT_USAGE;
    if (!write_authority(moot_emulator_thread_ca_pem(provider), path))
        return code;
    if (moot_plan_load(&plan, &options.plan, &info) != MOOT_OK)
        cli_error_info(plan.path, &info);
    else {
        code = with_plan(args, &options);
        moot_plan_unref(options.plan);
    }
    unlink(path);
    return code;
}

static int with_signals(const struct cli_args *args,
                        const struct moot_emulator_thread_options *options, int signals)
{
    struct moot_emulator_thread *provider;
    struct moot_error_info info;
    if (moot_emulator_thread_start(options, &provider, &info) != MOOT_OK)
        return cli_error_info(NULL, &info);
    if (!cli_args_flag(args, CLI_JSON))
        printf("An emulated provider is at %s; the oracle answers, the judge makes it better.\n",
               moot_emulator_thread_url(provider));
    int code = with_provider(args, provider, signals);
    moot_emulator_thread_stop(provider);
    return code;
}

static int run(const struct cli_args *args)
{
    struct moot_emulator_options emulator = moot_emulator_options_default();
    emulator.answer = MOOT_EMULATOR_SCRIPTED;
    emulator.scripts = scripts;
    emulator.script_count = sizeof scripts / sizeof scripts[0];
    emulator.first_token_ns = cli_args_number(args, CLI_FIRST_TOKEN, 150000000);
    emulator.inter_token_ns = cli_args_number(args, CLI_INTER_TOKEN, 20000000);
    struct moot_emulator_thread_options options = {
        .size = sizeof options, .emulator = &emulator, .tls = true};
    int code = CLI_EXIT_USAGE;
    int signals = cli_signals_open();
    if (signals >= 0) {
        code = with_signals(args, &options, signals);
        cli_signals_close(signals);
    }
    return code;
}

static const enum cli_option_id options[] = {
    CLI_FIRST_TOKEN, CLI_INTER_TOKEN, CLI_TRACE, CLI_TRACE_CONTENT, CLI_JSON, CLI_HELP,
};

const struct cli_command cli_command_demo = {
    .name = "demo",
    .summary = "the oracle and the judge at work, with neither key nor network",
    .operands = "",
    .about = "Starts the emulator of `moot mock` over TLS in this process, and puts a few\n"
             "questions through the configuration of MLflow's ChatModel tutorial.\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .run = run,
};
