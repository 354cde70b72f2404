#ifndef MOOT_NET_TLS_STREAM_H
#define MOOT_NET_TLS_STREAM_H

/* The filter: a moot_stream over another, with an mbedTLS context between. During the handshake it
 * is `offloaded`: the context belongs to the worker, which sees only the two ciphertext buffers;
 * tls_handshake.c moves them. Afterwards the context is the loop's and reaches through to `lower`.
 */
#include <stdbool.h>

#include "engine/base/buf.h"
#include "tls_endpoint.h"

struct moot_tls_stream {
    struct moot_stream stream;
    struct moot_tls_endpoint *endpoint; /* a reference */
    struct moot_stream *lower;          /* NULL once given up during the handshake */
    mbedtls_ssl_context ssl;

    char *in; /* ciphertext not yet taken by the context; from the endpoint; NULL when empty */
    size_t in_at, in_len;
    struct moot_buf out; /* ciphertext that `lower` would not take yet */

    struct moot_tls_seat seat; /* where TLS 1.3 tickets go */
    struct moot_task task;     /* readiness that no socket will tell of */
    unsigned interest, lower_interest;
    int error; /* final; MOOT_OK while the stream is sound */
    bool offloaded;
    bool drained; /* the last read of `lower` was short: do not ask again at once */
    bool corked;  /* collect the records of one write */
    bool ended, ended_cleanly;
    unsigned char alert; /* a fatal alert of the peer seen in the handshake, + 1; 0: none */
    unsigned char header[5];
};

/* Makes a stream over `lower`, offloaded; the caller sets lower's owner and on_ready. NULL: no
 * memory, `lower` untouched. */
struct moot_tls_stream *moot__tls_stream_new(struct moot_tls_endpoint *endpoint,
                                             struct moot_stream *lower);

/* Let go of everything: `lower`, if not NULL, is aborted. No close_notify. */
void moot__tls_stream_free(struct moot_tls_stream *tls);

/* The handshake is done: from now on the stream is what its table says. */
void moot__tls_stream_open(struct moot_tls_stream *tls);

/* Read ciphertext from `lower` once, when none is there. > 0, 0 (end), MOOT_EAGAIN, or an error. */
MOOT_NODISCARD ptrdiff_t moot__tls_stream_fill(struct moot_tls_stream *tls);

/* Before a worker has the context: room for what it writes. MOOT_ENOMEM, MOOT_ELIMIT. */
MOOT_NODISCARD int moot__tls_stream_make_room(struct moot_tls_stream *tls);

/* Write what waits in `out`. MOOT_OK (perhaps not all of it), or an error. */
MOOT_NODISCARD int moot__tls_stream_flush(struct moot_tls_stream *tls);

#endif
