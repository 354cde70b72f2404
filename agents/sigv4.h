#ifndef MOOT_AGENTS_SIGV4_H
#define MOOT_AGENTS_SIGV4_H

/* AWS Signature Version 4 in the headers of a request ("AWS4-HMAC-SHA256"). A signature is valid
 * for minutes, so every attempt is signed anew. Pure: no clock, no I/O; any thread. */
#include <moot/error.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/view.h"
#include "sigv4_canonical.h"

/* Who signs, for what. Borrowed; the secret key and the token are secrets. */
struct moot_sigv4_key {
    struct moot_view access_key, secret_key;
    struct moot_view session_token; /* or "" */
    struct moot_view region, service;
};

/* The headers to be added to the request: x-amz-date, authorization and, with a session token,
 * x-amz-security-token. */
struct moot_sigv4_signed {
    struct moot_sigv4_header headers[3];
    size_t count;
};

/* Sign a request at a time in Unix seconds. The request's headers are those to be signed: `host`
 * (with the port, if it is not the scheme's own), `content-type` and every x-amz-* that is sent;
 * those that may not be signed are passed over, and those that this function makes may not be among
 * them.
 *
 * The values of *made are written to the end of `text` or borrowed from `key`, and valid as long as
 * both are unchanged; as they are worth something for minutes, the caller wipes `text`. Everything
 * else that was derived from a secret is wiped before this returns.
 *
 * MOOT_EINVAL (as moot__sigv4_canonical; no `host`; a header of ours among those given; a part of
 * the key empty that may not be; a time that has no four-digit year), MOOT_ELIMIT, MOOT_ENOMEM,
 * MOOT_EIO. Nothing is added on failure. */
MOOT_NODISCARD int moot__sigv4_sign(const struct moot_sigv4_request *request,
                                    const struct moot_sigv4_key *key, uint64_t unix_s,
                                    struct moot_buf *text, struct moot_sigv4_signed *made);

/* What a service makes of a signed request. */
enum moot_sigv4_verdict {
    MOOT_SIGV4_VALID,
    MOOT_SIGV4_ABSENT,      /* no authorization of this scheme */
    MOOT_SIGV4_INCOMPLETE,  /* malformed, or a header that must be signed is missing or is not */
    MOOT_SIGV4_UNKNOWN_KEY, /* another access key, or another session token */
    MOOT_SIGV4_WRONG_SCOPE, /* another region, service or day than the request's own date */
    MOOT_SIGV4_SKEWED,      /* the request's date is too far from now */
    MOOT_SIGV4_MISMATCH,    /* the signature is not this request's */
};

struct moot_sigv4_window {
    uint64_t now_s, skew_s; /* Unix time, and how far from it a request's date may be */
};

/* The service's side, for the emulator: make the signature again from a request as it was received,
 * all of its headers included, and compare, in constant time. *verdict is set on MOOT_OK.
 * MOOT_ELIMIT, MOOT_ENOMEM, MOOT_EIO. */
MOOT_NODISCARD int moot__sigv4_verify(const struct moot_sigv4_request *request,
                                      const struct moot_sigv4_key *key,
                                      struct moot_sigv4_window window,
                                      const struct moot_allocator *allocator,
                                      enum moot_sigv4_verdict *verdict);

#endif
