/* The rule of the messages, in one loop. The sizes are known beforehand: there is one array and no
 * text is copied. */
#include "prompt.h"

#include "engine/base/check.h"

static struct moot_turn said(struct moot_view role, struct moot_view content)
{
    return (struct moot_turn){.role = role, .content = content};
}

int moot__prompt_assemble(const struct moot_prompt_config *config, const struct moot_agent *agent,
                          const struct moot_transcript *transcript, struct moot_arena *arena,
                          struct moot_turns *out)
{
    struct moot_turns caller = transcript->caller;
    assert(caller.count > 0);
    if (config->history == MOOT_HISTORY_FIRST)
        caller.count = 1;

    struct moot_view instruction = config->user_response_instruction;
    if (!instruction.ptr)
        instruction = MOOT_VIEW(MOOT_DEFAULT_RESPONSE_INSTRUCTION);

    size_t most = 1 + caller.count + 2 * transcript->reply_count;
    struct moot_turn *turns = moot__arena_calloc(arena, most, sizeof(*turns));
    if (!turns)
        return MOOT_ENOMEM;

    size_t count = 0;
    if (agent->instruction.len > 0)
        turns[count++] = said(MOOT_VIEW("system"), agent->instruction);
    for (size_t i = 0; i < caller.count; i++)
        turns[count++] = caller.items[i];
    for (size_t i = 0; i < transcript->reply_count; i++) {
        turns[count++] = said(MOOT_VIEW("assistant"), transcript->replies[i]);
        turns[count++] = said(MOOT_VIEW("user"), instruction);
    }
    assert(count <= most);
    *out = (struct moot_turns){turns, count};
    return MOOT_OK;
}
