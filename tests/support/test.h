#ifndef MOOT_TEST_H
#define MOOT_TEST_H

/* What every cmocka test needs, in the order that cmocka wants it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/view.h"

/* Compare a view with a NUL-terminated text. */
#define assert_view(view, text)                                                                    \
    do {                                                                                           \
        struct moot_view view_ = (view);                                                           \
        assert_int_equal(view_.len, strlen(text));                                                 \
        if (view_.len)                                                                             \
            assert_memory_equal(view_.ptr, text, view_.len);                                       \
    } while (0)

#endif
