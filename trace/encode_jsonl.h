#ifndef MOOT_TRACE_ENCODE_JSONL_H
#define MOOT_TRACE_ENCODE_JSONL_H

/* A span as one line of JSON, for people with jq and for `moot trace`:
 *
 *   {"trace_id":"<32 hex>","span_id":"<16 hex>","parent_span_id":"<16 hex>",
 *    "name":"Raw Agent Response","kind":"CLIENT",
 *    "start_time_unix_nano":"<decimal>","end_time_unix_nano":"<decimal>",
 *    "status":{"code":"ERROR","message":"..."},
 *    "attributes":{"gen_ai.operation.name":"chat","gen_ai.agent.name":"oracle", ...}}
 *
 * The names are OTLP's in lower case with underscores; times are texts because they do not fit into
 * a double. A root has no parent_span_id, a status no message unless there is one. Attributes are
 * in the catalogue's order. */
#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "span.h"

/* No line of a span that came out of a ring is longer: each byte of text becomes at most 6. */
#define MOOT_JSONL_LINE_BYTES (6 * (size_t)MOOT_LIMIT_SPAN_BYTES + 8192)

/* Append the line, its '\n' included. MOOT_ELIMIT, MOOT_ENOMEM: nothing was added. */
MOOT_NODISCARD int moot__encode_jsonl(const struct moot_span *span, struct moot_buf *out);

#endif
