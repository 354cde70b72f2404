#ifndef MOOT_NET_TRANSPORT_UV_INTERNAL_H
#define MOOT_NET_TRANSPORT_UV_INTERNAL_H

/* What the two halves of the real transport share: transport_uv.c has the loop, time, tasks and
 * threads; transport_uv_sockets.c the streams and acceptors. Nobody else includes this. */
#include <uv.h>

#include "engine/base/check.h"
#include "timers.h"
#include "transport.h"

struct transport_uv {
    struct moot_transport base;
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_poll_t waker; /* of `wake_fd`, which workers add to */
    int wake_fd;
    size_t handles; /* open in the loop, closing ones included */
    size_t holds;

    struct moot_timers timers;
    uint64_t armed_ms; /* when the uv_timer goes off, in loop time; MOOT_NEVER_NS: it is stopped */
    bool is_firing;
    bool is_late;   /* timers are due; poll must not wait, for they fire after it */
    bool is_behind; /* a callback of this poll took long, and libuv's time is not poll's any more */

    /* What a stream learned from a read, and no event has contradicted since, is believed again
     * once a poll's events have all been told; among them, only what was learned in this turn. */
    uint64_t turn;          /* counts the polls, from 1 */
    uint64_t believed_turn; /* what was learned in this turn or later is believed */
    uint64_t checked_ns;    /* when the last poll was, or earlier */
    uint64_t now_ns;
    bool is_cache_open, is_cached;

    struct moot_list tasks;
    struct moot_list streams, listeners, lookups;
    struct moot_workers *names, *computers; /* NULL until the first submission */
    size_t works;                           /* submitted, `done` not yet called */
    struct moot_list works_skipped;         /* not run, since we are closing; `done` is due */

    unsigned char random[256];
    size_t random_left;

    bool is_closing;
    void (*on_closed)(void *data);
    void *data;
};

static inline struct transport_uv *moot__uv_from_base(struct moot_transport *base)
{
    return moot__container_of(base, struct transport_uv, base);
}

/* To be called from the close callback of every handle that was counted in `handles`; may free the
 * transport. */
void moot__uv_handle_closed(struct transport_uv *t);

/* The table's entries for sockets. */
int moot__uv_connect(struct moot_transport *base, const struct moot_address *address,
                     struct moot_stream **out);
int moot__uv_connect_result(struct moot_stream *base, char *detail, size_t size);
int moot__uv_listen(struct moot_transport *base, const struct moot_address *address,
                    struct moot_acceptor *acceptor);
void moot__uv_unlisten(struct moot_transport *base, struct moot_acceptor *acceptor);

/* Close every stream and acceptor; no callback follows. */
void moot__uv_drop_sockets(struct transport_uv *t);

#endif
