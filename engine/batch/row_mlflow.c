/* MLflow's evaluation data: in {inputs, expectations, tags...}; out the same with `outputs`, which
 * is the answer's text, so that mlflow.genai.evaluate takes the result file as its data. Of
 * `inputs`, the conversation is `messages`, or the first of question, prompt, query, input, text
 * and content that is text, or its only member. */
#include "engine/base/err.h"
#include "row_dialect.h"

static bool is_like(const struct moot_json *line)
{
    return moot__json_is_object(moot__json_get(line, "inputs"));
}

static int read(struct moot_row *row, struct moot_error_info *info)
{
    static const char *const keys[] = {"question", "prompt", "query", "input", "text", "content"};
    const struct moot_json *inputs = moot__json_get(row->input, "inputs");
    if (!moot__row_read_id(row, row->input, "id"))
        moot__row_read_id(row, row->input, "custom_id");
    if (moot__json_is_array(moot__json_get(inputs, "messages"))) {
        int rc = moot__row_read_messages(row, moot__json_get(inputs, "messages"), NULL, info);
        return rc == MOOT_OK ? moot__row_read_params(row, inputs, false) : rc;
    }
    const struct moot_json *question = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !moot__json_is_string(question); i++)
        question = moot__json_get(inputs, keys[i]);
    if (!question && moot__json_is_object(inputs) && inputs->count == 1)
        question = inputs->child;
    if (!moot__json_is_string(question))
        return moot__fail_at(info, MOOT_EINPUT, row->line, 0,
                             "inputs holds neither messages nor a question");
    int rc = moot__row_read_question(row, question->text);
    return rc == MOOT_OK ? moot__row_read_params(row, inputs, false) : rc;
}

/* Everything that came in, but the id, which is written already. */
static void echo(struct moot_json_writer *w, const struct moot_row *row)
{
    static const char *const own[] = {"id",   "custom_id",     "outputs", "error",
                                      "moot", "finish_reason", "model",   "usage"};
    for (const struct moot_json *member = moot__json_is_object(row->input) ? row->input->child
                                                                           : NULL;
         member; member = member->next) {
        bool is_own = false;
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            is_own = is_own || moot__view_is(member->key, own[i]);
        if (is_own)
            continue;
        moot__json_write_key(w, member->key);
        moot__json_write_value(w, member);
    }
}

static void write_result(struct moot_json_writer *w, const struct moot_row *row,
                         const struct moot_outcome *outcome)
{
    echo(w, row);
    moot__json_write_member_string(w, "outputs", outcome->text);
    moot__row_write_common(w, row, outcome);
}

static void write_error(struct moot_json_writer *w, const struct moot_row *row,
                        const struct moot_error_info *error)
{
    echo(w, row);
    moot__row_write_plain_error(w, row, error);
}

const struct moot_row_dialect moot__row_mlflow = {
    .name = "mlflow",
    .endpoint = "/invocations",
    .id_key = "id",
    .is_like = is_like,
    .read = read,
    .write_result = write_result,
    .write_error = write_error,
};
