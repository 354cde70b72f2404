/* What people write by hand and data sets come in.
 *
 * plain     in  {messages, ...parameters} or {prompt | question | input: text}, and anything beside
 *           out {id, answer, finish_reason, model, usage, metadata}
 * csv       the same, out of columns
 * mt_bench  in  {question_id, turns: [text, ...]}: the first turn is asked
 *           out {question_id, answer_id, model_id, choices: [{index, turns}], tstamp}
 *
 * GSM8K's {question, answer} is plain: its answer comes back under metadata. */
#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "row_dialect.h"

static const char *const question_keys[] = {"prompt", "question", "input", NULL};

static const struct moot_json *find_question(const struct moot_json *line)
{
    for (const char *const *key = question_keys; *key; key++)
        if (moot__json_is_string(moot__json_get(line, *key)))
            return moot__json_get(line, *key);
    return NULL;
}

static bool is_like_plain(const struct moot_json *line)
{
    return moot__json_is_array(moot__json_get(line, "messages")) || find_question(line);
}

static bool is_like_mt_bench(const struct moot_json *line)
{
    return moot__json_get(line, "question_id") &&
           moot__json_is_array(moot__json_get(line, "turns"));
}

static bool is_like_nothing(const struct moot_json *line)
{
    (void)line;
    return false;
}

static int read_plain(struct moot_row *row, struct moot_error_info *info)
{
    static const char *const id_keys[] = {"custom_id", "id", "question_id"};
    /* The member that is asked, and the one that is the id, are no metadata; of several questions
     * the first is asked and the others are kept. */
    const char *known[] = {NULL, NULL, NULL};
    size_t count = 0;
    const struct moot_json *messages = moot__json_get(row->input, "messages");
    const struct moot_json *question = messages ? NULL : find_question(row->input);
    for (size_t i = 0; i < sizeof id_keys / sizeof *id_keys && row->id.len == 0; i++)
        if (moot__row_read_id(row, row->input, id_keys[i]))
            known[count++] = id_keys[i];
    int rc;
    if (messages) {
        known[count++] = "messages";
        rc = moot__row_read_messages(row, messages, NULL, info);
    } else if (question) {
        for (const char *const *key = question_keys; *key && count < 2; key++)
            if (moot__json_get(row->input, *key) == question)
                known[count++] = *key;
        rc = moot__row_read_question(row, question->text);
    } else {
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                             "none of messages, prompt, question and input is there");
    }
    if (rc == MOOT_OK)
        rc = moot__row_read_params(row, row->input, false);
    return rc == MOOT_OK ? moot__row_read_metadata(row, row->input, known) : rc;
}

static void write_plain_result(struct moot_json_writer *w, const struct moot_row *row,
                               const struct moot_outcome *outcome)
{
    moot__json_write_member_string(w, "answer", outcome->text);
    moot__row_write_common(w, row, outcome);
}

static int read_mt_bench(struct moot_row *row, struct moot_error_info *info)
{
    static const char *const known[] = {"question_id", "turns", NULL};
    struct moot_view text;
    if (!moot__row_read_id(row, row->input, "question_id"))
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0, "question_id is missing");
    if (!moot__json_string(moot__json_at(moot__json_get(row->input, "turns"), 0), &text))
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0, "turns has no text");
    int rc = moot__row_read_question(row, text);
    return rc == MOOT_OK ? moot__row_read_metadata(row, row->input, known) : rc;
}

static void write_mt_bench_result(struct moot_json_writer *w, const struct moot_row *row,
                                  const struct moot_outcome *outcome)
{
    moot__row_write_name(w, "answer_id", "", row);
    moot__json_write_member_string(w, "model_id", outcome->model);
    moot__json_write_member_array_begin(w, "choices");
    moot__json_write_object_begin(w);
    moot__json_write_member_u64(w, "index", 0);
    moot__json_write_member_array_begin(w, "turns");
    moot__json_write_string(w, outcome->text);
    moot__json_write_array_end(w);
    moot__json_write_object_end(w);
    moot__json_write_array_end(w);
    moot__json_write_member_double(w, "tstamp",
                                   (double)(outcome->ended_wall_ns / MOOT_NS_PER_MS) / 1000);
    moot__row_write_metadata(w, row);
}

const struct moot_row_dialect moot__row_plain = {
    .name = "plain",
    .endpoint = "/v1/chat/completions",
    .id_key = "id",
    .is_like = is_like_plain,
    .read = read_plain,
    .write_result = write_plain_result,
    .write_error = moot__row_write_plain_error,
};

const struct moot_row_dialect moot__row_csv = {
    .name = "csv",
    .endpoint = "/v1/chat/completions",
    .id_key = "id",
    .is_like = is_like_nothing, /* told by its header, see row_csv.c */
    .read = read_plain,
    .write_result = write_plain_result,
    .write_error = moot__row_write_plain_error,
};

const struct moot_row_dialect moot__row_mt_bench = {
    .name = "mt_bench",
    .endpoint = "/v1/chat/completions",
    .id_key = "question_id",
    .is_like = is_like_mt_bench,
    .read = read_mt_bench,
    .write_result = write_mt_bench_result,
    .write_error = moot__row_write_plain_error,
};
