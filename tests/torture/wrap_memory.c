/* libc's allocator, as the libraries call it. A shared library finds malloc here before it finds
 * libc's, and so does everything else; what fails is decided by the address of the caller: code of
 * mbedTLS, libyaml, zlib or libuv, which have no hook, or none that we use. Our own objects'
 * one malloc (alloc.c, for callers without an allocator) is led to __wrap_malloc by the linker.
 *
 * Blocks that were taken while counting are kept in a table until they are freed. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "sites.h"

/* Under a sanitizer the memory is the sanitizer's. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void __libc_free(void *ptr);
void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *ptr, size_t size) __attribute__((weak));
void __interceptor_free(void *ptr) __attribute__((weak));

/* ---- Whose call it is ---- */

enum { RANGES_MAX = 16 };

static struct {
    uintptr_t begin, end;
    enum torture_kind kind;
} ranges[RANGES_MAX];
static unsigned range_count;

static bool is_library(const char *path, enum torture_kind *kind)
{
    static const struct {
        const char *name;
        enum torture_kind kind;
    } names[] = {{"/libmbed", TORTURE_MBEDTLS},
                 {"/libyaml", TORTURE_LIBYAML},
                 {"/libz.", TORTURE_LIBZ},
                 {"/libuv", TORTURE_LIBUV}};
    for (size_t i = 0; i < moot__countof(names); i++) {
        *kind = names[i].kind;
        if (strstr(path, names[i].name))
            return true;
    }
    return false;
}

void torture_find_libraries(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], mode[8], path[256];
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin, end;
        enum torture_kind kind;
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &begin, &end, mode, path) != 4 ||
            mode[2] != 'x' || !is_library(path, &kind) || range_count == RANGES_MAX)
            continue;
        ranges[range_count].kind = kind;
        ranges[range_count].begin = begin;
        ranges[range_count++].end = end;
    }
    if (maps)
        fclose(maps);
}

/* The kind of a call that counts, or TORTURE_KINDS. */
static enum torture_kind kind_of(const void *caller)
{
    if (range_count && torture_is_counting())
        for (unsigned i = 0; i < range_count; i++)
            if ((uintptr_t)caller >= ranges[i].begin && (uintptr_t)caller < ranges[i].end)
                return ranges[i].kind;
    return TORTURE_KINDS;
}

/* ---- Blocks not yet freed ---- */

enum { SLOTS = 1 << 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    const void *ptr;
    enum torture_kind kind;
} slots[SLOTS];
static atomic_size_t block_count, counts[TORTURE_KINDS];

static size_t slot_of(const void *ptr)
{
    return ((uintptr_t)ptr >> 4) * 2654435761u % SLOTS;
}

static void remember(const void *ptr, enum torture_kind kind)
{
    if (!ptr || kind == TORTURE_KINDS)
        return;
    pthread_mutex_lock(&lock);
    if (block_count < SLOTS / 2) {
        size_t at = slot_of(ptr);
        while (slots[at].ptr)
            at = (at + 1) % SLOTS;
        slots[at].ptr = ptr;
        slots[at].kind = kind;
        block_count++;
        counts[kind]++;
    }
    pthread_mutex_unlock(&lock);
}

/* Close the gap, so that what lies behind it is still found. */
static void remove_slot(size_t at)
{
    size_t gap = at;
    counts[slots[at].kind]--;
    for (size_t next = (gap + 1) % SLOTS; slots[next].ptr; next = (next + 1) % SLOTS) {
        size_t home = slot_of(slots[next].ptr);
        if ((next - home + SLOTS) % SLOTS < (next - gap + SLOTS) % SLOTS)
            continue;
        slots[gap] = slots[next];
        gap = next;
    }
    slots[gap].ptr = NULL;
    block_count--;
}

/* Whose it was, or TORTURE_KINDS. */
static enum torture_kind forget(const void *ptr)
{
    if (!ptr || !block_count)
        return TORTURE_KINDS;
    pthread_mutex_lock(&lock);
    size_t at = slot_of(ptr);
    while (slots[at].ptr && slots[at].ptr != ptr)
        at = (at + 1) % SLOTS;
    enum torture_kind kind = slots[at].ptr ? slots[at].kind : TORTURE_KINDS;
    if (slots[at].ptr)
        remove_slot(at);
    pthread_mutex_unlock(&lock);
    return kind;
}

size_t torture_library_blocks(enum torture_kind kind)
{
    return counts[kind];
}

void torture_forget_library_blocks(void)
{
    if (!block_count)
        return;
    memset(slots, 0, sizeof slots);
    block_count = 0;
    for (int i = 0; i < TORTURE_KINDS; i++)
        counts[i] = 0;
}

/* ---- What the libraries call ---- */

void *malloc(size_t size)
{
    enum torture_kind kind = kind_of(__builtin_return_address(0));
    if (kind != TORTURE_KINDS && torture_fails(kind))
        return NULL;
    void *ptr = __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
    remember(ptr, kind);
    return ptr;
}

void *calloc(size_t count, size_t size)
{
    enum torture_kind kind = kind_of(__builtin_return_address(0));
    if (kind != TORTURE_KINDS && torture_fails(kind))
        return NULL;
    void *ptr =
        __interceptor_calloc ? __interceptor_calloc(count, size) : __libc_calloc(count, size);
    remember(ptr, kind);
    return ptr;
}

void *realloc(void *ptr, size_t size)
{
    enum torture_kind kind = kind_of(__builtin_return_address(0));
    /* When libuv cannot grow its table of descriptors it ends the process; nobody can help it. */
    if (kind != TORTURE_KINDS && kind != TORTURE_LIBUV && torture_fails(kind))
        return NULL;
    enum torture_kind was = forget(ptr);
    void *moved =
        __interceptor_realloc ? __interceptor_realloc(ptr, size) : __libc_realloc(ptr, size);
    remember(moved, kind == TORTURE_KINDS ? was : kind);
    return moved;
}

void free(void *ptr)
{
    forget(ptr);
    if (__interceptor_free)
        __interceptor_free(ptr);
    else
        __libc_free(ptr);
}

/* ---- What our own allocator calls ---- */

void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *ptr, size_t size);

void *__wrap_malloc(size_t size)
{
    return __wrap_realloc(NULL, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    bool is_counted = torture_is_counting() && !torture_is_left_out(TORTURE_LIBC);
    if (torture_fails(TORTURE_LIBC))
        return NULL;
    enum torture_kind was = forget(ptr);
    void *moved = realloc(ptr, size);
    remember(moved, is_counted ? TORTURE_LIBC : was);
    return moved;
}
