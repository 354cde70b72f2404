#ifndef MOOT_AGENTS_OPENAI_CHAT_H
#define MOOT_AGENTS_OPENAI_CHAT_H

/* The chat completions shape of OpenAI, which most providers speak with an accent: written here
 * once, and read leniently enough for all of them. Dialects choose among the options below. */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>

#include "dialect.h"
#include "reply_stream.h"

struct moot_openai_chat_options {
    bool model;         /* the body names the model (the path does not) */
    bool include_usage; /* usage of a stream must be asked for */
    bool newer_names;   /* the model refuses max_tokens and temperature: max_completion_tokens is
                           sent, and no temperature but the user's own */
    bool no_strict;     /* `strict` in a tool's function is refused: left out */
};

/* messages, model, the parameters in their order, stream. Nothing is sent that nobody set: no
 * nulls, no defaults but those of the agent. MOOT_ENOMEM; other errors stay in the writer. */
MOOT_NODISCARD int moot__openai_chat_write(const struct moot_request *request,
                                           const struct moot_openai_chat_options *options,
                                           struct moot_arena *scratch,
                                           struct moot_json_writer *writer);

/* As a dialect's read_reply and read_event. */
int moot__openai_chat_read_reply(struct moot_view body, struct moot_reply *reply,
                                 struct moot_error_info *info);
int moot__openai_chat_read_event(struct moot_reply_stream *stream,
                                 const struct moot_stream_event *event);

#endif
