/* The guard's two byte machines: heads, and bodies with their chunk lines and trailers. Both look
 * at each byte once, keep only counters, and so give the same verdict in every segmentation. What a
 * complete head means is judged in http1_framing.c. */
#include "http1_guard.h"

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "http1_bytes.h"

#define CHUNK_SIZE_DIGITS_MAX 16

static bool refuse(struct moot_http1_guard *guard, int code, int status, const char *reason)
{
    assert(!guard->fault.reason);
    guard->fault = (struct moot_http1_fault){code, status, reason};
    return false;
}

static bool malformed(struct moot_http1_guard *guard, const char *reason)
{
    return refuse(guard, MOOT_EPROTO, 400, reason);
}

static bool move_if(struct moot_http1_guard *guard, bool right, enum moot_http1_guard_state next,
                    const char *reason)
{
    if (!right)
        return malformed(guard, reason);
    guard->state = next;
    return true;
}

/* --- header and trailer lines --- */

/* Message framing and routing may not change after the body was read (RFC 9110 6.5.1). */
static bool is_forbidden_trailer(const struct moot_http1_guard *guard)
{
    static const struct moot_view forbidden[] = {
        {"content-length", 14}, {"transfer-encoding", 17}, {"host", 4}, {"connection", 10}};
    struct moot_view name = {guard->trailer, guard->trailer_len};
    for (size_t i = 0; i < moot__countof(forbidden); i++)
        if (moot__view_eq_nocase(name, forbidden[i]))
            return true;
    return false;
}

static void remember_trailer(struct moot_http1_guard *guard, char c)
{
    if (guard->in_trailers && guard->trailer_len < sizeof guard->trailer)
        guard->trailer[guard->trailer_len++] = c;
}

static bool begin_field(struct moot_http1_guard *guard, char c)
{
    if (c == '\r') {
        guard->state = GUARD_END_LF;
        return true;
    }
    if (c == ' ' || c == '\t')
        return malformed(guard, "a folded header line");
    if (c == ':')
        return malformed(guard, "a header without a name");
    if (!moot__http1_byte_is(c, MOOT_HTTP1_TOKEN))
        return malformed(guard, "an invalid character in a header name");
    if (++guard->fields > guard->limits->headers)
        return refuse(guard, MOOT_ELIMIT, 431, "too many headers");
    guard->trailer_len = 0;
    remember_trailer(guard, c);
    guard->state = GUARD_NAME;
    return true;
}

static bool step_name(struct moot_http1_guard *guard, char c)
{
    if (c == ':') {
        if (guard->in_trailers && is_forbidden_trailer(guard))
            return malformed(guard, "a framing header among the trailers");
        guard->state = GUARD_VALUE;
        return true;
    }
    if (!moot__http1_byte_is(c, MOOT_HTTP1_TOKEN))
        return malformed(guard, c == ' ' || c == '\t' ? "a space before the colon of a header"
                                                      : "an invalid character in a header name");
    remember_trailer(guard, c);
    return true;
}

static bool step_value(struct moot_http1_guard *guard, char c)
{
    if (c == '\r') {
        guard->state = GUARD_VALUE_LF;
        return true;
    }
    return moot__http1_byte_is(c, MOOT_HTTP1_TEXT) ||
           malformed(guard, "a control character in a header value");
}

/* --- heads --- */

static bool begin_head(struct moot_http1_guard *guard, char c)
{
    if (c == '\r' && guard->kind == MOOT_HTTP1_REQUEST && !guard->skipped_line) {
        guard->state = GUARD_EMPTY_LF;
        return true;
    }
    if (c == '\r')
        return malformed(guard, "an empty line where a message should begin");
    guard->state = GUARD_START_LINE;
    return true;
}

static bool step_request_line(struct moot_http1_guard *guard, char c)
{
    if (c == ' ')
        guard->spaces++;
    else if (!moot__http1_byte_is(c, MOOT_HTTP1_TARGET))
        return malformed(guard, "an invalid character in the request line");
    else if (guard->spaces == 1 && ++guard->target_bytes > guard->limits->target_bytes)
        return refuse(guard, MOOT_ELIMIT, 414, "the request target is too long");
    return true;
}

/* The beginning is compared byte by byte, so that a peer of another protocol is known at once. */
static bool step_status_line(struct moot_http1_guard *guard, char c)
{
    static const char version[] = "HTTP/1.";
    if (guard->line_bytes < sizeof version - 1 && c != version[guard->line_bytes])
        return malformed(guard, "not an HTTP/1 response");
    guard->line_bytes++;
    return moot__http1_byte_is(c, MOOT_HTTP1_TEXT) ||
           malformed(guard, "a control character in the status line");
}

static bool step_start_line(struct moot_http1_guard *guard, char c)
{
    if (c == '\r') {
        guard->state = GUARD_START_LF;
        return true;
    }
    return guard->kind == MOOT_HTTP1_REQUEST ? step_request_line(guard, c)
                                             : step_status_line(guard, c);
}

static bool step_head(struct moot_http1_guard *guard, char c)
{
    switch (guard->state) {
    case GUARD_START:
        return begin_head(guard, c) &&
               (guard->state != GUARD_START_LINE || step_start_line(guard, c));
    case GUARD_EMPTY_LF:
        guard->skipped_line = true;
        return move_if(guard, c == '\n', GUARD_START, "CR without LF");
    case GUARD_START_LINE:
        return step_start_line(guard, c);
    case GUARD_START_LF:
        return move_if(guard, c == '\n', GUARD_FIELD, "CR without LF in the start line");
    case GUARD_FIELD:
        return begin_field(guard, c);
    case GUARD_NAME:
        return step_name(guard, c);
    case GUARD_VALUE:
        return step_value(guard, c);
    case GUARD_VALUE_LF:
        return move_if(guard, c == '\n', GUARD_FIELD, "CR without LF in a header");
    case GUARD_END_LF:
        return move_if(guard, c == '\n', GUARD_HEAD_DONE, "CR without LF after the headers");
    default:
        moot__unreachable();
        return false;
    }
}

void moot__http1_guard_init(struct moot_http1_guard *guard, enum moot_http1_kind kind,
                            const struct moot_http1_limits *limits)
{
    *guard = (struct moot_http1_guard){.state = GUARD_START, .kind = kind, .limits = limits};
}

/* How many of the bytes ahead only go on with the name or value that is being read: most of a head,
 * so that they are worth a loop of their own. */
static size_t head_run(const struct moot_http1_guard *guard, const char *data, size_t len)
{
    if (guard->state != GUARD_NAME && guard->state != GUARD_VALUE)
        return 0;
    assert(!guard->in_trailers);
    unsigned class = guard->state == GUARD_NAME ? MOOT_HTTP1_TOKEN : MOOT_HTTP1_TEXT;
    size_t room = guard->limits->head_bytes - guard->head_bytes, run = 0;
    for (size_t end = len < room ? len : room; run < end; run++)
        if (!moot__http1_byte_is(data[run], class))
            break;
    return run;
}

size_t moot__http1_guard_head(struct moot_http1_guard *guard, const char *data, size_t len,
                              size_t *skip)
{
    assert(guard->state < GUARD_HEAD_DONE && !guard->fault.reason);
    size_t at = 0;
    *skip = 0;
    while (at < len && guard->state != GUARD_HEAD_DONE) {
        enum moot_http1_guard_state before = guard->state;
        size_t run = head_run(guard, data + at, len - at);
        guard->head_bytes += run;
        at += run;
        if (at == len)
            break;
        if (guard->head_bytes >= guard->limits->head_bytes) {
            refuse(guard, MOOT_ELIMIT, 431, "the head is too long");
            break;
        }
        if (!step_head(guard, data[at]))
            break;
        guard->head_bytes++;
        at++;
        if (guard->state == GUARD_EMPTY_LF || before == GUARD_EMPTY_LF)
            *skip = at;
        if (before == GUARD_START_LF)
            break;
    }
    return at;
}

/* --- bodies --- */

void moot__http1_guard_begin_body(struct moot_http1_guard *guard,
                                  const struct moot_http1_head *head)
{
    assert(guard->state == GUARD_HEAD_DONE && !guard->fault.reason);
    guard->head_bytes = guard->fields = 0;
    if (!head->has_body) {
        guard->state = GUARD_DONE;
    } else if (head->chunked) {
        guard->state = GUARD_SIZE;
    } else if (head->eof_delimited) {
        guard->state = GUARD_UNTIL_EOF;
        guard->left = guard->limits->body_bytes;
    } else {
        guard->state = GUARD_LENGTH;
        guard->left = (uint64_t)head->content_length;
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Extensions mean nothing to us, but two readers that see their ends in different places would see
 * two different bodies: so their grammar is kept to the letter. */
enum extension_byte { TOKEN, EQUALS, SEMICOLON, QUOTE, ESCAPE, BLANK, TEXT, BYTES };

static enum extension_byte extension_byte(char c)
{
    if (moot__http1_byte_is(c, MOOT_HTTP1_TOKEN))
        return TOKEN;
    switch (c) {
    case '=':
        return EQUALS;
    case ';':
        return SEMICOLON;
    case '"':
        return QUOTE;
    case '\\':
        return ESCAPE;
    case ' ':
    case '\t':
        return BLANK;
    default:
        return moot__http1_byte_is(c, MOOT_HTTP1_TEXT) ? TEXT : BYTES;
    }
}

/* The state after a byte; EXTENSION_BEGIN, to which no byte leads: the byte is wrong there. */
static enum moot_http1_extension after_extension_byte(enum moot_http1_extension at, char c)
{
#define QUOTED EXTENSION_QUOTED
    static const unsigned char next[EXTENSION_STATES][BYTES + 1] = {
        [EXTENSION_BEGIN] = {[SEMICOLON] = EXTENSION_NAME_FIRST},
        [EXTENSION_NAME_FIRST] = {[TOKEN] = EXTENSION_NAME, [BLANK] = EXTENSION_NAME_FIRST},
        [EXTENSION_NAME] = {[TOKEN] = EXTENSION_NAME,
                            [EQUALS] = EXTENSION_VALUE_FIRST,
                            [SEMICOLON] = EXTENSION_NAME_FIRST,
                            [BLANK] = EXTENSION_NAME_BLANK},
        [EXTENSION_NAME_BLANK] = {[EQUALS] = EXTENSION_VALUE_FIRST,
                                  [SEMICOLON] = EXTENSION_NAME_FIRST,
                                  [BLANK] = EXTENSION_NAME_BLANK},
        [EXTENSION_VALUE_FIRST] =
            {[TOKEN] = EXTENSION_VALUE, [QUOTE] = QUOTED, [BLANK] = EXTENSION_VALUE_FIRST},
        [EXTENSION_VALUE] = {[TOKEN] = EXTENSION_VALUE,
                             [SEMICOLON] = EXTENSION_NAME_FIRST,
                             [BLANK] = EXTENSION_VALUE_BLANK},
        [QUOTED] = {QUOTED, QUOTED, QUOTED, EXTENSION_VALUE_END, EXTENSION_ESCAPED, QUOTED, QUOTED},
        [EXTENSION_ESCAPED] = {QUOTED, QUOTED, QUOTED, QUOTED, QUOTED, QUOTED, QUOTED},
        [EXTENSION_VALUE_END] =
            {[SEMICOLON] = EXTENSION_NAME_FIRST, [BLANK] = EXTENSION_VALUE_BLANK},
        [EXTENSION_VALUE_BLANK] =
            {[SEMICOLON] = EXTENSION_NAME_FIRST, [BLANK] = EXTENSION_VALUE_BLANK},
    };
#undef QUOTED
    return (enum moot_http1_extension)next[at][extension_byte(c)];
}

static bool may_end(enum moot_http1_extension at)
{
    return at == EXTENSION_BEGIN || at == EXTENSION_NAME || at == EXTENSION_VALUE ||
           at == EXTENSION_VALUE_END;
}

static bool step_extension(struct moot_http1_guard *guard, char c)
{
    if (c == '\r' && may_end(guard->extension)) {
        guard->state = GUARD_SIZE_LF;
        return true;
    }
    guard->extension = after_extension_byte(guard->extension, c);
    if (guard->extension == EXTENSION_BEGIN)
        return malformed(guard, "a malformed chunk extension");
    if (++guard->extension_bytes > MOOT_LIMIT_HTTP_CHUNK_EXTENSION_BYTES ||
        ++guard->extension_bytes_total > guard->limits->head_bytes)
        return malformed(guard, "too many chunk extensions");
    return true;
}

static bool step_size(struct moot_http1_guard *guard, char c)
{
    int digit = hex_value(c);
    if (digit < 0) {
        if (guard->size_digits == 0 || (c != '\r' && c != ';'))
            return malformed(guard, "an invalid chunk size");
        guard->state = GUARD_EXTENSION; /* an empty one, if this is the CR */
        return step_extension(guard, c);
    }
    if (++guard->size_digits > CHUNK_SIZE_DIGITS_MAX || guard->left > (uint64_t)INT64_MAX >> 4)
        return malformed(guard, "a chunk size with too many digits");
    guard->left = guard->left << 4 | (uint64_t)digit;
    return true;
}

static bool end_size_line(struct moot_http1_guard *guard, char c)
{
    if (c != '\n')
        return malformed(guard, "CR without LF after a chunk size");
    if (guard->left > guard->limits->body_bytes - guard->body_bytes)
        return refuse(guard, MOOT_ELIMIT, 413, "the body is too long");
    guard->body_bytes += guard->left;
    guard->in_trailers = guard->left == 0;
    guard->state = guard->in_trailers ? GUARD_FIELD : GUARD_DATA;
    return true;
}

static void begin_chunk(struct moot_http1_guard *guard)
{
    guard->left = 0;
    guard->size_digits = 0;
    guard->extension = EXTENSION_BEGIN;
    guard->extension_bytes = 0;
}

static bool step_trailer(struct moot_http1_guard *guard, char c)
{
    if (++guard->head_bytes > guard->limits->head_bytes)
        return refuse(guard, MOOT_ELIMIT, 431, "the trailers are too long");
    switch (guard->state) {
    case GUARD_FIELD:
        return begin_field(guard, c);
    case GUARD_NAME:
        return step_name(guard, c);
    case GUARD_VALUE:
        return step_value(guard, c);
    case GUARD_VALUE_LF:
        return move_if(guard, c == '\n', GUARD_FIELD, "CR without LF in a trailer");
    default:
        assert(guard->state == GUARD_END_LF);
        return move_if(guard, c == '\n', GUARD_DONE, "CR without LF after the trailers");
    }
}

static bool step_chunk(struct moot_http1_guard *guard, char c)
{
    switch (guard->state) {
    case GUARD_SIZE:
        return step_size(guard, c);
    case GUARD_EXTENSION:
        return step_extension(guard, c);
    case GUARD_SIZE_LF:
        return end_size_line(guard, c);
    case GUARD_DATA_CR:
        return move_if(guard, c == '\r', GUARD_DATA_LF, "a chunk longer than its size");
    case GUARD_DATA_LF:
        begin_chunk(guard);
        return move_if(guard, c == '\n', GUARD_SIZE, "CR without LF after a chunk");
    default:
        return step_trailer(guard, c);
    }
}

/* Whether the next byte is kept from llhttp. */
static bool is_dropped(const struct moot_http1_guard *guard, char c)
{
    switch (guard->state) {
    case GUARD_SIZE:
        return c == ';';
    case GUARD_EXTENSION:
    case GUARD_FIELD:
        return c != '\r';
    case GUARD_NAME:
    case GUARD_VALUE:
    case GUARD_VALUE_LF:
        return true;
    default:
        return false;
    }
}

/* Body bytes proper: any value, only counted. */
static bool is_payload(enum moot_http1_guard_state state)
{
    return state == GUARD_LENGTH || state == GUARD_DATA || state == GUARD_UNTIL_EOF;
}

static size_t take_payload(struct moot_http1_guard *guard, size_t len)
{
    size_t take = len > guard->left ? (size_t)guard->left : len;
    guard->left -= take;
    if (guard->state == GUARD_UNTIL_EOF && take < len)
        refuse(guard, MOOT_ELIMIT, 413, "the body is too long");
    else if (guard->state == GUARD_LENGTH && guard->left == 0)
        guard->state = GUARD_DONE;
    else if (guard->state == GUARD_DATA && guard->left == 0)
        guard->state = GUARD_DATA_CR;
    return take;
}

size_t moot__http1_guard_body(struct moot_http1_guard *guard, const char *data, size_t len,
                              bool *drop)
{
    assert(guard->state > GUARD_HEAD_DONE || guard->in_trailers);
    assert(!guard->fault.reason);
    size_t at = 0;
    *drop = false;
    while (at < len && guard->state != GUARD_DONE && !guard->fault.reason) {
        bool drop_this = is_dropped(guard, data[at]);
        if (at > 0 && drop_this != *drop)
            break;
        *drop = drop_this;
        if (is_payload(guard->state))
            at += take_payload(guard, len - at);
        else if (step_chunk(guard, data[at]))
            at++;
    }
    return at;
}
