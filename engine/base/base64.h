#ifndef MOOT_BASE_BASE64_H
#define MOOT_BASE_BASE64_H

/* Base64 (RFC 4648, section 4), with padding. */
#include <moot/error.h>
#include <moot/version.h>

#include "buf.h"
#include "view.h"

/* Append the text of `data`. MOOT_ELIMIT, MOOT_ENOMEM; then nothing is added. */
MOOT_NODISCARD int moot__base64_encode(struct moot_buf *out, struct moot_view data);

/* Append the bytes of `text`. MOOT_EINVAL if it is not base64: another character, a length or a
 * padding that cannot be. MOOT_ELIMIT, MOOT_ENOMEM. On failure nothing is added. */
MOOT_NODISCARD int moot__base64_decode(struct moot_buf *out, struct moot_view text);

#endif
