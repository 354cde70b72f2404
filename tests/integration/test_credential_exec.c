/* Credential processes, real ones. */
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "world.h"

#define KEY "key-0123456789"

static void open_world(struct world *world, const char *command)
{
    static char quoted[512];
    struct world_options options = world_options();
    snprintf(quoted, sizeof quoted, "\"exec:%s\"", command);
    options.api_key = quoted;
    options.emulator.api_key = KEY;
    world_init(world, &options);
}

static void processes_that_give_a_credential(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "echo " KEY,
        "/bin/echo " KEY,
        "printf '{\\\"access_token\\\":\\\"%s\\\",\\\"expires_in\\\":600}' " KEY,
        "printf "
        "'{\\\"kind\\\":\\\"ExecCredential\\\",\\\"status\\\":{\\\"token\\\":\\\"%s\\\"}}' " KEY,
        /* Our environment is theirs; they complain to nobody, and read nothing. */
        "sh -c 'test -n \\\"$PATH\\\" && echo complaint >&2 && cat && echo " KEY "'",
        /* What they leave behind does not hold anybody up. */
        "sh -c 'sleep 1000 >/dev/null & echo " KEY "'",
    };
    for (size_t i = 0; i < moot__countof(commands); i++) {
        struct world world;
        struct talk talk = {0};
        open_world(&world, commands[i]);
        assert_int_equal(talk_begin(&world, &talk, "Why?", false), MOOT_OK);
        talk_run(&world, &talk);
        assert_string_equal(talk.error.message, "");
        assert_int_equal(talk.error.code, MOOT_OK);
        world_deinit(&world);
    }
}

static void processes_that_do_not(void **state)
{
    (void)state;
    static const struct {
        const char *command, *says;
    } cases[] = {
        {"/nonexistent/get-token", "/nonexistent/get-token could not be started"},
        {"true", "gave nothing"},
        {"yes " KEY, "printed more than a credential"},
        {"sh -c 'echo " KEY "; exit 3'", "the process sh failed (3)"},
        {"echo '{}'", "no credential is"},
        {"printf '{\\\"AccessKeyId\\\":\\\"a\\\",\\\"SecretAccessKey\\\":\\\"" KEY "\\\"}'",
         "no region"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct world world;
        struct talk talk = {0};
        open_world(&world, cases[i].command);
        assert_int_equal(talk_begin(&world, &talk, "Why?", false), MOOT_OK);
        talk_run(&world, &talk);
        assert_int_equal(talk.error.code, MOOT_ECREDENTIAL);
        assert_int_equal(talk.error.phase, MOOT_PHASE_CREDENTIAL);
        assert_non_null(strstr(talk.error.message, cases[i].says));
        assert_null(strstr(talk.error.message, KEY));
        world_deinit(&world);
    }
}

static void one_that_hangs_ends_with_its_engine(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "sleep 1000",
        "sh -c 'sleep 1000; true'",            /* holds our end of the pipe in a child of its own */
        "sh -c 'exec >/dev/null; sleep 1000'", /* and one that has let go of it */
    };
    for (size_t i = 0; i < moot__countof(commands); i++) {
        struct world world;
        struct talk talk = {0};
        open_world(&world, commands[i]);
        assert_int_equal(talk_begin(&world, &talk, "Why?", false), MOOT_OK);
        test_loop_run_turns(&world.loop, 20);
        assert_int_equal(talk.done, 0);
        world_close_engine(&world);
        world_deinit(&world);
        assert_int_equal(talk.done, 1);
        assert_int_equal(talk.error.code, MOOT_ECANCELED);
    }
}

/* The host reaps all children, or none at all: only the exit status is not known then. */
static void a_host_may_ignore_its_children(void **state)
{
    (void)state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
    struct world world;
    struct talk talk = {0};
    open_world(&world, "echo " KEY);
    assert_int_equal(talk_begin(&world, &talk, "Why?", false), MOOT_OK);
    talk_run(&world, &talk);
    assert_int_equal(talk.error.code, MOOT_OK);
    world_deinit(&world);
    struct sigaction after;
    assert_int_equal(sigaction(SIGCHLD, &before, &after), 0);
    assert_true(after.sa_handler == SIG_IGN); /* which is the host's own affair */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_that_give_a_credential),
        cmocka_unit_test(processes_that_do_not),
        cmocka_unit_test(one_that_hangs_ends_with_its_engine),
        cmocka_unit_test(a_host_may_ignore_its_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
