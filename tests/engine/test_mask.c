/* What a provider says back about our credential. */
#include "engine/mask.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"

#define SECRET "sk-live/0123456789+abcdef"

static void every_spelling_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *text, *masked;
    } cases[] = {
        {"", ""},
        {"nothing here", "nothing here"},
        {SECRET, "[secret]"},
        {"key " SECRET " and " SECRET ".", "key [secret] and [secret]."},
        {"Bearer%20sk-live%2F0123456789%2Babcdef&x", "Bearer%20[secret]&x"},
        {"sk-live%2f0123456789%2babcdef", "[secret]"},
        {"{\\\"k\\\":\\\"sk-live\\/0123456789+abcdef\\\"}", "{\\\"k\\\":\\\"[secret]\\\"}"},
        /* base64 of the secret, of "a:" and it, of "ab:" and it */
        {"<c2stbGl2ZS8wMTIzNDU2Nzg5K2FiY2RlZg==>", "<[secret]g==>"},
        {"YTpzay1saXZlLzAxMjM0NTY3ODkrYWJjZGVm", "YTp[secret]"},
        {"YWI6c2stbGl2ZS8wMTIzNDU2Nzg5K2FiY2RlZg==", "YWI6[secret]g=="},
        {"cut: sk-live/0", "cut: [secret]"},
        {"part: sk-live/01234567...", "part: [secret]..."},
        {"hint: sk-live...", "hint: sk-live..."},
    };
    for (size_t i = 0; i < moot__countof(cases); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s", cases[i].text);
        moot__mask_secret(text, sizeof text, MOOT_VIEW(SECRET));
        assert_string_equal(text, cases[i].masked);
    }
}

static void a_text_that_grows_is_cut(void **state)
{
    (void)state;
    char text[20];
    snprintf(text, sizeof text, "abcd abcd abcd end");
    moot__mask_secret(text, sizeof text, MOOT_VIEW("abcd"));
    assert_string_equal(text, "[secret] [secret] [");
}

static void what_is_no_secret_is_left(void **state)
{
    (void)state;
    char text[64] = "a model of models";
    moot__mask_secret(text, sizeof text, MOOT_VIEW(""));
    moot__mask_secret(text, sizeof text, MOOT_VIEW("mod"));
    assert_string_equal(text, "a model of models");
}

static void secrets_longer_than_any_text(void **state)
{
    (void)state;
    char secret[2000], text[512];
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (char)('a' + i * i % 23);
    snprintf(text, sizeof text, "x %.*s", 509, secret);
    moot__mask_secret(text, sizeof text, moot__view(secret, sizeof secret));
    assert_string_equal(text, "x [secret]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_is_found),
        cmocka_unit_test(a_text_that_grows_is_cut),
        cmocka_unit_test(what_is_no_secret_is_left),
        cmocka_unit_test(secrets_longer_than_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
