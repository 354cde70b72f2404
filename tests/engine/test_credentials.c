/* References, loading, refreshing; and that no message holds a secret. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/credentials.h"

#define CANARY "sk-canary-4f1d"

static const char *get_variable(void *context, const char *name)
{
    const char *const *pairs = context; /* name, value, ..., NULL */
    for (; *pairs; pairs += 2) {
        if (strcmp(pairs[0], name) == 0)
            return pairs[1];
    }
    return NULL;
}

static const char *variables[] = {"KEY", CANARY, "EMPTY", " ", "TWO_LINES", CANARY "\nx", NULL};

static struct moot_credential_options options = {
    .environment = {get_variable, variables},
};

static void variables_are_read(void **state)
{
    (void)state;
    struct moot_credential credential, copy;
    struct moot_error_info info;
    assert_int_equal(
        moot__credential_init(&credential, NULL, MOOT_VIEW("env:KEY"), &options, &info), MOOT_OK);
    assert_view(moot__secret_expose(credential.secret), CANARY);
    assert_int_equal(moot__credential_copy(&copy, &credential), MOOT_OK);
    assert_true(moot__secret_eq(copy.secret, credential.secret));
    assert_int_equal(moot__credential_refresh(&credential, &info), MOOT_ENOTFOUND);
    assert_null(strstr(info.message, CANARY));
    variables[1] = "another";
    assert_int_equal(moot__credential_refresh(&credential, &info), MOOT_OK);
    variables[1] = CANARY;
    assert_view(moot__secret_expose(credential.secret), "another");
    assert_view(moot__secret_expose(copy.secret), CANARY);
    moot__credential_deinit(&copy);
    moot__credential_deinit(&credential);
    moot__credential_deinit(&credential);
}

static void bad_references_are_refused_without_quoting_them(void **state)
{
    (void)state;
    static const struct {
        const char *reference;
        int error;
        const char *says;
    } cases[] = {
        {CANARY, MOOT_ECONFIG, "env:NAME or file:PATH"},
        {"", MOOT_ECONFIG, "literal"},
        {"env:", MOOT_ECONFIG, "name of a variable"},
        {"env:" CANARY, MOOT_ECONFIG, "name of a variable"},
        {"env:1X", MOOT_ECONFIG, "name of a variable"},
        {"file:", MOOT_ECONFIG, "path"},
        {"exec:get-token", MOOT_ECONFIG, "not possible here"},
        {"env:ABSENT", MOOT_ECREDENTIAL, "variable ABSENT is not set"},
        {"env:EMPTY", MOOT_ECREDENTIAL, "variable EMPTY is empty"},
        {"env:TWO_LINES", MOOT_ECREDENTIAL, "several lines"},
        {"file:/nonexistent/key", MOOT_ECREDENTIAL, "does not exist"},
        {"file:/", MOOT_ECREDENTIAL, "cannot be read"},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        struct moot_credential credential;
        struct moot_error_info info = {0};
        int rc = moot__credential_init(&credential, NULL, moot__view_str(cases[i].reference),
                                       &options, &info);
        assert_int_equal(rc, cases[i].error);
        assert_int_equal(info.code, cases[i].error);
        assert_non_null(strstr(info.message, cases[i].says));
        assert_null(strstr(info.message, CANARY));
        assert_null(credential.secret);
    }
}

static void write_file(const char *path, const char *text, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void files_are_read_and_read_again(void **state)
{
    (void)state;
    char folder[] = "/tmp/moot-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    write_file(path, CANARY "\n", sizeof CANARY, 0600);
    options.folder = moot__view_str(folder);
    struct moot_credential credential;
    struct moot_error_info info;
    assert_int_equal(
        moot__credential_init(&credential, NULL, MOOT_VIEW("file:key"), &options, &info), MOOT_OK);
    assert_view(moot__secret_expose(credential.secret), CANARY);
    assert_false(credential.is_world_readable);
    assert_string_equal(credential.place, path);

    write_file(path, "fresh", 5, 0644);
    assert_int_equal(moot__credential_refresh(&credential, &info), MOOT_OK);
    assert_view(moot__secret_expose(credential.secret), "fresh");
    assert_true(credential.is_world_readable);

    static char large[MOOT_LIMIT_SECRET_BYTES + 2];
    memset(large, 'k', sizeof large);
    write_file(path, large, MOOT_LIMIT_SECRET_BYTES + 1, 0600);
    assert_int_equal(moot__credential_refresh(&credential, &info), MOOT_ECREDENTIAL);
    assert_view(moot__secret_expose(credential.secret), "fresh");
    write_file(path, large, MOOT_LIMIT_SECRET_BYTES, 0600);
    assert_int_equal(moot__credential_refresh(&credential, &info), MOOT_OK);
    assert_int_equal(moot__secret_expose(credential.secret).len, MOOT_LIMIT_SECRET_BYTES);
    moot__credential_deinit(&credential);
    options.folder = MOOT_VIEW("");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* An allocator that fails on demand and looks at everything that is freed. */
struct spy {
    int left;     /* allocations until the failure; -1: never */
    bool saw_key; /* freed memory still held the canary */
};

static void *spy_allocate(void *context, size_t size)
{
    struct spy *spy = context;
    if (spy->left == 0)
        return NULL;
    spy->left--;
    size_t *block = calloc(1, sizeof(size_t) * 2 + size);
    assert_non_null(block);
    block[0] = size;
    return block + 2;
}

static void spy_release(void *context, void *ptr)
{
    struct spy *spy = context;
    if (!ptr)
        return;
    size_t *block = (size_t *)ptr - 2;
    const char *bytes = ptr;
    for (size_t i = 0; i + sizeof CANARY - 1 <= block[0]; i++)
        spy->saw_key |= memcmp(bytes + i, CANARY, sizeof CANARY - 1) == 0;
    free(block);
}

static void *spy_reallocate(void *context, void *ptr, size_t size)
{
    void *fresh = spy_allocate(context, size);
    if (fresh && ptr) {
        size_t old = ((size_t *)ptr - 2)[0];
        memcpy(fresh, ptr, old < size ? old : size);
        spy_release(context, ptr);
    }
    return fresh;
}

static void secrets_are_wiped_and_memory_may_fail(void **state)
{
    (void)state;
    char path[] = "/tmp/moot-test-XXXXXX", reference[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    write_file(path, CANARY, sizeof CANARY - 1, 0600);
    snprintf(reference, sizeof reference, "file:%s", path);
    int rc = MOOT_ENOMEM;
    for (int n = 0; rc == MOOT_ENOMEM; n++) {
        assert_true(n < 20);
        struct spy spy = {.left = n};
        const struct moot_allocator allocator = {spy_allocate, spy_reallocate, spy_release, &spy};
        struct moot_credential credential;
        struct moot_error_info info;
        rc = moot__credential_init(&credential, &allocator, moot__view_str(reference), &options,
                                   &info);
        if (rc == MOOT_OK)
            moot__credential_deinit(&credential);
        assert_false(spy.saw_key);
    }
    assert_int_equal(rc, MOOT_OK);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_read),
        cmocka_unit_test(bad_references_are_refused_without_quoting_them),
        cmocka_unit_test(files_are_read_and_read_again),
        cmocka_unit_test(secrets_are_wiped_and_memory_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
