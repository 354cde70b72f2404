#ifndef MOOT_TORTURE_WRAP_H
#define MOOT_TORTURE_WRAP_H

/* Functions that the linker leads through us: a call of NAME in our objects becomes one of
 * __wrap_NAME, and __real_NAME is the true one. CMakeLists.txt takes the names from the WRAP lines
 * of wrap_*.c, so that a list and the linker never differ. */
#include "sites.h"

/* WRAP(type, name, (parameters), (arguments), kind, what to do and return when it fails) */
#define WRAP(type, name, parameters, arguments, kind, failure)                                     \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        if (torture_fails(kind)) {                                                                 \
            failure;                                                                               \
        }                                                                                          \
        return __real_##name arguments;                                                            \
    }

#endif
