/* RFC 4648, section 10, both ways; and what is no base64. */
#include "tests/support/test.h"

#include "engine/base/base64.h"
#include "engine/base/check.h"

static void both_ways(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xef\xbe", "/+++"}};
    for (size_t i = 0; i < moot__countof(pairs); i++) {
        struct moot_buf out;
        moot__buf_init(&out, NULL, 64);
        assert_int_equal(moot__base64_encode(&out, moot__view_str(pairs[i][0])), MOOT_OK);
        assert_view(moot__buf_view(&out), pairs[i][1]);
        moot__buf_reset(&out);
        assert_int_equal(moot__base64_decode(&out, moot__view_str(pairs[i][1])), MOOT_OK);
        assert_view(moot__buf_view(&out), pairs[i][0]);
        moot__buf_deinit(&out);
    }
}

static void what_is_none_adds_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zm9v\n", "Zm-_"};
    for (size_t i = 0; i < moot__countof(wrong); i++) {
        struct moot_buf out;
        moot__buf_init(&out, NULL, 64);
        assert_int_equal(moot__buf_append_str(&out, "x"), MOOT_OK);
        assert_int_equal(moot__base64_decode(&out, moot__view_str(wrong[i])), MOOT_EINVAL);
        assert_view(moot__buf_view(&out), "x");
        moot__buf_deinit(&out);
    }
}

static void ceilings_hold(void **state)
{
    (void)state;
    struct moot_buf out;
    moot__buf_init(&out, NULL, 4);
    assert_int_equal(moot__base64_encode(&out, MOOT_VIEW("four")), MOOT_ELIMIT);
    assert_int_equal(out.len, 0);
    assert_int_equal(moot__base64_decode(&out, MOOT_VIEW("Zm9vYmFy")), MOOT_ELIMIT);
    assert_int_equal(out.len, 0);
    assert_int_equal(moot__base64_encode(&out, MOOT_VIEW("foo")), MOOT_OK);
    moot__buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(what_is_none_adds_nothing),
        cmocka_unit_test(ceilings_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
