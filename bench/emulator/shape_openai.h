#ifndef MOOT_EMULATOR_SHAPE_OPENAI_H
#define MOOT_EMULATOR_SHAPE_OPENAI_H

/* OpenAI's chunks, of which other surfaces make their streams too. */
#include "shape.h"

void moot__emulator_openai_role(struct moot_json_writer *w,
                                const struct moot_emulator_connection *connection,
                                struct moot_view text);
void moot__emulator_openai_call(struct moot_json_writer *w,
                                const struct moot_emulator_connection *connection,
                                struct moot_view text);
void moot__emulator_openai_token(struct moot_json_writer *w,
                                 const struct moot_emulator_connection *connection,
                                 struct moot_view text);
void moot__emulator_openai_finish(struct moot_json_writer *w,
                                  const struct moot_emulator_connection *connection,
                                  struct moot_view text);
void moot__emulator_openai_error_finish(struct moot_json_writer *w,
                                        const struct moot_emulator_connection *connection,
                                        struct moot_view text);
void moot__emulator_openai_usage(struct moot_json_writer *w,
                                 const struct moot_emulator_connection *connection,
                                 struct moot_view text);
bool moot__emulator_openai_wants_usage(const struct moot_emulator_connection *connection);
void moot__emulator_openai_whole(struct moot_json_writer *w,
                                 const struct moot_emulator_connection *connection);

#define MOOT_EMULATOR_OPENAI_CALL                                                                  \
    {                                                                                              \
        NULL, moot__emulator_openai_call, moot__emulator_is_call                                   \
    }
#define MOOT_EMULATOR_OPENAI_STREAM                                                                \
    .is_openai = true, .stream_type = "text/event-stream; charset=utf-8",                          \
    .token = {NULL, moot__emulator_openai_token, NULL},                                            \
    .finish = {{NULL, moot__emulator_openai_finish, NULL}}, .mark = "[DONE]",                      \
    .error_finish = {{NULL, moot__emulator_openai_error_finish, NULL}}, .broken_status = 500,      \
    .write_whole = moot__emulator_openai_whole
#define MOOT_EMULATOR_OPENAI_USAGE                                                                 \
    .usage = {{NULL, moot__emulator_openai_usage, moot__emulator_openai_wants_usage}}

#endif
