#ifndef MOOT_TOKEN_CALL_H
#define MOOT_TOKEN_CALL_H

/* One HTTP request to somebody who gives credentials, and its whole answer. For the sources of
 * credential_source.h that ask over the network; on the engine's own pool. */
#include "credential_source.h"
#include "net/call.h"

/* The addresses, and no others, at which clouds answer their own machines and containers over plain
 * HTTP. They are link-local, and otherwise refused. */
bool moot__is_machine_address(const struct moot_url *url);

struct moot_token_request {
    const struct moot_url *url; /* whom; the target is given */
    struct moot_view method, target;
    const struct moot_http1_header *headers;
    size_t header_count;
    struct moot_view body;
    bool is_of_machine; /* may be one of those addresses; short waits */
};

struct moot_token_call {
    /* Set by the owner. */
    struct moot_fetch *fetch;
    void (*on_done)(struct moot_token_call *call);

    /* In on_done: fetch->error is filled if there is no answer with a status below 300. It quotes
     * what the server said, with what was shown to it taken out. */
    struct moot_buf answer; /* wiped by deinit */

    struct moot_call call;
    bool is_started, is_of_machine;
};

void moot__token_call_init(struct moot_token_call *call, struct moot_fetch *fetch);
void moot__token_call_deinit(struct moot_token_call *call); /* not under way */

/* 0, and on_done will come; or an error with fetch->error, and it will not. May be started again
 * when it is done. */
MOOT_NODISCARD int moot__token_call_start(struct moot_token_call *call,
                                          const struct moot_token_request *request);
void moot__token_call_cancel(struct moot_token_call *call);

#endif
