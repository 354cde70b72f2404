#ifndef MOOT_TORTURE_STAGE_H
#define MOOT_TORTURE_STAGE_H

/* A simulated stage for torture: an engine on one host, the emulated provider on another, perhaps a
 * proxy on the provider's; virtual time, and nothing that a seed does not decide. The subject is
 * the engine, or the provider: what the other side does is never counted. */
#include <moot.h>

#include "bench/emulator/server.h"
#include "tests/sim/transport_sim.h"
#include "torture.h"

enum { STAGE_TALKS = 4, STAGE_RULES = 3 };

struct stage;

struct stage_options {
    const char *type;           /* of the provider; NULL: databricks */
    const char *host;           /* in the URL; NULL: 127.0.0.1, or api.test with TLS */
    const char *addresses;      /* what `host` resolves to; NULL: 127.0.0.1 */
    const char *provider_extra; /* more members, as ", key: value" */
    const char *plan_extra;     /* more lines at the top level */
    const char *params;         /* of the conversation, JSON */
    const char *proxy_answer;   /* the proxy says only this */
    bool gives_tokens;          /* and does so as the server that gives the provider's tokens */
    const char *answer;         /* the provider's text; NULL: an echo */
    struct moot_emulator_rule rules[STAGE_RULES];
    uint64_t first_token_ns, inter_token_ns, whole_ns;
    size_t question_bytes;    /* 0: a short one */
    size_t answer_bytes;      /* instead of `answer` */
    unsigned lookups_refused; /* at once */
    unsigned talks;           /* 0: one */
    bool in_turn;             /* one talk after the other, or all at once */
    unsigned rest_s;          /* between them */
    unsigned concurrency;
    uint64_t work_limit_ns;
    uint64_t requests_per_minute;
    bool tls, proxy, stream, trace;
    bool provider_is_subject;
    /* One handshake has 23,000 allocations: they are counted where they are the point. Of the
     * second talk alone, or not at all. */
    bool mbedtls_later, mbedtls_never;
    int expected; /* how each talk ends when nothing fails */
    void (*on_event)(struct stage *stage, const struct moot_event *event); /* of the first talk */
    const char *text;                                                      /* when it is MOOT_OK */
};

struct stage_talk {
    struct stage *stage;
    struct moot_conversation *conversation;
    int begun, done;
    struct moot_error_info error;
    char text[1024];
};

struct stage {
    const struct stage_options *options;
    struct moot_sim *sim;
    struct moot_transport *here, *there;
    struct moot_emulator_options emulator;
    struct moot_emulator_script script;
    struct moot_tls_server *tls;
    struct moot_emulator_server *server;
    struct moot_plan *plan;
    struct moot_trace *trace;
    struct moot_engine *engine;
    struct stage_talk talks[STAGE_TALKS];
    struct moot_timer timer; /* of a scenario's own */
    int engine_closed, hosts_closed;
    unsigned judged; /* the talk whose end is being looked at */
    bool acted;
};

/* Live it: everything from the plan to the engine's end. */
void stage_run(const struct torture_scenario *scenario);

/* The stage that is played on, or NULL; and who wants to know when a host takes a turn. */
struct stage *stage_now(void);
extern void (*stage_on_turn)(struct stage *stage, bool is_here);

/* Let the engine close, as its host would. */
void stage_close_engine(struct stage *stage);

#endif
