/* What an attempt sends, and what it makes of the answers that are none: in virtual time, with the
 * provider's bytes written out. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/budget.h"
#include "engine/config.h"
#include "engine/engine.h"
#include "scripted.h"

#define ANSWER                                                                                     \
    "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"Because.\"},"                \
    "\"finish_reason\":\"stop\"}]}"
#define ONCE ", retry: {max_attempts: 1}"

static void what_is_sent(void **state)
{
    (void)state;
    static struct scripted scripted;
    struct scripted_talk talk;
    scripted_open(&scripted, NULL,
                  ", headers: {X-Team: blue, user-agent: mine/1, OpenAI-Beta: 'a=b'}");
    scripted_ask(&scripted, &talk, false);
    const char *got = scripted.bench.peers[0].got;
    assert_non_null(strstr(got, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:4433\r\n"));
    assert_non_null(strstr(got, "\r\nAuthorization: Bearer " SCRIPTED_KEY "\r\n"));
    assert_non_null(strstr(got, "\r\nX-Team: blue\r\n"));
    assert_non_null(strstr(got, "\r\nOpenAI-Beta: a=b\r\n"));
    assert_non_null(strstr(got, "\r\nuser-agent: mine/1\r\n"));
    assert_null(strstr(got, "User-Agent"));
    assert_non_null(strstr(got, "\r\nAccept: application/json\r\n"));
    scripted_answer(&scripted, 0, "200 OK", "Content-Type: application/json\r\n", ANSWER);
    scripted_finish(&scripted, &talk);
    assert_string_equal(talk.error.message, "");
    assert_string_equal(talk.text, "Because.");
    scripted_close(&scripted);
}

struct refusal {
    const char *status, *headers, *body;
    int code, http_status;
    const char *message; /* a part of it */
};

static const struct refusal refusals[] = {
    {"302 Found", "Location: https://evil.test/\r\n", "", MOOT_EREDIRECT, 302, "never followed"},
    {"307 Temporary Redirect", "Location: /v2\r\n", "", MOOT_EREDIRECT, 307, "never followed"},
    {"304 Not Modified", "", "", MOOT_EREDIRECT, 304, ""},
    {"200 OK", "Content-Type: text/html; charset=utf-8\r\n", "<html>", MOOT_ECONTENT, 200,
     "web page"},
    {"200 OK", "Content-Type: application/json\r\n", "<html>", MOOT_EJSON, 200, ""},
    {"200 OK", "Content-Encoding: br\r\n", ANSWER, MOOT_EENCODING, 200, ""},
    {"502 Bad Gateway", "Content-Type: text/html\r\n", "<html><h1>Bad Gateway</h1></html>",
     MOOT_EPROVIDER, 502, "HTTP 502"},
    {"400 Bad Request", "", "{\"error\":{\"message\":\"no such field\",\"code\":\"bad\"}}",
     MOOT_EPROVIDER, 400, "no such field"},
    {"403 Forbidden", "", "", MOOT_EAUTH, 403, ""},
    {"401 Unauthorized", "", "", MOOT_EAUTH, 401, ""},
    {"429 Too Many Requests", "", "{\"error\":{\"code\":\"insufficient_quota\"}}", MOOT_EQUOTA, 429,
     ""},
    {"402 Payment Required", "", "", MOOT_EQUOTA, 402, ""},
};

static void answers_that_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < moot__countof(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        static struct scripted scripted;
        struct scripted_talk talk;
        scripted_open(&scripted, NULL, ONCE);
        scripted_ask(&scripted, &talk, false);
        scripted_answer(&scripted, 0, refusal->status, refusal->headers, refusal->body);
        scripted_finish(&scripted, &talk);
        if (talk.error.code != refusal->code)
            fail_msg("%s: %s", refusal->status, talk.error.message);
        assert_int_equal(talk.error.http_status, refusal->http_status);
        assert_non_null(strstr(talk.error.message, refusal->message));
        assert_int_equal(talk.retries, 0);
        assert_int_equal(scripted.bench.peer_count, 1); /* nothing else was asked */
        scripted_close(&scripted);
    }
}

/* The status was said; that its explanation was cut changes nothing. */
static void a_refusal_that_is_cut_is_a_refusal(void **state)
{
    (void)state;
    static struct scripted scripted;
    struct scripted_talk talk;
    scripted_open(&scripted, NULL, ONCE);
    scripted_ask(&scripted, &talk, false);
    call_say(&scripted.bench, 0, "HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\nbecause");
    call_hang_up(&scripted.bench, 0);
    scripted_finish(&scripted, &talk);
    assert_int_equal(talk.error.code, MOOT_EPROVIDER);
    assert_int_equal(talk.error.http_status, 500);
    assert_non_null(strstr(talk.error.message, "because"));
    assert_false(talk.possible_duplicate);
    scripted_close(&scripted);
}

/* An answer to a streaming request without a Content-Type: its first byte tells. */
static void an_answer_without_a_type(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        ANSWER,
        ("data: {\"choices\":[{\"delta\":{\"content\":\"Because.\"},"
         "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
        "",
    };
    for (size_t i = 0; i < moot__countof(bodies); i++) {
        static struct scripted scripted;
        struct scripted_talk talk;
        scripted_open(&scripted, NULL, ONCE);
        scripted_ask(&scripted, &talk, true);
        scripted_answer(&scripted, 0, "200 OK", "", bodies[i]);
        scripted_finish(&scripted, &talk);
        assert_int_equal(talk.error.code, i < 2 ? MOOT_OK : MOOT_ECONTENT);
        assert_string_equal(talk.text, i < 2 ? "Because." : "");
        scripted_close(&scripted);
    }
}

static void a_credential_never_comes_back(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"error\":{\"message\":\"bad header Bearer " SCRIPTED_KEY "!\",\"code\":\"x\"}}",
        "{\"error\":{\"message\":\"no\",\"code\":\"" SCRIPTED_KEY "\"}}",
        "{\"error\":{\"message\":\"key\\/0123456789abcdef and key%2F0123456789abcdef\"}}",
        ("you sent Authorization: Bearer " SCRIPTED_KEY),
    };
    for (size_t i = 0; i < moot__countof(bodies); i++) {
        static struct scripted scripted;
        struct scripted_talk talk;
        scripted_open(&scripted, NULL, ONCE);
        scripted_ask(&scripted, &talk, false);
        scripted_answer(&scripted, 0, "400 Bad Request", "", bodies[i]);
        scripted_finish(&scripted, &talk);
        assert_int_equal(talk.error.code, MOOT_EPROVIDER);
        assert_non_null(strstr(talk.error.message, "[secret]"));
        assert_null(strstr(talk.error.message, "0123456789"));
        assert_null(strstr(talk.error.provider_code, "0123456789"));
        scripted_close(&scripted);
    }
}

static void nor_in_a_stream(void **state)
{
    (void)state;
    static struct scripted scripted;
    struct scripted_talk talk;
    scripted_open(&scripted, NULL, ONCE);
    scripted_ask(&scripted, &talk, true);
    scripted_answer(&scripted, 0, "200 OK", "Content-Type: text/event-stream\r\n",
                    "data: {\"error\":{\"message\":\"refused " SCRIPTED_KEY "\"}}\n\n");
    scripted_finish(&scripted, &talk);
    assert_int_equal(talk.error.code, MOOT_EPROVIDER);
    assert_non_null(strstr(talk.error.message, "refused [secret]"));
    scripted_close(&scripted);
}

/* ---- A credential that changes ---- */

static void write_key(const char *path, const char *key)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", key) > 0);
    assert_int_equal(fclose(file), 0);
}

static void open_with_file(struct scripted *scripted, char *path, struct scripted_talk *talk)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_key(path, "first-0123456789");
    char reference[128];
    snprintf(reference, sizeof reference, "file:%s", path);
    scripted_open(scripted, reference, "");
    scripted_ask(scripted, talk, false);
    assert_non_null(strstr(scripted->bench.peers[0].got, "Bearer first-0123456789"));
}

static void a_fresh_credential_is_tried_once(void **state)
{
    (void)state;
    static struct scripted scripted;
    struct scripted_talk talk;
    for (int accepted = 0; accepted <= 1; accepted++) {
        char path[] = "moot-key-XXXXXX";
        open_with_file(&scripted, path, &talk);
        write_key(path, "second-0123456789");
        struct call_peer *peer = &scripted.bench.peers[0];
        size_t before = peer->got_bytes;
        scripted_answer(&scripted, 0, "401 Unauthorized", "", "stale: first-0123456789");
        assert_true(memnet_run_until(&scripted.bench.net, &talk.retries, 1));
        assert_string_equal(talk.error.message, "HTTP 401: stale: [secret]");
        while (peer->got_bytes == before)
            assert_true(memnet_turn(&scripted.bench.net));
        assert_non_null(strstr(peer->got + before, "Bearer second-0123456789"));
        write_key(path, "third-0123456789");
        scripted_answer(&scripted, 0, accepted ? "200 OK" : "401 Unauthorized", "",
                        accepted ? ANSWER : "");
        scripted_finish(&scripted, &talk);
        assert_int_equal(talk.error.code, accepted ? MOOT_OK : MOOT_EAUTH);
        assert_int_equal(talk.retries, 1);
        scripted_close(&scripted);
        assert_int_equal(unlink(path), 0);
    }
}

static void the_same_credential_is_not_tried_again(void **state)
{
    (void)state;
    static struct scripted scripted;
    struct scripted_talk talk;
    char path[] = "moot-key-XXXXXX";
    open_with_file(&scripted, path, &talk);
    scripted_answer(&scripted, 0, "401 Unauthorized", "", "");
    scripted_finish(&scripted, &talk);
    assert_int_equal(talk.error.code, MOOT_EAUTH);
    assert_int_equal(talk.retries, 0);
    scripted_close(&scripted);
    assert_int_equal(unlink(path), 0);
}

/* When the input meter's bucket is full again after an answer of 1,000 tokens, 900 from a cache. */
static uint64_t full_after_cached(bool cached_free)
{
    static struct scripted scripted;
    struct scripted_talk talk;
    memset(&scripted, 0, sizeof scripted);
    call_bench_init(&scripted.bench, NULL);
    scripted_plan(&scripted, "http://127.0.0.1:4433/v1", NULL, ", input_tokens_per_minute: 60k");
    struct moot_dialect dialect = moot__dialect_openai;
    dialect.counting.cached_free = cached_free;
    scripted.plan->providers[0].dialect = &dialect;
    scripted_engine(&scripted);
    scripted_ask(&scripted, &talk, false);
    scripted_answer(&scripted, 0, "200 OK", "Content-Type: application/json\r\n",
                    "{\"choices\":[{\"message\":{\"content\":\"Because.\"},"
                    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1000,"
                    "\"completion_tokens\":5,\"total_tokens\":1005,"
                    "\"prompt_tokens_details\":{\"cached_tokens\":900}}}");
    scripted_finish(&scripted, &talk);
    assert_string_equal(talk.error.message, "");
    struct moot_limiter_snapshot now;
    moot__limiter_snapshot(moot__budget_limiter(scripted.engine->budget, 0), &now);
    scripted_close(&scripted);
    return now.full_at_ns[MOOT_METER_INPUT];
}

static void input_from_a_cache_counts_where_it_does(void **state)
{
    (void)state;
    uint64_t most_ns = full_after_cached(false), least_ns = full_after_cached(true);
    uint64_t cost_ns = UINT64_C(900) * 60 * MOOT_NS_PER_S / 58200; /* 97 % of 60k a minute */
    assert_in_range(most_ns - least_ns, cost_ns - 2, cost_ns + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent),
        cmocka_unit_test(input_from_a_cache_counts_where_it_does),
        cmocka_unit_test(answers_that_are_refused),
        cmocka_unit_test(a_refusal_that_is_cut_is_a_refusal),
        cmocka_unit_test(an_answer_without_a_type),
        cmocka_unit_test(a_credential_never_comes_back),
        cmocka_unit_test(nor_in_a_stream),
        cmocka_unit_test(a_fresh_credential_is_tried_once),
        cmocka_unit_test(the_same_credential_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
