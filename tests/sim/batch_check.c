/* What a user may rely on. The files are looked at whenever a process has opened them or is gone;
 * what was in them then is kept: no later process may ask for it, or lose it. What the power takes
 * away is what no sync has promised. The provider's receipts are the other end of it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_world.h"
#include "engine/base/check.h"
#include "engine/base/json_read.h"

enum { ARENA_BYTES_MAX = 1 << 22 };

void batch_fail(struct batch_world *world, const char *format, ...)
{
    if (world->has_failed)
        return; /* what follows a failure is noise */
    world->has_failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(world->failure, sizeof world->failure, format, args);
    va_end(args);
}

struct batch_row *batch_row_of(struct batch_world *world, struct moot_view id)
{
    for (unsigned i = 0; i < world->plan.rows; i++)
        if (moot__view_is(id, world->rows[i].id))
            return &world->rows[i];
    return NULL;
}

/* ---- the provider's side ---- */

static const char *find(struct moot_view text, const char *part)
{
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= text.len; i++)
        if (memcmp(text.ptr + i, part, len) == 0)
            return text.ptr + i;
    return NULL;
}

/* Questions begin with "#NUMBER.", endpoints end in the number of the role. */
void batch_take_receipt(void *context, const struct moot_emulator_receipt *receipt)
{
    struct batch_world *world = context;
    const char *mark = find(receipt->body, "\"#");
    unsigned row = mark ? (unsigned)strtoul(mark + 2, NULL, 10) : BATCH_ROWS;
    unsigned role = receipt->endpoint.len
                        ? (unsigned)(receipt->endpoint.ptr[receipt->endpoint.len - 1] - '0')
                        : BATCH_ROLES;
    if (!receipt->is_billed)
        return;
    if (row >= world->plan.rows || role >= world->plan.roles) {
        batch_fail(world, "request %llu belongs to no row", (unsigned long long)receipt->request);
        return;
    }
    struct batch_turn *turn = &world->rows[row].turns[role];
    turn->is_uneven =
        turn->is_uneven || (turn->billed > 0 && (turn->tokens_in != receipt->tokens_in ||
                                                 turn->tokens_out != receipt->tokens));
    turn->billed++;
    turn->tokens_in = receipt->tokens_in;
    turn->tokens_out = receipt->tokens;
}

/* ---- the files ---- */

struct look {
    struct batch_world *world;
    const char *name;
    bool may_be_torn; /* its last line */
    enum moot_journal_log log;
    struct moot_arena arena;
    unsigned lines;
};

static const char *const log_names[] = {
    [MOOT_JOURNAL_RESULTS] = BATCH_OUTPUT,
    [MOOT_JOURNAL_ERRORS] = "out.errors.jsonl",
    [MOOT_JOURNAL_CALLS] = "out.calls.jsonl",
};

static void take_call(struct look *look, const struct moot_json *line)
{
    struct batch_row *row = batch_row_of(look->world, moot__json_text(line, "id"));
    uint64_t step = 0;
    /* What was said to an answer that a power cut took away is worth nothing. */
    if (!row || !moot__json_u64(moot__json_get(line, "step"), &step) ||
        step >= look->world->plan.roles)
        batch_fail(look->world, "%s, line %u: no call of a row", look->name, look->lines);
    else
        row->found.calls[step]++;
    for (uint64_t later = step + 1; row && later < BATCH_ROLES; later++)
        row->found.calls[later] = 0;
}

static void take_row(struct look *look, const struct moot_json *line)
{
    struct moot_hash key;
    struct moot_row_facts facts;
    struct moot_view id = moot__json_text(line, look->world->plan.is_openai ? "custom_id" : "id");
    struct batch_row *row = batch_row_of(look->world, id);
    if (!moot__row_recall(line, &key, &facts)) {
        batch_fail(look->world, "%s, line %u: no row", look->name, look->lines);
    } else if (!row || facts.is_duplicate) {
        look->world->strange_rows++;
    } else {
        row->found.results += look->log == MOOT_JOURNAL_RESULTS;
        row->found.errors += look->log == MOOT_JOURNAL_ERRORS;
        row->found.facts = facts;
    }
}

static void look_at_line(struct look *look, struct moot_view text)
{
    const struct moot_json *line = NULL;
    look->lines++;
    if (look->world->may_have_gaps && text.len > 0 && memchr(text.ptr, '\0', text.len))
        return;
    moot__arena_reset(&look->arena);
    if (moot__json_read(&look->arena, text, NULL, &line, NULL) != MOOT_OK)
        batch_fail(look->world, "%s, line %u is bad: %.*s", look->name, look->lines,
                   text.len < 80 ? (int)text.len : 80, text.ptr);
    else if (look->log == MOOT_JOURNAL_CALLS)
        take_call(look, line);
    else
        take_row(look, line);
}

static void look_at_file(struct look *look, struct moot_view text)
{
    size_t start = 0;
    for (size_t i = 0; i < text.len && !look->world->has_failed; i++) {
        if (text.ptr[i] != '\n')
            continue;
        look_at_line(look, moot__view(text.ptr + start, i - start));
        start = i + 1;
    }
    if (start < text.len && !look->may_be_torn)
        batch_fail(look->world, "%s ends in half a line", look->name);
}

/* What is in the files, or of it what syncs have promised, goes into `found` of the rows. */
static void look_at_files(struct batch_world *world, bool is_promise, bool may_be_torn)
{
    struct moot_view text;
    world->strange_rows = 0;
    for (unsigned i = 0; i < world->plan.rows; i++)
        world->rows[i].found = (struct batch_found){0};
    for (unsigned i = 0; i < MOOT_JOURNAL_LOGS; i++) {
        struct look look = {.world = world,
                            .name = log_names[i],
                            .may_be_torn = may_be_torn || is_promise,
                            .log = (enum moot_journal_log)i};
        moot__arena_init(&look.arena, NULL, ARENA_BYTES_MAX);
        if (is_promise ? moot__disk_sim_get_synced(world->disk, log_names[i], &text)
                       : moot__disk_sim_get(world->disk, log_names[i], &text))
            look_at_file(&look, text);
        moot__arena_deinit(&look.arena);
    }
}

static bool is_found(const struct batch_row *row)
{
    return row->found.results + row->found.errors > 0;
}

/* ---- what is kept ---- */

/* It was in the files, or written there by the process that lives. */
static void check_kept(struct batch_world *world, bool with_written)
{
    for (unsigned i = 0; i < world->plan.rows; i++) {
        const struct batch_row *row = &world->rows[i];
        if (!is_found(row) && (row->is_kept || (with_written && row->is_written)))
            batch_fail(world, "row %s was %s and is lost", row->id,
                       row->is_kept ? "in the files" : "written");
        for (unsigned role = 0; role < world->plan.roles && !is_found(row); role++) {
            const struct batch_turn *turn = &row->turns[role];
            if (!row->found.calls[role] && (turn->is_kept || (with_written && turn->is_written)))
                batch_fail(world, "row %s, step %u was %s and is lost", row->id, role,
                           turn->is_kept ? "in the files" : "written");
        }
    }
}

static void check_promised(struct batch_world *world)
{
    for (unsigned i = 0; i < world->plan.rows; i++)
        world->rows[i].is_seen = is_found(&world->rows[i]);
    look_at_files(world, true, true);
    for (unsigned i = 0; i < world->plan.rows; i++) {
        struct batch_row *row = &world->rows[i];
        if (row->is_promised && !is_found(row))
            batch_fail(world, "row %s was synced and is lost", row->id);
        row->is_promised = is_found(row) && row->is_seen && !world->is_hollow;
        if (!row->is_promised)
            row->found = (struct batch_found){0};
    }
}

/* What was found is kept from here on; what was asked for and is not may be asked for again. */
static void settle(struct batch_world *world)
{
    for (unsigned i = 0; i < world->plan.rows; i++) {
        struct batch_row *row = &world->rows[i];
        bool is_kept = true; /* a step is worth something behind all those before it */
        for (unsigned role = 0; role < world->plan.roles; role++) {
            struct batch_turn *turn = &row->turns[role];
            is_kept = is_found(row) || (is_kept && row->found.calls[role] > 0);
            turn->lost += (turn->is_asked || turn->is_kept || row->is_kept) && !is_kept;
            turn->is_kept = is_kept;
            turn->is_asked = turn->is_finished = turn->is_written = false;
        }
        row->is_kept = is_found(row);
        row->has_ended = row->is_written = false;
    }
}

/* Some are told to begin anew, or to ask again what had failed. */
static void check_orders(struct batch_world *world)
{
    for (unsigned i = 0; i < world->plan.rows; i++) {
        struct batch_row *row = &world->rows[i];
        bool is_anew = world->run->is_fresh || (world->run->retry_failed && !is_found(row));
        if (!is_anew)
            continue;
        for (unsigned role = 0; role < world->plan.roles; role++) {
            struct batch_turn *turn = &row->turns[role];
            turn->lost += turn->is_kept || row->is_kept;
            turn->is_kept = false;
        }
        row->is_kept = row->is_promised = false;
    }
}

void batch_check_opened(struct batch_world *world)
{
    world->may_have_gaps = false;
    look_at_files(world, false, false);
    check_orders(world);
    check_kept(world, false);
    settle(world);
}

void batch_check_death(struct batch_world *world, enum batch_death death)
{
    bool is_cut = death == BATCH_POWER_CUT;
    look_at_files(world, false, true);
    check_orders(world);
    check_kept(world, world->run->faults.sync_fail == 0);
    check_promised(world);
    if (!is_cut)
        look_at_files(world, false, true);
    settle(world);
}

static bool may_fail(const struct batch_run_plan *run)
{
    const struct moot_disk_sim_faults *faults = &run->faults;
    return faults->write_fail || faults->sync_fail || faults->name_fail || faults->truncate_fail ||
           faults->read_fail || run->room_bytes;
}

void batch_check_ended(struct batch_world *world, const struct batch_process *process)
{
    bool is_error = process->status == MOOT_BATCH_ERROR;
    if (world->is_verbose)
        printf("%10.6f process %u: status %d %s %s\n", (double)moot__sim_now_ns(world->sim) / 1e9,
               world->processes, (int)process->status, moot_error_name(process->info.code),
               process->info.message);
    world->failures += is_error;
    const struct moot_disk_sim_faults *faults = &world->run->faults;
    if (faults->sync_fail && (!process->is_open || faults->truncate_fail))
        world->is_hollow = true;
    bool is_disk = process->info.code == MOOT_EIO || process->info.code == MOOT_ENOSPC;
    if (is_error && !(may_fail(world->run) && is_disk))
        batch_fail(world, "process %u failed: %s: %s", world->processes,
                   moot_error_name(process->info.code), process->info.message);
    look_at_files(world, false, is_error);
    check_orders(world);
    if (!is_error)
        check_kept(world, true);
    check_promised(world);
    look_at_files(world, false, is_error);
    settle(world);
}

/* ---- all is done ---- */

static void check_once(struct batch_world *world)
{
    for (unsigned i = 0; i < world->plan.rows; i++) {
        const struct batch_row *row = &world->rows[i];
        if (row->found.results + row->found.errors != 1)
            batch_fail(world, "row %s is in the files %u + %u times", row->id, row->found.results,
                       row->found.errors);
    }
    if (world->strange_rows != batch_bad_rows(world))
        batch_fail(world, "%u rows that cannot be asked are in the files, not %u",
                   world->strange_rows, batch_bad_rows(world));
}

static void check_number(struct batch_world *world, const struct moot_json *summary,
                         const char *path, uint64_t wanted)
{
    struct moot_view rest = moot__view_str(path), part;
    uint64_t got = 0;
    while (moot__view_split(&rest, '.', &part))
        summary = moot__json_get_view(summary, part);
    if (!moot__json_u64(summary, &got) || got != wanted)
        batch_fail(world, "the summary's %s is %llu, the rows say %llu", path,
                   (unsigned long long)got, (unsigned long long)wanted);
}

static void check_summary(struct batch_world *world)
{
    struct moot_view text;
    struct moot_arena arena;
    const struct moot_json *summary = NULL;
    uint64_t succeeded = 0, failed = batch_bad_rows(world), calls = 0, input = 0, output = 0;
    for (unsigned i = 0; i < world->plan.rows; i++) {
        const struct batch_found *found = &world->rows[i].found;
        succeeded += found->results;
        failed += found->errors;
        calls += found->facts.calls;
        input += found->facts.usage.input_tokens;
        output += found->facts.usage.output_tokens;
    }
    moot__arena_init(&arena, NULL, ARENA_BYTES_MAX);
    if (!moot__disk_sim_get(world->disk, "out.summary.json", &text) ||
        moot__json_read(&arena, text, NULL, &summary, NULL) != MOOT_OK)
        batch_fail(world, "there is no summary, or it is broken");
    check_number(world, summary, "rows.succeeded", succeeded);
    check_number(world, summary, "rows.failed", failed);
    check_number(world, summary, "calls.made", calls);
    check_number(world, summary, "tokens.input", input);
    check_number(world, summary, "tokens.output", output);
    moot__arena_deinit(&arena);
}

void batch_check_complete(struct batch_world *world)
{
    struct moot_view text;
    if (!world->is_hollow) {
        look_at_files(world, true, false);
        check_once(world);
    }
    look_at_files(world, false, false);
    check_once(world);
    check_summary(world);
    if (!world->run->faults.name_fail &&
        moot__disk_sim_get(world->disk, log_names[MOOT_JOURNAL_CALLS], &text))
        batch_fail(world, "the side file is still there");
}

/* A row's line says what the provider has billed for it, but for what was lost on the way: one call
 * of each role, and of those that were retried what the attempts before said they had used. */
static void check_row_books(struct batch_world *world, const struct batch_row *row)
{
    uint64_t input = 0, output = 0, input_max = 0, output_max = 0;
    unsigned calls = 0;
    bool is_even = true, was_retried = false;
    for (unsigned role = 0; role < world->plan.roles; role++) {
        const struct batch_turn *turn = &row->turns[role];
        if (turn->billed > 1 + turn->lost + turn->retries)
            batch_fail(world, "row %s, step %u was billed %u times: lost %u times, retried %u",
                       row->id, role, turn->billed, turn->lost, turn->retries);
        input += turn->tokens_in;
        output += turn->tokens_out;
        input_max += turn->tokens_in * (turn->retries > 0 ? turn->billed : 1);
        output_max += turn->tokens_out * (turn->retries > 0 ? turn->billed : 1);
        calls += turn->billed > 0;
        is_even = is_even && !turn->is_uneven;
        was_retried = was_retried || turn->retries > 0;
    }
    const struct moot_row_facts *facts = &row->found.facts;
    if (row->found.results == 0 || !is_even)
        return;
    if (facts->usage.input_tokens < input || facts->usage.input_tokens > input_max ||
        facts->usage.output_tokens < output || facts->usage.output_tokens > output_max)
        batch_fail(world, "row %s says %llu+%llu tokens, the provider %llu+%llu", row->id,
                   (unsigned long long)facts->usage.input_tokens,
                   (unsigned long long)facts->usage.output_tokens, (unsigned long long)input,
                   (unsigned long long)output);
    if (!was_retried && facts->calls != calls)
        batch_fail(world, "row %s says %u calls, and %u are in it", row->id, facts->calls, calls);
}

void batch_check_books(struct batch_world *world)
{
    for (unsigned i = 0; i < world->plan.rows; i++)
        check_row_books(world, &world->rows[i]);
}
