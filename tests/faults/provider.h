#ifndef MOOT_TEST_FAULTS_PROVIDER_H
#define MOOT_TEST_FAULTS_PROVIDER_H

/* An engine of one role, and a provider that sends it the bytes that the test gives, plain or over
 * TLS, on a transport in memory and in virtual time. One question at a time. */
#include <moot.h>

#include "engine/base/buf.h"
#include "tests/support/tls_bench.h"

struct provider_peer {
    struct provider *provider;
    struct moot_stream *stream, *lower; /* of TLS, what is below it; gone with it */
    struct moot_tls_handshake shake;
    struct moot_buf got;
    int asked; /* whole requests */
};

/* What came of the question. */
struct provider_outcome {
    int done;
    struct moot_error_info error;
    struct moot_buf text, tokens; /* the answer, and what was shown of it while it came */
    bool possible_duplicate;
};

struct provider {
    struct memnet net;
    struct moot_acceptor acceptor;
    struct moot_tls_server *tls;
    struct moot_plan *plan;
    struct moot_engine *engine;
    struct provider_peer peer;
    struct provider_outcome outcome;
    int closed;
};

enum provider_end {
    PROVIDER_FIN,       /* the end of the stream, as TLS has it: with a close_notify */
    PROVIDER_RESET,     /* an RST */
    PROVIDER_DIRTY_FIN, /* an end without a close_notify; of plain text a FIN */
    PROVIDER_SILENCE,   /* nothing any more */
    PROVIDER_ENDS,
};

/* `type` is the dialect; `fixture` NULL: plain. */
void provider_open(struct provider *provider, const char *type, const struct tls_fixture *fixture,
                   const char *ca_file);
void provider_close(struct provider *provider); /* fails the test when anything is left */

/* Ask; when the request is there send `bytes` in pieces of at most `piece`, drawn; then end. */
void provider_answer(struct provider *provider, struct moot_view bytes, size_t piece,
                     enum provider_end end);
void provider_ask(struct provider *provider, bool is_stream);
void provider_finish(struct provider *provider); /* until the outcome is there */

#endif
