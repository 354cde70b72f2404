#ifndef MOOT_EMULATOR_SHAPE_H
#define MOOT_EMULATOR_SHAPE_H

/* What a surface's answers and errors look like, as tables of functions: shape_*.c has one shape
 * each, whole.c and stream.c write any. */
#include "connection.h"
#include "engine/base/json_write.h"
#include "failure.h"

enum moot_emulator_framing {
    MOOT_EMULATOR_LINES,         /* server-sent events */
    MOOT_EMULATOR_FRAMES,        /* AWS event streams */
    MOOT_EMULATOR_FRAMED_CHUNKS, /* the same, each event in base64 */
};

/* One event of a stream. */
struct moot_emulator_event {
    const char *name; /* NULL: none */
    /* Write the members of its JSON object. `text` is what a token says; else "". */
    void (*write)(struct moot_json_writer *w, const struct moot_emulator_connection *connection,
                  struct moot_view text);
    bool (*is_due)(const struct moot_emulator_connection *connection); /* NULL: in every stream */
};

enum { MOOT_EMULATOR_EVENTS_MAX = 4 };

typedef void moot_emulator_write_failure_fn(struct moot_json_writer *w,
                                            const struct moot_emulator_connection *connection,
                                            const struct moot_emulator_failure *failure);

/* Lists end at the first event without `write`. */
struct moot_emulator_shape {
    enum moot_emulator_framing framing;
    bool is_openai;          /* faults that only choices can have apply */
    const char *stream_type; /* content-type of a stream */
    struct moot_emulator_event begin[MOOT_EMULATOR_EVENTS_MAX];
    struct moot_emulator_event token;
    struct moot_emulator_event finish[MOOT_EMULATOR_EVENTS_MAX]; /* why the answer ends */
    struct moot_emulator_event usage[MOOT_EMULATOR_EVENTS_MAX];  /* what comes behind that */
    struct moot_emulator_event last[MOOT_EMULATOR_EVENTS_MAX];   /* the end of the stream itself */
    const char *mark;                           /* such an end that is no JSON; or NULL */
    struct moot_emulator_event error_finish[2]; /* a finish that says "error"; or empty */

    int broken_status;        /* of the failure that breaks a stream off */
    const char *broken_event; /* the name of its event; NULL: none */
    moot_emulator_write_failure_fn *write_broken;

    /* The members of the whole answer, and of a failure's body. */
    void (*write_whole)(struct moot_json_writer *w,
                        const struct moot_emulator_connection *connection);
    moot_emulator_write_failure_fn *write_failure;
    /* The name of a failure, in a header of its own; NULL: none. */
    const char *(*error_type)(const struct moot_emulator_failure *failure);
};

extern const struct moot_emulator_shape moot__emulator_shape_openai;
extern const struct moot_emulator_shape moot__emulator_shape_databricks;
extern const struct moot_emulator_shape moot__emulator_shape_anthropic;
extern const struct moot_emulator_shape moot__emulator_shape_azure;
extern const struct moot_emulator_shape moot__emulator_shape_converse;
extern const struct moot_emulator_shape moot__emulator_shape_invoke;

const struct moot_emulator_shape *
moot__emulator_shape_of(const struct moot_emulator_connection *connection);

/* Every function below appends one document without a newline to `out` and returns MOOT_OK,
 * MOOT_ENOMEM or MOOT_ELIMIT. */
MOOT_NODISCARD int moot__emulator_shape_whole(const struct moot_emulator_connection *connection,
                                              struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_shape_event(const struct moot_emulator_connection *connection,
                                              const struct moot_emulator_event *event,
                                              struct moot_view text, struct moot_buf *out);
MOOT_NODISCARD int moot__emulator_shape_failure(const struct moot_emulator_connection *connection,
                                                const struct moot_emulator_failure *failure,
                                                struct moot_buf *out);
/* The failure that breaks a stream off. */
MOOT_NODISCARD int moot__emulator_shape_broken(const struct moot_emulator_connection *connection,
                                               const struct moot_emulator_failure *failure,
                                               struct moot_buf *out);
/* The error as the object of {"object":"error",...} (older vLLM). */
MOOT_NODISCARD int moot__emulator_shape_error_object(const struct moot_emulator_failure *failure,
                                                     struct moot_buf *out);

/* ---- for the shapes ---- */

/* What an answer of so many tokens used; the same for every golden one. */
struct moot_emulator_usage {
    uint64_t prompt, completion;
};
struct moot_emulator_usage moot__emulator_usage(const struct moot_emulator_connection *connection,
                                                uint64_t completion);

/* The arguments with which a tool is called, as an object: the question, or none. */
void moot__emulator_write_arguments(struct moot_json_writer *w, struct moot_view question,
                                    bool has_any);
/* A member "p" of a length that is drawn, as Bedrock pads its events. */
void moot__emulator_write_padding(struct moot_json_writer *w,
                                  const struct moot_emulator_connection *connection);

bool moot__emulator_is_call(const struct moot_emulator_connection *connection);

/* Wall seconds at which the answer was made, and the golden ones'. */
#define MOOT_EMULATOR_GOLDEN_CREATED UINT64_C(1700000000)
uint64_t moot__emulator_created(const struct moot_emulator_connection *connection);

void moot__emulator_member_or_null(struct moot_json_writer *w, const char *key, const char *text);

#endif
