/* moot batch: a file of rows through the plan. The run has its own threads; this one tells where it
 * is, and a second waits for Ctrl-C. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <moot/batch.h>
#include <moot/trace.h>

#include "cli.h"
#include "out.h"
#include "progress.h"
#include "signals.h"

/* --- Ctrl-C ---------------------------------------------------------------------------------- */

struct watcher {
    struct moot_batch *batch;
    pthread_t thread;
    int signals;
    int end[2]; /* a pipe: closing its second end ends the thread */
};

static void *watch(void *data)
{
    struct watcher *watcher = data;
    struct pollfd entries[] = {{.fd = watcher->signals, .events = POLLIN},
                               {.fd = watcher->end[0], .events = POLLIN}};
    for (;;) {
        if (poll(entries, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (entries[1].revents)
            return NULL;
        for (unsigned count = cli_signals_take(watcher->signals); count > 0; count--)
            moot_batch_interrupt(watcher->batch);
    }
}

static bool start_watching(struct watcher *watcher, struct moot_batch *batch, int signals)
{
    *watcher = (struct watcher){.batch = batch, .signals = signals};
    if (pipe(watcher->end) != 0)
        return false;
    if (pthread_create(&watcher->thread, NULL, watch, watcher) == 0)
        return true;
    close(watcher->end[0]);
    close(watcher->end[1]);
    return false;
}

static void stop_watching(struct watcher *watcher)
{
    close(watcher->end[1]);
    pthread_join(watcher->thread, NULL);
    close(watcher->end[0]);
}

/* --- options --------------------------------------------------------------------------------- */

/* Flags and variables over what the configuration's `batch` section says. */
static void lay_over(const struct cli_args *args, struct moot_batch_options *options)
{
    const struct cli_value *errors = &args->values[CLI_MAX_ERRORS];
    const struct cli_value *shard = &args->values[CLI_SHARD];
    options->input_path = args->operands[0];
    options->output_path = cli_args_text(args, CLI_OUTPUT);
    options->ca_file = cli_args_text(args, CLI_CA);
    options->rows_max = cli_args_number(args, CLI_LIMIT, 0);
    options->retry_failed = cli_args_flag(args, CLI_RETRY_FAILED);
    options->fresh = cli_args_flag(args, CLI_FRESH);
    options->allow_changes = cli_args_flag(args, CLI_ALLOW_CHANGES);
    options->row_timeout_ns = cli_args_number(args, CLI_ROW_TIMEOUT, options->row_timeout_ns);
    if (args->is_set[CLI_STREAM])
        options->stream = cli_args_flag(args, CLI_STREAM);
    if (args->is_set[CLI_CONCURRENCY]) /* `auto` is 0 */
        options->concurrency = (unsigned)args->values[CLI_CONCURRENCY].number;
    if (args->is_set[CLI_LOOPS])
        options->loops = (unsigned)args->values[CLI_LOOPS].number;
    if (args->is_set[CLI_MAX_COST])
        options->cost_max = args->values[CLI_MAX_COST].amount;
    options->outage_max_ns = cli_args_number(args, CLI_MAX_OUTAGE, options->outage_max_ns);
    if (args->is_set[CLI_SHARD]) {
        options->shard = (unsigned)shard->number;
        options->shards = (unsigned)shard->total;
    }
    if (args->is_set[CLI_MAX_ERRORS]) {
        options->has_errors_max = !errors->truth;
        options->errors_max = errors->number;
        options->errors_percent_max = errors->truth ? errors->amount : 0;
    }
}

static bool check_numbers(const struct cli_args *args)
{
    static const enum cli_option_id ids[] = {CLI_CONCURRENCY, CLI_LOOPS};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        bool is_auto = args->values[ids[i]].truth;
        uint64_t number = args->values[ids[i]].number;
        if (args->is_set[ids[i]] && !is_auto && (number == 0 || number > UINT16_MAX)) {
            cli_error("--%s must be from 1 to %d", cli_options[ids[i]].name, UINT16_MAX);
            return false;
        }
    }
    const char *output = cli_args_text(args, CLI_OUTPUT);
    if (!output || strcmp(output, "-") == 0) {
        cli_error(output ? "results are their own journal and need a file; give -o FILE"
                         : "there is no place for the results; give -o FILE");
        return false;
    }
    return true;
}

/* --rate: a budget of our own over the plan's quotas; NULL without it. */
static bool make_budget(const struct cli_args *args, struct moot_plan *plan,
                        struct moot_budget **out)
{
    struct moot_quota quotas[CLI_REPEATS_MAX];
    size_t count = 0;
    const struct cli_value *rate;
    *out = NULL;
    while ((rate = cli_args_repeat(args, CLI_RATE, count)) != NULL)
        quotas[count++] = (struct moot_quota){
            .provider = {rate->text, rate->provider_bytes},
            .requests_per_minute = rate->rpm,
            .input_tokens_per_minute = rate->itpm,
            .output_tokens_per_minute = rate->otpm,
        };
    if (count == 0)
        return true;
    const struct moot_budget_options options = {sizeof options, quotas, count};
    struct moot_error_info info = {0};
    int rc = moot_budget_new_with(NULL, plan, &options, out, &info);
    if (rc == MOOT_ENOTFOUND)
        cli_error("--rate names a provider that the configuration does not have; without a "
                  "`providers` section it is `default`");
    else if (rc != MOOT_OK)
        cli_error_info(NULL, &info);
    return rc == MOOT_OK;
}

/* --- the run --------------------------------------------------------------------------------- */

static void on_progress(void *context, const struct moot_batch_progress *now)
{
    cli_progress_show(context, now);
}

static void print_outcome(const struct moot_batch_progress *now, enum moot_batch_status status,
                          const struct moot_error_info *info)
{
    const char *name = cli_batch_status_name(status);
    struct cli_json json = {.out = stdout};
    cli_json_begin(&json, NULL);
    cli_json_string(&json, "status", (struct moot_view){name, strlen(name)});
    cli_progress_json(&json, now);
    if (info->message[0])
        cli_json_string(&json, "message", (struct moot_view){info->message, strlen(info->message)});
    cli_json_end(&json);
    cli_json_line(&json);
}

static int exit_code(enum moot_batch_status status)
{
    static const int codes[] = {
        [MOOT_BATCH_COMPLETE] = CLI_EXIT_OK,
        [MOOT_BATCH_SOME_FAILED] = CLI_EXIT_FAILED,
        [MOOT_BATCH_THRESHOLD] = CLI_EXIT_THRESHOLD,
        [MOOT_BATCH_INTERRUPTED] = CLI_EXIT_INTERRUPTED,
        [MOOT_BATCH_ERROR] = CLI_EXIT_USAGE,
    };
    return codes[status];
}

static int run_batch(const struct cli_args *args, struct moot_batch *batch,
                     struct cli_progress *progress, int signals)
{
    struct moot_error_info info = {0};
    struct watcher watcher;
    if (!start_watching(&watcher, batch, signals))
        return cli_error("no thread could be started: %s", strerror(errno));
    enum moot_batch_status status = moot_batch_run(batch, &info);
    stop_watching(&watcher);
    struct moot_batch_progress now;
    moot_batch_progress(batch, &now);
    if (status != MOOT_BATCH_ERROR)
        cli_progress_finish(progress, &now, status);
    bool is_asked = status != MOOT_BATCH_SOME_FAILED || progress->mode != CLI_PROGRESS_OFF;
    if (info.message[0] && is_asked)
        cli_error_info(NULL, &info);
    if (status == MOOT_BATCH_INTERRUPTED && progress->mode != CLI_PROGRESS_OFF)
        cli_error("interrupted; the same command goes on where it stopped");
    if (cli_args_flag(args, CLI_JSON))
        print_outcome(&now, status, &info);
    return exit_code(status);
}

static int with_budget(const struct cli_args *args, struct moot_batch_options *options, int signals)
{
    struct moot_error_info info;
    struct moot_batch *batch;
    struct cli_progress progress;
    cli_progress_init(&progress, (enum cli_progress_mode)cli_args_number(args, CLI_PROGRESS, 0),
                      stderr);
    if (progress.mode != CLI_PROGRESS_OFF) {
        options->on_progress = on_progress;
        options->progress_context = &progress;
        options->progress_interval_ns = cli_progress_interval_ns(&progress);
    }
    int code = CLI_EXIT_USAGE;
    if (!cli_trace_open(args, MOOT_TRACE_APPEND, &options->trace))
        return code;
    if (moot_batch_new(options, &batch, &info) != MOOT_OK)
        cli_error_info(NULL, &info);
    else {
        code = run_batch(args, batch, &progress, signals);
        moot_batch_free(batch);
    }
    cli_trace_close(options->trace);
    return code;
}

static int with_plan(const struct cli_args *args, struct moot_plan *plan)
{
    struct moot_batch_options options;
    moot_batch_options_init(&options, plan);
    lay_over(args, &options);
    if (!make_budget(args, plan, &options.budget))
        return CLI_EXIT_USAGE;
    int code = CLI_EXIT_USAGE;
    int signals = cli_signals_open();
    if (signals >= 0) {
        code = with_budget(args, &options, signals);
        cli_signals_close(signals);
    }
    moot_budget_unref(options.budget);
    return code;
}

static int run(const struct cli_args *args)
{
    struct moot_plan *plan;
    if (!check_numbers(args) || !cli_plan_load(args, &plan))
        return CLI_EXIT_USAGE;
    int code = with_plan(args, plan);
    moot_plan_unref(plan);
    return code;
}

static const enum cli_option_id options[] = {
    CLI_CONFIG,   CLI_OUTPUT,        CLI_STREAM,       CLI_CONCURRENCY, CLI_RATE,
    CLI_LOOPS,    CLI_LIMIT,         CLI_SHARD,        CLI_ROW_TIMEOUT, CLI_MAX_ERRORS,
    CLI_MAX_COST, CLI_MAX_OUTAGE,    CLI_RETRY_FAILED, CLI_FRESH,       CLI_ALLOW_CHANGES,
    CLI_TRACE,    CLI_TRACE_CONTENT, CLI_PROGRESS,     CLI_CA,          CLI_JSON,
    CLI_HELP,
};

const struct cli_command cli_command_batch = {
    .name = "batch",
    .summary = "a file of rows through the plan, resumable at any instant",
    .operands = "FILE",
    .about = "FILE holds OpenAI or Anthropic batch lines, messages, questions, MLflow inputs or\n"
             "CSV, plain or gzip; - is standard input. Results are lines of the same kind, in\n"
             "order of completion; failed rows go to NAME.errors.jsonl. The same command again\n"
             "goes on where the last run stopped. The first Ctrl-C lets the rows under way\n"
             "finish, the second stops at once.\n\n"
             "Exit: 0 every row succeeded; 1 usage or configuration; 2 some rows failed; 3 a\n"
             "threshold (errors, cost, an outage) stopped the run, resumable; 130 interrupted, "
             "resumable.\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
