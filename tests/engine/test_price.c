/* What tokens cost: each part of the input at its own price, and never less than nothing. */
#include "engine/price.h"

#include "tests/support/test.h"

static const struct moot_price price = {
    .input = 3, .cached_input = 0.25, .cache_write = 4, .output = 15};

static void assert_near(double value, double expected)
{
    assert_true(value > expected - 1e-9 && value < expected + 1e-9);
}

static void every_part_has_its_price(void **state)
{
    (void)state;
    const struct moot_usage usage = {
        .input_tokens = 1000000,
        .cached_tokens = 400000,
        .cache_written_tokens = 200000,
        .output_tokens = 100000,
        .reasoning_tokens = 50000, /* of the output, and priced with it */
    };
    assert_near(moot__price_of(&price, &usage), 0.4 * 3 + 0.4 * 0.25 + 0.2 * 4 + 0.1 * 15);
}

static void parts_beyond_the_whole_cost_nothing(void **state)
{
    (void)state;
    const struct moot_usage usage = {
        .input_tokens = 1000000, .cached_tokens = 700000, .cache_written_tokens = 700000};
    assert_near(moot__price_of(&price, &usage), 0.7 * 0.25 + 0.3 * 4);
}

static void the_most_takes_the_dearest_input(void **state)
{
    (void)state;
    const struct moot_price plain = {
        .input = 3, .cached_input = 0.25, .cache_write = 3, .output = 15};
    assert_near(moot__price_at_most(&price, 1000000, 0), 4);
    assert_near(moot__price_at_most(&plain, 1000000, 1000000), 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_has_its_price),
        cmocka_unit_test(parts_beyond_the_whole_cost_nothing),
        cmocka_unit_test(the_most_takes_the_dearest_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
