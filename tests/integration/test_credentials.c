/* Credentials that are fetched, end and are refused, in virtual time: one scripted server gives
 * tokens below /token, and answers the calls that show one. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/check.h"
#include "engine/engine.h"
#include "scripted.h"

#define SECRET "client-secret/0123456789"
#define ANSWER "{\"choices\":[{\"message\":{\"content\":\"Because.\"},\"finish_reason\":\"stop\"}]}"

enum { TALKS_MAX = 100 };

/* What the server does, and what it saw. */
struct desk {
    struct scripted scripted;
    struct scripted_talk talks[TALKS_MAX];
    struct moot_conversation *conversations[TALKS_MAX];
    unsigned talk_count, waits;
    bool is_silent;                        /* token requests are heard and not answered */
    const char *token_status, *token_body; /* NULL: a fresh token each time, "token-N" */
    unsigned lifetime_s;
    unsigned token_requests, calls, refuse_calls; /* so many calls are answered with 401 */
    char last_token_request[2048], last_bearer[128];
};

static struct desk desk;

static const char *environment(void *context, const char *name)
{
    (void)context;
    if (strcmp(name, "SECRET") == 0)
        return SECRET;
    return strcmp(name, "DATABRICKS_CLIENT_SECRET") == 0 ? SECRET : NULL;
}

static void open_desk(const char *provider)
{
    char text[2048];
    memset(&desk, 0, sizeof desk);
    desk.lifetime_s = 3600;
    call_bench_init(&desk.scripted.bench, NULL);
    snprintf(text, sizeof text,
             "models: {oracle: {endpoint: model-a}}\n"
             "flow: [oracle]\n"
             "providers:\n"
             "  default: {%s, concurrency: 1}\n",
             provider);
    struct moot_plan_options options = {.size = sizeof options,
                                        .path = "test.yaml",
                                        .text = moot__view_str(text),
                                        .environment = environment};
    struct moot_error_info info;
    if (moot_plan_load(&options, &desk.scripted.plan, &info))
        fail_msg("%s", info.message);
    scripted_engine(&desk.scripted);
}

#define OPENAI                                                                                     \
    "type: openai, base_url: 'http://127.0.0.1:4433/v1', auth: {type: oauth_m2m, "                 \
    "token_url: 'http://127.0.0.1:4433/token', client_id: me, client_secret: env:SECRET, "         \
    "scope: some}"
#define DATABRICKS                                                                                 \
    "type: databricks, base_url: 'http://127.0.0.1:4433', auth: {type: oauth_m2m, client_id: me, " \
    "client_secret: env:SECRET}"

static void close_desk(void)
{
    scripted_close(&desk.scripted);
}

/* ---- The server ---- */

static void answer(unsigned peer, const char *status, const char *body)
{
    scripted_answer(&desk.scripted, peer, status, "", body);
}

static void answer_token(unsigned peer, const char *request)
{
    char body[256];
    desk.token_requests++;
    moot__view_copy(moot__view_str(request), desk.last_token_request,
                    sizeof desk.last_token_request);
    if (desk.is_silent)
        return;
    snprintf(body, sizeof body, "{\"access_token\":\"token-%u\",\"expires_in\":%u}",
             desk.token_requests, desk.lifetime_s);
    answer(peer, desk.token_status ? desk.token_status : "200 OK",
           desk.token_body ? desk.token_body : body);
}

static void answer_call(unsigned peer, const char *request)
{
    const char *bearer = strstr(request, "Authorization: Bearer ");
    assert_non_null(bearer);
    sscanf(bearer, "Authorization: Bearer %100s", desk.last_bearer);
    desk.calls++;
    if (desk.refuse_calls == 0) {
        answer(peer, "200 OK", ANSWER);
        return;
    }
    desk.refuse_calls--;
    answer(peer, "401 Unauthorized", "{\"error\":{\"message\":\"stale\"}}");
}

static bool is_whole(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    return end && strlen(end + 4) >= body;
}

/* Answer what has arrived; false: nothing has. */
static bool serve(void)
{
    struct call_bench *bench = &desk.scripted.bench;
    bool any = false;
    for (unsigned i = 0; i < bench->peer_count; i++) {
        struct call_peer *peer = &bench->peers[i];
        if (peer->got_bytes == 0 || peer->ended || !is_whole(peer->got))
            continue;
        char request[CALL_TEXT_BYTES];
        memcpy(request, peer->got, sizeof request);
        peer->got_bytes = 0;
        memset(peer->got, 0, sizeof peer->got);
        any = true;
        if (strncmp(request, "GET /oidc/.well-known/oauth-authorization-server ", 49) == 0)
            answer(i, "200 OK", "{\"token_endpoint\":\"http://127.0.0.1:4433/oidc/v1/token\"}");
        else if (strstr(request, "/token HTTP/1.1"))
            answer_token(i, request);
        else
            answer_call(i, request);
    }
    return any;
}

static void settle(void)
{
    do
        memnet_run_idle(&desk.scripted.bench.net);
    while (serve());
}

/* ---- The conversations ---- */

static void on_event(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data)
{
    (void)conversation;
    struct scripted_talk *talk = data;
    desk.waits += event->type == MOOT_EVENT_WAITING && event->wait == MOOT_WAIT_CREDENTIAL;
    talk->retries += event->type == MOOT_EVENT_RETRY;
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    (void)conversation;
    struct scripted_talk *talk = data;
    talk->done++;
    talk->error = outcome->error;
    moot__view_copy(outcome->text, talk->text, sizeof talk->text);
}

static struct scripted_talk *ask(void)
{
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why?")};
    assert_in_range(desk.talk_count, 0, TALKS_MAX - 1);
    unsigned index = desk.talk_count++;
    struct scripted_talk *talk = &desk.talks[index];
    struct moot_conversation_options options = {.size = sizeof options,
                                                .messages = &message,
                                                .message_count = 1,
                                                .on_event = on_event,
                                                .on_done = on_done,
                                                .data = talk};
    assert_int_equal(
        moot_conversation_begin(desk.scripted.engine, &options, &desk.conversations[index]),
        MOOT_OK);
    return talk;
}

static unsigned count_done(void)
{
    unsigned done = 0;
    for (unsigned i = 0; i < desk.talk_count; i++) {
        assert_in_range(desk.talks[i].done, 0, 1);
        done += (unsigned)desk.talks[i].done;
    }
    return done;
}

/* In virtual time, until all are done. */
static void finish(void)
{
    settle();
    for (unsigned turns = 0; count_done() < desk.talk_count; turns++) {
        assert_in_range(turns, 0, 100000);
        assert_true(memnet_turn(&desk.scripted.bench.net));
        serve();
    }
    settle();
}

static struct scripted_talk *ask_and_finish(void)
{
    struct scripted_talk *talk = ask();
    finish();
    return talk;
}

static void pass(unsigned seconds)
{
    desk.scripted.bench.net.now_ns += seconds * MOOT_NS_PER_S;
}

/* ---- The cases ---- */

static void a_token_is_fetched_and_shown(void **state)
{
    (void)state;
    open_desk(DATABRICKS);
    struct scripted_talk *talk = ask_and_finish();
    assert_int_equal(talk->error.code, MOOT_OK);
    assert_string_equal(talk->text, "Because.");
    assert_string_equal(desk.last_bearer, "token-1");
    assert_int_equal(desk.waits, 1);
    const char *request = desk.last_token_request;
    assert_int_equal(strncmp(request, "POST /oidc/v1/token HTTP/1.1\r\n", 30), 0);
    /* me:client-secret%2F0123456789 */
    assert_non_null(
        strstr(request, "Authorization: Basic bWU6Y2xpZW50LXNlY3JldCUyRjAxMjM0NTY3ODk=\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/x-www-form-urlencoded\r\n"));
    assert_non_null(strstr(request, "\r\n\r\ngrant_type=client_credentials&scope=all-apis"));
    close_desk();
}

static void a_hundred_wait_for_one_request(void **state)
{
    (void)state;
    open_desk(OPENAI);
    desk.is_silent = true;
    for (int i = 0; i < TALKS_MAX; i++)
        ask();
    settle();
    assert_int_equal(desk.waits, TALKS_MAX);
    assert_int_equal(desk.token_requests, 1);
    desk.is_silent = false;
    answer(0, "200 OK", "{\"access_token\":\"token-1\",\"expires_in\":3600}");
    finish();
    for (int i = 0; i < TALKS_MAX; i++)
        assert_int_equal(desk.talks[i].error.code, MOOT_OK);
    assert_int_equal(desk.token_requests, 1);
    assert_int_equal(desk.calls, TALKS_MAX);
    close_desk();
}

static void a_refused_token_is_renewed_once(void **state)
{
    (void)state;
    for (unsigned refused = 1; refused <= 2; refused++) {
        open_desk(OPENAI);
        desk.refuse_calls = refused;
        struct scripted_talk *talk = ask_and_finish();
        assert_int_equal(talk->error.code, refused == 1 ? MOOT_OK : MOOT_EAUTH);
        assert_int_equal(desk.token_requests, 2);
        assert_int_equal(desk.calls, 2);
        assert_string_equal(desk.last_bearer, "token-2");
        close_desk();
    }
}

static void the_same_token_again_is_not_tried_again(void **state)
{
    (void)state;
    open_desk(OPENAI);
    desk.token_body = "{\"access_token\":\"always\"}";
    desk.refuse_calls = 1;
    struct scripted_talk *talk = ask_and_finish();
    assert_int_equal(talk->error.code, MOOT_EAUTH);
    assert_non_null(strstr(talk->error.message, "stale"));
    assert_int_equal(desk.token_requests, 2);
    assert_int_equal(desk.calls, 1);
    close_desk();
}

static void a_token_is_renewed_ahead_of_its_end(void **state)
{
    (void)state;
    open_desk(OPENAI); /* an hour; renewed in the last 20 minutes, stale in the last 40 s */
    ask_and_finish();
    pass(2395);
    ask_and_finish();
    assert_int_equal(desk.token_requests, 1);
    pass(10);
    unsigned waits = desk.waits;
    ask_and_finish(); /* with the old one: nobody waits */
    assert_int_equal(desk.waits, waits);
    assert_int_equal(desk.token_requests, 2);
    assert_string_equal(desk.last_bearer, "token-1");
    ask_and_finish();
    assert_string_equal(desk.last_bearer, "token-2");
    pass(3565); /* too late for the old one */
    ask_and_finish();
    assert_int_equal(desk.waits, waits + 1);
    assert_string_equal(desk.last_bearer, "token-3");
    close_desk();
}

static void a_renewal_that_fails_waits_a_minute(void **state)
{
    (void)state;
    open_desk(OPENAI);
    ask_and_finish();
    desk.token_status = "503 Service Unavailable";
    pass(2500);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_and_finish()->error.code, MOOT_OK);
    assert_int_equal(desk.token_requests, 2);
    pass(61);
    assert_int_equal(ask_and_finish()->error.code, MOOT_OK);
    assert_int_equal(desk.token_requests, 3);
    assert_string_equal(desk.last_bearer, "token-1");
    close_desk();
}

static void a_token_that_lives_shortly_is_used(void **state)
{
    (void)state;
    open_desk(OPENAI);
    desk.lifetime_s = 8;
    ask_and_finish();
    ask_and_finish();
    assert_int_equal(desk.token_requests, 1);
    pass(7);
    ask_and_finish();
    assert_int_equal(desk.token_requests, 2);
    close_desk();
}

static void servers_that_give_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *status, *body, *says;
        unsigned requests; /* 0: again and again for a minute */
    } cases[] = {
        {"401 Unauthorized",
         "{\"error\":\"invalid_client\",\"error_description\":\"no " SECRET "\"}",
         "invalid_client: no [secret]", 1},
        {"400 Bad Request", "<html>", "refused (HTTP 400)", 1},
        {"302 Found", "", "redirect", 1},
        {"200 OK", "<html>", "no JSON object", 1},
        {"200 OK", "", "gave nothing", 1},
        {"200 OK", "{}", "no credential is", 1},
        {"200 OK", "{\"access_token\":\"\"}", "missing", 1},
        {"200 OK", "{\"access_token\":\"a\\nb\"}", "no header can carry", 1},
        {"200 OK", "{\"access_token\":\"a\",\"expires_in\":0}", "expired already", 1},
        {"200 OK", "{\"access_token\":\"a\",\"expires_in\":\"soon\"}", "no time", 1},
        {"503 Service Unavailable", "", "HTTP 503", 0},
        {"429 Too Many Requests", "", "HTTP 429", 0},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        open_desk(OPENAI);
        desk.token_status = cases[i].status;
        desk.token_body = cases[i].body;
        ask();
        uint64_t began_ns = desk.scripted.bench.net.now_ns;
        struct scripted_talk *talk = ask_and_finish();
        uint64_t took_ns = desk.scripted.bench.net.now_ns - began_ns;
        assert_int_equal(talk->error.code, MOOT_ECREDENTIAL);
        assert_int_equal(talk->error.phase, MOOT_PHASE_CREDENTIAL);
        assert_non_null(strstr(talk->error.message, cases[i].says));
        assert_null(strstr(talk->error.message, "0123456789"));
        assert_int_equal(desk.calls, 0);
        assert_int_equal(talk->error.retriable, cases[i].requests == 0);
        if (cases[i].requests == 0) {
            assert_in_range(desk.token_requests, 8, 100);
            assert_in_range(took_ns / MOOT_NS_PER_S, 60, 68);
            close_desk();
            continue;
        }
        assert_int_equal(desk.token_requests, cases[i].requests);
        /* Whoever comes at once is told the same; later it is tried again. */
        assert_int_equal(ask_and_finish()->error.code, MOOT_ECREDENTIAL);
        assert_int_equal(desk.token_requests, cases[i].requests);
        pass(2);
        desk.token_status = desk.token_body = NULL;
        assert_int_equal(ask_and_finish()->error.code, MOOT_OK);
        close_desk();
    }
}

static void a_server_that_says_nothing(void **state)
{
    (void)state;
    open_desk(OPENAI);
    desk.is_silent = true;
    struct scripted_talk *talk = ask_and_finish();
    assert_int_equal(talk->error.code, MOOT_ECREDENTIAL);
    assert_true(talk->error.retriable);
    assert_in_range(desk.token_requests, 2, 3); /* each for half a minute */
    close_desk();
}

/* A server that comes back within their patience costs nobody anything. */
static void a_server_that_comes_back(void **state)
{
    (void)state;
    open_desk(OPENAI);
    desk.token_status = "503 Service Unavailable";
    struct scripted_talk *talk = ask();
    settle();
    while (desk.token_requests < 6) {
        assert_true(memnet_turn(&desk.scripted.bench.net));
        serve();
    }
    desk.token_status = NULL;
    finish();
    assert_int_equal(talk->error.code, MOOT_OK);
    assert_int_equal(desk.waits, 1);
    close_desk();
}

static void whoever_waits_can_leave(void **state)
{
    (void)state;
    open_desk(OPENAI);
    desk.is_silent = true;
    struct scripted_talk *gone = ask(), *stays = ask();
    settle();
    moot_conversation_cancel(desk.conversations[0]);
    settle();
    assert_int_equal(gone->done, 1);
    assert_int_equal(gone->error.code, MOOT_ECANCELED);
    desk.is_silent = false;
    answer(0, "200 OK", "{\"access_token\":\"token-1\"}");
    finish();
    assert_int_equal(stays->error.code, MOOT_OK);
    assert_int_equal(desk.token_requests, 1);
    close_desk();
}

static void the_engine_closes_while_a_token_is_fetched(void **state)
{
    (void)state;
    for (int pausing = 0; pausing <= 1; pausing++) {
        open_desk(OPENAI);
        desk.is_silent = !pausing;
        desk.token_status = "503 Service Unavailable";
        struct scripted_talk *talk = ask();
        settle();
        assert_int_equal(talk->done, 0);
        close_desk();
        assert_int_equal(talk->done, 1);
        assert_int_equal(talk->error.code, MOOT_ECANCELED);
    }
    open_desk(OPENAI); /* and for nobody */
    ask_and_finish();
    pass(2500);
    desk.is_silent = true;
    ask_and_finish();
    assert_int_equal(desk.token_requests, 2);
    close_desk();
}

static void a_token_that_ends_in_the_queue_takes_no_quota(void **state)
{
    (void)state;
    open_desk(OPENAI ", requests_per_minute: 1");
    desk.lifetime_s = 50;
    ask();
    ask();
    finish();
    assert_int_equal(desk.calls, 2);
    assert_int_equal(desk.token_requests, 2);
    assert_int_equal(desk.talks[0].error.code, MOOT_OK);
    assert_int_equal(desk.talks[1].error.code, MOOT_OK);
    assert_string_equal(desk.last_bearer, "token-2");
    close_desk();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_fetched_and_shown),
        cmocka_unit_test(a_hundred_wait_for_one_request),
        cmocka_unit_test(a_refused_token_is_renewed_once),
        cmocka_unit_test(the_same_token_again_is_not_tried_again),
        cmocka_unit_test(a_token_is_renewed_ahead_of_its_end),
        cmocka_unit_test(a_renewal_that_fails_waits_a_minute),
        cmocka_unit_test(a_token_that_lives_shortly_is_used),
        cmocka_unit_test(servers_that_give_nothing),
        cmocka_unit_test(a_server_that_says_nothing),
        cmocka_unit_test(a_server_that_comes_back),
        cmocka_unit_test(whoever_waits_can_leave),
        cmocka_unit_test(the_engine_closes_while_a_token_is_fetched),
        cmocka_unit_test(a_token_that_ends_in_the_queue_takes_no_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
