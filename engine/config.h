#ifndef MOOT_CONFIG_H
#define MOOT_CONFIG_H

/* The plan: a configuration once read and checked. Immutable and reference-counted; shared by every
 * engine of the process, on any thread. The public face is <moot/plan.h>; this is what the engine
 * sees of it. Everything lives in the plan's arena. */
#include <moot/plan.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agents/agent.h"
#include "agents/dialect.h"
#include "agents/flow.h"
#include "credential_source.h"
#include "engine/base/arena.h"
#include "limiter.h"
#include "net/http1.h"
#include "net/url.h"
#include "price.h"
#include "retry.h"

/* The shipped values of the waits of a call; 0 in a plan never occurs. */
#define MOOT_TIMEOUT_CONNECT_NS    (UINT64_C(10) * MOOT_NS_PER_S)
#define MOOT_TIMEOUT_FIRST_BYTE_NS (UINT64_C(300) * MOOT_NS_PER_S)
#define MOOT_TIMEOUT_IDLE_NS       (UINT64_C(120) * MOOT_NS_PER_S)
#define MOOT_TIMEOUT_TOTAL_NS      (UINT64_C(600) * MOOT_NS_PER_S)

struct moot_timeouts {
    uint64_t connect_ns;    /* resolve, connect, TLS */
    uint64_t first_byte_ns; /* from the end of the request to the head of the answer */
    uint64_t idle_ns;       /* between two reads of an answer */
    uint64_t total_ns;      /* one attempt */
};

struct moot_provider {
    struct moot_view name;
    const struct moot_dialect *dialect; /* by type and surface */
    enum moot_auth auth;                /* the dialect's, or as said */
    struct moot_view version;           /* of the API, as said; empty: the dialect's */
    struct moot_view base_url;          /* with scheme, without a slash at its end */
    struct moot_url url;                /* views into base_url */
    struct moot_view proxy;             /* empty: none */
    bool allow_http;
    struct moot_view region, service;       /* of AWS: what a signature is good for */
    struct moot_credential_spec credential; /* an engine keeps a copy of the secrets */
    const struct moot_http1_header *headers;
    size_t header_count;
    struct moot_limiter_options quota;
    struct moot_view share; /* path of the quota's file, NUL-terminated; empty: not shared */
    struct moot_timeouts timeouts;
    struct moot_retry_policy retry;
    const struct moot_price *prices;
    size_t price_count;
};

/* The optional `batch` section: defaults of the command's options. 0 and false: not given. */
struct moot_batch_settings {
    uint64_t row_timeout_ns;
    uint64_t concurrency;
    uint64_t loops;
    uint64_t errors_max;   /* `max_errors: 10` */
    double errors_percent; /* `max_errors: 5%` */
    double cost_max;       /* US dollars */
    bool stream;
};

/* A doubt about a configuration that is read all the same. */
struct moot_plan_warning {
    struct moot_view text; /* a whole sentence, with the place if it has one; no secrets */
    unsigned line, column; /* 0: of no place */
};

struct moot_plan {
    _Atomic unsigned refs;
    const struct moot_allocator *allocator;
    struct moot_arena arena;
    struct moot_agents agents; /* in the order of the file */
    struct moot_flow flow;
    struct moot_view user_response_instruction;
    bool history_first_only; /* the tutorial's habit: messages[0] alone */
    enum moot_caller_params caller_params;
    struct moot_provider *providers;
    size_t provider_count;
    struct moot_batch_settings batch;
    struct moot_plan_warning *warnings; /* MOOT_LIMIT_WARNINGS of them, or NULL */
    size_t warning_count;
    char fingerprint[33];
};

/* What is said to the judge when the configuration says nothing; the tutorial's default. */
#define MOOT_DEFAULT_USER_RESPONSE "Can you make the answer better?"

/* What a command line lays over the plan's quotas. 0: as in the plan. */
struct moot_quota_override {
    struct moot_view provider;
    uint64_t per_minute[MOOT_METERS];
};

struct moot_plan_overrides {
    const struct moot_quota_override *quotas;
    size_t quota_count;
    uint32_t concurrency; /* of every provider */
};

/* What a limiter for this provider is made from. `overrides` may be NULL. */
struct moot_limiter_options moot__provider_quota(const struct moot_provider *provider,
                                                 const struct moot_plan_overrides *overrides);

/* Those that name an endpoint win over `*`; NULL: not known. */
const struct moot_price *moot__provider_price(const struct moot_provider *provider,
                                              struct moot_view endpoint);

/* NULL if there is none of that name. */
const struct moot_provider *moot__plan_provider(const struct moot_plan *plan,
                                                struct moot_view name);

/* Compute the fingerprint of a plan whose agents, flow and configuration are in place: a 128-bit
 * hash of a canonical JSON of them. Stable across versions, machines and the spelling of the file
 * (YAML or JSON, order of roles and of keys). In config_fingerprint.c. MOOT_ENOMEM, MOOT_ELIMIT. */
MOOT_NODISCARD int moot__plan_compute_fingerprint(struct moot_plan *plan);

#endif
