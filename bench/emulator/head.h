#ifndef MOOT_EMULATOR_HEAD_H
#define MOOT_EMULATOR_HEAD_H

/* Response heads: status line, framing, ids, quota headers, hints. */
#include "connection.h"

enum { MOOT_EMULATOR_CHUNKED = -1, MOOT_EMULATOR_UNTIL_EOF = -2 };

struct moot_emulator_head {
    int status;
    const char *type;       /* content-type; NULL: none */
    int64_t content_length; /* or CHUNKED, UNTIL_EOF */
    bool gzip;
    bool has_hint; /* 429, 503, 529 */
    enum moot_emulator_hint hint;
    uint64_t hint_ns;
    const char *error_type; /* of a failure; NULL: its surface has no such header */
    const char *location;   /* of a redirect */
};

/* Write the head; with half, only its first half (for the faults inside it). */
void moot__emulator_put_head(struct moot_emulator_connection *connection,
                             const struct moot_emulator_head *head, bool half);

/* rates.c: the headers that tell of quotas, as the options say. */
void moot__emulator_put_rates(struct moot_emulator_connection *connection);

#endif
