#ifndef MOOT_TEST_HTTP1_VECTORS_H
#define MOOT_TEST_HTTP1_VECTORS_H

/* The framing table: how each way to write an HTTP/1.1 message is judged, with the rule that says
 * so. One table for the parser's test and for the comparison with another client's parser. */
#include <stdbool.h>
#include <stddef.h>

#include <moot/error.h>

#include "engine/base/buf.h"

/* KEEP and CLOSE are a whole message, after which a client's connection is, or is not, used again.
 */
enum http1_verdict {
    KEEP = MOOT_OK,
    CLOSE = 1,
    DONE = 2, /* of a request: whole */
    ALONE,    /* in the place of a request's verdict: the answer to a POST, not run as a request; */
    HEAD,     /* to a HEAD; */
    CONNECT,  /* to a CONNECT */
    PROTO = MOOT_EPROTO,
    LIMIT = MOOT_ELIMIT,
    CUT = MOOT_ETRUNCATED,
};

struct http1_vector {
    const char *name;
    const char *rule; /* a section of RFC 9110 or 9112, or the CVE that it answers */
    /* ALONE, HEAD, CONNECT: the response. Else everything after "HTTP/1.1 200 OK\r\n", and as a
     * request everything after its line and Host. "@3*ab@" stands for "ababab". */
    struct moot_view bytes;
    enum http1_verdict response, request;
    const char *body; /* what was delivered, as a response; NULL: not even the head */
    size_t surplus;   /* bytes left over, as a response; of a request with a body too */
};

/* Both tables as one: bodies first, then heads. */
size_t http1_vector_count(void);
const struct http1_vector *http1_vector_at(size_t index);

bool http1_vector_is_request(const struct http1_vector *vector); /* too */
unsigned http1_vector_flags(const struct http1_vector *vector);  /* of the response's parser */

/* Append the response, or the request, that a vector means. */
MOOT_NODISCARD int http1_vector_write(const struct http1_vector *vector, bool request,
                                      struct moot_buf *out);

/* The two halves, for http1_vectors.c. */
extern const struct http1_vector http1_body_vectors[];
extern const struct http1_vector http1_head_vectors[];
extern const size_t http1_body_vector_count, http1_head_vector_count;

#define T(text)                                                                                    \
    {                                                                                              \
        ("" text), sizeof(text) - 1                                                                \
    }
#define H200  "HTTP/1.1 200 OK\r\n"
#define TE    "Transfer-Encoding: chunked\r\n"
#define CL(n) "Content-Length: " n "\r\n"
#define END   CL("0") "\r\n"

#endif
