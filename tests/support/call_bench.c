#include "call_bench.h"

#include "engine/base/check.h"
#include "test.h"

/* --- the server's side ----------------------------------------------------------------------- */

static void read_all(struct call_peer *peer)
{
    char data[4096];
    for (;;) {
        ptrdiff_t n = moot__stream_read(peer->stream, data, sizeof data);
        if (n == MOOT_EAGAIN)
            return;
        if (n <= 0) {
            peer->ended = true;
            moot__stream_want(peer->stream, 0);
            return;
        }
        for (ptrdiff_t i = 0; i < n; i++, peer->got_bytes++)
            if (peer->got_bytes + 1 < sizeof peer->got)
                peer->got[peer->got_bytes] = data[i];
    }
}

static void on_peer_ready(struct moot_stream *stream, unsigned ready)
{
    assert_true(ready & MOOT_READABLE);
    read_all(stream->owner);
}

static void attach(struct call_peer *peer, struct moot_stream *stream)
{
    peer->stream = stream;
    stream->owner = peer;
    stream->on_ready = on_peer_ready;
    moot__stream_want(stream, peer->bench->deaf ? 0 : MOOT_READABLE);
}

static void on_shaken(struct moot_tls_handshake *shake)
{
    struct call_peer *peer = shake->owner;
    if (shake->stream)
        attach(peer, shake->stream);
}

static void on_accept(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    struct call_bench *bench = acceptor->owner;
    assert_true(bench->peer_count < CALL_PEERS_MAX);
    struct call_peer *peer = &bench->peers[bench->peer_count++];
    *peer = (struct call_peer){.bench = bench, .lower = stream};
    if (!bench->tls_server) {
        attach(peer, stream);
        return;
    }
    peer->shake.on_done = on_shaken;
    peer->shake.owner = peer;
    assert_int_equal(moot__tls_accept(&peer->shake, bench->tls_server, stream, 0), MOOT_OK);
}

void call_say_bytes(struct call_bench *bench, unsigned index, const void *bytes, size_t len)
{
    assert_true(index < bench->peer_count && bench->peers[index].stream);
    for (size_t done = 0; done < len;) {
        ptrdiff_t n =
            moot__stream_write(bench->peers[index].stream, (const char *)bytes + done, len - done);
        assert_true(n > 0 || n == MOOT_EAGAIN);
        done += n > 0 ? (size_t)n : 0;
        memnet_run_idle(&bench->net);
    }
}

void call_say(struct call_bench *bench, unsigned index, const char *text)
{
    call_say_bytes(bench, index, text, strlen(text));
}

void call_hang_up(struct call_bench *bench, unsigned index)
{
    struct call_peer *peer = &bench->peers[index];
    if (peer->stream)
        moot__stream_close(peer->stream);
    else
        moot__tls_handshake_cancel(&peer->shake);
    peer->stream = NULL;
    memnet_run_idle(&bench->net);
}

/* --- the bench ------------------------------------------------------------------------------- */

bool call_bench_try_init(struct call_bench *bench, const struct moot_allocator *allocator,
                         const struct tls_fixture *fixture)
{
    memset(bench, 0, sizeof *bench);
    memnet_init(&bench->net, allocator);
    struct moot_transport *transport = &bench->net.transport;
    if (fixture) {
        assert_int_equal(
            moot__tls_client_new(transport, fixture->trust, MOOT_TLS_DEFAULT, &bench->tls_client),
            MOOT_OK);
        assert_int_equal(moot__tls_server_new(transport, fixture->identity, MOOT_TLS_DEFAULT,
                                              &bench->tls_server),
                         MOOT_OK);
    }
    moot__dns_init(&bench->dns, transport);
    bench->acceptor.on_accept = on_accept;
    bench->acceptor.owner = bench;
    struct moot_address any = {.bytes = {127, 0, 0, 1}};
    assert_int_equal(transport->ops->listen(transport, &any, &bench->acceptor), MOOT_OK);
    return moot__pool_init(&bench->pool, transport, &bench->dns, bench->tls_client) == MOOT_OK;
}

void call_bench_init(struct call_bench *bench, const struct tls_fixture *fixture)
{
    assert_true(call_bench_try_init(bench, NULL, fixture));
}

void call_bench_deinit(struct call_bench *bench)
{
    moot__pool_deinit(&bench->pool);
    moot__dns_deinit(&bench->dns);
    memnet_run_idle(&bench->net);
    for (unsigned i = 0; i < bench->peer_count; i++)
        call_hang_up(bench, i);
    moot__tls_client_free(bench->tls_client);
    moot__tls_server_free(bench->tls_server);
    memnet_run_idle(&bench->net);
    memnet_deinit(&bench->net);
}

struct moot_origin *call_bench_origin(struct call_bench *bench, const char *url, const char *proxy)
{
    struct moot_origin_spec spec = {.proxy = moot__view_str(proxy)};
    assert_int_equal(moot__url_parse(moot__view_str(url), 0, &spec.url, NULL), MOOT_OK);
    struct moot_origin *origin;
    assert_int_equal(moot__pool_origin(&bench->pool, &spec, &origin), MOOT_OK);
    return origin;
}

/* --- calls ----------------------------------------------------------------------------------- */

static int on_head(struct moot_call *call, const struct moot_http1_head *head)
{
    struct call_probe *probe = moot__container_of(call, struct call_probe, call);
    assert_int_equal(probe->dones, 0);
    assert_int_equal(call->status, head->status);
    probe->heads++;
    if (probe->in_head)
        probe->in_head(probe);
    return probe->head_result;
}

static int on_body(struct moot_call *call, struct moot_view data)
{
    struct call_probe *probe = moot__container_of(call, struct call_probe, call);
    assert_int_equal(probe->heads, 1);
    assert_int_equal(probe->dones, 0);
    assert_true(data.len > 0);
    probe->bodies++;
    for (size_t i = 0; i < data.len; i++, probe->body_bytes++)
        if (probe->body_bytes + 1 < sizeof probe->body)
            probe->body[probe->body_bytes] = data.ptr[i];
    if (probe->in_body)
        probe->in_body(probe);
    return probe->body_result;
}

static void on_done(struct moot_call *call)
{
    struct call_probe *probe = moot__container_of(call, struct call_probe, call);
    probe->dones++;
    assert_int_equal(probe->dones, 1);
    assert_false(moot__call_is_under_way(call));
    assert_null(call->out.data);
    if (probe->in_done)
        probe->in_done(probe);
}

struct moot_call_request call_request(struct moot_origin *origin)
{
    return (struct moot_call_request){
        .origin = origin, .method = MOOT_VIEW("GET"), .target = MOOT_VIEW("/x")};
}

int call_start(struct call_bench *bench, struct call_probe *probe,
               const struct moot_call_request *request)
{
    probe->bench = bench;
    probe->heads = probe->bodies = probe->dones = 0;
    probe->body_bytes = 0;
    memset(probe->body, 0, sizeof probe->body);
    probe->call.on_head = on_head;
    probe->call.on_body = on_body;
    probe->call.on_done = on_done;
    int rc = moot__call_start(&probe->call, &bench->pool, request);
    assert_int_equal(probe->heads + probe->dones, 0); /* never from within */
    assert_true(moot__call_is_under_way(&probe->call) == (rc == MOOT_OK));
    return rc;
}

void call_expect(struct call_bench *bench, struct call_probe *probe, int code)
{
    memnet_run_idle(&bench->net);
    assert_int_equal(probe->dones, 1);
    if (probe->call.error.code != code)
        fail_msg("%s: %s", moot_error_name(probe->call.error.code), probe->call.error.message);
    assert_true(code == MOOT_OK || probe->call.error.message[0]);
}

void call_expect_at(struct call_bench *bench, struct call_probe *probe, int code, uint64_t span_ns)
{
    assert_true(memnet_run_until(&bench->net, &probe->dones, 1));
    call_expect(bench, probe, code);
    uint64_t took_ns = probe->call.times.ended_ns - probe->call.times.started_ns;
    assert_in_range(took_ns, span_ns, span_ns + 100 * MOOT_NS_PER_US);
}
