#ifndef MOOT_BATCH_ROW_H
#define MOOT_BATCH_ROW_H

/* A row: one line of the input, as a conversation; and the line that answers it. Every shape of
 * line that is understood is a dialect: one table entry in row_dialect.c, one file. Pure: no I/O,
 * no clock. The shapes are in README.md. */
#include <moot/conversation.h>
#include <moot/error.h>
#include <stdbool.h>

#include "engine/base/arena.h"
#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "engine/base/list.h"
#include "hash.h"

struct moot_row_dialect;

struct moot_row {
    struct moot_list node; /* of whoever holds it */
    const struct moot_row_dialect *dialect;
    struct moot_arena arena; /* everything below lives here */
    unsigned line;           /* in the input, from 1 */
    /* What tells this row from every other, the same in every run: its own id; without one, its
     * line number and hash. `key` is the hash of it. */
    struct moot_view id;
    struct moot_hash key;
    const struct moot_json *id_given; /* the id as it came, text or number, or NULL */
    const struct moot_message *messages;
    size_t message_count;
    struct moot_view params;          /* the caller's own parameters, a JSON object or empty */
    const struct moot_json *input;    /* the whole line, for dialects that echo it */
    const struct moot_json *metadata; /* first of the members that nobody here knows, or NULL */
    const struct moot_agent_reply *replies; /* known already, from a run before */
    size_t reply_count;
    double cost_most;             /* US dollars, reserved while it is in flight; 0: not known */
    struct moot_error_info error; /* not MOOT_OK: never to be asked; the line says why */
    bool is_duplicate;            /* the error is: its id was met before */
};

/* What a finished row adds to the counts; written as member `moot` of its line, and read back from
 * there. */
struct moot_row_facts {
    unsigned line;
    int code; /* enum moot_error; MOOT_OK for an answer */
    int http_status;
    unsigned calls, retries, fallbacks;
    bool possible_duplicate;
    double cost;
    struct moot_usage usage;
    uint64_t took_ns, waited_ns;
    bool is_duplicate;
};

/* Recognise a file by its first line that is not blank. NULL and `info` if nobody knows it. CSV has
 * its columns in the first line, which is then no row. */
const struct moot_row_dialect *moot__row_sniff(const struct moot_allocator *allocator,
                                               struct moot_view line, struct moot_error_info *info);
const char *moot__row_dialect_name(const struct moot_row_dialect *dialect);
const char *moot__row_dialect_endpoint(const struct moot_row_dialect *dialect);
bool moot__row_dialect_is_csv(const struct moot_row_dialect *dialect);

/* Make a row of a line. MOOT_OK with *out even if the line is wrong: then `error` of the row says
 * how (MOOT_EINPUT). MOOT_ENOMEM. `header` is CSV's first line, else empty. */
struct moot_row_line {
    const struct moot_row_dialect *dialect;
    struct moot_view text, header;
    unsigned number;
    bool too_long; /* `text` is empty: there was more of it than a row may have */
};
MOOT_NODISCARD int moot__row_new(const struct moot_allocator *allocator,
                                 const struct moot_row_line *line, struct moot_row **out);
void moot__row_free(struct moot_row *row); /* NULL is allowed */

/* Make it a failed row, to be written as such. */
void moot__row_reject_duplicate(struct moot_row *row, unsigned first_line);

/* The line, newline included, that tells how the row ended. Errors as moot__json_write_finish, and
 * then `out` holds what it held before. */
MOOT_NODISCARD int moot__row_write_result(const struct moot_row *row,
                                          const struct moot_outcome *outcome,
                                          const struct moot_row_facts *facts, struct moot_buf *out);
MOOT_NODISCARD int moot__row_write_error(const struct moot_row *row,
                                         const struct moot_error_info *error,
                                         const struct moot_row_facts *facts, struct moot_buf *out);

/* The facts of a row that ended with `outcome`; of one that never began, with NULL. */
void moot__row_facts(const struct moot_row *row, const struct moot_outcome *outcome,
                     struct moot_row_facts *facts);

/* Read a written line back: its key, and its facts as far as they are there. False if it is not a
 * line of any dialect: no object, or none with an id. */
bool moot__row_recall(const struct moot_json *line, struct moot_hash *key,
                      struct moot_row_facts *facts);

/* The key of an id; of a row whose id was met before, its line goes into it. */
struct moot_hash moot__row_key(struct moot_view id);
struct moot_hash moot__row_duplicate_key(struct moot_view id, unsigned line);

#endif
