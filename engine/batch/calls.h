#ifndef MOOT_BATCH_CALLS_H
#define MOOT_BATCH_CALLS_H

/* The side file: finished calls of rows that are not finished, a line each, so that an oracle whose
 * answer is in is never asked again. Reading it back, and forgetting what is done. */
#include <moot/conversation.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "id_set.h"
#include "row.h"

/* One finished call as a line, newline included. Errors as moot__json_write_finish. */
MOOT_NODISCARD int moot__call_write(const struct moot_row *row, unsigned step,
                                    const struct moot_agent_reply *reply, struct moot_buf *out);

struct moot_known_call {
    struct moot_agent_reply reply;
    unsigned step;
    uint32_t next; /* of the same row: index + 1; 0 ends */
};

/* The calls that a run before has left. Zeroed but for the allocators it is empty. */
struct moot_known_calls {
    struct moot_arena arena;
    struct moot_id_set rows; /* note: index + 1 of the row's last call */
    struct moot_known_call *calls;
    size_t count, cap;
};

void moot__known_calls_init(struct moot_known_calls *known, const struct moot_allocator *allocator);
void moot__known_calls_deinit(struct moot_known_calls *known);

/* Remember a line of the file. False if it is none. MOOT_ENOMEM, MOOT_ELIMIT in *rc. */
bool moot__known_calls_add(struct moot_known_calls *known, const struct moot_json *line, int *rc);

/* Give a row the replies that are known: those of the first steps without a gap. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__known_calls_give(struct moot_known_calls *known, struct moot_row *row);

#endif
