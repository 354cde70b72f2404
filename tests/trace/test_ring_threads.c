/* The ring on two threads: what arrives is whole, in order, and together with what was dropped it
 * is everything. Worth most under ThreadSanitizer. */
#include <pthread.h>
#include <sched.h>

#include "support.h"

#include "trace/ring.h"

enum { SPANS = 200000 };

struct consumer {
    struct moot_ring *ring;
    _Atomic bool producer_done;
    uint64_t batch_max; /* spans read before a release */
    uint64_t read, last, broken;
};

/* Every field of the span `number`, so that a torn one is found. */
static void make_span(struct moot_span *span, uint64_t number, char *text)
{
    struct moot_span_ids ids;
    memset(&ids, (int)(number & 0xFF), sizeof ids);
    size_t len = 1 + (size_t)(number * 7 % 120);
    memset(text, 'a' + (int)(number % 26), len);
    moot__span_begin(span, MOOT_SPAN_RESPONSE, &ids, number);
    moot__span_set_u64(span, MOOT_ATTR_INPUT_TOKENS, number);
    moot__span_set_view(span, MOOT_ATTR_ROLE, moot__view(text, len));
    if (number % 3)
        moot__span_set_u64(span, MOOT_ATTR_BACKOFF_WAIT_NS, ~number);
    moot__span_end(span, number + 1);
}

static bool same(const struct moot_span *a, const struct moot_span *b)
{
    uint64_t number = a->start_wall_ns;
    return memcmp(&a->ids, &b->ids, sizeof a->ids) == 0 && a->set == b->set &&
           a->end_wall_ns == b->end_wall_ns &&
           a->values[MOOT_ATTR_INPUT_TOKENS].u64 == b->values[MOOT_ATTR_INPUT_TOKENS].u64 &&
           moot__view_eq(a->values[MOOT_ATTR_ROLE].text, b->values[MOOT_ATTR_ROLE].text) &&
           (number % 3 == 0 ||
            a->values[MOOT_ATTR_BACKOFF_WAIT_NS].u64 == b->values[MOOT_ATTR_BACKOFF_WAIT_NS].u64);
}

static void *consume(void *data)
{
    struct consumer *consumer = data;
    for (bool done = false; !done;) {
        done = atomic_load(&consumer->producer_done); /* before looking: then empty is the end */
        struct moot_span span, expected;
        char text[128];
        uint64_t batch = 0;
        while (batch < consumer->batch_max && moot__ring_read(consumer->ring, &span)) {
            make_span(&expected, span.start_wall_ns, text);
            if (!same(&expected, &span) || span.start_wall_ns <= consumer->last)
                consumer->broken++;
            consumer->last = span.start_wall_ns;
            batch++;
        }
        consumer->read += batch;
        if (batch) {
            done = false;
            moot__ring_release(consumer->ring);
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void run(size_t bytes, uint64_t batch_max, bool patient)
{
    struct moot_ring ring;
    const struct moot_ring_options options = {.bytes = bytes};
    assert_int_equal(moot__ring_init(&ring, NULL, &options), MOOT_OK);
    struct consumer consumer = {.ring = &ring, .batch_max = batch_max};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, consume, &consumer), 0);
    uint64_t taken = 0, refused = 0;
    for (uint64_t i = 1; i <= SPANS; i++) {
        struct moot_span span;
        char text[128];
        make_span(&span, i, text);
        bool ok = moot__ring_write(&ring, &span);
        for (; !ok && patient; ok = moot__ring_write(&ring, &span)) {
            refused++;
            sched_yield();
        }
        taken += ok;
        refused += !ok;
        assert_true(moot__ring_pending(&ring) <= ring.capacity);
    }
    atomic_store(&consumer.producer_done, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(consumer.broken, 0);
    assert_int_equal(consumer.read, taken);
    assert_int_equal(moot__ring_written(&ring), taken);
    assert_int_equal(moot__ring_dropped(&ring), refused);
    if (patient)
        assert_int_equal(taken, SPANS);
    assert_int_equal(moot__ring_pending(&ring), 0);
    moot__ring_deinit(&ring);
}

static void nothing_is_lost_when_the_producer_repeats(void **state)
{
    (void)state;
    run(2048, 1, true);
    run(65536, 16, true);
}

static void dropped_and_read_are_everything(void **state)
{
    (void)state;
    run(2048, 1, false);
    run(65536, 64, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_when_the_producer_repeats),
        cmocka_unit_test(dropped_and_read_are_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
