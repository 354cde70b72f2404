#ifndef MOOT_LOOP_H
#define MOOT_LOOP_H

/* The loop under an engine: the host's, one inside another event loop, or one on a thread of its
 * own. Gives a transport to stand on, and takes functions from other threads. */
#include <moot/engine.h>

#include "net/transport.h"

struct moot_loop;

/* A function for the loop's thread. */
typedef void moot_loop_run_fn(void *owner, void *data);

struct moot_loop_options {
    const struct moot_allocator *allocator;
    enum moot_engine_mode mode;
    struct uv_loop_s *host; /* ON_LOOP only */
};

/* MOOT_ENOMEM, MOOT_EINVAL, MOOT_EIO (the system gives no loop). With THREAD the thread does not
 * run yet, so that the caller can still build upon the transport. */
MOOT_NODISCARD int moot__loop_new(const struct moot_loop_options *options, struct moot_loop **out);
struct moot_transport *moot__loop_transport(struct moot_loop *loop);
/* The first argument of posted functions; before the first post. */
void moot__loop_set_owner(struct moot_loop *loop, void *owner);
MOOT_NODISCARD int moot__loop_start_thread(struct moot_loop *loop); /* THREAD; MOOT_EIO */
enum moot_engine_mode moot__loop_mode(const struct moot_loop *loop);

/* Any thread. MOOT_ENOMEM; MOOT_EBUSY once sealed. */
MOOT_NODISCARD int moot__loop_post(struct moot_loop *loop, moot_loop_run_fn *run, void *data);

/* Take no more posts, but this last one (NULL: none); false if sealed already. Any thread. */
bool moot__loop_seal(struct moot_loop *loop, moot_loop_run_fn *last, void *data);

/* Sealed or about to be; everything that stands on the transport is gone. Runs what was posted,
 * closes all, frees the loop, then calls on_closed: for ON_LOOP from the host's loop, for EMBEDDED
 * from moot__loop_turn, for THREAD as the thread's last act. */
void moot__loop_close(struct moot_loop *loop, void (*on_closed)(void *data), void *data);

/* A loop whose engine could not be made, never started: closes at once, or with ON_LOOP soon. */
void moot__loop_abandon(struct moot_loop *loop);

int moot__loop_fd(const struct moot_loop *loop);
int moot__loop_timeout_ms(const struct moot_loop *loop);
void moot__loop_turn(struct moot_loop *loop);

#endif
