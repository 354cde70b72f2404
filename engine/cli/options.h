#ifndef MOOT_CLI_OPTIONS_H
#define MOOT_CLI_OPTIONS_H

/* Every option of every command, once: so that a name means the same thing wherever it is taken.
 * A command lists which of them it has. The environment variable of an option is its name in
 * capitals after MOOT_: --max-errors is MOOT_MAX_ERRORS. */

/* How an option's text is read; see values.h. */
enum cli_kind {
    CLI_KIND_FLAG,             /* --stream; in a variable 1, true, yes or 0, false, no */
    CLI_KIND_TEXT,             /* anything but nothing */
    CLI_KIND_COUNT,            /* 600, 80k, 1.5M */
    CLI_KIND_COUNT_OR_AUTO,    /* the same, or `auto` */
    CLI_KIND_COUNT_OR_PERCENT, /* the same, or 5% */
    CLI_KIND_AMOUNT,           /* 12.50 */
    CLI_KIND_DURATION,         /* 250ms, 5s, 10m, 1h */
    CLI_KIND_RATE,             /* PROVIDER:rpm=600,itpm=80k,otpm=16k */
    CLI_KIND_SHARD,            /* 2/8 */
    CLI_KIND_CHOICE,           /* one of the words of the argument, which `|` separates */
};

/* X(id, name, short name or 0, kind, repeatable, argument, help) */
#define CLI_OPTION_MAP(X)                                                                          \
    X(CONFIG, "config", 'c', CLI_KIND_TEXT, 0, "FILE",                                             \
      "the configuration: YAML or JSON, an MLmodel file, or a folder that holds one")              \
    X(OUTPUT, "output", 'o', CLI_KIND_TEXT, 0, "FILE", "where results go; - is standard output")   \
    X(STREAM, "stream", 0, CLI_KIND_FLAG, 0, 0,                                                    \
      "ask the providers to stream; answers are the same")                                         \
    X(CONCURRENCY, "concurrency", 0, CLI_KIND_COUNT_OR_AUTO, 0, "N|auto",                          \
      "conversations at once; auto lets the providers' answers decide")                            \
    X(RATE, "rate", 0, CLI_KIND_RATE, 1, "PROVIDER:rpm=N,itpm=N,otpm=N",                           \
      "a provider's quota a minute, over the configuration's")                                     \
    X(LOOPS, "loops", 0, CLI_KIND_COUNT, 0, "N", "event loops, each on a thread of its own")       \
    X(LIMIT, "limit", 0, CLI_KIND_COUNT, 0, "N", "only the first N rows")                          \
    X(SHARD, "shard", 0, CLI_KIND_SHARD, 0, "I/N",                                                 \
      "only part I of N, from 0; every row is in exactly one")                                     \
    X(ROW_TIMEOUT, "row-timeout", 0, CLI_KIND_DURATION, 0, "D",                                    \
      "time at work for one row; waiting for quota does not count")                                \
    X(MAX_ERRORS, "max-errors", 0, CLI_KIND_COUNT_OR_PERCENT, 0, "N|P%",                           \
      "stop once more rows than this have failed")                                                 \
    X(MAX_COST, "max-cost", 0, CLI_KIND_AMOUNT, 0, "X",                                            \
      "stop before the run costs more, in dollars")                                                \
    X(MAX_OUTAGE, "max-outage", 0, CLI_KIND_DURATION, 0, "D",                                      \
      "stop when a provider has answered nobody for so long [30m; 1m if it never did]")            \
    X(RETRY_FAILED, "retry-failed", 0, CLI_KIND_FLAG, 0, 0,                                        \
      "ask the rows again that failed before")                                                     \
    X(FRESH, "fresh", 0, CLI_KIND_FLAG, 0, 0, "start over; the old results are renamed, not lost") \
    X(ALLOW_CHANGES, "allow-changes", 0, CLI_KIND_FLAG, 0, 0,                                      \
      "go on although the input or the configuration is not what it was")                          \
    X(TRACE, "trace", 0, CLI_KIND_TEXT, 0, "FILE", "write every span as a line of JSON")           \
    X(TRACE_CONTENT, "trace-content", 0, CLI_KIND_FLAG, 0, 0,                                      \
      "with --trace: record messages and answers in it as well")                                   \
    X(PROGRESS, "progress", 0, CLI_KIND_CHOICE, 0, "auto|plain|json|off", "how progress is shown") \
    X(CA, "ca", 0, CLI_KIND_TEXT, 0, "FILE",                                                       \
      "certificate authorities to trust, PEM, not the system's")                                   \
    X(JSON, "json", 0, CLI_KIND_FLAG, 0, 0, "print the outcome as JSON")                           \
    X(SHOW_ALL, "show-all", 0, CLI_KIND_FLAG, 0, 0, "every role's answer on standard output")      \
    X(PORT, "port", 'p', CLI_KIND_COUNT, 0, "N", "the port; 0 takes a free one [0]")               \
    X(TLS, "tls", 0, CLI_KIND_FLAG, 0, 0, "speak TLS, with a certificate made for this run")       \
    X(CA_OUT, "ca-out", 0, CLI_KIND_TEXT, 0, "FILE",                                               \
      "with --tls: write the authority that clients have to trust; PEM")                           \
    X(SURFACE, "surface", 0, CLI_KIND_CHOICE, 0, "databricks|openai",                              \
      "which base URL to print; all surfaces are always there [databricks]")                       \
    X(ANSWERS, "answers", 0, CLI_KIND_TEXT, 0, "echo|generated|golden|tool|FILE",                  \
      "what to answer; a FILE has a line `part of the question TAB answer` each [echo]")           \
    X(TOKENS, "tokens", 0, CLI_KIND_TEXT, 0, "N|A-B", "length of generated answers [64]")          \
    X(FIRST_TOKEN, "first-token", 0, CLI_KIND_DURATION, 0, "D",                                    \
      "when the first token is sent [0]")                                                          \
    X(INTER_TOKEN, "inter-token", 0, CLI_KIND_DURATION, 0, "D", "time between two tokens [0]")     \
    X(LATENCY, "latency", 0, CLI_KIND_DURATION, 0, "D", "when an unstreamed answer is sent [0]")   \
    X(JITTER, "jitter", 0, CLI_KIND_DURATION, 0, "D", "each of these later by a draw below D [0]") \
    X(RPM, "rpm", 0, CLI_KIND_COUNT, 0, "N", "quota: requests per window")                         \
    X(TPM, "tpm", 0, CLI_KIND_COUNT, 0, "N", "quota: tokens per window, in and out together")      \
    X(ITPM, "itpm", 0, CLI_KIND_COUNT, 0, "N", "quota: tokens in per window")                      \
    X(OTPM, "otpm", 0, CLI_KIND_COUNT, 0, "N", "quota: tokens out per window")                     \
    X(AT_ONCE, "at-once", 0, CLI_KIND_COUNT, 0, "N", "quota: answers at work at once")             \
    X(WINDOW, "window", 0, CLI_KIND_DURATION, 0, "D", "the quotas' window [1m]")                   \
    X(WINDOW_KIND, "window-kind", 0, CLI_KIND_CHOICE, 0, "sliding|fixed",                          \
      "quota flows back evenly, or all at the window's end [sliding]")                             \
    X(QUOTA_HEADERS, "quota-headers", 0, CLI_KIND_CHOICE, 0,                                       \
      "surface|none|openai|azure|mistral|anthropic|ietf|hostile",                                  \
      "how answers tell of quotas; surface: as each provider does [surface]")                      \
    X(HINTS, "hints", 0, CLI_KIND_TEXT, 0, "FORM",                                                 \
      "what a 429 says about when to come back [seconds]")                                         \
    X(FAULT, "fault", 0, CLI_KIND_TEXT, 1, "KIND:WHEN[:EXTRA]",                                    \
      "go wrong: 429:30%, reset-mid-body:#3, bad-json:~scones; the kinds are listed below")        \
    X(RECORD, "record", 0, CLI_KIND_TEXT, 0, "FILE",                                               \
      "write each request as a line of JSON: its endpoint and its body as it came")                \
    X(SEED, "seed", 0, CLI_KIND_COUNT, 0, "N", "two runs with one seed behave the same [1]")       \
    X(API_KEY, "api-key", 0, CLI_KIND_TEXT, 0, "KEY",                                              \
      "refuse requests that do not carry this key, in whatever header is the surface's")           \
    X(CLIENT_ID, "client-id", 0, CLI_KIND_TEXT, 0, "ID",                                           \
      "give access tokens to this client, as Databricks and Entra do, and ask for them")           \
    X(CLIENT_SECRET, "client-secret", 0, CLI_KIND_TEXT, 0, "SECRET", "the client's secret")        \
    X(TOKEN_TTL, "token-ttl", 0, CLI_KIND_DURATION, 0, "D", "how long such a token is good [1h]")  \
    X(AWS_ACCESS_KEY, "aws-access-key", 0, CLI_KIND_TEXT, 0, "ID",                                 \
      "verify the signatures of requests to Bedrock, made with this key")                          \
    X(AWS_SECRET_KEY, "aws-secret-key", 0, CLI_KIND_TEXT, 0, "KEY",                                \
      "the secret that belongs to it")                                                             \
    X(AWS_REGION, "aws-region", 0, CLI_KIND_TEXT, 0, "REGION",                                     \
      "the region of those signatures [us-east-1]")                                                \
    X(HELP, "help", 'h', CLI_KIND_FLAG, 0, 0, "this text")

enum cli_option_id {
#define X(id, name, short_name, kind, repeatable, argument, help) CLI_##id,
    CLI_OPTION_MAP(X)
#undef X
        CLI_OPTIONS
};

struct cli_option {
    const char *name;
    char short_name; /* 0: none */
    enum cli_kind kind;
    int is_repeatable;
    const char *argument; /* as help shows it; NULL for flags */
    const char *help;
};

extern const struct cli_option cli_options[CLI_OPTIONS];

/* The name of the option's variable, such as MOOT_MAX_ERRORS. */
enum { CLI_VARIABLE_BYTES = 40 };
void cli_option_variable(enum cli_option_id id, char out[CLI_VARIABLE_BYTES]);

#endif
