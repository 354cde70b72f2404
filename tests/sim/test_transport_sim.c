/* What the simulated transport adds to the contract: one seed is one run, faults come as asked for,
 * and nothing that travels is lost, doubled or turned round. */
#include "tests/support/test.h"

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "tests/support/failing_alloc.h"
#include "transport_sim.h"

enum { MESSAGE_BYTES = 300 * 1000 };

/* A client on one host sends a message to a server on another, which sends it back. */
struct echo {
    struct moot_sim *sim;
    struct moot_failing_alloc memory;
    struct moot_transport *hosts[2]; /* client, server */
    struct moot_acceptor acceptor;
    struct moot_stream *client, *server;
    unsigned char *message, *waiting; /* waiting: at the server, not yet sent back */
    size_t sent, received, waiting_len;
    int outcome; /* 1 until the client knows: MOOT_OK, or the error */
    bool server_ended, is_closed[2];
    bool is_wrong; /* bytes came back that were not sent */
};

static void on_server_ready(struct moot_stream *stream, unsigned ready)
{
    struct echo *echo = stream->owner;
    ptrdiff_t n = MOOT_EAGAIN;
    if ((ready & MOOT_READABLE) && echo->waiting_len < MESSAGE_BYTES)
        n = moot__stream_read(stream, echo->waiting + echo->waiting_len,
                              MESSAGE_BYTES - echo->waiting_len);
    if (n == 0 || (n < 0 && n != MOOT_EAGAIN)) {
        moot__stream_close(stream);
        echo->server = NULL;
        echo->server_ended = true;
        return;
    }
    echo->waiting_len += n > 0 ? (size_t)n : 0;
    if (echo->waiting_len > 0) {
        n = moot__stream_write(stream, echo->waiting, echo->waiting_len);
        if (n > 0) {
            echo->waiting_len -= (size_t)n;
            memmove(echo->waiting, echo->waiting + n, echo->waiting_len);
        }
    }
    moot__stream_want(stream, MOOT_READABLE | (echo->waiting_len ? MOOT_WRITABLE : 0u));
}

static void on_accept(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    struct echo *echo = acceptor->owner;
    echo->server = stream;
    stream->owner = echo;
    stream->on_ready = on_server_ready;
    moot__stream_want(stream, MOOT_READABLE);
}

static void client_end(struct echo *echo, int outcome)
{
    moot__stream_close(echo->client);
    echo->client = NULL;
    echo->outcome = outcome;
}

static void on_client_ready(struct moot_stream *stream, unsigned ready)
{
    struct echo *echo = stream->owner;
    unsigned char data[5000];
    ptrdiff_t n =
        ready & MOOT_READABLE ? moot__stream_read(stream, data, sizeof data) : MOOT_EAGAIN;
    if (n == 0 || (n < 0 && n != MOOT_EAGAIN)) {
        client_end(echo, n == 0 ? MOOT_ETRUNCATED : (int)n);
        return;
    }
    if (n > 0) {
        echo->is_wrong |= (size_t)n > echo->sent - echo->received ||
                          memcmp(data, echo->message + echo->received, (size_t)n) != 0;
        echo->received += (size_t)n;
    }
    if (echo->received == MESSAGE_BYTES) {
        client_end(echo, MOOT_OK);
        return;
    }
    if ((ready & MOOT_WRITABLE) && echo->sent < MESSAGE_BYTES) {
        n = moot__stream_write(stream, echo->message + echo->sent, MESSAGE_BYTES - echo->sent);
        if (n < 0 && n != MOOT_EAGAIN) {
            client_end(echo, (int)n);
            return;
        }
        echo->sent += n > 0 ? (size_t)n : 0;
    }
    moot__stream_want(stream, MOOT_READABLE | (echo->sent < MESSAGE_BYTES ? MOOT_WRITABLE : 0u));
}

static void echo_begin(struct echo *echo, const struct moot_sim_options *options)
{
    *echo = (struct echo){.outcome = 1};
    moot__failing_alloc_init(&echo->memory, 0);
    struct moot_sim_options with_memory = *options;
    with_memory.allocator = &echo->memory.allocator;
    assert_int_equal(moot__sim_new(&with_memory, &echo->sim), MOOT_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(moot__sim_host_new(echo->sim, &echo->memory.allocator, &echo->hosts[i]),
                         MOOT_OK);
    echo->message = moot__alloc(NULL, MESSAGE_BYTES);
    echo->waiting = moot__alloc(NULL, MESSAGE_BYTES);
    struct moot_rng rng;
    moot__rng_init(&rng, options->seed);
    for (size_t i = 0; i < MESSAGE_BYTES; i++)
        echo->message[i] = (unsigned char)moot__rng_next(&rng);
    const struct moot_address any = {.bytes = {127, 0, 0, 1}};
    echo->acceptor = (struct moot_acceptor){.on_accept = on_accept, .owner = echo};
    assert_int_equal(echo->hosts[1]->ops->listen(echo->hosts[1], &any, &echo->acceptor), MOOT_OK);
    assert_int_equal(
        echo->hosts[0]->ops->connect(echo->hosts[0], &echo->acceptor.address, &echo->client),
        MOOT_OK);
    echo->client->owner = echo;
    echo->client->on_ready = on_client_ready;
    moot__stream_want(echo->client, MOOT_WRITABLE);
}

static bool is_decided(void *context)
{
    return ((struct echo *)context)->outcome != 1;
}

static void on_closed(void *data)
{
    *(bool *)data = true;
}

static bool are_closed(void *context)
{
    const struct echo *echo = context;
    return echo->is_closed[0] && echo->is_closed[1];
}

static const struct moot_sim_bound hour = {.until_ns = 3600 * MOOT_NS_PER_S, .steps = 10000000};

static void echo_end(struct echo *echo)
{
    for (size_t i = 0; i < 2; i++)
        moot__sim_host_close(echo->hosts[i], on_closed, &echo->is_closed[i]);
    assert_true(moot__sim_run_until(echo->sim, are_closed, echo, hour));
    moot__sim_free(echo->sim);
    moot__free(NULL, echo->message);
    moot__free(NULL, echo->waiting);
    assert_int_equal(moot__failing_alloc_live(&echo->memory), 0);
}

static const struct moot_sim_options rough = {
    .segment_bytes_max = 3000,
    .window_bytes = 7000,
    .faults = {.short_read = 300000, .short_write = 300000},
};

static uint64_t hash_of_run(uint64_t seed)
{
    struct echo echo;
    struct moot_sim_options options = rough;
    options.seed = seed;
    echo_begin(&echo, &options);
    assert_true(moot__sim_run_until(echo.sim, is_decided, &echo, hour));
    assert_int_equal(echo.outcome, MOOT_OK);
    assert_false(echo.is_wrong);
    uint64_t hash = moot__sim_hash(echo.sim);
    echo_end(&echo);
    return hash;
}

static void bytes_survive_every_cut_and_one_seed_is_one_run(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t hash = hash_of_run(seed);
        assert_int_equal(hash, hash_of_run(seed));
        assert_int_not_equal(hash, before);
        before = hash;
    }
}

static void faults_end_in_errors_and_never_in_wrong_bytes(void **state)
{
    (void)state;
    unsigned ok = 0, reset = 0, cut = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct echo echo;
        struct moot_sim_options options = rough;
        options.seed = seed;
        options.faults.reset = options.faults.silence = options.faults.stall = 200;
        options.faults.stall_ns_max = 60 * MOOT_NS_PER_S;
        echo_begin(&echo, &options);
        assert_true(moot__sim_run_until(echo.sim, is_decided, &echo, hour));
        ok += echo.outcome == MOOT_OK;
        reset += echo.outcome == MOOT_ERESET;
        cut += echo.outcome == MOOT_ETRUNCATED;
        assert_false(echo.is_wrong);
        echo_end(&echo);
    }
    assert_int_equal(ok + reset + cut, 100);
    assert_true(ok > 5 && reset > 5);
}

/* Somebody between ends it for both, or forgets it: whoever sends next is told. */
static void connections_are_cut_between(void **state)
{
    (void)state;
    unsigned fins = 0, resets = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct echo echo;
        struct moot_sim_options options = rough;
        options.seed = seed;
        options.faults.fin = seed % 2 ? 1000 : 0;
        options.faults.forget = seed % 2 ? 0 : 1000;
        echo_begin(&echo, &options);
        assert_true(moot__sim_run_until(echo.sim, is_decided, &echo, hour));
        assert_false(echo.is_wrong);
        fins += echo.outcome == MOOT_ETRUNCATED;
        resets += echo.outcome == MOOT_ERESET;
        assert_true(seed % 2 || echo.outcome != MOOT_ETRUNCATED);
        echo_end(&echo);
    }
    assert_true(fins > 3 && resets > 10);
}

static void corrupted_bytes_are_counted(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct echo echo;
        struct moot_sim_options options = rough;
        options.seed = seed;
        options.faults.corrupt = 3000;
        echo_begin(&echo, &options);
        assert_true(moot__sim_run_until(echo.sim, is_decided, &echo, hour));
        assert_int_equal(echo.outcome, MOOT_OK);
        assert_true(!echo.is_wrong || moot__sim_corruptions(echo.sim) > 0);
        echo_end(&echo);
    }
}

/* Wake-ups for nothing and refusals for nothing cost time, and no byte. */
static void false_alarms_lose_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct echo echo;
        struct moot_sim_options options = rough;
        options.seed = seed;
        options.faults.early_again = 600000;
        options.faults.spurious = 300000;
        echo_begin(&echo, &options);
        assert_true(moot__sim_run_until(echo.sim, is_decided, &echo, hour));
        assert_int_equal(echo.outcome, MOOT_OK);
        assert_false(echo.is_wrong);
        echo_end(&echo);
    }
}

static int connect_outcome(const struct moot_sim_faults *faults, uint64_t *took_ns)
{
    struct echo echo;
    echo_begin(&echo, &(struct moot_sim_options){.seed = 3, .faults = *faults});
    assert_true(moot__sim_run_until(echo.sim, is_decided, &echo, hour));
    int outcome = echo.outcome;
    *took_ns = moot__sim_now_ns(echo.sim);
    echo_end(&echo);
    return outcome;
}

static void connections_are_refused_or_unanswered(void **state)
{
    (void)state;
    uint64_t took_ns;
    assert_int_equal(connect_outcome(&(struct moot_sim_faults){.refuse = 1000000}, &took_ns),
                     MOOT_ECONNECT);
    assert_true(took_ns < 2 * MOOT_NS_PER_S);
    assert_int_equal(connect_outcome(&(struct moot_sim_faults){.unanswered = 1000000}, &took_ns),
                     MOOT_ECONNECT);
    assert_in_range(took_ns, 120 * MOOT_NS_PER_S, 140 * MOOT_NS_PER_S);
}

/* Closing with bytes unread must not look like a clean end. */
static void unread_bytes_turn_the_end_into_a_reset(void **state)
{
    (void)state;
    struct echo echo;
    echo_begin(&echo, &(struct moot_sim_options){.seed = 4});
    while (!echo.server || echo.sent == 0)
        assert_true(moot__sim_step(echo.sim));
    moot__stream_want(echo.server, 0);
    for (int i = 0; i < 200; i++)
        moot__sim_step(echo.sim);
    moot__stream_close(echo.server);
    assert_true(moot__sim_run_until(echo.sim, is_decided, &echo, hour));
    assert_int_equal(echo.outcome, MOOT_ERESET);
    echo_end(&echo);
}

struct question {
    struct moot_resolve resolve;
    int done;
};

static void on_resolved(struct moot_resolve *resolve)
{
    moot__container_of(resolve, struct question, resolve)->done++;
}

static bool is_resolved(void *context)
{
    return ((struct question *)context)->done > 0;
}

static void names_are_what_the_script_says(void **state)
{
    (void)state;
    struct moot_sim *sim;
    struct moot_transport *host;
    bool is_closed = false;
    assert_int_equal(moot__sim_new(&(struct moot_sim_options){.seed = 5}, &sim), MOOT_OK);
    assert_int_equal(moot__sim_host_new(sim, NULL, &host), MOOT_OK);
    assert_true(moot__sim_name(sim, "api.test", "::1 10.0.0.7"));
    assert_true(moot__sim_name(sim, "gone.test", ""));
    assert_false(moot__sim_name(sim, "bad.test", "10.0.0"));
    const char *const hosts[] = {"api.test", "gone.test", "never.test", "::1"};
    const unsigned counts[] = {2, 0, 0, 1};
    for (size_t i = 0; i < 4; i++) {
        struct question question = {.resolve = {.on_done = on_resolved, .port = 80}};
        moot__view_copy(moot__view_str(hosts[i]), question.resolve.host, 256);
        assert_int_equal(host->ops->resolve(host, &question.resolve), MOOT_OK);
        assert_true(moot__sim_run_until(sim, is_resolved, &question, hour));
        assert_int_equal(question.resolve.count, counts[i]);
        assert_int_equal(question.resolve.status, counts[i] ? MOOT_OK : MOOT_EDNS);
        assert_true(counts[i] == 0 || question.resolve.addresses[0].port == 80);
    }
    moot__sim_set_faults(sim, &(struct moot_sim_faults){.dns_hang = 1000000});
    struct question hanging = {.resolve = {.on_done = on_resolved, .host = "localhost"}};
    uint64_t before_ns = moot__sim_now_ns(sim);
    assert_int_equal(host->ops->resolve(host, &hanging.resolve), MOOT_OK);
    assert_true(moot__sim_run_until(sim, is_resolved, &hanging, hour));
    assert_int_equal(hanging.resolve.status, MOOT_EDNS);
    assert_true(moot__sim_now_ns(sim) - before_ns > 30 * MOOT_NS_PER_S);
    moot__sim_set_faults(sim, &(struct moot_sim_faults){.dns_empty = 1000000});
    struct question empty = {.resolve = {.on_done = on_resolved, .host = "localhost"}};
    assert_int_equal(host->ops->resolve(host, &empty.resolve), MOOT_OK);
    assert_true(moot__sim_run_until(sim, is_resolved, &empty, hour));
    assert_int_equal(empty.resolve.status, MOOT_EDNS);
    moot__sim_set_faults(sim, &(struct moot_sim_faults){.dns_dead = 1000000});
    struct question dead = {.resolve = {.on_done = on_resolved, .host = "localhost"}};
    assert_int_equal(host->ops->resolve(host, &dead.resolve), MOOT_OK);
    assert_true(moot__sim_run_until(sim, is_resolved, &dead, hour));
    assert_int_equal(dead.resolve.status, MOOT_OK);
    assert_int_equal(dead.resolve.addresses[0].bytes[1], 66);
    moot__sim_host_close(host, on_closed, &is_closed);
    while (!is_closed)
        assert_true(moot__sim_step(sim));
    assert_false(moot__sim_step(sim)); /* nothing is left that could ever happen */
    moot__sim_free(sim);
}

static void the_wall_clock_jumps_and_time_goes_on(void **state)
{
    (void)state;
    struct moot_sim *sim;
    struct moot_transport *host;
    bool is_closed = false;
    assert_int_equal(moot__sim_new(&(struct moot_sim_options){.seed = 6}, &sim), MOOT_OK);
    assert_int_equal(moot__sim_host_new(sim, NULL, &host), MOOT_OK);
    uint64_t wall_ns = moot__wall_ns(host), now_ns = moot__now_ns(host);
    moot__sim_jump_wall(sim, -86400);
    assert_true(moot__wall_ns(host) == wall_ns - 86400 * MOOT_NS_PER_S);
    moot__sim_jump_wall(sim, 86400 + 5);
    assert_true(moot__wall_ns(host) == wall_ns + 5 * MOOT_NS_PER_S);
    assert_true(moot__now_ns(host) == now_ns);
    moot__sim_host_close(host, on_closed, &is_closed);
    while (!is_closed)
        assert_true(moot__sim_step(sim));
    moot__sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_survive_every_cut_and_one_seed_is_one_run),
        cmocka_unit_test(faults_end_in_errors_and_never_in_wrong_bytes),
        cmocka_unit_test(connections_are_cut_between),
        cmocka_unit_test(corrupted_bytes_are_counted),
        cmocka_unit_test(false_alarms_lose_nothing),
        cmocka_unit_test(connections_are_refused_or_unanswered),
        cmocka_unit_test(unread_bytes_turn_the_end_into_a_reset),
        cmocka_unit_test(names_are_what_the_script_says),
        cmocka_unit_test(the_wall_clock_jumps_and_time_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
