#include "pair.h"

#include "test.h"

static void on_server_ready(struct moot_stream *stream, unsigned ready)
{
    (void)ready;
    ((struct test_pair *)stream->owner)->server_ready++;
}

static void on_client_ready(struct moot_stream *stream, unsigned ready)
{
    struct test_pair *pair = stream->owner;
    pair->client_ready++;
    pair->client_bits |= ready;
}

static void on_accept(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    struct test_pair *pair = acceptor->owner;
    stream->owner = pair;
    stream->on_ready = on_server_ready;
    if (pair->accepted++ == 0)
        pair->server = stream;
    else
        moot__stream_abort(stream);
    if (pair->accepted == pair->accepts_max)
        pair->test->transport->ops->unlisten(pair->test->transport, acceptor);
}

static const struct moot_address loopback = {.bytes = {127, 0, 0, 1}};

void test_pair_listen(struct test_pair *pair, struct test_loop *test)
{
    *pair = (struct test_pair){.test = test, .acceptor = {.on_accept = on_accept}};
    pair->acceptor.owner = pair;
    struct moot_transport *transport = test->transport;
    assert_int_equal(transport->ops->listen(transport, &loopback, &pair->acceptor), MOOT_OK);
    assert_int_not_equal(pair->acceptor.address.port, 0);
}

struct moot_stream *test_pair_connect(struct test_pair *pair, const struct moot_address *address)
{
    struct moot_transport *transport = pair->test->transport;
    struct moot_stream *stream;
    assert_int_equal(transport->ops->connect(transport, address, &stream), MOOT_OK);
    stream->owner = pair;
    stream->on_ready = on_client_ready;
    return stream;
}

void test_pair_make(struct test_pair *pair, struct test_loop *test)
{
    test_pair_listen(pair, test);
    pair->client = test_pair_connect(pair, &pair->acceptor.address);
    moot__stream_want(pair->client, MOOT_WRITABLE);
    assert_int_equal(pair->client_ready, 0);
    assert_true(test_loop_run_until_count(test, &pair->client_ready, 1));
    assert_true(test_loop_run_until_count(test, &pair->accepted, 1));
    char detail[64];
    assert_int_equal(test->transport->ops->connect_result(pair->client, detail, sizeof detail),
                     MOOT_OK);
    moot__stream_want(pair->client, 0);
    pair->client_ready = 0;
    pair->client_bits = 0;
    test->transport->ops->unlisten(test->transport, &pair->acceptor);
}
