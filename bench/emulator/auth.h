#ifndef MOOT_EMULATOR_AUTH_H
#define MOOT_EMULATOR_AUTH_H

/* Who is asking: a Bearer token or the surface's own header with the key. */
#include "connection.h"

/* Is the request whose head this is from somebody who may ask? */
bool moot__emulator_is_authorized(const struct moot_emulator_connection *connection,
                                  const struct moot_http1_head *head);

#endif
