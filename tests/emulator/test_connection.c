/* Surfaces, framing, pacing, quotas and the ledger, in virtual time. */
#include "client.h"

#include <stdio.h>

#include "tests/support/failing_alloc.h"

static void openai_answers_whole(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, NULL);
    const char *text = client_ask(&c, CHAT, HELLO);
    assert_has(text, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n");
    assert_has(text, "\"object\":\"chat.completion\"");
    assert_has(text, "\"content\":\"m heard: a bc def\"},\"finish_reason\":\"stop\"");
    assert_has(text, "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":8}");
    struct moot_buf body;
    moot__buf_init(&body, NULL, 1 << 20);
    assert_int_equal(client_body(&c, &body), MOOT_OK);
    text = client_ask(&c, "/proxy" CHAT "?x=1", HELLO); /* kept alive */
    assert_has(text, "m heard");
    assert_int_equal(moot_emulator_connection_verdict(c.connection), MOOT_EMULATOR_GO_ON);
    assert_int_equal(moot_emulator_ledger(c.emulator)->answered, 2);
    moot__buf_deinit(&body);
    client_close(&c);
}

static void databricks_names_the_endpoint_in_the_path(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, NULL);
    assert_has(client_ask(&c, INVOKE, "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"),
               "oracle heard: x");
    assert_has(client_ask(&c, "/serving-endpoints/a%2Fb/invocations", HELLO), "a/b heard");
    assert_has(client_ask(&c, "/serving-endpoints/chat/completions", HELLO), "m heard");
    assert_has(client_ask(&c, "/serving-endpoints/oracle/other", HELLO),
               "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"");
    assert_has(client_ask(&c, "/nowhere", HELLO), "{\"error\":{\"message\"");
    assert_int_equal(moot_emulator_ledger(c.emulator)->refused, 2);
    client_close(&c);
}

static void openai_stream_has_the_documented_shape(void **state)
{
    (void)state;
    struct client c;
    struct moot_buf body;
    client_open(&c, NULL);
    moot__buf_init(&body, NULL, 1 << 20);
    client_ask(&c, CHAT,
               "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
               "\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":\"hi you\"}]}");
    assert_int_equal(client_body(&c, &body), MOOT_OK);
    assert_string_equal(
        body.data,
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":0,"
        "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
        "\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n"
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":0,"
        "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"m\"},"
        "\"finish_reason\":null}],\"usage\":null}\n\n"
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":0,"
        "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" heard:\"},"
        "\"finish_reason\":null}],\"usage\":null}\n\n"
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":0,"
        "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" hi\"},"
        "\"finish_reason\":null}],\"usage\":null}\n\n"
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":0,"
        "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}],"
        "\"usage\":null}\n\n"
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":0,"
        "\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3,"
        "\"total_tokens\":5}}\n\n"
        "data: [DONE]\n\n");
    moot__buf_deinit(&body);
    client_close(&c);
}

static void databricks_stream_has_usage_on_every_chunk(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, NULL);
    const char *text = client_ask(&c, INVOKE, HELLO_STREAM);
    for (int i = 0; i <= 5; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "\"completion_tokens\":%d,", i);
        assert_has(text, usage);
    }
    assert_lacks(text, "\"choices\":[]");
    assert_has(text, "data: [DONE]\n\n\r\n0\r\n\r\n");
    client_close(&c);
}

static void bytes_come_one_at_a_time(void **state)
{
    (void)state;
    struct client whole, single;
    client_open(&whole, NULL);
    client_open(&single, NULL);
    single.is_byte_by_byte = true;
    const char *bodies[] = {HELLO, HELLO_STREAM, "{", "[]"};
    for (size_t i = 0; i < 4; i++) {
        const char *a = client_ask(&whole, CHAT, bodies[i]);
        const char *b = client_ask(&single, CHAT, bodies[i]);
        assert_string_equal(a, b);
    }
    client_close(&whole);
    client_close(&single);
}

static void bodies_may_be_chunked_and_expected(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, NULL);
    client_send(&c, "POST " CHAT " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n");
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_string_equal(client_text(&c), "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&c, "8\r\n{\"model\"\r\n");
    client_send(&c, "36\r\n:\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"chunked\"}]}\r\n"
                    "0\r\n\r\n");
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_has(client_text(&c), "m heard: chunked");
    client_close(&c);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_options options = moot_emulator_options_default();
    options.whole_ns = MOOT_NS_PER_S;
    client_open(&c, &options);
    client_post(&c, CHAT, HELLO);
    client_post(&c, INVOKE, HELLO);
    client_run(&c, MOOT_NEVER_NS - 1);
    const char *first = strstr(client_text(&c), "m heard");
    assert_non_null(first);
    assert_has(first, "oracle heard");
    assert_int_equal(c.now_ns, 1000 + 2 * MOOT_NS_PER_S);
    assert_int_equal(moot_emulator_ledger(c.emulator)->in_flight_max, 1);
    client_close(&c);
}

static void refusals_speak_the_surface(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_options options = moot_emulator_options_default();
    options.api_key = "secret";
    client_open(&c, &options);
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "{\"model\":\"m\"}",
        "{\"model\":\"m\",\"messages\":[]}",
        "{\"model\":\"m\",\"messages\":[{\"content\":\"x\"}]}",
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":7}]}",
        "{\"model\":\"m\",\"max_tokens\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const char *text = client_ask(&c, CHAT, bodies[i]);
        assert_has(text, "HTTP/1.1 400 Bad Request\r\n");
        assert_has(text, "\"type\":\"invalid_request_error\"");
    }
    moot__buf_reset(&c.received);
    client_send(&c, "GET /v1/models HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer wrong\r\n\r\n");
    client_send(&c, "GET /v1/models HTTP/1.1\r\nHost: h\r\nAuthorization: secret\r\n\r\n");
    client_send(&c, "DELETE " CHAT " HTTP/1.1\r\nHost: h\r\n\r\n");
    client_send(&c, "GET /v1/models HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer secret\r\n\r\n");
    client_run(&c, MOOT_NEVER_NS - 1);
    const char *text = client_text(&c);
    assert_has(text, "HTTP/1.1 401 Unauthorized\r\n");
    assert_has(strstr(text, "401") + 3, "HTTP/1.1 401 Unauthorized\r\n");
    assert_has(text, "HTTP/1.1 405 Method Not Allowed\r\n");
    assert_has(text, "\"id\":\"emulator\"");
    client_send(&c, "GARBAGE\r\n\r\n");
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_has(client_text(&c), "connection: close\r\n");
    assert_int_equal(moot_emulator_connection_verdict(c.connection), MOOT_EMULATOR_CLOSE);
    client_close(&c);
}

static void tokens_are_sent_on_the_planned_nanosecond(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_options options = moot_emulator_options_default();
    struct moot_emulator_log_entry entry;
    options.answer = MOOT_EMULATOR_GENERATED;
    options.reply_tokens_min = options.reply_tokens_max = 100;
    options.first_token_ns = 300 * MOOT_NS_PER_MS;
    options.inter_token_ns = 20 * MOOT_NS_PER_MS + 1;
    client_open(&c, &options);
    client_post(&c, CHAT, HELLO_STREAM);
    client_run(&c, 1000 + options.first_token_ns - 1);
    assert_int_equal(c.received.len, 0);
    client_run(&c, MOOT_NEVER_NS - 1);
    for (size_t i = 0; i < 100; i++) {
        assert_true(moot_emulator_log(c.emulator, i, &entry));
        assert_int_equal(entry.request, 1);
        assert_int_equal(entry.token, i);
        assert_int_equal(entry.planned_ns,
                         1000 + options.first_token_ns + i * options.inter_token_ns);
        assert_int_equal(entry.sent_ns, entry.planned_ns);
    }
    assert_false(moot_emulator_log(c.emulator, 100, &entry));
    assert_int_equal(c.now_ns, entry.planned_ns);
    client_close(&c);
}

static void jitter_keeps_the_order_and_never_adds_up(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_options options = moot_emulator_options_default();
    struct moot_emulator_log_entry entry;
    uint64_t before = 0;
    unsigned late = 0;
    options.answer = MOOT_EMULATOR_GENERATED;
    options.reply_tokens_min = options.reply_tokens_max = 200;
    options.inter_token_ns = MOOT_NS_PER_MS;
    options.jitter_ns = 3 * MOOT_NS_PER_MS;
    client_open(&c, &options);
    client_ask(&c, CHAT, HELLO_STREAM);
    for (size_t i = 0; i < 200; i++) {
        assert_true(moot_emulator_log(c.emulator, i, &entry));
        uint64_t plain = 1000 + i * options.inter_token_ns;
        assert_in_range(entry.planned_ns, plain, plain + options.jitter_ns);
        assert_true(entry.planned_ns >= before);
        late += entry.planned_ns > plain;
        before = entry.planned_ns;
    }
    assert_true(late > 150);
    client_close(&c);
}

static void an_unread_stream_waits_in_bounds(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_options options = moot_emulator_options_default();
    struct moot_emulator_log_entry entry;
    options.answer = MOOT_EMULATOR_GENERATED;
    options.reply_tokens_min = options.reply_tokens_max = 5000;
    options.log_max = 10;
    client_open(&c, &options);
    client_post(&c, CHAT, HELLO_STREAM);
    moot_emulator_connection_tick(c.connection, MOOT_NS_PER_S);
    assert_int_equal(moot_emulator_connection_next_ns(c.connection), MOOT_NEVER_NS);
    assert_in_range(moot_emulator_connection_output(c.connection).len, 16 * 100, 16 * 400);
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_true(moot_emulator_log(c.emulator, 9, &entry));
    assert_int_equal(entry.token, 4999);
    assert_false(moot_emulator_log(c.emulator, 10, &entry));
    client_close(&c);
}

static void quotas_throttle_and_tell(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_options options = moot_emulator_options_default();
    options.quota = (struct moot_emulator_quota){.rpm = 2, .tpm = 1000};
    options.hint = MOOT_EMULATOR_HINT_MS;
    client_open(&c, &options);
    const char *text = client_ask(&c, CHAT, HELLO);
    assert_has(text, "x-ratelimit-limit-requests: 2\r\n");
    assert_has(text, "x-ratelimit-remaining-requests: 1\r\n");
    assert_has(text, "x-ratelimit-reset-requests: 30s\r\n");
    assert_has(text, "x-ratelimit-limit-tokens: 1000\r\n");
    assert_has(text, "x-ratelimit-remaining-tokens: 997\r\n");
    assert_has(text, "x-ratelimit-reset-tokens: 180ms\r\n");
    text = client_ask(&c, INVOKE, HELLO);
    assert_lacks(text, "x-ratelimit");
    text = client_ask(&c, CHAT, HELLO);
    assert_has(text, "HTTP/1.1 429 Too Many Requests\r\n");
    assert_has(text, "\"type\":\"requests\",\"param\":null,\"code\":\"rate_limit_exceeded\"");
    assert_has(text, "retry-after-ms: 30000\r\nretry-after: 30\r\n");
    assert_has(text, "x-ratelimit-reset-requests: 1m0s\r\n");
    c.now_ns += 30 * MOOT_NS_PER_S;
    assert_has(client_ask(&c, CHAT, HELLO), "200 OK");
    const struct moot_emulator_ledger *ledger = moot_emulator_ledger(c.emulator);
    assert_int_equal(ledger->throttled, 1);
    assert_int_equal(ledger->answered, 3);
    assert_int_equal(ledger->billed, 3);
    assert_int_equal(ledger->tokens_in, 9);
    assert_int_equal(ledger->tokens_out, 15);
    client_close(&c);
}

static void concurrency_is_limited(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_connection *other;
    struct moot_emulator_options options = moot_emulator_options_default();
    options.quota.concurrency = 1;
    options.whole_ns = MOOT_NS_PER_S;
    client_open(&c, &options);
    client_post(&c, CHAT, HELLO);
    struct moot_emulator_connection *first = c.connection;
    assert_int_equal(moot_emulator_connection_new(c.emulator, c.now_ns, &other), MOOT_OK);
    c.connection = other;
    assert_has(client_ask(&c, CHAT, HELLO), "429");
    moot_emulator_connection_free(other);
    c.connection = first;
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_has(client_text(&c), "200 OK");
    client_close(&c);
}

static void a_client_that_leaves_is_counted(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_options options = moot_emulator_options_default();
    options.inter_token_ns = MOOT_NS_PER_S;
    client_open(&c, &options);
    client_post(&c, CHAT, HELLO_STREAM);
    client_run(&c, c.now_ns + MOOT_NS_PER_S);
    client_reconnect(&c);
    const struct moot_emulator_ledger *ledger = moot_emulator_ledger(c.emulator);
    assert_int_equal(ledger->abandoned, 1);
    assert_int_equal(ledger->in_flight, 0);
    assert_int_equal(ledger->tokens_out, 2);
    client_post(&c, CHAT, HELLO_STREAM); /* a half-closed client gets its answer */
    moot_emulator_connection_eof(c.connection, c.now_ns);
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_has(client_text(&c), "[DONE]");
    assert_int_equal(moot_emulator_connection_verdict(c.connection), MOOT_EMULATOR_CLOSE);
    client_close(&c);
}

static void old_and_closing_clients_are_served(void **state)
{
    (void)state;
    struct client c;
    char head[128];
    client_open(&c, NULL);
    snprintf(head, sizeof head, "POST " CHAT " HTTP/1.0\r\nContent-Length: %zu\r\n\r\n",
             sizeof HELLO_STREAM - 1);
    client_send(&c, head);
    client_send(&c, HELLO_STREAM);
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_lacks(client_text(&c), "chunked");
    assert_has(client_text(&c), "data: [DONE]\n\n");
    assert_int_equal(moot_emulator_connection_verdict(c.connection), MOOT_EMULATOR_CLOSE);
    client_close(&c);
}

static void the_seed_decides(void **state)
{
    (void)state;
    struct client a, b, other;
    struct moot_emulator_rule rule = {.fault = MOOT_EMULATOR_FAULT_500, .rate = 0.3};
    struct moot_emulator_options options = moot_emulator_options_default();
    options.answer = MOOT_EMULATOR_GENERATED;
    options.reply_tokens_min = 1;
    options.reply_tokens_max = 50;
    options.rules = &rule;
    options.rule_count = 1;
    options.seed = 42;
    client_open(&a, &options);
    client_open(&b, &options);
    options.seed = 43;
    client_open(&other, &options);
    unsigned different = 0;
    for (int i = 0; i < 200; i++) {
        const char *text = client_ask(&a, CHAT, HELLO);
        assert_string_equal(text, client_ask(&b, CHAT, HELLO));
        different += strcmp(text, client_ask(&other, CHAT, HELLO)) != 0;
    }
    assert_true(different > 100);
    assert_in_range(moot_emulator_ledger(a.emulator)->faults[MOOT_EMULATOR_FAULT_500], 40, 80);
    client_close(&a);
    client_close(&b);
    client_close(&other);
}

static void scripts_and_golden_answers(void **state)
{
    (void)state;
    struct client c;
    struct moot_emulator_script scripts[] = {{"bc", "Second \u00e9"}, {NULL, "Last"}};
    struct moot_emulator_options options = moot_emulator_options_default();
    options.answer = MOOT_EMULATOR_SCRIPTED;
    options.scripts = scripts;
    options.script_count = 2;
    client_open(&c, &options);
    assert_has(client_ask(&c, CHAT, HELLO), "\"content\":\"Second \u00e9\"");
    assert_has(client_ask(&c, CHAT,
                          "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                          "[{\"type\":\"text\",\"text\":\"x\"}]}]}"),
               "\"content\":\"Last\"");
    client_close(&c);
    options.answer = MOOT_EMULATOR_GOLDEN;
    client_open(&c, &options);
    const char *text = client_ask(
        &c, INVOKE,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Can you evaluate and enhance this "
        "answer with the provided contextual history?\"}]}");
    assert_has(text, "\"content\":\"Answer from oracle to: Can you evaluate and enhance this "
                     "answer with the provided c\"}");
    assert_has(text, "\"created\":1700000000");
    assert_has(text, "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7,");
    client_close(&c);
}

static void ledger_and_log_are_served(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, NULL);
    client_ask(&c, CHAT, HELLO_STREAM);
    moot__buf_reset(&c.received);
    client_send(&c, "GET /_moot/ledger HTTP/1.1\r\nHost: h\r\n\r\n");
    client_send(&c, "GET /_moot/log HTTP/1.1\r\nHost: h\r\n\r\n");
    client_run(&c, MOOT_NEVER_NS - 1);
    assert_has(client_text(&c), "\"requests\":1,\"answered\":1,\"streams\":1,");
    assert_has(client_text(&c), "\"rows\":[[1,0,1000,1000],[1,1,");
    client_close(&c);
}

/* One request with the nth allocation failing: it is answered, refused, or reset; nothing leaks. */
static void ask_with(const struct moot_allocator *allocator, const char *body)
{
    struct moot_emulator_options options = moot_emulator_options_default();
    struct moot_emulator *emulator;
    options.answer = MOOT_EMULATOR_GENERATED;
    int rc = moot_emulator_new(&options, allocator, &emulator);
    if (rc) {
        assert_int_equal(rc, MOOT_ENOMEM);
        return;
    }
    struct client c = {.emulator = emulator, .now_ns = 1000};
    moot__buf_init(&c.received, NULL, 1 << 20);
    rc = moot_emulator_connection_new(emulator, c.now_ns, &c.connection);
    if (rc == MOOT_OK) {
        const char *text = client_ask(&c, CHAT, body);
        if (moot_emulator_connection_verdict(c.connection) == MOOT_EMULATOR_GO_ON)
            assert_has(text, "HTTP/1.1 200 OK");
        assert_int_equal(moot_emulator_ledger(emulator)->in_flight, 0);
    } else {
        assert_int_equal(rc, MOOT_ENOMEM);
    }
    client_close(&c);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    static const char *const bodies[] = {HELLO, HELLO_STREAM};
    for (size_t i = 0; i < 2; i++) {
        size_t nth = 1;
        for (bool failed = true; failed; nth++) {
            struct moot_failing_alloc memory;
            moot__failing_alloc_init(&memory, nth);
            ask_with(&memory.allocator, bodies[i]);
            assert_int_equal(moot__failing_alloc_live(&memory), 0);
            failed = moot__failing_alloc_failed(&memory);
        }
        assert_true(nth > 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_answers_whole),
        cmocka_unit_test(databricks_names_the_endpoint_in_the_path),
        cmocka_unit_test(openai_stream_has_the_documented_shape),
        cmocka_unit_test(databricks_stream_has_usage_on_every_chunk),
        cmocka_unit_test(bytes_come_one_at_a_time),
        cmocka_unit_test(bodies_may_be_chunked_and_expected),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(refusals_speak_the_surface),
        cmocka_unit_test(tokens_are_sent_on_the_planned_nanosecond),
        cmocka_unit_test(jitter_keeps_the_order_and_never_adds_up),
        cmocka_unit_test(an_unread_stream_waits_in_bounds),
        cmocka_unit_test(quotas_throttle_and_tell),
        cmocka_unit_test(concurrency_is_limited),
        cmocka_unit_test(a_client_that_leaves_is_counted),
        cmocka_unit_test(old_and_closing_clients_are_served),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(scripts_and_golden_answers),
        cmocka_unit_test(ledger_and_log_are_served),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
