#ifndef MOOT_AGENTS_PROVIDER_ERROR_H
#define MOOT_AGENTS_PROVIDER_ERROR_H

/* Understanding what providers say when a call fails. Every shape that is known to be in use is
 * read for every provider, since gateways relay each other's: `{"error": {...}}`, `{"error":
 * "..."}`,
 * `{"error_code", "message"}`, OAuth's `{"error", "error_description"}`, `{"errorCode",
 * "errorSummary"}`, FastAPI's `{"detail": ...}`, `{"object": "error"}`, any of these in an array,
 * `CODE: message` and other plain text, HTML, and nothing at all. Pure; any thread. */
#include <moot/error.h>
#include <stdbool.h>

#include "engine/base/alloc.h"
#include "engine/base/view.h"

struct moot_json;
struct moot_refusal;

/* As read_error of a dialect. Memory that is needed meanwhile and not to be had costs detail, never
 * the classification. */
int moot__provider_error_read(const struct moot_refusal *refusal,
                              const struct moot_allocator *allocator, struct moot_error_info *info);

/* The same for JSON that was read already. */
int moot__provider_error_read_json(unsigned status, const struct moot_json *root,
                                   struct moot_error_info *info);

/* Whether a document that came with a 2xx, or one event of a stream, is an error or holds one. */
bool moot__provider_error_in(const struct moot_json *root);

#endif
