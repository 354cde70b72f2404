/* What clouds give to their own machines and containers, and what is done with it: requests that
 * are signed, tokens that are shown. One scripted server, in virtual time. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "agents/sigv4.h"
#include "engine/base/check.h"
#include "engine/engine.h"
#include "scripted.h"

#define HERE   "http://127.0.0.1:4433"
#define SECRET "secret/key+0123456789"
#define KEYS                                                                                       \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":\"" SECRET                 \
    "\",\"Token\":\"session-token-0123456789\",\"Expiration\":\"2999-01-01T00:00:00Z\"}"
#define CONVERSE                                                                                   \
    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"Because.\"}]}},"    \
    "\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":1,\"outputTokens\":1,"                 \
    "\"totalTokens\":2}}"
#define CHAT "{\"choices\":[{\"message\":{\"content\":\"Because.\"},\"finish_reason\":\"stop\"}]}"

/* What is expected, in this order: how it begins, a line of it or NULL, and the answer. */
struct step {
    const char *begins, *line, *status, *answer;
};

static struct {
    struct scripted scripted;
    const char *const *variables; /* name, value, ..., NULL */
    char last[CALL_TEXT_BYTES];
} cloud;

static const char *environment(void *context, const char *name)
{
    (void)context;
    for (const char *const *pair = cloud.variables; *pair; pair += 2)
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    return NULL;
}

static void open_cloud(const char *provider, const char *const *variables)
{
    char text[1024];
    memset(&cloud, 0, sizeof cloud);
    cloud.variables = variables;
    call_bench_init(&cloud.scripted.bench, NULL);
    snprintf(text, sizeof text,
             "models: {oracle: {endpoint: some.model-v1:0}}\n"
             "flow: [oracle]\n"
             "providers: {default: {%s}}\n",
             provider);
    struct moot_plan_options options = {.size = sizeof options,
                                        .path = "test.yaml",
                                        .text = moot__view_str(text),
                                        .environment = environment};
    struct moot_error_info info;
    if (moot_plan_load(&options, &cloud.scripted.plan, &info))
        fail_msg("%s", info.message);
    scripted_engine(&cloud.scripted);
}

/* A peer that has heard something, or -1. */
static int find_request(void)
{
    struct call_bench *bench = &cloud.scripted.bench;
    memnet_run_idle(&bench->net);
    for (unsigned i = 0; i < bench->peer_count; i++)
        if (bench->peers[i].got_bytes > 0 && !bench->peers[i].ended)
            return (int)i;
    return -1;
}

/* The next request, wherever it arrives; time passes until then. */
static unsigned next_request(void)
{
    int found;
    for (int turns = 0; (found = find_request()) < 0; turns++)
        if (turns == 100 || !memnet_turn(&cloud.scripted.bench.net))
            fail_msg("no request");
    struct call_peer *peer = &cloud.scripted.bench.peers[found];
    memcpy(cloud.last, peer->got, sizeof cloud.last);
    memset(peer->got, 0, sizeof peer->got);
    peer->got_bytes = 0;
    return (unsigned)found;
}

static void play(struct scripted_talk *talk, const struct step *steps, size_t count)
{
    scripted_ask(&cloud.scripted, talk, false);
    for (size_t i = 0; i < count; i++) {
        unsigned peer = next_request();
        if (strncmp(cloud.last, steps[i].begins, strlen(steps[i].begins)) != 0 ||
            (steps[i].line && !strstr(cloud.last, steps[i].line)))
            fail_msg("step %zu: %s", i, cloud.last);
        scripted_answer(&cloud.scripted, peer, steps[i].status ? steps[i].status : "200 OK", "",
                        steps[i].answer);
    }
    scripted_finish(&cloud.scripted, talk);
}

/* ---- A signature as AWS would check it ---- */

static size_t read_headers(char *head, struct moot_sigv4_header *headers, size_t max)
{
    size_t count = 0;
    for (char *line = strstr(head, "\r\n"); line && line[2] != '\r' && count < max;) {
        char *name = line + 2, *colon = strchr(name, ':'), *end = strstr(name, "\r\n");
        headers[count++] = (struct moot_sigv4_header){
            moot__view(name, (size_t)(colon - name)),
            moot__view_trim(moot__view(colon + 1, (size_t)(end - colon - 1)))};
        line = end;
    }
    return count;
}

static void assert_signed(const struct moot_sigv4_key *key)
{
    struct moot_sigv4_header headers[32];
    char *path = cloud.last + strlen("POST "), *body = strstr(cloud.last, "\r\n\r\n");
    assert_non_null(body);
    const struct moot_sigv4_request request = {
        .method = MOOT_VIEW("POST"),
        .path = moot__view(path, strcspn(path, " ?")),
        .query = {"", 0},
        .headers = headers,
        .header_count = read_headers(cloud.last, headers, moot__countof(headers)),
        .body = moot__view_str(body + 4),
    };
    uint64_t now_s = moot__wall_ns(&cloud.scripted.bench.net.transport) / MOOT_NS_PER_S;
    enum moot_sigv4_verdict verdict;
    assert_int_equal(
        moot__sigv4_verify(&request, key, (struct moot_sigv4_window){now_s, 900}, NULL, &verdict),
        MOOT_OK);
    assert_int_equal(verdict, MOOT_SIGV4_VALID);
}

static const struct moot_sigv4_key session_key = {.access_key = {"AKID", 4},
                                                  .secret_key = {SECRET, sizeof SECRET - 1},
                                                  .session_token = {"session-token-0123456789", 24},
                                                  .region = {"us-east-2", 9},
                                                  .service = {"bedrock", 7}};

#define BEDROCK "type: bedrock, base_url: '" HERE "', auth: {type: aws, region: us-east-2}"

static void keys_of_the_environment_sign_every_attempt(void **state)
{
    (void)state;
    static const char *const variables[] = {
        "AWS_ACCESS_KEY_ID",        "AKID", "AWS_SECRET_ACCESS_KEY", SECRET, "AWS_SESSION_TOKEN",
        "session-token-0123456789", NULL};
    static const struct step steps[] = {
        {"POST /model/some.model-v1%3A0/converse HTTP/1.1\r\n", NULL, "503 Service Unavailable",
         ""},
        {"POST /model/some.model-v1%3A0/converse HTTP/1.1\r\n", NULL, NULL, CONVERSE}};
    struct scripted_talk talk;
    open_cloud(BEDROCK ", headers: {X-Amz-Target: here}", variables);
    scripted_ask(&cloud.scripted, &talk, false);
    scripted_answer(&cloud.scripted, next_request(), steps[0].status, "", "");
    assert_signed(&session_key);
    scripted_answer(&cloud.scripted, next_request(), "200 OK", "", CONVERSE);
    assert_signed(&session_key);
    scripted_finish(&cloud.scripted, &talk);
    assert_string_equal(talk.error.message, "");
    assert_string_equal(talk.text, "Because.");
    scripted_close(&cloud.scripted);
}

static void a_machine_has_a_role(void **state)
{
    (void)state;
    static const char *const variables[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT", HERE, NULL};
    static const struct step steps[] = {
        {"PUT /latest/api/token HTTP/1.1\r\n", "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n",
         NULL, "session-one"},
        {"GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n",
         "x-aws-ec2-metadata-token: session-one\r\n", NULL, "some role\n"},
        {"GET /latest/meta-data/iam/security-credentials/some%20role HTTP/1.1\r\n",
         "x-aws-ec2-metadata-token: session-one\r\n", NULL, KEYS},
        {"POST /model/some.model-v1%3A0/converse HTTP/1.1\r\n",
         "x-amz-security-token: session-token-0123456789\r\n", NULL, CONVERSE},
    };
    struct scripted_talk talk;
    open_cloud(BEDROCK, variables);
    play(&talk, steps, moot__countof(steps));
    assert_string_equal(talk.error.message, "");
    assert_string_equal(talk.text, "Because.");
    assert_signed(&session_key);
    scripted_close(&cloud.scripted);
}

static void a_machine_without_a_role(void **state)
{
    (void)state;
    static const char *const variables[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT", HERE, NULL};
    static const struct {
        struct step steps[3];
        size_t count;
        const char *says;
    } cases[] = {
        {{{"PUT ", NULL, "403 Forbidden", ""}}, 1, "refused (HTTP 403)"},
        {{{"PUT ", NULL, NULL, ""}}, 1, "gave no session"},
        {{{"PUT ", NULL, NULL, "s"}, {"GET ", NULL, "404 Not Found", ""}}, 2, "HTTP 404"},
        {{{"PUT ", NULL, NULL, "s"}, {"GET ", NULL, NULL, ""}}, 2, "knows no role"},
        {{{"PUT ", NULL, NULL, "s"}, {"GET ", NULL, NULL, ".."}}, 2, "no address can hold"},
        {{{"PUT ", NULL, NULL, "s"}, {"GET ", NULL, NULL, "r"}, {"GET ", NULL, NULL, "<"}},
         3,
         "no JSON object"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct scripted_talk talk;
        open_cloud(BEDROCK, variables);
        play(&talk, cases[i].steps, cases[i].count);
        assert_int_equal(talk.error.code, MOOT_ECREDENTIAL);
        if (!strstr(talk.error.message, cases[i].says))
            fail_msg("case %zu: %s", i, talk.error.message);
        scripted_close(&cloud.scripted);
    }
}

static void a_container_has_a_role(void **state)
{
    (void)state;
    static const char *const variables[] = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", HERE "/v2/keys?id=1",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abcd", NULL};
    static const struct step steps[] = {
        {"GET /v2/keys?id=1 HTTP/1.1\r\n", "Authorization: Basic abcd\r\n", NULL, KEYS},
        {"POST /model/", NULL, NULL, CONVERSE},
    };
    struct scripted_talk talk;
    open_cloud(BEDROCK, variables);
    play(&talk, steps, moot__countof(steps));
    assert_string_equal(talk.error.message, "");
    assert_signed(&session_key);
    scripted_close(&cloud.scripted);
}

static void keys_that_expired_are_fetched_again(void **state)
{
    (void)state;
    static const char *const variables[] = {"AWS_CONTAINER_CREDENTIALS_FULL_URI", HERE "/keys",
                                            NULL};
    static const struct step steps[] = {
        {"GET /keys HTTP/1.1\r\n", NULL, NULL,
         "{\"AccessKeyId\":\"OLD\",\"SecretAccessKey\":\"x\"}"},
        {"POST /model/", "Credential=OLD/",
         "403 Forbidden\r\nx-amzn-errortype: ExpiredTokenException:http://internal/",
         "{\"message\":\"old\"}"},
        {"GET /keys HTTP/1.1\r\n", NULL, NULL, KEYS},
        {"POST /model/", "Credential=AKID/", NULL, CONVERSE},
    };
    struct scripted_talk talk;
    open_cloud(BEDROCK, variables);
    play(&talk, steps, moot__countof(steps));
    assert_string_equal(talk.error.message, "");
    assert_int_equal(talk.retries, 1);
    scripted_close(&cloud.scripted);
}

/* Of keys, too, nothing comes back in a message. */
static void keys_are_taken_out_of_what_is_said(void **state)
{
    (void)state;
    static const char *const variables[] = {"AWS_CONTAINER_CREDENTIALS_FULL_URI", HERE "/keys",
                                            NULL};
    static const struct step steps[] = {
        {"GET /keys HTTP/1.1\r\n", NULL, NULL, KEYS},
        {"POST /model/", NULL, "403 Forbidden",
         "{\"message\":\"sent session-token-0123456789 of secret%2Fkey%2B0123456789\"}"},
    };
    struct scripted_talk talk;
    open_cloud(BEDROCK, variables);
    play(&talk, steps, moot__countof(steps));
    assert_int_equal(talk.error.code, MOOT_EAUTH);
    assert_non_null(strstr(talk.error.message, "sent [secret] of [secret]"));
    scripted_close(&cloud.scripted);
}

static void a_managed_identity_gives_a_token(void **state)
{
    (void)state;
    static const char *const variables[] = {NULL};
    static const struct step steps[] = {
        {"GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource="
         "https%3A%2F%2Fcognitiveservices.azure.com&client_id=me HTTP/1.1\r\n",
         "Metadata: true\r\n", NULL,
         "{\"access_token\":\"entra-token\",\"expires_in\":\"86400\",\"token_type\":\"Bearer\"}"},
        {"POST /openai/v1/chat/completions", "Authorization: Bearer entra-token\r\n", NULL, CHAT},
    };
    struct scripted_talk talk;
    open_cloud("type: azure, base_url: '" HERE "', auth: {type: managed_identity, endpoint: '" HERE
               "', client_id: me}",
               variables);
    play(&talk, steps, moot__countof(steps));
    assert_string_equal(talk.error.message, "");
    assert_string_equal(talk.text, "Because.");
    scripted_close(&cloud.scripted);
}

static void entra_gives_a_token_for_a_secret(void **state)
{
    (void)state;
    static const char *const variables[] = {"S", SECRET, NULL};
    static const struct step steps[] = {
        {"POST /ten/oauth2/v2.0/token HTTP/1.1\r\n",
         "grant_type=client_credentials&scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default&"
         "client_id=app&client_secret=secret%2Fkey%2B0123456789",
         NULL, "{\"access_token\":\"entra-token\",\"expires_in\":3599}"},
        {"POST /openai/v1/chat/completions", "Authorization: Bearer entra-token\r\n", NULL, CHAT},
    };
    struct scripted_talk talk;
    open_cloud("type: azure, base_url: '" HERE "', auth: {type: entra, authority: '" HERE
               "', tenant_id: ten, client_id: app, client_secret: env:S}",
               variables);
    play(&talk, steps, moot__countof(steps));
    assert_string_equal(talk.error.message, "");
    scripted_close(&cloud.scripted);
}

/* An assertion is signed by somebody else, who writes a new one into its file now and then. */
static void an_assertion_is_read_each_time(void **state)
{
    (void)state;
    static const char *const variables[] = {NULL};
    static struct step steps[] = {
        {"POST /ten/oauth2/v2.0/token HTTP/1.1\r\n",
         "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"
         "client_assertion=second-0123456789",
         NULL, "{\"access_token\":\"entra-token\",\"expires_in\":3599}"},
        {"POST /openai/v1/chat/completions", NULL, NULL, CHAT},
    };
    char path[] = "moot-assertion-XXXXXX", provider[512];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_true(file && fputs("first-0123456789", file) >= 0 && fflush(file) == 0);
    snprintf(provider, sizeof provider,
             "type: azure, base_url: '" HERE "', auth: {type: workload_identity, authority: '" HERE
             "', tenant_id: ten, client_id: app, token_file: 'file:%s'}",
             path);
    open_cloud(provider, variables);
    rewind(file);
    assert_true(fputs("second-0123456789", file) >= 0 && fclose(file) == 0);
    struct scripted_talk talk;
    play(&talk, steps, moot__countof(steps));
    assert_string_equal(talk.error.message, "");
    scripted_close(&cloud.scripted);
    assert_int_equal(remove(path), 0);
}

static void a_document_of_another_host_gets_no_secret(void **state)
{
    (void)state;
    static const char *const variables[] = {"S", SECRET, NULL};
    static const char *const documents[] = {
        "{\"token_endpoint\":\"https://127.0.0.1:4433/oidc/v1/token\"}",
        "{\"token_endpoint\":\"http://127.0.0.2:4433/oidc/v1/token\"}",
        "{\"token_endpoint\":\"http://127.0.0.1:4434/oidc/v1/token\"}",
        "{\"token_endpoint\":\"http://127.0.0.1@127.0.0.2:4433/\"}",
        "{\"token_endpoint\":7}",
        "[]",
    };
    for (size_t i = 0; i < moot__countof(documents); i++) {
        const struct step step = {"GET /oidc/.well-known/oauth-authorization-server HTTP/1.1\r\n",
                                  NULL, NULL, documents[i]};
        struct scripted_talk talk;
        open_cloud("type: databricks, base_url: '" HERE "', auth: {type: oauth_m2m, client_id: c, "
                   "client_secret: env:S}",
                   variables);
        play(&talk, &step, 1);
        assert_int_equal(talk.error.code, MOOT_ECREDENTIAL);
        assert_non_null(strstr(talk.error.message, "token_endpoint"));
        assert_int_equal(cloud.scripted.bench.peer_count, 1);
        scripted_close(&cloud.scripted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_the_environment_sign_every_attempt),
        cmocka_unit_test(a_machine_has_a_role),
        cmocka_unit_test(a_machine_without_a_role),
        cmocka_unit_test(a_container_has_a_role),
        cmocka_unit_test(keys_that_expired_are_fetched_again),
        cmocka_unit_test(keys_are_taken_out_of_what_is_said),
        cmocka_unit_test(a_managed_identity_gives_a_token),
        cmocka_unit_test(entra_gives_a_token_for_a_secret),
        cmocka_unit_test(an_assertion_is_read_each_time),
        cmocka_unit_test(a_document_of_another_host_gets_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
