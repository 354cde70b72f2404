/* Bedrock's shapes: requests of Converse to the byte, its answers and streams, Claude inside of
 * invoke's chunks, and what its errors are called. */
#include "shape.h"

static void requests_are_translated(void **state)
{
    (void)state;
    const struct moot_dialect *converse = &moot__dialect_bedrock;
    expect_request(converse, "m", "{}",
                   "[{'role':'system','content':'s'},{'role':'user','content':'hi'}]",
                   "{'messages':[{'role':'user','content':[{'text':'hi'}]}],'system':[{'text':'s'}"
                   "],'inferenceConfig':{'maxTokens':500,'temperature':0.5}}");
    expect_request(converse, "m",
                   "{'stop':'x','top_p':0.9,'top_k':5,'temperature':null,'max_completion_tokens':7,"
                   "'serviceTier':{'type':'flex'},'n':1}",
                   "[{'role':'user','content':'hi'}]",
                   "{'messages':[{'role':'user','content':[{'text':'hi'}]}],'inferenceConfig':"
                   "{'maxTokens':7,'topP':0.9,'stopSequences':['x']},'serviceTier':{'type':'flex'},"
                   "'additionalModelRequestFields':{'top_k':5}}");
    expect_request(
        converse, "m",
        "{'temperature':null,'tools':[{'type':'function','function':{'name':'f','description':'d',"
        "'parameters':{'type':'object'}}}],'tool_choice':{'type':'function','function':{'name':'f'"
        "}},'response_format':{'type':'json_schema','json_schema':{'name':'n','schema':{'a':1}}}}",
        "[{'role':'user','content':[{'type':'image_url','image_url':{'url':"
        "'data:image/jpeg;base64,AAAA'}}]},{'role':'assistant','content':'so','tool_calls':[{'id':"
        "'t','function':{'name':'f','arguments':'{}'}}]},{'role':'tool','tool_call_id':'t',"
        "'content':'one'},{'role':'user','content':'and'}]",
        "{'messages':[{'role':'user','content':[{'image':{'format':'jpeg','source':{'bytes':'AAAA'"
        "}}}]},{'role':'assistant','content':[{'text':'so'},{'toolUse':{'toolUseId':'t','name':'f',"
        "'input':{}}}]},{'role':'user','content':[{'toolResult':{'toolUseId':'t','content':[{'text'"
        ":'one'}]}},{'text':'and'}]}],'inferenceConfig':{'maxTokens':500},'toolConfig':{'tools':["
        "{'toolSpec':{'name':'f','description':'d','inputSchema':{'json':{'type':'object'}}}}],"
        "'toolChoice':{'tool':{'name':'f'}}},'outputConfig':{'textFormat':{'type':'json_schema',"
        "'structure':{'jsonSchema':{'schema':'{\\'a\\':1}','name':'n'}}}}}");
    expect_request(&moot__dialect_bedrock_invoke, "m", "{}", "[{'role':'user','content':'hi'}]",
                   "{'anthropic_version':'bedrock-2023-05-31','messages':[{'role':'user','content':"
                   "'hi'}],'max_tokens':500,'temperature':0.5}");
}

static void what_cannot_be_said_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *params, *messages, *name;
    } cases[] = {
        {"{\"seed\":1}", "[{\"role\":\"user\",\"content\":\"hi\"}]", "seed"},
        {"{\"parallel_tool_calls\":true}", "[{\"role\":\"user\",\"content\":\"hi\"}]",
         "parallel_tool_calls"},
        {"{\"temperature\":1.01}", "[{\"role\":\"user\",\"content\":\"hi\"}]", "temperature"},
        {"{\"top_k\":1,\"additionalModelRequestFields\":{}}",
         "[{\"role\":\"user\",\"content\":\"hi\"}]", "top_k"},
        {"{\"tools\":[{\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"none\"}",
         "[{\"role\":\"user\",\"content\":\"hi\"}]", "tool_choice: none"},
        {"{}",
         "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":\"http://x\"}]}]",
         "a picture"},
        {"{}", "[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]", "input_audio"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct bench b;
        struct moot_error_info info = {0};
        begin(&b, "m", cases[i].params, cases[i].messages);
        int rc = write(&b, &moot__dialect_bedrock, &info);
        if (rc != MOOT_EINPUT || !strstr(info.message, cases[i].name))
            fail_msg("%s: %d '%s'", cases[i].name, rc, info.message);
        end(&b);
    }
}

static void targets_hold_the_model(void **state)
{
    (void)state;
    static const struct {
        const struct moot_dialect *dialect;
        bool stream;
        const char *want;
    } cases[] = {
        {&moot__dialect_bedrock, false, "/model/arn%3Aaws%3Ax%2Fus.m%3A0/converse"},
        {&moot__dialect_bedrock, true, "/model/arn%3Aaws%3Ax%2Fus.m%3A0/converse-stream"},
        {&moot__dialect_bedrock_invoke, false, "/model/arn%3Aaws%3Ax%2Fus.m%3A0/invoke"},
        {&moot__dialect_bedrock_invoke, true,
         "/model/arn%3Aaws%3Ax%2Fus.m%3A0/invoke-with-response-stream"},
        {&moot__dialect_bedrock_openai, true, "/openai/v1/chat/completions"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_agent agent = {.endpoint = MOOT_VIEW("arn:aws:x/us.m:0")};
        struct moot_request request = {.agent = &agent, .stream = cases[i].stream};
        struct moot_buf out;
        moot__buf_init(&out, NULL, 200);
        assert_int_equal(cases[i].dialect->write_target(&request, MOOT_VIEW("/"), &out), MOOT_OK);
        assert_view(moot__buf_view(&out), cases[i].want);
        moot__buf_deinit(&out);
    }
}

/* ---- Answers -------------------------------------------------------------------------------- */

static void whole_answers_are_read(void **state)
{
    (void)state;
    struct run run;
    const struct moot_dialect *converse = &moot__dialect_bedrock;
    begin_run(&run, converse);
    const char *body =
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{"
        "\"reasoningText\":{\"text\":\"hm\"}}},{\"text\":\"Hi\"},{\"toolUse\":{\"toolUseId\":\"t\","
        "\"name\":\"f\",\"input\":{\"a\":1}}}]}},\"stopReason\":\"tool_use\",\"usage\":{"
        "\"inputTokens\":5,\"outputTokens\":2,\"totalTokens\":7,\"cacheReadInputTokens\":3},"
        "\"metrics\":{\"latencyMs\":1}}";
    assert_int_equal(converse->read_reply(moot__view_str(body), &run.reply, NULL), MOOT_OK);
    assert_view(moot__buf_view(&run.reply.text), "Hi");
    assert_view(moot__buf_view(&run.reply.tool_calls),
                "[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                "\"{\\\"a\\\":1}\"}}]");
    assert_int_equal(run.reply.finish, MOOT_FINISH_TOOL_CALLS);
    assert_int_equal(run.reply.usage.prompt, 8);
    assert_int_equal(run.reply.usage.total, 10);
    end_run(&run);

    begin_run(&run, converse);
    body = "{\"output\":{\"message\":{\"content\":[]}},\"stopReason\":\"malformed_tool_use\"}";
    assert_int_equal(converse->read_reply(moot__view_str(body), &run.reply, NULL), MOOT_EPROVIDER);
    end_run(&run);
    begin_run(&run, converse);
    assert_int_equal(converse->read_reply(MOOT_VIEW("{\"message\":\"m\"}"), &run.reply, NULL),
                     MOOT_ECONTENT);
    end_run(&run);
}

struct event {
    enum moot_stream_kind kind;
    const char *name, *data;
};

#define EVENT(name, data)                                                                          \
    {                                                                                              \
        MOOT_STREAM_DATA, name, data                                                               \
    }
#define TEXT(text)   EVENT("contentBlockDelta", "{\"delta\":{\"text\":\"" text "\"},\"p\":\"ab\"}")
#define STOP(reason) EVENT("messageStop", "{\"stopReason\":\"" reason "\"}")
#define USAGE        EVENT("metadata", "{\"usage\":{\"inputTokens\":3,\"outputTokens\":2}}")
#define START        EVENT("messageStart", "{\"role\":\"assistant\"}")

/* {"type":"message_start","message":{"id":"i","usage":{"input_tokens":1}}},
 * {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}},
 * {"type":"message_delta","delta":{"stop_reason":"end_turn"}}, {"type":"message_stop"} */
#define CHUNK(base64) EVENT("chunk", "{\"bytes\":\"" base64 "\",\"p\":\"abc\"}")
#define CLAUDE_START                                                                               \
    CHUNK("eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsiaWQiOiJpIiwidXNhZ2UiOnsiaW5wdXRfdG9r"   \
          "ZW5zIjoxfX19")
#define CLAUDE_TEXT                                                                                \
    CHUNK("eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InR5cGUiOiJ0ZXh0X2RlbHRhIiwidGV4"   \
          "dCI6IkhpIn19")
#define CLAUDE_STOP                                                                                \
    CHUNK("eyJ0eXBlIjoibWVzc2FnZV9kZWx0YSIsImRlbHRhIjp7InN0b3BfcmVhc29uIjoiZW5kX3R1cm4ifX0=")
#define CLAUDE_END CHUNK("eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0=")

static const struct {
    const char *name;
    const struct moot_dialect *dialect;
    struct event events[10];
    int code;
    const char *text, *tools, *provider_code;
} streams[] = {
    {"text",
     &moot__dialect_bedrock,
     {START, TEXT("Hi"), TEXT("!"), EVENT("contentBlockStop", "{}"), STOP("end_turn"), USAGE},
     MOOT_OK,
     "Hi!",
     "",
     ""},
    {"without its metadata",
     &moot__dialect_bedrock,
     {START, TEXT("Hi"), STOP("end_turn")},
     MOOT_OK,
     "Hi",
     "",
     ""},
    {"cut", &moot__dialect_bedrock, {START, TEXT("Hi"), USAGE}, MOOT_ETRUNCATED, "Hi", "", ""},
    {"a tool",
     &moot__dialect_bedrock,
     {START,
      EVENT("contentBlockStart", "{\"contentBlockIndex\":1,\"start\":{\"toolUse\":{\"toolUseId\":"
                                 "\"t\",\"name\":\"f\"}}}"),
      EVENT("contentBlockDelta",
            "{\"contentBlockIndex\":1,\"delta\":{\"toolUse\":{\"input\":\"{\\\"a\"}}}"),
      EVENT("contentBlockDelta",
            "{\"contentBlockIndex\":1,\"delta\":{\"toolUse\":{\"input\":\"\\\":1}\"}}}"),
      STOP("tool_use"), USAGE},
     MOOT_OK,
     "",
     "[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":"
     "1}\"}}]",
     ""},
    {"throttled in the middle",
     &moot__dialect_bedrock,
     {START,
      TEXT("Hi"),
      {MOOT_STREAM_EXCEPTION, "throttlingException", "{\"message\":\"slow down\"}"}},
     MOOT_ETHROTTLED,
     "Hi",
     "",
     "throttlingException"},
    {"an error of the service",
     &moot__dialect_bedrock,
     {START, {MOOT_STREAM_EXCEPTION, "InternalError", "boom"}},
     MOOT_EPROVIDER,
     "",
     "",
     "InternalError"},
    {"malformed output",
     &moot__dialect_bedrock,
     {START, STOP("malformed_model_output"), USAGE},
     MOOT_EPROVIDER,
     "",
     "",
     ""},
    {"Claude",
     &moot__dialect_bedrock_invoke,
     {CLAUDE_START, CLAUDE_TEXT, CLAUDE_STOP, CLAUDE_END},
     MOOT_OK,
     "Hi",
     "",
     ""},
    {"Claude, cut",
     &moot__dialect_bedrock_invoke,
     {CLAUDE_START, CLAUDE_TEXT, CLAUDE_STOP},
     MOOT_ETRUNCATED,
     "Hi",
     "",
     ""},
    {"no base64", &moot__dialect_bedrock_invoke, {CHUNK("a")}, MOOT_ECONTENT, "", "", ""},
};

static void streams_come_to_their_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(streams); i++) {
        struct run run;
        struct moot_view delta;
        begin_run(&run, streams[i].dialect);
        for (const struct event *event = streams[i].events; event->name; event++) {
            const struct moot_stream_event wire = {event->kind, moot__view_str(event->name),
                                                   moot__view_str(event->data)};
            moot__ignore(moot__reply_stream_event(&run.stream, &wire, &delta));
        }
        int rc = moot__reply_stream_finish(&run.stream, &delta);
        if (rc != streams[i].code)
            print_error("%s: %d %s\n", streams[i].name, rc, run.stream.error.message);
        assert_int_equal(rc, streams[i].code);
        assert_view(moot__buf_view(&run.reply.text), streams[i].text);
        assert_view(moot__buf_view(&run.reply.tool_calls), streams[i].tools);
        assert_string_equal(run.stream.error.provider_code, streams[i].provider_code);
        end_run(&run);
    }
}

static void errors_are_named_by_a_header(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *type, *body;
        int code;
        bool retriable;
        const char *provider_code;
    } cases[] = {
        {429, "ThrottlingException:http://internal.amazon.com/coral/", "{\"message\":\"m\"}",
         MOOT_ETHROTTLED, true, "ThrottlingException"},
        {429, "ModelNotReadyException", "{\"message\":\"m\"}", MOOT_ETHROTTLED, true,
         "ModelNotReadyException"},
        {400, "com.amazon.coral#ValidationException", "{\"Message\":\"m\"}", MOOT_EPROVIDER, false,
         "ValidationException"},
        {400, "ServiceQuotaExceededException", "{\"message\":\"m\"}", MOOT_EQUOTA, false,
         "ServiceQuotaExceededException"},
        {403, "", "{\"__type\":\"ExpiredTokenException\",\"message\":\"m\"}", MOOT_EAUTH, false,
         "ExpiredTokenException"},
        {403, "", "{\"__type\":\"com.amazon.coral#ExpiredTokenException\",\"message\":\"m\"}",
         MOOT_EAUTH, false, "ExpiredTokenException"},
        {500, "",
         "{\"error\":{\"message\":\"m\",\"type\":\"internal_server_error\",\"code\":\"500\"}}",
         MOOT_EPROVIDER, true, "internal_server_error"},
        {500, "", "{\"error\":{\"message\":\"m\",\"code\":\"500\"}}", MOOT_EPROVIDER, true, "500"},
        {424, "ModelErrorException", "{\"originalStatusCode\":500}", MOOT_EPROVIDER, true,
         "ModelErrorException"},
        {503, "", "", MOOT_EPROVIDER, true, ""},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_error_info info;
        const struct moot_refusal refusal = {cases[i].status, moot__view_str(cases[i].body),
                                             moot__view_str(cases[i].type)};
        assert_int_equal(moot__dialect_bedrock.read_error(&refusal, NULL, &info), cases[i].code);
        assert_int_equal(info.retriable, cases[i].retriable);
        assert_string_equal(info.provider_code, cases[i].provider_code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_translated),
        cmocka_unit_test(what_cannot_be_said_is_refused_by_name),
        cmocka_unit_test(targets_hold_the_model),
        cmocka_unit_test(whole_answers_are_read),
        cmocka_unit_test(streams_come_to_their_end),
        cmocka_unit_test(errors_are_named_by_a_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
