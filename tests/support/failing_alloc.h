#ifndef MOOT_TEST_FAILING_ALLOC_H
#define MOOT_TEST_FAILING_ALLOC_H

/* An allocator that counts and, when told, fails. The sweep that every module with allocations
 * should run:
 *
 *     struct moot_failing_alloc memory;
 *     for (size_t nth = 1;; nth++) {
 *         moot__failing_alloc_init(&memory, nth);
 *         int rc = operation(&memory.allocator);
 *         assert_int_equal(moot__failing_alloc_live(&memory), 0);
 *         if (!moot__failing_alloc_failed(&memory))
 *             break;                            (the operation never got as far as its nth)
 *         assert_int_equal(rc, MOOT_ENOMEM);
 *     }
 *
 * Thread: the counters are atomic; init is not. */
#include <moot/alloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct moot_failing_alloc {
    struct moot_allocator allocator; /* hand out its address; it points back at this struct */
    size_t fail_at;                  /* the allocation that fails, from 1; 0 means none */
    bool stay_failed;                /* every one after it fails too; set after init */
    atomic_size_t calls;             /* allocations and reallocations asked for */
    atomic_size_t failures;
    atomic_size_t live; /* blocks handed out and not released */
};

void moot__failing_alloc_init(struct moot_failing_alloc *memory, size_t fail_at);
size_t moot__failing_alloc_live(struct moot_failing_alloc *memory);
size_t moot__failing_alloc_calls(struct moot_failing_alloc *memory);
bool moot__failing_alloc_failed(struct moot_failing_alloc *memory);

#endif
