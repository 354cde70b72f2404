#ifndef MOOT_EMULATOR_AUTH_H
#define MOOT_EMULATOR_AUTH_H

/* Who is asking: a Bearer token, the surface's own header with the key, or a signature. */
#include "connection.h"
#include "failure.h"

/* Is the whole request from somebody who may ask? Else *why. A failure to find out is kept in the
 * connection's `error`. */
bool moot__emulator_is_authorized(struct moot_emulator_connection *connection,
                                  struct moot_emulator_failure *why);

#endif
