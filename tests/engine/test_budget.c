/* Quotas of the caller's over the plan's, and the plan's batch section as options. */
#include "engine/budget.h"

#include <moot/batch.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/limiter.h"
#include "tests/support/failing_alloc.h"
#include "tests/support/test.h"

static const char config[] = "models:\n"
                             "  oracle: {endpoint: o, provider: a}\n"
                             "  judge: {endpoint: j, provider: b}\n"
                             "providers:\n"
                             "  a: {type: databricks, base_url: 'http://127.0.0.1:9',\n"
                             "      requests_per_minute: 600}\n"
                             "  b: {type: databricks, base_url: 'http://127.0.0.1:9',\n"
                             "      requests_per_minute: 600}\n"
                             "batch: {row_timeout: 5s, concurrency: 7, loops: 2, max_errors: 5%,\n"
                             "        max_cost: 1.5, stream: true}\n";

static struct moot_plan *load_text(const char *text)
{
    struct moot_plan_options options = {.size = sizeof options, .path = "test.yaml"};
    options.text = moot__view_str(text);
    struct moot_plan *plan;
    struct moot_error_info info = {0};
    if (moot_plan_load(&options, &plan, &info) != MOOT_OK)
        fail_msg("%s", info.message);
    return plan;
}

static struct moot_plan *load(void)
{
    return load_text(config);
}

static uint64_t requests_of(struct moot_budget *budget, unsigned provider)
{
    return moot__budget_limiter(budget, provider)->given_milli[MOOT_METER_REQUESTS];
}

static int with(const struct moot_allocator *allocator, struct moot_plan *plan,
                const struct moot_quota *quotas, size_t count, struct moot_budget **out)
{
    const struct moot_budget_options options = {sizeof options, quotas, count};
    return moot_budget_new_with(allocator, plan, &options, out, NULL);
}

static void a_quota_stands_over_the_plans(void **state)
{
    (void)state;
    struct moot_plan *plan = load();
    struct moot_budget *plain, *laid;
    struct moot_quota quota = {.provider = MOOT_VIEW("b"), .requests_per_minute = 1200};
    assert_int_equal(moot_budget_new(NULL, plan, &plain), MOOT_OK);
    assert_int_equal(with(NULL, plan, &quota, 1, &laid), MOOT_OK);
    assert_true(requests_of(plain, 1) > 0);
    assert_int_equal(requests_of(laid, 0), requests_of(plain, 0));
    assert_int_equal(requests_of(laid, 1), 2 * requests_of(plain, 1));
    moot_budget_unref(laid);

    quota.requests_per_minute = 0; /* leaves the plan's */
    assert_int_equal(with(NULL, plan, &quota, 1, &laid), MOOT_OK);
    assert_int_equal(requests_of(laid, 1), requests_of(plain, 1));
    moot_budget_unref(laid);
    moot_budget_unref(plain);
    moot_plan_unref(plan);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct moot_plan *plan = load();
    struct moot_budget *budget;
    struct moot_quota quotas[65] = {{.provider = MOOT_VIEW("c"), .requests_per_minute = 1}};
    assert_int_equal(with(NULL, plan, quotas, 1, &budget), MOOT_ENOTFOUND);
    assert_null(budget);
    for (size_t i = 0; i < 65; i++)
        quotas[i].provider = MOOT_VIEW("a");
    assert_int_equal(with(NULL, plan, quotas, 65, &budget), MOOT_ELIMIT);
    assert_null(budget);
    assert_int_equal(with(NULL, plan, quotas, 64, &budget), MOOT_OK);
    moot_budget_unref(budget);
    struct moot_failing_alloc memory;
    moot__failing_alloc_init(&memory, 1);
    assert_int_equal(with(&memory.allocator, plan, quotas, 1, &budget), MOOT_ENOMEM);
    assert_int_equal(moot__failing_alloc_live(&memory), 0);
    moot_plan_unref(plan);
}

static void providers_that_name_one_file_spend_together(void **state)
{
    (void)state;
    static const char shared[] = "models: {oracle: {endpoint: o, provider: a},\n"
                                 "         judge: {endpoint: j, provider: b}}\n"
                                 "providers:\n"
                                 "  a: {type: databricks, base_url: 'http://127.0.0.1:9',\n"
                                 "      requests_per_minute: 600, share: test-budget-quota}\n"
                                 "  b: {type: databricks, base_url: 'http://127.0.0.1:9',\n"
                                 "      requests_per_minute: 600, share: test-budget-quota}\n";
    struct moot_plan *plan = load_text(shared);
    struct moot_budget *budget, *other;
    struct moot_error_info info = {0};
    moot__ignore(unlink("test-budget-quota"));
    assert_int_equal(moot_budget_new_with(NULL, plan, NULL, &budget, &info), MOOT_OK);
    assert_ptr_not_equal(moot__budget_limiter(budget, 0)->meters,
                         moot__budget_limiter(budget, 1)->meters);
    atomic_store(&moot__budget_limiter(budget, 0)->meters->arrival_ns[0], 77);
    assert_int_equal(moot__budget_limiter(budget, 1)->meters->arrival_ns[0], 77);

    struct moot_quota quota = {.provider = MOOT_VIEW("b"), .requests_per_minute = 1200};
    const struct moot_budget_options options = {sizeof options, &quota, 1};
    assert_int_equal(moot_budget_new_with(NULL, plan, &options, &other, &info), MOOT_ECONFIG);
    assert_null(other);
    assert_non_null(strstr(info.message, "test-budget-quota is in use with another quota"));
    moot_budget_unref(budget);
    assert_int_equal(unlink("test-budget-quota"), 0);
    moot_plan_unref(plan);
}

static void the_batch_section_becomes_options(void **state)
{
    (void)state;
    struct moot_plan *plan = load();
    struct moot_batch_options options;
    moot_batch_options_init(&options, plan);
    assert_int_equal(options.size, sizeof options);
    assert_ptr_equal(options.plan, plan);
    assert_int_equal(options.row_timeout_ns, UINT64_C(5000000000));
    assert_int_equal(options.concurrency, 7);
    assert_int_equal(options.loops, 2);
    assert_false(options.has_errors_max);
    assert_true(options.errors_percent_max > 4.9 && options.errors_percent_max < 5.1);
    assert_true(options.cost_max > 1.4 && options.cost_max < 1.6);
    assert_true(options.stream);
    assert_null(options.input_path);
    moot_plan_unref(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_stands_over_the_plans),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(providers_that_name_one_file_spend_together),
        cmocka_unit_test(the_batch_section_becomes_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
