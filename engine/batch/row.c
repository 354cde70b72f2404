/* From a line to a row and back. What all dialects share is here; what tells them apart is in
 * their tables.
 *
 * Every line that is written ends in a member `moot` with what the dialect has no place for: the
 * input's line, attempts, duplicates, cost, times. Readers of the dialect skip it; the next run
 * counts by it. */
#include "row.h"

#include <stdio.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "row_csv.h"
#include "row_dialect.h"

/* A tree is larger than its text; most of all for lists of small numbers, which rows are not. */
enum { ARENA_BYTES_MAX = 4 * MOOT_LIMIT_ROW_BYTES };

/* In the order in which they are tried: the more telling first. */
static const struct moot_row_dialect *const dialects[] = {
    &moot__row_openai, &moot__row_anthropic, &moot__row_bedrock,
    &moot__row_mlflow, &moot__row_mt_bench,  &moot__row_plain,
};

const struct moot_row_dialect *moot__row_sniff(const struct moot_allocator *allocator,
                                               struct moot_view line, struct moot_error_info *info)
{
    struct moot_view text = moot__view_trim(line);
    if (text.len == 0 || text.ptr[0] != '{') {
        if (text.len > 0 && text.ptr[0] != '[' && moot__csv_is_header(text))
            return &moot__row_csv;
        moot__fail_at(info, MOOT_EINPUT, 1, 1,
                      "the first line is neither a JSON object nor a CSV header with a column "
                      "prompt, question, input or messages");
        return NULL;
    }
    struct moot_arena arena;
    moot__arena_init(&arena, allocator, ARENA_BYTES_MAX);
    const struct moot_json *root = NULL;
    struct moot_json_error error = {0};
    const struct moot_row_dialect *found = NULL;
    int rc = moot__json_read(&arena, text, NULL, &root, &error);
    if (rc != MOOT_OK)
        moot__fail_at(info, rc == MOOT_ENOMEM ? rc : MOOT_EINPUT, 1, error.column,
                      "the first line: %s", error.reason);
    for (size_t i = 0; i < moot__countof(dialects) && root && !found; i++)
        if (dialects[i]->is_like(root))
            found = dialects[i];
    if (root && !found)
        moot__fail_at(info, MOOT_EINPUT, 1, 1,
                      "the first line is of no known kind: it has none of custom_id with body or "
                      "params, modelInput, inputs, turns, messages, prompt, question, input");
    moot__arena_deinit(&arena);
    return found;
}

const char *moot__row_dialect_name(const struct moot_row_dialect *dialect)
{
    return dialect->name;
}

const char *moot__row_dialect_endpoint(const struct moot_row_dialect *dialect)
{
    return dialect->endpoint;
}

bool moot__row_dialect_is_csv(const struct moot_row_dialect *dialect)
{
    return dialect == &moot__row_csv;
}

struct moot_hash moot__row_key(struct moot_view id)
{
    return moot__hash(id);
}

struct moot_hash moot__row_duplicate_key(struct moot_view id, unsigned line)
{
    unsigned char number[5] = {0, (unsigned char)(line >> 24), (unsigned char)(line >> 16),
                               (unsigned char)(line >> 8), (unsigned char)line};
    struct moot_hasher hasher = {0};
    moot__hasher_add(&hasher, id);
    moot__hasher_add(&hasher, moot__view((const char *)number, sizeof number));
    return moot__hasher_result(&hasher);
}

/* Without an id of its own, a row is its place and its text. */
static int make_id(struct moot_row *row, struct moot_view text)
{
    char hash[33], id[64];
    moot__hash_text(moot__hash(text), hash);
    int len = snprintf(id, sizeof id, "row-%u-%s", row->line, hash);
    assert(len > 0 && (size_t)len < sizeof id);
    return moot__arena_copy(&row->arena, moot__view(id, (size_t)len), &row->id) ? MOOT_OK
                                                                                : MOOT_ENOMEM;
}

static int read_line(struct moot_row *row, const struct moot_row_line *line)
{
    struct moot_error_info *info = &row->error;
    if (line->too_long)
        return moot__fail_at(info, MOOT_EINPUT, line->number, 1, "the line is longer than %d bytes",
                             MOOT_LIMIT_ROW_BYTES);
    if (moot__row_dialect_is_csv(line->dialect)) {
        int rc = moot__csv_read(row, line->header, line->text, info);
        if (rc != MOOT_OK)
            return rc;
    } else {
        struct moot_json_error error = {0};
        int rc = moot__json_read(&row->arena, line->text, NULL, &row->input, &error);
        if (rc == MOOT_ENOMEM)
            return rc;
        if (rc != MOOT_OK)
            return moot__fail_at(info, MOOT_EINPUT, line->number, error.column, "%s", error.reason);
    }
    if (!moot__json_is_object(row->input))
        return moot__fail_at(info, MOOT_EINPUT, line->number, 1, "the line is not an object");
    return line->dialect->read(row, info);
}

int moot__row_new(const struct moot_allocator *allocator, const struct moot_row_line *line,
                  struct moot_row **out)
{
    *out = NULL;
    struct moot_row *row = moot__calloc(allocator, 1, sizeof *row);
    if (!row)
        return MOOT_ENOMEM;
    moot__list_init(&row->node);
    moot__arena_init(&row->arena, allocator, ARENA_BYTES_MAX);
    row->dialect = line->dialect;
    row->line = line->number;
    int rc = read_line(row, line);
    if (rc == MOOT_ENOMEM)
        goto failed;
    if (rc != MOOT_OK || row->error.code != MOOT_OK) {
        assert(row->error.code != MOOT_OK);
        row->error.code = MOOT_EINPUT;
        row->error.line = row->line;
    }
    if (row->id.len == 0 && make_id(row, line->text) != MOOT_OK) {
        rc = MOOT_ENOMEM;
        goto failed;
    }
    row->key = moot__row_key(row->id);
    *out = row;
    return MOOT_OK;

failed:
    moot__row_free(row);
    return rc;
}

void moot__row_free(struct moot_row *row)
{
    if (!row)
        return;
    assert(!moot__list_is_linked(&row->node));
    const struct moot_allocator *allocator = row->arena.allocator;
    moot__arena_deinit(&row->arena);
    moot__free(allocator, row);
}

void moot__row_reject_duplicate(struct moot_row *row, unsigned first_line)
{
    row->is_duplicate = true;
    row->key = moot__row_duplicate_key(row->id, row->line);
    moot__fail_at(&row->error, MOOT_EINPUT, row->line, 0,
                  "line %u has the id of line %u, and ids must differ", row->line, first_line);
}

void moot__row_facts(const struct moot_row *row, const struct moot_outcome *outcome,
                     struct moot_row_facts *facts)
{
    *facts = (struct moot_row_facts){.line = row->line, .is_duplicate = row->is_duplicate};
    if (!outcome) {
        facts->code = row->error.code;
        return;
    }
    facts->code = outcome->error.code;
    facts->http_status = outcome->error.http_status;
    facts->possible_duplicate = outcome->possible_duplicate;
    facts->calls = outcome->calls;
    facts->retries = outcome->retries;
    facts->fallbacks = outcome->fallbacks;
    facts->cost = outcome->cost;
    facts->usage = outcome->usage;
    facts->waited_ns = outcome->waited_ns;
    if (outcome->ended_wall_ns > outcome->began_wall_ns)
        facts->took_ns = outcome->ended_wall_ns - outcome->began_wall_ns;
}

/* Of a row that went elsewhere: where it was answered. */
static void write_answered_by(struct moot_json_writer *w, const struct moot_outcome *outcome)
{
    moot__json_write_member_array_begin(w, "answered_by");
    for (size_t i = 0; i < outcome->reply_count; i++) {
        moot__json_write_object_begin(w);
        moot__json_write_member_string(w, "role", outcome->replies[i].role);
        moot__json_write_member_string(w, "endpoint", outcome->replies[i].endpoint);
        moot__json_write_member_string(w, "provider", outcome->replies[i].provider);
        moot__json_write_object_end(w);
    }
    moot__json_write_array_end(w);
}

static void write_facts(struct moot_json_writer *w, const struct moot_row_facts *facts,
                        const struct moot_outcome *outcome)
{
    moot__json_write_member_object_begin(w, "moot");
    moot__json_write_member_u64(w, "line", facts->line);
    if (facts->code != MOOT_OK) {
        moot__json_write_member_str(w, "error", moot_error_name(facts->code));
        moot__json_write_member_str(w, "class",
                                    moot_error_class_name(moot_error_class(facts->code)));
    }
    if (facts->is_duplicate)
        moot__json_write_member_bool(w, "duplicate_id", true);
    moot__json_write_member_u64(w, "calls", facts->calls);
    moot__json_write_member_u64(w, "retries", facts->retries);
    if (facts->fallbacks)
        moot__json_write_member_u64(w, "fallbacks", facts->fallbacks);
    if (facts->fallbacks && outcome)
        write_answered_by(w, outcome);
    moot__json_write_member_bool(w, "possible_duplicate", facts->possible_duplicate);
    if (facts->usage.known) {
        moot__json_write_member_u64(w, "input_tokens", facts->usage.input_tokens);
        moot__json_write_member_u64(w, "output_tokens", facts->usage.output_tokens);
        if (facts->usage.cached_tokens)
            moot__json_write_member_u64(w, "cached_tokens", facts->usage.cached_tokens);
        if (facts->usage.cache_written_tokens)
            moot__json_write_member_u64(w, "cache_written_tokens",
                                        facts->usage.cache_written_tokens);
    }
    if (facts->cost > 0)
        moot__json_write_member_double(w, "cost", facts->cost);
    moot__json_write_member_u64(w, "took_us", facts->took_ns / MOOT_NS_PER_US);
    moot__json_write_member_u64(w, "waited_us", facts->waited_ns / MOOT_NS_PER_US);
    moot__json_write_object_end(w);
}

/* The frame of every line; the dialect fills it. */
static int write_line(const struct moot_row *row, const struct moot_outcome *outcome,
                      const struct moot_error_info *error, const struct moot_row_facts *facts,
                      struct moot_buf *out)
{
    struct moot_json_writer w;
    size_t before = out->len;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    if (row->dialect == &moot__row_openai)
        moot__row_write_name(&w, "id", "batch_req_", row);
    if (row->id_given) /* tools join on it: a number stays one */
        moot__json_write_member_value(&w, row->dialect->id_key, row->id_given);
    else
        moot__json_write_member_string(&w, row->dialect->id_key, row->id);
    if (error)
        row->dialect->write_error(&w, row, error);
    else
        row->dialect->write_result(&w, row, outcome);
    write_facts(&w, facts, outcome);
    moot__json_write_object_end(&w);
    int rc = moot__json_write_finish(&w);
    if (rc == MOOT_OK)
        rc = moot__buf_append_byte(out, '\n');
    if (rc != MOOT_OK)
        moot__buf_truncate(out, before);
    return rc;
}

int moot__row_write_result(const struct moot_row *row, const struct moot_outcome *outcome,
                           const struct moot_row_facts *facts, struct moot_buf *out)
{
    assert(facts->code == MOOT_OK);
    return write_line(row, outcome, NULL, facts, out);
}

int moot__row_write_error(const struct moot_row *row, const struct moot_error_info *error,
                          const struct moot_row_facts *facts, struct moot_buf *out)
{
    assert(facts->code != MOOT_OK);
    return write_line(row, NULL, error, facts, out);
}

static int code_of(struct moot_view name)
{
    static const struct {
        const char *name;
        int code;
    } codes[] = {
#define X(name, value, class, text) {#name, value},
        MOOT_ERROR_MAP(X)
#undef X
    };
    for (size_t i = 0; i < moot__countof(codes); i++)
        if (moot__view_is(name, codes[i].name))
            return codes[i].code;
    return MOOT_EPROVIDER;
}

/* Files that another tool wrote tell less: a row that has an error has failed. */
static bool has_failed(const struct moot_json *line)
{
    const struct moot_json *error = moot__json_get(line, "error");
    uint64_t status = 0;
    bool is_error = error && !moot__json_is_null(error);
    return is_error ||
           (moot__json_u64(moot__json_get(moot__json_get(line, "response"), "status_code"),
                           &status) &&
            status >= 400) ||
           moot__view_is(moot__json_text(moot__json_get(line, "result"), "type"), "errored");
}

static void recall_facts(const struct moot_json *line, struct moot_row_facts *facts)
{
    const struct moot_json *moot = moot__json_get(line, "moot");
    uint64_t number = 0;
    *facts = (struct moot_row_facts){0};
    struct moot_view error = moot__json_text(moot, "error");
    if (error.len > 0)
        facts->code = code_of(error);
    else if (has_failed(line))
        facts->code = MOOT_EPROVIDER;
    if (moot__json_u64(moot__json_get(moot, "line"), &number))
        facts->line = (unsigned)number;
    if (moot__json_u64(moot__json_get(moot, "calls"), &number))
        facts->calls = (unsigned)number;
    if (moot__json_u64(moot__json_get(moot, "retries"), &number))
        facts->retries = (unsigned)number;
    if (moot__json_u64(moot__json_get(moot, "fallbacks"), &number))
        facts->fallbacks = (unsigned)number;
    moot__json_bool(moot__json_get(moot, "duplicate_id"), &facts->is_duplicate);
    moot__json_bool(moot__json_get(moot, "possible_duplicate"), &facts->possible_duplicate);
    moot__json_double(moot__json_get(moot, "cost"), &facts->cost);
    facts->usage.known =
        moot__json_u64(moot__json_get(moot, "input_tokens"), &facts->usage.input_tokens) &&
        moot__json_u64(moot__json_get(moot, "output_tokens"), &facts->usage.output_tokens);
    moot__json_u64(moot__json_get(moot, "cached_tokens"), &facts->usage.cached_tokens);
    moot__json_u64(moot__json_get(moot, "cache_written_tokens"),
                   &facts->usage.cache_written_tokens);
    if (moot__json_u64(moot__json_get(moot, "took_us"), &number))
        facts->took_ns = number * MOOT_NS_PER_US;
    if (moot__json_u64(moot__json_get(moot, "waited_us"), &number))
        facts->waited_ns = number * MOOT_NS_PER_US;
}

bool moot__row_recall(const struct moot_json *line, struct moot_hash *key,
                      struct moot_row_facts *facts)
{
    static const char *const id_keys[] = {"custom_id", "recordId", "question_id", "id"};
    const struct moot_json *id = NULL;
    for (size_t i = 0; i < moot__countof(id_keys) && !id; i++)
        id = moot__json_get(line, id_keys[i]);
    if (!moot__json_is_string(id) && !moot__json_is_number(id))
        return false;
    recall_facts(line, facts);
    *key = facts->is_duplicate ? moot__row_duplicate_key(id->text, facts->line)
                               : moot__row_key(id->text);
    return true;
}
