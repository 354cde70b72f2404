#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "out.h"

#define NS_PER_S 1000000000.0

enum { LINE_BYTES = 640, COLUMNS_DEFAULT = 80, COLUMNS_MIN = 20 };

/* --- speeds ---------------------------------------------------------------------------------- */

/* An average that forgets: what is five seconds old weighs a third. The first sample is the average
 * of the run so far. */
static void measure(struct cli_progress *progress, const struct moot_batch_progress *now)
{
    const double memory_s = 5;
    uint64_t rows = now->rows_succeeded + now->rows_failed;
    uint64_t tokens = now->input_tokens + now->output_tokens;
    double span_s = (double)(now->elapsed_ns - progress->last_ns) / NS_PER_S;
    if (now->elapsed_ns <= progress->last_ns)
        return;
    double weight = progress->last_ns == 0 ? 1 : 1 - exp(-span_s / memory_s);
    double rows_per_s = (double)(rows - progress->last_rows) / span_s;
    double tokens_per_s = (double)(tokens - progress->last_tokens) / span_s;
    progress->rows_per_s += weight * (rows_per_s - progress->rows_per_s);
    progress->tokens_per_s += weight * (tokens_per_s - progress->tokens_per_s);
    progress->last_ns = now->elapsed_ns;
    progress->last_rows = rows;
    progress->last_tokens = tokens;
}

/* --- texts ----------------------------------------------------------------------------------- */

struct line {
    char text[LINE_BYTES];
    size_t length;
};

static void MOOT_PRINTF(2, 3) add(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof line->text - line->length;
    int length = vsnprintf(line->text + line->length, room, format, args);
    va_end(args);
    if (length > 0)
        line->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void add_rows(struct line *line, const struct moot_batch_progress *now)
{
    char done[CLI_SHOWN_BYTES], total[CLI_SHOWN_BYTES], failed[CLI_SHOWN_BYTES];
    uint64_t ended = now->rows_known + now->rows_succeeded + now->rows_failed;
    add(line, "%s", cli_show_count(ended, done));
    if (now->rows_total)
        add(line, " of %s", cli_show_count(now->rows_total, total));
    add(line, " rows");
    if (now->rows_total)
        add(line, " (%.0f%%)", floor((double)ended * 100 / (double)now->rows_total));
    add(line, ", %s failed, %" PRIu64 " in flight", cli_show_count(now->rows_failed, failed),
        now->rows_in_flight);
}

static void add_speed(struct line *line, const struct cli_progress *progress)
{
    char tokens[CLI_SHOWN_BYTES];
    add(line, "%.1f rows/s, %s tokens/s", progress->rows_per_s,
        cli_show_count((uint64_t)progress->tokens_per_s, tokens));
}

static void add_wait(struct line *line, const struct moot_batch_progress *now)
{
    char span[CLI_SHOWN_BYTES], failing[CLI_SHOWN_BYTES];
    const char *wait = cli_show_span(now->wait_ns, span);
    if (now->wait == MOOT_BATCH_WAIT_QUOTA)
        add(line, ", waiting %s for the quota of '%s'", wait, now->waiting_for);
    else if (now->wait == MOOT_BATCH_WAIT_OUTAGE)
        add(line, ", '%s' has not answered for %s, next try in %s: %s", now->waiting_for,
            cli_show_span(now->failing_ns, failing), wait, now->cause);
}

static void add_rest(struct line *line, const struct moot_batch_progress *now)
{
    char elapsed[CLI_SHOWN_BYTES], remaining[CLI_SHOWN_BYTES];
    if (now->throttled)
        add(line, "throttled %" PRIu64 ", ", now->throttled);
    if (now->retries)
        add(line, "retries %" PRIu64 ", ", now->retries);
    if (now->cost > 0)
        add(line, "$%.4f, ", now->cost);
    add(line, "%s", cli_show_span(now->elapsed_ns, elapsed));
    add_wait(line, now);
    if (now->draining)
        add(line, ", finishing the rows under way; Ctrl-C again stops at once");
    else if (now->remaining_ns)
        add(line, ", about %s left", cli_show_span(now->remaining_ns, remaining));
}

/* --- the three ways -------------------------------------------------------------------------- */

static int terminal_columns(const struct cli_progress *progress)
{
    struct winsize size = {0};
    int columns = progress->columns;
    if (columns == 0 && ioctl(fileno(progress->out), TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    return columns >= COLUMNS_MIN ? columns : COLUMNS_DEFAULT;
}

/* Two lines, cut so that none wraps: the next draw goes up exactly two. */
static void draw_block(struct cli_progress *progress, const struct moot_batch_progress *now)
{
    struct line first = {.length = 0}, second = {.length = 0};
    int columns = terminal_columns(progress);
    add_rows(&first, now);
    add_speed(&second, progress);
    add(&second, "; ");
    add_rest(&second, now);
    fprintf(progress->out, "%s\r\033[2K%.*s\n\r\033[2K%.*s\n", progress->has_drawn ? "\033[2A" : "",
            columns - 1, first.text, columns - 1, second.text);
    fflush(progress->out);
    progress->has_drawn = true;
}

static void print_line(struct cli_progress *progress, const struct moot_batch_progress *now)
{
    struct line line = {.length = 0};
    add_rows(&line, now);
    add(&line, ", ");
    add_speed(&line, progress);
    add(&line, ", ");
    add_rest(&line, now);
    fprintf(progress->out, "moot: %s\n", line.text);
    fflush(progress->out);
}

void cli_progress_json(struct cli_json *json, const struct moot_batch_progress *now)
{
    cli_json_u64(json, "rows_known", now->rows_known);
    cli_json_u64(json, "rows_succeeded", now->rows_succeeded);
    cli_json_u64(json, "rows_failed", now->rows_failed);
    cli_json_u64(json, "rows_in_flight", now->rows_in_flight);
    if (now->rows_total)
        cli_json_u64(json, "rows_total", now->rows_total);
    cli_json_u64(json, "calls", now->calls);
    cli_json_u64(json, "retries", now->retries);
    cli_json_u64(json, "throttled", now->throttled);
    cli_json_u64(json, "possible_duplicates", now->possible_duplicates);
    cli_json_u64(json, "input_tokens", now->input_tokens);
    cli_json_u64(json, "output_tokens", now->output_tokens);
    cli_json_double(json, "cost", now->cost);
    cli_json_double(json, "elapsed_s", (double)now->elapsed_ns / NS_PER_S);
    if (now->remaining_ns)
        cli_json_double(json, "remaining_s", (double)now->remaining_ns / NS_PER_S);
    cli_json_bool(json, "draining", now->draining);
    if (now->wait == MOOT_BATCH_WAIT_NONE)
        return;
    bool is_outage = now->wait == MOOT_BATCH_WAIT_OUTAGE;
    cli_json_string(json, is_outage ? "failing_provider" : "waiting_for_quota_of",
                    (struct moot_view){now->waiting_for, strlen(now->waiting_for)});
    cli_json_double(json, "wait_s", (double)now->wait_ns / NS_PER_S);
    if (!is_outage)
        return;
    cli_json_double(json, "failing_s", (double)now->failing_ns / NS_PER_S);
    cli_json_string(json, "cause", (struct moot_view){now->cause, strlen(now->cause)});
}

static void print_json(struct cli_progress *progress, const struct moot_batch_progress *now,
                       const char *status)
{
    struct cli_json json = {.out = progress->out};
    cli_json_begin(&json, NULL);
    if (status)
        cli_json_string(&json, "status", (struct moot_view){status, strlen(status)});
    cli_progress_json(&json, now);
    cli_json_double(&json, "rows_per_s", progress->rows_per_s);
    cli_json_double(&json, "tokens_per_s", progress->tokens_per_s);
    cli_json_end(&json);
    cli_json_line(&json);
}

/* --- the face -------------------------------------------------------------------------------- */

void cli_progress_init(struct cli_progress *progress, enum cli_progress_mode mode, FILE *out)
{
    if (mode == CLI_PROGRESS_AUTO)
        mode = cli_dim(out)[0] ? CLI_PROGRESS_BLOCK : CLI_PROGRESS_PLAIN;
    *progress = (struct cli_progress){.mode = mode, .out = out};
}

uint64_t cli_progress_interval_ns(const struct cli_progress *progress)
{
    static const uint64_t intervals_ms[] = {
        [CLI_PROGRESS_AUTO] = 5000, [CLI_PROGRESS_PLAIN] = 5000, [CLI_PROGRESS_JSON] = 1000,
        [CLI_PROGRESS_OFF] = 60000, [CLI_PROGRESS_BLOCK] = 100,
    };
    return intervals_ms[progress->mode] * 1000000;
}

void cli_progress_show(struct cli_progress *progress, const struct moot_batch_progress *now)
{
    measure(progress, now);
    switch (progress->mode) {
    case CLI_PROGRESS_BLOCK:
        draw_block(progress, now);
        break;
    case CLI_PROGRESS_JSON:
        print_json(progress, now, NULL);
        break;
    case CLI_PROGRESS_AUTO:
    case CLI_PROGRESS_PLAIN:
        print_line(progress, now);
        break;
    case CLI_PROGRESS_OFF:
        break;
    }
}

const char *cli_batch_status_name(enum moot_batch_status status)
{
    switch (status) {
    case MOOT_BATCH_COMPLETE:
        return "complete";
    case MOOT_BATCH_SOME_FAILED:
        return "some_failed";
    case MOOT_BATCH_THRESHOLD:
        return "threshold";
    case MOOT_BATCH_INTERRUPTED:
        return "interrupted";
    case MOOT_BATCH_ERROR:
        break;
    }
    return "error";
}

void cli_progress_finish(struct cli_progress *progress, const struct moot_batch_progress *now,
                         enum moot_batch_status status)
{
    if (progress->mode == CLI_PROGRESS_OFF)
        return;
    if (progress->mode == CLI_PROGRESS_JSON) {
        print_json(progress, now, cli_batch_status_name(status));
        return;
    }
    struct line line = {.length = 0};
    char count[CLI_SHOWN_BYTES], span[CLI_SHOWN_BYTES];
    add(&line, "%s rows answered", cli_show_count(now->rows_succeeded, count));
    add(&line, ", %s failed", cli_show_count(now->rows_failed, count));
    if (now->rows_known)
        add(&line, ", %s done before", cli_show_count(now->rows_known, count));
    add(&line, "; %s calls", cli_show_count(now->calls, count));
    if (now->retries)
        add(&line, " (%s again)", cli_show_count(now->retries, count));
    if (now->possible_duplicates)
        add(&line, ", %s maybe billed twice", cli_show_count(now->possible_duplicates, count));
    add(&line, ", %s tokens in", cli_show_count(now->input_tokens, count));
    add(&line, ", %s out", cli_show_count(now->output_tokens, count));
    if (now->cost > 0)
        add(&line, ", $%.4f", now->cost);
    add(&line, ", %s", cli_show_span(now->elapsed_ns, span));
    fprintf(progress->out, "moot: %s\n", line.text);
    fflush(progress->out);
}
