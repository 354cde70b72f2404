#ifndef MOOT_TEST_WORLD_H
#define MOOT_TEST_WORLD_H

/* A small world for integration tests: one loop, an emulated provider behind a real socket, and an
 * engine that talks to it with two roles. */
#include <moot.h>

#include "bench/emulator/server.h"
#include "tests/support/loop.h"

struct world_options {
    struct moot_emulator_options emulator;
    const char *api_key;        /* the reference, quoted for YAML; NULL: one that works */
    const char *provider_extra; /* more members of the provider, as ", key: value" */
    const char *plan_extra;     /* more lines at the top level */
    unsigned concurrency;
};

struct world {
    struct test_loop loop;
    struct moot_emulator_server *server;
    struct moot_plan *plan;
    struct moot_engine *engine;
    int engine_closed;
};

struct world_options world_options(void); /* an echo without delay */
/* The plan that a world has, for a provider anywhere. */
struct moot_plan *world_plan(const struct world_options *options, const char *base_url);
void world_init(struct world *world, const struct world_options *options);
void world_close_engine(struct world *world);
void world_deinit(struct world *world); /* everything closed, nothing left */
const struct moot_emulator_ledger *world_ledger(const struct world *world);

/* One conversation and what came of it; texts are copies. */
struct talk {
    struct world *world;
    struct moot_conversation *conversation;
    int done;
    struct moot_error_info error;
    char text[4096], finish_reason[32], model[64], tokens[4096];
    size_t tokens_len, reply_count;
    int events[8];
    struct moot_usage usage;
    bool possible_duplicate;
    unsigned attempts[4], calls, retries;
    double cost;
    void (*on_event)(struct talk *talk, const struct moot_event *event); /* or NULL */
    void (*on_done)(struct talk *talk);                                  /* or NULL */
};

struct moot_conversation_options talk_options(struct talk *talk);
int talk_begin(struct world *world, struct talk *talk, const char *question, bool stream);
void talk_run(struct world *world, struct talk *talk);

#endif
