#ifndef MOOT_NET_HTTP1_WRITE_H
#define MOOT_NET_HTTP1_WRITE_H

/* HTTP/1.1 messages, written (RFC 9112). Everything that enters a head is checked here, at the one
 * place where it is appended: what could end a line or begin another is refused, never stripped.
 *
 * All functions append to `buf`; on failure nothing is added. Errors: MOOT_EINVAL (a text that may
 * not stand there), MOOT_ELIMIT, MOOT_ENOMEM. Any thread. */
#include <moot/error.h>
#include <stdbool.h>

#include "engine/base/buf.h"
#include "engine/base/view.h"

bool moot__http1_is_token(struct moot_view text);       /* methods and header names */
bool moot__http1_is_field_value(struct moot_view text); /* "", or no CTL, no blanks at the ends */
bool moot__http1_is_target(struct moot_view text);      /* visible ASCII, no '#' */

/* "POST /v1/chat HTTP/1.1" */
MOOT_NODISCARD int moot__http1_write_request_line(struct moot_buf *buf, struct moot_view method,
                                                  struct moot_view target);

/* "HTTP/1.1 200 OK"; status 100..599. */
MOOT_NODISCARD int moot__http1_write_status_line(struct moot_buf *buf, int status);

MOOT_NODISCARD int moot__http1_write_header(struct moot_buf *buf, struct moot_view name,
                                            struct moot_view value);
MOOT_NODISCARD int moot__http1_write_header_u64(struct moot_buf *buf, struct moot_view name,
                                                uint64_t value);
MOOT_NODISCARD int moot__http1_write_end(struct moot_buf *buf); /* the blank line */

/* The body of a message with "Transfer-Encoding: chunked". A chunk without bytes is left out, since
 * it would end the body. */
MOOT_NODISCARD int moot__http1_write_chunk(struct moot_buf *buf, struct moot_view bytes);
MOOT_NODISCARD int moot__http1_write_last_chunk(struct moot_buf *buf);

/* The same for bytes that the caller writes itself: size line, bytes (len > 0 of them), end. */
MOOT_NODISCARD int moot__http1_write_chunk_begin(struct moot_buf *buf, size_t len);
MOOT_NODISCARD int moot__http1_write_chunk_end(struct moot_buf *buf);

/* The reason phrase, or "" for a status that has none here. Static. */
const char *moot__http1_status_text(int status);

#endif
