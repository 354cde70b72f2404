/* Bedrock's surfaces: answers, frames, what is refused, and signatures. */
#include "agents/sigv4.h"
#include "client.h"
#include "engine/base/base64.h"
#include "net/eventstream.h"

#include <stdio.h>

#define CONVERSE "/model/anthropic.claude%3A0/converse"
#define STREAM   CONVERSE "-stream"
#define INVOKED  "/model/claude/invoke"
#define ASK      "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a bc\"}]}]}"
#define CLAUDE                                                                                     \
    "{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":9,"                              \
    "\"messages\":[{\"role\":\"user\",\"content\":\"a bc\"}]}"

/* The stream's messages as lines "KIND NAME PAYLOAD"; a chunk's payload is decoded. */
struct told {
    struct moot_buf text;
    bool decodes;
};

static int tell(void *context, const struct moot_eventstream_event *event)
{
    static const char *const kinds[] = {"event", "exception", "error"};
    struct told *told = context;
    struct moot_view payload = event->payload, open = MOOT_VIEW("{\"bytes\":\"");
    assert_int_equal(moot__buf_append_str(&told->text, kinds[event->kind]), MOOT_OK);
    assert_int_equal(moot__buf_append_str(&told->text, " "), MOOT_OK);
    assert_int_equal(moot__buf_append_view(&told->text, event->name), MOOT_OK);
    assert_int_equal(moot__buf_append_str(&told->text, " "), MOOT_OK);
    if (told->decodes && moot__view_starts(payload, open)) {
        size_t end = moot__view_find(payload, '"', open.len);
        payload = moot__view(payload.ptr + open.len, end - open.len);
        assert_int_equal(moot__base64_decode(&told->text, payload), MOOT_OK);
    } else {
        assert_int_equal(moot__buf_append_view(&told->text, payload), MOOT_OK);
    }
    return moot__buf_append_str(&told->text, "\n");
}

/* What the frames of the last answer say; *rc is the parser's verdict. */
static const char *frames_of(struct client *c, struct told *told, int *rc)
{
    struct moot_eventstream_parser parser;
    struct moot_buf body;
    moot__buf_init(&body, NULL, 1 << 20);
    moot__buf_init(&told->text, NULL, 1 << 20);
    moot__eventstream_init(&parser, NULL);
    int ignored = client_body(c, &body);
    (void)ignored;
    *rc = moot__eventstream_feed(&parser, moot__buf_view(&body), tell, told);
    if (*rc == MOOT_OK)
        *rc = moot__eventstream_finish(&parser);
    moot__eventstream_deinit(&parser);
    moot__buf_deinit(&body);
    assert_int_equal(moot__buf_append_byte(&told->text, '\0'), MOOT_OK);
    return told->text.data;
}

static void converses(void **state)
{
    (void)state;
    struct client c;
    struct told told = {.decodes = true};
    int rc;
    client_open(&c, NULL);
    const char *text = client_ask(&c, CONVERSE, ASK);
    assert_has(text, "x-amzn-requestid: req-1\r\n");
    assert_has(text, "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":"
                     "\"anthropic.claude:0 heard: a bc\"}]}},\"stopReason\":\"end_turn\","
                     "\"usage\":{\"inputTokens\":2,\"outputTokens\":4,\"totalTokens\":6}");
    assert_has(client_ask(&c, STREAM, ASK), "content-type: application/vnd.amazon.eventstream");
    text = frames_of(&c, &told, &rc);
    assert_int_equal(rc, MOOT_OK);
    assert_has(text, "event messageStart {\"role\":\"assistant\",\"p\":\"abc");
    assert_has(text, "event contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":"
                     "\" heard:\"},\"p\":\"a");
    assert_has(text, "event messageStop {\"stopReason\":\"end_turn\"");
    assert_has(text, "event metadata {\"usage\":{\"inputTokens\":2,\"outputTokens\":4,");
    assert_lacks(text, "contentBlockStart ");
    moot__buf_deinit(&told.text);
    client_close(&c);
}

static void invokes_claude(void **state)
{
    (void)state;
    struct client c;
    struct told told = {.decodes = true};
    int rc;
    client_open(&c, NULL);
    assert_has(client_ask(&c, INVOKED, CLAUDE), "\"text\":\"claude heard: a bc\"");
    client_ask(&c, INVOKED "-with-response-stream", CLAUDE);
    const char *text = frames_of(&c, &told, &rc);
    assert_int_equal(rc, MOOT_OK);
    assert_has(text, "event chunk {\"type\":\"message_start\"");
    assert_has(text, "\"delta\":{\"type\":\"text_delta\",\"text\":\" heard:\"}}\n");
    assert_has(text, "event chunk {\"type\":\"message_stop\"}\n");
    moot__buf_deinit(&told.text);
    assert_has(client_ask(&c, INVOKED, "{\"model\":\"m\"}"), "extraneous key");
    assert_has(client_ask(&c, INVOKED, "{\"max_tokens\":1}"), "anthropic_version");
    assert_has(client_ask(&c, "/bedrock/openai/v1/chat/completions", HELLO), "m heard: a bc def");
    client_close(&c);
}

static void refuses_what_converse_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"{\"messages\":[]}", "must have one message"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"text\":\"x\"}]}]}",
         "must start with a user message"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]},"
         "{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}]}",
         "must alternate"},
        {"{\"messages\":[{\"role\":\"system\",\"content\":[{\"text\":\"x\"}]}]}", "enum value set"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\" \\n\"}]}]}", "is blank"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "content field"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}]}",
         "must set one of"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"t\","
         "\"content\":[]}}]}]}",
         "toolConfig field must be defined"},
        {"{\"inferenceConfig\":{\"maxTokens\":0}}", "maxTokens"},
        {"{\"inferenceConfig\":{\"temperature\":1.5}}", "temperature"},
    };
    struct client c;
    client_open(&c, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = client_ask(&c, CONVERSE, cases[i].body);
        assert_has(text, "HTTP/1.1 400 ");
        assert_has(text, "x-amzn-errortype: ValidationException\r\n");
        assert_has(text, cases[i].message);
    }
    client_close(&c);
}

static void breaks_streams_off(void **state)
{
    (void)state;
    static const struct {
        enum moot_emulator_fault fault;
        int rc;
        const char *text;
    } cases[] = {
        {MOOT_EMULATOR_FAULT_ERROR_CHUNK, MOOT_OK, "exception throttlingException {\"message\":"},
        {MOOT_EMULATOR_FAULT_BAD_CHUNK, MOOT_EPROTO, "event contentBlockDelta"},
        {MOOT_EMULATOR_FAULT_CLOSE_BODY, 1, "event contentBlockDelta"},
        {MOOT_EMULATOR_FAULT_NO_FINISH, MOOT_OK, "event contentBlockDelta"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct moot_emulator_rule rule = {.fault = cases[i].fault, .rate = 1};
        struct moot_emulator_options options = moot_emulator_options_default();
        struct client c;
        struct told told = {.decodes = true};
        int rc;
        options.rules = &rule;
        options.rule_count = 1;
        client_open(&c, &options);
        client_ask(&c, STREAM, ASK);
        const char *text = frames_of(&c, &told, &rc);
        assert_int_equal(rc, cases[i].rc);
        assert_has(text, cases[i].text);
        assert_lacks(text, "messageStop");
        moot__buf_deinit(&told.text);
        client_close(&c);
    }
}

/* The headers of a signed request to CONVERSE with ASK, made with a secret at a time. */
static void sign(const char *secret, uint64_t unix_s, char *out, size_t size)
{
    const struct moot_sigv4_header headers[] = {
        {MOOT_VIEW("host"), MOOT_VIEW("h")},
        {MOOT_VIEW("content-type"), MOOT_VIEW("application/json")},
    };
    const struct moot_sigv4_request request = {.method = MOOT_VIEW("POST"),
                                               .path = MOOT_VIEW(CONVERSE),
                                               .query = MOOT_VIEW(""),
                                               .headers = headers,
                                               .header_count = 2,
                                               .body = MOOT_VIEW(ASK)};
    const struct moot_sigv4_key key = {MOOT_VIEW("AKID"), moot__view_str(secret), MOOT_VIEW(""),
                                       MOOT_VIEW("us-east-1"), MOOT_VIEW("bedrock")};
    struct moot_sigv4_signed made;
    struct moot_buf text;
    size_t len = 0;
    moot__buf_init(&text, NULL, 1 << 16);
    assert_int_equal(moot__sigv4_sign(&request, &key, unix_s, &text, &made), MOOT_OK);
    for (size_t i = 0; i < made.count; i++) {
        int part = snprintf(out + len, size - len, "%.*s: %.*s\r\n", (int)made.headers[i].name.len,
                            made.headers[i].name.ptr, (int)made.headers[i].value.len,
                            made.headers[i].value.ptr);
        assert_in_range(part, 1, size - len - 1);
        len += (size_t)part;
    }
    moot__buf_deinit(&text);
}

static void verifies_signatures(void **state)
{
    (void)state;
    enum { NOW_S = 1764400000 };
    struct moot_emulator_options options = moot_emulator_options_default();
    struct client c;
    char headers[800];
    options.aws_access_key = "AKID";
    options.aws_secret_key = "right";
    options.wall_offset_ns = NOW_S * MOOT_NS_PER_S;
    client_open(&c, &options);
    c.headers = headers;
    sign("right", NOW_S, headers, sizeof headers);
    assert_has(client_ask(&c, CONVERSE, ASK), "HTTP/1.1 200 ");
    const char *text = client_ask(&c, STREAM, ASK); /* signed for another path */
    assert_has(text, "HTTP/1.1 403 ");
    assert_has(text, "x-amzn-errortype: InvalidSignatureException\r\n");
    sign("wrong", NOW_S, headers, sizeof headers);
    assert_has(client_ask(&c, CONVERSE, ASK), "does not match the signature");
    sign("right", NOW_S - 3600, headers, sizeof headers);
    assert_has(client_ask(&c, CONVERSE, ASK), "Signature expired");
    c.headers = NULL; /* a Bearer token */
    assert_has(client_ask(&c, CONVERSE, ASK), "MissingAuthenticationTokenException");
    assert_has(client_ask(&c, CHAT, HELLO), "HTTP/1.1 200 "); /* not Bedrock's business */
    client_close(&c);
}

static void takes_an_api_key_instead(void **state)
{
    (void)state;
    struct moot_emulator_options options = moot_emulator_options_default();
    struct client c;
    options.api_key = "secret";
    client_open(&c, &options);
    assert_has(client_ask(&c, CONVERSE, ASK), "HTTP/1.1 200 ");
    c.headers = "Authorization: Bearer other\r\n";
    assert_has(client_ask(&c, CONVERSE, ASK), "x-amzn-errortype: AccessDeniedException\r\n");
    client_close(&c);
}

static void calls_a_tool(void **state)
{
    (void)state;
    static const char ask[] =
        "{\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"look\",\"inputSchema\":{\"json\":{}}"
        "}}]},\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a bc\"}]}]}";
    struct moot_emulator_options options = moot_emulator_options_default();
    struct client c;
    struct told told = {.decodes = true};
    int rc;
    options.answer = MOOT_EMULATOR_TOOL;
    client_open(&c, &options);
    assert_has(client_ask(&c, CONVERSE, ask),
               "[{\"toolUse\":{\"toolUseId\":\"tooluse_1\",\"name\":\"look\",\"input\":"
               "{\"question\":\"a bc\"}}}]}},\"stopReason\":\"tool_use\"");
    client_ask(&c, STREAM, ask);
    const char *text = frames_of(&c, &told, &rc);
    assert_int_equal(rc, MOOT_OK);
    assert_has(text, "contentBlockStart {\"contentBlockIndex\":0,\"start\":{\"toolUse\":"
                     "{\"toolUseId\":\"tooluse_2\",\"name\":\"look\"}}");
    assert_has(text, "\"delta\":{\"toolUse\":{\"input\":\" bc\\\"}\"}}");
    assert_has(text, "messageStop {\"stopReason\":\"tool_use\"");
    moot__buf_deinit(&told.text);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converses),
        cmocka_unit_test(invokes_claude),
        cmocka_unit_test(refuses_what_converse_refuses),
        cmocka_unit_test(breaks_streams_off),
        cmocka_unit_test(verifies_signatures),
        cmocka_unit_test(takes_an_api_key_instead),
        cmocka_unit_test(calls_a_tool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
