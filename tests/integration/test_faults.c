/* Every fault that the emulator knows, for streams and for whole answers: what a conversation says
 * of it. In virtual time, so that no deadline is waited for. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "bench/emulator/server.h"
#include "engine/base/check.h"
#include "engine/engine.h"
#include "scripted.h"

/* What the error must be. MOOT_OK: the answer is whole; MOOT_ETHROTTLED: it is, after a wait. */
static const struct {
    enum moot_emulator_fault fault;
    int whole, stream;
} expected[] = {
#define SAME(id, code)                                                                             \
    {                                                                                              \
        MOOT_EMULATOR_FAULT_##id, code, code                                                       \
    }
#define EACH(id, whole, stream)                                                                    \
    {                                                                                              \
        MOOT_EMULATOR_FAULT_##id, whole, stream                                                    \
    }
    SAME(400, MOOT_EPROVIDER),
    SAME(401, MOOT_EAUTH),
    SAME(403, MOOT_EAUTH),
    SAME(404, MOOT_EPROVIDER),
    SAME(408, MOOT_EPROVIDER),
    SAME(409, MOOT_EPROVIDER),
    SAME(413, MOOT_EPROVIDER),
    SAME(422, MOOT_EPROVIDER),
    SAME(429, MOOT_ETHROTTLED),
    SAME(QUOTA, MOOT_EQUOTA),
    SAME(SLOW_DOWN, MOOT_ETHROTTLED),
    SAME(500, MOOT_EPROVIDER),
    SAME(502, MOOT_EPROVIDER),
    SAME(503, MOOT_EPROVIDER),
    SAME(504, MOOT_EPROVIDER),
    SAME(529, MOOT_EPROVIDER),
    SAME(REDIRECT, MOOT_EREDIRECT),
    SAME(ERROR_TEXT, MOOT_EPROVIDER),
    SAME(ERROR_EMPTY, MOOT_EPROVIDER),
    SAME(CLOSE_ACCEPT, MOOT_ERESET),
    SAME(CLOSE_REQUEST, MOOT_ERESET),
    SAME(CLOSE_STATUS, MOOT_ERESET),
    SAME(CLOSE_IN_HEAD, MOOT_ERESET),
    SAME(CLOSE_HEAD, MOOT_ETRUNCATED),
    SAME(CLOSE_BODY, MOOT_ETRUNCATED),
    SAME(CLOSE_END, MOOT_ETRUNCATED),
    SAME(RESET_ACCEPT, MOOT_ERESET),
    SAME(RESET_REQUEST, MOOT_ERESET),
    SAME(RESET_STATUS, MOOT_ERESET),
    SAME(RESET_IN_HEAD, MOOT_ERESET),
    SAME(RESET_HEAD, MOOT_ERESET),
    SAME(RESET_BODY, MOOT_ERESET),
    SAME(RESET_END, MOOT_ERESET),
    SAME(STALL_ACCEPT, MOOT_ETIMEDOUT),
    SAME(STALL_REQUEST, MOOT_ETIMEDOUT),
    SAME(STALL_STATUS, MOOT_ETIMEDOUT),
    SAME(STALL_IN_HEAD, MOOT_ETIMEDOUT),
    SAME(STALL_HEAD, MOOT_ETIMEDOUT),
    SAME(STALL_BODY, MOOT_ETIMEDOUT),
    SAME(STALL_END, MOOT_ETIMEDOUT),
    SAME(BAD_JSON, MOOT_EJSON),
    SAME(ERROR_200, MOOT_EPROVIDER),
    SAME(HTML, MOOT_ECONTENT),
    SAME(EMPTY_BODY, MOOT_ECONTENT),
    SAME(NULL_BODY, MOOT_ECONTENT),
    SAME(NO_CHOICES, MOOT_ECONTENT),
    EACH(NULL_CONTENT, MOOT_ECONTENT, MOOT_OK),
    SAME(CONTENT_LIST, MOOT_OK),
    SAME(NO_USAGE, MOOT_OK),
    SAME(NO_TYPE, MOOT_OK),
    EACH(ERROR_CHUNK, MOOT_OK, MOOT_EPROVIDER),
    EACH(ERROR_EVENT, MOOT_OK, MOOT_EPROVIDER),
    EACH(ERROR_OBJECT, MOOT_OK, MOOT_EPROVIDER),
    EACH(ERROR_FIELD, MOOT_OK, MOOT_EPROVIDER),
    EACH(ERROR_BARE, MOOT_OK, MOOT_EPROVIDER),
    EACH(ERROR_FINISH, MOOT_OK, MOOT_EPROVIDER),
    EACH(ERROR_DONE, MOOT_OK, MOOT_EPROVIDER),
    EACH(NO_FINISH, MOOT_OK, MOOT_ETRUNCATED),
    SAME(NO_DONE, MOOT_OK),
    SAME(TWO_FINISHES, MOOT_OK),
    SAME(TWO_DONES, MOOT_OK),
    SAME(EMPTY_DATA, MOOT_OK),
    SAME(COMMENTS, MOOT_OK),
    SAME(CRLF, MOOT_OK),
    SAME(CR, MOOT_OK),
    SAME(BOM, MOOT_OK),
    SAME(SURROGATES, MOOT_OK),
    EACH(SHORT_BODY, MOOT_ETRUNCATED, MOOT_OK),
    SAME(LONG_BODY, MOOT_OK),
    EACH(NO_LAST_CHUNK, MOOT_ETRUNCATED, MOOT_OK),
    SAME(BAD_CHUNK, MOOT_EPROTO),
    SAME(TWO_LENGTHS, MOOT_EPROTO),
    SAME(BIG_HEAD, MOOT_ELIMIT),
    SAME(CONTINUES, MOOT_EPROTO),
    SAME(GZIP, MOOT_OK),
    SAME(SLOW, MOOT_OK),
    SAME(SPLIT, MOOT_OK),
    SAME(TWO_ANSWERS, MOOT_OK),
    SAME(IDLE_408, MOOT_OK),
#undef SAME
#undef EACH
};

static void on_closed(void *data)
{
    ++*(int *)data;
}

/* One attempt at a provider that always does this. Throttled calls wait as long as it takes: for
 * those, that does it once. */
static void suffer(enum moot_emulator_fault fault, bool stream, bool once,
                   struct scripted_talk *talk)
{
    static struct scripted scripted;
    memset(&scripted, 0, sizeof scripted);
    struct memnet *net = &scripted.bench.net;
    memnet_init(net, NULL);
    struct moot_emulator_rule rule = {.fault = fault, .rate = once ? 0 : 1};
    rule.first = rule.last = once;
    struct moot_emulator_options emulator = moot_emulator_options_default();
    emulator.rules = &rule;
    emulator.rule_count = 1;
    emulator.slow_byte_ns = MOOT_NS_PER_MS;
    struct moot_emulator_server_options options = {
        .transport = &net->transport,
        .address = {.bytes = {127, 0, 0, 1}},
        .emulator = &emulator,
    };
    struct moot_emulator_server *server;
    assert_int_equal(moot__emulator_server_open(&options, &server), MOOT_OK);
    scripted_plan(&scripted, "http://127.0.0.1:4433/v1", NULL,
                  ", retry: {max_attempts: 1}, "
                  "timeouts: {connect: 1s, first_byte: 2s, idle: 3s, total: 20s}");
    scripted_engine(&scripted);
    uint64_t began_ns = net->now_ns;
    scripted_ask(&scripted, talk, stream);
    scripted_finish(&scripted, talk);
    assert_in_range(net->now_ns - began_ns, 0, 21 * MOOT_NS_PER_S);
    scripted.engine->on_closed = on_closed;
    scripted.engine->on_closed_data = &scripted.closed;
    moot__engine_close_here(scripted.engine);
    memnet_run_idle(net);
    assert_int_equal(scripted.closed, 1);
    moot_plan_unref(scripted.plan);
    moot__emulator_server_close(server);
    memnet_run_idle(net);
    memnet_deinit(net);
}

static unsigned check(enum moot_emulator_fault fault, bool stream, int code)
{
    struct scripted_talk talk;
    bool is_throttle = code == MOOT_ETHROTTLED;
    suffer(fault, stream, is_throttle, &talk);
    assert_int_equal(talk.retries, is_throttle);
    if (is_throttle)
        code = MOOT_OK;
    const struct moot_emulator_fault_info *info = moot_emulator_fault_info(fault);
    bool is_status = info->act == MOOT_EMULATOR_ACT_STATUS;
    bool is_marked = code != MOOT_OK && !is_status;
    if (info->place == MOOT_EMULATOR_AT_ACCEPT)
        is_marked = talk.possible_duplicate; /* a race with the request's first byte */
    if (talk.error.code == code && talk.possible_duplicate == is_marked &&
        (code != MOOT_OK || talk.text[0] || fault == MOOT_EMULATOR_FAULT_NULL_CONTENT))
        return 0;
    print_error("%s, %s: %s (%s) instead of %s, duplicate %d\n", info->name,
                stream ? "stream" : "whole", moot_error_name(talk.error.code), talk.error.message,
                moot_error_name(code), talk.possible_duplicate);
    return 1;
}

static void every_fault(void **state)
{
    (void)state;
    unsigned wrong = 0;
    assert_int_equal(moot__countof(expected), MOOT_EMULATOR_FAULTS - 1);
    for (size_t i = 0; i < moot__countof(expected); i++) {
        assert_int_equal(expected[i].fault, i + 1); /* the table is complete and in order */
        wrong += check(expected[i].fault, false, expected[i].whole);
        wrong += check(expected[i].fault, true, expected[i].stream);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
