/* A role with several endpoints: who is asked next, when, and how often; in virtual time, on two
 * providers that speak different dialects. Each provider's first call is a connection of its own,
 * in the order in which they are asked. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "scripted.h"

#define OPENAI_ANSWER                                                                              \
    "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"First.\"},"                  \
    "\"finish_reason\":\"stop\"}]}"
#define ANTHROPIC_ANSWER                                                                           \
    "{\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":"                    \
    "[{\"type\":\"text\",\"text\":\"Second.\"}],\"stop_reason\":\"end_turn\","                     \
    "\"usage\":{\"input_tokens\":1000000,\"output_tokens\":0}}"
#define JSON "Content-Type: application/json\r\n"

struct talk {
    struct moot_conversation *conversation;
    struct moot_error_info error;
    char text[64], endpoint[32], provider[32];
    unsigned calls, fallbacks, attempts, reply_fallbacks;
    double cost;
    int done, retries;
    bool cancel_at_retry;
};

static const char *environment(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "TEST_KEY") == 0 ? SCRIPTED_KEY : NULL;
}

/* `first`: more members of the first provider. */
static void set_up_world(struct scripted *s, const char *first)
{
    char text[1024];
    memset(s, 0, sizeof *s);
    call_bench_init(&s->bench, NULL);
    snprintf(text, sizeof text,
             "models: {oracle: {endpoint: [model-a, {endpoint: model-b, provider: other}]}}\n"
             "flow: [oracle]\n"
             "providers:\n"
             "  default: {type: openai, base_url: 'http://127.0.0.1:4433/v1',\n"
             "            api_key: env:TEST_KEY%s}\n"
             "  other: {type: anthropic, base_url: 'http://127.0.0.1:4433', retry: {max_attempts: "
             "1},\n"
             "          api_key: env:TEST_KEY, prices: {model-b: {input: 7, output: 1}}}\n",
             first);
    struct moot_plan_options options = {.size = sizeof options,
                                        .path = "test.yaml",
                                        .text = moot__view_str(text),
                                        .environment = environment};
    struct moot_error_info info;
    if (moot_plan_load(&options, &s->plan, &info))
        fail_msg("%u:%u: %s", info.line, info.column, info.message);
    scripted_engine(s);
}

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    struct talk *talk = data;
    if (event->type != MOOT_EVENT_RETRY)
        return;
    talk->retries++;
    if (talk->cancel_at_retry)
        moot_conversation_cancel(conversation);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    (void)conversation;
    struct talk *talk = data;
    talk->done++;
    talk->error = outcome->error;
    talk->calls = outcome->calls;
    talk->fallbacks = outcome->fallbacks;
    talk->cost = outcome->cost;
    moot__view_copy(outcome->text, talk->text, sizeof talk->text);
    if (outcome->reply_count == 0)
        return;
    talk->attempts = outcome->replies[0].attempts;
    talk->reply_fallbacks = outcome->replies[0].fallbacks;
    moot__view_copy(outcome->replies[0].endpoint, talk->endpoint, sizeof talk->endpoint);
    moot__view_copy(outcome->replies[0].provider, talk->provider, sizeof talk->provider);
}

static void ask(struct scripted *s, struct talk *talk, bool stream)
{
    static const struct moot_message message = {{"user", 4}, {"Why?", 4}};
    const struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = stream,
        .on_event = on_event,
        .on_done = on_done,
        .data = talk,
    };
    assert_int_equal(moot_conversation_begin(s->engine, &options, &talk->conversation), MOOT_OK);
    memnet_run_idle(&s->bench.net);
}

static void finish(struct scripted *s, struct talk *talk)
{
    assert_true(memnet_run_until(&s->bench.net, &talk->done, 1));
    scripted_close(s);
    assert_int_equal(talk->done, 1);
}

static void assert_second_answers(struct scripted *s, struct talk *talk)
{
    assert_int_equal(s->bench.peer_count, 2);
    assert_non_null(strstr(s->bench.peers[1].got, "POST /v1/messages HTTP/1.1"));
    assert_non_null(strstr(s->bench.peers[1].got, "\"model\":\"model-b\""));
    assert_null(strstr(s->bench.peers[1].got, "model-a"));
    scripted_answer(s, 1, "200 OK", JSON, ANTHROPIC_ANSWER);
    finish(s, talk);
    assert_int_equal(talk->error.code, MOOT_OK);
    assert_string_equal(talk->text, "Second.");
    assert_string_equal(talk->endpoint, "model-b");
    assert_string_equal(talk->provider, "other");
    assert_int_equal(talk->fallbacks, 1);
    assert_int_equal(talk->reply_fallbacks, 1);
    assert_int_equal(talk->attempts, talk->calls);
    assert_int_equal(talk->calls, 2);
    assert_int_equal(talk->retries, 1);
    assert_true(talk->cost > 6.999 && talk->cost < 7.001); /* by the price of who answered */
}

static const struct {
    const char *status, *headers, *body;
} passed_on[] = {
    {"404 Not Found", JSON, "{\"error\":{\"code\":\"model_not_found\"}}"},
    {"401 Unauthorized", "", ""},
    {"403 Forbidden", "", ""},
    {"402 Payment Required", "", ""},
    {"429 Too Many Requests", JSON, "{\"error\":{\"code\":\"insufficient_quota\"}}"},
    {"429 Too Many Requests", "Retry-After: 61\r\n", ""},
    {"501 Not Implemented", "", ""},
    {"503 Service Unavailable", "X-Should-Retry: false\r\n", ""},
};

static void the_next_endpoint_answers_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(passed_on); i++) {
        static struct scripted s;
        struct talk talk = {0};
        set_up_world(&s, "");
        ask(&s, &talk, false);
        scripted_answer(&s, 0, passed_on[i].status, passed_on[i].headers, passed_on[i].body);
        memnet_run_idle(&s.bench.net);
        assert_second_answers(&s, &talk);
    }
}

static void after_the_last_attempt_the_next_endpoint_answers(void **state)
{
    (void)state;
    static struct scripted s;
    struct talk talk = {0};
    set_up_world(&s, ", retry: {max_attempts: 1}");
    ask(&s, &talk, false);
    scripted_answer(&s, 0, "500 Internal Server Error", "", "");
    memnet_run_idle(&s.bench.net);
    assert_second_answers(&s, &talk);
}

/* What is wrong with the request is wrong everywhere. */
static void a_wrong_request_is_nobodys(void **state)
{
    (void)state;
    static const char *const statuses[] = {"400 Bad Request", "413 Content Too Large",
                                           "422 Unprocessable Content"};
    for (size_t i = 0; i < moot__countof(statuses); i++) {
        static struct scripted s;
        struct talk talk = {0};
        set_up_world(&s, "");
        ask(&s, &talk, false);
        scripted_answer(&s, 0, statuses[i], JSON,
                        "{\"error\":{\"code\":\"context_length_exceeded\"}}");
        finish(&s, &talk);
        assert_int_equal(talk.error.code, MOOT_EPROVIDER);
        assert_int_equal(talk.calls, 1);
        assert_int_equal(talk.fallbacks, 0);
        assert_int_equal(s.bench.peer_count, 1);
    }
}

static void after_the_first_token_nobody_else_is_asked(void **state)
{
    (void)state;
    static struct scripted s;
    struct talk talk = {0};
    set_up_world(&s, ", retry: {max_attempts: 1}");
    ask(&s, &talk, true);
    call_say(&s.bench, 0,
             "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n"
             "data: {\"choices\":[{\"delta\":{\"content\":\"Fir\"}}]}\n\n");
    call_hang_up(&s.bench, 0);
    finish(&s, &talk);
    assert_int_not_equal(talk.error.code, MOOT_OK);
    assert_string_equal(talk.text, "Fir");
    assert_int_equal(talk.calls, 1);
    assert_int_equal(talk.fallbacks, 0);
    assert_int_equal(s.bench.peer_count, 1);
}

static void when_all_fail_the_last_error_is_told(void **state)
{
    (void)state;
    static struct scripted s;
    struct talk talk = {0};
    set_up_world(&s, "");
    ask(&s, &talk, false);
    scripted_answer(&s, 0, "404 Not Found", "", "");
    memnet_run_idle(&s.bench.net);
    assert_int_equal(s.bench.peer_count, 2);
    scripted_answer(&s, 1, "403 Forbidden", "", "");
    finish(&s, &talk);
    assert_int_equal(talk.error.code, MOOT_EAUTH);
    assert_int_equal(talk.error.http_status, 403);
    assert_int_equal(talk.calls, 2);
    assert_int_equal(talk.fallbacks, 1);
    assert_int_equal(talk.retries, 1);
}

static void cancelled_between_two_endpoints(void **state)
{
    (void)state;
    static struct scripted s;
    struct talk talk = {.cancel_at_retry = true};
    set_up_world(&s, "");
    ask(&s, &talk, false);
    scripted_answer(&s, 0, "404 Not Found", "", "");
    finish(&s, &talk);
    assert_int_equal(talk.error.code, MOOT_ECANCELED);
    assert_int_equal(talk.calls, 1);
    assert_int_equal(s.bench.peer_count, 1);
}

/* A short wait is waited out, and the same endpoint asked again. */
static void a_short_throttle_is_waited_out(void **state)
{
    (void)state;
    static struct scripted s;
    struct talk talk = {0};
    int again = 0;
    set_up_world(&s, "");
    ask(&s, &talk, false);
    scripted_answer(&s, 0, "429 Too Many Requests", "Retry-After: 5\r\n", "");
    memnet_run_idle(&s.bench.net);
    size_t before = s.bench.peers[0].got_bytes;
    for (int i = 0; i < 1000 && s.bench.peers[0].got_bytes == before; i++)
        again = memnet_turn(&s.bench.net);
    assert_true(again && s.bench.peers[0].got_bytes > before);
    scripted_answer(&s, 0, "200 OK", JSON, OPENAI_ANSWER);
    finish(&s, &talk);
    assert_string_equal(talk.text, "First.");
    assert_string_equal(talk.provider, "default");
    assert_int_equal(talk.fallbacks, 0);
    assert_int_equal(s.bench.peer_count, 1);
}

/* The first provider is down, the second answers whatever it is asked, until all are done. */
static void answer_all(struct scripted *s, const struct talk *talks, size_t count,
                       size_t seen[CALL_PEERS_MAX])
{
    for (int turn = 0; turn < 100000; turn++) {
        size_t done = 0;
        for (size_t i = 0; i < count; i++)
            done += (size_t)talks[i].done;
        if (done == count)
            return;
        for (unsigned i = 0; i < s->bench.peer_count; i++)
            if (s->bench.peers[i].got_bytes > seen[i]) {
                seen[i] = s->bench.peers[i].got_bytes;
                bool is_second = strstr(s->bench.peers[i].got, "/v1/messages") != NULL;
                scripted_answer(s, i, is_second ? "200 OK" : "503 Service Unavailable", JSON,
                                is_second ? ANTHROPIC_ANSWER : "{}");
            }
        memnet_turn(&s->bench.net);
    }
    fail_msg("some are not done");
}

/* Once it is known, nobody waits for its end, and few try. */
static void an_outage_is_waited_for_by_nobody(void **state)
{
    enum { TALKS = 3 };
    (void)state;
    static struct scripted s;
    struct talk talks[TALKS] = {0}, late = {0};
    size_t seen[CALL_PEERS_MAX] = {0}; /* bytes of requests that were answered */
    set_up_world(&s, "");
    uint64_t began_ns = moot__now_ns(&s.bench.net.transport);
    for (size_t i = 0; i < TALKS; i++)
        ask(&s, &talks[i], false);
    answer_all(&s, talks, TALKS, seen);
    for (size_t i = 0; i < TALKS; i++) {
        assert_int_equal(talks[i].error.code, MOOT_OK);
        assert_string_equal(talks[i].provider, "other");
        assert_int_equal(talks[i].fallbacks, 1);
    }
    assert_true(moot__now_ns(&s.bench.net.transport) - began_ns < 60 * MOOT_NS_PER_S);
    ask(&s, &late, false);
    answer_all(&s, &late, 1, seen);
    assert_int_equal(late.error.code, MOOT_OK);
    assert_int_equal(late.fallbacks, 1);
    assert_in_range(late.calls, 1, 2); /* it may have been the one to look */
    scripted_close(&s);
}

/* A row that goes on keeps who answered, at that one's price; a line that does not say is of the
 * first endpoint, which has none here. */
static void a_known_reply_is_of_whom_it_says(void **state)
{
    (void)state;
    for (int says = 0; says < 2; says++) {
        static struct scripted s;
        struct talk talk = {0};
        const struct moot_message message = {{"user", 4}, {"Why?", 4}};
        struct moot_agent_reply known = {.text = {"Known.", 6}, .attempts = 2, .fallbacks = 1};
        known.usage = (struct moot_usage){.input_tokens = 1000000, .known = true};
        known.endpoint = says ? moot__view_str("model-b") : known.endpoint;
        known.provider = says ? moot__view_str("other") : known.provider;
        struct moot_conversation_options options = {
            .size = sizeof options, .messages = &message, .message_count = 1};
        options.replies = &known;
        options.reply_count = 1;
        options.on_done = on_done;
        options.data = &talk;
        set_up_world(&s, "");
        assert_int_equal(moot_conversation_begin(s.engine, &options, &talk.conversation), MOOT_OK);
        finish(&s, &talk);
        assert_int_equal(talk.error.code, MOOT_OK);
        assert_string_equal(talk.endpoint, says ? "model-b" : "model-a");
        assert_string_equal(talk.provider, says ? "other" : "default");
        assert_true(says ? talk.cost > 6.999 && talk.cost < 7.001 : talk.cost <= 0);
        assert_int_equal(talk.fallbacks, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_endpoint_answers_at_once),
        cmocka_unit_test(after_the_last_attempt_the_next_endpoint_answers),
        cmocka_unit_test(a_wrong_request_is_nobodys),
        cmocka_unit_test(after_the_first_token_nobody_else_is_asked),
        cmocka_unit_test(when_all_fail_the_last_error_is_told),
        cmocka_unit_test(cancelled_between_two_endpoints),
        cmocka_unit_test(a_short_throttle_is_waited_out),
        cmocka_unit_test(an_outage_is_waited_for_by_nobody),
        cmocka_unit_test(a_known_reply_is_of_whom_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
