#ifndef MOOT_TURN_SPANS_H
#define MOOT_TURN_SPANS_H

/* What a conversation notes for its spans while it goes, and the writing of them: three spans a
 * role, and the root at the end. Without a ring every function here does nothing. */
#include <moot/conversation.h>

#include "agents/agent.h"
#include "trace/span.h"

struct moot_attempt;
struct moot_engine;

struct moot_turn_record {
    struct moot_span_ids root;
    uint64_t began_wall_ns;     /* of the turn */
    uint64_t assembled_wall_ns; /* its request was ready */
    uint64_t limiter_wait_ns, backoff_wait_ns;
    size_t message_count, request_bytes;
    struct moot_view row;
};

void moot__turn_record_root(struct moot_turn_record *record, struct moot_engine *engine);
void moot__turn_record_begin(struct moot_turn_record *record, struct moot_engine *engine);
void moot__turn_record_assembled(struct moot_turn_record *record, struct moot_engine *engine,
                                 size_t request_bytes);

/* How a turn ended: writes "Assemble Conversation", "Raw Agent Response" and "Agent Call". */
struct moot_turn_end {
    const struct moot_agent *agent;
    struct moot_view provider; /* its type */
    const struct moot_attempt *attempt;
    unsigned attempts;
    bool stream;
};
void moot__turn_record_end(struct moot_turn_record *record, struct moot_engine *engine,
                           const struct moot_turn_end *end);

/* The root, "Audit Agent". */
void moot__conversation_span(struct moot_turn_record *record, struct moot_engine *engine,
                             const struct moot_outcome *outcome, struct moot_view params);

#endif
