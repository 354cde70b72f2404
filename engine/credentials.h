#ifndef MOOT_CREDENTIALS_H
#define MOOT_CREDENTIALS_H

/* Where a secret stands. A configuration holds references, never values:
 *
 *   env:NAME     a variable of the environment
 *   file:PATH    the first line of a file; relative to the configuration's folder
 *
 * or the provider's own chain finds it in the settings of the provider's tools. (exec:COMMAND names
 * a process that gives a credential with an end; see credential_source.h.)
 *
 * Thread: a credential belongs to one thread (each engine copies its own out of the plan).
 * Environment and files are read with short blocking calls: when a plan is loaded, and when a
 * provider answered 401. */
#include <moot/alloc.h>
#include <moot/error.h>
#include <moot/view.h>
#include <stdbool.h>
#include <stdint.h>

#include "secret.h"

/* Where a variable's value is found; NULL when it is not set. The text is borrowed until the next
 * call. A NULL `get` means the process's environment. */
struct moot_environment {
    const char *(*get)(void *context, const char *name);
    void *context;
};

const char *moot__environment_get(const struct moot_environment *environment, const char *name);

enum moot_credential_source {
    MOOT_CREDENTIAL_ENV,
    MOOT_CREDENTIAL_FILE,
    MOOT_CREDENTIAL_PROFILE, /* a setting of a tool's file; see ini.h */
};

struct moot_credential {
    const struct moot_allocator *allocator;
    struct moot_environment environment;
    enum moot_credential_source source;
    char *place;   /* the variable's name, or the path, absolute or as given */
    char *section; /* PROFILE only, and which setting; static */
    const char *key;
    struct moot_secret *secret; /* never NULL once loaded */
    bool is_world_readable;     /* a file that everyone on the machine may read: warn */
};

struct moot_credential_options {
    struct moot_environment environment;
    struct moot_view folder; /* what a relative file: path is relative to; empty: as given */
};

/* Is this text a reference, by its form? For telling a literal from one. */
bool moot__credential_is_reference(struct moot_view text);

/* Parse a reference and load the secret. MOOT_ECONFIG (not a reference, an unknown or unavailable
 * kind), MOOT_ECREDENTIAL (variable not set, file not readable, empty, too long, or with bytes that
 * no header may carry), MOOT_ENOMEM. On failure *credential is zeroed. No message ever quotes what
 * may be a secret. */
MOOT_NODISCARD int moot__credential_init(struct moot_credential *credential,
                                         const struct moot_allocator *allocator,
                                         struct moot_view reference,
                                         const struct moot_credential_options *options,
                                         struct moot_error_info *info);

/* The same with a setting of a tool's file. MOOT_ECREDENTIAL, MOOT_ENOMEM. */
struct moot_profile_setting {
    struct moot_view path, section;
    const char *key; /* static */
};

MOOT_NODISCARD int moot__credential_init_profile(struct moot_credential *credential,
                                                 const struct moot_allocator *allocator,
                                                 const struct moot_profile_setting *setting,
                                                 struct moot_error_info *info);

/* The same source and secret, for another thread. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__credential_copy(struct moot_credential *copy,
                                         const struct moot_credential *credential);
void moot__credential_deinit(struct moot_credential *credential); /* safe on a zeroed struct */

/* Read the source again, after a 401. MOOT_OK: the secret is another one now, a retry makes sense.
 * MOOT_ENOTFOUND: it is the same as before, so the refusal is final. Otherwise errors as at init;
 * the old secret stays. */
MOOT_NODISCARD int moot__credential_refresh(struct moot_credential *credential,
                                            struct moot_error_info *info);

#endif
