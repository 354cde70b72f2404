/* Recorded streams: what servers are known to send, and what each must come to. */
#include "fixture.h"

#include <stdio.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"

enum { EVENTS_MAX = 12 };

struct event {
    const char *data; /* NULL ends the list */
    const char *name;
    enum moot_stream_kind kind;
};

struct stream_case {
    const char *name;
    struct event events[EVENTS_MAX];
    int code;
    const char *text;
    enum moot_finish finish;
    const char *provider_code;
};

#define TEXT(t)                                                                                    \
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" t "\"},\"finish_reason\":null}]}"
#define FINISH(r) "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" r "\"}]}"

static const struct stream_case cases[] = {
    {"openai",
     {{"{\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
       "\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}",
       0, 0},
      {TEXT("Hel"), 0, 0},
      {TEXT("lo"), 0, 0},
      {FINISH("stop"), 0, 0},
      {"{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}"
       "}",
       0, 0},
      {"[DONE]", 0, 0}},
     MOOT_OK,
     "Hello",
     MOOT_FINISH_STOP,
     ""},
    {"no end marker, finish reason",
     {{TEXT("a"), 0, 0}, {FINISH("length"), 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_LENGTH,
     ""},
    {"end marker, no finish reason",
     {{TEXT("a"), 0, 0}, {" [DONE]\r", 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_NONE,
     ""},
    {"neither", {{TEXT("a"), 0, 0}}, MOOT_ETRUNCATED, "a", MOOT_FINISH_NONE, ""},
    {"nothing at all", {{NULL, 0, 0}}, MOOT_ETRUNCATED, "", MOOT_FINISH_NONE, ""},
    {"only the end marker", {{"[DONE]", 0, 0}}, MOOT_ECONTENT, "", MOOT_FINISH_NONE, ""},
    {"finish reason of another choice",
     {{TEXT("a"), 0, 0},
      {"{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}", 0,
       0}},
     MOOT_ETRUNCATED,
     "a",
     MOOT_FINISH_NONE,
     ""},
    {"absurd choice index",
     {{"{\"choices\":[{\"index\":1000000000,\"delta\":{\"content\":\"x\"}},{\"index\":0,\"delta\":{"
       "\"content\":\"a\"},\"finish_reason\":\"stop\"}]}",
       0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"no choice index",
     {{"{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}", 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"empty answer",
     {{TEXT(""), 0, 0}, {FINISH("stop"), 0, 0}, {"[DONE]", 0, 0}},
     MOOT_OK,
     "",
     MOOT_FINISH_STOP,
     ""},
    {"null content, missing keys, null choices, empty data",
     {{"{\"choices\":[{\"index\":0,\"delta\":{\"content\":null}}]}", 0, 0},
      {"{\"choices\":null}", 0, 0},
      {"{}", 0, 0},
      {"", 0, 0},
      {"null", 0, 0},
      {"{\"choices\":[{\"index\":0,\"delta\":null}]}", 0, 0},
      {"{\"choices\":[{\"index\":0}]}", 0, 0},
      {TEXT("a"), 0, 0},
      {FINISH("stop"), 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"content list, reasoning left out",
     {{"{\"choices\":[{\"index\":0,\"delta\":{\"content\":[{\"type\":\"reasoning\",\"summary\":[{"
       "\"type\":\"summary_text\",\"text\":\"hm\"}]},{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
       "\"text\",\"text\":\"b\"}]}}]}",
       0, 0},
      {FINISH("stop"), 0, 0}},
     MOOT_OK,
     "ab",
     MOOT_FINISH_STOP,
     ""},
    {"reasoning fields left out",
     {{"{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\",\"reasoning\":\"hm\"}}]"
       "}",
       0, 0},
      {TEXT("a"), 0, 0},
      {FINISH("stop"), 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"surrogates in two deltas",
     {{TEXT("x\\ud83d"), 0, 0}, {TEXT("\\ude42y"), 0, 0}, {FINISH("stop"), 0, 0}},
     MOOT_OK,
     "x\xF0\x9F\x99\x82y",
     MOOT_FINISH_STOP,
     ""},
    {"lone surrogate at the end",
     {{TEXT("x\\ud83d"), 0, 0}, {FINISH("stop"), 0, 0}},
     MOOT_OK,
     "x\xEF\xBF\xBD",
     MOOT_FINISH_STOP,
     ""},
    {"invalid UTF-8 in content",
     {{TEXT("a\xC3(b"), 0, 0}, {FINISH("stop"), 0, 0}},
     MOOT_OK,
     "a\xEF\xBF\xBD(b",
     MOOT_FINISH_STOP,
     ""},
    {"whole message in a chunk",
     {{"{\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},\"finish_reason\":\"eos\"}]}", 0,
       0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"events after the end",
     {{TEXT("a"), 0, 0},
      {FINISH("stop"), 0, 0},
      {"[DONE]", 0, 0},
      {TEXT("b"), 0, 0},
      {"[DONE]", 0, 0},
      {"{\"error\":\"late\"}", 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"finish reason twice",
     {{TEXT("a"), 0, 0}, {FINISH("stop"), 0, 0}, {FINISH("length"), 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_LENGTH,
     ""},
    {"unknown finish reason",
     {{TEXT("a"), 0, 0}, {FINISH("tired"), 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_OTHER,
     ""},
    {"refusal",
     {{"{\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"I can\"}}]}", 0, 0},
      {"{\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"not\"}}]}", 0, 0},
      {FINISH("stop"), 0, 0}},
     MOOT_OK,
     "",
     MOOT_FINISH_CONTENT_FILTER,
     ""},
    {"mid-stream error",
     {{TEXT("a"), 0, 0},
      {"{\"error\":{\"message\":\"boom\",\"type\":\"server_error\",\"code\":null}}", 0, 0},
      {"[DONE]", 0, 0}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_NONE,
     "server_error"},
    {"error event without an error member",
     {{TEXT("a"), 0, 0}, {"{\"message\":\"boom\",\"type\":\"overloaded_error\"}", "error", 0}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_NONE,
     "overloaded_error"},
    {"error event in plain text",
     {{"something broke", "error", 0}},
     MOOT_EPROVIDER,
     "",
     MOOT_FINISH_NONE,
     ""},
    {"vLLM's older error",
     {{TEXT("a"), 0, 0},
      {"{\"object\":\"error\",\"message\":\"boom\",\"type\":\"BadRequestError\",\"param\":null,"
       "\"code\":400}",
       0, 0}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_NONE,
     "BadRequestError"},
    {"llama.cpp's error field",
     {{TEXT("a"), 0, 0},
      {"{\"code\":500,\"message\":\"boom\",\"type\":\"server_error\"}", 0, MOOT_STREAM_STRAY}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_NONE,
     "server_error"},
    {"error field in plain text",
     {{TEXT("a"), 0, 0}, {"out of slots", 0, MOOT_STREAM_STRAY}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_NONE,
     ""},
    {"Ollama's bare error",
     {{TEXT("a"), 0, 0},
      {"{\"error\":{\"message\":\"boom\",\"type\":\"api_error\"}}", 0, MOOT_STREAM_STRAY}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_NONE,
     "api_error"},
    {"bare line that is no error",
     {{"{\"status\":\"loading\"}", 0, MOOT_STREAM_STRAY},
      {"{not json", 0, MOOT_STREAM_STRAY},
      {TEXT("a"), 0, 0},
      {FINISH("stop"), 0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"OpenRouter's error chunk",
     {{TEXT("a"), 0, 0},
      {"{\"id\":\"g\",\"error\":{\"code\":429,\"message\":\"slow\"},\"choices\":[{\"index\":0,"
       "\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}",
       0, 0}},
     MOOT_ETHROTTLED,
     "a",
     MOOT_FINISH_NONE,
     "429"},
    {"error in the choice",
     {{"{\"choices\":[{\"index\":0,\"delta\":{},\"error\":{\"message\":\"boom\",\"code\":502}}]}",
       0, 0}},
     MOOT_EPROVIDER,
     "",
     MOOT_FINISH_NONE,
     "502"},
    {"Groq's error",
     {{TEXT("a"), 0, 0}, {"{\"choices\":[],\"x_groq\":{\"error\":\"over capacity\"}}", 0, 0}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_NONE,
     ""},
    {"Gemini's array",
     {{"[{\"error\":{\"code\":429,\"message\":\"quota\",\"status\":\"RESOURCE_EXHAUSTED\"}}]", 0,
       0}},
     MOOT_ETHROTTLED,
     "",
     MOOT_FINISH_NONE,
     "RESOURCE_EXHAUSTED"},
    {"finish reason error",
     {{TEXT("a"), 0, 0}, {FINISH("error"), 0, 0}, {"[DONE]", 0, 0}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_ERROR,
     ""},
    {"finish reason abort",
     {{TEXT("a"), 0, 0}, {FINISH("abort"), 0, 0}},
     MOOT_EPROVIDER,
     "a",
     MOOT_FINISH_ERROR,
     ""},
    {"null error is none",
     {{"{\"error\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":"
       "\"stop\"}]}",
       0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"broken JSON",
     {{TEXT("a"), 0, 0}, {"{\"choices\":[{\"index\":0,", 0, 0}},
     MOOT_EJSON,
     "a",
     MOOT_FINISH_NONE,
     ""},
    {"not an object", {{"42", 0, 0}}, MOOT_ECONTENT, "", MOOT_FINISH_NONE, ""},
    {"floats for whole numbers",
     {{"{\"created\":1.7e9,\"choices\":[{\"index\":0.0,\"delta\":{\"content\":\"a\"},\"finish_"
       "reason\":\"stop\"}]}",
       0, 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
    {"named events",
     {{TEXT("a"), "message", 0}, {FINISH("stop"), "completion", 0}},
     MOOT_OK,
     "a",
     MOOT_FINISH_STOP,
     ""},
};

struct run {
    struct moot_arena arena, scratch;
    struct moot_reply reply;
    struct moot_reply_stream stream;
    struct moot_buf shown; /* the deltas, put together */
};

static void begin(struct run *run)
{
    moot__arena_init(&run->arena, NULL, 1 << 20);
    moot__arena_init(&run->scratch, NULL, 1 << 20);
    moot__reply_init(&run->reply, &run->arena, &run->scratch);
    moot__reply_stream_init(&run->stream, &moot__dialect_openai, &run->reply);
    moot__buf_init(&run->shown, NULL, 1 << 20);
}

static int feed(struct run *run, struct event event)
{
    struct moot_stream_event wire = {event.kind, moot__view_str(event.name),
                                     moot__view_str(event.data)};
    struct moot_view delta;
    int rc = moot__reply_stream_event(&run->stream, &wire, &delta);
    assert_int_equal(moot__buf_append_view(&run->shown, delta), MOOT_OK);
    return rc;
}

static int finish(struct run *run)
{
    struct moot_view delta;
    int rc = moot__reply_stream_finish(&run->stream, &delta);
    assert_int_equal(moot__buf_append_view(&run->shown, delta), MOOT_OK);
    return rc;
}

static void end(struct run *run)
{
    moot__reply_stream_deinit(&run->stream);
    moot__reply_stream_deinit(&run->stream);
    moot__reply_deinit(&run->reply);
    moot__buf_deinit(&run->shown);
    moot__arena_deinit(&run->scratch);
    moot__arena_deinit(&run->arena);
}

static void check_case(const struct stream_case *c)
{
    struct run run;
    begin(&run);
    unsigned failures = 0;
    for (size_t i = 0; i < EVENTS_MAX && c->events[i].data; i++) {
        bool was_done = moot__reply_stream_is_done(&run.stream);
        uint64_t ignored = run.stream.ignored;
        failures += feed(&run, c->events[i]) != MOOT_OK;
        assert_int_equal(run.stream.ignored, ignored + was_done);
    }
    int rc = finish(&run);
    if (rc != c->code || run.reply.finish != c->finish)
        print_error("case '%s': %d, %s, finish %d\n", c->name, rc, run.stream.error.message,
                    (int)run.reply.finish);
    assert_int_equal(rc, c->code);
    assert_true(failures <= 1);
    assert_int_equal(run.reply.finish, c->finish);
    assert_view(moot__buf_view(&run.reply.text), c->text);
    assert_view(moot__buf_view(&run.shown), c->text);
    assert_int_equal(run.stream.error.code, c->code);
    assert_string_equal(run.stream.error.provider_code, c->provider_code);
    assert_int_equal(run.stream.error.message[0] != '\0', c->code != MOOT_OK);
    end(&run);
}

static void every_recorded_stream_comes_to_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(cases); i++)
        check_case(&cases[i]);
}

static void a_held_half_is_not_shown(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    assert_int_equal(feed(&run, (struct event){TEXT("x\\ud83d"), 0, 0}), MOOT_OK);
    assert_view(moot__buf_view(&run.shown), "x");
    assert_int_equal(feed(&run, (struct event){TEXT("\\ude42"), 0, 0}), MOOT_OK);
    assert_view(moot__buf_view(&run.shown), "x\xF0\x9F\x99\x82");
    assert_int_equal(finish(&run), MOOT_ETRUNCATED);
    end(&run);
}

static void usage_of_the_last_chunk_wins(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    static const char *const chunks[] = {
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":9,"
        "\"completion_tokens\":null,\"total_tokens\":null}}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}],\"usage\":{\"prompt_tokens\":9,"
        "\"completion_tokens\":4,\"total_tokens\":13}}",
        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_"
        "tokens\":9,\"completion_tokens\":6.0,\"total_tokens\":15,\"prompt_tokens_details\":{"
        "\"cached_tokens\":2}}}",
        "{\"choices\":[],\"usage\":{\"completion_tokens\":-5},\"x_groq\":{\"usage\":{\"completion_"
        "tokens\":7}}}",
    };
    for (size_t i = 0; i < moot__countof(chunks); i++)
        assert_int_equal(feed(&run, (struct event){chunks[i], 0, 0}), MOOT_OK);
    assert_int_equal(finish(&run), MOOT_OK);
    assert_int_equal(run.reply.usage.prompt, 9);
    assert_int_equal(run.reply.usage.completion, 7);
    assert_int_equal(run.reply.usage.total, 16);
    assert_int_equal(run.reply.usage.cached, 2);
    assert_false(run.reply.usage.known & MOOT_TOKENS_REASONING);
    assert_false(run.stream.usage_shrank);
    end(&run);
}

#define CALL(piece) "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[" piece "]}}]}"

static void check_tools(const char *const *chunks, size_t count, const char *want)
{
    struct run run;
    begin(&run);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(feed(&run, (struct event){chunks[i], 0, 0}), MOOT_OK);
    assert_int_equal(feed(&run, (struct event){FINISH("stop"), 0, 0}), MOOT_OK);
    assert_int_equal(finish(&run), MOOT_OK);
    assert_int_equal(run.reply.finish, MOOT_FINISH_TOOL_CALLS);
    assert_string_equal(run.reply.finish_raw, "stop");
    assert_view(moot__buf_view(&run.reply.tool_calls), want);
    end(&run);
}

static void tool_calls_are_put_together(void **state)
{
    (void)state;
    static const char *const openai[] = {
        CALL("{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
             "\"arguments\":\"\"}}"),
        CALL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}"),
        CALL("{\"index\":0,\"function\":{\"arguments\":\":1}\"}},{\"index\":7,\"id\":\"c2\","
             "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}"),
    };
    check_tools(openai, 3,
                "[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                "\"{\\\"a\\\":1}\"}},"
                "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":"
                "\"{}\"}}]");
    static const char *const braces_first[] = {
        CALL("{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"),
        CALL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":2}\"}}"),
    };
    check_tools(braces_first, 2,
                "[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                "\"{\\\"a\\\":2}\"}}]");
    static const char *const no_index[] = {
        CALL("{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}"),
        CALL("{\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":\"no json\"}}"),
    };
    check_tools(no_index, 2,
                "[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                "\"{\\\"a\\\":1}\"}},"
                "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":"
                "\"no json\"}}]");
}

static void tool_calls_are_bounded(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    int rc = MOOT_OK;
    int taken = 0;
    while (rc == MOOT_OK && taken <= MOOT_LIMIT_TOOL_CALLS) {
        char chunk[160];
        snprintf(chunk, sizeof(chunk), CALL("{\"index\":%d,\"function\":{\"name\":\"f\"}}"),
                 taken * 1000);
        rc = feed(&run, (struct event){chunk, 0, 0});
        taken += rc == MOOT_OK;
    }
    assert_int_equal(rc, MOOT_ELIMIT);
    assert_int_equal(taken, MOOT_LIMIT_TOOL_CALLS);
    assert_int_equal(finish(&run), MOOT_ELIMIT);
    end(&run);
}

static void oddities_are_flagged(void **state)
{
    (void)state;
    struct run run;
    begin(&run);
    assert_int_equal(
        feed(&run, (struct event){"{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                                  "\"stop\"}],\"usage\":{\"completion_tokens\":5}}",
                                  0, 0}),
        MOOT_OK);
    assert_int_equal(
        feed(&run, (struct event){"{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
                                  "\"length\"}],\"usage\":{\"completion_tokens\":3}}",
                                  0, 0}),
        MOOT_OK);
    assert_true(run.stream.finish_changed);
    assert_true(run.stream.usage_shrank);
    assert_int_equal(run.reply.usage.completion, 3);
    assert_int_equal(finish(&run), MOOT_OK);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_stream_comes_to_its_end),
        cmocka_unit_test(a_held_half_is_not_shown),
        cmocka_unit_test(usage_of_the_last_chunk_wins),
        cmocka_unit_test(tool_calls_are_put_together),
        cmocka_unit_test(tool_calls_are_bounded),
        cmocka_unit_test(oddities_are_flagged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
