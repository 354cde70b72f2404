#ifndef MOOT_EMULATOR_SHAPE_ANTHROPIC_H
#define MOOT_EMULATOR_SHAPE_ANTHROPIC_H

/* Claude's events, which Bedrock sends too, in frames of its own. */
#include "shape.h"

#define MOOT_EMULATOR_ANTHROPIC_EVENTS                                                             \
    .begin = {{"message_start", moot__emulator_anthropic_start, NULL},                             \
              {"content_block_start", moot__emulator_anthropic_block, NULL},                       \
              {"ping", moot__emulator_anthropic_ping, NULL}},                                      \
    .token = {"content_block_delta", moot__emulator_anthropic_delta, NULL},                        \
    .finish = {{"content_block_stop", moot__emulator_anthropic_block_stop, NULL},                  \
               {"message_delta", moot__emulator_anthropic_finish, NULL}},                          \
    .last = {{"message_stop", moot__emulator_anthropic_stop, NULL}},                               \
    .write_whole = moot__emulator_anthropic_whole

void moot__emulator_anthropic_start(struct moot_json_writer *w,
                                    const struct moot_emulator_connection *connection,
                                    struct moot_view text);
void moot__emulator_anthropic_block(struct moot_json_writer *w,
                                    const struct moot_emulator_connection *connection,
                                    struct moot_view text);
void moot__emulator_anthropic_ping(struct moot_json_writer *w,
                                   const struct moot_emulator_connection *connection,
                                   struct moot_view text);
void moot__emulator_anthropic_delta(struct moot_json_writer *w,
                                    const struct moot_emulator_connection *connection,
                                    struct moot_view text);
void moot__emulator_anthropic_block_stop(struct moot_json_writer *w,
                                         const struct moot_emulator_connection *connection,
                                         struct moot_view text);
void moot__emulator_anthropic_finish(struct moot_json_writer *w,
                                     const struct moot_emulator_connection *connection,
                                     struct moot_view text);
void moot__emulator_anthropic_stop(struct moot_json_writer *w,
                                   const struct moot_emulator_connection *connection,
                                   struct moot_view text);
void moot__emulator_anthropic_whole(struct moot_json_writer *w,
                                    const struct moot_emulator_connection *connection);

#endif
