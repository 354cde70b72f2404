/* The rows of the fault catalogue that take more than a provider's bytes: names, addresses and
 * descriptors (A, G), the whole framing table and compressed bombs through a conversation (C), the
 * cost of hostile streams (D). On the loop that this program is linked with. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"
#include "engine/base/check.h"
#include "net/gzip.h"
#include "net/sse.h"
#include "tests/net/http1_vectors.h"
#include "tests/sim/transport_sim.h"

static const struct fault_case nothing_wrong = {
    "", "", BOTH, MOOT_OK, .status = "200 OK", .headers = JSON, .body = B(ANSWER)};

static void expect(struct stage *stage, int code, enum moot_phase phase)
{
    stage_ask(stage);
    if (stage->error.code != code || stage->error.phase != phase)
        fail_msg("%s in %s: %s", moot_error_name(stage->error.code),
                 moot_phase_name(stage->error.phase), stage->error.message);
    assert_false(stage->possible_duplicate);
    assert_int_equal(stage->connections, 0);
}

/* --- A: names and addresses ------------------------------------------------------------------ */

static void a1_nobody_listens(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, &nothing_wrong, true, NULL);
    stage.loop.transport->ops->unlisten(stage.loop.transport, &stage.acceptor);
    expect(&stage, MOOT_ECONNECT, MOOT_PHASE_CONNECT);
    stage_close(&stage);
}

/* A listening socket whose queue is full answers no SYN, as a black hole does. */
static int fill_queue(int *fds, int count, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    for (int i = 1; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
        moot__ignore(connect(fds[i], (struct sockaddr *)&address, size));
    }
    return count;
}

static void a2_nobody_answers(void **state)
{
    (void)state;
    struct stage stage;
    int fds[5], count = 0;
    uint16_t port = 9;
    char url[64];
    test_loop_init(&stage.loop); /* only to ask which kind it is */
    bool is_simulated = stage.loop.sim != NULL;
    test_loop_deinit(&stage.loop);
    if (!is_simulated)
        count = fill_queue(fds, (int)moot__countof(fds), &port);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v1", (unsigned)port);
    stage_open(&stage, &nothing_wrong, true, url);
    const struct moot_sim_faults lost = {.unanswered = 1000000};
    if (is_simulated)
        moot__sim_set_faults(stage.loop.sim, &lost);
    expect(&stage, MOOT_ETIMEDOUT, MOOT_PHASE_CONNECT);
    stage_close(&stage);
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* Real names are the system's: there the seam of tests/net/test_dns.c plays these. */
static void a3_a4_names_that_do_not_resolve(void **state)
{
    (void)state;
    static const struct {
        struct moot_sim_faults faults;
        int code;
        enum moot_phase phase;
    } rows[] = {
        {{0}, MOOT_EDNS, MOOT_PHASE_RESOLVE},
        {{.dns_fail = 1000000}, MOOT_EDNS, MOOT_PHASE_RESOLVE},
        {{.dns_hang = 1000000}, MOOT_ETIMEDOUT, MOOT_PHASE_CONNECT}, /* one deadline for both */
    };
    for (size_t i = 0; i < moot__countof(rows); i++) {
        struct stage stage;
        stage_open(&stage, &nothing_wrong, true, "http://api.test/v1");
        if (stage.loop.sim) {
            assert_true(moot__sim_name(stage.loop.sim, "api.test", i ? "127.0.0.1" : ""));
            moot__sim_set_faults(stage.loop.sim, &rows[i].faults);
            expect(&stage, rows[i].code, rows[i].phase);
        }
        stage_close(&stage);
    }
}

/* The service that hands out a cloud's credentials, by address and by a name that leads to it. */
static void a5_metadata_is_never_reached(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://169.254.169.254/v1", "http://169.254.1.1:8080/v1",
                                       "http://rebound.test/v1"};
    for (size_t i = 0; i < moot__countof(urls); i++) {
        struct stage stage;
        stage_open(&stage, &nothing_wrong, true, urls[i]);
        bool is_name = strstr(urls[i], "rebound") != NULL;
        if (stage.loop.sim)
            assert_true(moot__sim_name(stage.loop.sim, "rebound.test", "169.254.169.254"));
        if (stage.loop.sim || !is_name) {
            expect(&stage, MOOT_ECONNECT, MOOT_PHASE_CONNECT);
            assert_non_null(strstr(stage.error.message, "refused"));
        }
        stage_close(&stage);
    }
}

static void a6_names_that_are_none(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://a..b/",
        "http://.a/",
        "http://-/",
        "http://a b/",
        "http://a%00b/",
        "http://a_b@c/",
        "http://\xC3\xA9.test/",
        "http://1.2.3.4.5:99999/",
        "http://0x7f.1/",
        "http://[::1/",
        "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test/",
        "http:///",
    };
    for (size_t i = 0; i < moot__countof(urls); i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "models: {oracle: {endpoint: m, instruction: You.}}\nflow: [oracle]\nproviders:\n"
                 "  default: {type: openai, base_url: '%s', api_key: x, allow_http: true}\n",
                 urls[i]);
        struct moot_plan_options options = {
            .size = sizeof options, .path = "test.yaml", .text = moot__view_str(text)};
        struct moot_plan *plan = NULL;
        struct moot_error_info info;
        int rc = moot_plan_load(&options, &plan, &info);
        moot_plan_unref(plan);
        if (rc != MOOT_ECONFIG)
            fail_msg("%s: %s", urls[i], moot_error_name(rc));
    }
}

/* --- C: HTTP --------------------------------------------------------------------------------- */

static bool is_as_judged(const struct http1_vector *vector, const struct moot_error_info *error)
{
    switch (vector->response) {
    case PROTO:
    case LIMIT:
        return error->code == (int)vector->response;
    case CUT:
        return error->code == MOOT_ETRUNCATED || error->code == MOOT_ERESET;
    default: /* whole, but no model's answer */
        return error->code == MOOT_EJSON || error->code == MOOT_ECONTENT ||
               error->code == MOOT_EPROVIDER || error->code == MOOT_EREDIRECT;
    }
}

static void c4_every_framing_vector(void **state)
{
    (void)state;
    unsigned wrong = 0, lived = 0;
    for (size_t i = 0; i < http1_vector_count(); i++) {
        const struct http1_vector *vector = http1_vector_at(i);
        if (http1_vector_flags(vector))
            continue;
        struct moot_buf bytes;
        moot__buf_init(&bytes, NULL, 1 << 20);
        assert_int_equal(http1_vector_write(vector, false, &bytes), MOOT_OK);
        struct fault_case fault = {"C4", vector->name, WHOLE, MOOT_OK, .end = END_FIN};
        fault.body = moot__buf_view(&bytes);
        struct stage stage;
        stage_open(&stage, &fault, false, NULL);
        stage_ask(&stage);
        lived++;
        if (!is_as_judged(vector, &stage.error)) {
            wrong++;
            print_error("%s: %s (%s)\n", vector->name, moot_error_name(stage.error.code),
                        stage.error.message);
        }
        stage_close(&stage);
        moot__buf_deinit(&bytes);
    }
    printf("C4   %u framing vectors\n", lived);
    assert_int_equal(wrong, 0);
}

static void c8_compressed_bombs(void **state)
{
    (void)state;
    struct moot_buf zeros, bomb, raw;
    moot__buf_init(&zeros, NULL, 64 << 20);
    moot__buf_init(&bomb, NULL, 1 << 20);
    moot__buf_init(&raw, NULL, 1 << 21);
    assert_int_equal(moot__buf_reserve(&zeros, 40 << 20), MOOT_OK);
    memset(zeros.data, ' ', 40 << 20);
    zeros.len = 40 << 20;
    assert_int_equal(moot__gzip_compress(&bomb, moot__buf_view(&zeros)), MOOT_OK);
    assert_int_equal(moot__buf_append_str(&raw, "HTTP/1.1 200 OK\r\n" JSON
                                                "Content-Encoding: gzip\r\nContent-Length: "),
                     MOOT_OK);
    assert_int_equal(moot__buf_append_u64(&raw, bomb.len), MOOT_OK);
    assert_int_equal(moot__buf_append_str(&raw, "\r\n\r\n"), MOOT_OK);
    for (size_t i = 0; i < bomb.len; i++) /* the stage would take it for a repetition */
        if (bomb.data[i] == '@')
            bomb.data[i] = 'A';
    assert_int_equal(moot__buf_append_view(&raw, moot__buf_view(&bomb)), MOOT_OK);
    struct fault_case fault = {"C8", "a bomb", BOTH, MOOT_EENCODING};
    fault.body = moot__buf_view(&raw);
    for (int is_stream = 0; is_stream <= 1; is_stream++) {
        struct stage stage;
        stage_open(&stage, &fault, is_stream, NULL);
        stage_ask(&stage);
        assert_int_equal(stage.error.code, MOOT_EENCODING);
        stage_close(&stage);
    }
    moot__buf_deinit(&zeros);
    moot__buf_deinit(&bomb);
    moot__buf_deinit(&raw);
}

static void on_other(struct moot_acceptor *acceptor, struct moot_stream *stream)
{
    ++*(int *)acceptor->owner;
    moot__stream_abort(stream);
}

/* The place that a redirect names hears nothing, and so gets no credential. */
static void c9_the_other_origin_hears_nothing(void **state)
{
    (void)state;
    static const unsigned statuses[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < moot__countof(statuses); i++) {
        char status[32], headers[128];
        struct fault_case fault = {"C9",           "a redirect",     STREAM,
                                   MOOT_EREDIRECT, .status = status, .headers = headers};
        struct stage stage, other;
        int heard = 0;
        struct moot_acceptor acceptor = {.on_accept = on_other, .owner = &heard};
        struct moot_address loopback = {.bytes = {127, 0, 0, 1}};
        snprintf(status, sizeof status, "%u Elsewhere", statuses[i]);
        test_loop_init(&other.loop); /* a port that somebody has */
        assert_int_equal(
            other.loop.transport->ops->listen(other.loop.transport, &loopback, &acceptor), MOOT_OK);
        snprintf(headers, sizeof headers, "Location: http://127.0.0.1:%u/v1\r\n",
                 (unsigned)acceptor.address.port);
        stage_open(&stage, &fault, true, NULL);
        stage_ask(&stage);
        assert_int_equal(stage.error.code, MOOT_EREDIRECT);
        assert_int_equal(stage.connections, 1);
        stage_close(&stage);
        test_loop_run_turns(&other.loop, 4);
        assert_int_equal(heard, 0);
        other.loop.transport->ops->unlisten(other.loop.transport, &acceptor);
        test_loop_deinit(&other.loop);
    }
}

/* --- D: what a hostile stream costs ---------------------------------------------------------- */

static int ignore_event(void *context, const struct moot_sse_event *event)
{
    (void)context;
    (void)event;
    return MOOT_OK;
}

static double cost_s(struct moot_view text, size_t bytes, size_t piece)
{
    struct timespec began, ended;
    struct moot_sse_parser parser;
    moot__sse_init(&parser, NULL);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
    for (size_t done = 0, at = 0; done < bytes; done += piece, at = (at + piece) % text.len) {
        size_t len = text.len - at < piece ? text.len - at : piece;
        moot__ignore(moot__sse_feed(&parser, moot__view(text.ptr + at, len), ignore_event, NULL));
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
    moot__sse_deinit(&parser);
    return (double)(ended.tv_sec - began.tv_sec) + 1e-9 * (double)(ended.tv_nsec - began.tv_nsec);
}

/* Twice the bytes cost at most 2.3 times as much, on the CPU of this thread; the best of some
 * tries, since a neighbour can only add. What is quadratic would cost four times as much every
 * time. */
static void d1_cost_is_linear(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 1460, 65536};
    static char line[900000];
    memset(line, 'x', sizeof line);
    memcpy(line, "data: ", 6);
    line[sizeof line - 2] = line[sizeof line - 1] = '\n';
    static const char *const texts[] = {"data: {\"a\":1}\n\n", ":\n", "data:\ndata:\n", "\n", NULL};
    for (size_t k = 0; k < moot__countof(texts); k++) {
        struct moot_view text = texts[k] ? moot__view_str(texts[k]) : moot__view(line, sizeof line);
        for (size_t i = 0; i < moot__countof(pieces); i++) {
            double best = 100;
            size_t bytes = pieces[i] == 1 ? 1 << 20 : 2 << 20;
            for (int tries = 0; tries < 10 && best > 2.3; tries++) {
                double one = cost_s(text, bytes, pieces[i]);
                double two = cost_s(text, 2 * bytes, pieces[i]);
                best = two / one < best ? two / one : best;
            }
            if (best > 2.3)
                fail_msg("text %zu in pieces of %zu: twice as much costs %.2f times", k, pieces[i],
                         best);
        }
    }
}

/* --- G: descriptors -------------------------------------------------------------------------- */

static void g1_no_descriptors_left(void **state)
{
    (void)state;
    struct stage stage;
    struct rlimit limit, none;
    stage_open(&stage, &nothing_wrong, true, NULL);
    if (!stage.loop.sim) {
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        none = limit;
        none.rlim_cur = 3; /* all that are above are open, and stay so */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        stage_ask(&stage);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(stage.error.code, MOOT_ECONNECT);
        assert_int_equal(moot_error_class(stage.error.code), MOOT_CLASS_TRANSPORT);
        assert_false(stage.possible_duplicate);
    }
    stage_ask(&stage);
    assert_string_equal(stage.text, STAGE_ANSWER);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a1_nobody_listens),
        cmocka_unit_test(a2_nobody_answers),
        cmocka_unit_test(a3_a4_names_that_do_not_resolve),
        cmocka_unit_test(a5_metadata_is_never_reached),
        cmocka_unit_test(a6_names_that_are_none),
        cmocka_unit_test(c4_every_framing_vector),
        cmocka_unit_test(c8_compressed_bombs),
        cmocka_unit_test(c9_the_other_origin_hears_nothing),
        cmocka_unit_test(d1_cost_is_linear),
        cmocka_unit_test(g1_no_descriptors_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
