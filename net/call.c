/* A call is a machine of five states:
 *
 *   idle ──► connecting ──► sending ──► head ──► body ──► ended
 *                  └──────────┴──────────┴─────────┴────────▲
 *
 * connecting  a connection is being made; moot__call_on_connected wakes us
 * sending     bytes of the request are left; the socket being writable wakes us
 * head        all is sent and no final response head has come; the socket being readable wakes us
 * body        the head was shown; likewise
 * ended       on_done is posted or has run; nothing touches the call
 *
 * A response may come while the request is still being sent (an early 4xx): reading goes on in
 * every state after connecting. One timer serves all deadlines: it is set to the nearest, and reads
 * only note the time, so that a stream of small reads does not touch the timer heap. */
#include "call.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "http1_write.h"

enum { IDLE, CONNECTING, SENDING, HEAD, BODY, ENDED, STATES };

/* What a usual head needs. A buffer that does not grow leaves no copy of a credential behind. */
enum { REQUEST_HEAD_BYTES = 2048, SPARE_REQUEST_BYTES_MAX = 64 << 10 };

#define FAILS_TO MOOT_SM_TO(ENDED)

static const struct moot_sm_state call_states[STATES] = {
    [IDLE] = {"idle", MOOT_SM_TO(CONNECTING) | FAILS_TO},
    [CONNECTING] = {"connecting", MOOT_SM_TO(SENDING) | MOOT_SM_TO(CONNECTING) | FAILS_TO},
    [SENDING] = {"sending",
                 MOOT_SM_TO(HEAD) | MOOT_SM_TO(BODY) | MOOT_SM_TO(CONNECTING) | FAILS_TO},
    [HEAD] = {"head", MOOT_SM_TO(BODY) | FAILS_TO},
    [BODY] = {"body", FAILS_TO},
    [ENDED] = {"ended", MOOT_SM_TO(IDLE)},
};

static void on_timer(struct moot_timer *timer);
static void on_done_task(struct moot_task *task);

bool moot__call_is_under_way(const struct moot_call *call)
{
    return call->sm.states && call->sm.current != IDLE &&
           (call->sm.current != ENDED || moot__list_is_linked(&call->done_task.node));
}

/* The request's bytes hold the credential, so they are wiped. Nearly every request leaves at once:
 * one buffer, kept by the pool and still in the cache, serves most calls in turn. */
static void release_request(struct moot_call *call)
{
    struct moot_pool *pool = call->pool;
    if (!call->out.data)
        return;
    moot__wipe(call->out.data, call->out.len);
    moot__buf_reset(&call->out);
    if (pool->spare_request.data || call->out.cap > SPARE_REQUEST_BYTES_MAX) {
        moot__buf_deinit(&call->out);
        return;
    }
    pool->spare_request = call->out;
    moot__buf_init(&call->out, call->out.allocator, call->out.max);
}

/* The one way to the end. The first reason given is kept. */
static void end(struct moot_call *call)
{
    if (call->sm.current == ENDED)
        return;
    moot__sm_move(&call->sm, ENDED);
    moot__timer_stop(call->transport, &call->timer);
    call->times.ended_ns = moot__now_ns(call->transport);
    release_request(call);
    moot__task_post(call->transport, &call->done_task);
}

static void drop_connection(struct moot_call *call)
{
    struct moot_connection *connection = call->connection;
    call->connection = NULL;
    if (connection)
        moot__pool_discard(connection);
}

static enum moot_phase phase_of(const struct moot_call *call)
{
    switch (call->sm.current) {
    case CONNECTING:
        return MOOT_PHASE_CONNECT;
    case SENDING:
        return MOOT_PHASE_SEND;
    case HEAD:
        return MOOT_PHASE_FIRST_BYTE;
    case BODY:
        return MOOT_PHASE_BODY;
    default:
        return MOOT_PHASE_NONE;
    }
}

static void fail(struct moot_call *call, int code, const char *why)
{
    struct moot_error_info error; /* `why` may be the present error's message */
    moot__fail(&error, code, phase_of(call), "%s", why ? why : moot_error_text(code));
    call->error = error;
    call->error.http_status = call->status;
    call->error.possible_duplicate = call->sent && call->status == 0;
    drop_connection(call);
    end(call);
}

/* ---- The request's bytes ---- */

static int write_headers(struct moot_buf *out, const struct moot_call_request *request)
{
    int rc =
        moot__http1_write_header(out, MOOT_VIEW("Host"), moot__origin_authority(request->origin));
    for (size_t i = 0; !rc && i < request->header_count; i++)
        rc = moot__http1_write_header(out, request->headers[i].name, request->headers[i].value);
    for (size_t i = 0; !rc && i < request->more_header_count; i++)
        rc = moot__http1_write_header(out, request->more_headers[i].name,
                                      request->more_headers[i].value);
    if (!rc && request->accept_gzip)
        rc = moot__http1_write_header(out, MOOT_VIEW("Accept-Encoding"), MOOT_VIEW("gzip"));
    if (!rc && (request->body.len || moot__view_is(request->method, "POST")))
        rc = moot__http1_write_header_u64(out, MOOT_VIEW("Content-Length"), request->body.len);
    return rc;
}

static int write_request(struct moot_buf *out, const struct moot_call_request *request)
{
    int rc = moot__buf_reserve(out, REQUEST_HEAD_BYTES + request->body.len);
    if (!rc)
        rc = moot__http1_write_request_line(out, request->method, request->target);
    if (!rc)
        rc = write_headers(out, request);
    if (!rc)
        rc = moot__http1_write_end(out);
    if (!rc)
        rc = moot__buf_append_view(out, request->body);
    return rc;
}

/* ---- Deadlines ---- */

static uint64_t from(uint64_t start_ns, uint64_t span_ns)
{
    return span_ns ? moot__ns_add(start_ns, span_ns) : MOOT_NEVER_NS;
}

/* The nearest deadline of the state that the call is in. */
static uint64_t next_deadline(const struct moot_call *call, const char **what)
{
    const struct moot_call_deadlines *d = &call->deadlines;
    uint64_t total = from(call->times.started_ns, d->total_ns), phase = MOOT_NEVER_NS;
    *what = "no answer within the total time allowed";
    if (call->sm.current == CONNECTING) {
        phase = from(call->times.started_ns, d->connect_ns);
        if (phase < total)
            *what = "no connection within the time allowed for connecting";
    } else if (call->paused) {
        return total; /* nobody is listening */
    } else if (call->sm.current == SENDING || call->sm.current == HEAD) {
        uint64_t since = call->times.sent_ns ? call->times.sent_ns : call->times.connected_ns;
        phase = from(since > call->resumed_ns ? since : call->resumed_ns, d->first_byte_ns);
        if (phase < total)
            *what = "no answer began within the time allowed for its first byte";
    } else if (call->sm.current == BODY) {
        phase = from(call->last_read_ns, d->idle_ns);
        if (phase < total)
            *what = "the answer stalled longer than the idle time allowed";
    }
    return phase < total ? phase : total;
}

/* Only ever brings the timer forward; a timer that fires early looks again. */
static void arm_timer(struct moot_call *call)
{
    const char *what;
    uint64_t deadline = next_deadline(call, &what);
    if (deadline == MOOT_NEVER_NS)
        return;
    if (!moot__timer_is_started(&call->timer) || call->timer.deadline_ns > deadline)
        moot__timer_start(call->transport, &call->timer, deadline);
}

static void on_timer(struct moot_timer *timer)
{
    struct moot_call *call = moot__container_of(timer, struct moot_call, timer);
    const char *what;
    if (next_deadline(call, &what) <= moot__now_ns(call->transport))
        fail(call, MOOT_ETIMEDOUT, what);
    else
        arm_timer(call);
}

/* ---- Connecting and sending ---- */

static void want(struct moot_call *call)
{
    unsigned interest = call->paused ? 0 : MOOT_READABLE;
    if (call->sm.current == SENDING && !call->send_error)
        interest |= MOOT_WRITABLE;
    moot__stream_want(call->connection->stream, interest);
}

static int take_connection(struct moot_call *call);

/* An idle connection may have been closed by the peer just before we wrote. When not one byte was
 * taken, the request cannot have been seen, and a new connection is tried once. */
static bool try_again_elsewhere(struct moot_call *call)
{
    if (call->out_sent != 0 || !call->connection->reused || call->tried_elsewhere)
        return false;
    call->tried_elsewhere = true;
    drop_connection(call);
    moot__sm_move(&call->sm, CONNECTING);
    int rc = take_connection(call);
    if (rc)
        fail(call, rc, NULL);
    return true;
}

/* The peer reads no more. It may have said why first: the reads that follow find its answer, or the
 * end. */
static void stop_sending(struct moot_call *call, int error)
{
    call->send_error = error;
    want(call);
}

static void send_some(struct moot_call *call)
{
    while (call->out_sent < call->out.len) {
        ptrdiff_t n = moot__stream_write(call->connection->stream, call->out.data + call->out_sent,
                                         call->out.len - call->out_sent);
        if (n == MOOT_EAGAIN) {
            want(call);
            return;
        }
        if (n < 0) {
            if (!try_again_elsewhere(call))
                stop_sending(call, (int)n);
            return;
        }
        call->out_sent += (size_t)n;
        call->sent = true;
    }
    release_request(call);
    call->times.sent_ns = moot__now_ns(call->transport);
    moot__sm_move(&call->sm, HEAD);
    want(call);
    arm_timer(call);
}

static void begin_sending(struct moot_call *call)
{
    struct moot_connection *connection = call->connection;
    call->times.connected_ns = moot__now_ns(call->transport);
    call->times.reused = connection->reused;
    if (!connection->reused) {
        call->times.resolve_ns = connection->resolve_ns;
        call->times.connect_ns = connection->connect_ns;
        call->times.tls_ns = connection->tls_ns;
        call->times.resumed = connection->resumed;
    }
    moot__sm_move(&call->sm, SENDING);
    arm_timer(call);
    send_some(call);
}

void moot__call_on_connected(struct moot_call *call, int status, enum moot_phase phase,
                             const char *detail)
{
    assert(call->sm.current == CONNECTING);
    if (status) {
        call->connection = NULL; /* the pool has closed it */
        moot__fail(&call->error, status, phase, "%s",
                   detail && detail[0] ? detail : moot_error_text(status));
        end(call);
        return;
    }
    begin_sending(call);
}

static int take_connection(struct moot_call *call)
{
    int rc = moot__pool_take(call->origin, call, &call->connection);
    if (rc)
        return rc;
    if (call->connection->reused)
        begin_sending(call);
    else
        arm_timer(call);
    return MOOT_OK;
}

/* ---- Receiving ---- */

static int on_head(void *context, const struct moot_http1_head *head)
{
    struct moot_call *call = ((struct moot_connection *)context)->call;
    if (!call)
        return MOOT_ECANCELED;
    call->status = head->status;
    call->connection->keep_alive = head->keep_alive;
    call->connection->eof_delimited = head->eof_delimited;
    struct moot_view encoding = moot__http1_header(head, "content-encoding");
    if (head->has_body && encoding.len && !moot__view_eq_nocase(encoding, MOOT_VIEW("identity"))) {
        if (!call->accept_gzip || !moot__view_eq_nocase(encoding, MOOT_VIEW("gzip")))
            return MOOT_EENCODING;
        call->inflate =
            moot__inflate_new(call->transport->allocator, MOOT_ENCODING_GZIP, call->body_bytes_max);
        if (!call->inflate)
            return MOOT_ENOMEM;
    }
    bool is_early = call->sm.current == SENDING;
    moot__sm_move(&call->sm, BODY);
    if (is_early) {
        call->connection->keep_alive = false; /* the rest is never sent */
        want(call);
    }
    arm_timer(call);
    return call->on_head ? call->on_head(call, head) : 0;
}

static int deliver(void *context, struct moot_view data)
{
    struct moot_call *call = context;
    if (call->sm.current != BODY)
        return MOOT_ECANCELED;
    if (data.len > call->body_bytes_max - call->body_bytes)
        return MOOT_ELIMIT;
    call->body_bytes += data.len;
    return call->on_body ? call->on_body(call, data) : 0;
}

static int on_body(void *context, struct moot_view data)
{
    struct moot_call *call = ((struct moot_connection *)context)->call;
    if (!call)
        return MOOT_ECANCELED;
    return call->inflate ? moot__inflate_feed(call->inflate, data, deliver, call)
                         : deliver(call, data);
}

static int on_complete(void *context)
{
    struct moot_call *call = ((struct moot_connection *)context)->call;
    if (!call)
        return MOOT_ECANCELED;
    return call->inflate ? moot__inflate_finish(call->inflate) : 0;
}

const struct moot_http1_callbacks moot__call_http1_callbacks = {on_head, on_body, on_complete};

/* The connection is kept until the owner has looked at the answer. */
static void complete(struct moot_call *call, bool reusable)
{
    if (reusable && call->connection->keep_alive)
        moot__stream_want(call->connection->stream, 0);
    else
        drop_connection(call);
    end(call);
}

static void let_go(struct moot_call *call)
{
    struct moot_connection *connection = call->connection;
    call->connection = NULL;
    if (!call->is_sound || call->is_sound(call))
        moot__pool_give_back(connection);
    else
        moot__pool_discard(connection);
}

static void on_end_of_stream(struct moot_call *call)
{
    struct moot_connection *connection = call->connection;
    int rc = moot__http1_finish(connection->parser);
    if (call->connection != connection)
        return; /* a callback ended the call */
    bool believable = connection->stream->ops->ended_cleanly(connection->stream);
    if (rc == MOOT_OK && (believable || !connection->eof_delimited))
        complete(call, false);
    else if (call->status == 0)
        fail(call, MOOT_ERESET, "the connection was closed before any answer");
    else
        fail(call, rc == MOOT_OK ? MOOT_ETRUNCATED : rc,
             "the connection was closed before the answer was complete");
}

static const char *reason_of(const struct moot_call *call, int rc)
{
    const char *reason = moot__http1_reason(call->connection->parser);
    if (call->reject_code == rc && call->error.message[0])
        return call->error.message;
    return reason && (rc == MOOT_EPROTO || rc == MOOT_ELIMIT) ? reason : moot_error_text(rc);
}

static void parse(struct moot_call *call, const char *data, size_t len)
{
    struct moot_connection *connection = call->connection;
    size_t consumed = 0;
    connection->reading = true;
    int rc = moot__http1_feed(connection->parser, data, len, &consumed);
    connection->reading = false;
    if (connection->doomed) {
        moot__pool_discard(connection); /* cancelled from inside a callback */
        return;
    }
    if (rc) {
        char reason[sizeof call->error.message]; /* it may be in the error that is filled in */
        moot__view_copy(moot__view_str(reason_of(call, rc)), reason, sizeof reason);
        fail(call, rc, reason);
    } else if (moot__http1_is_complete(connection->parser))
        complete(call, consumed == len && !call->out.data);
}

/* One read a turn: a flood on one connection does not starve the others. */
static void read_some(struct moot_call *call)
{
    struct moot_connection *connection = call->connection;
    ptrdiff_t n =
        moot__stream_read(connection->stream, call->pool->scratch, call->pool->read_bytes_max);
    if (n == MOOT_EAGAIN)
        return;
    uint64_t now = moot__now_ns(call->transport);
    call->last_read_ns = now;
    if (n <= 0 && call->send_error && call->status == 0) {
        fail(call, call->send_error, "the connection broke while the request was being sent");
        return;
    }
    if (n < 0) {
        fail(call, (int)n, "the connection broke before the answer was complete");
        return;
    }
    if (n == 0) {
        on_end_of_stream(call);
        return;
    }
    if (!call->times.first_byte_ns)
        call->times.first_byte_ns = now;
    parse(call, call->pool->scratch, (size_t)n);
}

void moot__call_on_ready(struct moot_call *call, unsigned ready)
{
    if (ready & MOOT_WRITABLE && call->sm.current == SENDING && !call->send_error)
        send_some(call);
    bool connected =
        call->sm.current == SENDING || call->sm.current == HEAD || call->sm.current == BODY;
    if (ready & MOOT_READABLE && connected && !call->paused)
        read_some(call);
}

/* ---- The owner's side ---- */

static void on_done_task(struct moot_task *task)
{
    struct moot_call *call = moot__container_of(task, struct moot_call, done_task);
    assert(call->sm.current == ENDED);
    if (call->connection)
        let_go(call);
    moot__sm_move(&call->sm, IDLE);
    moot__inflate_free(call->inflate); /* not earlier: it may have been below us on the stack */
    call->inflate = NULL;
    call->on_done(call); /* the owner may have freed or restarted it: touch nothing */
}

static void prepare(struct moot_call *call, struct moot_pool *pool,
                    const struct moot_call_request *request)
{
    moot__sm_init(&call->sm, call_states, STATES, IDLE);
    call->transport = pool->transport;
    call->pool = pool;
    call->origin = request->origin;
    call->connection = NULL;
    moot__error_clear(&call->error);
    call->status = 0;
    call->reject_code = call->send_error = 0;
    call->sent = call->paused = call->tried_elsewhere = false;
    call->inflate = NULL;
    call->accept_gzip = request->accept_gzip;
    call->times = (struct moot_call_times){.started_ns = moot__now_ns(pool->transport)};
    call->out_sent = 0;
    call->deadlines = request->deadlines;
    call->last_read_ns = call->resumed_ns = 0;
    call->body_bytes = 0;
    call->body_bytes_max =
        request->body_bytes_max ? request->body_bytes_max : MOOT_LIMIT_HTTP_BODY_BYTES;
    call->timer = (struct moot_timer){.on_fire = on_timer};
    moot__task_init(&call->done_task, on_done_task);
    call->out = pool->spare_request;
    pool->spare_request.data = NULL;
    if (!call->out.data)
        moot__buf_init(&call->out, pool->transport->allocator,
                       MOOT_LIMIT_CALL_REQUEST_BYTES + MOOT_LIMIT_HTTP_HEAD_BYTES);
}

int moot__call_start(struct moot_call *call, struct moot_pool *pool,
                     const struct moot_call_request *request)
{
    assert(!moot__call_is_under_way(call));
    if (request->body.len > MOOT_LIMIT_CALL_REQUEST_BYTES)
        return MOOT_ELIMIT;
    prepare(call, pool, request);
    int rc = write_request(&call->out, request);
    if (!rc) {
        moot__sm_move(&call->sm, CONNECTING);
        rc = take_connection(call);
    }
    if (rc) {
        release_request(call);
        moot__timer_stop(call->transport, &call->timer);
        moot__sm_init(&call->sm, call_states, STATES, IDLE);
    }
    return rc;
}

void moot__call_reject(struct moot_call *call, int code, const char *message)
{
    call->reject_code = code;
    moot__view_copy(moot__view_str(message), call->error.message, sizeof call->error.message);
}

void moot__call_drain(struct moot_call *call, uint64_t span_ns)
{
    uint64_t elapsed_ns = moot__now_ns(call->transport) - call->times.started_ns;
    uint64_t total_ns = moot__ns_add(elapsed_ns, span_ns);
    if (call->deadlines.total_ns == 0 || total_ns < call->deadlines.total_ns)
        call->deadlines.total_ns = total_ns;
    if (call->sm.current != ENDED)
        arm_timer(call);
}

void moot__call_cancel(struct moot_call *call)
{
    if (!moot__call_is_under_way(call) || call->sm.current == ENDED)
        return;
    fail(call, MOOT_ECANCELED, NULL);
}

void moot__call_pause(struct moot_call *call)
{
    if (call->paused || !moot__call_is_under_way(call))
        return;
    call->paused = true;
    if (call->connection && call->sm.current != CONNECTING && call->sm.current != ENDED)
        want(call);
}

void moot__call_resume(struct moot_call *call)
{
    if (!call->paused)
        return;
    call->paused = false;
    if (!moot__call_is_under_way(call))
        return;
    call->last_read_ns = call->resumed_ns = moot__now_ns(call->transport);
    if (call->connection && call->sm.current != CONNECTING && call->sm.current != ENDED) {
        want(call);
        arm_timer(call);
    }
}
