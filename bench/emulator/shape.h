#ifndef MOOT_EMULATOR_SHAPE_H
#define MOOT_EMULATOR_SHAPE_H

/* The JSON of each surface. Every function appends one document without a newline to `out` and
 * returns MOOT_OK, MOOT_ENOMEM or MOOT_ELIMIT. */
#include "connection.h"

/* Which chunk of an event stream. */
enum moot_emulator_chunk {
    MOOT_EMULATOR_CHUNK_ROLE,
    MOOT_EMULATOR_CHUNK_TEXT,
    MOOT_EMULATOR_CHUNK_FINISH,
    MOOT_EMULATOR_CHUNK_ERROR_FINISH, /* finish_reason "error" beside an error with a number */
    MOOT_EMULATOR_CHUNK_USAGE,        /* no choices, the usage */
};

/* A failure in the words of each surface. */
struct moot_emulator_failure {
    int status;
    const char *type, *code, *databricks_code; /* NULL: null, or absent */
    const char *param;
    const char *message;
};

/* The words for a status, and for the faults that need others. */
struct moot_emulator_failure moot__emulator_failure(int status, enum moot_emulator_fault fault);

MOOT_NODISCARD int moot__emulator_shape_whole(const struct moot_emulator_connection *connection,
                                              struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_shape_chunk(const struct moot_emulator_connection *connection,
                                              enum moot_emulator_chunk chunk, struct moot_view text,
                                              struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_shape_failure(enum moot_emulator_surface surface,
                                                const struct moot_emulator_failure *failure,
                                                struct moot_buf *out);
/* The error as the object of {"object":"error",...} (older vLLM). */
MOOT_NODISCARD int moot__emulator_shape_error_object(const struct moot_emulator_failure *failure,
                                                     struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_shape_models(const struct moot_emulator *emulator,
                                               struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_shape_ledger(const struct moot_emulator *emulator,
                                               struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_shape_log(const struct moot_emulator *emulator,
                                            struct moot_buf *out);

#endif
