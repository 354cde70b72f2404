#ifndef MOOT_AGENTS_DOCUMENT_H
#define MOOT_AGENTS_DOCUMENT_H

/* Reading JSON that a provider sent: leniently where that cannot change its meaning. Pure. */
#include <moot/version.h>

#include "engine/base/arena.h"
#include "engine/base/json_read.h"
#include "engine/base/view.h"

/* As moot__json_read, but a byte order mark is passed over, invalid UTF-8 is replaced by U+FFFD,
 * and the halves of characters are kept (see engine/base/utf8.h). `error` may be NULL. */
MOOT_NODISCARD int moot__document_read(struct moot_arena *arena, struct moot_view text,
                                       const struct moot_json **out, struct moot_json_error *error);

#endif
