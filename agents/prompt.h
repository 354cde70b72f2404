#ifndef MOOT_AGENTS_PROMPT_H
#define MOOT_AGENTS_PROMPT_H

/* What an agent is shown. Pure.
 *
 * The first agent gets its instruction as a system message, then the caller's turns. A later one
 * gets its own instruction, the same turns, then for every earlier reply an assistant message that
 * holds it and a user message that asks to improve on it (user_response_instruction). With two
 * agents and one user turn these are the tutorial's messages exactly.
 *
 * A caller's own system messages are turns like others: they stay where they are, after the
 * agent's instruction, for every agent. With `history: first` the caller's first turn stands for
 * all of them, whatever its role, which is the tutorial's habit. */
#include <moot/error.h>
#include <moot/version.h>

#include "agent.h"
#include "engine/base/arena.h"
#include "transcript.h"

enum moot_history { MOOT_HISTORY_ALL, MOOT_HISTORY_FIRST };

#define MOOT_DEFAULT_RESPONSE_INSTRUCTION "Can you make the answer better?"

struct moot_prompt_config {
    struct moot_view user_response_instruction; /* ptr NULL: the default; "" is sent as it is */
    enum moot_history history;
};

/* The messages for `agent`, who speaks after the replies that the transcript holds. The array comes
 * from the arena; texts are borrowed from agent, config and transcript. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__prompt_assemble(const struct moot_prompt_config *config,
                                         const struct moot_agent *agent,
                                         const struct moot_transcript *transcript,
                                         struct moot_arena *arena, struct moot_turns *out);

#endif
