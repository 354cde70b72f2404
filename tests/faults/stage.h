#ifndef MOOT_TEST_FAULTS_STAGE_H
#define MOOT_TEST_FAULTS_STAGE_H

/* Where the fault catalogue is played: an engine of one role and a provider that does wrong what a
 * case says, on the loop of tests/support/loop.h, so that the same case is lived on real sockets
 * and in simulation. The provider's first connection does the wrong; what comes after is well. */
#include <moot.h>

#include "engine/base/buf.h"
#include "tests/support/loop.h"

#define STAGE_KEY    "canary-2e90-never-to-be-seen"
#define STAGE_ANSWER "Because."

/* When the provider begins to do it, and how its connection ends. */
enum fault_place { AT_REQUEST, AT_ACCEPT, AT_FIRST_BYTE, AT_SECOND_REQUEST };
enum fault_end { END_KEEP, END_FIN, END_RST, END_SILENCE };

enum fault_mode { STREAM = 1, WHOLE = 2, BOTH = 3 };

struct fault_case {
    const char *row;  /* of the catalogue */
    const char *name; /* what is done */
    enum fault_mode modes;
    int code; /* what the conversation says; MOOT_OK: the answer is STAGE_ANSWER, or `text` */

    /* What is sent: a status line, headers and a body of known length; or, without a status, the
     * bytes of `body` as they are. In place of "@n*text@" in the body stands n times the text. */
    const char *status;
    const char *headers;
    struct moot_view body;
    enum fault_place place;
    enum fault_end end;
    uint64_t drip_ns; /* the body comes byte by byte, so far apart */

    const char *text;     /* of the answer; NULL: STAGE_ANSWER, or nothing with an error */
    const char *says;     /* part of the message; NULL: anything */
    unsigned connections; /* after a second question, which must be answered; 0: do not count */
    bool is_duplicate;    /* the call may have been billed without an answer */
    bool is_kept;         /* the second question goes over the first connection */
};

struct stage_peer {
    struct stage *stage;
    struct moot_stream *stream;
    struct moot_buf got, out;
    size_t sent, requests, answered, searched;
    bool is_first, is_silent, is_ending;
    struct moot_timer timer;
    struct moot_list node;
};

struct stage {
    struct test_loop loop;
    struct moot_acceptor acceptor;
    struct moot_list peers;
    struct moot_buf answer; /* of the first connection */
    const struct fault_case *fault;
    bool is_stream;
    unsigned connections;
    struct moot_plan *plan;
    struct moot_engine *engine;
    int closed;

    int done; /* of the latest question */
    struct moot_error_info error;
    char text[4096];
    bool possible_duplicate;
    unsigned attempts;
};

/* `url` NULL: the stage's own provider. */
void stage_open(struct stage *stage, const struct fault_case *fault, bool is_stream,
                const char *url);
void stage_ask(struct stage *stage);   /* and wait for the end */
void stage_close(struct stage *stage); /* fails the test when anything is left */

#endif
