#ifndef MOOT_AGENTS_TARGET_H
#define MOOT_AGENTS_TARGET_H

/* Building request targets out of a provider's base path, fixed parts and names. Pure. */
#include <moot/error.h>
#include <moot/version.h>

#include "engine/base/buf.h"
#include "engine/base/view.h"

/* Append the base path without the slashes at its end. All that append: MOOT_ELIMIT, MOOT_ENOMEM.
 */
MOOT_NODISCARD int moot__target_base(struct moot_buf *out, struct moot_view base_path);

/* A base path without an end that the dialect writes itself, as people configure both. */
struct moot_view moot__target_without(struct moot_view base_path, struct moot_view end);

/* Append `/` and a fixed part ("serving-endpoints/chat"), as it is. */
MOOT_NODISCARD int moot__target_part(struct moot_buf *out, const char *part);

/* Append `/` and a name as one segment: all but the unreserved characters of RFC 3986 section 2.3
 * is percent-encoded, a slash included. */
MOOT_NODISCARD int moot__target_name(struct moot_buf *out, struct moot_view name);

/* The same without the `/`, as for the value of a query. */
MOOT_NODISCARD int moot__target_escape(struct moot_buf *out, struct moot_view text);

#endif
