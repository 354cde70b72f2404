/* The ring on one thread: order, wrap-around, full, cut and private texts, no memory. */
#include "support.h"

#include "engine/base/limits.h"
#include "tests/support/failing_alloc.h"
#include "trace/record.h"
#include "trace/ring.h"

static const struct moot_span_ids some_ids = {.trace_id = {1}, .span_id = {2}};

static void number_span(struct moot_span *span, uint64_t number)
{
    moot__span_begin(span, MOOT_SPAN_AGENT_CALL, &some_ids, number);
    moot__span_set_u64(span, MOOT_ATTR_ATTEMPTS, number);
}

static void small_ring(struct moot_ring *ring)
{
    const struct moot_ring_options options = {.bytes = 4096};
    assert_int_equal(moot__ring_init(ring, NULL, &options), MOOT_OK);
}

static void empty_ring_gives_nothing(void **state)
{
    (void)state;
    struct moot_ring ring;
    struct moot_span span;
    small_ring(&ring);
    assert_false(moot__ring_read(&ring, &span));
    moot__ring_release(&ring);
    assert_int_equal(moot__ring_pending(&ring), 0);
    moot__ring_deinit(&ring);
    moot__ring_deinit(&ring);
}

static void capacity_is_a_bounded_power_of_two(void **state)
{
    (void)state;
    static const struct {
        size_t bytes, capacity, record_max;
    } rows[] = {
        {0, MOOT_LIMIT_TRACE_RING_BYTES, MOOT_LIMIT_SPAN_BYTES},
        {1, 2 * MOOT_RECORD_MAX_MIN, MOOT_RECORD_MAX_MIN},
        {4096, 4096, 2048},
        {4097, 8192, 4096},
        {1 << 20, 1 << 20, MOOT_LIMIT_SPAN_BYTES},
        {SIZE_MAX, MOOT_LIMIT_TRACE_RING_BYTES, MOOT_LIMIT_SPAN_BYTES},
    };
    for (size_t i = 0; i < moot__countof(rows); i++) {
        struct moot_ring ring;
        const struct moot_ring_options options = {.bytes = rows[i].bytes};
        assert_int_equal(moot__ring_init(&ring, NULL, &options), MOOT_OK);
        assert_int_equal(ring.capacity, rows[i].capacity);
        assert_int_equal(ring.record_max, rows[i].record_max);
        moot__ring_deinit(&ring);
    }
}

static void full_ring_drops_counts_and_recovers(void **state)
{
    (void)state;
    struct moot_ring ring;
    struct moot_span span;
    small_ring(&ring);
    uint64_t taken = 0;
    for (number_span(&span, taken); moot__ring_write(&ring, &span); number_span(&span, taken))
        taken++;
    assert_int_equal(taken, 4096 / 72);
    assert_int_equal(moot__ring_written(&ring), taken);
    assert_int_equal(moot__ring_dropped(&ring), 1);
    assert_int_equal(moot__ring_pending(&ring), taken * 72);

    struct moot_span read;
    assert_true(moot__ring_read(&ring, &read));
    assert_false(moot__ring_write(&ring, &span)); /* read is not released */
    assert_int_equal(moot__ring_dropped(&ring), 2);
    for (uint64_t i = 1; i < taken; i++)
        assert_true(moot__ring_read(&ring, &read));
    assert_int_equal(read.values[MOOT_ATTR_ATTEMPTS].u64, taken - 1);
    assert_false(moot__ring_read(&ring, &read));
    moot__ring_release(&ring);
    assert_int_equal(moot__ring_pending(&ring), 0);
    assert_true(moot__ring_write(&ring, &span));
    assert_true(moot__ring_read(&ring, &read));
    assert_int_equal(read.values[MOOT_ATTR_ATTEMPTS].u64, taken);
    moot__ring_deinit(&ring);
}

/* Wherever its marks stand, an empty ring takes the longest record. */
static void empty_ring_takes_the_longest_span_anywhere(void **state)
{
    (void)state;
    static char text[8192];
    struct moot_ring ring;
    small_ring(&ring);
    ring.allowed = UINT64_MAX;
    memset(text, 'z', sizeof text);
    for (unsigned i = 0; i < 4096 / 8; i++) {
        struct moot_span span, read;
        moot__span_begin(&span, MOOT_SPAN_RESPONSE, &some_ids, 1);
        moot__span_set_view(&span, MOOT_ATTR_OUTPUTS, moot__view(text, sizeof text));
        assert_true(moot__ring_write(&ring, &span));
        assert_true(moot__ring_read(&ring, &read));
        assert_int_equal(read.values[MOOT_ATTR_OUTPUTS].text.len, 2048 - 80);
        assert_true(moot__span_has(&read, MOOT_ATTR_TRUNCATED));
        moot__ring_release(&ring);

        moot__span_begin(&span, MOOT_SPAN_RESPONSE, &some_ids, 1); /* move the marks on a bit */
        moot__span_set_view(&span, MOOT_ATTR_ROLE, moot__view(text, 1 + i % 64));
        assert_true(moot__ring_write(&ring, &span));
        assert_true(moot__ring_read(&ring, &read));
        moot__ring_release(&ring);
    }
    assert_int_equal(moot__ring_dropped(&ring), 0);
    moot__ring_deinit(&ring);
}

static void content_is_recorded_only_if_asked_for(void **state)
{
    (void)state;
    for (int content = 0; content < 2; content++) {
        struct moot_ring ring;
        struct moot_span span, read;
        const struct moot_ring_options options = {.bytes = 4096, .content = content};
        assert_int_equal(moot__ring_init(&ring, NULL, &options), MOOT_OK);
        number_span(&span, 1);
        moot__span_set_str(&span, MOOT_ATTR_INPUTS, "what the user wrote");
        assert_true(moot__ring_write(&ring, &span));
        assert_true(moot__ring_read(&ring, &read));
        assert_int_equal(moot__span_has(&read, MOOT_ATTR_INPUTS), content);
        if (!content) /* not in memory either */
            for (size_t i = 0; i + 8 <= moot__ring_pending(&ring); i++)
                assert_memory_not_equal(ring.data + i, "what the", 8);
        moot__ring_deinit(&ring);
    }
}

/* Random spans, reads and releases against a list of what was taken. */
static void random_traffic_keeps_order_and_content(void **state)
{
    (void)state;
    enum { KEPT = 256 };
    static char filler[600];
    static struct moot_span kept[KEPT]; /* texts live in the filler */
    struct moot_ring ring;
    struct moot_rng rng;
    small_ring(&ring);
    ring.allowed = UINT64_MAX;
    moot__rng_init(&rng, 42);
    for (size_t i = 0; i < sizeof filler; i++)
        filler[i] = (char)('a' + i % 26);
    uint64_t in = 0, out = 0, dropped = 0;
    while (in < 20000) {
        struct moot_span span;
        switch (moot__rng_below(&rng, 3)) {
        case 0:
            random_span(&span, &rng, filler, moot__rng_below(&rng, 2) ? 40 : 90);
            span.set &= ~MOOT_ATTR_BIT(MOOT_ATTR_TRUNCATED);
            if (moot__ring_write(&ring, &span))
                kept[in++ % KEPT] = span;
            else
                dropped++;
            assert_true(in - out < KEPT);
            break;
        case 1:
            if (moot__ring_read(&ring, &span))
                assert_spans_equal(&span, &kept[out++ % KEPT]);
            else
                assert_int_equal(in, out);
            break;
        default:
            moot__ring_release(&ring);
        }
    }
    assert_true(dropped > 0);
    assert_int_equal(moot__ring_dropped(&ring), dropped);
    assert_int_equal(moot__ring_written(&ring), in);
    moot__ring_deinit(&ring);
}

/* Positions are 64 bits; what fits in 32 has no meaning. */
static void positions_pass_32_bits(void **state)
{
    (void)state;
    struct moot_ring ring;
    small_ring(&ring);
    uint64_t start = (UINT64_C(1) << 32) - 4096;
    ring.producer.published = ring.producer.released_seen = start;
    ring.consumer.released = ring.consumer.next = ring.consumer.published_seen = start;
    for (uint64_t i = 0; i < 300; i++) {
        struct moot_span span, read;
        number_span(&span, i);
        assert_true(moot__ring_write(&ring, &span));
        assert_true(moot__ring_read(&ring, &read));
        assert_int_equal(read.values[MOOT_ATTR_ATTEMPTS].u64, i);
        moot__ring_release(&ring);
    }
    assert_true(ring.producer.published > UINT64_C(1) << 32);
    assert_int_equal(moot__ring_pending(&ring), 0);
    moot__ring_deinit(&ring);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    struct moot_failing_alloc memory;
    struct moot_ring ring;
    moot__failing_alloc_init(&memory, 1);
    assert_int_equal(moot__ring_init(&ring, &memory.allocator, NULL), MOOT_ENOMEM);
    moot__ring_deinit(&ring);
    assert_int_equal(moot__failing_alloc_live(&memory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_ring_gives_nothing),
        cmocka_unit_test(capacity_is_a_bounded_power_of_two),
        cmocka_unit_test(full_ring_drops_counts_and_recovers),
        cmocka_unit_test(empty_ring_takes_the_longest_span_anywhere),
        cmocka_unit_test(content_is_recorded_only_if_asked_for),
        cmocka_unit_test(random_traffic_keeps_order_and_content),
        cmocka_unit_test(positions_pass_32_bits),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
