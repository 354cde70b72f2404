#ifndef MOOT_AGENTS_TOOL_CALLS_H
#define MOOT_AGENTS_TOOL_CALLS_H

/* Tool calls that arrive in pieces, put together in the OpenAI shape. Pure; belongs to one call.
 *
 * Servers number the pieces with an `index`, or with nothing at all; indexes may have gaps, repeat
 * or be absurd, so they are compared and never used to address memory. */
#include <moot/error.h>
#include <moot/version.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/alloc.h"
#include "engine/base/buf.h"
#include "engine/base/view.h"

struct moot_json;
struct moot_tool_call;

struct moot_tool_calls {
    const struct moot_allocator *allocator;
    struct moot_tool_call *items;
    size_t count, capacity;
    size_t bytes; /* of all arguments together */
};

void moot__tool_calls_init(struct moot_tool_calls *calls, const struct moot_allocator *allocator);
void moot__tool_calls_deinit(
    struct moot_tool_calls *calls); /* safe on a zeroed struct, and twice */

/* Take the `tool_calls` of one delta. What is not an array of objects is passed over.
 * MOOT_ELIMIT (more than MOOT_LIMIT_TOOL_CALLS, or too long), MOOT_ENOMEM. */
MOOT_NODISCARD int moot__tool_calls_take(struct moot_tool_calls *calls,
                                         const struct moot_json *pieces);

/* One piece, for dialects that number and name them in their own way. */
struct moot_tool_piece {
    uint64_t index;             /* the server's */
    struct moot_view id, name;  /* perhaps empty; of the first piece that has one */
    struct moot_view arguments; /* perhaps a part of a text; "{}" first: unless others follow */
};

/* MOOT_ELIMIT, MOOT_ENOMEM. */
MOOT_NODISCARD int moot__tool_calls_add(struct moot_tool_calls *calls,
                                        const struct moot_tool_piece *piece);

/* Append them as a JSON array, or nothing if there are none; arguments stay the text that they are,
 * valid JSON or not. MOOT_ELIMIT, MOOT_ENOMEM. */
MOOT_NODISCARD int moot__tool_calls_write(const struct moot_tool_calls *calls,
                                          struct moot_buf *out);

#endif
