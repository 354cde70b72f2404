#ifndef MOOT_AGENTS_CHAT_INTERNAL_H
#define MOOT_AGENTS_CHAT_INTERNAL_H

/* Between chat.c and chat_tools.c. */
#include "chat.h"

/* Fill in what chat->params say of tools and of the answer's form. As moot__chat_understand. */
MOOT_NODISCARD int moot__chat_take_tools(struct moot_chat *chat, const char *who,
                                         struct moot_arena *arena, struct moot_error_info *info);

int moot__chat_no_memory(struct moot_error_info *info); /* MOOT_ENOMEM */

#endif
