/* moot check: is this configuration and payload sound, what would be said, what may it cost. Sends
 * nothing. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <moot/preview.h>

#include "cli.h"
#include "host.h"
#include "out.h"

enum { PROBLEMS_SHOWN = 50 };

struct check {
    const char *config, *input;
    const struct moot_plan *plan;
    bool is_json, is_terminal;
    uint64_t problems;
    struct cli_json json;
};

static void print_view(struct check *check, struct moot_view text)
{
    cli_print_text(stdout, text, check->is_terminal);
}

static void on_call(const struct moot_preview_call *call, void *data)
{
    struct check *check = data;
    char input[CLI_SHOWN_BYTES], output[CLI_SHOWN_BYTES];
    printf("\nCall %zu: ", call->step + 1);
    print_view(check, call->who.role);
    fputs(" = ", stdout);
    print_view(check, call->who.endpoint);
    fputs(" at ", stdout);
    print_view(check, call->who.base_url);
    for (size_t i = 1; i < moot_plan_choice_count(check->plan, call->step); i++) {
        struct moot_plan_step next = moot_plan_choice_at(check->plan, call->step, i);
        fputs("\n  if it cannot, ", stdout);
        print_view(check, next.endpoint);
        fputs(" at ", stdout);
        print_view(check, next.base_url);
    }
    printf("\n  at most %s tokens in, %s out\n", cli_show_count(call->input_tokens, input),
           call->output_tokens ? cli_show_count(call->output_tokens, output) : "any number of");
    for (size_t i = 0; i < call->message_count; i++) {
        fputs("  ", stdout);
        print_view(check, call->messages[i].role);
        fputs(": ", stdout);
        print_view(check, call->messages[i].content);
        fputc('\n', stdout);
    }
}

static void on_call_json(const struct moot_preview_call *call, void *data)
{
    struct check *check = data;
    struct cli_json *json = &check->json;
    cli_json_begin(json, NULL);
    cli_json_string(json, "role", call->who.role);
    cli_json_string(json, "endpoint", call->who.endpoint);
    cli_json_string(json, "provider", call->who.provider);
    cli_json_string(json, "base_url", call->who.base_url);
    if (moot_plan_choice_count(check->plan, call->step) > 1) {
        cli_json_list_begin(json, "fallbacks");
        for (size_t i = 1; i < moot_plan_choice_count(check->plan, call->step); i++) {
            struct moot_plan_step next = moot_plan_choice_at(check->plan, call->step, i);
            cli_json_begin(json, NULL);
            cli_json_string(json, "endpoint", next.endpoint);
            cli_json_string(json, "provider", next.provider);
            cli_json_string(json, "base_url", next.base_url);
            cli_json_end(json);
        }
        cli_json_list_end(json);
    }
    cli_json_u64(json, "input_tokens_max", call->input_tokens);
    if (call->output_tokens)
        cli_json_u64(json, "output_tokens_max", call->output_tokens);
    if (call->has_price)
        cli_json_double(json, "cost_max", call->cost);
    cli_json_list_begin(json, "messages");
    for (size_t i = 0; i < call->message_count; i++) {
        cli_json_begin(json, NULL);
        cli_json_string(json, "role", call->messages[i].role);
        cli_json_string(json, "content", call->messages[i].content);
        cli_json_end(json);
    }
    cli_json_list_end(json);
    cli_json_end(json);
}

static void on_problem(const struct moot_error_info *problem, void *data)
{
    struct check *check = data;
    if (check->problems++ >= PROBLEMS_SHOWN)
        return;
    if (problem->code == MOOT_OK && problem->line)
        cli_error("%s", problem->message);
    else if (problem->code == MOOT_OK)
        cli_error("%s: note: %s", check->config, problem->message);
    else
        cli_error("%s:%u: %s", check->input ? check->input : "question", problem->line,
                  problem->message);
}

static void print_sums(const struct moot_preview *sums)
{
    char rows[CLI_SHOWN_BYTES], calls[CLI_SHOWN_BYTES], in[CLI_SHOWN_BYTES], out[CLI_SHOWN_BYTES];
    printf("\nRows: %s", cli_show_count(sums->rows, rows));
    if (sums->rows_wrong)
        printf(", of which %" PRIu64 " cannot be asked", sums->rows_wrong);
    printf("\nCalls: %s, retries left out\n", cli_show_count(sums->calls, calls));
    printf("Tokens at most: %s in (estimated), %s%s out\n", cli_show_count(sums->input_tokens, in),
           sums->is_bounded ? "" : "more than ", cli_show_count(sums->output_tokens, out));
    if (sums->has_prices && sums->is_bounded)
        printf("Cost at most: $%.4f\n", sums->cost);
    else if (sums->has_prices)
        printf("Cost at most: not bounded; give every role max_tokens\n");
    else
        printf("Cost at most: not known; give the providers `prices`\n");
}

static void print_sums_json(struct cli_json *json, const struct moot_preview *sums, bool is_sound)
{
    cli_json_bool(json, "sound", is_sound);
    cli_json_u64(json, "rows", sums->rows);
    cli_json_u64(json, "rows_wrong", sums->rows_wrong);
    cli_json_u64(json, "calls", sums->calls);
    cli_json_u64(json, "input_tokens_max", sums->input_tokens);
    if (sums->is_bounded)
        cli_json_u64(json, "output_tokens_max", sums->output_tokens);
    if (sums->is_bounded && sums->has_prices)
        cli_json_double(json, "cost_max", sums->cost);
}

static int look(struct check *check, struct moot_plan *plan, uint64_t limit)
{
    const struct moot_message question = {MOOT_VIEW("user"), MOOT_VIEW("{question}")};
    struct moot_preview_options options = {
        .size = sizeof options,
        .plan = plan,
        .path = check->input,
        .messages = &question,
        .message_count = 1,
        .limit = limit,
        .on_call = check->is_json ? on_call_json : on_call,
        .on_problem = on_problem,
        .data = check,
    };
    struct moot_preview sums;
    struct moot_error_info info;
    char fingerprint[33];
    moot_plan_fingerprint(plan, fingerprint);
    if (check->is_json) {
        cli_json_begin(&check->json, NULL);
        cli_json_string(&check->json, "fingerprint", (struct moot_view){fingerprint, 32});
        cli_json_list_begin(&check->json, "first_row");
    } else
        printf("Plan %s: %zu calls a conversation\n", fingerprint, moot_plan_step_count(plan));
    int rc = moot_preview(&options, &sums, &info);
    bool is_sound = rc == MOOT_OK && sums.rows_wrong == 0;
    if (check->is_json) {
        cli_json_list_end(&check->json);
        print_sums_json(&check->json, &sums, is_sound);
        cli_json_end(&check->json);
        cli_json_line(&check->json);
    } else if (rc == MOOT_OK)
        print_sums(&sums);
    if (check->problems > PROBLEMS_SHOWN)
        cli_error("%" PRIu64 " more problems like these", check->problems - PROBLEMS_SHOWN);
    if (rc != MOOT_OK)
        return cli_error_info(check->input, &info);
    return is_sound ? CLI_EXIT_OK : CLI_EXIT_USAGE;
}

/* Is the file of --ca one? An engine reads it, and says what is wrong with it. */
static bool look_at_ca(const struct cli_args *args, struct moot_plan *plan)
{
    const struct cli_host_options options = {
        .plan = plan, .signals = -1, .ca_file = cli_args_text(args, CLI_CA)};
    struct cli_host host;
    if (!options.ca_file)
        return true;
    if (!cli_host_start(&host, &options))
        return false;
    cli_host_stop(&host);
    return true;
}

static int run(const struct cli_args *args)
{
    struct check check = {
        .config = cli_args_text(args, CLI_CONFIG),
        .input = args->operand_count ? args->operands[0] : NULL,
        .is_json = cli_args_flag(args, CLI_JSON),
        .is_terminal = cli_is_terminal(stdout),
        .json = {.out = stdout},
    };
    struct moot_plan *plan;
    if (!cli_plan_load(args, &plan))
        return CLI_EXIT_USAGE;
    check.plan = plan;
    int code = CLI_EXIT_USAGE;
    if (look_at_ca(args, plan))
        code = look(&check, plan, cli_args_number(args, CLI_LIMIT, 0));
    moot_plan_unref(plan);
    return code;
}

static const enum cli_option_id options[] = {CLI_CONFIG, CLI_LIMIT, CLI_CA, CLI_JSON, CLI_HELP};

const struct cli_command cli_command_check = {
    .name = "check",
    .summary = "is this configuration and input sound; what would be sent; what may it cost",
    .operands = "[FILE]",
    .about = "Prints the messages of the first row, call by call, and the most tokens and money\n"
             "that the whole file can cost without retries. Every wrong row and every doubt about\n"
             "the configuration goes to standard error; exit 1 if there is a wrong row. The file\n"
             "of --ca and the secrets in variables and files are read. No process is run, and\n"
             "nothing is sent.\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .operands_max = 1,
    .run = run,
};
