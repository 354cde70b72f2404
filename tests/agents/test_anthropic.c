/* Anthropic's shape: exact bytes of requests, what is refused by name, whole answers, streams. */
#include "shape.h"

static const struct moot_dialect *const anthropic = &moot__dialect_anthropic;

#define HI "[{'role':'user','content':'hi'}]"

static void requests_are_translated(void **state)
{
    (void)state;
    expect_request(anthropic, "claude-3", "{}", HI,
                   "{'model':'claude-3','messages':[{'role':'user','content':'hi'}],"
                   "'max_tokens':500,'temperature':0.5}");
    expect_request(anthropic, "c",
                   "{'max_completion_tokens':9,'stop':'x','temperature':1,'top_k':3}",
                   "[{'role':'system','content':'s'},{'role':'user','content':'a'},"
                   "{'role':'user','content':'b'},{'role':'assistant','content':' '},"
                   "{'role':'user','content':[{'type':'text','text':'c'}]}]",
                   "{'model':'c','system':'s','messages':[{'role':'user','content':["
                   "{'type':'text','text':'a'},{'type':'text','text':'b'},"
                   "{'type':'text','text':'c'}]}],'max_tokens':9,'temperature':1,"
                   "'stop_sequences':['x'],'top_k':3}");
    expect_request(anthropic, "c",
                   "{'temperature':null,'stop':['x','y'],'user':'u','reasoning_effort':'low'}", HI,
                   "{'model':'c','messages':[{'role':'user','content':'hi'}],'max_tokens':500,"
                   "'stop_sequences':['x','y'],'metadata':{'user_id':'u'},"
                   "'output_config':{'effort':'low'}}");
    expect_request(anthropic, "c",
                   "{'thinking':{'type':'adaptive'},'n':1,'seed':null,'logprobs':false}", HI,
                   "{'model':'c','messages':[{'role':'user','content':'hi'}],'max_tokens':500,"
                   "'thinking':{'type':'adaptive'}}");
}

static void tools_and_pictures_are_translated(void **state)
{
    (void)state;
    expect_request(
        anthropic, "c",
        "{'temperature':null,'tools':[{'type':'function','function':{'name':'f','description':'d',"
        "'parameters':{'type':'object'},'strict':true}},{'type':'function','function':{'name':'g'}}"
        "],"
        "'tool_choice':'required','parallel_tool_calls':false,'response_format':{'type':"
        "'json_schema','json_schema':{'name':'n','schema':{'type':'object'}}}}",
        "[{'role':'user','content':[{'type':'image_url','image_url':{'url':"
        "'data:image/png;base64,AAAA'}},{'type':'image_url','image_url':'https://x/y'}]},"
        "{'role':'assistant','content':null,'tool_calls':[{'id':'t1','type':'function','function':"
        "{'name':'f','arguments':'{\\'a\\':1}'}},{'id':'t2','function':{'name':'g','arguments':"
        "'oops'}}]},{'role':'user','content':'and'},{'role':'tool','tool_call_id':'t1','content':"
        "'one'},{'role':'tool','tool_call_id':'t2','content':[{'type':'text','text':'two'}]}]",
        "{'model':'c','messages':[{'role':'user','content':[{'type':'image','source':{'type':"
        "'base64','media_type':'image/png','data':'AAAA'}},{'type':'image','source':{'type':'url',"
        "'url':'https://x/y'}}]},{'role':'assistant','content':[{'type':'tool_use','id':'t1',"
        "'name':'f','input':{'a':1}},{'type':'tool_use','id':'t2','name':'g','input':{'arguments':"
        "'oops'}}]},{'role':'user','content':[{'type':'tool_result','tool_use_id':'t1','content':"
        "'one'},{'type':'tool_result','tool_use_id':'t2','content':'two'},{'type':'text','text':"
        "'and'}]}],'max_tokens':500,'tools':[{'name':'f','description':'d','input_schema':"
        "{'type':'object'},'strict':true},{'name':'g','input_schema':{'type':'object'}}],"
        "'tool_choice':{'type':'any','disable_parallel_tool_use':true},'output_config':{'format':"
        "{'type':'json_schema','schema':{'type':'object'}}}}");
}

static void the_default_temperature_is_kept_from_models_that_refuse_it(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint, *params;
        bool sent;
    } cases[] = {
        {"claude-opus-4-7", "{}", false},
        {"claude-opus-4-7", "{\"temperature\":1}", true},
        {"claude-opus-4-10", "{\"top_p\":1}", true},
        {"claude-opus-4-1-20250805", "{\"top_p\":1}", false},
        {"claude-opus-4-1-20250805", "{}", true},
        {"claude-sonnet-5-20261001", "{}", false},
        {"my-claude-haiku-5", "{}", false},
        {"myclaude-haiku-5", "{}", true},
        {"claude-3-haiku", "{\"thinking\":{}}", false},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct bench b;
        begin(&b, cases[i].endpoint, cases[i].params, "[{\"role\":\"user\",\"content\":\"q\"}]");
        assert_int_equal(write(&b, anthropic, NULL), MOOT_OK);
        const struct moot_json *root = NULL;
        assert_int_equal(moot__document_read(&b.arena, moot__buf_view(&b.out), &root, NULL), 0);
        if ((moot__json_get(root, "temperature") != NULL) != cases[i].sent)
            fail_msg("%s %s", cases[i].endpoint, cases[i].params);
        end(&b);
    }
}

static void what_cannot_be_said_is_refused_by_name(void **state)
{
    (void)state;
    static const char hi[] = "[{\"role\":\"user\",\"content\":\"hi\"}]";
    static const struct {
        const char *params, *messages, *name;
    } cases[] = {
        {"{\"seed\":0}", hi, "seed"},
        {"{\"n\":2}", hi, "n cannot"},
        {"{\"presence_penalty\":0.5}", hi, "presence_penalty"},
        {"{\"logit_bias\":{\"1\":2}}", hi, "logit_bias"},
        {"{\"temperature\":1.5}", hi, "temperature"},
        {"{\"max_tokens\":null}", hi, "max_tokens"},
        {"{\"response_format\":{\"type\":\"json_object\"}}", hi, "response_format"},
        {"{\"tool_choice\":{\"type\":\"allowed_tools\"}}", hi, "tool_choice"},
        {"{\"tools\":[{\"type\":\"custom\",\"custom\":{}}]}", hi, "a custom tool"},
        {"{\"reasoning_effort\":\"low\",\"output_config\":{}}", hi, "output_config"},
        {"{}", "[{\"role\":\"critic\",\"content\":\"hi\"}]", "message 1: critic"},
        {"{}", "[{\"role\":\"user\",\"content\":\"hi\",\"name\":\"A\"}]", "a name"},
        {"{}", "[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]", "input_audio"},
        {"{}", "[{\"role\":\"user\",\"content\":\"hi\",\"audio\":{\"id\":1}}]", "audio"},
        {"{}", "[{\"role\":\"tool\",\"content\":\"hi\"}]", "tool_call_id"},
        {"{}", "[{\"role\":\"user\",\"content\":\" \"}]", "a conversation"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct bench b;
        struct moot_error_info info = {0};
        begin(&b, "c", cases[i].params, cases[i].messages);
        int rc = write(&b, anthropic, &info);
        if (rc != MOOT_EINPUT || !strstr(info.message, cases[i].name))
            fail_msg("%s: %d '%s'", cases[i].name, rc, info.message);
        assert_non_null(strstr(info.message, "Anthropic"));
        end(&b);
    }
}

/* ---- Answers -------------------------------------------------------------------------------- */

static void whole_answers_are_read(void **state)
{
    (void)state;
    struct run run;
    begin_run(&run, anthropic);
    const char *body =
        "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\","
        "\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":"
        "\"text\",\"text\":\"Hi \"},{\"type\":\"text\",\"text\":\"you\"},{\"type\":\"tool_use\","
        "\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1.50}}],\"stop_reason\":\"tool_use\","
        "\"usage\":"
        "{\"input_tokens\":5,\"cache_read_input_tokens\":3,\"cache_creation_input_tokens\":2,"
        "\"output_tokens\":7,\"output_tokens_details\":{\"thinking_tokens\":4}}}";
    struct moot_error_info info = {0};
    assert_int_equal(anthropic->read_reply(moot__view_str(body), &run.reply, &info), MOOT_OK);
    assert_view(moot__buf_view(&run.reply.text), "Hi you");
    assert_view(moot__buf_view(&run.reply.tool_calls),
                "[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
                "\"{\\\"a\\\":1.50}\"}}]");
    assert_view(run.reply.id, "msg_1");
    assert_view(run.reply.model, "claude-x");
    assert_int_equal(run.reply.finish, MOOT_FINISH_TOOL_CALLS);
    assert_int_equal(run.reply.usage.prompt, 10);
    assert_int_equal(run.reply.usage.cached, 3);
    assert_int_equal(run.reply.usage.cache_written, 2);
    assert_int_equal(run.reply.usage.completion, 7);
    assert_int_equal(run.reply.usage.reasoning, 4);
    assert_int_equal(run.reply.usage.total, 17);
    end_run(&run);
}

static void answers_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int code;
    } cases[] = {
        {"", MOOT_ECONTENT},
        {"{", MOOT_EJSON},
        {"null", MOOT_ECONTENT},
        {"{\"content\":[]}", MOOT_ECONTENT},
        {"{\"stop_reason\":\"end_turn\"}", MOOT_ECONTENT},
        {"{\"content\":[],\"stop_reason\":\"end_turn\"}", MOOT_OK},
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}",
         MOOT_EPROVIDER},
        {"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\"}}",
         MOOT_ETHROTTLED},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct run run;
        struct moot_error_info info = {0};
        begin_run(&run, anthropic);
        assert_int_equal(anthropic->read_reply(moot__view_str(cases[i].body), &run.reply, &info),
                         cases[i].code);
        end_run(&run);
    }
}

#define START                                                                                      \
    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x\","            \
    "\"content\":"                                                                                 \
    "[],\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":2,\"output_tokens\":1}}}"
#define BLOCK(index, block)                                                                        \
    "{\"type\":\"content_block_start\",\"index\":" index ",\"content_block\":" block "}"
#define DELTA(index, delta)                                                                        \
    "{\"type\":\"content_block_delta\",\"index\":" index ",\"delta\":" delta "}"
#define TEXT(text) DELTA("0", "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define STOP(reason)                                                                               \
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason                             \
    "\"},\"usage\":{\"output_tokens\":9}}"
#define END   "{\"type\":\"message_stop\"}"
#define ERROR "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}"

static const struct {
    const char *name;
    const char *events[12];
    int code;
    const char *text, *tools;
    enum moot_finish finish;
} streams[] = {
    {"text",
     {START, BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}"), "{\"type\":\"ping\"}", TEXT("Hi"),
      TEXT("!"), "{\"type\":\"content_block_stop\",\"index\":0}", STOP("end_turn"), END},
     MOOT_OK,
     "Hi!",
     "",
     MOOT_FINISH_STOP},
    {"cut before the marker",
     {START, TEXT("Hi"), STOP("end_turn")},
     MOOT_ETRUNCATED,
     "Hi",
     "",
     MOOT_FINISH_STOP},
    {"cut before the reason", {START, TEXT("Hi")}, MOOT_ETRUNCATED, "Hi", "", MOOT_FINISH_NONE},
    {"an error after text",
     {START, TEXT("Hi"), ERROR, END},
     MOOT_EPROVIDER,
     "Hi",
     "",
     MOOT_FINISH_NONE},
    {"halves of a character",
     {START, TEXT("\\ud83d"), TEXT("\\ude42"), STOP("max_tokens"), END},
     MOOT_OK,
     "\xF0\x9F\x99\x82",
     "",
     MOOT_FINISH_LENGTH},
    {"thinking is no answer",
     {START, BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\"}"),
      DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}"),
      DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}"),
      DELTA("1", "{\"type\":\"text_delta\",\"text\":\"so\"}"), STOP("stop_sequence"), END},
     MOOT_OK,
     "so",
     "",
     MOOT_FINISH_STOP},
    {"tools in pieces",
     {START, BLOCK("1", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}"),
      DELTA("1", "{\"type\":\"input_json_delta\",\"partial_json\":\"\"}"),
      DELTA("1", "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}"),
      DELTA("1", "{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}"), STOP("tool_use"), END},
     MOOT_OK,
     "",
     "[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":"
     "1}\"}}]",
     MOOT_FINISH_TOOL_CALLS},
    {"a tool without input",
     {START, BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}"),
      STOP("tool_use"), END},
     MOOT_OK,
     "",
     "[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]",
     MOOT_FINISH_TOOL_CALLS},
    {"a refusal", {START, STOP("refusal"), END}, MOOT_OK, "", "", MOOT_FINISH_CONTENT_FILTER},
    {"nothing", {NULL}, MOOT_ETRUNCATED, "", "", MOOT_FINISH_NONE},
    {"the end alone", {END}, MOOT_ECONTENT, "", "", MOOT_FINISH_NONE},
};

static void streams_come_to_their_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(streams); i++) {
        struct run run;
        struct moot_view delta;
        begin_run(&run, anthropic);
        for (size_t j = 0; streams[i].events[j]; j++) {
            const struct moot_stream_event event = {.kind = MOOT_STREAM_DATA,
                                                    .data = moot__view_str(streams[i].events[j])};
            moot__ignore(moot__reply_stream_event(&run.stream, &event, &delta));
        }
        int rc = moot__reply_stream_finish(&run.stream, &delta);
        if (rc != streams[i].code)
            print_error("%s: %d %s\n", streams[i].name, rc, run.stream.error.message);
        assert_int_equal(rc, streams[i].code);
        assert_view(moot__buf_view(&run.reply.text), streams[i].text);
        assert_view(moot__buf_view(&run.reply.tool_calls), streams[i].tools);
        assert_int_equal(run.reply.finish, streams[i].finish);
        end_run(&run);
    }
}

static void usage_is_the_last_of_each(void **state)
{
    (void)state;
    struct run run;
    struct moot_view delta;
    const char *events[] = {START, TEXT("x"), STOP("end_turn"), END};
    begin_run(&run, anthropic);
    for (size_t i = 0; i < moot__countof(events); i++) {
        const struct moot_stream_event event = {.data = moot__view_str(events[i])};
        assert_int_equal(moot__reply_stream_event(&run.stream, &event, &delta), MOOT_OK);
    }
    assert_true(moot__reply_stream_is_done(&run.stream));
    assert_int_equal(moot__reply_stream_finish(&run.stream, &delta), MOOT_OK);
    assert_int_equal(run.reply.usage.prompt, 7);
    assert_int_equal(run.reply.usage.cached, 2);
    assert_int_equal(run.reply.usage.completion, 9);
    assert_view(run.reply.model, "claude-x");
    end_run(&run);
}

static void targets_take_both_spellings_of_the_address(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "/", "/v1", "/v1/"};
    for (size_t i = 0; i < moot__countof(paths); i++) {
        struct moot_buf out;
        const struct moot_request request = {0};
        moot__buf_init(&out, NULL, 100);
        assert_int_equal(anthropic->write_target(&request, moot__view_str(paths[i]), &out), 0);
        assert_view(moot__buf_view(&out), "/v1/messages");
        moot__buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_translated),
        cmocka_unit_test(tools_and_pictures_are_translated),
        cmocka_unit_test(the_default_temperature_is_kept_from_models_that_refuse_it),
        cmocka_unit_test(what_cannot_be_said_is_refused_by_name),
        cmocka_unit_test(whole_answers_are_read),
        cmocka_unit_test(answers_that_are_none),
        cmocka_unit_test(streams_come_to_their_end),
        cmocka_unit_test(usage_is_the_last_of_each),
        cmocka_unit_test(targets_take_both_spellings_of_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
