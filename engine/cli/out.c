/* Printing. The texts of models, providers and configurations are foreign: a terminal gets them
 * with their control characters spelled out (CWE-150). */
#include "out.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { NS_PER_MS = 1000000 };

bool cli_is_terminal(FILE *file)
{
    return isatty(fileno(file)) == 1;
}

static bool has_style(FILE *file)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return cli_is_terminal(file) && !(no_color && no_color[0]) &&
           !(term && strcmp(term, "dumb") == 0);
}

const char *cli_dim(FILE *file)
{
    return has_style(file) ? "\033[2m" : "";
}

const char *cli_plain(FILE *file)
{
    return has_style(file) ? "\033[0m" : "";
}

/* The length of the control character at the front of `text`, or 0. C1 controls are U+0080 to
 * U+009F, two bytes of UTF-8; some terminals take their bare bytes as well, but the library hands
 * out valid UTF-8 only. */
static size_t control_length(struct moot_view text)
{
    unsigned char first = (unsigned char)text.ptr[0];
    if (first == '\n' || first == '\t')
        return 0;
    if (first < 0x20 || first == 0x7f)
        return 1;
    bool is_c1 = first == 0xc2 && text.len > 1 && (unsigned char)text.ptr[1] < 0xa0;
    return is_c1 ? 2 : 0;
}

void cli_print_text(FILE *out, struct moot_view text, bool is_terminal)
{
    size_t written = 0;
    for (size_t at = 0; is_terminal && at < text.len;) {
        size_t length = control_length((struct moot_view){text.ptr + at, text.len - at});
        if (length == 0) {
            at++;
            continue;
        }
        fwrite(text.ptr + written, 1, at - written, out);
        fprintf(out, "\\x%02x", (unsigned)(unsigned char)text.ptr[at + length - 1]);
        at += length;
        written = at;
    }
    if (text.len > written)
        fwrite(text.ptr + written, 1, text.len - written, out);
}

int cli_error(const char *format, ...)
{
    char message[2048];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    size_t shown = length < 0 ? 0 : (size_t)length;
    if (shown >= sizeof message)
        shown = sizeof message - 1;
    fputs("moot: ", stderr);
    cli_print_text(stderr, (struct moot_view){message, shown}, cli_is_terminal(stderr));
    fputc('\n', stderr);
    return CLI_EXIT_USAGE;
}

int cli_error_info(const char *file, const struct moot_error_info *info)
{
    const char *message = info->message[0] ? info->message : moot_error_text(info->code);
    if (!file || strncmp(message, file, strlen(file)) == 0)
        return cli_error("%s", message); /* it says itself where */
    if (info->line)
        return cli_error("%s:%u:%u: %s", file, info->line, info->column, message);
    return cli_error("%s: %s", file, message);
}

const char *cli_show_span(uint64_t span_ns, char out[CLI_SHOWN_BYTES])
{
    uint64_t ms = span_ns / NS_PER_MS, s = ms / 1000;
    if (ms < 1000)
        snprintf(out, CLI_SHOWN_BYTES, "%" PRIu64 " ms", ms);
    else if (s < 60)
        snprintf(out, CLI_SHOWN_BYTES, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
    else if (s < 3600)
        snprintf(out, CLI_SHOWN_BYTES, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
    else
        snprintf(out, CLI_SHOWN_BYTES, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
    return out;
}

const char *cli_show_count(uint64_t count, char out[CLI_SHOWN_BYTES])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void begin_member(struct cli_json *json, const char *key)
{
    if (json->has_member)
        fputc(',', json->out);
    if (key)
        fprintf(json->out, "\"%s\":", key);
    json->has_member = true;
}

void cli_json_begin(struct cli_json *json, const char *key)
{
    begin_member(json, key);
    fputc('{', json->out);
    json->has_member = false;
}

void cli_json_end(struct cli_json *json)
{
    fputc('}', json->out);
    json->has_member = true;
}

void cli_json_list_begin(struct cli_json *json, const char *key)
{
    begin_member(json, key);
    fputc('[', json->out);
    json->has_member = false;
}

void cli_json_list_end(struct cli_json *json)
{
    fputc(']', json->out);
    json->has_member = true;
}

void cli_json_string(struct cli_json *json, const char *key, struct moot_view text)
{
    begin_member(json, key);
    fputc('"', json->out);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            fprintf(json->out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", json->out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(json->out, "\\u%04x", c);
        else
            fputc(c, json->out);
    }
    fputc('"', json->out);
}

void cli_json_u64(struct cli_json *json, const char *key, uint64_t value)
{
    begin_member(json, key);
    fprintf(json->out, "%" PRIu64, value);
}

void cli_json_double(struct cli_json *json, const char *key, double value)
{
    begin_member(json, key);
    if (isfinite(value))
        fprintf(json->out, "%.15g", value);
    else
        fputs("null", json->out);
}

void cli_json_bool(struct cli_json *json, const char *key, bool value)
{
    begin_member(json, key);
    fputs(value ? "true" : "false", json->out);
}

void cli_json_line(struct cli_json *json)
{
    fputc('\n', json->out);
    fflush(json->out);
    json->has_member = false;
}
