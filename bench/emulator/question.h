#ifndef MOOT_EMULATOR_QUESTION_H
#define MOOT_EMULATOR_QUESTION_H

/* The question in a request's body. Pure. */
#include "engine/base/json_read.h"
#include "request.h"

/* What is wrong with it, for a 400; static texts. */
struct moot_emulator_complaint {
    const char *param, *message; /* param NULL: nothing in particular */
};

/* Fill the part of the request that comes from its body; views live in the arena. On MOOT_EINVAL or
 * MOOT_EJSON the complaint says what is wrong. Also MOOT_ENOMEM, MOOT_ELIMIT. */
MOOT_NODISCARD int moot__emulator_question(struct moot_view body, struct moot_arena *arena,
                                           struct moot_emulator_request *out,
                                           struct moot_emulator_complaint *complaint);

/* One for each shape: the same from the object that the body is. */
MOOT_NODISCARD int moot__emulator_question_openai(const struct moot_json *root,
                                                  struct moot_arena *arena,
                                                  struct moot_emulator_request *out,
                                                  struct moot_emulator_complaint *complaint);

MOOT_NODISCARD int moot__emulator_question_anthropic(const struct moot_json *root,
                                                     struct moot_arena *arena,
                                                     struct moot_emulator_request *out,
                                                     struct moot_emulator_complaint *complaint);
MOOT_NODISCARD int moot__emulator_question_azure(const struct moot_json *root,
                                                 struct moot_arena *arena,
                                                 struct moot_emulator_request *out,
                                                 struct moot_emulator_complaint *complaint);
MOOT_NODISCARD int moot__emulator_question_invoke(const struct moot_json *root,
                                                  struct moot_arena *arena,
                                                  struct moot_emulator_request *out,
                                                  struct moot_emulator_complaint *complaint);
MOOT_NODISCARD int moot__emulator_question_converse(const struct moot_json *root,
                                                    struct moot_arena *arena,
                                                    struct moot_emulator_request *out,
                                                    struct moot_emulator_complaint *complaint);

/* Fill the complaint; MOOT_EINVAL. */
MOOT_NODISCARD int moot__emulator_complain(struct moot_emulator_complaint *complaint,
                                           const char *param, const char *message);

/* The `text` members of a list's parts, one behind the other. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__emulator_join_texts(const struct moot_json *parts,
                                             struct moot_arena *arena, struct moot_view *out);

#endif
