#ifndef MOOT_EMULATOR_CONNECTION_H
#define MOOT_EMULATOR_CONNECTION_H

/* One client's connection, seen from inside: connection.c drives it, respond.c decides what to
 * answer, stream.c and whole.c write the answer, shape.c its JSON, head.c its headers. */
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/sm.h"
#include "net/http1.h"
#include "request.h"
#include "world.h"

/* What is true in each state, and what leads out of it:
 *   READING    no answer under way; bytes are parsed as they come
 *   WAITING    a whole answer is ready and due at `due_ns`
 *   STREAMING  an event stream is under way, its next step due at `due_ns`
 *   DRAINING   all of the answer is in `out`; the next request is read once that is empty
 *   ENDED      `ending` says how the socket is to end once `out` is empty */
enum moot_emulator_state {
    MOOT_EMULATOR_READING,
    MOOT_EMULATOR_WAITING,
    MOOT_EMULATOR_STREAMING,
    MOOT_EMULATOR_DRAINING,
    MOOT_EMULATOR_ENDED,
    MOOT_EMULATOR_STATES
};

enum moot_emulator_step {
    MOOT_EMULATOR_STEP_HEAD,
    MOOT_EMULATOR_STEP_ROLE,
    MOOT_EMULATOR_STEP_TOKEN,
    MOOT_EMULATOR_STEP_FINISH,
    MOOT_EMULATOR_STEP_USAGE,
    MOOT_EMULATOR_STEP_DONE,
    MOOT_EMULATOR_STEP_END,
};

/* An answer under way. */
struct moot_emulator_reply {
    bool is_open; /* not yet settled with the ledger */
    uint64_t number;
    const struct moot_emulator_rule *rule;
    enum moot_emulator_fault fault;
    uint64_t start_ns;     /* when the request was complete */
    uint64_t created;      /* wall seconds */
    struct moot_view text; /* in the connection's `text` */
    size_t text_at;        /* streams: first byte of the next token */
    uint64_t tokens;       /* in `text` */
    uint64_t tokens_sent;
    uint64_t tokens_reserved; /* of the quota */
    bool is_cut;              /* by the request's max_tokens */
    bool is_call;             /* of the tool offered; `text` is the JSON of its arguments */
    enum moot_emulator_step step;
    bool wrote_event; /* streams: an event went before */
    struct moot_rng jitter;
};

/* A token in `out` whose last byte is not yet consumed. */
struct moot_emulator_mark {
    uint64_t end; /* in bytes of all output so far */
    uint64_t log_entry;
};

enum { MOOT_EMULATOR_MARKS = 16 };

struct moot_emulator_connection {
    struct moot_emulator *emulator;
    struct moot_sm state;
    enum moot_emulator_verdict ending;
    int error; /* the first failure while writing; sticky */
    bool peer_ended;
    uint64_t now_ns; /* of the call under way */

    struct moot_http1_parser *parser;
    struct moot_http1_head head; /* of the request under way; its views are the parser's */
    struct moot_buf in;          /* not yet parsed: bytes behind an answer under way */
    struct moot_arena arena;     /* of the request under way */
    struct moot_buf body;
    struct moot_emulator_request request;

    struct moot_emulator_reply reply;
    struct moot_buf text, json, event; /* scratch of the answer */
    uint64_t due_ns;

    struct moot_buf out;
    size_t out_at;       /* bytes of `out` consumed */
    uint64_t consumed;   /* bytes of all output */
    size_t visible;      /* bytes after out_at that may be seen; SIZE_MAX: all */
    uint64_t visible_ns; /* slow-bytes: when the next one may be seen */
    struct moot_emulator_mark marks[MOOT_EMULATOR_MARKS]; /* oldest first, a ring */
    unsigned mark_first, mark_count;
};

/* Write bytes for the client. A failure is kept in `error` and ends the connection. */
void moot__emulator_put(struct moot_emulator_connection *connection, struct moot_view bytes);
void moot__emulator_put_str(struct moot_emulator_connection *connection, const char *text);

/* One HTTP chunk, or one for each byte under the fault split-utf8; bare bytes for HTTP/1.0. */
void moot__emulator_put_chunk(struct moot_emulator_connection *connection, struct moot_view bytes);

/* What servers say to a connection that was idle for too long, where that is the reply's fault. */
void moot__emulator_put_unasked(struct moot_emulator_connection *c);

/* All of the answer is written. */
void moot__emulator_complete(struct moot_emulator_connection *connection);

/* The answer, and the connection, end here by the reply's fault (close, reset, stall). */
void moot__emulator_cut(struct moot_emulator_connection *connection);

/* The connection ends once its output is consumed. */
void moot__emulator_end(struct moot_emulator_connection *connection,
                        enum moot_emulator_verdict ending);

static inline const struct moot_emulator_fault_info *
moot__emulator_fault_of(const struct moot_emulator_connection *connection)
{
    return moot_emulator_fault_info(connection->reply.fault);
}

/* The id under which the request is answered; false: it has none. */
enum { MOOT_EMULATOR_ID_BYTES = 40 };
bool moot__emulator_request_id(const struct moot_emulator_connection *connection,
                               char id[MOOT_EMULATOR_ID_BYTES]);

/* respond.c: a whole request is in `request` and `body`. */
void moot__emulator_respond(struct moot_emulator_connection *connection);

/* respond.c: the parser refused the request. */
void moot__emulator_refuse(struct moot_emulator_connection *connection, int status,
                           const char *reason);

/* stream.c: plan the stream; then emit one step that is due. */
void moot__emulator_stream_begin(struct moot_emulator_connection *connection);
void moot__emulator_stream_step(struct moot_emulator_connection *connection);

/* whole.c: write the whole answer. */
void moot__emulator_whole(struct moot_emulator_connection *connection);

#endif
