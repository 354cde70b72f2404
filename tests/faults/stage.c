#include "stage.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/engine.h"
#include "tests/support/test.h"

#define HEALTHY_STREAM                                                                             \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"     \
    "57\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Because.\"},"                 \
    "\"finish_reason\":\"stop\"}]}\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
#define HEALTHY_BODY                                                                               \
    "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Because.\"},"    \
    "\"finish_reason\":\"stop\"}]}"

/* --- what is sent ---------------------------------------------------------------------------- */

static void put(struct moot_buf *buf, struct moot_view text)
{
    assert_int_equal(moot__buf_append_view(buf, text), MOOT_OK);
}

/* "@3*ab@" is "ababab". */
static void put_repeating(struct moot_buf *buf, struct moot_view text)
{
    for (bool is_repeated = false; text.len > 0; is_repeated = !is_repeated) {
        size_t at = moot__view_find(text, '@', 0);
        struct moot_view part = {text.ptr, at};
        uint64_t times = 1;
        if (is_repeated) {
            size_t star = moot__view_find(part, '*', 0);
            assert_true(moot__view_to_u64(moot__view(part.ptr, star), &times));
            part = moot__view(part.ptr + star + 1, part.len - star - 1);
        }
        for (uint64_t i = 0; i < times; i++)
            put(buf, part);
        size_t taken = at < text.len ? at + 1 : at;
        text = moot__view(text.ptr + taken, text.len - taken);
    }
}

static void put_message(struct moot_buf *out, const char *status, const char *headers,
                        struct moot_view body)
{
    char head[1024];
    struct moot_buf text;
    moot__buf_init(&text, NULL, 128 << 20);
    put_repeating(&text, body);
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status,
                     headers ? headers : "", text.len);
    assert_in_range(n, 1, (int)sizeof head - 1);
    put(out, moot__view(head, (size_t)n));
    put(out, moot__buf_view(&text));
    moot__buf_deinit(&text);
}

static void put_healthy(struct moot_buf *out, bool is_stream)
{
    if (is_stream)
        put(out, MOOT_VIEW(HEALTHY_STREAM));
    else
        put_message(out, "200 OK", "Content-Type: application/json\r\n", MOOT_VIEW(HEALTHY_BODY));
}

/* --- the provider ---------------------------------------------------------------------------- */

static void peer_free(struct stage_peer *peer, bool is_reset)
{
    moot__timer_stop(peer->stage->loop.transport, &peer->timer);
    if (is_reset)
        moot__stream_abort(peer->stream);
    else
        moot__stream_close(peer->stream);
    moot__list_remove(&peer->node);
    moot__buf_deinit(&peer->got);
    moot__buf_deinit(&peer->out);
    moot__free(NULL, peer);
}

/* What is out is out: end as the case says. False: the peer is gone. */
static bool end_if_due(struct stage_peer *peer)
{
    if (!peer->is_ending || peer->sent < peer->out.len)
        return true;
    enum fault_end end = peer->stage->fault->end;
    if (end == END_FIN || end == END_RST) {
        peer_free(peer, end == END_RST);
        return false;
    }
    peer->is_silent = end == END_SILENCE;
    peer->is_ending = false;
    return true;
}

/* False: the peer is gone. */
static bool flush(struct stage_peer *peer)
{
    uint64_t drip_ns = peer->is_ending ? peer->stage->fault->drip_ns : 0;
    while (peer->sent < peer->out.len) {
        size_t len = drip_ns ? 1 : peer->out.len - peer->sent;
        ptrdiff_t n = moot__stream_write(peer->stream, peer->out.data + peer->sent, len);
        if (n == MOOT_EAGAIN)
            break;
        if (n < 0) {
            peer_free(peer, true);
            return false;
        }
        peer->sent += (size_t)n;
        if (drip_ns) {
            struct moot_transport *transport = peer->stage->loop.transport;
            moot__timer_start(transport, &peer->timer, moot__now_ns(transport) + drip_ns);
            break;
        }
    }
    bool wants_write = peer->sent < peer->out.len && !drip_ns;
    moot__stream_want(peer->stream, MOOT_READABLE | (wants_write ? MOOT_WRITABLE : 0u));
    return end_if_due(peer);
}

static void on_drip(struct moot_timer *timer)
{
    flush(moot__container_of(timer, struct stage_peer, timer));
}

static bool misbehave(struct stage_peer *peer)
{
    put(&peer->out, moot__buf_view(&peer->stage->answer));
    peer->is_ending = true;
    return flush(peer);
}

static bool has_end(struct stage_peer *peer)
{
    for (; peer->searched + 4 <= peer->got.len; peer->searched++)
        if (memcmp(peer->got.data + peer->searched, "\r\n\r\n", 4) == 0) {
            peer->searched += 4;
            return true;
        }
    return false;
}

/* Requests are counted by the ends of their heads; their bodies hold no empty line, and are in the
 * same read or a later one, which does not matter here. */
static void answer_requests(struct stage_peer *peer)
{
    const struct fault_case *fault = peer->stage->fault;
    while (has_end(peer))
        peer->requests++;
    while (peer->answered < peer->requests && !peer->is_silent) {
        peer->answered++;
        bool is_wrong =
            peer->is_first && ((fault->place == AT_REQUEST && peer->answered == 1) ||
                               (fault->place == AT_SECOND_REQUEST && peer->answered == 2));
        if (is_wrong) {
            if (!misbehave(peer))
                return;
            continue;
        }
        put_healthy(&peer->out, peer->stage->is_stream);
        if (!flush(peer))
            return;
    }
}

static void on_peer_ready(struct moot_stream *stream, unsigned ready)
{
    struct stage_peer *peer = stream->owner;
    char data[16 << 10];
    if (ready & MOOT_WRITABLE && !flush(peer))
        return;
    for (;;) {
        ptrdiff_t n = moot__stream_read(stream, data, sizeof data);
        if (n == MOOT_EAGAIN)
            break;
        if (n <= 0) {
            peer_free(peer, true);
            return;
        }
        put(&peer->got, moot__view(data, (size_t)n));
    }
    if (peer->is_first && peer->stage->fault->place == AT_FIRST_BYTE && peer->got.len > 0 &&
        !peer->is_ending) {
        misbehave(peer);
        return;
    }
    answer_requests(peer);
}

static void on_accept(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    struct stage *stage = acceptor->owner;
    struct stage_peer *peer = moot__calloc(NULL, 1, sizeof *peer);
    assert_non_null(peer);
    peer->stage = stage;
    peer->is_first = stage->connections++ == 0;
    peer->stream = stream;
    stream->owner = peer;
    stream->on_ready = on_peer_ready;
    moot__buf_init(&peer->got, NULL, 1 << 20);
    moot__buf_init(&peer->out, NULL, 128 << 20);
    peer->timer.on_fire = on_drip;
    moot__list_init(&peer->node);
    moot__list_push_back(&stage->peers, &peer->node);
    moot__stream_want(stream, MOOT_READABLE);
    if (peer->is_first && stage->fault->place == AT_ACCEPT)
        misbehave(peer);
}

/* --- the engine ------------------------------------------------------------------------------ */

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "TEST_KEY") == 0 ? STAGE_KEY : NULL;
}

static void load_plan(struct stage *stage, const char *url)
{
    char text[1024], own[64];
    /* What is to come in whole may take its time on a busy machine. */
    const char *total = stage->fault->code == MOOT_OK ? "60s" : "2s";
    snprintf(own, sizeof own, "http://127.0.0.1:%u/v1", (unsigned)stage->acceptor.address.port);
    snprintf(text, sizeof text,
             "models:\n"
             "  oracle: {endpoint: model-a, instruction: You know.}\n"
             "flow: [oracle]\n"
             "providers:\n"
             "  default: {type: openai, base_url: '%s', api_key: env:TEST_KEY,\n"
             "            allow_http: true, retry: {max_attempts: 1},\n"
             "            timeouts: {connect: 300ms, first_byte: 300ms, idle: 300ms, total: %s}}\n",
             url ? url : own, total);
    struct moot_plan_options options = {
        .size = sizeof options,
        .path = "test.yaml",
        .text = moot__view_str(text),
        .environment = environment,
    };
    struct moot_error_info info;
    if (moot_plan_load(&options, &stage->plan, &info))
        fail_msg("%u:%u: %s", info.line, info.column, info.message);
}

void stage_open(struct stage *stage, const struct fault_case *fault, bool is_stream,
                const char *url)
{
    memset(stage, 0, sizeof *stage);
    stage->fault = fault;
    stage->is_stream = is_stream;
    test_loop_init(&stage->loop);
    moot__list_init(&stage->peers);
    moot__buf_init(&stage->answer, NULL, 128 << 20);
    if (fault->status)
        put_message(&stage->answer, fault->status, fault->headers, fault->body);
    else
        put_repeating(&stage->answer, fault->body);
    struct moot_transport *transport = stage->loop.transport;
    stage->acceptor.on_accept = on_accept;
    stage->acceptor.owner = stage;
    struct moot_address loopback = {.bytes = {127, 0, 0, 1}};
    assert_int_equal(transport->ops->listen(transport, &loopback, &stage->acceptor), MOOT_OK);
    load_plan(stage, url);
    struct moot_engine_options options = {.size = sizeof options, .plan = stage->plan};
    struct moot_error_info info;
    if (moot__engine_new_on(transport, &options, &stage->engine, &info))
        fail_msg("%s", info.message);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    (void)conversation;
    struct stage *stage = data;
    stage->done++;
    stage->error = outcome->error;
    stage->possible_duplicate = outcome->possible_duplicate;
    moot__view_copy(outcome->text, stage->text, sizeof stage->text);
}

void stage_ask(struct stage *stage)
{
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why?")};
    struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = stage->is_stream,
        .on_done = on_done,
        .data = stage,
    };
    struct moot_conversation *conversation;
    stage->done = 0;
    assert_int_equal(moot_conversation_begin(stage->engine, &options, &conversation), MOOT_OK);
    assert_true(test_loop_run_until_count(&stage->loop, &stage->done, 1));
    assert_int_equal(stage->done, 1);
}

static void on_closed(void *data)
{
    ++*(int *)data;
}

void stage_close(struct stage *stage)
{
    struct moot_transport *transport = stage->loop.transport;
    stage->engine->on_closed = on_closed;
    stage->engine->on_closed_data = &stage->closed;
    moot__engine_close_here(stage->engine);
    assert_true(test_loop_run_until_count(&stage->loop, &stage->closed, 1));
    moot_plan_unref(stage->plan);
    while (!moot__list_is_empty(&stage->peers))
        peer_free(moot__list_entry(stage->peers.next, struct stage_peer, node), true);
    transport->ops->unlisten(transport, &stage->acceptor);
    moot__buf_deinit(&stage->answer);
    test_loop_deinit(&stage->loop);
}
