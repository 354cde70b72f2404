/* One handshake, client's or server's.
 *
 *     session ──► slot ──► work   ──► done
 *                  ▲        │          (and from each of them)
 *                  └─ flow ◄┘
 *
 *     session  waits for another connection's session at the same origin   woken by: on_seat
 *     slot     could compute; queues at the gate                           woken by: on_turn
 *     work     a worker has the context; the loop touches only the socket  woken by: on_worked
 *     flow     the peer's turn, or our bytes do not go out                 woken by: on_lower_ready
 *     done     the result was given; only memory is left
 *
 * Ciphertext is read from the socket only when a worker's place is free, so that a burst of
 * handshakes holds few buffers. The worker allocates nothing of ours: what it needs was made
 * before. Cancelled while in work, the socket goes at once and the rest when the worker is done. */
#include <stdio.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/sm.h"
#include "tls_stream.h"
#include "tls_trust.h"
#include "tls_verify.h"

enum { HS_SESSION, HS_SLOT, HS_WORK, HS_FLOW, HS_DONE, HS_COUNT };

static const struct moot_sm_state states[HS_COUNT] = {
    [HS_SESSION] = {"session", MOOT_SM_TO(HS_SLOT) | MOOT_SM_TO(HS_DONE)},
    [HS_SLOT] = {"slot", MOOT_SM_TO(HS_WORK) | MOOT_SM_TO(HS_FLOW) | MOOT_SM_TO(HS_DONE)},
    [HS_WORK] = {"work", MOOT_SM_TO(HS_FLOW)},
    [HS_FLOW] = {"flow", MOOT_SM_TO(HS_SLOT) | MOOT_SM_TO(HS_DONE)},
    [HS_DONE] = {"done", 0},
};

struct handshake {
    struct moot_tls_handshake *op; /* NULL: cancelled, nobody waits for the result */
    struct moot_tls_endpoint *endpoint;
    struct moot_tls_stream *tls; /* owns the context, the buffers and the socket */
    struct moot_sm sm;
    struct moot_tls_turn turn;
    struct moot_tls_seat seat;
    struct moot_timer deadline;
    struct moot_work work;
    uint64_t started_ns;
    bool is_client;
    bool needs_input; /* the context wants bytes before it can go on */

    /* The worker's while in work. */
    bool begun;
    int rc;
    struct moot_tls_session *offered; /* to resume with, or NULL */
    struct moot_tls_session *fresh;   /* empty until a full TLS 1.2 handshake fills it, or NULL */
    bool has_fresh;
    struct moot_tls_verify verify;
};

/* --- in the worker --------------------------------------------------------------------------- */

static int begin(struct handshake *hs)
{
    mbedtls_ssl_context *ssl = &hs->tls->ssl;
    int rc = mbedtls_ssl_setup(ssl, &hs->endpoint->config);
    if (rc || !hs->is_client)
        return rc;
    /* An address goes by our own check, and is never sent as SNI (RFC 6066). */
    rc = mbedtls_ssl_set_hostname(ssl, hs->verify.is_ip ? NULL : hs->verify.host);
    if (rc)
        return rc;
    mbedtls_ssl_set_verify(ssl, moot__tls_verify_certificate, &hs->verify);
    if (hs->offered && mbedtls_ssl_set_session(ssl, &hs->offered->session) != 0) {
        /* Cannot be resumed with: as if there were none. */
        return 0;
    }
    return 0;
}

static int step(struct handshake *hs)
{
    mbedtls_ssl_context *ssl = &hs->tls->ssl;
#if MOOT_MBEDTLS_2
    while (ssl->state != MBEDTLS_SSL_HANDSHAKE_OVER) {
        bool verifies = hs->is_client && ssl->state == MBEDTLS_SSL_SERVER_CERTIFICATE;
        if (verifies)
            pthread_mutex_lock(&hs->endpoint->trust->verify_lock);
        int rc = mbedtls_ssl_handshake_step(ssl);
        if (verifies)
            pthread_mutex_unlock(&hs->endpoint->trust->verify_lock);
        if (rc)
            return rc;
    }
    return 0;
#else
    return mbedtls_ssl_handshake(ssl);
#endif
}

static void run(struct moot_work *work)
{
    struct handshake *hs = moot__container_of(work, struct handshake, work);
    hs->rc = hs->begun ? 0 : begin(hs);
    hs->begun = true;
    if (hs->rc == 0)
        hs->rc = step(hs);
    if (hs->rc == 0 && hs->fresh && hs->verify.called && !moot__compat_is_1_3(&hs->tls->ssl))
        hs->has_fresh = mbedtls_ssl_get_session(&hs->tls->ssl, &hs->fresh->session) == 0;
}

/* --- the end --------------------------------------------------------------------------------- */

static void destroy(struct handshake *hs)
{
    struct moot_tls_endpoint *endpoint = hs->endpoint;
    moot__timer_stop(endpoint->transport, &hs->deadline);
    moot__list_remove(&hs->turn.node);
    moot__tls_seat_leave(&hs->seat, false);
    moot__tls_session_unref(hs->offered);
    moot__tls_session_unref(hs->fresh);
    if (hs->tls)
        moot__tls_stream_free(hs->tls);
    moot__free(endpoint->transport->allocator, hs);
    moot__tls_endpoint_unref(endpoint);
}

/* Detach from the owner, who is told by the caller, or wanted it. */
static struct moot_tls_handshake *detach(struct handshake *hs)
{
    struct moot_tls_handshake *op = hs->op;
    hs->op = NULL;
    op->internal = NULL;
    moot__timer_stop(hs->endpoint->transport, &hs->deadline);
    moot__transport_let_go(hs->endpoint->transport);
    return op;
}

/* Let go of the socket now, and of the rest now or when the worker is done with it. */
static void let_go(struct handshake *hs, void (*end)(struct moot_stream *))
{
    struct moot_stream *lower = hs->tls->lower;
    hs->tls->lower = NULL;
    end(lower);
    if (hs->sm.current == HS_WORK)
        return;
    moot__sm_move(&hs->sm, HS_DONE);
    destroy(hs);
}

static void fail(struct handshake *hs, int status, const char *detail)
{
    assert(status < 0);
    struct moot_transport *transport = hs->endpoint->transport;
    struct moot_tls_handshake *op = detach(hs);
    op->status = status;
    op->stream = NULL;
    op->handshake_ns = moot__clock_ns(transport) - hs->started_ns;
    moot__view_copy(moot__view_str(detail), op->detail, sizeof(op->detail));
    moot__tls_seat_leave(&hs->seat, true);
    let_go(hs, moot__stream_close); /* a reset could overtake our alert */
    op->on_done(op);
}

static void keep_session(struct handshake *hs, struct moot_tls_stream *tls)
{
    if (!hs->seat.origin)
        return;
    if (hs->has_fresh) {
        moot__tls_seat_store(&hs->seat, hs->fresh);
        hs->fresh = NULL;
    } else if (hs->op->resumed) {
        moot__tls_seat_prove(&hs->seat);
    }
    if (moot__compat_is_1_3(&tls->ssl)) {
        moot__tls_seat_move(&hs->seat, &tls->seat);
        moot__tls_seat_expect(&tls->seat);
    } else {
        moot__tls_seat_leave(&hs->seat, true);
    }
}

static void succeed(struct handshake *hs)
{
    struct moot_tls_stream *tls = hs->tls;
    uint32_t flags = hs->is_client ? mbedtls_ssl_get_verify_result(&tls->ssl) : 0;
    if (flags) {
        char text[128];
        snprintf(text, sizeof(text), "the server's certificate %s", moot__tls_verify_text(flags));
        fail(hs, MOOT_ECERT, hs->verify.refusal[0] ? hs->verify.refusal : text);
        return;
    }
    struct moot_tls_handshake *op = hs->op;
    op->resumed = hs->is_client && hs->offered && !hs->verify.called;
    op->version = moot__compat_is_1_3(&tls->ssl) ? "TLSv1.3" : "TLSv1.2";
    keep_session(hs, tls);
    detach(hs);
    hs->tls = NULL;
    moot__tls_stream_open(tls);
    op->status = MOOT_OK;
    op->stream = &tls->stream;
    op->handshake_ns = moot__clock_ns(hs->endpoint->transport) - hs->started_ns;
    moot__sm_move(&hs->sm, HS_DONE);
    destroy(hs);
    op->on_done(op);
}

/* --- why it failed --------------------------------------------------------------------------- */

static const char *alert_text(unsigned alert)
{
    switch (alert) {
    case 40: /* handshake_failure */
        return "the peer found no common cipher suite or group";
    case 42:
    case 43:
    case 44:
    case 45:
    case 46:
        return "the peer did not accept our certificate";
    case 48: /* unknown_ca */
        return "the peer does not trust the certificate";
    case 70: /* protocol_version */
        return MOOT_TLS_HAS_1_3 ? "the peer speaks neither TLS 1.2 nor 1.3"
                                : "the peer does not speak TLS 1.2; it may need 1.3, which this "
                                  "build cannot do";
    case 112: /* unrecognized_name */
        return "the peer does not know the host name";
    default:
        return "the peer refused the handshake";
    }
}

static bool looks_like_text(const struct moot_tls_stream *tls)
{
    return memcmp(tls->header, "HTTP", 4) == 0 || memcmp(tls->header, "<", 1) == 0 ||
           memcmp(tls->header, "GET ", 4) == 0 || memcmp(tls->header, "POST", 4) == 0;
}

/* What the library holds against the server's certificate; what it is for is judged after our
 * callback, and then the handshake fails without saying so. 0: nothing, or it was not looked at. */
static uint32_t held_against(const struct handshake *hs)
{
    uint32_t flags = hs->verify.called ? mbedtls_ssl_get_verify_result(&hs->tls->ssl) : 0;
    return flags == UINT32_MAX ? 0 : flags;
}

static void fail_by_code(struct handshake *hs)
{
    const struct moot_tls_stream *tls = hs->tls;
    uint32_t flags = held_against(hs);
    char text[256];
    if (hs->verify.refusal[0]) {
        fail(hs, MOOT_ECERT, hs->verify.refusal);
    } else if (hs->rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || flags) {
        snprintf(text, sizeof(text), "the server's certificate %s", moot__tls_verify_text(flags));
        fail(hs, MOOT_ECERT, text);
    } else if (moot__compat_is_no_memory(hs->rc)) {
        fail(hs, MOOT_ENOMEM, "no memory for the TLS handshake");
    } else if (tls->alert) {
        unsigned alert = tls->alert - 1u;
        snprintf(text, sizeof(text), "%s (TLS alert %u)", alert_text(alert), alert);
        fail(hs, MOOT_ETLS, text);
    } else if (moot__compat_is_version_error(hs->rc)) {
        fail(hs, MOOT_ETLS, "the peer offers a TLS version below 1.2");
    } else if (looks_like_text(tls)) {
        fail(hs, MOOT_ETLS, "the peer does not speak TLS on this port; it looks like plain HTTP");
    } else {
        char reason[160];
        mbedtls_strerror(hs->rc, reason, sizeof(reason));
        snprintf(text, sizeof(text), "the TLS handshake failed: %s", reason);
        fail(hs, MOOT_ETLS, text);
    }
}

static void fail_by_socket(struct handshake *hs, int status)
{
    if (status == MOOT_ECONNECT)
        fail(hs, status, "the connection could not be made");
    else if (status == MOOT_ENOMEM)
        fail(hs, status, "no memory for the TLS handshake");
    else
        fail(hs, MOOT_ERESET, "the peer closed the connection during the TLS handshake");
}

/* --- on the loop ----------------------------------------------------------------------------- */

static void queue(struct handshake *hs)
{
    moot__sm_move(&hs->sm, HS_SLOT);
    moot__tls_gate_queue(hs->endpoint, &hs->turn);
}

static void flow(struct handshake *hs)
{
    assert(hs->sm.current == HS_FLOW);
    unsigned interest = hs->needs_input ? MOOT_READABLE : 0;
    if (hs->tls->out.len > 0)
        interest |= MOOT_WRITABLE;
    moot__stream_want(hs->tls->lower, interest);
}

static void on_seat(struct moot_tls_seat *seat)
{
    queue(moot__container_of(seat, struct handshake, seat));
}

static void on_turn(struct moot_tls_turn *turn)
{
    struct handshake *hs = moot__container_of(turn, struct handshake, turn);
    assert(hs->op && hs->sm.current == HS_SLOT);
    if (hs->needs_input && hs->tls->in_len == 0) {
        ptrdiff_t n = moot__tls_stream_fill(hs->tls);
        if (n == MOOT_EAGAIN) {
            moot__sm_move(&hs->sm, HS_FLOW);
            flow(hs);
            return;
        }
        if (n <= 0) {
            fail_by_socket(hs, n == 0 ? MOOT_ERESET : (int)n);
            return;
        }
    }
    if (hs->is_client && !hs->begun)
        hs->offered = moot__tls_seat_session(&hs->seat);
    if (moot__tls_stream_make_room(hs->tls) != MOOT_OK) {
        fail(hs, MOOT_ENOMEM, "no memory for the TLS handshake");
        return;
    }
    if (moot__work_submit(hs->endpoint->transport, &hs->work) != MOOT_OK) {
        fail(hs, MOOT_ENOMEM, "no worker for the TLS handshake");
        return;
    }
    moot__sm_move(&hs->sm, HS_WORK);
    moot__tls_gate_enter(hs->endpoint);
}

static void on_worked(struct moot_work *work)
{
    struct handshake *hs = moot__container_of(work, struct handshake, work);
    struct moot_tls_stream *tls = hs->tls;
    moot__sm_move(&hs->sm, HS_FLOW); /* the context is the loop's again */
    moot__tls_gate_exit(hs->endpoint);
    if (!hs->op) {
        moot__sm_move(&hs->sm, HS_DONE);
        destroy(hs);
        return;
    }
    if (tls->in && tls->in_len == 0) {
        moot__tls_buffer_give(hs->endpoint, tls->in);
        tls->in = NULL;
    }
    int rc = moot__tls_stream_flush(tls); /* an alert of ours, too */
    bool is_blocked = hs->rc == MBEDTLS_ERR_SSL_WANT_READ || hs->rc == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (hs->rc && !is_blocked && !moot__compat_is_new_ticket(hs->rc)) {
        fail_by_code(hs);
        return;
    }
    if (rc) {
        fail_by_socket(hs, rc);
        return;
    }
    if (hs->rc == 0) {
        succeed(hs);
        return;
    }
    hs->needs_input = hs->rc == MBEDTLS_ERR_SSL_WANT_READ;
    if (hs->needs_input || tls->out.len > 0)
        flow(hs);
    else
        queue(hs);
}

static void on_lower_ready(struct moot_stream *lower, unsigned ready)
{
    struct handshake *hs = lower->owner;
    assert(hs->sm.current == HS_FLOW);
    if (ready & MOOT_WRITABLE) {
        int rc = moot__tls_stream_flush(hs->tls);
        if (rc) {
            fail_by_socket(hs, rc);
            return;
        }
    }
    bool is_free = hs->needs_input ? (ready & MOOT_READABLE) != 0 : hs->tls->out.len == 0;
    if (is_free) {
        moot__stream_want(lower, 0);
        queue(hs);
    } else if (hs->tls->out.len == 0) {
        moot__stream_want(lower, MOOT_READABLE);
    }
}

static void on_deadline(struct moot_timer *timer)
{
    struct handshake *hs = moot__container_of(timer, struct handshake, deadline);
    fail(hs, MOOT_ETIMEDOUT, "the TLS handshake took too long");
}

/* --- begin and cancel ------------------------------------------------------------------------ */

static struct handshake *handshake_new(struct moot_tls_endpoint *endpoint,
                                       struct moot_stream *lower, bool is_client)
{
    const struct moot_allocator *allocator = endpoint->transport->allocator;
    struct handshake *hs = moot__calloc(allocator, 1, sizeof(*hs));
    if (!hs)
        return NULL;
    hs->tls = moot__tls_stream_new(endpoint, lower);
    if (!hs->tls) {
        moot__free(allocator, hs);
        return NULL;
    }
    hs->endpoint = endpoint;
    endpoint->refs++;
    hs->is_client = is_client;
    hs->turn.on_turn = on_turn;
    moot__list_init(&hs->turn.node);
    hs->seat.on_turn = on_seat;
    hs->deadline.on_fire = on_deadline;
    hs->work.run = run;
    hs->work.done = on_worked;
    moot__list_init(&hs->work.node);
    moot__sm_init(&hs->sm, states, HS_COUNT, is_client ? HS_SESSION : HS_SLOT);
    return hs;
}

/* From here on nothing fails. */
static void start(struct handshake *hs, struct moot_tls_handshake *op, uint64_t deadline_ns)
{
    struct moot_transport *transport = hs->endpoint->transport;
    hs->op = op;
    hs->started_ns = moot__clock_ns(transport);
    hs->tls->lower->owner = hs;
    hs->tls->lower->on_ready = on_lower_ready;
    op->internal = hs;
    op->status = MOOT_OK;
    op->detail[0] = '\0';
    op->stream = NULL;
    op->resumed = false;
    op->version = "";
    op->handshake_ns = 0;
    moot__transport_hold(transport);
    if (deadline_ns)
        moot__timer_start(transport, &hs->deadline, deadline_ns);
}

/* Undo handshake_new; the socket stays the caller's. */
static int discard(struct handshake *hs, int rc)
{
    hs->tls->lower = NULL;
    destroy(hs);
    return rc;
}

int moot__tls_connect(struct moot_tls_handshake *op, const struct moot_tls_connect_options *options)
{
    assert(op->on_done && !op->internal && options->client && options->lower);
    struct moot_tls_endpoint *endpoint = &options->client->endpoint;
    struct handshake *hs = handshake_new(endpoint, options->lower, true);
    if (!hs)
        return MOOT_ENOMEM;
    int rc = moot__tls_verify_init(&hs->verify, options->host);
    if (rc)
        return discard(hs, rc);
    if (options->session_key.len > 0) {
        hs->fresh = moot__tls_session_new(endpoint->transport->allocator);
        if (!hs->fresh)
            return discard(hs, MOOT_ENOMEM);
        rc = moot__tls_seat_take(&endpoint->sessions, options->session_key, &hs->seat);
        if (rc && rc != MOOT_EAGAIN)
            return discard(hs, rc);
    }
    start(hs, op, options->deadline_ns);
    if (rc == MOOT_OK)
        queue(hs);
    return MOOT_OK;
}

int moot__tls_accept(struct moot_tls_handshake *op, struct moot_tls_server *server,
                     struct moot_stream *lower, uint64_t deadline_ns)
{
    assert(op->on_done && !op->internal && server && lower);
    struct handshake *hs = handshake_new(&server->endpoint, lower, false);
    if (!hs)
        return MOOT_ENOMEM;
    start(hs, op, deadline_ns);
    hs->needs_input = true; /* the client speaks first */
    moot__sm_move(&hs->sm, HS_FLOW);
    flow(hs);
    return MOOT_OK;
}

void moot__tls_handshake_cancel(struct moot_tls_handshake *op)
{
    struct handshake *hs = op->internal;
    if (!hs)
        return;
    assert(hs->op == op);
    detach(hs);
    moot__tls_seat_leave(&hs->seat, false);
    let_go(hs, moot__stream_abort);
}
