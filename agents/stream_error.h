#ifndef MOOT_AGENTS_STREAM_ERROR_H
#define MOOT_AGENTS_STREAM_ERROR_H

/* What dialects do alike when an answer cannot be read, or says that it is an error. Pure. */
#include <moot/error.h>
#include <moot/version.h>

#include "engine/base/view.h"

struct moot_json;
struct moot_json_error;
struct moot_reply;
struct moot_reply_stream;
struct moot_stream_event;

/* `rc`, with its message: the answer is no JSON, or too much of it. */
int moot__answer_unreadable(struct moot_error_info *info, int rc,
                            const struct moot_json_error *error);

/* Read a whole answer's body and hand its JSON to `take`, whose result is the result; as a
 * dialect's read_reply. The reply is empty. */
int moot__answer_read(struct moot_view body, struct moot_reply *reply, struct moot_error_info *info,
                      int (*take)(const struct moot_json *root, struct moot_reply *reply,
                                  struct moot_error_info *info));

/* An event that says itself that it is an error, whatever its data looks like. */
int moot__stream_error(struct moot_reply_stream *stream, struct moot_view data);

/* A binary frame that is an exception: its name is the error's, its data the message, as JSON or as
 * text. */
int moot__stream_exception(struct moot_reply_stream *stream, const struct moot_stream_event *event);

/* A line outside of the event format: an error if it tells of one, else MOOT_OK. MOOT_ENOMEM. */
int moot__stream_stray(struct moot_reply_stream *stream, struct moot_view line);

#endif
