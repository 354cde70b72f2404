#ifndef MOOT_EMULATOR_ANSWER_H
#define MOOT_EMULATOR_ANSWER_H

/* The words of an answer, and the counting of tokens. Pure. */
#include "engine/base/buf.h"
#include "world.h"

struct moot_emulator_question {
    uint64_t number;           /* the request's, for the draws */
    struct moot_view endpoint; /* or model */
    struct moot_view last;     /* content of the last user message; "" when there is none */
};

/* Append the answer's text. MOOT_ENOMEM, or MOOT_ELIMIT above the buffer's ceiling. */
MOOT_NODISCARD int moot__emulator_answer(const struct moot_emulator *emulator,
                                         const struct moot_emulator_question *question,
                                         struct moot_buf *out);

/* End of the token that begins at `from` < text.len. */
size_t moot__emulator_token_end(struct moot_view text, size_t from);
uint64_t moot__emulator_count_tokens(struct moot_view text);

/* The first `count` characters of UTF-8. */
struct moot_view moot__emulator_characters(struct moot_view text, size_t count);

#endif
