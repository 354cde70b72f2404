#ifndef MOOT_ENGINE_CONVERSATION_H
#define MOOT_ENGINE_CONVERSATION_H

/* What the engine and its conversations know of each other. */
#include <moot/conversation.h>

#include "engine/base/list.h"
#include "gate.h"

/* A slot became free for the conversation that waits first; node: its place in the queue. */
void moot__conversation_admit(struct moot_list *node);

/* The keeper of its credential has news; wakes it. */
void moot__conversation_opened(struct moot_list *node);

/* It has its grant and may send; node: the waiter's, taken from the engine's departures. */
void moot__conversation_depart(struct moot_list *node);

/* The gate gave up waiting for a provider that fails; node: the waiter's, taken from the list of
 * those expired. */
void moot__conversation_expire(struct moot_list *node);

/* Whether it waits, also between two attempts, while its provider fails for everybody. */
bool moot__conversation_is_held_up(const struct moot_conversation *conversation);

/* Whether any call was made for it; if not, ending it costs nothing. */
bool moot__conversation_has_called(const struct moot_conversation *conversation);

/* The engine is closing. node: its place among the engine's conversations. */
void moot__conversation_shut_down(struct moot_list *node);

#endif
