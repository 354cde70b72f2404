/* Anthropic's surface: answers, streams, what it refuses, and how it fails. */
#include "client.h"

#define MESSAGES "/v1/messages"
#define SETTINGS "{\"model\":\"claude\",\"max_tokens\":9,"
#define USER     "{\"role\":\"user\",\"content\":\"a bc\"}"
#define VERSION  "anthropic-version: 2023-06-01\r\n"
#define TOOLS    "\"tools\":[{\"name\":\"look\",\"input_schema\":{\"type\":\"object\"}}],"

static void open_client(struct client *c, struct moot_emulator_options options)
{
    client_open(c, &options);
    c->headers = VERSION "x-api-key: secret\r\n";
}

static void answers_whole(void **state)
{
    (void)state;
    struct client c;
    open_client(&c, moot_emulator_options_default());
    const char *text = client_ask(&c, MESSAGES, SETTINGS "\"messages\":[" USER "]}");
    assert_has(text, "request-id: req-1\r\n");
    assert_has(text, "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
                     "\"model\":\"claude\",\"content\":[{\"type\":\"text\","
                     "\"text\":\"claude heard: a bc\"}],\"stop_reason\":\"end_turn\","
                     "\"stop_sequence\":null,\"usage\":{\"input_tokens\":2,");
    assert_has(text, "\"output_tokens\":4}}");
    text = client_ask(&c, "/anthropic" MESSAGES,
                      "{\"model\":\"claude\",\"max_tokens\":1,\"system\":\"x y\",\"messages\":["
                      "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}");
    assert_has(text, "\"text\":\"claude\"}],\"stop_reason\":\"max_tokens\"");
    assert_has(text, "\"input_tokens\":3");
    client_close(&c);
}

static void streams_named_events(void **state)
{
    (void)state;
    struct client c;
    struct moot_buf body;
    open_client(&c, moot_emulator_options_default());
    moot__buf_init(&body, NULL, 1 << 20);
    client_ask(&c, MESSAGES,
               "{\"model\":\"m\",\"max_tokens\":2,\"stream\":true,\"messages\":[" USER "]}");
    assert_int_equal(client_body(&c, &body), MOOT_OK);
    assert_string_equal(
        body.data,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
        "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],"
        "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":2,"
        "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}}"
        "\n\n"
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        "event: ping\ndata: {\"type\":\"ping\"}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
        "\"delta\":{\"type\":\"text_delta\",\"text\":\"m\"}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
        "\"delta\":{\"type\":\"text_delta\",\"text\":\" heard:\"}}\n\n"
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
        "\"max_tokens\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":2,"
        "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":2}}"
        "\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    moot__buf_deinit(&body);
    client_close(&c);
}

static void refuses_what_the_api_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"{\"max_tokens\":9,\"messages\":[" USER "]}", "model: Field required"},
        {"{\"model\":\"m\",\"messages\":[" USER "]}", "max_tokens: Field required"},
        {"{\"model\":\"m\",\"max_tokens\":0,\"messages\":[" USER "]}", "greater than or equal"},
        {SETTINGS "\"messages\":[]}", "at least one message is required"},
        {SETTINGS "\"temperature\":1.5,\"messages\":[" USER "]}", "temperature: range: 0..1"},
        {SETTINGS "\"n\":2,\"messages\":[" USER "]}", "Extra inputs are not permitted"},
        {SETTINGS "\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}",
         "first message must use the \\\"user\\\" role"},
        {SETTINGS "\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}",
         "Unexpected role \\\"system\\\""},
        {SETTINGS "\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
         "Input should be 'user' or 'assistant'"},
        {SETTINGS "\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}", "non-empty content"},
        {SETTINGS "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\" "
                  "\"}]}]}",
         "text content blocks must be non-empty"},
        {SETTINGS "\"tools\":[{\"name\":\"f\"}],\"messages\":[" USER "]}",
         "tools.input_schema: Field required"},
    };
    struct client c;
    open_client(&c, moot_emulator_options_default());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = client_ask(&c, MESSAGES, cases[i].body);
        assert_has(text, "HTTP/1.1 400 ");
        assert_has(text, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",");
        assert_has(text, cases[i].message);
        assert_has(text, "\"request_id\":\"req-");
    }
    c.headers = "";
    assert_has(client_ask(&c, MESSAGES, SETTINGS "\"messages\":[" USER "]}"),
               "anthropic-version: header is required");
    client_close(&c);
}

static void knows_the_key_in_either_header(void **state)
{
    (void)state;
    struct moot_emulator_options options = moot_emulator_options_default();
    struct client c;
    options.api_key = "secret";
    open_client(&c, options);
    assert_has(client_ask(&c, MESSAGES, SETTINGS "\"messages\":[" USER "]}"), "HTTP/1.1 200 ");
    c.headers = VERSION "authorization: Bearer secret\r\n";
    assert_has(client_ask(&c, MESSAGES, SETTINGS "\"messages\":[" USER "]}"), "HTTP/1.1 200 ");
    c.headers = VERSION "x-api-key: other\r\n";
    assert_has(client_ask(&c, MESSAGES, SETTINGS "\"messages\":[" USER "]}"),
               "\"type\":\"authentication_error\"");
    c.headers = VERSION "api-key: secret\r\n";
    assert_has(client_ask(&c, MESSAGES, SETTINGS "\"messages\":[" USER "]}"), "HTTP/1.1 401 ");
    client_close(&c);
}

static void calls_a_tool(void **state)
{
    (void)state;
    struct moot_emulator_options options = moot_emulator_options_default();
    struct client c;
    options.answer = MOOT_EMULATOR_TOOL;
    open_client(&c, options);
    assert_has(client_ask(&c, MESSAGES, SETTINGS TOOLS "\"messages\":[" USER "]}"),
               "[{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look\",\"input\":"
               "{\"question\":\"a bc\"}}],\"stop_reason\":\"tool_use\"");
    const char *text =
        client_ask(&c, MESSAGES, SETTINGS TOOLS "\"stream\":true,\"messages\":[" USER "]}");
    assert_has(text, "\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":"
                     "\"look\",\"input\":{}}");
    assert_has(text, "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"question\\\":\\\"a\"");
    assert_has(text, "{\"stop_reason\":\"tool_use\"");
    assert_has(client_ask(&c, MESSAGES,
                          SETTINGS TOOLS "\"messages\":[" USER ",{\"role\":\"assistant\","
                                         "\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\""
                                         ":\"look\",\"input\":{}}]},{\"role\":\"user\",\"content\":"
                                         "[{\"type\":\"tool_result\",\"tool_use_id\":\"t\"}]}]}"),
               "\"stop_reason\":\"end_turn\"");
    client_close(&c);
}

static void fails_in_its_own_words(void **state)
{
    (void)state;
    static const struct {
        enum moot_emulator_fault fault;
        const char *text;
    } cases[] = {
        {MOOT_EMULATOR_FAULT_429, "\"error\":{\"type\":\"rate_limit_error\""},
        {MOOT_EMULATOR_FAULT_529, "\"error\":{\"type\":\"overloaded_error\""},
        {MOOT_EMULATOR_FAULT_404, "\"error\":{\"type\":\"not_found_error\""},
        {MOOT_EMULATOR_FAULT_ERROR_CHUNK,
         "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""},
        {MOOT_EMULATOR_FAULT_ERROR_FIELD, "event: error\ndata: {\"type\":\"error\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct moot_emulator_rule rule = {.fault = cases[i].fault, .rate = 1};
        struct moot_emulator_options options = moot_emulator_options_default();
        struct client c;
        options.rules = &rule;
        options.rule_count = 1;
        open_client(&c, options);
        const char *text =
            client_ask(&c, MESSAGES, SETTINGS "\"stream\":true,\"messages\":[" USER "]}");
        assert_has(text, cases[i].text);
        assert_lacks(text, "message_stop");
        client_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_whole),
        cmocka_unit_test(streams_named_events),
        cmocka_unit_test(refuses_what_the_api_refuses),
        cmocka_unit_test(knows_the_key_in_either_header),
        cmocka_unit_test(calls_a_tool),
        cmocka_unit_test(fails_in_its_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
