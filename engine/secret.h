#ifndef MOOT_SECRET_H
#define MOOT_SECRET_H

/* A secret has no way to be formatted: it is opaque, its bytes come out of moot__secret_expose
 * alone, which is called only where a header is written, a request is signed or a secret is taken
 * out of a text, and its memory is overwritten before it is freed.
 *
 * Thread: the bytes are immutable; the owners of one secret are on one thread. */
#include <moot/alloc.h>
#include <moot/error.h>
#include <moot/view.h>
#include <stdbool.h>

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

#endif
