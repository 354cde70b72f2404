#ifndef MOOT_AGENTS_SIGV4_CANONICAL_H
#define MOOT_AGENTS_SIGV4_CANONICAL_H

/* The canonical request of AWS Signature Version 4: the one text that client and service both make
 * of a request, and of whose hash the signature is made. Pure; any thread. */
#include <moot/error.h>

#include "engine/base/buf.h"
#include "engine/base/view.h"

struct moot_sigv4_header {
    struct moot_view name, value; /* a name in any case */
};

/* A request as it goes over the wire. Everything is borrowed. */
struct moot_sigv4_request {
    struct moot_view method;
    struct moot_view path;  /* percent-encoded already, begins with '/', without the query */
    struct moot_view query; /* percent-encoded already, without the '?' */
    const struct moot_sigv4_header *headers;
    size_t header_count;
    struct moot_view body;
};

/* Append the canonical request to an empty buffer, which is not moved while it is written; *names
 * is the list of signed headers, a view into it. All of the headers are covered. The path is
 * normalised (empty and dot segments) and encoded again, as every service but S3 asks for; the
 * query's parameters are decoded, encoded and sorted.
 *
 * MOOT_EINVAL (no method, a path without '/', a header without a name), MOOT_ELIMIT (too long, too
 * many headers or parameters), MOOT_EIO from the hash, MOOT_ENOMEM. What was appended is then
 * undefined. It may hold a session token: wipe it. */
MOOT_NODISCARD int moot__sigv4_canonical(const struct moot_sigv4_request *request,
                                         struct moot_buf *out, struct moot_view *names);

#endif
