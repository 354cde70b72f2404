/* Each fault's bytes and its end, on whole answers and on streams. */
#include "client.h"

#include <stdio.h>

static void open_with(struct client *client, const struct moot_emulator_rule *rule,
                      enum moot_emulator_hint hint)
{
    struct moot_emulator_options options = moot_emulator_options_default();
    options.rules = rule;
    options.rule_count = 1;
    options.hint = hint;
    options.hint_ns = 1500 * MOOT_NS_PER_MS;
    options.wall_offset_ns = UINT64_C(1792567680) * MOOT_NS_PER_S; /* 2026-10-21 07:28:00 */
    client_open(client, &options);
}

/* Ask once under a fault that always happens; the text stays in the client. */
static const char *ask(struct client *client, enum moot_emulator_fault fault, const char *body)
{
    static const struct moot_emulator_rule none;
    struct moot_emulator_rule rule = none;
    rule.fault = fault;
    rule.rate = 1;
    open_with(client, &rule, MOOT_EMULATOR_HINT_SECONDS);
    const char *text = client_ask(client, CHAT, body);
    assert_int_equal(moot_emulator_ledger(client->emulator)->faults[fault], 1);
    assert_int_equal(moot_emulator_ledger(client->emulator)->answered, 0);
    assert_int_equal(moot_emulator_ledger(client->emulator)->in_flight, 0);
    return text;
}

static void statuses_replace_the_answer_and_cost_nothing(void **state)
{
    (void)state;
    for (unsigned i = 1; i < MOOT_EMULATOR_FAULTS; i++) {
        const struct moot_emulator_fault_info *info =
            moot_emulator_fault_info((enum moot_emulator_fault)i);
        struct client c;
        struct moot_buf body;
        char line[32];
        if (info->act != MOOT_EMULATOR_ACT_STATUS)
            continue;
        moot__buf_init(&body, NULL, 1 << 20);
        snprintf(line, sizeof line, "HTTP/1.1 %d ", info->status);
        assert_memory_equal(ask(&c, (enum moot_emulator_fault)i, HELLO_STREAM), line, 13);
        assert_int_equal(client_body(&c, &body), MOOT_OK);
        assert_int_equal(moot_emulator_connection_verdict(c.connection), MOOT_EMULATOR_GO_ON);
        assert_int_equal(moot_emulator_ledger(c.emulator)->billed, 0);
        moot__buf_deinit(&body);
        client_close(&c);
    }
}

static void throttling_hints_take_every_form(void **state)
{
    (void)state;
    static const struct {
        enum moot_emulator_hint hint;
        const char *field;
    } rows[] = {
        {MOOT_EMULATOR_HINT_SECONDS, "\r\nretry-after: 2\r\n"},
        {MOOT_EMULATOR_HINT_FLOAT, "\r\nretry-after: 1.500\r\n"},
        {MOOT_EMULATOR_HINT_DATE, "\r\ndate: Wed, 21 Oct 2026 07:28:00 GMT"
                                  "\r\nretry-after: Wed, 21 Oct 2026 07:28:02 GMT\r\n"},
        {MOOT_EMULATOR_HINT_MS, "\r\nretry-after-ms: 1500\r\n"},
        {MOOT_EMULATOR_HINT_NEGATIVE, "\r\nretry-after: -1\r\n"},
        {MOOT_EMULATOR_HINT_NAN, "\r\nretry-after: nan\r\n"},
        {MOOT_EMULATOR_HINT_HUGE, "\r\nretry-after: 1000000000\r\n"},
        {MOOT_EMULATOR_HINT_PAST, "\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
        {MOOT_EMULATOR_HINT_RETRY, "\r\nx-should-retry: true\r\n"},
        {MOOT_EMULATOR_HINT_NO_RETRY, "\r\nx-should-retry: false\r\n"},
    };
    struct moot_emulator_rule rule = {.fault = MOOT_EMULATOR_FAULT_429, .rate = 1};
    struct client c;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_with(&c, &rule, rows[i].hint);
        assert_has(client_ask(&c, CHAT, HELLO), rows[i].field);
        client_close(&c);
    }
    open_with(&c, &rule, MOOT_EMULATOR_HINT_NONE);
    assert_lacks(client_ask(&c, CHAT, HELLO), "retry");
    client_close(&c);
    rule.has_hint = true; /* a rule's own hint wins */
    rule.hint = MOOT_EMULATOR_HINT_MS;
    rule.hint_ns = 7 * MOOT_NS_PER_MS;
    open_with(&c, &rule, MOOT_EMULATOR_HINT_NONE);
    assert_has(client_ask(&c, CHAT, HELLO), "retry-after-ms: 7\r\nretry-after: 1\r\n");
    client_close(&c);
}

static void cuts_end_as_they_say_where_they_say(void **state)
{
    (void)state;
    static const char *const bodies[] = {HELLO, HELLO_STREAM};
    for (unsigned i = 1; i < MOOT_EMULATOR_FAULTS; i++) {
        const struct moot_emulator_fault_info *info =
            moot_emulator_fault_info((enum moot_emulator_fault)i);
        enum moot_emulator_verdict verdict =
            info->act == MOOT_EMULATOR_ACT_CLOSE   ? MOOT_EMULATOR_CLOSE
            : info->act == MOOT_EMULATOR_ACT_RESET ? MOOT_EMULATOR_RESET
            : info->act == MOOT_EMULATOR_ACT_STALL ? MOOT_EMULATOR_STALL
                                                   : MOOT_EMULATOR_GO_ON;
        if (verdict == MOOT_EMULATOR_GO_ON)
            continue;
        for (int k = 0; k < 2; k++) {
            struct client c;
            struct moot_buf body;
            moot__buf_init(&body, NULL, 1 << 20);
            const char *text = ask(&c, (enum moot_emulator_fault)i, bodies[k]);
            bool has_head = strstr(text, "\r\n\r\n") != NULL;
            assert_int_equal(moot_emulator_connection_verdict(c.connection), verdict);
            assert_int_equal(moot_emulator_connection_room(c.connection), 0);
            assert_int_equal(moot_emulator_connection_next_ns(c.connection), MOOT_NEVER_NS);
            assert_int_equal(client_body(&c, &body), MOOT_ETRUNCATED);
            assert_int_equal(text[0] != '\0', info->place >= MOOT_EMULATOR_AT_IN_HEAD);
            assert_int_equal(has_head, info->place >= MOOT_EMULATOR_AT_HEAD);
            assert_int_equal(body.len > 0, info->place >= MOOT_EMULATOR_AT_BODY);
            assert_lacks(text, "[DONE]");
            assert_int_equal(k == 1 && strstr(text, "\"finish_reason\":\"stop\"") != NULL,
                             k == 1 && info->place == MOOT_EMULATOR_AT_END);
            assert_int_equal(moot_emulator_ledger(c.emulator)->billed,
                             info->place >= MOOT_EMULATOR_AT_STATUS);
            assert_int_equal(moot_emulator_ledger(c.emulator)->abandoned, 0);
            moot__buf_deinit(&body);
            client_close(&c);
        }
    }
}

static void a_cut_may_be_after_a_given_token(void **state)
{
    (void)state;
    struct moot_emulator_rule rule = {
        .fault = MOOT_EMULATOR_FAULT_RESET_BODY, .rate = 1, .has_after = true, .after = 4};
    struct client c;
    open_with(&c, &rule, MOOT_EMULATOR_HINT_NONE);
    const char *text = client_ask(&c, CHAT, HELLO_STREAM);
    assert_has(text, "\"content\":\" bc\"");
    assert_lacks(text, "\"content\":\" def\"");
    assert_int_equal(moot_emulator_ledger(c.emulator)->tokens_out, 4);
    client_close(&c);
}

/* What a fault's answer must hold, and must not; whole or streamed. */
struct expectation {
    enum moot_emulator_fault fault;
    const char *body, *holds, *lacks;
    int verdict; /* of the HTTP parser */
};

static const struct expectation expectations[] = {
#define F(id) MOOT_EMULATOR_FAULT_##id
    {F(BAD_JSON), HELLO, "\"choices\"", "finish_reason", MOOT_OK},
    {F(ERROR_200), HELLO, "HTTP/1.1 200 OK", "choices", MOOT_OK},
    {F(ERROR_200), HELLO_STREAM, "data: {\"error\"", "choices", MOOT_OK},
    {F(HTML), HELLO, "content-type: text/html\r\n", "choices", MOOT_OK},
    {F(HTML), HELLO_STREAM, "content-type: text/html\r\n", "data:", MOOT_OK},
    {F(EMPTY_BODY), HELLO, "content-length: 0\r\n", "{", MOOT_OK},
    {F(EMPTY_BODY), HELLO_STREAM, "content-length: 0\r\n", "{", MOOT_OK},
    {F(NULL_BODY), HELLO, "\r\n\r\nnull", "{", MOOT_OK},
    {F(NULL_BODY), HELLO_STREAM, "data: null\n\n", "{", MOOT_OK},
    {F(NO_CHOICES), HELLO, "\"choices\":[]", "content\"", MOOT_OK},
    {F(NO_CHOICES), HELLO_STREAM, "\"choices\":[]", "delta", MOOT_OK},
    {F(NULL_CONTENT), HELLO, "\"content\":null", "heard", MOOT_OK},
    {F(CONTENT_LIST), HELLO, "\"content\":[{\"type\":\"text\",\"text\":\"m heard", "null", MOOT_OK},
    {F(NO_USAGE), HELLO, "heard", "usage", MOOT_OK},
    {F(NO_TYPE), HELLO, "heard", "content-type", MOOT_OK},
    {F(NO_TYPE), HELLO_STREAM, "heard", "content-type", MOOT_OK},
    {F(ERROR_CHUNK), HELLO_STREAM, "\ndata: {\"error\":{", "[DONE]", MOOT_OK},
    {F(ERROR_EVENT), HELLO_STREAM, "event: error\ndata: {\"object\":\"error\"", "[DONE]", MOOT_OK},
    {F(ERROR_OBJECT), HELLO_STREAM, "\ndata: {\"object\":\"error\"", "[DONE]", MOOT_OK},
    {F(ERROR_FIELD), HELLO_STREAM, "\nerror: {\"error\":{", "[DONE]", MOOT_OK},
    {F(ERROR_BARE), HELLO_STREAM, "\n{\"error\":{", "[DONE]", MOOT_OK},
    {F(ERROR_FINISH), HELLO_STREAM, "\"finish_reason\":\"error\"", "[DONE]", MOOT_OK},
    {F(ERROR_DONE), HELLO_STREAM, "[DONE]", "\"finish_reason\":\"stop\"", MOOT_OK},
    {F(NO_FINISH), HELLO_STREAM, " def", "\"finish_reason\":\"stop\"", MOOT_OK},
    {F(NO_FINISH), HELLO_STREAM, " def", "[DONE]", MOOT_OK},
    {F(NO_DONE), HELLO_STREAM, "\"finish_reason\":\"stop\"", "[DONE]", MOOT_OK},
    {F(EMPTY_DATA), HELLO_STREAM, "\ndata:\n\n", "no", MOOT_OK},
    {F(COMMENTS), HELLO_STREAM, "\n: ping\ndata: ", "no", MOOT_OK},
    {F(CRLF), HELLO_STREAM, "[DONE]\r\n\r\n", "}\n", MOOT_OK},
    {F(CR), HELLO_STREAM, "[DONE]\r\r", "\n\n", MOOT_OK},
    {F(BOM), HELLO_STREAM,
     "\r\n\xEF\xBB\xBF"
     "data: {",
     "no", MOOT_OK},
    {F(SURROGATES), HELLO_STREAM, "\"content\":\"\\ud83d\"", "@@", MOOT_OK},
    {F(SURROGATES), HELLO_STREAM, "\"content\":\"\\ude00\"", "@@", MOOT_OK},
    {F(SHORT_BODY), HELLO, "\"finish_reason\":\"stop\"", "no", MOOT_ETRUNCATED},
    {F(LONG_BODY), HELLO, "{}", "no", MOOT_OK},
    {F(LONG_BODY), HELLO_STREAM, "0\r\n\r\nHTTP/1.1 200 OK", "no", MOOT_OK},
    {F(NO_LAST_CHUNK), HELLO, "chunked", "\r\n0\r\n", MOOT_ETRUNCATED},
    {F(NO_LAST_CHUNK), HELLO_STREAM, "[DONE]", "\r\n0\r\n", MOOT_ETRUNCATED},
    {F(BAD_CHUNK), HELLO, "xyz", "no", MOOT_EPROTO},
    {F(BAD_CHUNK), HELLO_STREAM, "xyz", "no", MOOT_EPROTO},
    {F(TWO_LENGTHS), HELLO, "content-length: 7\r\n", "no", MOOT_EPROTO},
    {F(TWO_LENGTHS), HELLO_STREAM, "content-length: 8\r\n", "no", MOOT_EPROTO},
    {F(BIG_HEAD), HELLO, "x-padding-299: nothing\r\n", "no", MOOT_OK},
    {F(CONTINUES), HELLO, "100 Continue\r\n\r\nHTTP/1.1 200", "no", MOOT_EPROTO},
    {F(GZIP), HELLO, "content-encoding: gzip\r\n", "no", MOOT_OK},
    {F(TWO_ANSWERS), HELLO, "}HTTP/1.1 200 OK", "no", MOOT_OK},
    {F(IDLE_408), HELLO, "}HTTP/1.1 408 Request Timeout\r\n", "no", MOOT_OK},
    {F(IDLE_408), HELLO_STREAM, "0\r\n\r\nHTTP/1.1 408 Request Timeout\r\n", "no", MOOT_OK},
    {F(SLOW), HELLO, "heard", "no", MOOT_OK},
    {F(SPLIT), HELLO, "\r\n0\r\n\r\n", "heard", MOOT_OK},
    {F(SPLIT), HELLO_STREAM, "\r\n0\r\n\r\n", "heard", MOOT_OK},
#undef F
};

static void every_other_fault_has_its_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const struct expectation *e = &expectations[i];
        const char *name = moot_emulator_fault_info(e->fault)->name;
        struct client c;
        struct moot_buf body;
        moot__buf_init(&body, NULL, 1 << 20);
        const char *text = ask(&c, e->fault, e->body);
        if (!strstr(text, e->holds))
            fail_msg("%s lacks '%s': %s", name, e->holds, text);
        if (strcmp(e->lacks, "no") != 0 && strstr(text, e->lacks))
            fail_msg("%s holds '%s': %s", name, e->lacks, text);
        int rc = client_body(&c, &body);
        if (rc != e->verdict)
            fail_msg("%s: %s, not %s", name, moot_error_name(rc), moot_error_name(e->verdict));
        moot__buf_deinit(&body);
        client_close(&c);
    }
}

/* Every fault of the list is in a test above, or is counted here by hand. */
static void no_fault_is_forgotten(void **state)
{
    (void)state;
    for (unsigned i = 1; i < MOOT_EMULATOR_FAULTS; i++) {
        enum moot_emulator_act act = moot_emulator_fault_info((enum moot_emulator_fault)i)->act;
        bool is_seen = act == MOOT_EMULATOR_ACT_STATUS || act == MOOT_EMULATOR_ACT_CLOSE ||
                       act == MOOT_EMULATOR_ACT_RESET || act == MOOT_EMULATOR_ACT_STALL ||
                       i == MOOT_EMULATOR_FAULT_TWO_FINISHES || i == MOOT_EMULATOR_FAULT_TWO_DONES;
        for (size_t k = 0; k < sizeof expectations / sizeof expectations[0]; k++)
            is_seen = is_seen || expectations[k].fault == (enum moot_emulator_fault)i;
        if (!is_seen)
            fail_msg("%s has no test", moot_emulator_fault_info((enum moot_emulator_fault)i)->name);
    }
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static void ends_may_be_doubled(void **state)
{
    (void)state;
    struct client c;
    const char *text = ask(&c, MOOT_EMULATOR_FAULT_TWO_FINISHES, HELLO_STREAM);
    assert_int_equal(count(text, "\"finish_reason\":\"stop\""), 2);
    client_close(&c);
    text = ask(&c, MOOT_EMULATOR_FAULT_TWO_DONES, HELLO_STREAM);
    assert_int_equal(count(text, "[DONE]"), 2);
    client_close(&c);
}

static void stream_faults_leave_whole_answers_alone(void **state)
{
    (void)state;
    struct moot_emulator_rule rule = {.fault = MOOT_EMULATOR_FAULT_NO_DONE, .rate = 1};
    struct client c;
    open_with(&c, &rule, MOOT_EMULATOR_HINT_NONE);
    client_ask(&c, CHAT, HELLO);
    assert_int_equal(moot_emulator_ledger(c.emulator)->answered, 1);
    assert_int_equal(moot_emulator_ledger(c.emulator)->faults[rule.fault], 0);
    client_close(&c);
}

static void slow_bytes_take_their_time(void **state)
{
    (void)state;
    struct moot_emulator_rule rule = {.fault = MOOT_EMULATOR_FAULT_SLOW, .rate = 1};
    struct client c;
    open_with(&c, &rule, MOOT_EMULATOR_HINT_NONE);
    client_ask(&c, CHAT, HELLO);
    assert_int_equal(c.now_ns, 1000 + (c.received.len - 1) * 10 * MOOT_NS_PER_MS);
    client_close(&c);
}

static void rules_apply_by_number_and_text(void **state)
{
    (void)state;
    struct moot_emulator_rule rules[] = {
        {.fault = MOOT_EMULATOR_FAULT_500, .first = 2, .last = 3},
        {.fault = MOOT_EMULATOR_FAULT_503, .match = "scones"},
        {.fault = MOOT_EMULATOR_FAULT_RESET_ACCEPT, .first = 2, .last = 2},
        {.fault = MOOT_EMULATOR_FAULT_CLOSE_REQUEST, .first = 6, .last = 6},
    };
    struct moot_emulator_options options = moot_emulator_options_default();
    struct client c;
    options.rules = rules;
    options.rule_count = 4;
    client_open(&c, &options);
    assert_has(client_ask(&c, CHAT, HELLO), " 200 ");
    assert_has(client_ask(&c, CHAT, HELLO), " 500 ");
    assert_has(client_ask(&c, CHAT, HELLO), " 500 ");
    assert_has(client_ask(&c, CHAT, HELLO), " 200 ");
    assert_has(client_ask(&c, CHAT,
                          "{\"model\":\"m\",\"messages\":["
                          "{\"role\":\"user\",\"content\":\"some scones?\"}]}"),
               " 503 ");
    assert_string_equal(client_ask(&c, CHAT, HELLO), "");
    assert_int_equal(moot_emulator_connection_verdict(c.connection), MOOT_EMULATOR_CLOSE);
    client_reconnect(&c);
    assert_int_equal(moot_emulator_connection_verdict(c.connection), MOOT_EMULATOR_RESET);
    client_reconnect(&c);
    assert_has(client_ask(&c, CHAT, HELLO), " 200 ");
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_replace_the_answer_and_cost_nothing),
        cmocka_unit_test(throttling_hints_take_every_form),
        cmocka_unit_test(cuts_end_as_they_say_where_they_say),
        cmocka_unit_test(a_cut_may_be_after_a_given_token),
        cmocka_unit_test(every_other_fault_has_its_bytes),
        cmocka_unit_test(no_fault_is_forgotten),
        cmocka_unit_test(ends_may_be_doubled),
        cmocka_unit_test(stream_faults_leave_whole_answers_alone),
        cmocka_unit_test(slow_bytes_take_their_time),
        cmocka_unit_test(rules_apply_by_number_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
