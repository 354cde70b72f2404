#ifndef MOOT_TEST_FAULTS_ANSWERS_H
#define MOOT_TEST_FAULTS_ANSWERS_H

/* A provider's answer, drawn from a seed: its text with every kind of Unicode, streamed or whole,
 * in each way to frame it, as the bytes that go over the wire. */
#include <stdbool.h>

#include "engine/base/buf.h"
#include "engine/base/rng.h"

enum answer_framing { ANSWER_LENGTH, ANSWER_CHUNKED, ANSWER_UNTIL_END, ANSWER_FRAMINGS };

struct answer {
    bool is_stream;
    enum answer_framing framing;
    struct moot_buf text; /* what is said */
    struct moot_buf body; /* JSON, or events */
    struct moot_buf wire; /* head, body and its framing */
    size_t needed;        /* so many bytes of `wire` and the answer is whole; one less, and not */
};

/* Draw one. No memory is a failure of the test. */
void answer_draw(struct answer *answer, struct moot_rng *rng, bool is_stream,
                 enum answer_framing framing);
void answer_deinit(struct answer *answer);

#endif
