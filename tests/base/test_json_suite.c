/* The verdicts of JSONTestSuite, file by file: y_ is accepted, n_ rejected, i_ either. Each file is
 * then read again with every allocation failing in turn. */
#include "tests/support/test.h"

#include <dirent.h>
#include <stdio.h>

#include "engine/base/json_read.h"
#include "engine/base/json_write.h"
#include "tests/support/failing_alloc.h"

#define SUITE MOOT_TEST_DATA "/json_test_suite/test_parsing"

enum { SUITE_FILES = 318, FILE_BYTES_MAX = 300000, SWEPT_BYTES_MAX = 4096 };

static size_t load(const char *name, char *text)
{
    char path[512];
    snprintf(path, sizeof path, SUITE "/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, FILE_BYTES_MAX, file);
    fclose(file);
    return len;
}

static int read_with(const struct moot_allocator *allocator, struct moot_view text, bool rewrite)
{
    struct moot_arena arena;
    moot__arena_init(&arena, allocator, 1 << 24);
    const struct moot_json *root;
    struct moot_json_error error;
    int rc = moot__json_read(&arena, text, NULL, &root, &error);
    assert_int_equal(error.code, rc);
    assert_true((rc == MOOT_OK) == (root != NULL));
    assert_true(rc == MOOT_OK || (error.reason && error.offset <= text.len && error.line >= 1));
    if (root && rewrite) {
        struct moot_buf buf;
        moot__buf_init(&buf, allocator, 1 << 20);
        struct moot_json_writer w;
        moot__json_write_init(&w, &buf);
        moot__json_write_value(&w, root);
        assert_int_equal(moot__json_write_finish(&w), MOOT_OK);
        assert_int_equal(read_with(allocator, moot__buf_view(&buf), false), MOOT_OK);
        moot__buf_deinit(&buf);
    }
    moot__arena_deinit(&arena);
    return rc;
}

static void check_file(const char *name, struct moot_view text)
{
    int rc = read_with(NULL, text, true);
    if (name[0] == 'y' && rc != MOOT_OK)
        fail_msg("%s was rejected: %s", name, moot_error_name(rc));
    if (name[0] == 'n' && rc == MOOT_OK)
        fail_msg("%s was accepted", name);
    for (size_t nth = 1; text.len <= SWEPT_BYTES_MAX; nth++) {
        struct moot_failing_alloc memory;
        moot__failing_alloc_init(&memory, nth);
        int swept = read_with(&memory.allocator, text, false);
        assert_int_equal(moot__failing_alloc_live(&memory), 0);
        if (!moot__failing_alloc_failed(&memory)) {
            assert_int_equal(swept, rc);
            break;
        }
        assert_int_equal(swept, MOOT_ENOMEM);
    }
}

static void every_file_of_the_suite_gets_its_verdict(void **state)
{
    (void)state;
    DIR *folder = opendir(SUITE);
    assert_non_null(folder);
    char *text = test_malloc(FILE_BYTES_MAX);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        /* A copy of exactly that size, so that a sanitizer sees any read past the end. */
        size_t len = load(entry->d_name, text);
        char *exact = test_malloc(len ? len : 1);
        memcpy(exact, text, len);
        check_file(entry->d_name, moot__view(exact, len));
        test_free(exact);
        files++;
    }
    test_free(text);
    closedir(folder);
    assert_int_equal(files, SUITE_FILES);
}

int main(void)
{
    DIR *folder = opendir(SUITE);
    if (!folder) {
        printf("skipped: no " SUITE "\n");
        return 77;
    }
    closedir(folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_of_the_suite_gets_its_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
