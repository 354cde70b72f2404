/* Drives the guard and llhttp over the same bytes.
 *
 * A head is collected in one buffer while the guard scans it, and given to llhttp at once when it
 * is complete: so llhttp never sees a head that the guard refused, every name and value is one
 * contiguous view into the buffer, and the size of a head is bounded by the buffer. A body goes
 * through without being copied. Chunk extensions and trailers never reach llhttp.
 *
 * Invariant: the two parsers end every head and every message at the same byte, or the message is
 * refused. Only functions common to llhttp 8.1 and 9.2 are used; it must be built strict. */
#include "http1.h"

#include <llhttp.h>

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "http1_guard.h"

static_assert(LLHTTP_VERSION_MAJOR > 8 || (LLHTTP_VERSION_MAJOR == 8 && LLHTTP_VERSION_MINOR >= 1),
              "older versions of llhttp are open to request smuggling");

struct moot_http1_parser {
    const struct moot_allocator *allocator;
    enum moot_http1_kind kind;
    struct moot_http1_limits limits;
    struct moot_http1_callbacks callbacks;
    void *context;

    unsigned flags;
    struct moot_http1_guard guard;
    struct moot_http1_fault fault; /* code not 0: stopped for good */
    llhttp_t llhttp;
    bool llhttp_complete;   /* llhttp saw the end of the message */
    bool is_complete;       /* so did the guard, and on_complete has run */
    bool start_line_judged; /* of the current head */
    unsigned informational; /* 1xx responses so far */

    struct moot_buf bytes; /* the head's */
    struct moot_http1_head head;
    struct moot_http1_header *headers;
    size_t headers_cap;
};

static void fail(struct moot_http1_parser *parser, int code, int status, const char *reason)
{
    if (!parser->fault.code)
        parser->fault = (struct moot_http1_fault){code, status, reason};
}

/* A callback's result made ours; true if there is nothing to report. */
static bool is_fine(struct moot_http1_parser *parser, int rc)
{
    if (rc)
        fail(parser, rc, 500, "stopped by the caller");
    return rc == 0;
}

/* The guard's verdict made ours. */
static bool guard_is_fine(struct moot_http1_parser *parser)
{
    if (parser->guard.fault.reason && !parser->fault.code)
        parser->fault = parser->guard.fault;
    return parser->fault.code == 0;
}

/* --- what llhttp reports --- */

static int on_url(llhttp_t *llhttp, const char *at, size_t len)
{
    struct moot_http1_parser *parser = llhttp->data;
    struct moot_view *target = &parser->head.target;
    *target = target->ptr ? moot__view(target->ptr, target->len + len) : moot__view(at, len);
    return 0;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct moot_http1_parser *parser = llhttp->data;
    if (parser->head.header_count >= parser->guard.fields)
        return -1;
    struct moot_view *name = &parser->headers[parser->head.header_count].name;
    *name = name->ptr ? moot__view(name->ptr, name->len + len) : moot__view(at, len);
    return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct moot_http1_parser *parser = llhttp->data;
    if (parser->head.header_count >= parser->guard.fields)
        return -1;
    struct moot_view *value = &parser->headers[parser->head.header_count].value;
    *value = value->ptr ? moot__view(value->ptr, value->len + len) : moot__view(at, len);
    return 0;
}

static int on_header_value_complete(llhttp_t *llhttp)
{
    struct moot_http1_parser *parser = llhttp->data;
    struct moot_view *value = &parser->headers[parser->head.header_count].value;
    *value = moot__view_trim(*value);
    parser->head.header_count++;
    return 0;
}

/* 0: a body may follow; 1: none, whatever the headers say; -1: refused. */
static int on_headers_complete(llhttp_t *llhttp)
{
    struct moot_http1_parser *parser = llhttp->data;
    struct moot_http1_head *head = &parser->head;
    head->headers = parser->headers;
    head->minor = llhttp->http_minor;
    if (parser->kind == MOOT_HTTP1_REQUEST)
        head->method =
            moot__view(parser->bytes.data, moot__view_find(moot__buf_view(&parser->bytes), ' ', 0));
    else
        head->status = llhttp->status_code;
    if (!moot__http1_guard_framing(&parser->guard, head, parser->flags)) {
        guard_is_fine(parser);
        return -1;
    }
    bool chunked = (llhttp->flags & F_CHUNKED) != 0;
    if (head->header_count != parser->guard.fields || head->chunked != chunked ||
        (head->content_length > 0 && llhttp->content_length != (uint64_t)head->content_length))
        return -1;
    return head->has_body ? 0 : 1;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct moot_http1_parser *parser = llhttp->data;
    if (!parser->callbacks.on_body || len == 0)
        return 0;
    int rc = parser->callbacks.on_body(parser->context, moot__view(at, len));
    return is_fine(parser, rc) ? 0 : -1;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct moot_http1_parser *parser = llhttp->data;
    parser->llhttp_complete = true;
    return 0;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- driving both --- */

static void execute(struct moot_http1_parser *parser, const char *data, size_t len)
{
    llhttp_errno_t rc = llhttp_execute(&parser->llhttp, data, len);
    if (rc == HPE_OK || parser->fault.code)
        return;
    /* An upgrade that a request offers is not taken up; a CONNECT ends in the same way. */
    if (rc == HPE_PAUSED_UPGRADE && parser->llhttp_complete)
        return;
    const char *reason = llhttp_get_error_reason(&parser->llhttp);
    fail(parser, MOOT_EPROTO, rc == HPE_INVALID_METHOD ? 501 : 400,
         reason ? reason : "malformed HTTP");
}

/* Ready for the first byte of a head; `informational` and flags stay. */
static void begin_head(struct moot_http1_parser *parser)
{
    llhttp_init(&parser->llhttp, parser->kind == MOOT_HTTP1_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE,
                &settings);
    parser->llhttp.data = parser;
    moot__http1_guard_init(&parser->guard, parser->kind, &parser->limits);
    moot__buf_reset(&parser->bytes);
    parser->head = (struct moot_http1_head){.content_length = -1};
    parser->llhttp_complete = parser->is_complete = parser->start_line_judged = false;
}

static void complete_if_done(struct moot_http1_parser *parser)
{
    assert(!parser->fault.code);
    bool done = parser->guard.state == GUARD_DONE;
    if (done != parser->llhttp_complete) {
        fail(parser, MOOT_EPROTO, 400, "a message whose end is ambiguous");
    } else if (done) {
        parser->is_complete = true;
        if (parser->callbacks.on_complete)
            is_fine(parser, parser->callbacks.on_complete(parser->context));
    }
}

static bool reserve_headers(struct moot_http1_parser *parser)
{
    size_t count = parser->guard.fields;
    if (count > parser->headers_cap) {
        void *headers =
            moot__realloc(parser->allocator, parser->headers, count * sizeof *parser->headers);
        if (!headers) {
            fail(parser, MOOT_ENOMEM, 500, "out of memory");
            return false;
        }
        parser->headers = headers;
        parser->headers_cap = count;
    }
    if (count)
        memset(parser->headers, 0, count * sizeof *parser->headers);
    return true;
}

/* Blanks after a value may be tabs (RFC 9110 5.6.3), which llhttp does not know of after a
 * Content-Length. Tabs inside of a value stay. */
static void blank_last_tabs(struct moot_buf *head)
{
    if (!memchr(head->data, '\t', head->len))
        return;
    bool is_last = false; /* only blanks from here to the CR */
    for (size_t i = head->len; i-- > 0;) {
        if (head->data[i] == '\t' && is_last)
            head->data[i] = ' ';
        is_last = head->data[i] == '\r' || (is_last && head->data[i] == ' ');
    }
}

static void end_head(struct moot_http1_parser *parser)
{
    if (!reserve_headers(parser))
        return;
    blank_last_tabs(&parser->bytes);
    execute(parser, parser->bytes.data, parser->bytes.len);
    if (parser->fault.code)
        return;
    if (parser->kind == MOOT_HTTP1_RESPONSE && parser->head.status < 200) {
        if (++parser->informational > MOOT_LIMIT_HTTP_INFORMATIONAL)
            fail(parser, MOOT_EPROTO, 502, "too many 1xx responses");
        else
            begin_head(parser);
        return;
    }
    moot__http1_guard_begin_body(&parser->guard, &parser->head);
    if (parser->callbacks.on_head &&
        !is_fine(parser, parser->callbacks.on_head(parser->context, &parser->head)))
        return;
    complete_if_done(parser);
}

static size_t feed_head(struct moot_http1_parser *parser, const char *data, size_t len)
{
    size_t skip;
    size_t taken = moot__http1_guard_head(&parser->guard, data, len, &skip);
    int rc = moot__buf_append(&parser->bytes, data + skip, taken - skip);
    if (rc) {
        fail(parser, rc, 500, "out of memory");
        return taken;
    }
    if (!parser->start_line_judged && parser->guard.state == GUARD_FIELD) {
        parser->start_line_judged = true;
        struct moot_view line = {parser->bytes.data, parser->bytes.len - 2};
        moot__http1_guard_start_line(&parser->guard, line);
    }
    if (guard_is_fine(parser) && parser->guard.state == GUARD_HEAD_DONE)
        end_head(parser);
    return taken;
}

static size_t feed_body(struct moot_http1_parser *parser, const char *data, size_t len)
{
    bool drop;
    size_t taken = moot__http1_guard_body(&parser->guard, data, len, &drop);
    /* Good bytes before a bad one are delivered, as they would have been in an earlier read. */
    if (taken && !drop)
        execute(parser, data, taken);
    if (guard_is_fine(parser))
        complete_if_done(parser);
    return taken;
}

int moot__http1_feed(struct moot_http1_parser *parser, const char *data, size_t len,
                     size_t *consumed)
{
    *consumed = 0;
    while (!parser->fault.code && !parser->is_complete && *consumed < len) {
        const char *at = data + *consumed;
        size_t left = len - *consumed;
        *consumed += parser->guard.state < GUARD_HEAD_DONE && !parser->guard.in_trailers
                         ? feed_head(parser, at, left)
                         : feed_body(parser, at, left);
    }
    return parser->fault.code;
}

int moot__http1_finish(struct moot_http1_parser *parser)
{
    if (parser->fault.code || parser->is_complete)
        return parser->fault.code;
    if (parser->guard.state != GUARD_UNTIL_EOF) {
        fail(parser, MOOT_ETRUNCATED, 400, "the connection ended inside of a message");
        return parser->fault.code;
    }
    parser->guard.state = GUARD_DONE;
    if (llhttp_finish(&parser->llhttp) != HPE_OK)
        fail(parser, MOOT_ETRUNCATED, 400, "the connection ended inside of a message");
    else
        complete_if_done(parser);
    return parser->fault.code;
}

/* --- life --- */

struct moot_http1_limits moot__http1_default_limits(enum moot_http1_kind kind)
{
    struct moot_http1_limits response = {
        .head_bytes = MOOT_LIMIT_HTTP_HEAD_BYTES,
        .headers = MOOT_LIMIT_HTTP_HEADERS,
        .target_bytes = MOOT_LIMIT_HTTP_URL_BYTES,
        .body_bytes = MOOT_LIMIT_HTTP_BODY_BYTES,
    };
    struct moot_http1_limits request = {
        .head_bytes = MOOT_LIMIT_HTTP_SERVER_HEAD_BYTES,
        .headers = MOOT_LIMIT_HTTP_SERVER_HEADERS,
        .target_bytes = MOOT_LIMIT_HTTP_URL_BYTES,
        .body_bytes = MOOT_LIMIT_HTTP_SERVER_BODY_BYTES,
    };
    return kind == MOOT_HTTP1_REQUEST ? request : response;
}

struct moot_http1_parser *moot__http1_new(const struct moot_allocator *allocator,
                                          enum moot_http1_kind kind,
                                          const struct moot_http1_limits *limits,
                                          const struct moot_http1_callbacks *callbacks,
                                          void *context)
{
    struct moot_http1_parser *parser = moot__calloc(allocator, 1, sizeof *parser);
    if (!parser)
        return NULL;
    parser->allocator = allocator;
    parser->kind = kind;
    parser->limits = limits ? *limits : moot__http1_default_limits(kind);
    if (callbacks)
        parser->callbacks = *callbacks;
    parser->context = context;
    moot__buf_init(&parser->bytes, allocator, parser->limits.head_bytes);
    moot__http1_reset(parser, 0);
    return parser;
}

void moot__http1_free(struct moot_http1_parser *parser)
{
    if (!parser)
        return;
    moot__buf_deinit(&parser->bytes);
    moot__free(parser->allocator, parser->headers);
    moot__free(parser->allocator, parser);
}

void moot__http1_reset(struct moot_http1_parser *parser, unsigned flags)
{
    parser->flags = flags;
    parser->informational = 0;
    parser->fault = (struct moot_http1_fault){0};
    begin_head(parser);
}

bool moot__http1_is_idle(const struct moot_http1_parser *parser)
{
    return parser->guard.state == GUARD_START && !parser->fault.code && !parser->informational;
}

bool moot__http1_is_complete(const struct moot_http1_parser *parser)
{
    return parser->is_complete && !parser->fault.code;
}

const char *moot__http1_reason(const struct moot_http1_parser *parser)
{
    return parser->fault.code ? parser->fault.reason : NULL;
}

int moot__http1_answer_status(const struct moot_http1_parser *parser)
{
    return parser->fault.code ? parser->fault.status : 0;
}

struct moot_view moot__http1_header(const struct moot_http1_head *head, const char *name)
{
    struct moot_view wanted = moot__view_str(name);
    for (size_t i = 0; i < head->header_count; i++)
        if (moot__view_eq_nocase(head->headers[i].name, wanted))
            return head->headers[i].value;
    return moot__view(NULL, 0);
}
