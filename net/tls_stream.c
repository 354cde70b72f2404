/* A TLS connection as a moot_stream.
 *
 *     owner ── read/write plaintext ── [mbedTLS context] ── bio_recv/bio_send ── lower
 *                                                             in        out
 *
 * Reading: bio_recv refills `in` by one read of up to MOOT_LIMIT_READ_CHUNK_BYTES; the buffer is
 * borrowed from the endpoint and is always empty again when the context says WANT_READ, so an idle
 * connection holds none.
 *
 * Writing: bio_send always takes everything: it writes through, and what the socket refuses waits
 * in `out`. So the context never sees WANT_WRITE, a plaintext write is taken as a whole record or
 * not at all, and nobody has to repeat a write with the same arguments. Nothing more is taken while
 * `out` is not empty, which bounds it to one write.
 *
 * Readiness: bytes may wait inside the context or in `in` with the socket silent; an end or an
 * error is readable for ever. For those a task stands in for the socket. */
#include "tls_stream.h"

#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"

enum {
    RECORD_BYTES = 16 << 10,
    WRITE_BYTES = MOOT_LIMIT_READ_CHUNK_BYTES, /* plaintext taken by one write */
    OUT_BYTES = WRITE_BYTES + (8 << 10),       /* with the framing of its records, and alerts */
    HANDSHAKE_OUT_BYTES = 8 << 10,             /* a worker waits for the loop when it is full */
    TURNS_PER_READ = 16,                       /* messages that are not data */
};

static_assert(OUT_BYTES >= WRITE_BYTES + (WRITE_BYTES / RECORD_BYTES + 2) * 512, "framing");

/* --- the context's side ---------------------------------------------------------------------- */

/* Notes a fatal alert on its way to the context, which does not tell which one it was. In the
 * handshake mbedTLS asks for the header of a record and then for its body. */
static void watch_for_alert(struct moot_tls_stream *tls, const unsigned char *data, size_t len)
{
    enum { TYPE_ALERT = 21, LEVEL_FATAL = 2 };
    if (len == sizeof(tls->header))
        memcpy(tls->header, data, len);
    else if (len == 2 && tls->header[0] == TYPE_ALERT && data[0] == LEVEL_FATAL)
        tls->alert = (unsigned char)(data[1] + 1);
}

ptrdiff_t moot__tls_stream_fill(struct moot_tls_stream *tls)
{
    assert(tls->in_len == 0 && tls->lower);
    if (!tls->in)
        tls->in = moot__tls_buffer_take(tls->endpoint);
    if (!tls->in)
        return MOOT_ENOMEM;
    ptrdiff_t n = moot__stream_read(tls->lower, tls->in, MOOT_LIMIT_READ_CHUNK_BYTES);
    if (n > 0) {
        tls->in_at = 0;
        tls->in_len = (size_t)n;
        tls->drained = n < MOOT_LIMIT_READ_CHUNK_BYTES;
        return n;
    }
    moot__tls_buffer_give(tls->endpoint, tls->in);
    tls->in = NULL;
    return n;
}

static int bio_recv(void *context, unsigned char *data, size_t len)
{
    struct moot_tls_stream *tls = context;
    if (tls->in_len == 0) {
        if (tls->offloaded)
            return MBEDTLS_ERR_SSL_WANT_READ;
        if (tls->drained) {
            tls->drained = false;
            return MBEDTLS_ERR_SSL_WANT_READ;
        }
        ptrdiff_t n = moot__tls_stream_fill(tls);
        if (n == MOOT_EAGAIN)
            return MBEDTLS_ERR_SSL_WANT_READ;
        if (n == 0)
            return 0;
        if (n < 0) {
            tls->error = (int)n;
            return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
        }
    }
    size_t take = len < tls->in_len ? len : tls->in_len;
    memcpy(data, tls->in + tls->in_at, take);
    tls->in_at += take;
    tls->in_len -= take;
    if (tls->offloaded) {
        watch_for_alert(tls, data, take);
    } else if (tls->in_len == 0) {
        moot__tls_buffer_give(tls->endpoint, tls->in);
        tls->in = NULL;
    }
    return (int)take;
}

static int bio_send(void *context, const unsigned char *data, size_t len)
{
    struct moot_tls_stream *tls = context;
    if (tls->offloaded) {
        /* In the worker: only what was reserved, the allocator is the loop's. */
        size_t room = tls->out.cap - tls->out.len;
        size_t take = len < room ? len : room;
        if (take == 0)
            return MBEDTLS_ERR_SSL_WANT_WRITE;
        memcpy(tls->out.data + tls->out.len, data, take);
        tls->out.len += take;
        return (int)take;
    }
    ptrdiff_t sent = MOOT_EAGAIN;
    if (tls->out.len == 0 && !tls->corked)
        sent = moot__stream_write(tls->lower, data, len);
    if (sent < 0 && sent != MOOT_EAGAIN)
        tls->error = (int)sent;
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (!tls->error && done < len)
        tls->error = moot__buf_append(&tls->out, data + done, len - done);
    return tls->error ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)len;
}

int moot__tls_stream_flush(struct moot_tls_stream *tls)
{
    while (tls->out.len > 0) {
        ptrdiff_t n = moot__stream_write(tls->lower, tls->out.data, tls->out.len);
        if (n == MOOT_EAGAIN)
            return MOOT_OK;
        if (n < 0)
            return (int)n;
        moot__buf_consume(&tls->out, (size_t)n);
    }
    moot__buf_deinit(&tls->out); /* of a thousand streams few have something to send */
    return MOOT_OK;
}

int moot__tls_stream_make_room(struct moot_tls_stream *tls)
{
    assert(tls->offloaded);
    return tls->out.cap > tls->out.len ? MOOT_OK
                                       : moot__buf_reserve(&tls->out, HANDSHAKE_OUT_BYTES);
}

/* --- readiness ------------------------------------------------------------------------------- */

static unsigned ready_without_socket(const struct moot_tls_stream *tls)
{
    if (tls->error)
        return MOOT_READABLE | MOOT_WRITABLE;
    bool readable = tls->ended || tls->in_len > 0 || mbedtls_ssl_check_pending(&tls->ssl);
    return readable ? MOOT_READABLE : 0;
}

/* Bring the socket's interest and the task in line with ours. After every change of state. */
static void settle(struct moot_tls_stream *tls)
{
    unsigned interest = 0;
    if (!tls->error) {
        if ((tls->interest & MOOT_READABLE) && !tls->ended)
            interest |= MOOT_READABLE;
        if ((tls->interest & MOOT_WRITABLE) || tls->out.len > 0)
            interest |= MOOT_WRITABLE;
    }
    if (interest != tls->lower_interest) {
        tls->lower_interest = interest;
        moot__stream_want(tls->lower, interest);
    }
    if (tls->interest & ready_without_socket(tls))
        moot__task_post(tls->endpoint->transport, &tls->task);
}

static void on_task(struct moot_task *task)
{
    struct moot_tls_stream *tls = moot__container_of(task, struct moot_tls_stream, task);
    unsigned ready = tls->interest & ready_without_socket(tls);
    if (!ready)
        return;
    moot__task_post(tls->endpoint->transport, &tls->task); /* level-triggered */
    tls->stream.on_ready(&tls->stream, ready);
}

static void on_lower_ready(struct moot_stream *lower, unsigned lower_ready)
{
    struct moot_tls_stream *tls = lower->owner;
    if (lower_ready & MOOT_READABLE)
        tls->drained = false;
    if ((lower_ready & MOOT_WRITABLE) && tls->out.len > 0) {
        int rc = moot__tls_stream_flush(tls);
        if (rc)
            tls->error = rc;
        settle(tls);
        if (rc)
            return; /* the task tells */
    }
    unsigned ready = tls->interest & lower_ready;
    if (tls->out.len > 0)
        ready &= ~(unsigned)MOOT_WRITABLE;
    if (ready)
        tls->stream.on_ready(&tls->stream, ready);
}

/* --- the owner's side ------------------------------------------------------------------------ */

static struct moot_tls_stream *from_stream(struct moot_stream *stream)
{
    return moot__container_of(stream, struct moot_tls_stream, stream);
}

static int fail(struct moot_tls_stream *tls)
{
    if (!tls->error)
        tls->error = MOOT_ETLS;
    return tls->error;
}

/* A TLS 1.3 ticket came: keep the session. Without memory there is none to keep. */
static void keep_ticket(struct moot_tls_stream *tls)
{
    if (!tls->seat.origin)
        return;
    struct moot_tls_session *session = moot__tls_session_new(tls->endpoint->transport->allocator);
    if (!session)
        return;
    if (mbedtls_ssl_get_session(&tls->ssl, &session->session) == 0)
        moot__tls_seat_store(&tls->seat, session);
    else
        moot__tls_session_unref(session);
}

static ptrdiff_t read_some(struct moot_tls_stream *tls, void *data, size_t cap)
{
    for (int turns = 0; turns < TURNS_PER_READ; turns++) {
        int rc = mbedtls_ssl_read(&tls->ssl, data, cap);
        if (rc > 0)
            return rc;
        if (rc == MBEDTLS_ERR_SSL_WANT_READ && mbedtls_ssl_check_pending(&tls->ssl))
            continue; /* 3.6 says so before it takes a ticket that it already has */
        if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE)
            return MOOT_EAGAIN;
        if (rc == 0 || rc == MBEDTLS_ERR_SSL_CONN_EOF || rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
            tls->ended = true;
            tls->ended_cleanly = rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
            return 0;
        }
        if (!moot__compat_is_new_ticket(rc))
            return fail(tls);
        keep_ticket(tls);
    }
    return MOOT_EAGAIN;
}

static ptrdiff_t tls_read(struct moot_stream *stream, void *data, size_t cap)
{
    struct moot_tls_stream *tls = from_stream(stream);
    assert(cap > 0 && !tls->offloaded);
    if (tls->error)
        return tls->error;
    if (tls->ended)
        return 0;
    ptrdiff_t n = read_some(tls, data, cap);
    settle(tls);
    return n;
}

static ptrdiff_t write_records(struct moot_tls_stream *tls, const unsigned char *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        int rc = mbedtls_ssl_write(&tls->ssl, data + done, len - done);
        if (rc > 0)
            done += (size_t)rc;
        else if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE)
            break;
        else if (moot__compat_is_new_ticket(rc))
            keep_ticket(tls);
        else
            return fail(tls);
    }
    return done > 0 ? (ptrdiff_t)done : MOOT_EAGAIN;
}

static ptrdiff_t tls_write(struct moot_stream *stream, const void *data, size_t len)
{
    struct moot_tls_stream *tls = from_stream(stream);
    assert(len > 0 && !tls->offloaded);
    if (tls->error)
        return tls->error;
    int rc = moot__tls_stream_flush(tls);
    if (rc)
        return tls->error = rc;
    if (tls->out.len > 0)
        return MOOT_EAGAIN;
    if (len > WRITE_BYTES)
        len = WRITE_BYTES;
    tls->corked = len > RECORD_BYTES;
    ptrdiff_t n = write_records(tls, data, len);
    if (tls->corked && n >= 0 && (rc = moot__tls_stream_flush(tls)) != MOOT_OK)
        n = tls->error = rc;
    tls->corked = false;
    settle(tls);
    return n;
}

static void tls_want(struct moot_stream *stream, unsigned interest)
{
    struct moot_tls_stream *tls = from_stream(stream);
    tls->interest = interest;
    settle(tls);
}

static bool tls_ended_cleanly(const struct moot_stream *stream)
{
    static_assert(offsetof(struct moot_tls_stream, stream) == 0, "cast from its first member");
    const struct moot_tls_stream *tls = (const void *)stream;
    return tls->ended_cleanly;
}

/* Say goodbye if it can be said at once; it must not overtake ciphertext that still waits. */
static void tls_close(struct moot_stream *stream)
{
    struct moot_tls_stream *tls = from_stream(stream);
    if (!tls->error && moot__tls_stream_flush(tls) == MOOT_OK && tls->out.len == 0)
        moot__ignore(mbedtls_ssl_close_notify(&tls->ssl) != 0);
    struct moot_stream *lower = tls->lower;
    tls->lower = NULL;
    moot__stream_close(lower);
    moot__tls_stream_free(tls);
}

static void tls_abort(struct moot_stream *stream)
{
    moot__tls_stream_free(from_stream(stream));
}

static const struct moot_stream_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .want = tls_want,
    .ended_cleanly = tls_ended_cleanly,
    .close = tls_close,
    .abort = tls_abort,
};

struct moot_tls_stream *moot__tls_stream_new(struct moot_tls_endpoint *endpoint,
                                             struct moot_stream *lower)
{
    const struct moot_allocator *allocator = endpoint->transport->allocator;
    struct moot_tls_stream *tls = moot__calloc(allocator, 1, sizeof(*tls));
    if (!tls)
        return NULL;
    moot__buf_init(&tls->out, allocator, OUT_BYTES);
    tls->stream.ops = &tls_ops;
    tls->endpoint = endpoint;
    endpoint->refs++;
    tls->lower = lower;
    tls->offloaded = true;
    moot__task_init(&tls->task, on_task);
    mbedtls_ssl_init(&tls->ssl);
    mbedtls_ssl_set_bio(&tls->ssl, tls, bio_send, bio_recv, NULL);
    return tls;
}

void moot__tls_stream_open(struct moot_tls_stream *tls)
{
    assert(tls->offloaded && tls->lower);
    tls->offloaded = false;
    tls->drained = false;
    if (tls->in && tls->in_len == 0) {
        moot__tls_buffer_give(tls->endpoint, tls->in);
        tls->in = NULL;
    }
    if (tls->out.len == 0)
        moot__buf_deinit(&tls->out);
    tls->lower->owner = tls;
    tls->lower->on_ready = on_lower_ready;
    tls->lower_interest = 0;
    moot__stream_want(tls->lower, 0);
    settle(tls);
}

void moot__tls_stream_free(struct moot_tls_stream *tls)
{
    struct moot_tls_endpoint *endpoint = tls->endpoint;
    const struct moot_allocator *allocator = endpoint->transport->allocator;
    moot__task_cancel(endpoint->transport, &tls->task);
    if (tls->lower)
        moot__stream_abort(tls->lower);
    moot__tls_seat_leave(&tls->seat, false);
    mbedtls_ssl_free(&tls->ssl);
    if (tls->in)
        moot__tls_buffer_give(endpoint, tls->in);
    moot__buf_deinit(&tls->out);
    moot__free(allocator, tls);
    moot__tls_endpoint_unref(endpoint);
}
