#ifndef MOOT_NET_HTTP1_GUARD_H
#define MOOT_NET_HTTP1_GUARD_H

/* The strict half of the HTTP/1 parser: looks at every byte before llhttp does. Internal to
 * net/http1*.c. It knows lines, chunks and lengths, and refuses every byte that two readers could
 * take differently: lone CR or LF, folded lines, control characters, empty names, spaces before a
 * colon, odd chunk sizes, framing in trailers. */
#include "http1.h"

/* Why something was refused. `reason` NULL: nothing was. */
struct moot_http1_fault {
    int code;           /* enum moot_error */
    int status;         /* what a server answers */
    const char *reason; /* static */
};

enum moot_http1_guard_state {
    GUARD_START, /* head: before the first byte, and in the start line */
    GUARD_START_LINE,
    GUARD_START_LF,
    GUARD_EMPTY_LF, /* a request may be preceded by one empty line (RFC 9112 2.2) */
    GUARD_FIELD,    /* the first byte of a header or trailer line */
    GUARD_NAME,
    GUARD_VALUE,
    GUARD_VALUE_LF,
    GUARD_END_LF, /* the LF of the blank line */
    GUARD_HEAD_DONE,
    GUARD_LENGTH, /* body with a known length: `left` bytes */
    GUARD_UNTIL_EOF,
    GUARD_SIZE, /* chunked body; trailers use the states of header lines again */
    GUARD_EXTENSION,
    GUARD_SIZE_LF,
    GUARD_DATA,
    GUARD_DATA_CR,
    GUARD_DATA_LF,
    GUARD_DONE,
};

/* Where in *( BWS ";" BWS name [ BWS "=" BWS value ] ) a chunk extension is (RFC 9112 7.1.1). */
enum moot_http1_extension {
    EXTENSION_BEGIN, /* after the size or a value: what follows begins with ';' */
    EXTENSION_NAME_FIRST,
    EXTENSION_NAME,
    EXTENSION_NAME_BLANK,
    EXTENSION_VALUE_FIRST,
    EXTENSION_VALUE,
    EXTENSION_QUOTED,
    EXTENSION_ESCAPED,
    EXTENSION_VALUE_END,
    EXTENSION_VALUE_BLANK,
    EXTENSION_STATES,
};

struct moot_http1_guard {
    enum moot_http1_guard_state state;
    enum moot_http1_kind kind;
    const struct moot_http1_limits *limits;
    struct moot_http1_fault fault;
    size_t head_bytes;   /* of this head, or of the trailers */
    size_t fields;       /* header lines, or trailer lines */
    size_t line_bytes;   /* of the start line so far */
    size_t target_bytes; /* request */
    unsigned spaces;     /* of the request line so far */
    bool skipped_line;   /* the one empty line before a request was seen */
    bool in_trailers;
    uint64_t left;        /* of the body or of the chunk */
    uint64_t body_bytes;  /* announced so far */
    unsigned size_digits; /* of the chunk size so far */
    enum moot_http1_extension extension;
    size_t extension_bytes, extension_bytes_total;
    char trailer[20]; /* the beginning of a trailer's name, in lower case */
    size_t trailer_len;
};

/* Ready for a head. */
void moot__http1_guard_init(struct moot_http1_guard *guard, enum moot_http1_kind kind,
                            const struct moot_http1_limits *limits);

/* Scan head bytes. Returns how many are fine and belong to the head; stops after the
 * start line, after the last byte (GUARD_HEAD_DONE), or before the first bad one (fault set).
 * *skip: how many of them, at the front, are the empty line before a request, not part of the head.
 */
size_t moot__http1_guard_head(struct moot_http1_guard *guard, const char *data, size_t len,
                              size_t *skip);

/* Judge a complete start line, without its CRLF; false: fault set. */
bool moot__http1_guard_start_line(struct moot_http1_guard *guard, struct moot_view line);

/* Judge what the headers together say of the message's framing and fill that part of `head`
 * (content_length, chunked, has_body, eof_delimited, keep_alive, expect_continue); status, method,
 * minor and headers must be set. false: fault set. */
bool moot__http1_guard_framing(struct moot_http1_guard *guard, struct moot_http1_head *head,
                               unsigned flags);

/* Go on from GUARD_HEAD_DONE to the body that `head` announces, or to GUARD_DONE. */
void moot__http1_guard_begin_body(struct moot_http1_guard *guard,
                                  const struct moot_http1_head *head);

/* Scan body bytes. Returns how many are fine, stopping at the end of the message (GUARD_DONE),
 * before a bad byte (fault set), or where bytes to pass on and bytes to drop (chunk extensions and
 * trailers: *drop is true) meet. */
size_t moot__http1_guard_body(struct moot_http1_guard *guard, const char *data, size_t len,
                              bool *drop);

#endif
