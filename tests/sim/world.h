#ifndef MOOT_TEST_SIM_WORLD_H
#define MOOT_TEST_SIM_WORLD_H

/* A simulated world: engines and an emulated provider on hosts of one moot_sim, the whole drawn
 * from a seed, with what a user may rely on checked after every step and at the end.
 *
 * world_draw.c decides what the seed means, world.c lives it, world_talk.c its users, world_check.c
 * judges what was said, world_books.c what was billed. */
#include <moot.h>

#include "bench/emulator/server.h"
#include "engine/base/rng.h"
#include "tests/support/failing_alloc.h"
#include "trace/ring.h"
#include "transport_sim.h"

enum {
    WORLD_ENGINES = 4,
    WORLD_ROLES = 3,
    WORLD_TALKS = 60,
    WORLD_TALKS_ALL = WORLD_TALKS + WORLD_ENGINES, /* with a last one for each engine */
    WORLD_RULES = 6,
    WORLD_JUMPS = 3,
    WORLD_RECEIPTS = 64, /* kept of one turn */
    WORLD_TEXT_BYTES = 2048,
    WORLD_ARRIVALS = 4096,
};

/* The key that must not be seen anywhere but in a request's header. */
#define WORLD_CANARY "~canary-5b1f-never-to-be-seen"

/* After faults stopped: hints, pauses and connections that they spoilt are over. */
#define WORLD_SETTLE_NS (UINT64_C(200) * MOOT_NS_PER_S)

/* What the seed means. */
struct world_plan {
    unsigned engines, talks, roles;
    unsigned concurrency; /* of each engine; 0: no cap */
    bool is_shared;       /* engines share one budget */
    uint64_t rpm;         /* as the plan says; 0: not said */
    const char *type, *host;
    uint64_t provider_concurrency; /* 0: auto */
    uint64_t max_tokens;
    bool retry_unknown_fails;
    size_t fail_at;    /* the allocation of the engines that fails; 0: none */
    bool stays_failed; /* and all after it, until faults stop */
    /* Small limits inside our own code. */
    size_t read_bytes_max, idle_max, ring_bytes;
    uint64_t dns_ttl_ns;
    unsigned connections_max; /* of the provider; more are reset */
    struct {
        uint64_t at_ns;
        int64_t seconds;
    } jumps[WORLD_JUMPS]; /* of the engines' wall clock, in order of time */
    unsigned jump_count;
    uint64_t begin_span_ns; /* conversations begin within it */
    uint64_t heal_ns;       /* when faults stop */
    uint64_t close_ns;      /* when the engines close; MOOT_NEVER_NS: once all is done */
    struct moot_sim_options sim;
    struct moot_emulator_options emulator;
    struct moot_emulator_rule rules[WORLD_RULES];
};

/* What the provider billed, by its receipts. */
struct world_books {
    uint64_t billed, tokens_in, tokens_out;
};

struct world_receipt {
    uint64_t text_hash, tokens, tokens_in, tokens_out;
    enum moot_emulator_fault fault;
};

/* One role's turn of one conversation, as the provider and as the engine saw it. */
struct world_turn {
    unsigned billed; /* receipts; the first are kept */
    struct world_books books;
    struct world_receipt receipts[WORLD_RECEIPTS];
    bool is_answered;
    uint64_t text_hash;
    bool is_echo; /* the text is what the function of the question says */
    struct moot_usage usage;
    bool possible_duplicate;
    bool is_shown_right; /* tokens that were shown make the text */
};

struct world;

/* What a user does from inside a callback, once. */
enum world_act { WORLD_NOTHING, WORLD_CANCEL, WORLD_PAUSE, WORLD_CLOSE };

struct world_talk {
    struct world *world;
    unsigned number, engine;
    char question[512];
    bool is_last; /* begins when faults are long over, and must be answered */
    bool is_streamed, wants_tokens;
    uint64_t work_limit_ns;
    uint64_t begin_ns, cancel_ns, pause_ns, resume_ns; /* MOOT_NEVER_NS: not */
    enum world_act act;                                /* in an event of the type `act_event` */
    enum moot_event_type act_event;
    unsigned begins_after; /* in the on_done of an earlier one of its engine; its own number: not */
    bool is_paused;
    uint64_t cancelled_ns; /* when; 0: not */
    struct moot_timer timer;
    struct moot_conversation *conversation; /* NULL before begin and after done */
    bool has_begun, is_over;
    int refused; /* what begin returned, if not MOOT_OK */
    unsigned done;
    uint64_t began_ns, done_ns, waited_ns;
    struct moot_error_info error;
    bool possible_duplicate;
    size_t reply_count;
    struct moot_usage usage;
    char shown[WORLD_TEXT_BYTES];
    size_t shown_len;
    struct world_turn turns[WORLD_ROLES];
};

struct world {
    uint64_t seed;
    bool is_verbose;
    struct moot_rng rng; /* of the draw only; the simulation has its own */
    struct world_plan plan;
    struct moot_sim *sim;
    struct moot_failing_alloc memory, provider_memory;
    struct moot_transport *hosts[WORLD_ENGINES], *provider_host;
    struct moot_emulator_server *server;
    struct moot_plan *config;
    struct moot_budget *budget;
    struct moot_engine *engines[WORLD_ENGINES];
    bool engine_is_closed[WORLD_ENGINES], is_closing, is_healed;
    unsigned hosts_closed, hosts_open;
    struct moot_ring ring;
    struct moot_timer heal_timer;
    struct moot_timer close_timer, jump_timer;
    unsigned jumps_made;
    struct world_talk talks[WORLD_TALKS_ALL];
    struct world_books books;
    struct moot_engine_stats stats[WORLD_ENGINES]; /* as of its last on_done */
    unsigned over;                                 /* of the talks: done, or refused at begin */
    uint64_t arrivals[WORLD_ARRIVALS]; /* when requests reached the provider; the latest */
    uint64_t arrival_count;
    uint64_t corruptions, doubled; /* answers; what they were taken for is anybody's guess */
    uint64_t hash, steps, virtual_ns;
    bool has_failed;
    char failure[512];
};

struct world_result {
    bool has_failed;
    char failure[512];
    uint64_t hash, steps, virtual_ns;
    unsigned answered, failed, cancelled;
};

/* Live the world of a seed, from nothing to nothing. `is_verbose` prints what happens. */
void world_run(uint64_t seed, bool is_verbose, struct world_result *result);

double world_seconds(const struct world *world);

/* world_talk.c: the talk's next act is due, its beginning the first. */
void world_on_talk_timer(struct moot_timer *timer);

/* world_draw.c */
void world_draw(struct world *world);
void world_describe(const struct world *world);
int world_write_config(const struct world *world, uint16_t port, char *text, size_t size);

/* world_check.c: after every step; of an outcome; of what anybody said; at the end. */
void world_fail(struct world *world, const char *format, ...) MOOT_PRINTF(2, 3);
void world_check_step(struct world *world);
void world_check_said(struct world *world, const char *where, struct moot_view text);
void world_check_outcome(struct world_talk *talk, const struct moot_outcome *outcome);
void world_check_end(struct world *world);
uint64_t world_hash(struct moot_view text);

/* Whether an answer may be taken for another's, so that only what holds of any answer is asked. */
bool world_is_muddled(const struct world *world);
struct moot_view world_find(struct moot_view text, const char *part);

/* world_books.c: the provider's receipts as they come; its own ledger, while it lives; at the end.
 */
void world_take_receipt(void *context, const struct moot_emulator_receipt *receipt);
void world_check_ledger(struct world *world);
void world_check_books(struct world *world);

#endif
