/* Calls against a scripted server in memory: what comes in, byte for byte, and what a call makes of
 * it. Deadlines and cancels are in test_call_end.c. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "tests/support/call_bench.h"
#include "tests/support/failing_alloc.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* A call that was started and whose request arrived at the newest peer. */
static void begin(struct call_bench *bench, struct call_probe *probe)
{
    struct moot_call_request request =
        call_request(call_bench_origin(bench, "http://127.0.0.1", ""));
    assert_int_equal(call_start(bench, probe, &request), MOOT_OK);
    memnet_run_idle(&bench->net);
    assert_int_equal(probe->dones, 0);
}

static void answer(const char *text, struct call_bench *bench, struct call_probe *probe)
{
    call_bench_init(bench, NULL);
    begin(bench, probe);
    call_say(bench, 0, text);
}

static void a_request_and_its_answer(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    const struct moot_http1_header headers[] = {{MOOT_VIEW("X-One"), MOOT_VIEW("1")}};
    struct moot_call_request request =
        call_request(call_bench_origin(&bench, "http://Name.test:8080", ""));
    request.method = MOOT_VIEW("POST");
    request.headers = headers;
    request.header_count = 1;
    request.body = MOOT_VIEW("ping");
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
    memnet_run_idle(&bench.net);
    assert_string_equal(bench.peers[0].got,
                        "POST /x HTTP/1.1\r\nHost: name.test:8080\r\nX-One: 1\r\n"
                        "Content-Length: 4\r\n\r\nping");
    call_say(&bench, 0, HELLO);
    call_expect(&bench, &probe, MOOT_OK);
    assert_int_equal(probe.call.status, 200);
    assert_true(probe.call.sent);
    assert_string_equal(probe.body, "hello");
    const struct moot_call_times *t = &probe.call.times;
    assert_true(t->started_ns < t->connected_ns && t->connected_ns <= t->sent_ns);
    assert_true(t->sent_ns < t->first_byte_ns && t->first_byte_ns <= t->ended_ns);
    assert_false(t->reused);
    call_bench_deinit(&bench);
}

static void a_connection_is_kept_and_used_again(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    for (int i = 0; i < 3; i++) {
        begin(&bench, &probe);
        call_say(&bench, 0, HELLO);
        call_expect(&bench, &probe, MOOT_OK);
        assert_int_equal(probe.call.times.reused, i > 0);
    }
    assert_int_equal(bench.peer_count, 1);
    assert_int_equal(bench.pool.connections, 1);
    assert_int_equal(bench.pool.open, 1);
    call_bench_deinit(&bench);
}

/* Answers after which the connection is not kept, though they are good. */
static void answers_that_end_the_connection(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        HELLO "HTTP/1.1 200 OK\r\n",
    };
    for (size_t i = 0; i < moot__countof(answers); i++) {
        static struct call_bench bench;
        static struct call_probe probe;
        answer(answers[i], &bench, &probe);
        call_expect(&bench, &probe, MOOT_OK);
        assert_string_equal(probe.body, "hello");
        assert_int_equal(bench.pool.open, 0);
        assert_true(bench.peers[0].ended);
        call_bench_deinit(&bench);
    }
}

static bool is_not_sound(struct moot_call *call)
{
    assert_int_equal(call->status, 200);
    return false;
}

/* It may answer somebody else's question, and so may the next one on that connection. */
static void an_answer_that_makes_no_sense_ends_the_connection(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    probe.call.is_sound = is_not_sound;
    answer(HELLO, &bench, &probe);
    call_expect(&bench, &probe, MOOT_OK);
    assert_int_equal(bench.pool.open, 0);
    call_bench_deinit(&bench);
}

static void informational_answers_are_skipped(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" HELLO, &bench,
           &probe);
    call_expect(&bench, &probe, MOOT_OK);
    assert_int_equal(probe.heads, 1);
    assert_int_equal(probe.call.status, 200);
    assert_int_equal(bench.pool.open, 1);
    call_bench_deinit(&bench);
}

static void a_body_until_the_end_of_the_connection(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    answer("HTTP/1.1 200 OK\r\n\r\nall of ", &bench, &probe);
    call_say(&bench, 0, "it");
    assert_int_equal(probe.dones, 0);
    call_hang_up(&bench, 0);
    call_expect(&bench, &probe, MOOT_OK);
    assert_string_equal(probe.body, "all of it");
    assert_int_equal(bench.pool.open, 0);
    call_bench_deinit(&bench);
}

struct broken {
    const char *text; /* what comes before the connection ends */
    int code;
    bool possible_duplicate;
};

static void broken_answers(void **state)
{
    (void)state;
    static const struct broken cases[] = {
        {"", MOOT_ERESET, true},
        {"HTTP/1.1 200 OK\r\nConte", MOOT_ERESET, true},
        {"HTTP/1.1 100 Continue\r\n\r\n", MOOT_ERESET, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", MOOT_ETRUNCATED, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", MOOT_ETRUNCATED,
         false},
        {"SSH-2.0-OpenSSH\r\n", MOOT_EPROTO, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", MOOT_EPROTO,
         true},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
         MOOT_EENCODING, false},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\nhello",
         MOOT_EENCODING, false},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        static struct call_bench bench;
        static struct call_probe probe;
        answer(cases[i].text, &bench, &probe);
        call_hang_up(&bench, 0);
        call_expect(&bench, &probe, cases[i].code);
        assert_true(probe.call.sent);
        assert_int_equal(probe.call.error.possible_duplicate, cases[i].possible_duplicate);
        assert_int_equal(bench.pool.open, 0);
        call_bench_deinit(&bench);
    }
}

/* --- early answers --------------------------------------------------------------------------- */

static char large[256 << 10];

static void begin_large(struct call_bench *bench, struct call_probe *probe)
{
    memset(large, 'x', sizeof large);
    call_bench_init(bench, NULL);
    bench->deaf = true;
    struct moot_call_request request =
        call_request(call_bench_origin(bench, "http://127.0.0.1", ""));
    request.method = MOOT_VIEW("POST");
    request.body = moot__view(large, sizeof large);
    assert_int_equal(call_start(bench, probe, &request), MOOT_OK);
    memnet_run_idle(&bench->net);
    assert_int_equal(probe->dones, 0);
}

static void a_slow_reader_gets_it_all(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    begin_large(&bench, &probe);
    assert_int_equal(probe.call.times.sent_ns, 0);
    bench.net.chunk_max = 3000;
    moot__stream_want(bench.peers[0].stream, MOOT_READABLE);
    memnet_run_idle(&bench.net);
    assert_true(probe.call.times.sent_ns > 0);
    assert_true(bench.peers[0].got_bytes > sizeof large);
    call_say(&bench, 0, HELLO);
    call_expect(&bench, &probe, MOOT_OK);
    assert_int_equal(bench.pool.open, 1);
    call_bench_deinit(&bench);
}

#define TOO_LARGE "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\n"

static void an_early_answer_ends_the_sending(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    begin_large(&bench, &probe);
    call_say(&bench, 0, TOO_LARGE "no");
    assert_int_equal(probe.heads, 1);
    moot__stream_want(bench.peers[0].stream, MOOT_READABLE); /* makes room: nothing more comes */
    unsigned turn = bench.net.turn;
    memnet_run_idle(&bench.net);
    assert_true(bench.net.turn - turn < 20); /* it does not spin on a writable socket */
    call_say(&bench, 0, "way");
    call_expect(&bench, &probe, MOOT_OK);
    assert_int_equal(probe.call.status, 413);
    assert_string_equal(probe.body, "noway");
    assert_true(bench.peers[0].got_bytes < sizeof large);
    assert_int_equal(bench.pool.open, 0);
    call_bench_deinit(&bench);
}

/* The server answers, closes at once, and our next write breaks: the answer is still there. */
static void an_early_answer_outlives_its_connection(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    begin_large(&bench, &probe);
    const char *text = TOO_LARGE "noway";
    assert_int_equal(moot__stream_write(bench.peers[0].stream, text, strlen(text)), strlen(text));
    call_hang_up(&bench, 0);
    call_expect(&bench, &probe, MOOT_OK);
    assert_int_equal(probe.call.status, 413);
    assert_string_equal(probe.body, "noway");
    call_bench_deinit(&bench);
}

static void a_connection_breaks_while_sending(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    begin_large(&bench, &probe);
    call_hang_up(&bench, 0);
    call_expect(&bench, &probe, MOOT_ERESET);
    assert_int_equal(probe.call.error.phase, MOOT_PHASE_SEND);
    assert_true(probe.call.error.possible_duplicate);
    call_bench_deinit(&bench);
}

/* --- idle connections ------------------------------------------------------------------------ */

static void keep_one(struct call_bench *bench, struct call_probe *probe)
{
    call_bench_init(bench, NULL);
    begin(bench, probe);
    call_say(bench, 0, HELLO);
    call_expect(bench, probe, MOOT_OK);
    assert_int_equal(bench->pool.open, 1);
}

/* What happened to an idle connection while the loop was looking elsewhere. */
static void send_fin(struct call_bench *bench)
{
    memnet_send_fin(bench->peers[0].stream);
}

static void send_reset(struct call_bench *bench)
{
    memnet_send_reset(bench->peers[0].stream);
}

static void say_unasked(struct call_bench *bench)
{
    const char *text = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    assert_true(moot__stream_write(bench->peers[0].stream, text, strlen(text)) > 0);
}

static void stale_connections_are_not_used(void **state)
{
    (void)state;
    void (*const happenings[])(struct call_bench *) = {send_fin, send_reset, say_unasked};
    for (size_t i = 0; i < moot__countof(happenings); i++) {
        static struct call_bench bench;
        static struct call_probe probe;
        keep_one(&bench, &probe);
        happenings[i](&bench);
        begin(&bench, &probe);
        assert_int_equal(bench.peer_count, 2);
        call_say(&bench, 1, HELLO);
        call_expect(&bench, &probe, MOOT_OK);
        assert_int_equal(probe.call.status, 200);
        assert_false(probe.call.times.reused);
        assert_int_equal(bench.pool.open, 1);
        call_bench_deinit(&bench);
    }
}

/* Once bytes were taken, the call cannot know whether they were read, and does not repeat them. */
static void a_request_that_was_taken_is_not_repeated(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    keep_one(&bench, &probe);
    begin(&bench, &probe);
    assert_true(probe.call.times.reused);
    call_hang_up(&bench, 0);
    call_expect(&bench, &probe, MOOT_ERESET);
    assert_true(probe.call.error.possible_duplicate);
    assert_int_equal(bench.peer_count, 1);
    call_bench_deinit(&bench);
}

static void idle_connections_that_speak_are_closed(void **state)
{
    (void)state;
    void (*const happenings[])(struct call_bench *) = {send_fin, send_reset, say_unasked};
    for (size_t i = 0; i < moot__countof(happenings); i++) {
        static struct call_bench bench;
        static struct call_probe probe;
        keep_one(&bench, &probe);
        happenings[i](&bench);
        memnet_run_idle(&bench.net);
        assert_int_equal(bench.pool.open, 0);
        call_bench_deinit(&bench);
    }
}

/* --- what is refused before and after -------------------------------------------------------- */

static void headers_that_would_split_are_refused(void **state)
{
    (void)state;
    static const struct moot_http1_header bad[] = {
        {{"X", 1}, {"a\r\nEvil: 1", 10}}, {{"X", 1}, {"a\nb", 3}}, {{"X", 1}, {"a\0b", 3}},
        {{"X Y", 3}, {"a", 1}},           {{"X:", 2}, {"a", 1}},   {{"", 0}, {"a", 1}},
        {{"X\r\nY", 4}, {"a", 1}},
    };
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    struct moot_call_request request =
        call_request(call_bench_origin(&bench, "http://127.0.0.1", ""));
    for (size_t i = 0; i < moot__countof(bad); i++) {
        request.headers = &bad[i];
        request.header_count = 1;
        assert_int_equal(call_start(&bench, &probe, &request), MOOT_EINVAL);
    }
    request.header_count = 0;
    request.target = MOOT_VIEW("/a b");
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_EINVAL);
    request.target = MOOT_VIEW("/a HTTP/1.1\r\nX: y");
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_EINVAL);
    memnet_run_idle(&bench.net);
    assert_int_equal(bench.peer_count, 0);
    call_bench_deinit(&bench);
}

/* limit - 1, limit, limit + 1, as framed and as inflated. */
static void bodies_have_a_ceiling(void **state)
{
    (void)state;
    for (size_t length = 4; length <= 6; length++) {
        static struct call_bench bench;
        static struct call_probe probe;
        char text[128];
        call_bench_init(&bench, NULL);
        struct moot_call_request request =
            call_request(call_bench_origin(&bench, "http://127.0.0.1", ""));
        request.body_bytes_max = 5;
        assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
        memnet_run_idle(&bench.net);
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s", length,
                 (int)length, "abcdef");
        call_say(&bench, 0, text);
        call_expect(&bench, &probe, length > 5 ? MOOT_ELIMIT : MOOT_OK);
        call_bench_deinit(&bench);
    }
}

static void an_owner_says_why_it_refuses(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    probe.head_result = MOOT_ECONTENT;
    begin(&bench, &probe);
    moot__call_reject(&probe.call, MOOT_ECONTENT, "not what was asked for");
    call_say(&bench, 0, HELLO);
    call_expect(&bench, &probe, MOOT_ECONTENT);
    assert_string_equal(probe.call.error.message, "not what was asked for");
    assert_int_equal(probe.call.error.http_status, 200);
    assert_int_equal(probe.bodies, 0);
    probe.head_result = MOOT_OK;
    probe.body_result = MOOT_EJSON;
    begin(&bench, &probe);
    call_say(&bench, 1, HELLO);
    call_expect(&bench, &probe, MOOT_EJSON);
    assert_int_equal(probe.bodies, 1);
    assert_int_equal(bench.pool.open, 0);
    probe.body_result = MOOT_OK;
    call_bench_deinit(&bench);
}

/* --- gzip ------------------------------------------------------------------------------------ */

static const unsigned char zipped[] = {0x1f, 0x8b, 0x08, 0,    0,    0,    0,    0,    0,
                                       3,    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86,
                                       0xa6, 0x10, 0x36, 5,    0,    0,    0}; /* "hello" */

static void begin_gzip(struct call_bench *bench, struct call_probe *probe, size_t body_bytes_max)
{
    call_bench_init(bench, NULL);
    struct moot_call_request request =
        call_request(call_bench_origin(bench, "http://127.0.0.1", ""));
    request.accept_gzip = true;
    request.body_bytes_max = body_bytes_max;
    assert_int_equal(call_start(bench, probe, &request), MOOT_OK);
    memnet_run_idle(&bench->net);
    assert_non_null(strstr(bench->peers[0].got, "\r\nAccept-Encoding: gzip\r\n"));
    call_say(bench, 0, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n");
}

static void gzip_answers(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    for (size_t max = 4; max <= 5; max++) {
        begin_gzip(&bench, &probe, max);
        call_say_bytes(&bench, 0, zipped, sizeof zipped);
        call_expect(&bench, &probe, max < 5 ? MOOT_ELIMIT : MOOT_OK);
        if (max == 5)
            assert_string_equal(probe.body, "hello");
        call_bench_deinit(&bench);
    }
    begin_gzip(&bench, &probe, 0);
    call_say_bytes(&bench, 0, zipped, sizeof zipped - 1);
    call_hang_up(&bench, 0);
    call_expect(&bench, &probe, MOOT_ETRUNCATED);
    call_bench_deinit(&bench);
}

static void an_empty_body_needs_no_gzip(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    struct moot_call_request request =
        call_request(call_bench_origin(&bench, "http://127.0.0.1", ""));
    request.accept_gzip = true;
    assert_int_equal(call_start(&bench, &probe, &request), MOOT_OK);
    memnet_run_idle(&bench.net);
    call_say(&bench, 0,
             "HTTP/1.1 401 Unauthorized\r\nContent-Encoding: gzip\r\n"
             "Content-Length: 0\r\n\r\n");
    call_expect(&bench, &probe, MOOT_OK);
    assert_int_equal(probe.call.status, 401);
    call_bench_deinit(&bench);
}

/* --- pausing, memory ------------------------------------------------------------------------- */

static void pause_in_body(struct call_probe *probe)
{
    if (probe->bodies == 1)
        moot__call_pause(&probe->call);
}

static void a_paused_call_reads_nothing(void **state)
{
    (void)state;
    static struct call_bench bench;
    static struct call_probe probe;
    call_bench_init(&bench, NULL);
    probe.in_body = pause_in_body;
    begin(&bench, &probe);
    call_say(&bench, 0, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
    call_say_bytes(&bench, 0, large, 1000);
    assert_int_equal(probe.body_bytes, 1000);
    unsigned reads = bench.net.reads;
    call_say_bytes(&bench, 0, large, 1000);
    assert_int_equal(probe.body_bytes, 1000);
    moot__call_pause(&probe.call);
    memnet_run_idle(&bench.net);
    assert_int_equal(bench.net.reads, reads);
    moot__call_resume(&probe.call);
    moot__call_resume(&probe.call);
    memnet_run_idle(&bench.net);
    assert_int_equal(probe.body_bytes, 2000);
    call_say_bytes(&bench, 0, large, 198000);
    call_expect(&bench, &probe, MOOT_OK);
    moot__call_pause(&probe.call); /* too late, and harmless */
    moot__call_resume(&probe.call);
    probe.in_body = NULL;
    call_bench_deinit(&bench);
}

static int converse(struct call_bench *bench, struct call_probe *probe)
{
    struct moot_origin_spec spec = {.url = {.host = MOOT_VIEW("name.test"), .port = 80}};
    struct moot_call_request request = {
        .method = MOOT_VIEW("GET"), .target = MOOT_VIEW("/x"), .accept_gzip = true};
    int rc = moot__pool_origin(&bench->pool, &spec, &request.origin);
    if (!rc)
        rc = call_start(bench, probe, &request);
    if (rc)
        return rc;
    memnet_run_idle(&bench->net);
    if (probe->dones == 0) {
        call_say(bench, 0,
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                 "Content-Length: 25\r\n\r\n");
        if (probe->dones == 0)
            call_say_bytes(bench, 0, zipped, sizeof zipped);
    }
    assert_int_equal(probe->dones, 1);
    return probe->call.error.code;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct moot_failing_alloc memory;
    for (size_t nth = 1;; nth++) {
        static struct call_bench bench;
        static struct call_probe probe;
        moot__failing_alloc_init(&memory, nth);
        bool is_made = call_bench_try_init(&bench, &memory.allocator, NULL);
        int rc = is_made ? converse(&bench, &probe) : MOOT_ENOMEM;
        call_bench_deinit(&bench);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(rc, MOOT_OK);
            assert_true(nth > 8);
            break;
        }
        assert_int_equal(rc, MOOT_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_its_answer),
        cmocka_unit_test(a_connection_is_kept_and_used_again),
        cmocka_unit_test(answers_that_end_the_connection),
        cmocka_unit_test(an_answer_that_makes_no_sense_ends_the_connection),
        cmocka_unit_test(informational_answers_are_skipped),
        cmocka_unit_test(a_body_until_the_end_of_the_connection),
        cmocka_unit_test(broken_answers),
        cmocka_unit_test(a_slow_reader_gets_it_all),
        cmocka_unit_test(an_early_answer_ends_the_sending),
        cmocka_unit_test(an_early_answer_outlives_its_connection),
        cmocka_unit_test(a_connection_breaks_while_sending),
        cmocka_unit_test(stale_connections_are_not_used),
        cmocka_unit_test(a_request_that_was_taken_is_not_repeated),
        cmocka_unit_test(idle_connections_that_speak_are_closed),
        cmocka_unit_test(headers_that_would_split_are_refused),
        cmocka_unit_test(bodies_have_a_ceiling),
        cmocka_unit_test(an_owner_says_why_it_refuses),
        cmocka_unit_test(gzip_answers),
        cmocka_unit_test(an_empty_body_needs_no_gzip),
        cmocka_unit_test(a_paused_call_reads_nothing),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
