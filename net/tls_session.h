#ifndef MOOT_NET_TLS_SESSION_H
#define MOOT_NET_TLS_SESSION_H

/* The session cache of a client, and the rule that of a burst to one origin one connection shakes
 * hands in full while the others wait for its session.
 *
 * An origin is what a session key names. A handshake takes a seat at its origin. The seat may go at
 * once when the origin's session is known and was seen to work of late; otherwise the first seat
 * leads and the others wait. The leader's result lets them go: with a session they resume, without
 * one each goes its own way. Sessions live in memory only. */
#include <stdbool.h>

#include "tls_compat.h"
#include "transport.h"

/* A session, shared by the cache and the workers that resume with it; immutable once stored. The
 * count is the loop's. */
struct moot_tls_session {
    const struct moot_allocator *allocator;
    unsigned refs;
    mbedtls_ssl_session session;
};

struct moot_tls_session *moot__tls_session_new(const struct moot_allocator *allocator);
struct moot_tls_session *moot__tls_session_ref(struct moot_tls_session *session);
void moot__tls_session_unref(struct moot_tls_session *session); /* NULL does nothing */

struct moot_tls_sessions {
    struct moot_transport *transport;
    struct moot_list origins; /* least recently used first */
    unsigned count;
};

struct moot_tls_origin;

/* A place at an origin. Zero-initialise; set on_turn. Must not move except by moot__tls_seat_move.
 */
struct moot_tls_seat {
    struct moot_tls_origin *origin;              /* NULL: none taken */
    struct moot_list node;                       /* among the origin's waiters */
    void (*on_turn)(struct moot_tls_seat *seat); /* a waiting seat may go; called once, from the
                                                    functions below: only to queue something */
};

void moot__tls_sessions_init(struct moot_tls_sessions *sessions, struct moot_transport *transport);
void moot__tls_sessions_deinit(struct moot_tls_sessions *sessions); /* no seat is taken any more */

/* Take a seat. MOOT_OK: go now; MOOT_EAGAIN: on_turn will come; MOOT_ENOMEM: no seat was taken. */
MOOT_NODISCARD int moot__tls_seat_take(struct moot_tls_sessions *sessions, struct moot_view key,
                                       struct moot_tls_seat *seat);

/* The session to resume with, as a new reference, or NULL. */
struct moot_tls_session *moot__tls_seat_session(const struct moot_tls_seat *seat);

/* A new session of the origin; takes the reference. Lets the waiters go. */
void moot__tls_seat_store(struct moot_tls_seat *seat, struct moot_tls_session *session);

/* The origin's session was accepted by the server. Lets the waiters go. */
void moot__tls_seat_prove(struct moot_tls_seat *seat);

/* The handshake is over but the session is still to come (TLS 1.3). If it does not come soon, the
 * waiters go without. */
void moot__tls_seat_expect(struct moot_tls_seat *seat);

/* Give the seat up. Of a leader without a session: `failed` lets all waiters go; otherwise (it was
 * cancelled) the next one leads. Does nothing without a seat. */
void moot__tls_seat_leave(struct moot_tls_seat *seat, bool failed);

/* Pass a seat that does not wait on to the connection that came of the handshake. */
void moot__tls_seat_move(struct moot_tls_seat *from, struct moot_tls_seat *to);

#endif
