#ifndef MOOT_CREDENTIALS_H
#define MOOT_CREDENTIALS_H

/* Secrets, and where they come from. A configuration holds references, never values:
 *
 *   env:NAME     a variable of the environment
 *   file:PATH    the first line of a file; relative to the configuration's folder
 *   exec:COMMAND a credential process: recognised, not available in this version
 *
 * A secret has no way to be formatted: it is opaque, its bytes come out of moot__secret_expose
 * alone, which is called only where a header is written or a request is signed, and its memory is
 * overwritten before it is freed.
 *
 * Thread: a reference and a secret are immutable; a credential belongs to one thread (each engine
 * copies its own out of the plan). Environment and files are read with short blocking calls: when a
 * plan is loaded, and when a provider answered 401. */
#include <moot/alloc.h>
#include <moot/error.h>
#include <moot/view.h>
#include <stdbool.h>
#include <stdint.h>

struct moot_secret;

/* A wiped-on-free copy. NULL when there is no memory. */
MOOT_NODISCARD struct moot_secret *moot__secret_new(const struct moot_allocator *allocator,
                                                    struct moot_view value);
/* Another owner, on the same thread, who frees it too: what is refreshed stays alive as long as a
 * call that used it. */
struct moot_secret *moot__secret_ref(struct moot_secret *secret);
void moot__secret_free(struct moot_secret *secret); /* NULL does nothing */

/* The bytes, valid as long as the secret. They go into a header and nowhere else. */
struct moot_view moot__secret_expose(const struct moot_secret *secret);

bool moot__secret_eq(const struct moot_secret *a, const struct moot_secret *b);

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
};

struct moot_credential {
    const struct moot_allocator *allocator;
    struct moot_environment environment;
    enum moot_credential_source source;
    char *place;                /* the variable's name, or the path, absolute or as given */
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
