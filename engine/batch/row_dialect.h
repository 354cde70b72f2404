#ifndef MOOT_BATCH_ROW_DIALECT_H
#define MOOT_BATCH_ROW_DIALECT_H

/* What row.c and the dialects' files say to each other. */
#include "row.h"

struct moot_row_dialect {
    const char *name;
    const char *endpoint; /* what the batch object calls it */
    const char *id_key;   /* what its results call the id */
    /* Is this the first line of such a file? */
    bool (*is_like)(const struct moot_json *line);
    /* Fill id, messages, params and metadata of the row from its `input`. MOOT_EINPUT with `info`,
     * MOOT_ENOMEM. */
    int (*read)(struct moot_row *row, struct moot_error_info *info);
    /* The members of the line's object between the id and `moot`. */
    void (*write_result)(struct moot_json_writer *w, const struct moot_row *row,
                         const struct moot_outcome *outcome);
    void (*write_error)(struct moot_json_writer *w, const struct moot_row *row,
                        const struct moot_error_info *error);
};

extern const struct moot_row_dialect moot__row_openai, moot__row_anthropic, moot__row_bedrock,
    moot__row_mlflow, moot__row_mt_bench, moot__row_plain, moot__row_csv;

/* Messages from {role, content} objects; content is a string or parts of type text. `system` goes
 * first if it is not NULL. */
MOOT_NODISCARD int moot__row_read_messages(struct moot_row *row, const struct moot_json *messages,
                                           const struct moot_json *system,
                                           struct moot_error_info *info);

/* One user message. */
MOOT_NODISCARD int moot__row_read_question(struct moot_row *row, struct moot_view text);

/* The members of an object that are parameters of the chat API, as a JSON object in `params`. With
 * `all`, every member but messages, model and system is one. */
MOOT_NODISCARD int moot__row_read_params(struct moot_row *row, const struct moot_json *object,
                                         bool all);
bool moot__row_is_chat_param(struct moot_view key);

/* The members of an object whose key is neither a chat parameter nor in `known` (ends in NULL). */
MOOT_NODISCARD int moot__row_read_metadata(struct moot_row *row, const struct moot_json *object,
                                           const char *const known[]);

/* An id from a string or whole number member; false if there is none. Longer ones than ROW_ID_BYTES
 * are the row's error. */
bool moot__row_read_id(struct moot_row *row, const struct moot_json *object, const char *key);

/* Members `metadata` (if any), `finish_reason`, `model` and `usage`, as the plain dialect has them.
 */
void moot__row_write_common(struct moot_json_writer *w, const struct moot_row *row,
                            const struct moot_outcome *outcome);
void moot__row_write_metadata(struct moot_json_writer *w, const struct moot_row *row);
void moot__row_write_plain_error(struct moot_json_writer *w, const struct moot_row *row,
                                 const struct moot_error_info *error);

/* A stable name for the row: `prefix` and the hash of its id. */
void moot__row_write_name(struct moot_json_writer *w, const char *key, const char *prefix,
                          const struct moot_row *row);

/* The word that pollers of the Batch API look for: "timeout", "connection_error", ... */
const char *moot__row_error_word(const struct moot_row *row, const struct moot_error_info *error);

#endif
