#ifndef MOOT_TESTS_TRACE_SUPPORT_H
#define MOOT_TESTS_TRACE_SUPPORT_H

/* Random spans, and comparing two. */
#include "tests/support/test.h"

#include "engine/base/rng.h"
#include "trace/span.h"

/* A span of every second attribute or so; texts of up to `text_max` bytes are cut out of `filler`,
 * which is at least that long. */
static inline void random_span(struct moot_span *span, struct moot_rng *rng, const char *filler,
                               size_t text_max)
{
    struct moot_span_ids root, ids;
    moot__span_ids_root(&root, rng);
    moot__span_ids_child(&ids, &root, rng);
    moot__span_begin(span, (enum moot_span_name)moot__rng_below(rng, MOOT_SPAN_NAMES), &ids,
                     moot__rng_next(rng) >> 1);
    moot__span_end(span, span->start_wall_ns + moot__rng_below(rng, 1000000));
    span->status = (enum moot_span_status)moot__rng_below(rng, 2);
    span->set = moot__rng_next(rng) & ((UINT64_C(1) << MOOT_ATTRS) - 1);
    for (unsigned a = 0; a < MOOT_ATTRS; a++) {
        if (moot__attrs_text & MOOT_ATTR_BIT(a)) {
            size_t len = (size_t)moot__rng_below(rng, text_max + 1);
            size_t from = (size_t)moot__rng_below(rng, text_max - len + 1);
            span->values[a].text = moot__view(filler + from, len);
        } else {
            bool flag = moot__attr_infos[a].type == MOOT_ATTR_TYPE_BOOL;
            span->values[a].u64 = flag ? 1 : moot__rng_next(rng);
        }
    }
}

static inline void assert_spans_equal(const struct moot_span *a, const struct moot_span *b)
{
    assert_memory_equal(&a->ids, &b->ids, sizeof a->ids);
    assert_int_equal(a->name, b->name);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->start_wall_ns, b->start_wall_ns);
    assert_int_equal(a->end_wall_ns, b->end_wall_ns);
    assert_int_equal(a->set, b->set);
    for (unsigned i = 0; i < MOOT_ATTRS; i++) {
        if (!(a->set & MOOT_ATTR_BIT(i)))
            continue;
        if (moot__attrs_text & MOOT_ATTR_BIT(i))
            assert_true(moot__view_eq(a->values[i].text, b->values[i].text));
        else
            assert_int_equal(a->values[i].u64, b->values[i].u64);
    }
}

#endif
