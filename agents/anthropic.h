#ifndef MOOT_AGENTS_ANTHROPIC_H
#define MOOT_AGENTS_ANTHROPIC_H

/* The messages shape of Anthropic, which others serve too: Azure under its own addresses, Bedrock
 * inside of its invoke calls. Source: Anthropic's API reference, Messages; versions 2023-06-01 and
 * 2026-10-21. Pure. */
#include <moot/error.h>
#include <moot/version.h>
#include <stdbool.h>

#include "dialect.h"
#include "reply_stream.h"

struct moot_anthropic_options {
    const char *who;     /* the provider's name in messages */
    bool names_model;    /* the body has `model` and `stream`; the target has not */
    const char *version; /* the body's anthropic_version; NULL: a header says it */
};

/* As a dialect's functions. */
MOOT_NODISCARD int moot__anthropic_write(const struct moot_request *request,
                                         const struct moot_anthropic_options *options,
                                         struct moot_arena *scratch,
                                         struct moot_json_writer *writer,
                                         struct moot_error_info *info);
int moot__anthropic_read_reply(struct moot_view body, struct moot_reply *reply,
                               struct moot_error_info *info);
int moot__anthropic_read_event(struct moot_reply_stream *stream,
                               const struct moot_stream_event *event);

#endif
