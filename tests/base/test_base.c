/* The smallest pieces: views, buffers, arenas, lists, errors, state tables, random numbers. */
#include "tests/support/test.h"

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/list.h"
#include "engine/base/rng.h"
#include "engine/base/sm.h"

static void buf_stops_at_its_ceiling(void **state)
{
    (void)state;
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 8);
    assert_int_equal(moot__buf_append(&buf, "1234567", 7), MOOT_OK);
    assert_int_equal(moot__buf_append(&buf, "89", 2), MOOT_ELIMIT);
    assert_int_equal(buf.len, 7);
    assert_int_equal(moot__buf_append(&buf, "8", 1), MOOT_OK);
    moot__buf_consume(&buf, 6);
    assert_view(moot__buf_view(&buf), "78");
    moot__buf_deinit(&buf);
    moot__buf_deinit(&buf);
}

static void buf_writes_decimals(void **state)
{
    (void)state;
    struct moot_buf buf;
    moot__buf_init(&buf, NULL, 64);
    assert_int_equal(moot__buf_append_u64(&buf, 0), 0);
    assert_int_equal(moot__buf_append_u64(&buf, UINT64_MAX), 0);
    assert_view(moot__buf_view(&buf), "018446744073709551615");
    moot__buf_deinit(&buf);
}

static void arena_hands_out_until_its_ceiling(void **state)
{
    (void)state;
    struct moot_arena arena;
    moot__arena_init(&arena, NULL, 10000);
    struct moot_view copy;
    assert_true(moot__arena_copy(&arena, MOOT_VIEW("hello"), &copy));
    assert_string_equal(copy.ptr, "hello");
    assert_non_null(moot__arena_alloc(&arena, 9000));
    assert_null(moot__arena_alloc(&arena, 2000));
    moot__arena_reset(&arena);
    assert_non_null(moot__arena_alloc(&arena, 9000));
    moot__arena_deinit(&arena);
}

static void list_nodes_know_whether_they_are_linked(void **state)
{
    (void)state;
    struct moot_list head, a, b;
    moot__list_init(&head);
    moot__list_init(&a);
    moot__list_init(&b);
    moot__list_push_back(&head, &a);
    moot__list_push_front(&head, &b);
    assert_true(moot__list_is_linked(&a));
    assert_ptr_equal(moot__list_pop_front(&head), &b);
    moot__list_remove(&a);
    moot__list_remove(&a);
    assert_false(moot__list_is_linked(&a));
    assert_null(moot__list_pop_front(&head));
}

static void view_numbers_are_strict(void **state)
{
    (void)state;
    uint64_t u;
    double d;
    assert_true(moot__view_to_u64(MOOT_VIEW("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(moot__view_to_u64(MOOT_VIEW("18446744073709551616"), &u));
    assert_false(moot__view_to_u64(MOOT_VIEW("+1"), &u));
    assert_false(moot__view_to_u64(MOOT_VIEW(""), &u));
    assert_true(moot__view_to_double(MOOT_VIEW("-1.5e2"), &d));
    assert_true(d == -150.0);
    assert_false(moot__view_to_double(MOOT_VIEW("nan"), &d));
    assert_false(moot__view_to_double(MOOT_VIEW("1."), &d));
    assert_false(moot__view_to_double(MOOT_VIEW("0x10"), &d));
}

static void view_splits_and_trims(void **state)
{
    (void)state;
    struct moot_view rest = MOOT_VIEW("a,,b"), part;
    assert_true(moot__view_split(&rest, ',', &part));
    assert_view(part, "a");
    assert_true(moot__view_split(&rest, ',', &part));
    assert_view(part, "");
    assert_true(moot__view_split(&rest, ',', &part));
    assert_view(part, "b");
    assert_false(moot__view_split(&rest, ',', &part));
    assert_view(moot__view_trim(MOOT_VIEW(" \t x \r\n")), "x");
}

static void view_cut_keeps_whole_characters(void **state)
{
    (void)state;
    struct moot_view text = MOOT_VIEW("a\xC3\xA9\xF0\x9F\x98\x80z");
    static const size_t lens[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};
    for (size_t max = 0; max < moot__countof(lens); max++)
        assert_int_equal(moot__view_cut(text, max).len, lens[max]);
    assert_int_equal(moot__view_cut(MOOT_VIEW(""), 0).len, 0);
}

static void view_copy_cuts_between_characters(void **state)
{
    (void)state;
    char out[4];
    moot__view_copy(MOOT_VIEW("ab\xC3\xA9"), out, sizeof out);
    assert_string_equal(out, "ab");
    moot__view_copy(MOOT_VIEW("a\xC3\xA9z"), out, sizeof out);
    assert_string_equal(out, "a\xC3\xA9");
}

static void errors_have_names_texts_and_classes(void **state)
{
    (void)state;
    assert_string_equal(moot_error_name(MOOT_ETRUNCATED), "ETRUNCATED");
    assert_int_equal(moot_error_class(MOOT_ETRUNCATED), MOOT_CLASS_INCOMPLETE);
    assert_string_equal(moot_error_class_name(MOOT_CLASS_INCOMPLETE), "incomplete");
    assert_string_equal(moot_error_name(-9999), "EUNKNOWN");
    struct moot_error_info info;
    assert_int_equal(moot__fail_at(&info, MOOT_ECONFIG, 3, 7, "key '%s'", "x"), MOOT_ECONFIG);
    assert_int_equal(info.line, 3);
    assert_string_equal(info.message, "key 'x'");
}

static void random_numbers_repeat_from_their_seed(void **state)
{
    (void)state;
    struct moot_rng a, b;
    moot__rng_init(&a, 42);
    moot__rng_init(&b, 42);
    for (int i = 0; i < 1000; i++) {
        assert_true(moot__rng_next(&a) == moot__rng_next(&b));
        assert_true(moot__rng_below(&a, 7) < 7);
        moot__rng_below(&b, 7);
        double u = moot__rng_unit(&a);
        moot__rng_unit(&b);
        assert_true(u >= 0 && u < 1);
    }
}

static void count_moves(void *context, const struct moot_sm_state *from,
                        const struct moot_sm_state *to)
{
    (void)from, (void)to;
    ++*(int *)context;
}

static void state_tables_move_along_their_edges(void **state)
{
    (void)state;
    static const struct moot_sm_state states[] = {
        {"idle", MOOT_SM_TO(1)},
        {"busy", 0},
    };
    struct moot_sm sm;
    int moves = 0;
    moot__sm_init(&sm, states, 2, 0);
    sm.observe = count_moves;
    sm.context = &moves;
    moot__sm_move(&sm, 1);
    assert_string_equal(moot__sm_name(&sm), "busy");
    assert_int_equal(moves, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_stops_at_its_ceiling),
        cmocka_unit_test(buf_writes_decimals),
        cmocka_unit_test(arena_hands_out_until_its_ceiling),
        cmocka_unit_test(list_nodes_know_whether_they_are_linked),
        cmocka_unit_test(view_numbers_are_strict),
        cmocka_unit_test(view_splits_and_trims),
        cmocka_unit_test(view_cut_keeps_whole_characters),
        cmocka_unit_test(view_copy_cuts_between_characters),
        cmocka_unit_test(errors_have_names_texts_and_classes),
        cmocka_unit_test(random_numbers_repeat_from_their_seed),
        cmocka_unit_test(state_tables_move_along_their_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
