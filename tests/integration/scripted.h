#ifndef MOOT_TEST_SCRIPTED_H
#define MOOT_TEST_SCRIPTED_H

/* An engine with one role on the transport of a call bench, in virtual time: the provider is what
 * the test says, byte for byte. */
#include <moot.h>

#include "tests/support/call_bench.h"

#define SCRIPTED_KEY "key/0123456789abcdef"

struct scripted {
    struct call_bench bench;
    struct moot_plan *plan;
    struct moot_engine *engine;
    int closed;
};

struct scripted_talk {
    struct moot_error_info error;
    char text[1024];
    bool possible_duplicate;
    int done, retries;
};

/* `provider`: more members of the provider, as ", key: value"; `api_key` NULL: SCRIPTED_KEY. */
void scripted_plan(struct scripted *scripted, const char *url, const char *api_key,
                   const char *provider);
void scripted_open(struct scripted *scripted, const char *api_key, const char *provider);
void scripted_engine(struct scripted *scripted);
void scripted_close(struct scripted *scripted);

/* Ask, and let the request arrive. */
void scripted_ask(struct scripted *scripted, struct scripted_talk *talk, bool stream);

/* Answer at peer `index` with a status, headers and a body of known length. */
void scripted_answer(struct scripted *scripted, unsigned index, const char *status,
                     const char *headers, const char *body);

/* Until it is done, in virtual time. */
void scripted_finish(struct scripted *scripted, struct scripted_talk *talk);

#endif
