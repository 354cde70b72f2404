#ifndef MOOT_ENGINE_H
#define MOOT_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include <moot/alloc.h>
#include <moot/budget.h>
#include <moot/error.h>
#include <moot/plan.h>
#include <moot/version.h>
#include <moot/view.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s;

/* One event loop's worth of conversations. Everything but moot_engine_post belongs to the engine's
 * own thread: the one that turns its loop. */
struct moot_engine;

enum moot_log_level { MOOT_LOG_DEBUG, MOOT_LOG_INFO, MOOT_LOG_WARNING, MOOT_LOG_ERROR };

/* How the engine runs. */
enum moot_engine_mode {
    /* On the host's uv_loop_t, given in `loop`; the host runs it. Conversations and a close keep
     * uv_run going until they are done; an idle engine does not. */
    MOOT_ENGINE_ON_LOOP,
    MOOT_ENGINE_EMBEDDED, /* inside any other event loop, by fd, timeout and turn */
    MOOT_ENGINE_THREAD,   /* on a thread of its own; talk to it with moot_engine_post */
};

struct moot_engine_options {
    size_t size; /* sizeof(struct moot_engine_options) */
    const struct moot_allocator *allocator;
    struct moot_plan *plan;     /* required; the engine takes a reference */
    struct moot_budget *budget; /* NULL: one of its own */
    enum moot_engine_mode mode;
    struct uv_loop_s *loop; /* ON_LOOP only; must outlive the engine's on_closed */
    /* PEM file of the authorities to trust; NULL: the system's. Verification cannot be turned off.
     */
    const char *ca_file;
    /* Most conversations talking at once; the rest wait in order. 0: no cap but the budget's. */
    unsigned concurrency;
    /* An open trace from moot_trace_open for its spans, or NULL for none. */
    struct moot_trace *trace;
    /* Called on the engine's thread; NULL: silent. No secret and no prompt is ever in `message`. */
    void (*log)(void *context, enum moot_log_level level, struct moot_view message);
    void *log_context;
};

/* Make an engine. On failure *out is NULL and `info` (may be NULL) says why: MOOT_EINVAL,
 * MOOT_ENOMEM, MOOT_ECONFIG (no usable certificate authorities), MOOT_EIO. With
 * MOOT_ENGINE_THREAD the thread runs when this returns. With MOOT_ENGINE_ON_LOOP a failure may
 * leave closing handles in the host's loop, which its next turns see off.
 *
 * Full TLS handshakes and name look-ups run on a few threads that the engine makes, so that they do
 * not hold up its loop; on Linux those threads, and no other, lower their priority by 10. */
MOOT_API MOOT_NODISCARD int moot_engine_new(const struct moot_engine_options *options,
                                            struct moot_engine **out, struct moot_error_info *info);

/* End every conversation as cancelled (each still gets its one on_done), close every connection,
 * then call `on_closed` once and free the engine: it must not be used from there on. No handle is
 * left in the host's loop. Once only; from here on no conversation begins and no post is taken.
 * ON_LOOP and EMBEDDED: engine's thread only; `on_closed` comes from a later turn, so keep turning
 * until then. THREAD: any thread; `on_closed` comes from the engine's thread as its last act, and
 * the thread, which nobody joins, is then gone. */
MOOT_API void moot_engine_close(struct moot_engine *engine, void (*on_closed)(void *data),
                                void *data);

/* The one call that any thread may make: run `run(engine, data)` once on the engine's thread.
 * MOOT_ENOMEM; MOOT_EBUSY once the engine is closing, and then `run` does not come. A post that was
 * accepted always runs, before on_closed at the latest. */
MOOT_API MOOT_NODISCARD int moot_engine_post(struct moot_engine *engine,
                                             void (*run)(struct moot_engine *engine, void *data),
                                             void *data);

/* EMBEDDED: poll `moot_engine_fd` for reading, wait at most `moot_engine_timeout_ms` (-1: for ever,
 * 0: do not wait), then call moot_engine_turn, which never blocks; ask for the timeout anew before
 * each wait. Inside a callback of the engine a turn does nothing. After on_closed, none of these.
 */
MOOT_API int moot_engine_fd(const struct moot_engine *engine);
MOOT_API int moot_engine_timeout_ms(const struct moot_engine *engine);
MOOT_API void moot_engine_turn(struct moot_engine *engine);

/* Counters since the engine was made. Engine's thread. */
struct moot_engine_stats {
    size_t size; /* sizeof(struct moot_engine_stats), set by the caller */
    uint64_t conversations_begun, conversations_done;
    uint64_t calls, calls_failed, retries, throttled, connections, handshakes, resumed;
    uint64_t input_tokens, output_tokens;
    uint64_t spans_dropped;
};
MOOT_API void moot_engine_stats(const struct moot_engine *engine, struct moot_engine_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
