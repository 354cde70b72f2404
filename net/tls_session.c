/* See the header for the rule. Invariants: a waiting seat implies a leader; a leader is a seat that
 * is taken; an origin with seats taken is never evicted, so the cache is bounded by the limit plus
 * the connections that are open. */
#include "tls_session.h"

#include <string.h>

#include "engine/base/alloc.h"

/* How long an accepted session is taken on trust by whole bursts; afterwards one goes ahead to see
 * whether it still works. */
#define PROOF_NS (UINT64_C(60) * MOOT_NS_PER_S)
/* How long waiters wait for a TLS 1.3 ticket after the leader's handshake. */
#define TICKET_WAIT_NS (UINT64_C(250) * MOOT_NS_PER_MS)

struct moot_tls_origin {
    struct moot_tls_sessions *sessions;
    struct moot_list node;
    struct moot_list waiters;
    struct moot_tls_seat *leader; /* NULL: none */
    struct moot_tls_session *session;
    struct moot_timer ticket_timer;
    uint64_t proven_ns;
    unsigned seats;
    bool ticketless; /* the last leader waited for a ticket in vain */
    uint64_t hash;
    size_t key_len;
    char key[];
};

struct moot_tls_session *moot__tls_session_new(const struct moot_allocator *allocator)
{
    struct moot_tls_session *session = moot__alloc(allocator, sizeof(*session));
    if (!session)
        return NULL;
    session->allocator = allocator;
    session->refs = 1;
    mbedtls_ssl_session_init(&session->session);
    return session;
}

struct moot_tls_session *moot__tls_session_ref(struct moot_tls_session *session)
{
    session->refs++;
    return session;
}

void moot__tls_session_unref(struct moot_tls_session *session)
{
    if (!session || --session->refs > 0)
        return;
    mbedtls_ssl_session_free(&session->session); /* wipes the secrets */
    moot__free(session->allocator, session);
}

void moot__tls_sessions_init(struct moot_tls_sessions *sessions, struct moot_transport *transport)
{
    *sessions = (struct moot_tls_sessions){.transport = transport};
    moot__list_init(&sessions->origins);
}

static void origin_free(struct moot_tls_origin *origin)
{
    assert(origin->seats == 0 && moot__list_is_empty(&origin->waiters));
    struct moot_tls_sessions *sessions = origin->sessions;
    moot__timer_stop(sessions->transport, &origin->ticket_timer);
    moot__list_remove(&origin->node);
    sessions->count--;
    moot__tls_session_unref(origin->session);
    moot__free(sessions->transport->allocator, origin);
}

void moot__tls_sessions_deinit(struct moot_tls_sessions *sessions)
{
    MOOT_LIST_FOREACH_SAFE (node, after, &sessions->origins)
        origin_free(moot__list_entry(node, struct moot_tls_origin, node));
    assert(sessions->count == 0);
}

/* Let every waiter go. A new seat may be taken by none of them: on_turn only queues. */
static void release(struct moot_tls_origin *origin)
{
    origin->leader = NULL;
    moot__timer_stop(origin->sessions->transport, &origin->ticket_timer);
    struct moot_list *node;
    while ((node = moot__list_pop_front(&origin->waiters))) {
        struct moot_tls_seat *seat = moot__list_entry(node, struct moot_tls_seat, node);
        seat->on_turn(seat);
    }
}

static void on_no_ticket(struct moot_timer *timer)
{
    struct moot_tls_origin *origin =
        moot__container_of(timer, struct moot_tls_origin, ticket_timer);
    origin->ticketless = true;
    release(origin);
}

static uint64_t hash_of(struct moot_view key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void evict(struct moot_tls_sessions *sessions)
{
    if (sessions->count < MOOT_LIMIT_TLS_SESSIONS)
        return;
    MOOT_LIST_FOREACH (node, &sessions->origins) {
        struct moot_tls_origin *origin = moot__list_entry(node, struct moot_tls_origin, node);
        if (origin->seats == 0) {
            origin_free(origin);
            return;
        }
    }
}

static struct moot_tls_origin *find(struct moot_tls_sessions *sessions, struct moot_view key,
                                    uint64_t hash)
{
    MOOT_LIST_FOREACH (node, &sessions->origins) {
        struct moot_tls_origin *origin = moot__list_entry(node, struct moot_tls_origin, node);
        if (origin->hash == hash && moot__view_eq(key, moot__view(origin->key, origin->key_len)))
            return origin;
    }
    return NULL;
}

static struct moot_tls_origin *find_or_add(struct moot_tls_sessions *sessions, struct moot_view key)
{
    uint64_t hash = hash_of(key);
    struct moot_tls_origin *origin = find(sessions, key, hash);
    if (origin) {
        moot__list_remove(&origin->node);
        moot__list_push_back(&sessions->origins, &origin->node);
        return origin;
    }
    evict(sessions);
    origin = moot__calloc(sessions->transport->allocator, 1, sizeof(*origin) + key.len);
    if (!origin)
        return NULL;
    origin->sessions = sessions;
    origin->hash = hash;
    origin->key_len = key.len;
    memcpy(origin->key, key.ptr, key.len);
    origin->ticket_timer.on_fire = on_no_ticket;
    moot__list_init(&origin->waiters);
    moot__list_init(&origin->node);
    moot__list_push_back(&sessions->origins, &origin->node);
    sessions->count++;
    return origin;
}

int moot__tls_seat_take(struct moot_tls_sessions *sessions, struct moot_view key,
                        struct moot_tls_seat *seat)
{
    assert(!seat->origin && seat->on_turn && key.len > 0);
    struct moot_tls_origin *origin = find_or_add(sessions, key);
    if (!origin)
        return MOOT_ENOMEM;
    seat->origin = origin;
    origin->seats++;
    moot__list_init(&seat->node);
    uint64_t proof_ends_ns = moot__ns_add(origin->proven_ns, PROOF_NS);
    bool proven = origin->session && moot__now_ns(sessions->transport) < proof_ends_ns;
    if (proven || origin->ticketless)
        return MOOT_OK;
    if (!origin->leader) {
        origin->leader = seat;
        return MOOT_OK;
    }
    moot__list_push_back(&origin->waiters, &seat->node);
    return MOOT_EAGAIN;
}

struct moot_tls_session *moot__tls_seat_session(const struct moot_tls_seat *seat)
{
    if (!seat->origin || !seat->origin->session)
        return NULL;
    return moot__tls_session_ref(seat->origin->session);
}

void moot__tls_seat_store(struct moot_tls_seat *seat, struct moot_tls_session *session)
{
    struct moot_tls_origin *origin = seat->origin;
    assert(origin && session);
    moot__tls_session_unref(origin->session);
    origin->session = session;
    origin->ticketless = false;
    moot__tls_seat_prove(seat);
}

void moot__tls_seat_prove(struct moot_tls_seat *seat)
{
    struct moot_tls_origin *origin = seat->origin;
    assert(origin && origin->session);
    origin->proven_ns = moot__now_ns(origin->sessions->transport);
    release(origin);
}

void moot__tls_seat_expect(struct moot_tls_seat *seat)
{
    struct moot_tls_origin *origin = seat->origin;
    if (!origin || origin->leader != seat)
        return;
    struct moot_transport *transport = origin->sessions->transport;
    moot__timer_start(transport, &origin->ticket_timer,
                      moot__ns_add(moot__now_ns(transport), TICKET_WAIT_NS));
}

void moot__tls_seat_leave(struct moot_tls_seat *seat, bool failed)
{
    struct moot_tls_origin *origin = seat->origin;
    if (!origin)
        return;
    assert(origin->seats > 0);
    moot__list_remove(&seat->node);
    seat->origin = NULL;
    origin->seats--;
    if (origin->leader != seat)
        return;
    if (failed) {
        release(origin);
        return;
    }
    moot__timer_stop(origin->sessions->transport, &origin->ticket_timer);
    struct moot_list *node = moot__list_pop_front(&origin->waiters);
    origin->leader = node ? moot__list_entry(node, struct moot_tls_seat, node) : NULL;
    if (origin->leader)
        origin->leader->on_turn(origin->leader);
}

void moot__tls_seat_move(struct moot_tls_seat *from, struct moot_tls_seat *to)
{
    assert(from->origin && !to->origin && !moot__list_is_linked(&from->node));
    to->origin = from->origin;
    moot__list_init(&to->node);
    if (from->origin->leader == from)
        from->origin->leader = to;
    from->origin = NULL;
}
