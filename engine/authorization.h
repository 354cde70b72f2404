#ifndef MOOT_AUTHORIZATION_H
#define MOOT_AUTHORIZATION_H

/* The headers that open a provider: a token's one, or the signature of this very request. */
#include "attempt.h"

enum { MOOT_AUTHORIZATION_HEADERS = 3 };

struct moot_authorization {
    struct moot_http1_header headers[MOOT_AUTHORIZATION_HEADERS];
    size_t count;
    struct moot_buf text; /* what they are views into; wiped */
};

/* Of a request whose access, auth, origin, target and body are set. None where it has no
 * credential, or where the configuration writes the header itself. Afterwards to be ended with
 * moot__authorization_deinit, if this returned MOOT_OK. MOOT_ELIMIT, MOOT_ENOMEM, MOOT_EINVAL (what
 * cannot be signed), MOOT_EIO. */
MOOT_NODISCARD int moot__authorize(struct moot_authorization *authorization,
                                   const struct moot_attempt_request *request);
void moot__authorization_deinit(struct moot_authorization *authorization);

#endif
