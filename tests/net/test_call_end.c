/* How calls end when nobody answers, or nobody listens: every deadline by itself, in virtual time,
 * and a cancel in every phase. TLS too. */
#include "tests/support/test.h"

#include <string.h>

#include "engine/base/check.h"
#include "tests/support/call_bench.h"

#define HEAD_OF_10 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
#define SECOND     MOOT_NS_PER_S

enum stage {
    RESOLVING,
    DIALLING,
    PROXYING,
    SHAKING,
    SENDING,
    WAITING, /* for the first byte */
    IN_HEAD,
    IN_BODY,
    STAGES,
};

static char large[256 << 10];

/* A call that came to a stage, and stays there. */
static void bring_to(enum stage stage, struct call_bench *bench, struct call_probe *probe,
                     const struct moot_call_deadlines *deadlines)
{
    call_bench_init(bench, NULL);
    bench->net.hold_lookups = stage == RESOLVING;
    bench->net.hold_connects = stage == DIALLING;
    bench->net.hold_work = stage == SHAKING;
    bench->deaf = stage == SENDING;
    const char *proxy = stage == PROXYING ? "http://proxy.test:3128" : "";
    struct moot_call_request request =
        call_request(call_bench_origin(bench, "http://name.test", proxy));
    request.deadlines = *deadlines;
    if (stage == SENDING)
        request.body = moot__view(large, sizeof large);
    assert_int_equal(call_start(bench, probe, &request), MOOT_OK);
    memnet_run_idle(&bench->net);
    if (stage == IN_HEAD)
        call_say(bench, 0, "HTTP/1.1 200 OK\r\nContent-");
    if (stage == IN_BODY)
        call_say(bench, 0, HEAD_OF_10 "12345");
    assert_int_equal(probe->dones, 0);
}

struct phase {
    enum moot_phase phase;
    bool sent, possible_duplicate;
};

static const struct phase phases[STAGES] = {
    [RESOLVING] = {MOOT_PHASE_CONNECT, false, false},
    [DIALLING] = {MOOT_PHASE_CONNECT, false, false},
    [PROXYING] = {MOOT_PHASE_CONNECT, false, false},
    [SENDING] = {MOOT_PHASE_SEND, true, true},
    [WAITING] = {MOOT_PHASE_FIRST_BYTE, true, true},
    [IN_HEAD] = {MOOT_PHASE_FIRST_BYTE, true, true},
    [IN_BODY] = {MOOT_PHASE_BODY, true, false},
};

static void check_end(enum stage stage, struct call_bench *bench, struct call_probe *probe)
{
    assert_int_equal(probe->call.error.phase, phases[stage].phase);
    assert_int_equal(probe->call.sent, phases[stage].sent);
    assert_int_equal(probe->call.error.possible_duplicate, phases[stage].possible_duplicate);
    assert_int_equal(bench->pool.open, 0);
    call_bench_deinit(bench);
}

/* Which of four deadlines ends a call that is stuck in a stage; all others are an hour. */
static void one_deadline(enum stage stage, size_t which, bool ends)
{
    static struct call_bench bench;
    static struct call_probe probe;
    uint64_t spans[4] = {3600 * SECOND, 3600 * SECOND, 3600 * SECOND, 3600 * SECOND};
    spans[which] = 7 * SECOND;
    if (!ends)
        spans[3] = 60 * SECOND;
    const struct moot_call_deadlines deadlines = {spans[0], spans[1], spans[2], spans[3]};
    bring_to(stage, &bench, &probe, &deadlines);
    call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, (ends ? 7 : 60) * SECOND);
    check_end(stage, &bench, &probe);
}

static void every_deadline_in_every_stage(void **state)
{
    (void)state;
    static const bool ends[STAGES][4] = {
        [RESOLVING] = {true, false, false, true}, [DIALLING] = {true, false, false, true},
        [PROXYING] = {true, false, false, true},  [SENDING] = {false, true, false, true},
        [WAITING] = {false, true, false, true},   [IN_HEAD] = {false, true, false, true},
        [IN_BODY] = {false, false, true, true},
    };
    for (enum stage stage = 0; stage < STAGES; stage++)
        for (size_t which = 0; which < 4 && stage != SHAKING; which++)
            one_deadline(stage, which, ends[stage][which]);
}

/* The head in two reads, and no other deadline to wake the call. */
static void the_idle_deadline_alone(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    const struct moot_call_deadlines deadlines = {.idle_ns = 2 * SECOND};
    bring_to(IN_HEAD, &bench, &probe, &deadlines);
    call_say(&bench, 0, "Length: 10\r\n\r\n");
    assert_int_equal(probe.heads, 1);
    call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, 2 * SECOND);
    assert_non_null(strstr(probe.call.error.message, "stalled"));
    call_bench_deinit(&bench);
}

static void on_tick(struct moot_timer *timer)
{
    timer->on_fire = NULL;
}

/* Let virtual time pass. */
static void pass(struct call_bench *bench, uint64_t span_ns)
{
    struct moot_timer timer = {.on_fire = on_tick};
    uint64_t now_ns = bench->net.now_ns;
    moot__timer_start(&bench->net.transport, &timer, now_ns + span_ns);
    while (timer.on_fire)
        memnet_turn(&bench->net);
    memnet_run_idle(&bench->net);
}

static void every_read_moves_the_idle_deadline(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    const struct moot_call_deadlines deadlines = {.idle_ns = 2 * SECOND, .total_ns = 60 * SECOND};
    bring_to(IN_BODY, &bench, &probe, &deadlines);
    for (int i = 0; i < 4; i++) {
        pass(&bench, SECOND + SECOND / 2);
        call_say(&bench, 0, "x");
        assert_int_equal(probe.dones, 0);
    }
    call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, 8 * SECOND);
    call_bench_deinit(&bench);
}

static void a_paused_call_has_only_its_total(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    const struct moot_call_deadlines deadlines = {
        .first_byte_ns = 3 * SECOND, .idle_ns = 2 * SECOND, .total_ns = 60 * SECOND};
    bring_to(WAITING, &bench, &probe, &deadlines);
    moot__call_pause(&probe.call);
    pass(&bench, 10 * SECOND);
    assert_int_equal(probe.dones, 0);
    moot__call_resume(&probe.call);
    call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, 13 * SECOND);
    call_bench_deinit(&bench);

    bring_to(IN_BODY, &bench, &probe, &deadlines);
    moot__call_pause(&probe.call);
    pass(&bench, 10 * SECOND);
    assert_int_equal(probe.dones, 0);
    moot__call_resume(&probe.call);
    call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, 12 * SECOND);
    call_bench_deinit(&bench);

    bring_to(IN_BODY, &bench, &probe, &deadlines);
    moot__call_pause(&probe.call);
    call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, 60 * SECOND);
    call_bench_deinit(&bench);
}

static void draining_brings_the_end_forward_only(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    const struct moot_call_deadlines deadlines = {.total_ns = 5 * SECOND};
    bring_to(IN_BODY, &bench, &probe, &deadlines);
    moot__call_drain(&probe.call, SECOND);
    call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, SECOND);
    call_bench_deinit(&bench);
    bring_to(IN_BODY, &bench, &probe, &deadlines);
    moot__call_drain(&probe.call, 100 * SECOND);
    call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, 5 * SECOND);
    call_bench_deinit(&bench);
}

/* --- cancel ---------------------------------------------------------------------------------- */

static void cancel_in_every_stage(void **state)
{
    (void)state;
    for (enum stage stage = 0; stage < STAGES; stage++) {
        static struct call_bench bench;
        static struct call_probe probe;
        const struct moot_call_deadlines deadlines = {SECOND, SECOND, SECOND, SECOND};
        if (stage == SHAKING)
            continue;
        bring_to(stage, &bench, &probe, &deadlines);
        moot__call_cancel(&probe.call);
        assert_int_equal(probe.dones, 0);
        moot__call_cancel(&probe.call);
        call_expect(&bench, &probe, MOOT_ECANCELED);
        moot__call_cancel(&probe.call);
        check_end(stage, &bench, &probe);
    }
}

static void cancel_at_once(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    struct moot_call_request request =
        call_request(call_bench_origin(&bench, "http://name.test", ""));
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
    moot__call_cancel(&probe.call);
    call_expect(&bench, &probe, MOOT_ECANCELED);
    assert_int_equal(bench.peer_count, 0);
    call_bench_deinit(&bench);
}

static void cancel_it(struct call_probe *probe)
{
    moot__call_cancel(&probe->call);
}

static void cancel_from_inside(void **state)
{
    (void)state;
    for (int in_body = 0; in_body <= 1; in_body++) {
        static struct call_bench bench;
        static struct call_probe probe;
        probe.in_head = in_body ? NULL : cancel_it;
        probe.in_body = in_body ? cancel_it : NULL;
        const struct moot_call_deadlines none = {0};
        bring_to(WAITING, &bench, &probe, &none);
        call_say(&bench, 0, HEAD_OF_10 "1234567890");
        call_expect(&bench, &probe, MOOT_ECANCELED);
        assert_int_equal(probe.bodies, in_body);
        assert_int_equal(bench.pool.open, 0);
        call_bench_deinit(&bench);
    }
}

/* "hello" in two deflate blocks that come in one read: the first cancels, and the decoder that is
 * still at work must not be gone. */
static void cancel_inside_of_gzip(void **state)
{
    (void)state;
    static const unsigned char zipped[] = {0x1f, 0x8b, 0x08, 0,    0,    0,    0,    0,    0,
                                           3,    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
                                           0xa6, 0x10, 0x36, 5,    0,    0,    0};
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    probe.in_head = NULL;
    probe.in_body = cancel_it;
    struct moot_call_request request =
        call_request(call_bench_origin(&bench, "http://name.test", ""));
    request.accept_gzip = true;
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
    memnet_run_idle(&bench.net);
    call_say(&bench, 0, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n");
    call_say_bytes(&bench, 0, zipped, sizeof zipped);
    call_expect(&bench, &probe, MOOT_ECANCELED);
    probe.in_body = NULL;
    call_bench_deinit(&bench);
}

/* The owner starts the next call from inside of the end of the last. */
static struct moot_call_request next_request;
static int restarts;

static void start_again(struct call_probe *probe)
{
    probe->in_done = NULL;
    restarts++;
    assert_int_equal(call_start(probe->bench, probe, &next_request), MOOT_OK);
}

static void a_call_starts_again_from_its_end(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    next_request = call_request(call_bench_origin(&bench, "http://name.test", ""));
    restarts = 0;
    probe.in_done = start_again;
    assert_int_equal(call_start(&bench, &probe, &next_request), MOOT_OK);
    memnet_run_idle(&bench.net);
    call_say(&bench, 0, HEAD_OF_10 "1234567890");
    assert_int_equal(restarts, 1);
    call_say(&bench, 0, HEAD_OF_10 "1234567890");
    call_expect(&bench, &probe, MOOT_OK);
    assert_true(probe.call.times.reused);
    call_bench_deinit(&bench);
}

/* --- over TLS -------------------------------------------------------------------------------- */

static void begin_tls(void **state, struct call_bench *bench, struct call_probe *probe,
                      const struct moot_call_deadlines *deadlines, bool hold)
{
    call_bench_init(bench, *state);
    bench->net.hold_work = hold;
    struct moot_call_request request =
        call_request(call_bench_origin(bench, "https://api.test", ""));
    request.deadlines = *deadlines;
    assert_int_equal(call_start(bench, probe, &request), MOOT_OK);
    memnet_run_idle(&bench->net);
    assert_int_equal(probe->dones, 0);
}

static void let_work_go(struct call_bench *bench)
{
    bench->net.hold_work = false;
    memnet_run_idle(&bench->net);
}

static void a_handshake_is_bounded_and_cancelled(void **state)
{
    for (int cancels = 0; cancels <= 1; cancels++) {
        static struct call_bench bench;
        static struct call_probe probe;
        const struct moot_call_deadlines deadlines = {.connect_ns = 4 * SECOND};
        begin_tls(state, &bench, &probe, &deadlines, true);
        if (cancels)
            moot__call_cancel(&probe.call);
        if (cancels)
            call_expect(&bench, &probe, MOOT_ECANCELED);
        else
            call_expect_at(&bench, &probe, MOOT_ETIMEDOUT, 4 * SECOND);
        assert_int_equal(probe.call.error.phase, MOOT_PHASE_CONNECT);
        assert_false(probe.call.sent);
        let_work_go(&bench);
        assert_int_equal(probe.dones, 1);
        call_bench_deinit(&bench);
    }
}

/* A body that ends with the connection is believed only when TLS vouches for the end. */
static void an_end_without_goodbye_is_no_end(void **state)
{
    static const char *const heads[] = {"HTTP/1.1 200 OK\r\n\r\nall of it",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall of it"};
    for (int i = 0; i < 3; i++) {
        static struct call_bench bench;
        static struct call_probe probe;
        const struct moot_call_deadlines none = {0};
        begin_tls(state, &bench, &probe, &none, false);
        assert_true(probe.call.times.tls_ns > 0);
        call_say(&bench, 0, heads[i == 2]);
        if (i == 0)
            call_hang_up(&bench, 0); /* says goodbye */
        else
            memnet_send_fin(bench.peers[0].lower);
        call_expect(&bench, &probe, i == 1 ? MOOT_ETRUNCATED : MOOT_OK);
        assert_string_equal(probe.body, "all of it");
        call_bench_deinit(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_deadline_in_every_stage),
        cmocka_unit_test(the_idle_deadline_alone),
        cmocka_unit_test(every_read_moves_the_idle_deadline),
        cmocka_unit_test(a_paused_call_has_only_its_total),
        cmocka_unit_test(draining_brings_the_end_forward_only),
        cmocka_unit_test(cancel_in_every_stage),
        cmocka_unit_test(cancel_at_once),
        cmocka_unit_test(cancel_from_inside),
        cmocka_unit_test(cancel_inside_of_gzip),
        cmocka_unit_test(a_call_starts_again_from_its_end),
        cmocka_unit_test_setup_teardown(a_handshake_is_bounded_and_cancelled, tls_setup,
                                        tls_teardown),
        cmocka_unit_test_setup_teardown(an_end_without_goodbye_is_no_end, tls_setup, tls_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
