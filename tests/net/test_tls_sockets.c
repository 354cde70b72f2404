/* TLS on real sockets and worker threads: our client against our server, and against
 * `openssl s_server`, which the test starts on a port of its choice and ends by its pid. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "net/listener.h"
#include "net/tls.h"
#include "net/tls_mint.h"
#include "tests/support/loop.h"

enum { BURST = 20 };

struct stage {
    struct test_loop test;
    struct moot_tls_minted minted;
    struct moot_tls_trust *trust;
    struct moot_tls_client *client;
    pid_t child;
    uint16_t port;
    char folder[64];
};

struct dialer {
    struct stage *stage;
    struct moot_stream *lower, *stream;
    struct moot_tls_handshake handshake;
    struct moot_tls_connect_options options;
    int *done;
    char got[4096]; /* the latest bytes */
    int got_bytes;
    int ended; /* 1: an end; 2: an error */
};

static void stage_init(struct stage *stage, const struct moot_tls_mint_options *mint,
                       enum moot_tls_version version_max)
{
    static const char *const texts[] = {"localhost", "127.0.0.1"};
    struct moot_view names[] = {moot__view_str(texts[0]), moot__view_str(texts[1])};
    struct moot_tls_mint_options usual = {.names = names, .name_count = 2};
    memset(stage, 0, sizeof(*stage));
    if (mint)
        usual = *mint;
    if (usual.wall_ns == 0)
        usual.wall_ns = (uint64_t)time(NULL) * MOOT_NS_PER_S;
    test_loop_init(&stage->test);
    assert_int_equal(moot__tls_mint(NULL, &usual, &stage->minted), MOOT_OK);
    assert_int_equal(
        moot__tls_trust_parse(NULL, moot__view_str(stage->minted.ca_pem), &stage->trust, NULL),
        MOOT_OK);
    assert_int_equal(
        moot__tls_client_new(stage->test.transport, stage->trust, version_max, &stage->client),
        MOOT_OK);
}

static void stage_deinit(struct stage *stage)
{
    if (stage->child > 0) {
        kill(stage->child, SIGKILL);
        waitpid(stage->child, NULL, 0);
    }
    moot__tls_client_free(stage->client);
    moot__tls_trust_unref(stage->trust);
    moot__tls_minted_deinit(&stage->minted);
    test_loop_deinit(&stage->test);
}

/* --- dialing --------------------------------------------------------------------------------- */

static void on_reading(struct moot_stream *stream, unsigned ready)
{
    struct dialer *dialer = stream->owner;
    if (!(ready & MOOT_READABLE))
        return;
    ptrdiff_t n;
    while ((n = moot__stream_read(stream, dialer->got, sizeof(dialer->got))) > 0)
        dialer->got_bytes += (int)n;
    if (n == MOOT_EAGAIN)
        return;
    dialer->ended = n == 0 ? 1 : 2;
    moot__stream_want(stream, 0);
}

static void on_done(struct moot_tls_handshake *handshake)
{
    struct dialer *dialer = handshake->owner;
    ++*dialer->done;
    dialer->stream = handshake->stream;
    if (!dialer->stream)
        return;
    dialer->stream->owner = dialer;
    dialer->stream->on_ready = on_reading;
    moot__stream_want(dialer->stream, MOOT_READABLE);
}

static void on_connected(struct moot_stream *stream, unsigned ready)
{
    struct dialer *dialer = stream->owner;
    char detail[128];
    assert_true(ready & MOOT_WRITABLE);
    moot__stream_want(stream, 0);
    assert_int_equal(
        dialer->stage->test.transport->ops->connect_result(stream, detail, sizeof(detail)),
        MOOT_OK);
    assert_int_equal(moot__tls_connect(&dialer->handshake, &dialer->options), MOOT_OK);
}

static void dial(struct dialer *dialer, struct stage *stage, const char *host, const char *key)
{
    int *done = dialer->done;
    *dialer = (struct dialer){.stage = stage, .done = done};
    struct moot_transport *transport = stage->test.transport;
    struct moot_address address = {.bytes = {127, 0, 0, 1}, .port = stage->port};
    assert_int_equal(transport->ops->connect(transport, &address, &dialer->lower), MOOT_OK);
    dialer->lower->owner = dialer;
    dialer->lower->on_ready = on_connected;
    dialer->handshake.on_done = on_done;
    dialer->handshake.owner = dialer;
    dialer->options = (struct moot_tls_connect_options){.client = stage->client,
                                                        .lower = dialer->lower,
                                                        .host = moot__view_str(host),
                                                        .session_key = moot__view_str(key)};
    moot__stream_want(dialer->lower, MOOT_WRITABLE);
}

static void hang_up(struct dialer *dialer)
{
    if (dialer->stream)
        moot__stream_close(dialer->stream);
    dialer->stream = NULL;
}

static void dial_once(struct dialer *dialer, struct stage *stage, const char *host, const char *key)
{
    int done = 0;
    dialer->done = &done;
    dial(dialer, stage, host, key);
    assert_true(test_loop_run_until_count(&stage->test, &done, 1));
    assert_int_equal(done, 1);
}

/* --- openssl s_server ------------------------------------------------------------------------ */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
}

static _Noreturn void exec_openssl(const struct stage *stage, int out, const char *const *extra)
{
    const char *argv[32] = {"openssl",  "s_server", "-accept", "127.0.0.1:0", "-cert",
                            "cert.pem", "-key",     "key.pem", "-www"};
    size_t argc = 9;
    while (*extra && argc < moot__countof(argv) - 1)
        argv[argc++] = *extra++;
    int null = open("/dev/null", O_RDWR);
    if (chdir(stage->folder) != 0 || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(null, 2) < 0)
        _exit(126);
    char *const *arguments = (char *const *)(uintptr_t)argv;
    execvp("openssl", arguments);
    _exit(127);
}

/* It says "ACCEPT 127.0.0.1:PORT" once it listens. False: no openssl. */
static bool start_openssl(struct stage *stage, const char *const *extra)
{
    int out[2];
    snprintf(stage->folder, sizeof(stage->folder), "./tls-test-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    write_file(stage->folder, "cert.pem", stage->minted.certificate_pem);
    write_file(stage->folder, "key.pem", stage->minted.key_pem);
    assert_int_equal(pipe(out), 0);
    stage->child = fork();
    assert_true(stage->child >= 0);
    if (stage->child == 0)
        exec_openssl(stage, out[1], extra);
    close(out[1]);
    FILE *said = fdopen(out[0], "r");
    assert_non_null(said);
    char line[256];
    unsigned port = 0;
    while (port == 0 && fgets(line, sizeof(line), said))
        if (strncmp(line, "ACCEPT ", 7) == 0 && strrchr(line, ':'))
            port = (unsigned)strtoul(strrchr(line, ':') + 1, NULL, 10);
    fclose(said);
    remove_file(stage->folder, "cert.pem");
    remove_file(stage->folder, "key.pem");
    rmdir(stage->folder);
    stage->port = (uint16_t)port;
    return port != 0;
}

static bool has_openssl(void)
{
    return access("/usr/bin/openssl", X_OK) == 0 || access("/usr/local/bin/openssl", X_OK) == 0;
}

static void expect(const struct moot_tls_mint_options *mint, const char *const *extra,
                   const char *host, int status, const char *text)
{
    struct stage stage;
    struct dialer dialer;
    stage_init(&stage, mint, MOOT_TLS_DEFAULT);
    assert_true(start_openssl(&stage, extra));
    dial_once(&dialer, &stage, host, "");
    if (dialer.handshake.status != status || !strstr(dialer.handshake.detail, text))
        fail_msg("%s: status %d, \"%s\"", host, dialer.handshake.status, dialer.handshake.detail);
    hang_up(&dialer);
    stage_deinit(&stage);
}

static void openssl_is_verified(void **state)
{
    (void)state;
    if (!has_openssl())
        skip();
    static const char *const nothing[] = {NULL};
    static const char *const old[] = {"-tls1_1", "-cipher", "ALL@SECLEVEL=0", NULL};
    static const char *const weak[] = {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA", NULL};
    struct moot_view localhost = MOOT_VIEW("localhost");
    struct moot_tls_mint_options common = {.common_name = localhost};
    struct moot_tls_mint_options expired = {.names = &localhost,
                                            .name_count = 1,
                                            .wall_ns = ((uint64_t)time(NULL) - 90 * 86400) *
                                                       MOOT_NS_PER_S};
    expect(NULL, nothing, "localhost", MOOT_OK, "");
    expect(NULL, nothing, "127.0.0.1", MOOT_OK, "");
    expect(NULL, nothing, "127.0.0.2", MOOT_ECERT, "not for 127.0.0.2");
    expect(NULL, nothing, "example.test", MOOT_ECERT, "not for example.test");
    expect(&common, nothing, "localhost", MOOT_ECERT, "no subjectAltName");
    expect(&expired, nothing, "localhost", MOOT_ECERT, "expired on");
    expect(NULL, old, "localhost", MOOT_ETLS, "");
    expect(NULL, weak, "localhost", MOOT_ETLS, "cipher suite");
}

static void openssl_self_signed_is_refused(void **state)
{
    (void)state;
    if (!has_openssl())
        skip();
    static const char *const nothing[] = {NULL};
    struct stage stage, other;
    struct dialer dialer;
    stage_init(&stage, NULL, MOOT_TLS_DEFAULT);
    stage_init(&other, NULL, MOOT_TLS_DEFAULT);
    assert_true(start_openssl(&other, nothing));
    stage.port = other.port;
    dial_once(&dialer, &stage, "localhost", "");
    assert_int_equal(dialer.handshake.status, MOOT_ECERT);
    assert_null(dialer.stream);
    stage_deinit(&other);
    stage_deinit(&stage);
}

static void converse_with_openssl(const char *flag, bool needs_1_3)
{
    struct stage stage;
    struct dialer dialer;
    const char *const extra[] = {flag, NULL};
    stage_init(&stage, NULL, MOOT_TLS_DEFAULT);
    assert_true(start_openssl(&stage, extra));
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    for (int round = 0; round < 2; round++) {
        dial_once(&dialer, &stage, "localhost", "key");
        if (needs_1_3 && dialer.handshake.status == MOOT_ETLS) {
            /* A build on 2.28 cannot, and says so. */
            assert_non_null(strstr(dialer.handshake.detail, "it may need 1.3"));
            break;
        }
        assert_string_equal(dialer.handshake.version, needs_1_3 ? "TLSv1.3" : "TLSv1.2");
        assert_string_equal(dialer.handshake.detail, "");
        assert_int_equal(dialer.handshake.resumed, round == 1);
        assert_true(dialer.handshake.handshake_ns > 0);
        assert_int_equal(moot__stream_write(dialer.stream, request, sizeof(request) - 1),
                         sizeof(request) - 1);
        assert_true(test_loop_run_until_count(&stage.test, &dialer.ended, 1));
        assert_int_equal(dialer.ended, 1);
        assert_true(dialer.got_bytes > 100);
        assert_true(dialer.stream->ops->ended_cleanly(dialer.stream));
        hang_up(&dialer);
    }
    stage_deinit(&stage);
}

static void openssl_resumes(void **state)
{
    (void)state;
    if (!has_openssl())
        skip();
    converse_with_openssl("-tls1_2", false);
    converse_with_openssl("-tls1_3", true);
}

/* --- our own server -------------------------------------------------------------------------- */

struct host {
    struct moot_listener *listener;
    struct moot_tls_identity *identity;
    struct moot_tls_server *server;
    struct moot_stream *streams[2 * BURST];
    int given;
};

static void ignore_ready(struct moot_stream *stream, unsigned ready)
{
    (void)stream;
    (void)ready;
}

static void on_stream(struct moot_listener *listener, struct moot_stream *stream)
{
    struct host *host = moot__listener_owner(listener);
    assert_true(host->given < 2 * BURST);
    host->streams[host->given++] = stream;
    stream->on_ready = ignore_ready;
}

static void host_init(struct host *host, struct stage *stage)
{
    *host = (struct host){0};
    struct moot_view certificate = moot__view_str(stage->minted.certificate_pem);
    struct moot_view key = moot__view_str(stage->minted.key_pem);
    struct moot_transport *transport = stage->test.transport;
    assert_int_equal(moot__tls_identity_parse(NULL, certificate, key, &host->identity, NULL),
                     MOOT_OK);
    assert_int_equal(
        moot__tls_server_new(transport, host->identity, MOOT_TLS_DEFAULT, &host->server), MOOT_OK);
    struct moot_listener_options options = {.transport = transport,
                                            .address = {.bytes = {127, 0, 0, 1}},
                                            .tls = host->server,
                                            .on_stream = on_stream,
                                            .owner = host};
    assert_int_equal(moot__listener_open(&options, &host->listener), MOOT_OK);
    stage->port = moot__listener_address(host->listener).port;
}

static void host_deinit(struct host *host)
{
    moot__listener_close(host->listener);
    for (int i = 0; i < host->given; i++)
        moot__stream_close(host->streams[i]);
    moot__tls_server_free(host->server);
    moot__tls_identity_unref(host->identity);
}

static void burst_on_threads(void **state)
{
    (void)state;
    struct stage stage;
    struct host host;
    struct dialer dialers[BURST];
    int done = 0, resumed = 0;
    stage_init(&stage, NULL, MOOT_TLS_DEFAULT);
    host_init(&host, &stage);
    for (int i = 0; i < BURST; i++) {
        dialers[i].done = &done;
        dial(&dialers[i], &stage, "localhost", "key");
    }
    assert_true(test_loop_run_until_count(&stage.test, &done, BURST));
    assert_true(test_loop_run_until_count(&stage.test, &host.given, BURST));
    for (int i = 0; i < BURST; i++) {
        assert_string_equal(dialers[i].handshake.detail, "");
        resumed += dialers[i].handshake.resumed;
        hang_up(&dialers[i]);
    }
    assert_int_equal(done, BURST);
    assert_int_equal(resumed, BURST - 1);
    host_deinit(&host);
    stage_deinit(&stage);
}

/* Without a session key every handshake is a full one: both workers busy on one trust and key. */
static void full_handshakes_in_parallel(void **state)
{
    (void)state;
    struct stage stage;
    struct host host;
    struct dialer dialers[BURST];
    int done = 0;
    stage_init(&stage, NULL, MOOT_TLS_DEFAULT);
    host_init(&host, &stage);
    for (int i = 0; i < BURST; i++) {
        dialers[i].done = &done;
        dial(&dialers[i], &stage, "127.0.0.1", "");
    }
    assert_true(test_loop_run_until_count(&stage.test, &done, BURST));
    for (int i = 0; i < BURST; i++) {
        assert_string_equal(dialers[i].handshake.detail, "");
        assert_false(dialers[i].handshake.resumed);
        hang_up(&dialers[i]);
    }
    host_deinit(&host);
    stage_deinit(&stage);
}

static void cancel_while_threads_work(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct stage stage;
        struct host host;
        struct dialer dialers[4];
        int done = 0;
        stage_init(&stage, NULL, MOOT_TLS_DEFAULT);
        host_init(&host, &stage);
        for (int i = 0; i < 4; i++) {
            dialers[i].done = &done;
            dial(&dialers[i], &stage, "localhost", i < 2 ? "key" : "");
        }
        test_loop_run_turns(&stage.test, turns);
        for (int i = 0; i < 4; i++) {
            bool began = dialers[i].handshake.internal || dialers[i].stream;
            moot__tls_handshake_cancel(&dialers[i].handshake);
            if (!began && dialers[i].handshake.status == MOOT_OK)
                moot__stream_abort(dialers[i].lower);
            hang_up(&dialers[i]);
        }
        host_deinit(&host);
        stage_deinit(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_is_verified),
        cmocka_unit_test(openssl_self_signed_is_refused),
        cmocka_unit_test(openssl_resumes),
        cmocka_unit_test(burst_on_threads),
        cmocka_unit_test(full_handshakes_in_parallel),
        cmocka_unit_test(cancel_while_threads_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
