#ifndef MOOT_PLAN_H
#define MOOT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include <moot/alloc.h>
#include <moot/error.h>
#include <moot/version.h>
#include <moot/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A configuration, read and checked: roles, flow, providers. Immutable and reference-counted; may
 * be shared by every engine of the process, on any thread. */
struct moot_plan;

struct moot_plan_options {
    size_t size; /* sizeof(struct moot_plan_options) */
    const struct moot_allocator *allocator;
    /* A YAML or JSON file, an MLmodel file, or a directory that holds one. Or: the text itself, and
     * then `path` is only a name for messages and the base of relative `file:` references. */
    const char *path;
    struct moot_view text;
    /* Environment lookup for `env:` references and providers' defaults; NULL means getenv. The
     * returned text is copied. */
    const char *(*environment)(void *context, const char *name);
    void *environment_context;
};

/* Read and check a configuration. 0 and *out, to be released with moot_plan_unref; or an error with
 * *out NULL and, in `info` (which may be NULL), the line, the column and what to do:
 * MOOT_ECONFIG, MOOT_ECREDENTIAL, MOOT_EPLAINTEXT, MOOT_EIO, MOOT_ENOTFOUND, MOOT_ENOMEM,
 * MOOT_EINVAL. Blocks on the files it reads; any thread. */
MOOT_API MOOT_NODISCARD int moot_plan_load(const struct moot_plan_options *options,
                                           struct moot_plan **out, struct moot_error_info *info);

MOOT_API struct moot_plan *moot_plan_ref(struct moot_plan *plan);
MOOT_API void moot_plan_unref(struct moot_plan *plan); /* NULL is allowed */

/* 32 hexadecimal digits and a NUL over everything that changes answers (roles, flow,
 * configuration); keys, quotas and addresses are left out. */
MOOT_API void moot_plan_fingerprint(const struct moot_plan *plan, char out[33]);

#ifdef __cplusplus
}
#endif
#endif
