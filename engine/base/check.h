#ifndef MOOT_BASE_CHECK_H
#define MOOT_BASE_CHECK_H

/* Assertions are for programmer errors: illegal states, broken invariants, sizes. Data from outside
 * is validated with errors, never asserted. Release builds (NDEBUG) drop them. */
#include <assert.h>
#include <stddef.h>

#define moot__container_of(ptr, type, member)                                                      \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define moot__countof(array) (sizeof(array) / sizeof((array)[0]))

/* A value that is meant to be ignored. */
#define moot__ignore(value)                                                                        \
    do {                                                                                           \
        if (value) {                                                                               \
        }                                                                                          \
    } while (0)

/* Of a large local that is written before it is read: a release build zeroes every other one, which
 * for kilobytes costs as much as the work itself. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define MOOT_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef MOOT_UNINITIALIZED
#define MOOT_UNINITIALIZED
#endif

#if defined(__GNUC__)
#define moot__unreachable() (assert(0 && "unreachable"), __builtin_unreachable())
#else
#define moot__unreachable() assert(0 && "unreachable")
#endif

#endif
