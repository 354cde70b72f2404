#include "mock_options.h"

#include <errno.h>
#include <string.h>

#include "bench/emulator/options.h"

static struct moot_view view_of(const char *text)
{
    return (struct moot_view){text, strlen(text)};
}

/* --- scripts --------------------------------------------------------------------------------- */

/* Replace \n, \t and \\ in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == '\\' && (from[1] == 'n' || from[1] == 't' || from[1] == '\\')) {
            from++;
            *to++ = (char)(*from == 'n' ? '\n' : *from == 't' ? '\t' : '\\');
        } else
            *to++ = *from;
    }
    *to = '\0';
}

bool cli_mock_read_scripts(struct cli_mock *mock, const char *file)
{
    unsigned number = 0;
    size_t count = 0;
    for (char *line = mock->script_text, *next; line; line = next) {
        char *end = strchr(line, '\n');
        next = end ? end + 1 : NULL;
        if (end)
            *end = '\0';
        if (end > line && end[-1] == '\r')
            end[-1] = '\0';
        number++;
        if (line[0] == '\0' || line[0] == '#')
            continue;
        char *tab = strchr(line, '\t');
        if (!tab || count == CLI_SCRIPTS_MAX) {
            snprintf(mock->error, sizeof mock->error, "%s:%u: %s", file, number,
                     tab ? "too many answers; 512 are the most"
                         : "no tab; write `part of the question TAB answer`");
            return false;
        }
        *tab = '\0';
        unescape(line);
        unescape(tab + 1);
        mock->scripts[count++] = (struct moot_emulator_script){line[0] ? line : NULL, tab + 1};
    }
    if (count == 0) {
        snprintf(mock->error, sizeof mock->error, "%s: there is no answer in this file", file);
        return false;
    }
    mock->options.answer = MOOT_EMULATOR_SCRIPTED;
    mock->options.scripts = mock->scripts;
    mock->options.script_count = count;
    return true;
}

static bool load_scripts(struct cli_mock *mock, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        snprintf(mock->error, sizeof mock->error,
                 "--answers: %s: %s; give echo, generated, golden, tool or a file of answers", path,
                 strerror(errno));
        return false;
    }
    size_t length = fread(mock->script_text, 1, sizeof mock->script_text, file);
    bool has_failed = ferror(file) != 0;
    fclose(file);
    if (has_failed || length == sizeof mock->script_text) {
        snprintf(mock->error, sizeof mock->error, "--answers: %s: %s", path,
                 has_failed ? "reading failed" : "the file is larger than 128 KiB");
        return false;
    }
    mock->script_text[length] = '\0';
    return cli_mock_read_scripts(mock, path);
}

/* --- the rest -------------------------------------------------------------------------------- */

static bool take_info(struct cli_mock *mock, const char *option, const struct moot_error_info *info)
{
    snprintf(mock->error, sizeof mock->error, "--%s: %s", option, info->message);
    return false;
}

static bool read_answers(struct cli_mock *mock, const struct cli_args *args)
{
    struct moot_error_info info;
    const char *answers = cli_args_text(args, CLI_ANSWERS);
    const char *tokens = cli_args_text(args, CLI_TOKENS);
    if (tokens && moot_emulator_range_parse(view_of(tokens), &mock->options.reply_tokens_min,
                                            &mock->options.reply_tokens_max, &info) != MOOT_OK)
        return take_info(mock, "tokens", &info);
    if (tokens && !answers) {
        mock->options.answer = MOOT_EMULATOR_GENERATED;
        return true;
    }
    if (!answers ||
        moot_emulator_answer_parse(view_of(answers), &mock->options.answer, NULL) == MOOT_OK)
        return true;
    return load_scripts(mock, answers);
}

static bool read_hints(struct cli_mock *mock, const struct cli_args *args)
{
    static const char *const names[MOOT_EMULATOR_HINTS] = {
#define X(id, name, what) [MOOT_EMULATOR_HINT_##id] = (name),
        MOOT_EMULATOR_HINT_MAP(X)
#undef X
    };
    const char *text = cli_args_text(args, CLI_HINTS);
    if (!text)
        return true;
    size_t length =
        (size_t)snprintf(mock->error, sizeof mock->error, "--hints: '%.40s' is none of", text);
    for (int i = 0; i < MOOT_EMULATOR_HINTS; i++) {
        if (strcmp(names[i], text) == 0) {
            mock->options.hint = (enum moot_emulator_hint)i;
            return true;
        }
        length += (size_t)snprintf(mock->error + length, sizeof mock->error - length, "%s %s",
                                   i ? "," : "", names[i]);
    }
    return false;
}

static bool read_faults(struct cli_mock *mock, const struct cli_args *args)
{
    const struct cli_value *value;
    size_t count = 0;
    while ((value = cli_args_repeat(args, CLI_FAULT, count)) != NULL) {
        struct moot_error_info info;
        if (moot_emulator_rule_parse(view_of(value->text), &mock->rules[count], &info) != MOOT_OK)
            return take_info(mock, "fault", &info);
        count++;
    }
    mock->options.rules = mock->rules;
    mock->options.rule_count = count;
    return true;
}

bool cli_mock_read(struct cli_mock *mock, const struct cli_args *args)
{
    mock->options = moot_emulator_options_default();
    struct moot_emulator_options *options = &mock->options;
    options->seed = cli_args_number(args, CLI_SEED, 1);
    options->api_key = cli_args_text(args, CLI_API_KEY);
    options->client_id = cli_args_text(args, CLI_CLIENT_ID);
    options->client_secret = cli_args_text(args, CLI_CLIENT_SECRET);
    options->token_ttl_ns = cli_args_number(args, CLI_TOKEN_TTL, 0);
    options->aws_access_key = cli_args_text(args, CLI_AWS_ACCESS_KEY);
    options->aws_secret_key = cli_args_text(args, CLI_AWS_SECRET_KEY);
    options->aws_region = cli_args_text(args, CLI_AWS_REGION);
    options->first_token_ns = cli_args_number(args, CLI_FIRST_TOKEN, 0);
    options->inter_token_ns = cli_args_number(args, CLI_INTER_TOKEN, 0);
    options->whole_ns = cli_args_number(args, CLI_LATENCY, 0);
    options->jitter_ns = cli_args_number(args, CLI_JITTER, 0);
    options->quota = (struct moot_emulator_quota){
        .rpm = cli_args_number(args, CLI_RPM, 0),
        .tpm = cli_args_number(args, CLI_TPM, 0),
        .itpm = cli_args_number(args, CLI_ITPM, 0),
        .otpm = cli_args_number(args, CLI_OTPM, 0),
        .concurrency = cli_args_number(args, CLI_AT_ONCE, 0),
        .window = cli_args_number(args, CLI_WINDOW_KIND, 0) == 1 ? MOOT_EMULATOR_FIXED
                                                                 : MOOT_EMULATOR_SLIDING,
        .window_ns = cli_args_number(args, CLI_WINDOW, 0),
        /* The choices are in the order of the list. */
        .rates = (enum moot_emulator_rates)cli_args_number(args, CLI_QUOTA_HEADERS, 0),
    };
    if (!options->client_id != !options->client_secret) {
        snprintf(mock->error, sizeof mock->error,
                 "--client-id and --client-secret belong together; give both");
        return false;
    }
    if (!options->aws_access_key != !options->aws_secret_key) {
        snprintf(mock->error, sizeof mock->error,
                 "--aws-access-key and --aws-secret-key belong together; give both");
        return false;
    }
    return read_answers(mock, args) && read_hints(mock, args) && read_faults(mock, args);
}
