/* The texts of the command line, and the table of faults. */
#include "bench/emulator/options.h"
#include "engine/base/clock.h"
#include "engine/base/view.h"
#include "tests/support/test.h"

static int parse(const char *text, struct moot_emulator_rule *rule)
{
    struct moot_error_info info;
    int rc = moot_emulator_rule_parse(moot__view_str(text), rule, &info);
    if (rc)
        assert_true(strlen(info.message) > 10);
    return rc;
}

static void rules_say_when_and_how(void **state)
{
    (void)state;
    struct moot_emulator_rule rule;
    assert_int_equal(parse("429:30%:hint=ms/250ms", &rule), MOOT_OK);
    assert_int_equal(rule.fault, MOOT_EMULATOR_FAULT_429);
    assert_true(rule.rate > 0.2999 && rule.rate < 0.3001);
    assert_true(rule.has_hint);
    assert_int_equal(rule.hint, MOOT_EMULATOR_HINT_MS);
    assert_int_equal(rule.hint_ns, 250 * MOOT_NS_PER_MS);

    assert_int_equal(parse("reset-mid-body:1%:after=5", &rule), MOOT_OK);
    assert_int_equal(rule.fault, MOOT_EMULATOR_FAULT_RESET_BODY);
    assert_true(rule.has_after);
    assert_int_equal(rule.after, 5);

    assert_int_equal(parse("500:#3-5", &rule), MOOT_OK);
    assert_int_equal(rule.first, 3);
    assert_int_equal(rule.last, 5);
    assert_true(rule.rate == 0);

    assert_int_equal(parse("bad-json:~scones", &rule), MOOT_OK);
    assert_string_equal(rule.match, "scones");

    assert_int_equal(parse("html", &rule), MOOT_OK);
    assert_true(rule.rate == 1);
}

static void wrong_rules_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "none",
                                        "no-such-fault",
                                        "429:",
                                        "429:30",
                                        "429:101%",
                                        "429:-1%",
                                        "429:#0",
                                        "429:#5-3",
                                        "429:#x",
                                        "429:~",
                                        "429:30%:hint=maybe",
                                        "429:1%:x",
                                        "429:nan%",
                                        "429:%",
                                        "429:1%:after=x",
                                        "429:1%:hint=ms/soon"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct moot_emulator_rule rule = {.after = 77};
        assert_int_equal(parse(wrong[i], &rule), MOOT_EINVAL);
        assert_int_equal(rule.after, 77);
    }
}

static void quotas_ranges_and_durations_are_read(void **state)
{
    (void)state;
    struct moot_emulator_quota quota;
    uint64_t a, b;
    assert_int_equal(
        moot_emulator_quota_parse(
            MOOT_VIEW("rpm=600,tpm=80k,itpm=1.5m,concurrency=4,window=fixed,every=10s"), &quota,
            NULL),
        MOOT_OK);
    assert_int_equal(quota.rpm, 600);
    assert_int_equal(quota.tpm, 80000);
    assert_int_equal(quota.itpm, 1500000);
    assert_int_equal(quota.otpm, 0);
    assert_int_equal(quota.concurrency, 4);
    assert_int_equal(quota.window, MOOT_EMULATOR_FIXED);
    assert_int_equal(quota.window_ns, 10 * MOOT_NS_PER_S);
    assert_int_equal(moot_emulator_quota_parse(MOOT_VIEW("rpm"), &quota, NULL), MOOT_EINVAL);
    assert_int_equal(moot_emulator_quota_parse(MOOT_VIEW(""), &quota, NULL), MOOT_EINVAL);
    assert_int_equal(moot_emulator_quota_parse(MOOT_VIEW("rpm=-1"), &quota, NULL), MOOT_EINVAL);
    assert_int_equal(moot_emulator_range_parse(MOOT_VIEW("50-200"), &a, &b, NULL), MOOT_OK);
    assert_int_equal(a, 50);
    assert_int_equal(b, 200);
    assert_int_equal(moot_emulator_range_parse(MOOT_VIEW("200-50"), &a, &b, NULL), MOOT_EINVAL);
    assert_int_equal(moot_emulator_duration_parse(MOOT_VIEW("1.5s"), &a, NULL), MOOT_OK);
    assert_int_equal(a, 1500 * MOOT_NS_PER_MS);
    assert_int_equal(moot_emulator_duration_parse(MOOT_VIEW("800us"), &a, NULL), MOOT_OK);
    assert_int_equal(a, 800 * MOOT_NS_PER_US);
    assert_int_equal(moot_emulator_duration_parse(MOOT_VIEW("5"), &a, NULL), MOOT_EINVAL);
    enum moot_emulator_answer answer;
    assert_int_equal(moot_emulator_answer_parse(MOOT_VIEW("golden"), &answer, NULL), MOOT_OK);
    assert_int_equal(answer, MOOT_EMULATOR_GOLDEN);
    assert_int_equal(moot_emulator_answer_parse(MOOT_VIEW("gold"), &answer, NULL), MOOT_EINVAL);
}

static void every_fault_has_its_own_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MOOT_EMULATOR_FAULTS; i++) {
        const struct moot_emulator_fault_info *a =
            moot_emulator_fault_info((enum moot_emulator_fault)i);
        assert_true(strlen(a->what) > 5);
        assert_int_equal(a->status != 0, a->act == MOOT_EMULATOR_ACT_STATUS);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(a->name,
                                    moot_emulator_fault_info((enum moot_emulator_fault)k)->name);
        struct moot_emulator_rule rule;
        if (i)
            assert_int_equal(parse(a->name, &rule), MOOT_OK);
    }
}

static void contradicting_options_are_refused(void **state)
{
    (void)state;
    struct moot_emulator *emulator;
    struct moot_emulator_options options = moot_emulator_options_default();
    options.size = 1;
    assert_int_equal(moot_emulator_new(&options, NULL, &emulator), MOOT_EINVAL);
    options = moot_emulator_options_default();
    options.reply_tokens_min = 5;
    options.reply_tokens_max = 4;
    assert_int_equal(moot_emulator_new(&options, NULL, &emulator), MOOT_EINVAL);
    struct moot_emulator_rule early = {.fault = MOOT_EMULATOR_FAULT_RESET_ACCEPT, .match = "x"};
    options = moot_emulator_options_default();
    options.rules = &early;
    options.rule_count = 1;
    assert_int_equal(moot_emulator_new(&options, NULL, &emulator), MOOT_EINVAL);
    assert_null(emulator);
    assert_int_equal(moot_emulator_new(NULL, NULL, &emulator), MOOT_OK);
    moot_emulator_free(emulator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_say_when_and_how),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(quotas_ranges_and_durations_are_read),
        cmocka_unit_test(every_fault_has_its_own_name),
        cmocka_unit_test(contradicting_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
