/* A conversation as the engine would hold it, up to where a call would leave: the same prompt, the
 * same parameters, the same estimates, so that what `moot check` shows is what a run sends. */
#include "preview.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agents/prompt.h"
#include "agents/usage.h"
#include "config.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/json_read.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/batch/id_set.h"
#include "engine/batch/lines.h"
#include "engine/batch/row.h"

enum { ID_SHOWN_MAX = 80 }; /* bytes */

struct previewer {
    const struct moot_preview_options *options;
    const struct moot_plan *plan;
    struct moot_preview *sums;
    struct moot_arena arena; /* of one conversation */
    struct moot_error_info *info;
    bool has_shown; /* the first conversation's calls */
};

size_t moot_plan_step_count(const struct moot_plan *plan)
{
    return plan->flow.count;
}

struct moot_plan_step moot_plan_step_at(const struct moot_plan *plan, size_t index)
{
    return moot_plan_choice_at(plan, index, 0);
}

size_t moot_plan_choice_count(const struct moot_plan *plan, size_t index)
{
    size_t count = 0;
    assert(index < plan->flow.count);
    const struct moot_agent *agent = &plan->agents.items[plan->flow.steps[index].agent];
    for (; agent; agent = agent->fallback)
        count++;
    return count;
}

struct moot_plan_step moot_plan_choice_at(const struct moot_plan *plan, size_t index, size_t choice)
{
    assert(index < plan->flow.count);
    const struct moot_agent *agent = &plan->agents.items[plan->flow.steps[index].agent];
    for (; choice > 0 && agent->fallback; choice--)
        agent = agent->fallback;
    const struct moot_provider *provider = &plan->providers[agent->provider];
    return (struct moot_plan_step){agent->role, agent->endpoint, provider->name,
                                   provider->base_url};
}

/* --- one conversation ------------------------------------------------------------------------ */

static int begin_transcript(struct previewer *previewer, const struct moot_question *question,
                            struct moot_transcript *transcript, struct moot_error_info *problem)
{
    struct moot_turn *turns =
        moot__arena_calloc(&previewer->arena, question->message_count + 1, sizeof *turns);
    if (!turns)
        return MOOT_ENOMEM;
    for (size_t i = 0; i < question->message_count; i++) {
        turns[i].role = question->messages[i].role;
        turns[i].content = question->messages[i].content;
        if (!moot__utf8_valid(turns[i].content))
            return moot__fail(problem, MOOT_EUTF8, MOOT_PHASE_PREPARE,
                              "message %zu is not valid UTF-8", i + 1);
    }
    return moot__transcript_begin(transcript, &previewer->arena,
                                  (struct moot_turns){turns, question->message_count}, problem);
}

static int read_params(struct previewer *previewer, struct moot_view text, struct moot_params *out)
{
    const struct moot_json *object;
    *out = (struct moot_params){0};
    if (text.len == 0)
        return MOOT_OK;
    int rc = moot__json_read(&previewer->arena, text, NULL, &object, NULL);
    return rc ? rc : moot__params_read(object, &previewer->arena, out);
}

static int show_call(struct previewer *previewer, struct moot_preview_call *call,
                     struct moot_turns turns)
{
    struct moot_message *messages =
        moot__arena_calloc(&previewer->arena, turns.count + 1, sizeof *messages);
    if (!messages)
        return MOOT_ENOMEM;
    for (size_t i = 0; i < turns.count; i++)
        messages[i] = (struct moot_message){turns.items[i].role, turns.items[i].content};
    call->messages = messages;
    call->message_count = turns.count;
    previewer->options->on_call(call, previewer->options->data);
    return MOOT_OK;
}

/* What the answer of a step is called while nobody knows it. */
static int add_placeholder(struct previewer *previewer, struct moot_transcript *transcript,
                           struct moot_view role)
{
    const struct moot_view before = MOOT_VIEW("{answer of "), after = MOOT_VIEW("}");
    char *text = moot__arena_alloc(&previewer->arena, before.len + role.len + after.len);
    if (!text)
        return MOOT_ENOMEM;
    memcpy(text, before.ptr, before.len);
    memcpy(text + before.len, role.ptr, role.len);
    memcpy(text + before.len + role.len, after.ptr, after.len);
    return moot__transcript_add(transcript, moot__view(text, before.len + role.len + after.len));
}

static void add_to_sums(struct previewer *previewer, const struct moot_preview_call *call)
{
    struct moot_preview *sums = previewer->sums;
    sums->calls++;
    sums->input_tokens += call->input_tokens;
    sums->output_tokens += call->output_tokens;
    sums->cost += call->cost;
    sums->is_bounded = sums->is_bounded && call->output_tokens > 0;
    sums->has_prices = sums->has_prices && call->has_price;
}

/* Whoever answers of the role's endpoints: the dearest counts. */
static void price_call(const struct moot_plan *plan, const struct moot_agent *agent,
                       struct moot_preview_call *call)
{
    call->has_price = true;
    for (; agent; agent = agent->fallback) {
        const struct moot_price *price =
            moot__provider_price(&plan->providers[agent->provider], agent->endpoint);
        double cost =
            price ? moot__price_at_most(price, call->input_tokens, call->output_tokens) : 0;
        call->has_price = call->has_price && price;
        call->cost = cost > call->cost ? cost : call->cost;
    }
}

/* One step: its messages, its sizes, its price. `earlier` is how long the answers before it may be.
 */
static int preview_step(struct previewer *previewer, struct moot_transcript *transcript,
                        struct moot_params caller, size_t step, uint64_t *earlier)
{
    const struct moot_plan *plan = previewer->plan;
    const struct moot_agent *agent = &plan->agents.items[plan->flow.steps[step].agent];
    struct moot_prompt_config prompt = {
        .user_response_instruction = plan->user_response_instruction,
        .history = plan->history_first_only ? MOOT_HISTORY_FIRST : MOOT_HISTORY_ALL,
    };
    struct moot_turns turns;
    struct moot_params params = {0};
    int rc = moot__prompt_assemble(&prompt, agent, transcript, &previewer->arena, &turns);
    if (rc == MOOT_OK)
        rc = moot__params_merge(
            agent->params,
            moot__params_for_step(plan->caller_params, caller, step, plan->flow.count),
            &previewer->arena, &params);
    if (rc)
        return rc;
    struct moot_preview_call call = {
        .step = step,
        .who = moot_plan_step_at(plan, step),
        .input_tokens = moot__estimate_turns(turns) + *earlier,
        .output_tokens = moot__params_max_tokens(params),
    };
    price_call(plan, agent, &call);
    *earlier += call.output_tokens;
    add_to_sums(previewer, &call);
    if (!previewer->has_shown && previewer->options->on_call)
        rc = show_call(previewer, &call, turns);
    return rc ? rc : add_placeholder(previewer, transcript, agent->role);
}

/* MOOT_ENOMEM ends everything; any other failure is the question's, and is in `problem`. */
static int preview_question(struct previewer *previewer, const struct moot_question *question,
                            struct moot_error_info *problem)
{
    struct moot_transcript transcript;
    struct moot_params caller = {0};
    uint64_t earlier = 0;
    moot__arena_reset(&previewer->arena);
    int rc = begin_transcript(previewer, question, &transcript, problem);
    if (rc == MOOT_OK)
        rc = read_params(previewer, question->params, &caller);
    if (rc != MOOT_OK && rc != MOOT_ENOMEM && problem->code == MOOT_OK)
        rc = moot__fail(problem, MOOT_EINPUT, MOOT_PHASE_PREPARE,
                        "the parameters are not a JSON object");
    for (size_t step = 0; rc == MOOT_OK && step < previewer->plan->flow.count; step++)
        rc = preview_step(previewer, &transcript, caller, step, &earlier);
    if (rc == MOOT_OK)
        previewer->has_shown = true;
    return rc;
}

/* --- rows ------------------------------------------------------------------------------------ */

static void tell(struct previewer *previewer, struct moot_error_info *problem, unsigned line)
{
    previewer->sums->rows_wrong++;
    problem->line = line;
    if (previewer->options->on_problem)
        previewer->options->on_problem(problem, previewer->options->data);
}

static int preview_row(struct previewer *previewer, const struct moot_row *row,
                       struct moot_id_set *seen)
{
    struct moot_error_info problem = row->error;
    const uint32_t *first = moot__id_set_find(seen, row->key);
    struct moot_view shown = moot__view_cut(row->id, ID_SHOWN_MAX);
    int rc = problem.code;
    previewer->sums->rows++;
    if (rc == MOOT_OK && first)
        rc = moot__fail(&problem, MOOT_EINPUT, MOOT_PHASE_PREPARE,
                        "the id '%.*s' was used in line %u already; ids must be unique",
                        (int)shown.len, shown.ptr, (unsigned)*first);
    if (rc == MOOT_OK) {
        if (moot__id_set_add(seen, row->key, row->line) != MOOT_OK)
            return MOOT_ENOMEM;
        struct moot_question question = {row->messages, row->message_count, row->params};
        rc = preview_question(previewer, &question, &problem);
    }
    if (rc == MOOT_ENOMEM)
        return rc;
    if (rc)
        tell(previewer, &problem, row->line);
    return MOOT_OK;
}

/* The first line tells the dialect; CSV has its columns in it. */
struct reader {
    struct moot_lines lines;
    struct moot_row_line line;
    struct moot_id_set seen;
    struct moot_buf header;
};

static int begin_dialect(struct previewer *previewer, struct reader *reader,
                         const struct moot_line *line, bool *is_header)
{
    struct moot_error_info info;
    reader->line.dialect = moot__row_sniff(previewer->options->allocator, line->text, &info);
    if (!reader->line.dialect) {
        if (previewer->info)
            *previewer->info = info;
        return info.code;
    }
    *is_header = moot__row_dialect_is_csv(reader->line.dialect);
    if (!*is_header)
        return MOOT_OK;
    reader->lines.quoted = true;
    int rc = moot__buf_append_view(&reader->header, line->text);
    reader->line.header = moot__buf_view(&reader->header);
    return rc;
}

static bool is_blank(struct moot_view text)
{
    return moot__view_trim(text).len == 0;
}

static int preview_line(struct previewer *previewer, struct reader *reader,
                        const struct moot_line *line, bool too_long)
{
    bool is_header = false;
    if (!too_long && is_blank(line->text))
        return MOOT_OK;
    if (!reader->line.dialect) {
        int rc = too_long ? moot__fail_at(previewer->info, MOOT_EINPUT, line->number, 1,
                                          "the first line is too long to be a row")
                          : begin_dialect(previewer, reader, line, &is_header);
        if (rc || is_header)
            return rc;
    }
    reader->line.text = line->text;
    reader->line.number = line->number;
    reader->line.too_long = too_long;
    struct moot_row *row;
    int rc = moot__row_new(previewer->options->allocator, &reader->line, &row);
    if (rc)
        return rc;
    rc = preview_row(previewer, row, &reader->seen);
    moot__row_free(row);
    return rc;
}

static int preview_lines(struct previewer *previewer, struct reader *reader)
{
    uint64_t limit = previewer->options->limit ? previewer->options->limit : UINT64_MAX;
    while (previewer->sums->rows < limit) {
        struct moot_line line;
        int rc = moot__lines_next(&reader->lines, &line);
        if (rc == MOOT_ENOTFOUND)
            break;
        bool too_long = rc == MOOT_ELIMIT;
        if (rc && !too_long)
            return moot__fail(previewer->info, rc, MOOT_PHASE_PREPARE, "%s: %s",
                              previewer->options->path, moot_error_text(rc));
        rc = preview_line(previewer, reader, &line, too_long);
        if (rc)
            return rc;
    }
    if (previewer->sums->rows == 0)
        return moot__fail(previewer->info, MOOT_EINPUT, MOOT_PHASE_PREPARE,
                          "%s: there is no row in this file", previewer->options->path);
    return MOOT_OK;
}

static int preview_file(struct previewer *previewer)
{
    const char *path = previewer->options->path;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int code = errno == ENOENT ? MOOT_ENOTFOUND : MOOT_EIO;
        return moot__fail(previewer->info, code, MOOT_PHASE_PREPARE, "%s: %s", path,
                          code == MOOT_ENOTFOUND ? "there is no such file"
                                                 : "the file cannot be opened");
    }
    const struct moot_allocator *allocator = previewer->options->allocator;
    struct reader reader = {.seen = {.allocator = allocator}};
    moot__lines_init(&reader.lines, allocator, &moot__disk_posix, fd, MOOT_LIMIT_ROW_BYTES);
    moot__buf_init(&reader.header, allocator, MOOT_LIMIT_ROW_BYTES);
    int rc = preview_lines(previewer, &reader);
    moot__buf_deinit(&reader.header);
    moot__lines_deinit(&reader.lines);
    moot__id_set_deinit(&reader.seen);
    close(fd);
    return rc;
}

/* --- the whole ------------------------------------------------------------------------------- */

double moot__preview_cost(const struct moot_plan *plan, const struct moot_allocator *allocator,
                          const struct moot_question *question)
{
    const struct moot_preview_options nothing_shown = {.allocator = allocator};
    struct moot_preview sums = {.is_bounded = true, .has_prices = true};
    struct previewer previewer = {.options = &nothing_shown, .plan = plan, .sums = &sums};
    struct moot_error_info problem = {0};
    moot__arena_init(&previewer.arena, allocator, MOOT_LIMIT_CONVERSATION_BYTES);
    int rc = preview_question(&previewer, question, &problem);
    moot__arena_deinit(&previewer.arena);
    return rc == MOOT_OK && sums.is_bounded && sums.has_prices ? sums.cost : 0;
}

static int preview_messages(struct previewer *previewer)
{
    struct moot_question question = {
        previewer->options->messages, previewer->options->message_count, {"", 0}};
    struct moot_error_info problem = {0};
    previewer->sums->rows = 1;
    int rc = preview_question(previewer, &question, &problem);
    if (rc && rc != MOOT_ENOMEM && previewer->info)
        *previewer->info = problem;
    return rc;
}

static void tell_doubts(const struct moot_preview_options *options)
{
    for (size_t i = 0; options->on_problem && i < options->plan->warning_count; i++) {
        const struct moot_plan_warning *warning = &options->plan->warnings[i];
        struct moot_error_info doubt = {.line = warning->line, .column = warning->column};
        moot__view_copy(warning->text, doubt.message, sizeof doubt.message);
        options->on_problem(&doubt, options->data);
    }
}

int moot_preview(const struct moot_preview_options *options, struct moot_preview *out,
                 struct moot_error_info *info)
{
    *out = (struct moot_preview){.is_bounded = true, .has_prices = true};
    if (options->size != sizeof *options || !options->plan ||
        (!options->path && options->message_count == 0))
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_PREPARE,
                          "the options need a plan, and a file or a message");
    struct previewer previewer = {
        .options = options, .plan = options->plan, .sums = out, .info = info};
    moot__arena_init(&previewer.arena, options->allocator, MOOT_LIMIT_CONVERSATION_BYTES);
    tell_doubts(options);
    int rc = options->path ? preview_file(&previewer) : preview_messages(&previewer);
    moot__arena_deinit(&previewer.arena);
    if (rc == MOOT_ENOMEM)
        return moot__fail(info, rc, MOOT_PHASE_PREPARE, "out of memory");
    return rc;
}
