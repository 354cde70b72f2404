#include "sites.h"

#include <stdatomic.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"

static struct {
    size_t nth;
    enum torture_mode mode;
    torture_walk_fn *at_site;
    bool is_left_out[TORTURE_KINDS];
    atomic_bool is_armed;
    atomic_size_t sites, of_kind[TORTURE_KINDS], failures[TORTURE_KINDS];
    atomic_int first; /* kind of the nth, or TORTURE_KINDS */
    atomic_size_t blocks;
} state;

static _Thread_local bool is_exempt;

static const struct {
    const char *name;
    unsigned group;
} kinds[TORTURE_KINDS] = {
#define X(id, name, group) {name, TORTURE_GROUP_##group},
    TORTURE_KIND_MAP(X)
#undef X
};

void torture_plan(size_t nth, enum torture_mode mode)
{
    state.nth = nth;
    state.mode = mode;
    atomic_store(&state.is_armed, false);
    atomic_store(&state.sites, 0);
    atomic_store(&state.first, TORTURE_KINDS);
    atomic_store(&state.blocks, 0);
    for (int i = 0; i < TORTURE_KINDS; i++) {
        state.is_left_out[i] = false;
        atomic_store(&state.of_kind[i], 0);
        atomic_store(&state.failures[i], 0);
    }
    torture_forget_library_blocks();
    torture_tls_forget_lost();
}

void torture_walk(torture_walk_fn *at_site)
{
    state.at_site = at_site;
}

void torture_plan_here(size_t nth, enum torture_mode mode)
{
    state.nth = nth;
    state.mode = mode;
    state.at_site = NULL;
}

void torture_fail_next(enum torture_mode mode)
{
    torture_plan_here(atomic_load(&state.sites) + 1, mode);
}

void torture_leave_out(enum torture_kind kind, bool is_out)
{
    state.is_left_out[kind] = is_out;
}

bool torture_is_left_out(enum torture_kind kind)
{
    return state.is_left_out[kind];
}

void torture_arm(void)
{
    is_exempt = false;
    atomic_store(&state.is_armed, true);
}

void torture_disarm(void)
{
    atomic_store(&state.is_armed, false);
}

bool torture_exempt(bool exempt)
{
    bool before = is_exempt;
    is_exempt = exempt;
    return before;
}

bool torture_is_counting(void)
{
    return atomic_load(&state.is_armed) && !is_exempt;
}

static bool is_due(size_t site, enum torture_kind kind)
{
    if (!state.nth || site < state.nth)
        return false;
    if (site == state.nth) {
        atomic_store(&state.first, (int)kind);
        return true;
    }
    if (kinds[kind].group == TORTURE_GROUP_HARMLESS)
        return false;
    if (state.mode == TORTURE_GROUP) {
        int first = atomic_load(&state.first);
        return first < TORTURE_KINDS && kinds[first].group == kinds[kind].group;
    }
    return state.mode == TORTURE_ALL;
}

bool torture_fails(enum torture_kind kind)
{
    if (!torture_is_counting() || state.is_left_out[kind])
        return false;
    size_t site = atomic_fetch_add(&state.sites, 1) + 1;
    atomic_fetch_add(&state.of_kind[kind], 1);
    if (state.at_site)
        state.at_site(site);
    if (!is_due(site, kind))
        return false;
    atomic_fetch_add(&state.failures[kind], 1);
    return true;
}

bool torture_has_failed(void)
{
    return atomic_load(&state.first) < TORTURE_KINDS;
}

unsigned torture_groups_failed(void)
{
    unsigned groups = 0;
    for (int i = 0; i < TORTURE_KINDS; i++)
        if (atomic_load(&state.failures[i]))
            groups |= kinds[i].group;
    return groups;
}

const char *torture_first_failed(void)
{
    int first = atomic_load(&state.first);
    return first < TORTURE_KINDS ? kinds[first].name : "none";
}

size_t torture_failures_of(enum torture_kind kind)
{
    return atomic_load(&state.failures[kind]);
}

struct torture_counts torture_counts(void)
{
    struct torture_counts counts = {.sites = atomic_load(&state.sites)};
    for (int i = 0; i < TORTURE_KINDS; i++)
        counts.of_kind[i] = atomic_load(&state.of_kind[i]);
    return counts;
}

const char *torture_kind_name(enum torture_kind kind)
{
    return kinds[kind].name;
}

/* ---- The subject's allocator ---- */

static void *subject_reallocate(void *context, void *ptr, size_t size)
{
    moot__ignore(context == NULL);
    if (torture_fails(TORTURE_ALLOC))
        return NULL;
    bool before = torture_exempt(true); /* it is this call's, not another */
    void *moved = moot__realloc(NULL, ptr, size);
    torture_exempt(before);
    if (moved && !ptr)
        atomic_fetch_add(&state.blocks, 1);
    return moved;
}

static void *subject_allocate(void *context, size_t size)
{
    return subject_reallocate(context, NULL, size);
}

static void subject_release(void *context, void *ptr)
{
    moot__ignore(context == NULL);
    if (!ptr)
        return;
    atomic_fetch_sub(&state.blocks, 1);
    moot__free(NULL, ptr);
}

static const struct moot_allocator allocator = {
    .allocate = subject_allocate,
    .reallocate = subject_reallocate,
    .release = subject_release,
};

const struct moot_allocator *torture_allocator(void)
{
    return &allocator;
}

size_t torture_blocks(void)
{
    return atomic_load(&state.blocks);
}
