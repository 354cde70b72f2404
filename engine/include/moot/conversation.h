#ifndef MOOT_CONVERSATION_H
#define MOOT_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moot/engine.h>
#include <moot/error.h>
#include <moot/version.h>
#include <moot/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One conversation: every role of the plan's flow speaks in turn. Belongs to its engine from begin
 * until its on_done returns, and must not be used after that. */
struct moot_conversation;

struct moot_message {
    struct moot_view role;    /* "user", "assistant", "system", ... */
    struct moot_view content; /* text, UTF-8 */
};

struct moot_usage {
    uint64_t input_tokens, output_tokens, total_tokens;
    uint64_t reasoning_tokens;     /* of the output */
    uint64_t cached_tokens;        /* of the input, read from the provider's cache */
    bool known;                    /* the provider said so; else zero */
    uint64_t cache_written_tokens; /* of the input, put into it */
};

/* How one role of the flow ended. Texts are valid until the callback that shows them returns. */
struct moot_agent_reply {
    struct moot_view role, endpoint, model;
    struct moot_view text;
    struct moot_view finish_reason; /* as the provider spelled it: "stop", "length", ... */
    struct moot_usage usage;        /* of all attempts together, as far as they said */
    unsigned attempts;         /* calls made, the successful one included; 0: given by the caller */
    bool possible_duplicate;   /* an attempt before may have been billed as well */
    struct moot_view provider; /* the plan's name of whom answered */
    unsigned fallbacks;        /* endpoints of the role that were given up before this one */
};

enum moot_wait {
    MOOT_WAIT_SLOT,
    MOOT_WAIT_QUOTA,
    MOOT_WAIT_BACKOFF,
    MOOT_WAIT_CREDENTIAL, /* a token is being fetched, for all who wait */
    MOOT_WAIT_PROVIDER,   /* it fails for everybody, and is asked by one call now and then */
};

enum moot_event_type {
    MOOT_EVENT_AGENT_BEGAN, /* agent, role */
    MOOT_EVENT_TOKENS,      /* text: a piece of the answer of `role` */
    MOOT_EVENT_WAITING,     /* wait, until_ns; for MOOT_WAIT_PROVIDER, error: since when and why */
    MOOT_EVENT_RETRY, /* error: why the last attempt failed; until_ns, 0 at another endpoint */
    MOOT_EVENT_AGENT_FINISHED, /* reply */
};

/* Sets of event types, for moot_conversation_options.events. */
#define MOOT_EVENT_BIT(type) (1u << (type))

struct moot_event {
    enum moot_event_type type;
    unsigned agent;        /* position in the flow, from 0 */
    struct moot_view role; /* who */
    struct moot_view text;
    enum moot_wait wait;
    uint64_t until_ns; /* a span from now, 0 when not known */
    const struct moot_error_info *error;
    const struct moot_agent_reply *reply;
};

/* How a conversation ended. `error.code` is MOOT_OK for an answer; else a partial answer may still
 * be in `text`, and is never to be taken for a whole one. */
struct moot_outcome {
    struct moot_error_info error;
    struct moot_view text;          /* the last role's answer */
    struct moot_view model;         /* the last role's endpoint */
    struct moot_view finish_reason; /* the last role's */
    struct moot_usage usage;        /* of all calls together, failed ones that said it too */
    unsigned calls, retries;        /* attempts of all roles; of them, not a role's first */
    double cost;                    /* by the plan's prices; 0 where it has none */
    const struct moot_agent_reply *replies; /* of the roles that finished, in the flow's order */
    size_t reply_count;
    uint64_t began_wall_ns, ended_wall_ns;
    uint64_t waited_ns; /* for slots, quota and back-off: not at work */
    bool possible_duplicate;
    unsigned fallbacks; /* endpoints that were given up for the next one of their role */
};

struct moot_conversation_options {
    size_t size; /* sizeof(struct moot_conversation_options) */
    const struct moot_message *messages;
    size_t message_count;
    /* The caller's own sampling parameters, a JSON object, or empty. Used as the plan's
     * `caller_params` says. */
    struct moot_view params;
    /* A name for traces, such as a row's id; may be empty. */
    struct moot_view name;
    /* Replies of the flow's first roles that are known already (a resumed row); not asked again. */
    const struct moot_agent_reply *replies;
    size_t reply_count;
    bool stream;            /* ask the providers to stream; the answer is the same */
    uint64_t work_limit_ns; /* time at work, waiting for quota left out; 0: none */
    /* How long to wait for a provider that fails for everybody, from its last answer on; then the
     * conversation fails with MOOT_EOUTAGE. One minute at most for one that never answered; 0: one
     * minute. */
    uint64_t outage_limit_ns;
    /* Which events are wanted, MOOT_EVENT_BIT(...) | ...; 0: all. An answer of which tokens were
     * shown is never asked for again, so leave TOKENS out where only whole answers matter. */
    unsigned events;
    /* Each called on the engine's thread. on_event may be NULL; on_done comes exactly once, last.
     */
    void (*on_event)(struct moot_conversation *conversation, const struct moot_event *event,
                     void *data);
    void (*on_done)(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data);
    void *data;
};

/* Begin a conversation. Options and all that they point to are copied. 0 and *out; or MOOT_EINVAL,
 * MOOT_ELIMIT (too many or too large messages), MOOT_EUTF8, MOOT_EJSON (params), MOOT_EBUSY
 * (closing, or too many conversations are open), MOOT_ENOMEM, and then no callback comes. */
MOOT_API MOOT_NODISCARD int moot_conversation_begin(struct moot_engine *engine,
                                                    const struct moot_conversation_options *options,
                                                    struct moot_conversation **out);

/* End it as soon as possible, with outcome MOOT_ECANCELED from a later turn. Idempotent; too late
 * is allowed until on_done returned. */
MOOT_API void moot_conversation_cancel(struct moot_conversation *conversation);

/* Stop reading from the provider's socket, and go on. Between them no MOOT_EVENT_TOKENS comes, and
 * the provider is held back by TCP. An answer of which tokens are still to be shown is not finished
 * before they are. Idempotent; deadlines go on, but for the one on the provider's silence. */
MOOT_API void moot_conversation_pause(struct moot_conversation *conversation);
MOOT_API void moot_conversation_resume(struct moot_conversation *conversation);

#ifdef __cplusplus
}
#endif
#endif
