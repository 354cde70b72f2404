#include "attempt.h"

#include <stdio.h>
#include <string.h>

#include "authorization.h"
#include "engine/base/check.h"
#include "engine/base/err.h"

/* After the stream's end marker the last chunk should follow at once; a server that holds the
 * connection open beyond this loses it, and the answer stands. */
#define DRAIN_NS (UINT64_C(100) * MOOT_NS_PER_MS)

enum { BELIEVED_BODY_BYTES = 64 << 10 };

static struct moot_attempt *attempt_of(struct moot_call *call)
{
    return moot__container_of(call, struct moot_attempt, call);
}

/* ---- The head ---- */

static void keep(const struct moot_http1_head *head, const char *name, char out[MOOT_HINT_BYTES])
{
    moot__view_copy(moot__http1_header(head, name), out, MOOT_HINT_BYTES);
}

static bool has_media_type(struct moot_view content_type, const char *type)
{
    struct moot_view name =
        moot__view_trim(moot__view(content_type.ptr, moot__view_find(content_type, ';', 0)));
    return moot__view_eq_nocase(name, moot__view_str(type));
}

static int choose_mode(struct moot_attempt *attempt, const struct moot_http1_head *head)
{
    struct moot_view type = moot__http1_header(head, "content-type");
    char message[160];
    if (head->status >= 300 && head->status < 400) {
        snprintf(message, sizeof message,
                 "the provider answered with a redirect (status %d), which is never followed: "
                 "check base_url",
                 head->status);
        moot__call_reject(&attempt->call, MOOT_EREDIRECT, message);
        return MOOT_EREDIRECT;
    }
    if (head->status >= 300)
        attempt->mode = MOOT_ATTEMPT_ERROR;
    else if (type.len == 0 && attempt->asked_for_stream)
        attempt->mode = MOOT_ATTEMPT_UNTYPED;
    else if (has_media_type(type, "text/event-stream"))
        attempt->mode = MOOT_ATTEMPT_STREAM;
    else if (has_media_type(type, "application/vnd.amazon.eventstream"))
        attempt->mode = MOOT_ATTEMPT_FRAMES;
    else if (has_media_type(type, "text/html")) {
        moot__call_reject(&attempt->call, MOOT_ECONTENT,
                          "the answer is a web page, not JSON: check base_url, and whether a proxy "
                          "or portal answers in the provider's place");
        return MOOT_ECONTENT;
    } else
        attempt->mode = MOOT_ATTEMPT_WHOLE;
    return MOOT_OK;
}

/* The dates in a head are the provider's, and so should be the time that they are compared with:
 * clocks differ, and ours may be set at any moment. */
static int64_t wall_s_of(const struct moot_attempt *attempt, const struct moot_http1_head *head)
{
    int64_t told_s;
    if (moot__retry_parse_date(moot__http1_header(head, "date"), &told_s))
        return told_s;
    return (int64_t)(moot__wall_ns(attempt->call.transport) / MOOT_NS_PER_S);
}

/* Room for the whole body at once, as far as its announced length is believed. */
static int reserve_body(struct moot_attempt *attempt, const struct moot_http1_head *head)
{
    if (head->content_length <= 0 || head->content_length > BELIEVED_BODY_BYTES)
        return MOOT_OK;
    return moot__buf_reserve(&attempt->body, (size_t)head->content_length);
}

static int on_head(struct moot_call *call, const struct moot_http1_head *head)
{
    struct moot_attempt *attempt = attempt_of(call);
    keep(head, "retry-after", attempt->retry_after);
    keep(head, "retry-after-ms", attempt->retry_after_ms);
    keep(head, "x-ms-retry-after-ms", attempt->x_ms_retry_after_ms);
    keep(head, "x-should-retry", attempt->x_should_retry);
    keep(head, "x-amzn-errortype", attempt->error_type);
    attempt->wall_s = wall_s_of(attempt, head);
    for (size_t i = 0; i < head->header_count; i++)
        moot__rate_header(&attempt->rates, head->headers[i].name, head->headers[i].value,
                          attempt->wall_s);
    int rc = choose_mode(attempt, head);
    return rc ? rc : reserve_body(attempt, head);
}

/* ---- The body ---- */

static void show(struct moot_attempt *attempt, struct moot_view text)
{
    if (text.len == 0)
        return;
    if (!attempt->first_token_ns)
        attempt->first_token_ns = moot__now_ns(attempt->call.transport);
    if (attempt->on_text)
        attempt->on_text(attempt, text);
}

static int take_event(struct moot_attempt *attempt, const struct moot_stream_event *said)
{
    if (moot__reply_stream_is_done(&attempt->stream))
        return MOOT_OK;
    struct moot_view delta;
    int rc = moot__reply_stream_event(&attempt->stream, said, &delta);
    if (rc)
        return rc;
    show(attempt, delta);
    if (attempt->call.error.code == MOOT_ECANCELED)
        return MOOT_ECANCELED; /* the owner cancelled while being shown the text */
    if (moot__reply_stream_is_done(&attempt->stream))
        moot__call_drain(&attempt->call, DRAIN_NS);
    return MOOT_OK;
}

static int on_sse_event(void *context, const struct moot_sse_event *event)
{
    const struct moot_stream_event said = {
        .kind = event->kind == MOOT_SSE_EVENT ? MOOT_STREAM_DATA : MOOT_STREAM_STRAY,
        .name = event->name,
        .data = event->data,
    };
    return take_event(context, &said);
}

static int on_frame(void *context, const struct moot_eventstream_event *event)
{
    const struct moot_stream_event said = {
        .kind = event->kind == MOOT_EVENTSTREAM_EVENT ? MOOT_STREAM_DATA : MOOT_STREAM_EXCEPTION,
        .name = event->name,
        .data = event->payload,
    };
    return take_event(context, &said);
}

/* Of an error's body only the beginning is wanted. */
static int keep_body(struct moot_attempt *attempt, struct moot_view data)
{
    if (attempt->mode == MOOT_ATTEMPT_ERROR) {
        size_t room = attempt->body.len < MOOT_LIMIT_HTTP_ERROR_BODY_BYTES
                          ? MOOT_LIMIT_HTTP_ERROR_BODY_BYTES - attempt->body.len
                          : 0;
        if (data.len > room)
            data.len = room;
    }
    return moot__buf_append_view(&attempt->body, data);
}

static int on_body(struct moot_call *call, struct moot_view data)
{
    struct moot_attempt *attempt = attempt_of(call);
    if (attempt->mode == MOOT_ATTEMPT_UNTYPED) /* no field of an event stream begins like JSON */
        attempt->mode = data.ptr[0] == '{' ? MOOT_ATTEMPT_WHOLE : MOOT_ATTEMPT_STREAM;
    if (attempt->mode == MOOT_ATTEMPT_STREAM)
        return moot__sse_feed(&attempt->sse, data, on_sse_event, attempt);
    if (attempt->mode == MOOT_ATTEMPT_FRAMES)
        return moot__eventstream_feed(&attempt->frames, data, on_frame, attempt);
    return keep_body(attempt, data);
}

/* ---- The end ---- */

static bool is_streamed(const struct moot_attempt *attempt)
{
    return attempt->mode == MOOT_ATTEMPT_STREAM || attempt->mode == MOOT_ATTEMPT_FRAMES;
}

static void finish_stream(struct moot_attempt *attempt)
{
    struct moot_sse_event pending; /* half an event is no event, nor half a frame */
    struct moot_view delta = {NULL, 0};
    if (attempt->mode == MOOT_ATTEMPT_STREAM)
        moot__ignore(moot__sse_finish(&attempt->sse, &pending));
    int rc = moot__reply_stream_finish(&attempt->stream, &delta);
    if (rc == MOOT_OK)
        show(attempt, delta);
    else
        attempt->error = attempt->stream.error;
}

static void understand(struct moot_attempt *attempt)
{
    struct moot_view body = moot__buf_view(&attempt->body);
    const struct moot_refusal refusal = {.status = (unsigned)attempt->call.status,
                                         .body = body,
                                         .type = moot__view_str(attempt->error_type)};
    int rc;
    attempt->is_understood = true;
    switch (attempt->mode) {
    case MOOT_ATTEMPT_STREAM:
    case MOOT_ATTEMPT_FRAMES:
        finish_stream(attempt);
        break;
    case MOOT_ATTEMPT_WHOLE:
    case MOOT_ATTEMPT_UNTYPED: /* and without a body */
        rc = attempt->dialect->read_reply(body, attempt->reply, &attempt->error);
        assert(rc == attempt->error.code || rc == 0);
        moot__ignore(rc);
        break;
    case MOOT_ATTEMPT_ERROR:
        rc = attempt->dialect->read_error(&refusal, attempt->body.allocator, &attempt->error);
        assert(rc != 0);
        moot__ignore(rc);
        break;
    case MOOT_ATTEMPT_NO_HEAD:
        moot__unreachable();
    }
    if (attempt->error.code && attempt->error.phase == MOOT_PHASE_NONE)
        attempt->error.phase = MOOT_PHASE_BODY;
    if (attempt->error.code && !attempt->error.http_status)
        attempt->error.http_status = attempt->call.status;
}

static void release(struct moot_attempt *attempt)
{
    moot__access_deinit(&attempt->access);
    moot__sse_deinit(&attempt->sse);
    moot__eventstream_deinit(&attempt->frames);
    moot__reply_stream_deinit(&attempt->stream);
    moot__buf_deinit(&attempt->body);
}

/* An error that the dialect found in the stream knows more than the call that it ended. */
static void take_call_error(struct moot_attempt *attempt)
{
    const struct moot_call *call = &attempt->call;
    attempt->error = call->error;
    bool told = is_streamed(attempt) && attempt->stream.failed &&
                attempt->stream.error.code == call->error.code;
    if (told)
        attempt->error = attempt->stream.error;
}

/* Providers, and the gateways in front of them, quote what they were sent. */
static void mask_credential(struct moot_attempt *attempt)
{
    struct moot_error_info *error = &attempt->error;
    moot__access_mask(&attempt->access, error->message, sizeof error->message);
    moot__access_mask(&attempt->access, error->provider_code, sizeof error->provider_code);
}

/* Whatever happens to the connection afterwards: of a refusal the status says enough. */
static bool has_said_all(const struct moot_attempt *attempt)
{
    return attempt->mode == MOOT_ATTEMPT_ERROR ||
           (is_streamed(attempt) && moot__reply_stream_is_done(&attempt->stream));
}

/* A refusal is an answer like another, but for the one that servers send unasked: to a connection
 * on which they waited too long. */
static bool is_sound(struct moot_call *call)
{
    struct moot_attempt *attempt = attempt_of(call);
    understand(attempt);
    return attempt->error.code == MOOT_OK || (call->status >= 300 && call->status != 408);
}

static void on_call_done(struct moot_call *call)
{
    struct moot_attempt *attempt = attempt_of(call);
    attempt->reach = call->status >= 300 ? MOOT_REACH_ANSWERED
                     : call->sent        ? MOOT_REACH_SENT
                                         : MOOT_REACH_NOT_SENT;
    bool is_whole = call->error.code == MOOT_OK ||
                    (has_said_all(attempt) && call->error.code != MOOT_ECANCELED);
    if (!is_whole) {
        take_call_error(attempt);
        moot__reply_settle(attempt->reply); /* half a character stays half */
    } else if (!attempt->is_understood) {
        understand(attempt);
    }
    if (attempt->error.code)
        mask_credential(attempt);
    release(attempt);
    attempt->on_done(attempt); /* the owner may restart or free it: touch nothing */
}

static void prepare(struct moot_attempt *attempt, const struct moot_attempt_request *request)
{
    const struct moot_allocator *allocator = request->pool->transport->allocator;
    moot__error_clear(&attempt->error);
    attempt->reach = MOOT_REACH_NOT_SENT;
    attempt->first_token_ns = 0;
    attempt->retry_after[0] = attempt->retry_after_ms[0] = '\0';
    attempt->x_ms_retry_after_ms[0] = attempt->x_should_retry[0] = '\0';
    attempt->error_type[0] = '\0';
    attempt->rates.said = 0;
    attempt->dialect = request->dialect;
    attempt->access = moot__access_ref(&request->access);
    attempt->mode = MOOT_ATTEMPT_NO_HEAD;
    attempt->wall_s = 0;
    attempt->asked_for_stream = request->stream;
    attempt->is_understood = false;
    attempt->call.on_head = on_head;
    attempt->call.on_body = on_body;
    attempt->call.on_done = on_call_done;
    attempt->call.is_sound = is_sound;
    moot__sse_init(&attempt->sse, allocator);
    moot__eventstream_init(&attempt->frames, allocator);
    moot__reply_stream_init(&attempt->stream, request->dialect, attempt->reply);
    moot__buf_init(&attempt->body, allocator, MOOT_LIMIT_HTTP_BODY_BYTES);
}

static bool has_header(const struct moot_attempt_request *request, struct moot_view name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (moot__view_eq_nocase(request->headers[i].name, name))
            return true;
    return false;
}

static struct moot_view accepted(const struct moot_attempt_request *request)
{
    if (!request->stream)
        return MOOT_VIEW("application/json");
    if (request->dialect->accept_stream)
        return moot__view_str(request->dialect->accept_stream);
    return MOOT_VIEW("text/event-stream, application/json");
}

/* Ours; those that the configuration writes too are left to it. The credential is the last, so that
 * it can be left out. */
static int start_call(struct moot_attempt *attempt, const struct moot_attempt_request *request)
{
    const struct moot_dialect *dialect = request->dialect;
    struct moot_view version = {NULL, 0};
    struct moot_authorization authorization;
    if (dialect->version_header)
        version = moot__dialect_version(dialect, request->version);
    int rc = moot__authorize(&authorization, request);
    if (rc)
        return rc;
    const struct moot_http1_header ours[] = {
        {MOOT_VIEW("Content-Type"), MOOT_VIEW("application/json")},
        {MOOT_VIEW("Accept"), accepted(request)},
        {MOOT_VIEW("User-Agent"), MOOT_VIEW("moot/" MOOT_VERSION_STRING)},
        {moot__view_str(dialect->version_header), version},
    };
    struct moot_http1_header headers[moot__countof(ours) + MOOT_AUTHORIZATION_HEADERS];
    size_t count = 0;
    for (size_t i = 0; i < moot__countof(ours); i++)
        if (ours[i].value.len && !has_header(request, ours[i].name))
            headers[count++] = ours[i];
    for (size_t i = 0; i < authorization.count; i++)
        headers[count++] = authorization.headers[i];
    struct moot_call_request http = {
        .origin = request->origin,
        .method = MOOT_VIEW("POST"),
        .target = request->target,
        .headers = headers,
        .header_count = count,
        .more_headers = request->headers,
        .more_header_count = request->header_count,
        .body = request->body,
        .accept_gzip = !request->stream,
        .deadlines = request->deadlines,
    };
    rc = moot__call_start(&attempt->call, request->pool, &http);
    moot__authorization_deinit(&authorization);
    return rc;
}

int moot__attempt_start(struct moot_attempt *attempt, const struct moot_attempt_request *request)
{
    prepare(attempt, request);
    int rc = start_call(attempt, request);
    if (rc)
        release(attempt);
    return rc;
}

void moot__attempt_cancel(struct moot_attempt *attempt)
{
    moot__call_cancel(&attempt->call);
}

struct moot_retry_headers moot__attempt_hints(const struct moot_attempt *attempt)
{
    return (struct moot_retry_headers){
        .retry_after = moot__view_str(attempt->retry_after),
        .retry_after_ms = moot__view_str(attempt->retry_after_ms),
        .x_ms_retry_after_ms = moot__view_str(attempt->x_ms_retry_after_ms),
        .x_should_retry = moot__view_str(attempt->x_should_retry),
    };
}
