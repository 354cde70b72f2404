/* moot mock: the emulator on loopback, until Ctrl-C. The first line of standard output is the base
 * URL, so that a script can wait for it; the last is the ledger. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bench/emulator/options.h"
#include "bench/emulator/thread.h"
#include "cli.h"
#include "mock_options.h"
#include "out.h"
#include "signals.h"

static const char *const fault_names[MOOT_EMULATOR_FAULTS] = {
#define X(id, name, act, place, status, what) [MOOT_EMULATOR_FAULT_##id] = (name),
    MOOT_EMULATOR_FAULT_MAP(X)
#undef X
};

static void print_ledger(const struct moot_emulator_ledger *ledger)
{
    struct cli_json json = {.out = stdout};
    cli_json_begin(&json, NULL);
    cli_json_u64(&json, "connections", ledger->connections);
    cli_json_u64(&json, "requests", ledger->requests);
    cli_json_u64(&json, "answered", ledger->answered);
    cli_json_u64(&json, "streams", ledger->streams);
    cli_json_u64(&json, "throttled", ledger->throttled);
    cli_json_u64(&json, "refused", ledger->refused);
    cli_json_u64(&json, "grants", ledger->grants);
    cli_json_u64(&json, "abandoned", ledger->abandoned);
    cli_json_u64(&json, "in_flight_max", ledger->in_flight_max);
    cli_json_u64(&json, "billed", ledger->billed);
    cli_json_u64(&json, "tokens_in", ledger->tokens_in);
    cli_json_u64(&json, "tokens_out", ledger->tokens_out);
    cli_json_begin(&json, "faults");
    for (int i = 0; i < MOOT_EMULATOR_FAULTS; i++) {
        if (ledger->faults[i] && fault_names[i])
            cli_json_u64(&json, fault_names[i], ledger->faults[i]);
    }
    cli_json_end(&json);
    cli_json_end(&json);
    cli_json_line(&json);
}

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    bool is_written = file && fputs(text, file) >= 0;
    if (file && fclose(file) != 0)
        is_written = false;
    if (!is_written)
        cli_error("--ca-out: %s: %s", path, strerror(errno));
    return is_written;
}

/* Serve until a signal. */
static int serve(const struct cli_args *args, struct moot_emulator_thread *provider, int signals)
{
    static const char *const surfaces[] = {"", "/v1"}; /* in the order of --surface */
    const char *ca_out = cli_args_text(args, CLI_CA_OUT);
    if (ca_out && !write_file(ca_out, moot_emulator_thread_ca_pem(provider)))
        return CLI_EXIT_USAGE;
    printf("%s%s\n", moot_emulator_thread_url(provider),
           surfaces[cli_args_number(args, CLI_SURFACE, 0)]);
    fflush(stdout);
    cli_signals_wait(signals);
    struct moot_emulator_ledger ledger;
    moot_emulator_thread_ledger(provider, &ledger);
    print_ledger(&ledger);
    return CLI_EXIT_OK;
}

/* A body is JSON, in which a raw line break is only ever white space. */
static void record(void *context, struct moot_view endpoint, struct moot_view body)
{
    struct cli_json json = {.out = context};
    cli_json_begin(&json, NULL);
    cli_json_string(&json, "endpoint", endpoint);
    fputs(",\"body\":", context);
    for (size_t i = 0; i < body.len; i++)
        putc(body.ptr[i] == '\n' || body.ptr[i] == '\r' ? ' ' : body.ptr[i], context);
    cli_json_end(&json);
    putc('\n', context);
}

static int serve_until_stopped(const struct cli_args *args,
                               const struct moot_emulator_thread_options *options)
{
    struct moot_emulator_thread *provider;
    struct moot_error_info info;
    int signals = cli_signals_open();
    if (signals < 0)
        return CLI_EXIT_USAGE;
    int code = CLI_EXIT_USAGE;
    if (moot_emulator_thread_start(options, &provider, &info) != MOOT_OK)
        cli_error_info(NULL, &info);
    else {
        code = serve(args, provider, signals);
        moot_emulator_thread_stop(provider);
    }
    cli_signals_close(signals);
    return code;
}

static int run(const struct cli_args *args)
{
    struct cli_mock mock;
    struct moot_emulator_thread_options options = {
        .size = sizeof options,
        .emulator = &mock.options,
        .tls = cli_args_flag(args, CLI_TLS),
    };
    uint64_t port = cli_args_number(args, CLI_PORT, 0);
    if (port > UINT16_MAX)
        return cli_error("--port must be at most %d", UINT16_MAX);
    if (cli_args_text(args, CLI_CA_OUT) && !options.tls)
        return cli_error("--ca-out has something to write with --tls only; add --tls");
    if (!cli_mock_read(&mock, args))
        return cli_error("%s", mock.error);
    options.port = (uint16_t)port;
    const char *record_path = cli_args_text(args, CLI_RECORD);
    FILE *file = record_path ? fopen(record_path, "w") : NULL;
    if (record_path && !file)
        return cli_error("%s: %s", record_path, strerror(errno));
    if (file)
        setvbuf(file, NULL, _IOLBF, BUFSIZ); /* who reads it meanwhile finds whole lines */
    mock.options.on_request = file ? record : NULL;
    mock.options.on_request_context = file;
    int code = serve_until_stopped(args, &options);
    if (file && fclose(file) != 0)
        return cli_error("%s: %s", record_path, strerror(errno));
    return code;
}

static void print_faults(FILE *out)
{
    fputs("\nKinds of faults:\n", out);
    moot_emulator_print_faults(out);
}

static const enum cli_option_id options[] = {
    CLI_PORT,          CLI_TLS,         CLI_CA_OUT,         CLI_SURFACE,
    CLI_API_KEY,       CLI_ANSWERS,     CLI_TOKENS,         CLI_FIRST_TOKEN,
    CLI_INTER_TOKEN,   CLI_LATENCY,     CLI_JITTER,         CLI_RPM,
    CLI_TPM,           CLI_ITPM,        CLI_OTPM,           CLI_AT_ONCE,
    CLI_WINDOW,        CLI_WINDOW_KIND, CLI_QUOTA_HEADERS,  CLI_HINTS,
    CLI_FAULT,         CLI_RECORD,      CLI_SEED,           CLI_CLIENT_ID,
    CLI_CLIENT_SECRET, CLI_TOKEN_TTL,   CLI_AWS_ACCESS_KEY, CLI_AWS_SECRET_KEY,
    CLI_AWS_REGION,    CLI_HELP,
};

const struct cli_command cli_command_mock = {
    .name = "mock",
    .summary = "an emulator of LLM providers on loopback, with quotas, pacing and faults",
    .operands = "",
    .about =
        "Prints its base URL as the first line, then serves until Ctrl-C or SIGTERM, and\n"
        "prints what it saw and would have billed as a line of JSON.\n\n"
        "It speaks OpenAI, Databricks, Anthropic (/v1/messages), Azure (/openai/v1,\n"
        "/openai/deployments/D, /models, /anthropic) and Bedrock (/model/M/converse,\n"
        "/invoke and their streams; OpenAI's shape under /bedrock/openai/v1), each with\n"
        "its own errors.\n\n"
        "A fault is KIND[:WHEN[:EXTRA]]. WHEN is a share of the requests (30%), the number of\n"
        "one or a range (#3, #2-4), or a part of the question (~scones); without it: always.\n"
        "EXTRA is hint=FORM/D for a throttling answer, after=TOKENS for a fault in a stream.\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .run = run,
    .help = print_faults,
};
