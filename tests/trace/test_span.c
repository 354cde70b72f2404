/* The catalogue is sound, and a span holds what was set. */
#include "tests/support/test.h"

#include "trace/span.h"

static void names_of_the_catalogue_are_distinct(void **state)
{
    (void)state;
    for (unsigned a = 0; a < MOOT_ATTRS; a++) {
        assert_true(moot__attr_infos[a].name[0] != '\0');
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(moot__attr_infos[a].name, moot__attr_infos[b].name);
    }
    for (unsigned a = 0; a < MOOT_SPAN_NAMES; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(moot__span_name_infos[a].name, moot__span_name_infos[b].name);
    assert_string_equal(moot__span_name_infos[MOOT_SPAN_CONVERSATION].name, "Audit Agent");
}

static void sets_follow_from_the_catalogue(void **state)
{
    (void)state;
    for (unsigned a = 0; a < MOOT_ATTRS; a++) {
        const struct moot_attr_info *info = &moot__attr_infos[a];
        bool text = info->type == MOOT_ATTR_TYPE_STR || info->type == MOOT_ATTR_TYPE_LIST;
        assert_int_equal(!!(moot__attrs_text & MOOT_ATTR_BIT(a)), text);
        assert_int_equal(!!(moot__attrs_content & MOOT_ATTR_BIT(a)),
                         info->privacy == MOOT_ATTR_CONTENT);
    }
    assert_true(moot__attrs_content & MOOT_ATTR_BIT(MOOT_ATTR_INPUTS));
    assert_true(moot__attrs_content & MOOT_ATTR_BIT(MOOT_ATTR_OUTPUTS));
}

static void ids_make_a_tree(void **state)
{
    (void)state;
    struct moot_rng rng;
    moot__rng_init(&rng, 1);
    struct moot_span_ids root, child;
    moot__span_ids_root(&root, &rng);
    assert_true(moot__span_is_root(&root));
    moot__span_ids_child(&child, &root, &rng);
    assert_false(moot__span_is_root(&child));
    assert_memory_equal(child.trace_id, root.trace_id, sizeof root.trace_id);
    assert_memory_equal(child.parent_id, root.span_id, sizeof root.span_id);
    assert_memory_not_equal(child.span_id, root.span_id, sizeof root.span_id);
    struct moot_span_ids grandchild = child;
    moot__span_ids_child(&grandchild, &grandchild, &rng);
    assert_memory_equal(grandchild.parent_id, child.span_id, sizeof child.span_id);
}

static void span_holds_what_was_set_last(void **state)
{
    (void)state;
    struct moot_span span;
    struct moot_span_ids ids = {.trace_id = {1}, .span_id = {2}};
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &ids, 1000);
    assert_int_equal(span.end_wall_ns, 1000);
    assert_false(moot__span_has(&span, MOOT_ATTR_ROLE));
    moot__span_set_str(&span, MOOT_ATTR_ROLE, "");
    moot__span_set_view(&span, MOOT_ATTR_ROLE, (struct moot_view){NULL, 0});
    moot__span_set_str(&span, MOOT_ATTR_ROLE, NULL);
    assert_false(moot__span_has(&span, MOOT_ATTR_ROLE));
    moot__span_set_str(&span, MOOT_ATTR_ROLE, "oracle");
    moot__span_set_str(&span, MOOT_ATTR_ROLE, "judge");
    assert_view(span.values[MOOT_ATTR_ROLE].text, "judge");
    moot__span_set_u64(&span, MOOT_ATTR_FIRST_TOKEN_NS, 7);
    moot__span_set_f64(&span, MOOT_ATTR_TEMPERATURE, 0.5);
    moot__span_set_bool(&span, MOOT_ATTR_STREAM, false);
    assert_true(moot__span_has(&span, MOOT_ATTR_STREAM));
    moot__span_end(&span, 900); /* the wall clock stepped back */
    assert_int_equal(span.end_wall_ns, 1000);
    moot__span_end(&span, 1100);
    assert_int_equal(span.end_wall_ns, 1100);
    assert_int_equal(span.status, MOOT_SPAN_OK);
}

static void failure_is_recorded_whole(void **state)
{
    (void)state;
    struct moot_span span;
    struct moot_span_ids ids = {.trace_id = {1}, .span_id = {2}};
    struct moot_error_info info = {.code = MOOT_ETHROTTLED,
                                   .phase = MOOT_PHASE_FIRST_BYTE,
                                   .http_status = 429,
                                   .possible_duplicate = true,
                                   .provider_code = "rate_limit_exceeded",
                                   .message = "slow down"};
    moot__span_begin(&span, MOOT_SPAN_RESPONSE, &ids, 1);
    moot__span_fail(&span, &info);
    assert_int_equal(span.status, MOOT_SPAN_ERROR);
    assert_view(span.values[MOOT_ATTR_ERROR_NAME].text, "ETHROTTLED");
    assert_view(span.values[MOOT_ATTR_ERROR_PHASE].text, "first_byte");
    assert_int_equal(span.values[MOOT_ATTR_HTTP_STATUS].u64, 429);
    assert_true(moot__span_has(&span, MOOT_ATTR_POSSIBLE_DUPLICATE));
    assert_view(span.values[MOOT_ATTR_PROVIDER_CODE].text, "rate_limit_exceeded");
    assert_view(span.values[MOOT_ATTR_STATUS_MESSAGE].text, "slow down");
}

static void failure_without_details_has_a_text(void **state)
{
    (void)state;
    struct moot_span span;
    struct moot_span_ids ids = {.trace_id = {1}, .span_id = {2}};
    struct moot_error_info info = {.code = MOOT_ECANCELED};
    moot__span_begin(&span, MOOT_SPAN_CONVERSATION, &ids, 1);
    moot__span_fail(&span, &info);
    assert_view(span.values[MOOT_ATTR_STATUS_MESSAGE].text, moot_error_text(MOOT_ECANCELED));
    assert_false(moot__span_has(&span, MOOT_ATTR_ERROR_PHASE));
    assert_false(moot__span_has(&span, MOOT_ATTR_HTTP_STATUS));
    assert_false(moot__span_has(&span, MOOT_ATTR_POSSIBLE_DUPLICATE));
    assert_false(moot__span_has(&span, MOOT_ATTR_PROVIDER_CODE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_the_catalogue_are_distinct),
        cmocka_unit_test(sets_follow_from_the_catalogue),
        cmocka_unit_test(ids_make_a_tree),
        cmocka_unit_test(span_holds_what_was_set_last),
        cmocka_unit_test(failure_is_recorded_whole),
        cmocka_unit_test(failure_without_details_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
