#ifndef MOOT_CLI_OUT_H
#define MOOT_CLI_OUT_H

/* What the program prints: errors in one form, texts of strangers made safe for a terminal, and
 * lines of JSON. */
#include <moot/error.h>
#include <moot/view.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* "moot: MESSAGE" on standard error. Returns CLI_EXIT_USAGE, so that `return cli_error(...)` reads
 * well. */
int cli_error(const char *format, ...) MOOT_PRINTF(1, 2);

/* The same for an error of the library: "moot: FILE:LINE:COLUMN: MESSAGE"; `file` may be NULL. */
int cli_error_info(const char *file, const struct moot_error_info *info);

/* Print a text. On a terminal, control characters that could move the cursor, change colours or
 * retitle the window are shown as \xNN; newline and tab stay. */
void cli_print_text(FILE *out, struct moot_view text, bool is_terminal);

bool cli_is_terminal(FILE *file);

/* Dim text is for terminals only; NO_COLOR (https://no-color.org) turns it off. */
const char *cli_dim(FILE *file);
const char *cli_plain(FILE *file);

/* 950 ms, 12.3 s, 4 min 05 s, 2 h 07 min; 1,234,567. `out` is filled and returned. */
enum { CLI_SHOWN_BYTES = 40 };
const char *cli_show_span(uint64_t span_ns, char out[CLI_SHOWN_BYTES]);
const char *cli_show_count(uint64_t count, char out[CLI_SHOWN_BYTES]);

/* One JSON object at a time, on one line. Keys are ours and need no escapes. */
struct cli_json {
    FILE *out;
    bool has_member;
};
void cli_json_begin(struct cli_json *json, const char *key); /* NULL: the outermost */
void cli_json_end(struct cli_json *json);
void cli_json_list_begin(struct cli_json *json, const char *key);
void cli_json_list_end(struct cli_json *json);
void cli_json_string(struct cli_json *json, const char *key, struct moot_view text);
void cli_json_u64(struct cli_json *json, const char *key, uint64_t value);
void cli_json_double(struct cli_json *json, const char *key, double value);
void cli_json_bool(struct cli_json *json, const char *key, bool value);
void cli_json_line(struct cli_json *json); /* ends the line and flushes it */

#endif
