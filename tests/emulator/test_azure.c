/* Azure's surfaces, where they are not OpenAI's; and calls of tools in the shape that both share.
 */
#include "client.h"

#define V1       "/openai/v1/chat/completions"
#define CLASSIC  "/openai/deployments/gpt/chat/completions"
#define MODELS   "/models/chat/completions"
#define VERSION  "?api-version=2024-10-21"
#define TOOL     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\"}}],"
#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"a bc\"}]}"

static void answers_on_every_path(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, NULL);
    c.headers = "api-key: secret\r\n";
    assert_has(client_ask(&c, V1, HELLO), "m heard: a bc def");
    assert_has(client_ask(&c, CLASSIC VERSION, "{" MESSAGES), "gpt heard: a bc");
    assert_has(client_ask(&c, MODELS VERSION, HELLO), "m heard: a bc def");
    const char *without[] = {CLASSIC, MODELS, CLASSIC "?api-version="};
    for (size_t i = 0; i < 3; i++) {
        const char *text = client_ask(&c, without[i], HELLO);
        assert_has(text, "HTTP/1.1 400 ");
        assert_has(text, "{\"error\":{\"code\":\"400\",\"message\":\"Missing required query");
    }
    client_close(&c);
}

static void streams_filter_results_first(void **state)
{
    (void)state;
    struct client c;
    struct moot_buf body;
    client_open(&c, NULL);
    moot__buf_init(&body, NULL, 1 << 20);
    client_ask(&c, V1, HELLO_STREAM);
    assert_int_equal(client_body(&c, &body), MOOT_OK);
    assert_true(strncmp(body.data,
                        "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\","
                        "\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,",
                        95) == 0);
    assert_has(body.data, "}]}\n\ndata: {\"id\":\"chatcmpl-1\"");
    assert_has(body.data, "data: [DONE]\n\n");
    moot__buf_deinit(&body);
    client_close(&c);
}

static void knows_the_key_and_says_no(void **state)
{
    (void)state;
    struct moot_emulator_options options = moot_emulator_options_default();
    struct client c;
    options.api_key = "secret";
    options.quota.rpm = 2;
    client_open(&c, &options);
    c.headers = "api-key: secret\r\n";
    assert_has(client_ask(&c, V1, HELLO), "x-ratelimit-reset-requests: 30\r\n");
    c.headers = NULL; /* Bearer */
    assert_has(client_ask(&c, V1, HELLO), "HTTP/1.1 200 ");
    const char *text = client_ask(&c, V1, HELLO);
    assert_has(text, "retry-after: ");
    assert_has(text, "{\"error\":{\"code\":\"429\",\"message\":");
    c.headers = "x-api-key: secret\r\n";
    assert_has(client_ask(&c, V1, HELLO), "{\"error\":{\"code\":\"401\",\"message\":");
    client_close(&c);
}

static void calls_a_tool(void **state)
{
    (void)state;
    struct moot_emulator_options options = moot_emulator_options_default();
    struct client c;
    options.answer = MOOT_EMULATOR_TOOL;
    client_open(&c, &options);
    const char *text = client_ask(&c, V1, "{\"model\":\"m\"," TOOL MESSAGES);
    assert_has(text, "\"content\":null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\","
                     "\"function\":{\"name\":\"look\",\"arguments\":"
                     "\"{\\\"question\\\":\\\"a bc\\\"}\"}}]},\"finish_reason\":\"tool_calls\"");
    text = client_ask(&c, CHAT, "{\"model\":\"m\",\"stream\":true," TOOL MESSAGES);
    assert_has(text, "{\"tool_calls\":[{\"index\":0,\"id\":\"call_2\",\"type\":\"function\","
                     "\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}");
    assert_has(text, "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\" bc\\\"}\"}}]}");
    assert_has(text, "\"delta\":{},\"finish_reason\":\"tool_calls\"");
    assert_has(client_ask(&c, V1, HELLO), "m heard: a bc def"); /* no tool */
    assert_has(client_ask(&c, V1,
                          "{\"model\":\"m\"," TOOL "\"messages\":[{\"role\":\"user\",\"content\":"
                          "\"x\"},{\"role\":\"tool\",\"content\":\"42\"}]}"),
               "m heard: x");
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_on_every_path),
        cmocka_unit_test(streams_filter_results_first),
        cmocka_unit_test(knows_the_key_and_says_no),
        cmocka_unit_test(calls_a_tool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
