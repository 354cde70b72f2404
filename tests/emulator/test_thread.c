/* The emulator on its own thread, met by a client that nobody here wrote: curl, where there is one.
 */
#include "bench/emulator/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

/* Run curl; its output in `out`. Its exit code, or 127 when there is no curl. */
static int curl(const char *const *arguments, char *out, size_t size)
{
    int pipe_fds[2], status;
    size_t len = 0;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipe_fds[1], STDOUT_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        execvp("curl", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(pipe_fds[1]);
    for (ssize_t got; (got = read(pipe_fds[0], out + len, size - 1 - len)) > 0;)
        len += (size_t)got;
    out[len] = '\0';
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static struct moot_emulator_thread *start(bool tls, const struct moot_emulator_options *emulator)
{
    struct moot_emulator_thread_options options = {
        .size = sizeof options, .emulator = emulator, .tls = tls};
    struct moot_emulator_thread *provider;
    struct moot_error_info info;
    int rc = moot_emulator_thread_start(&options, &provider, &info);
    if (rc)
        fail_msg("%s", info.message);
    return provider;
}

static void it_starts_and_stops(void **state)
{
    (void)state;
    struct moot_emulator_ledger ledger;
    struct moot_emulator_thread *provider = start(false, NULL);
    assert_has(moot_emulator_thread_url(provider), "http://127.0.0.1:");
    assert_null(moot_emulator_thread_ca_pem(provider));
    moot_emulator_thread_ledger(provider, &ledger);
    assert_int_equal(ledger.connections, 0);
    moot_emulator_thread_stop(provider);
    moot_emulator_thread_stop(NULL);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    struct moot_emulator_thread *provider;
    struct moot_emulator_options emulator = moot_emulator_options_default();
    struct moot_emulator_thread_options options = {.size = 1};
    assert_int_equal(moot_emulator_thread_start(&options, &provider, NULL), MOOT_EINVAL);
    emulator.reply_tokens_min = 9;
    emulator.reply_tokens_max = 8;
    options = (struct moot_emulator_thread_options){.size = sizeof options, .emulator = &emulator};
    assert_int_equal(moot_emulator_thread_start(&options, &provider, NULL), MOOT_EINVAL);
    assert_null(provider);
}

static void curl_is_answered(void **state)
{
    (void)state;
    static char out[1 << 16];
    struct moot_emulator_ledger ledger;
    char url[128];
    struct moot_emulator_thread *provider = start(false, NULL);
    snprintf(url, sizeof url, "%s" CHAT, moot_emulator_thread_url(provider));
    const char *const arguments[] = {"curl", "-sS", "--max-time", "20", "--noproxy",
                                     "*",    "-d",  HELLO_STREAM, url,  NULL};
    int rc = curl(arguments, out, sizeof out);
    if (rc != 127) {
        assert_int_equal(rc, 0);
        assert_has(out, "\"content\":\" def\"");
        assert_has(out, "data: [DONE]\n\n");
        moot_emulator_thread_ledger(provider, &ledger);
        assert_int_equal(ledger.answered, 1);
        assert_int_equal(ledger.tokens_out, 5);
    }
    moot_emulator_thread_stop(provider);
    if (rc == 127)
        skip();
}

static void curl_trusts_the_minted_authority(void **state)
{
    (void)state;
    static char out[1 << 16];
    char url[128], ca[] = "/tmp/moot-ca-XXXXXX";
    struct moot_emulator_thread *provider = start(true, NULL);
    const char *pem = moot_emulator_thread_ca_pem(provider);
    assert_non_null(pem);
    int fd = mkstemp(ca);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pem, strlen(pem)), strlen(pem));
    close(fd);
    snprintf(url, sizeof url, "%s" CHAT, moot_emulator_thread_url(provider));
    const char *const trusting[] = {"curl",     "-sS", "--max-time", "20",  "--noproxy", "*",
                                    "--cacert", ca,    "-d",         HELLO, url,         NULL};
    const char *const distrusting[] = {"curl", "-s", "--max-time", "20", "--noproxy",
                                       "*",    "-d", HELLO,        url,  NULL};
    int rc = curl(trusting, out, sizeof out);
    if (rc != 127) {
        assert_int_equal(rc, 0);
        assert_has(out, "m heard: a bc def");
        assert_int_equal(curl(distrusting, out, sizeof out), 60);
    }
    unlink(ca);
    moot_emulator_thread_stop(provider);
    if (rc == 127)
        skip();
}

static void curl_sees_the_faults(void **state)
{
    (void)state;
    static const struct {
        enum moot_emulator_fault fault;
        int exit_code; /* curl's: 18 partial, 52 empty reply, 56 receive failure, 8 weird reply */
    } rows[] = {
        {MOOT_EMULATOR_FAULT_SHORT_BODY, 18},    {MOOT_EMULATOR_FAULT_CLOSE_STATUS, 52},
        {MOOT_EMULATOR_FAULT_NO_LAST_CHUNK, 18}, {MOOT_EMULATOR_FAULT_RESET_BODY, 56},
        {MOOT_EMULATOR_FAULT_BAD_CHUNK, 56},     {MOOT_EMULATOR_FAULT_429, 0},
        {MOOT_EMULATOR_FAULT_SPLIT, 0},
    };
    static char out[1 << 16];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char url[128];
        struct moot_emulator_rule rule = {.fault = rows[i].fault, .rate = 1};
        struct moot_emulator_options options = moot_emulator_options_default();
        options.rules = &rule;
        options.rule_count = 1;
        struct moot_emulator_thread *provider = start(false, &options);
        snprintf(url, sizeof url, "%s" CHAT, moot_emulator_thread_url(provider));
        const char *const arguments[] = {"curl", "-s", "--max-time", "20", "--noproxy",
                                         "*",    "-d", HELLO,        url,  NULL};
        int rc = curl(arguments, out, sizeof out);
        moot_emulator_thread_stop(provider);
        if (rc == 127)
            skip();
        if (rc != rows[i].exit_code)
            fail_msg("%s: curl ended with %d", moot_emulator_fault_info(rows[i].fault)->name, rc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_and_stops),  cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(curl_is_answered),     cmocka_unit_test(curl_trusts_the_minted_authority),
        cmocka_unit_test(curl_sees_the_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
