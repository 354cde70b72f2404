#include "failing_alloc.h"

#include "engine/base/alloc.h"

static bool must_fail(struct moot_failing_alloc *memory)
{
    size_t call = atomic_fetch_add(&memory->calls, 1) + 1;
    bool fail = memory->fail_at != 0 &&
                (call == memory->fail_at || (memory->stay_failed && call > memory->fail_at));
    if (fail)
        atomic_fetch_add(&memory->failures, 1);
    return fail;
}

static void *failing_reallocate(void *context, void *ptr, size_t size)
{
    struct moot_failing_alloc *memory = context;
    if (must_fail(memory))
        return NULL;
    void *moved = moot__realloc(NULL, ptr, size);
    if (moved && !ptr)
        atomic_fetch_add(&memory->live, 1);
    return moved;
}

static void *failing_allocate(void *context, size_t size)
{
    return failing_reallocate(context, NULL, size);
}

static void failing_release(void *context, void *ptr)
{
    struct moot_failing_alloc *memory = context;
    if (!ptr)
        return;
    atomic_fetch_sub(&memory->live, 1);
    moot__free(NULL, ptr);
}

void moot__failing_alloc_init(struct moot_failing_alloc *memory, size_t fail_at)
{
    memory->allocator = (struct moot_allocator){
        .allocate = failing_allocate,
        .reallocate = failing_reallocate,
        .release = failing_release,
        .context = memory,
    };
    memory->fail_at = fail_at;
    memory->stay_failed = false;
    atomic_init(&memory->calls, 0);
    atomic_init(&memory->failures, 0);
    atomic_init(&memory->live, 0);
}

size_t moot__failing_alloc_live(struct moot_failing_alloc *memory)
{
    return atomic_load(&memory->live);
}

size_t moot__failing_alloc_calls(struct moot_failing_alloc *memory)
{
    return atomic_load(&memory->calls);
}

bool moot__failing_alloc_failed(struct moot_failing_alloc *memory)
{
    return atomic_load(&memory->failures) > 0;
}
