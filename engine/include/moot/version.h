#ifndef MOOT_VERSION_H
#define MOOT_VERSION_H

/* The library's version and the marks that every public declaration carries. */

#define MOOT_VERSION_MAJOR  0
#define MOOT_VERSION_MINOR  1
#define MOOT_VERSION_PATCH  0
#define MOOT_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define MOOT_API               __attribute__((visibility("default")))
#define MOOT_NODISCARD         __attribute__((warn_unused_result))
#define MOOT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MOOT_API
#define MOOT_NODISCARD
#define MOOT_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library at run time, as "MAJOR.MINOR.PATCH". Static storage; any thread. */
MOOT_API const char *moot_version(void);

#ifdef __cplusplus
}
#endif
#endif
