#ifndef MOOT_SECRET_FILE_H
#define MOOT_SECRET_FILE_H

/* Reading a file in which secrets stand: never a copy of it left behind. Blocking, short. */
#include <stdbool.h>

#include "engine/base/buf.h"

/* Read a file whole into an initialised, empty buffer, whose ceiling is the file's. The room is
 * taken at once, so that nothing moves; the caller ends it with moot__secret_file_deinit.
 * MOOT_ENOTFOUND, MOOT_EIO (`*why` says what, for "cannot be ...: WHY"), MOOT_ELIMIT, MOOT_ENOMEM.
 * `is_world_readable` may be NULL. */
MOOT_NODISCARD int moot__secret_file_read(const char *path, struct moot_buf *buf,
                                          bool *is_world_readable, const char **why);

/* Overwritten, then freed; the same for any buffer that holds secrets. */
void moot__secret_file_deinit(struct moot_buf *buf);

#endif
