#ifndef MOOT_EMULATOR_TOKEN_H
#define MOOT_EMULATOR_TOKEN_H

/* Access tokens for client credentials, as Databricks and Entra hand them out. A token says when it
 * ends and proves that this emulator made it; nothing is kept of it. */
#include "connection.h"

/* Answer the token request that is whole: the document into `json`. Returns the HTTP status. A
 * failure is kept in the connection's `error`. */
int moot__emulator_token_grant(struct moot_emulator_connection *connection);

/* The document that says where tokens are to be had, into `json`. */
void moot__emulator_token_discovery(struct moot_emulator_connection *connection);

/* Is this a token of this emulator, and not yet past its end? */
bool moot__emulator_token_is_valid(const struct moot_emulator_connection *connection,
                                   struct moot_view token);

#endif
