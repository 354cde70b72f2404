/* A connection is a machine of its own:
 *
 *   dialling ──► proxying ──► shaking ──► ready ──► closed
 *        └───────────┴──────────┴───────────┴────────▲
 *
 * Until ready it belongs to the call that asked for it; a call that is cancelled takes it along.
 * When ready it is busy with a call or lies idle in its origin's list, newest first, so that a
 * burst's surplus grows old and is swept. An idle connection on which anything happens is closed:
 * whatever the peer says unasked is the end, or an attack. */
#include "pool.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "engine/base/check.h"
#include "engine/base/err.h"

enum { DIALLING, PROXYING, SHAKING, READY, CLOSED, STATES };

static const struct moot_sm_state connection_states[STATES] = {
    [DIALLING] = {"dialling", MOOT_SM_TO(PROXYING) | MOOT_SM_TO(SHAKING) | MOOT_SM_TO(READY) |
                                  MOOT_SM_TO(CLOSED)},
    [PROXYING] = {"proxying", MOOT_SM_TO(SHAKING) | MOOT_SM_TO(READY) | MOOT_SM_TO(CLOSED)},
    [SHAKING] = {"shaking", MOOT_SM_TO(READY) | MOOT_SM_TO(CLOSED)},
    [READY] = {"ready", MOOT_SM_TO(CLOSED)},
    [CLOSED] = {"closed", 0},
};

/* Providers close idle connections after a minute or more; ours go first. */
#define IDLE_NS_MAX (UINT64_C(50) * MOOT_NS_PER_S)

struct moot_origin {
    struct moot_pool *pool;
    struct moot_list node;
    struct moot_list idle, busy; /* of struct moot_connection */
    size_t idle_count;
    char *text; /* owns what the URLs point into */
    struct moot_url url, proxy;
    struct moot_buf authority;
    bool has_proxy, allow_link_local;
    struct moot_buf key;
};

/* ---- Origins ---- */

static int compose_key(struct moot_buf *key, const struct moot_origin_spec *spec)
{
    int rc = moot__buf_append_str(key, spec->url.scheme == MOOT_URL_HTTPS ? "https|" : "http|");
    if (!rc && spec->allow_link_local)
        rc = moot__buf_append_str(key, "local|");
    if (!rc)
        rc = moot__url_append_authority(key, &spec->url);
    if (!rc)
        rc = moot__buf_append_byte(key, '|');
    if (!rc)
        rc = moot__buf_append_view(key, spec->proxy);
    if (!rc)
        rc = moot__buf_append_byte(key, '|');
    if (!rc)
        rc = moot__buf_append_u64(key, spec->identity);
    return rc;
}

static void free_origin(struct moot_origin *origin)
{
    const struct moot_allocator *allocator = origin->pool->transport->allocator;
    if (origin->text)
        moot__wipe(origin->text, strlen(origin->text)); /* a proxy's URL may hold a password */
    moot__free(allocator, origin->text);
    if (origin->key.data)
        moot__wipe(origin->key.data, origin->key.cap);
    moot__buf_deinit(&origin->key);
    moot__buf_deinit(&origin->authority);
    moot__free(allocator, origin);
}

/* The origin outlives the spec: host and proxy are copied. */
static int copy_urls(struct moot_origin *origin, const struct moot_origin_spec *spec)
{
    size_t host_len = spec->url.host.len, proxy_len = spec->proxy.len;
    origin->text = moot__alloc(origin->pool->transport->allocator, host_len + proxy_len + 1);
    if (!origin->text)
        return MOOT_ENOMEM;
    memcpy(origin->text, spec->url.host.ptr, host_len);
    if (proxy_len)
        memcpy(origin->text + host_len, spec->proxy.ptr, proxy_len);
    origin->text[host_len + proxy_len] = '\0';
    origin->url = spec->url;
    origin->url.host.ptr = origin->text;
    origin->url.path = origin->url.query = origin->url.userinfo = (struct moot_view){NULL, 0};
    origin->has_proxy = proxy_len > 0;
    if (!origin->has_proxy)
        return MOOT_OK;
    int rc = moot__url_parse(moot__view(origin->text + host_len, proxy_len),
                             MOOT_URL_ALLOW_USERINFO, &origin->proxy, NULL);
    return !rc && origin->proxy.scheme != MOOT_URL_HTTP ? MOOT_EINVAL : rc; /* no TLS to proxies */
}

static int new_origin(struct moot_pool *pool, const struct moot_origin_spec *spec,
                      struct moot_buf *key, struct moot_origin **out)
{
    struct moot_origin *origin = moot__calloc(pool->transport->allocator, 1, sizeof *origin);
    if (!origin)
        return MOOT_ENOMEM;
    origin->pool = pool;
    origin->allow_link_local = spec->allow_link_local;
    moot__list_init(&origin->node);
    moot__list_init(&origin->idle);
    moot__list_init(&origin->busy);
    moot__buf_init(&origin->authority, pool->transport->allocator, MOOT_LIMIT_HTTP_URL_BYTES);
    int rc = copy_urls(origin, spec);
    if (!rc)
        rc = moot__url_append_authority(&origin->authority, &origin->url);
    if (rc) {
        free_origin(origin);
        return rc;
    }
    origin->key = *key;
    moot__buf_init(key, key->allocator, key->max);
    moot__list_push_back(&pool->origins, &origin->node);
    *out = origin;
    return MOOT_OK;
}

int moot__pool_origin(struct moot_pool *pool, const struct moot_origin_spec *spec,
                      struct moot_origin **out)
{
    *out = NULL;
    struct moot_buf key;
    moot__buf_init(&key, pool->transport->allocator, 2 * MOOT_LIMIT_HTTP_URL_BYTES);
    int rc = compose_key(&key, spec);
    if (rc)
        goto out;
    MOOT_LIST_FOREACH (node, &pool->origins) {
        struct moot_origin *origin = moot__list_entry(node, struct moot_origin, node);
        if (moot__view_eq(moot__buf_view(&origin->key), moot__buf_view(&key))) {
            *out = origin;
            goto out;
        }
    }
    rc = new_origin(pool, spec, &key, out);
out:
    if (key.data)
        moot__wipe(key.data, key.cap);
    moot__buf_deinit(&key);
    return rc;
}

struct moot_view moot__origin_authority(const struct moot_origin *origin)
{
    return moot__buf_view(&origin->authority);
}

/* ---- The end of a connection ---- */

static void destroy(struct moot_connection *connection)
{
    struct moot_pool *pool = connection->pool;
    moot__list_remove(&connection->node);
    moot__http1_free(connection->parser);
    pool->open--;
    moot__free(pool->transport->allocator, connection);
}

static void close_connection(struct moot_connection *connection)
{
    if (connection->sm.current != CLOSED) {
        unsigned was = connection->sm.current;
        moot__sm_move(&connection->sm, CLOSED);
        if (was == DIALLING)
            moot__dial_cancel(&connection->dial);
        else if (was == PROXYING)
            moot__proxy_connect_cancel(&connection->proxy);
        else if (was == SHAKING)
            moot__tls_handshake_cancel(&connection->tls);
        if (connection->stream)
            moot__stream_close(connection->stream);
        connection->stream = NULL;
    }
    destroy(connection);
}

void moot__pool_discard(struct moot_connection *connection)
{
    connection->call = NULL;
    if (connection->reading) {
        connection->doomed =
            true; /* the parser is below us on the stack; parse() comes back here */
        return;
    }
    close_connection(connection);
}

static void drop_idle(struct moot_connection *connection)
{
    connection->origin->idle_count--;
    moot__list_remove(&connection->node);
    close_connection(connection);
}

/* ---- Ready connections ---- */

static void on_ready(struct moot_stream *stream, unsigned ready)
{
    struct moot_connection *connection = stream->owner;
    if (connection->call)
        moot__call_on_ready(connection->call, ready);
    else
        drop_idle(connection);
}

static void become_ready(struct moot_connection *connection)
{
    moot__sm_move(&connection->sm, READY);
    connection->stream->owner = connection;
    connection->stream->on_ready = on_ready;
    connection->pool->connections++;
    moot__call_on_connected(connection->call, MOOT_OK, MOOT_PHASE_NONE, NULL);
}

static void fail(struct moot_connection *connection, int status, enum moot_phase phase,
                 const char *detail)
{
    struct moot_call *call = connection->call;
    bool is_proxy = connection->origin->has_proxy && !connection->stream;
    char text[320];
    snprintf(text, sizeof text, "%s%s", is_proxy && phase != MOOT_PHASE_TLS ? "the proxy: " : "",
             detail ? detail : "");
    connection->call = NULL;
    close_connection(connection);
    moot__call_on_connected(call, status, phase, text);
}

/* ---- Making one ---- */

static void on_shaken(struct moot_tls_handshake *handshake)
{
    struct moot_connection *connection = handshake->owner;
    if (handshake->status) {
        int status = handshake->status;
        moot__sm_move(&connection->sm, CLOSED);
        fail(connection, status, MOOT_PHASE_TLS, handshake->detail);
        return;
    }
    connection->stream = handshake->stream;
    connection->tls_ns = handshake->handshake_ns;
    connection->resumed = handshake->resumed;
    if (handshake->resumed)
        connection->pool->resumed++;
    else
        connection->pool->handshakes++;
    become_ready(connection);
}

static void shake_hands(struct moot_connection *connection)
{
    struct moot_origin *origin = connection->origin;
    if (origin->url.scheme != MOOT_URL_HTTPS) {
        become_ready(connection);
        return;
    }
    moot__sm_move(&connection->sm, SHAKING);
    connection->tls.on_done = on_shaken;
    connection->tls.owner = connection;
    struct moot_tls_connect_options options = {
        .client = connection->pool->tls,
        .lower = connection->stream,
        .host = origin->url.host,
        .session_key = moot__buf_view(&origin->key),
    };
    int rc = connection->pool->tls ? moot__tls_connect(&connection->tls, &options) : MOOT_ETLS;
    if (rc)
        fail(connection, rc, MOOT_PHASE_TLS, NULL);
    else
        connection->stream = NULL; /* the handshake's now */
}

static void on_proxied(struct moot_proxy_connect *op)
{
    struct moot_connection *connection = moot__container_of(op, struct moot_connection, proxy);
    if (op->status) {
        fail(connection, op->status, MOOT_PHASE_CONNECT, op->detail);
        return;
    }
    shake_hands(connection);
}

static void go_through_proxy(struct moot_connection *connection)
{
    struct moot_origin *origin = connection->origin;
    moot__sm_move(&connection->sm, PROXYING);
    connection->proxy.on_done = on_proxied;
    int rc = moot__proxy_connect_start(&connection->proxy, connection->pool->transport->allocator,
                                       connection->stream, &origin->proxy, &origin->url);
    if (rc)
        fail(connection, rc, MOOT_PHASE_CONNECT, NULL);
}

static void on_dialled(struct moot_dial *dial)
{
    struct moot_connection *connection = moot__container_of(dial, struct moot_connection, dial);
    if (dial->status) {
        int status = dial->status;
        enum moot_phase phase = dial->phase;
        moot__sm_move(&connection->sm, CLOSED);
        fail(connection, status, phase, dial->detail);
        return;
    }
    connection->stream = dial->stream;
    connection->resolve_ns = dial->resolve_ns;
    connection->connect_ns = dial->connect_ns;
    if (connection->origin->has_proxy)
        go_through_proxy(connection);
    else
        shake_hands(connection);
}

static int start_connection(struct moot_origin *origin, struct moot_call *call,
                            struct moot_connection **out)
{
    struct moot_pool *pool = origin->pool;
    const struct moot_allocator *allocator = pool->transport->allocator;
    struct moot_connection *connection = moot__calloc(allocator, 1, sizeof *connection);
    if (!connection)
        return MOOT_ENOMEM;
    connection->pool = pool;
    connection->origin = origin;
    connection->call = call;
    moot__list_init(&connection->node);
    moot__sm_init(&connection->sm, connection_states, STATES, DIALLING);
    connection->parser = moot__http1_new(allocator, MOOT_HTTP1_RESPONSE, NULL,
                                         &moot__call_http1_callbacks, connection);
    const struct moot_url *peer = origin->has_proxy ? &origin->proxy : &origin->url;
    struct moot_dial_options options = {
        .transport = pool->transport,
        .dns = pool->dns,
        .host = peer->host,
        .port = peer->port,
        .allow_link_local = origin->allow_link_local,
    };
    connection->dial.on_done = on_dialled;
    if (!connection->parser) {
        moot__free(allocator, connection);
        return MOOT_ENOMEM;
    }
    moot__dial_start(&connection->dial, &options);
    pool->open++;
    moot__list_push_back(&origin->busy, &connection->node);
    *out = connection;
    return MOOT_OK;
}

/* ---- Taking and giving back ---- */

/* Since the loop last looked the peer may have closed, or said something that would be taken for
 * the answer to the next request. */
static bool is_silent(const struct moot_connection *connection)
{
    char byte;
    return moot__stream_read(connection->stream, &byte, 1) == MOOT_EAGAIN;
}

int moot__pool_take(struct moot_origin *origin, struct moot_call *call,
                    struct moot_connection **out)
{
    uint64_t now = moot__now_ns(origin->pool->transport);
    while (!moot__list_is_empty(&origin->idle)) {
        struct moot_connection *connection =
            moot__list_entry(origin->idle.next, struct moot_connection, node);
        if (now - connection->idle_since_ns > IDLE_NS_MAX || !is_silent(connection)) {
            drop_idle(connection);
            continue;
        }
        origin->idle_count--;
        moot__list_remove(&connection->node);
        moot__list_push_back(&origin->busy, &connection->node);
        connection->call = call;
        connection->reused = true;
        *out = connection;
        return MOOT_OK;
    }
    return start_connection(origin, call, out);
}

void moot__pool_give_back(struct moot_connection *connection)
{
    struct moot_origin *origin = connection->origin;
    struct moot_pool *pool = connection->pool;
    assert(connection->sm.current == READY && !connection->reading && !connection->doomed);
    connection->call = NULL;
    moot__http1_reset(connection->parser, 0);
    connection->idle_since_ns = moot__now_ns(pool->transport);
    moot__list_remove(&connection->node);
    moot__list_push_front(&origin->idle, &connection->node);
    origin->idle_count++;
    moot__stream_want(connection->stream, MOOT_READABLE);
    if (!moot__timer_is_started(&pool->sweep))
        moot__timer_start(pool->transport, &pool->sweep,
                          moot__ns_add(connection->idle_since_ns, IDLE_NS_MAX));
    if (origin->idle_count > pool->idle_max) /* the oldest; with a maximum of 0 this one */
        drop_idle(moot__list_entry(origin->idle.prev, struct moot_connection, node));
}

/* ---- The pool ---- */

static void sweep_origin(struct moot_origin *origin, uint64_t now, uint64_t *next)
{
    while (!moot__list_is_empty(&origin->idle)) { /* the oldest is last */
        struct moot_connection *oldest =
            moot__list_entry(origin->idle.prev, struct moot_connection, node);
        uint64_t due = moot__ns_add(oldest->idle_since_ns, IDLE_NS_MAX);
        if (due > now) {
            *next = due < *next ? due : *next;
            return;
        }
        drop_idle(oldest);
    }
}

static void on_sweep(struct moot_timer *timer)
{
    struct moot_pool *pool = moot__container_of(timer, struct moot_pool, sweep);
    uint64_t now = moot__now_ns(pool->transport), next = MOOT_NEVER_NS;
    MOOT_LIST_FOREACH (node, &pool->origins)
        sweep_origin(moot__list_entry(node, struct moot_origin, node), now, &next);
    if (next != MOOT_NEVER_NS)
        moot__timer_start(pool->transport, &pool->sweep, next);
}

int moot__pool_init(struct moot_pool *pool, struct moot_transport *transport, struct moot_dns *dns,
                    struct moot_tls_client *tls)
{
    *pool = (struct moot_pool){
        .transport = transport,
        .dns = dns,
        .tls = tls,
        .read_bytes_max = MOOT_LIMIT_READ_CHUNK_BYTES,
        .idle_max = MOOT_LIMIT_POOL_IDLE_PER_ORIGIN,
    };
    pool->sweep.on_fire = on_sweep;
    moot__list_init(&pool->origins);
    pool->scratch = moot__alloc(transport->allocator, MOOT_LIMIT_READ_CHUNK_BYTES);
    return pool->scratch ? MOOT_OK : MOOT_ENOMEM;
}

void moot__pool_deinit(struct moot_pool *pool)
{
    if (!pool->transport)
        return;
    moot__timer_stop(pool->transport, &pool->sweep);
    struct moot_list *node;
    while ((node = moot__list_pop_front(&pool->origins))) {
        struct moot_origin *origin = moot__list_entry(node, struct moot_origin, node);
        while (!moot__list_is_empty(&origin->idle))
            drop_idle(moot__list_entry(origin->idle.next, struct moot_connection, node));
        assert(moot__list_is_empty(&origin->busy));
        free_origin(origin);
    }
    moot__buf_deinit(&pool->spare_request);
    moot__free(pool->transport->allocator, pool->scratch);
    pool->scratch = NULL;
    pool->transport = NULL;
}
