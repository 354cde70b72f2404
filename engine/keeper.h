#ifndef MOOT_KEEPER_H
#define MOOT_KEEPER_H

/* Keeps one upstream's credential: has it fetched when it is first wanted, again before it ends
 * while it is in use, and once more when the provider refused it. However many conversations want
 * it, one fetch is under way, and all of them wait for that one.
 *
 * Nothing is fetched that nobody wants: an idle engine lets its credentials end.
 *
 * Thread: the engine's. */
#include "credential_source.h"
#include "engine/base/list.h"
#include "engine/base/sm.h"
#include "net/transport.h"

struct moot_engine;
struct moot_provider;

enum moot_keeper_verdict {
    MOOT_KEEPER_READY,
    MOOT_KEEPER_WAIT,   /* queue, and ask again when woken */
    MOOT_KEEPER_FAILED, /* `error` says why; asked again later it is tried again */
};

enum moot_keeper_refusal {
    MOOT_KEEPER_OTHER, /* there is another credential by now: try again */
    MOOT_KEEPER_RENEW, /* another one is asked for: try again, and ask before */
    MOOT_KEEPER_SAME,  /* there is no other: the refusal is final */
};

struct moot_keeper {
    /* Read by others. `generation` counts the credentials it had, `failures` the times that none
     * came; whoever waited knows by them what happened. */
    struct moot_access access;
    unsigned generation, failures;
    struct moot_error_info error; /* of the last failure, ECREDENTIAL or ENOMEM; if it is retriable,
                                     it is tried again for as long as somebody waits */
    bool is_same;                 /* and that was because it is given the refused one again */

    /* Its own. */
    struct moot_engine *engine;
    struct moot_credential_spec spec; /* a copy */
    struct moot_view region;          /* of AWS keys; or empty */
    struct moot_fetch fetch;
    struct moot_sm sm;
    struct moot_list waiting;
    struct moot_timer timer; /* until the next try */
    unsigned tries;
    bool is_refused, is_closed;
    uint64_t stop_ns, fresh_ns; /* when it is used no more; when it is fetched anew */
    uint64_t not_before_ns;     /* the next fetch that nobody waits for */
    uint64_t failed_until_ns;   /* so long everybody is told of the last failure */
    void (*wake)(struct moot_list *node);
};

/* `index`: of the provider in the plan. `wake`: a node left the queue; ask again, from the loop,
 * not at once. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__keeper_init(struct moot_keeper *keeper, struct moot_engine *engine,
                                     unsigned index, void (*wake)(struct moot_list *node));

/* May it be used now? Begins a fetch where one is due. */
enum moot_keeper_verdict moot__keeper_ask(struct moot_keeper *keeper);

/* Wait for it: once, after MOOT_KEEPER_WAIT. To leave, unlink the node. */
void moot__keeper_queue(struct moot_keeper *keeper, struct moot_list *node);

/* The provider refused the credential of this generation. */
enum moot_keeper_refusal moot__keeper_refused(struct moot_keeper *keeper, unsigned generation);

/* Whether it can give another one. */
bool moot__keeper_can_renew(const struct moot_keeper *keeper);

/* Nobody waits any more. True: nothing is under way. False: the engine's closing task is posted
 * when that is so. Idempotent. */
bool moot__keeper_close(struct moot_keeper *keeper);
void moot__keeper_deinit(struct moot_keeper *keeper); /* closed, or never asked; safe on zeroes */

#endif
