#include "provider.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/engine.h"
#include "net/tls_mint.h"
#include "tests/support/test.h"

/* --- the provider's side --------------------------------------------------------------------- */

/* Whether a head and the body that it announces are there. */
static bool has_request(struct moot_view got)
{
    static const char length[] = "Content-Length: ";
    struct moot_view end = MOOT_VIEW("\r\n\r\n");
    for (size_t i = 0; i + end.len <= got.len; i++) {
        if (memcmp(got.ptr + i, end.ptr, end.len) != 0)
            continue;
        uint64_t body = 0;
        for (size_t k = 0; k + sizeof length < i; k++)
            if (memcmp(got.ptr + k, length, sizeof length - 1) == 0)
                for (k += sizeof length - 1; got.ptr[k] >= '0' && got.ptr[k] <= '9'; k++)
                    body = body * 10 + (uint64_t)(got.ptr[k] - '0');
        return got.len - i - end.len >= body;
    }
    return false;
}

static void on_ready(struct moot_stream *stream, unsigned ready)
{
    struct provider_peer *peer = stream->owner;
    char data[4096];
    assert_true(ready & MOOT_READABLE);
    for (;;) {
        ptrdiff_t n = moot__stream_read(stream, data, sizeof data);
        if (n == MOOT_EAGAIN)
            break;
        if (n <= 0) {
            moot__stream_want(stream, 0);
            return;
        }
        assert_int_equal(moot__buf_append(&peer->got, data, (size_t)n), MOOT_OK);
    }
    if (has_request(moot__buf_view(&peer->got)))
        peer->asked = 1;
}

static void attach(struct provider_peer *peer, struct moot_stream *stream)
{
    peer->stream = stream;
    stream->owner = peer;
    stream->on_ready = on_ready;
    moot__stream_want(stream, MOOT_READABLE);
}

static void on_shaken(struct moot_tls_handshake *shake)
{
    struct provider_peer *peer = shake->owner;
    assert_non_null(shake->stream);
    attach(peer, shake->stream);
}

static void on_accept(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    struct provider *provider = acceptor->owner;
    struct provider_peer *peer = &provider->peer;
    assert_null(peer->stream);
    moot__buf_reset(&peer->got);
    peer->asked = 0;
    peer->lower = stream;
    if (!provider->tls) {
        attach(peer, stream);
        return;
    }
    peer->shake = (struct moot_tls_handshake){.on_done = on_shaken, .owner = peer};
    assert_int_equal(moot__tls_accept(&peer->shake, provider->tls, stream, 0), MOOT_OK);
}

static void send_pieces(struct provider *provider, struct moot_view bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.len && !provider->outcome.done;) {
        size_t most = 1 + (size_t)moot__rng_below(&provider->net.rng, piece);
        size_t len = bytes.len - at < most ? bytes.len - at : most;
        ptrdiff_t n = moot__stream_write(provider->peer.stream, bytes.ptr + at, len);
        if (n == MOOT_ERESET)
            return; /* the engine had enough */
        assert_true(n > 0 || n == MOOT_EAGAIN);
        at += n > 0 ? (size_t)n : 0;
        memnet_run_idle(&provider->net);
    }
}

static void hang_up(struct provider *provider, bool is_reset)
{
    struct provider_peer *peer = &provider->peer;
    if (!peer->stream)
        return;
    provider->net.chunk_max = 0; /* a close_notify is written once, whole or in part */
    if (is_reset)
        moot__stream_abort(peer->stream);
    else
        moot__stream_close(peer->stream);
    peer->stream = NULL;
}

void provider_answer(struct provider *provider, struct moot_view bytes, size_t piece,
                     enum provider_end end)
{
    assert_true(memnet_run_until(&provider->net, &provider->peer.asked, 1));
    send_pieces(provider, bytes, piece);
    if (end == PROVIDER_DIRTY_FIN && !provider->outcome.done)
        memnet_send_fin(provider->peer.lower);
    else if (end != PROVIDER_SILENCE)
        hang_up(provider, end == PROVIDER_RESET);
    provider_finish(provider);
    hang_up(provider, true);
    memnet_run_idle(&provider->net);
}

/* --- the engine's side ----------------------------------------------------------------------- */

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "TEST_KEY") == 0 ? "key/0123456789abcdef" : NULL;
}

static void load_plan(struct provider *provider, const char *type)
{
    char text[1024];
    snprintf(text, sizeof text,
             "models:\n"
             "  oracle: {endpoint: model-a, instruction: You know.}\n"
             "flow: [oracle]\n"
             "providers:\n"
             "  default: {type: %s, base_url: '%s://127.0.0.1:4433', api_key: env:TEST_KEY,\n"
             "            retry: {max_attempts: 1},\n"
             "            timeouts: {connect: 1s, first_byte: 2s, idle: 3s, total: 600s}}\n",
             type, provider->tls ? "https" : "http");
    struct moot_plan_options options = {
        .size = sizeof options,
        .path = "test.yaml",
        .text = moot__view_str(text),
        .environment = environment,
    };
    struct moot_error_info info;
    if (moot_plan_load(&options, &provider->plan, &info))
        fail_msg("%u:%u: %s", info.line, info.column, info.message);
}

void provider_open(struct provider *provider, const char *type, const struct tls_fixture *fixture,
                   const char *ca_file)
{
    memset(provider, 0, sizeof *provider);
    memnet_init(&provider->net, NULL);
    struct moot_transport *transport = &provider->net.transport;
    if (fixture)
        assert_int_equal(
            moot__tls_server_new(transport, fixture->identity, MOOT_TLS_DEFAULT, &provider->tls),
            MOOT_OK);
    provider->peer.provider = provider;
    moot__buf_init(&provider->peer.got, NULL, 1 << 16);
    moot__buf_init(&provider->outcome.text, NULL, 1 << 20);
    moot__buf_init(&provider->outcome.tokens, NULL, 1 << 20);
    provider->acceptor.on_accept = on_accept;
    provider->acceptor.owner = provider;
    struct moot_address any = {.bytes = {127, 0, 0, 1}};
    assert_int_equal(transport->ops->listen(transport, &any, &provider->acceptor), MOOT_OK);
    load_plan(provider, type);
    struct moot_engine_options options = {
        .size = sizeof options, .plan = provider->plan, .ca_file = ca_file};
    struct moot_error_info info;
    if (moot__engine_new_on(transport, &options, &provider->engine, &info))
        fail_msg("%s", info.message);
}

static void on_closed(void *data)
{
    ++*(int *)data;
}

void provider_close(struct provider *provider)
{
    provider->engine->on_closed = on_closed;
    provider->engine->on_closed_data = &provider->closed;
    moot__engine_close_here(provider->engine);
    memnet_run_idle(&provider->net);
    assert_int_equal(provider->closed, 1);
    moot_plan_unref(provider->plan);
    moot__tls_server_free(provider->tls);
    moot__buf_deinit(&provider->peer.got);
    moot__buf_deinit(&provider->outcome.text);
    moot__buf_deinit(&provider->outcome.tokens);
    memnet_run_idle(&provider->net);
    memnet_deinit(&provider->net);
}

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    (void)conversation;
    struct provider_outcome *outcome = data;
    if (event->type == MOOT_EVENT_TOKENS)
        assert_int_equal(moot__buf_append_view(&outcome->tokens, event->text), MOOT_OK);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *result,
                    void *data)
{
    (void)conversation;
    struct provider_outcome *outcome = data;
    outcome->done++;
    outcome->error = result->error;
    outcome->possible_duplicate = result->possible_duplicate;
    assert_int_equal(moot__buf_append_view(&outcome->text, result->text), MOOT_OK);
}

void provider_ask(struct provider *provider, bool is_stream)
{
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why?")};
    struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = is_stream,
        .on_event = on_event,
        .on_done = on_done,
        .data = &provider->outcome,
    };
    struct moot_conversation *conversation;
    provider->outcome.done = 0;
    provider->peer.asked = 0;
    moot__buf_reset(&provider->outcome.text);
    moot__buf_reset(&provider->outcome.tokens);
    assert_int_equal(moot_conversation_begin(provider->engine, &options, &conversation), MOOT_OK);
}

void provider_finish(struct provider *provider)
{
    assert_true(memnet_run_until(&provider->net, &provider->outcome.done, 1));
    memnet_run_idle(&provider->net);
    assert_int_equal(provider->outcome.done, 1);
}
