#ifndef MOOT_EMULATOR_DOCUMENT_H
#define MOOT_EMULATOR_DOCUMENT_H

/* What is asked for by GET. Every function appends one JSON document without a newline to `out` and
 * returns MOOT_OK, MOOT_ENOMEM or MOOT_ELIMIT. */
#include "engine/base/buf.h"
#include "world.h"

MOOT_NODISCARD int moot__emulator_document_models(const struct moot_emulator *emulator,
                                                  struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_document_ledger(const struct moot_emulator *emulator,
                                                  struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_document_log(const struct moot_emulator *emulator,
                                               struct moot_buf *out);

#endif
