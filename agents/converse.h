#ifndef MOOT_AGENTS_CONVERSE_H
#define MOOT_AGENTS_CONVERSE_H

/* Bedrock's own shape: Converse and ConverseStream. Source: Amazon Bedrock Runtime API reference,
 * and the service model of botocore. Pure. */
#include <moot/error.h>
#include <moot/version.h>

#include "dialect.h"
#include "reply_stream.h"

/* As a dialect's functions. */
MOOT_NODISCARD int moot__converse_write(const struct moot_request *request,
                                        struct moot_arena *scratch, struct moot_json_writer *writer,
                                        struct moot_error_info *info);
int moot__converse_read_reply(struct moot_view body, struct moot_reply *reply,
                              struct moot_error_info *info);
int moot__converse_read_event(struct moot_reply_stream *stream,
                              const struct moot_stream_event *event);

#endif
