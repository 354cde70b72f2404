#ifndef MOOT_EMULATOR_FRAME_H
#define MOOT_EMULATOR_FRAME_H

/* What is around an event of a stream: the lines of server-sent events, or an AWS frame. Both
 * functions append to the connection's `event`; a failure is kept in its `error`. */
#include "connection.h"

/* An event, after what a fault puts before it. `name` may be NULL for server-sent events. */
void moot__emulator_frame(struct moot_emulator_connection *connection, const char *name,
                          struct moot_view data);

/* The failure that breaks the stream off. */
void moot__emulator_frame_broken(struct moot_emulator_connection *connection, const char *name,
                                 struct moot_view data);

/* A line that is no event of the protocol: `field` and the data. */
void moot__emulator_frame_field(struct moot_emulator_connection *connection, const char *field,
                                struct moot_view data);

#endif
