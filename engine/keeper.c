/* What it has (nothing, a credential, one that was refused or has ended) and what it does are two
 * things. This is what it does:
 *
 *   idle ──► fetching ──► idle       everybody who waits is told
 *     ▲          │ ▲
 *     │          ▼ │
 *     └─────── pausing               a failure that may pass, while somebody waits: each is told,
 *                                    and leaves or queues again, as patient as it is
 *
 * A fetch for a credential that is still good is for the future: nobody waits, and when it fails
 * the good one goes on being used. */
#include "keeper.h"

#include "engine.h"
#include "engine/base/check.h"
#include "engine/base/err.h"

#define PAUSE_BASE_NS (UINT64_C(1) * MOOT_NS_PER_S)
#define PAUSE_CAP_NS  (UINT64_C(8) * MOOT_NS_PER_S)
#define TOLD_NS       (UINT64_C(1) * MOOT_NS_PER_S)

enum { IDLE, FETCHING, PAUSING, STATES };

static const struct moot_sm_state keeper_states[STATES] = {
    [IDLE] = {"idle", MOOT_SM_TO(FETCHING)},
    [FETCHING] = {"fetching", MOOT_SM_TO(IDLE) | MOOT_SM_TO(PAUSING)},
    [PAUSING] = {"pausing", MOOT_SM_TO(FETCHING) | MOOT_SM_TO(IDLE)},
};

static uint64_t now_ns(const struct moot_keeper *keeper)
{
    return moot__now_ns(keeper->engine->transport);
}

static bool is_async(const struct moot_keeper *keeper)
{
    return keeper->spec.source && keeper->spec.source->begin;
}

static bool is_good(const struct moot_keeper *keeper)
{
    if (!is_async(keeper))
        return true;
    return !keeper->is_refused && moot__access_kind(&keeper->access) != MOOT_ACCESS_NONE &&
           now_ns(keeper) < keeper->stop_ns;
}

static void wake_all(struct moot_keeper *keeper)
{
    struct moot_list *node;
    while ((node = moot__list_pop_front(&keeper->waiting)))
        keeper->wake(node);
}

/* ---- A fetch and its end ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void set_end(struct moot_keeper *keeper, uint64_t lifetime_ns)
{
    const struct moot_credential_margins *margins = &keeper->spec.source->margins;
    keeper->stop_ns = keeper->fresh_ns = MOOT_NEVER_NS;
    if (lifetime_ns == MOOT_NEVER_NS)
        return;
    uint64_t end_ns = moot__ns_add(now_ns(keeper), lifetime_ns);
    keeper->stop_ns = end_ns - least(margins->stop_ns, lifetime_ns / 4);
    keeper->fresh_ns = end_ns - least(margins->fresh_ns, lifetime_ns / 2);
}

static void give_up(struct moot_keeper *keeper, const struct moot_error_info *error, bool is_same)
{
    keeper->error = *error;
    keeper->is_same = is_same;
    keeper->failures++;
    keeper->tries = 0;
    keeper->failed_until_ns = moot__ns_add(now_ns(keeper), TOLD_NS);
    wake_all(keeper);
}

/* Keys to sign with, where nobody knows for which region. */
static bool is_of_use(const struct moot_keeper *keeper)
{
    return moot__access_kind(&keeper->access) != MOOT_ACCESS_AWS_KEYS || keeper->region.len > 0;
}

static void succeed(struct moot_keeper *keeper)
{
    struct moot_credential_answer *answer = &keeper->fetch.answer;
    bool is_same = keeper->is_refused && moot__access_eq(&answer->access, &keeper->access);
    moot__access_deinit(&keeper->access);
    keeper->access = answer->access;
    answer->access = (struct moot_access){{NULL}};
    set_end(keeper, answer->lifetime_ns);
    if (!is_of_use(keeper)) {
        moot__access_deinit(&keeper->access);
        struct moot_error_info error;
        moot__fail(&error, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                   "credential: %s gives AWS keys, with which this provider's requests cannot be "
                   "signed: it has no region",
                   keeper->spec.source->name);
        give_up(keeper, &error, false);
        return;
    }
    if (is_same) {
        struct moot_error_info error;
        moot__fail(&error, MOOT_ECREDENTIAL, MOOT_PHASE_CREDENTIAL,
                   "credential: the provider refused it (HTTP 401), and %s gives the same again; "
                   "ask for another one there",
                   keeper->spec.source->name);
        give_up(keeper, &error, true);
        return;
    }
    keeper->generation++;
    keeper->tries = 0;
    keeper->is_refused = false;
    keeper->not_before_ns = keeper->failed_until_ns = 0;
    wake_all(keeper);
}

/* Full jitter under a doubling ceiling. */
static void pause_a_little(struct moot_keeper *keeper, const struct moot_error_info *error)
{
    uint64_t span_ns = PAUSE_BASE_NS;
    for (unsigned i = 1; i < keeper->tries && span_ns < PAUSE_CAP_NS; i++)
        span_ns *= 2;
    uint64_t pause_ns = (uint64_t)(moot__rng_unit(&keeper->engine->rng) * (double)span_ns);
    moot__sm_move(&keeper->sm, PAUSING);
    moot__timer_start(keeper->engine->transport, &keeper->timer,
                      moot__ns_add(now_ns(keeper), pause_ns));
    keeper->error = *error;
    keeper->is_same = false;
    keeper->failures++;
    wake_all(keeper);
}

/* In fetching, which it leaves. */
static void fail(struct moot_keeper *keeper, const struct moot_error_info *error)
{
    bool is_waited_for = !moot__list_is_empty(&keeper->waiting);
    if (is_waited_for && error->retriable) {
        pause_a_little(keeper, error);
        return;
    }
    moot__sm_move(&keeper->sm, IDLE);
    if (is_waited_for || !is_good(keeper)) {
        give_up(keeper, error, false);
        return;
    }
    keeper->not_before_ns = moot__ns_add(now_ns(keeper), keeper->spec.source->margins.again_ns);
    keeper->tries = 0;
    moot__engine_log(keeper->engine, MOOT_LOG_WARNING,
                     "the credential could not be renewed before its end, and is used on: %s",
                     error->message);
}

static void on_fetched(struct moot_fetch *fetch)
{
    struct moot_keeper *keeper = moot__container_of(fetch, struct moot_keeper, fetch);
    if (keeper->is_closed) {
        moot__sm_move(&keeper->sm, IDLE);
        moot__access_deinit(&fetch->answer.access);
        moot__task_post(keeper->engine->transport, &keeper->engine->closing_task);
    } else if (fetch->error.code) {
        fail(keeper, &fetch->error);
    } else {
        moot__sm_move(&keeper->sm, IDLE);
        succeed(keeper);
    }
}

/* False: it could not even begin. */
static bool start(struct moot_keeper *keeper)
{
    moot__error_clear(&keeper->fetch.error);
    keeper->tries++;
    moot__sm_move(&keeper->sm, FETCHING);
    if (keeper->spec.source->begin(&keeper->fetch) == MOOT_OK)
        return true;
    assert(keeper->fetch.error.code);
    fail(keeper, &keeper->fetch.error);
    return keeper->sm.current != IDLE;
}

static void on_timer(struct moot_timer *timer)
{
    struct moot_keeper *keeper = moot__container_of(timer, struct moot_keeper, timer);
    if (!moot__list_is_empty(&keeper->waiting)) {
        moot__ignore(start(keeper));
        return;
    }
    keeper->tries = 0;
    moot__sm_move(&keeper->sm, IDLE);
}

/* ---- What it is asked ---- */

enum moot_keeper_verdict moot__keeper_ask(struct moot_keeper *keeper)
{
    uint64_t now = now_ns(keeper);
    bool is_idle = keeper->sm.current == IDLE;
    if (is_good(keeper)) {
        if (is_async(keeper) && is_idle && now >= keeper->fresh_ns && now >= keeper->not_before_ns)
            moot__ignore(start(keeper));
        return MOOT_KEEPER_READY;
    }
    if (!is_idle)
        return MOOT_KEEPER_WAIT;
    if (now < keeper->failed_until_ns)
        return MOOT_KEEPER_FAILED;
    return start(keeper) ? MOOT_KEEPER_WAIT : MOOT_KEEPER_FAILED;
}

void moot__keeper_queue(struct moot_keeper *keeper, struct moot_list *node)
{
    assert(keeper->sm.current != IDLE && !keeper->is_closed);
    moot__list_push_back(&keeper->waiting, node);
}

bool moot__keeper_can_renew(const struct moot_keeper *keeper)
{
    return keeper->spec.source != NULL;
}

/* Read where it stands, now. */
static bool read_again(struct moot_keeper *keeper)
{
    bool is_other = false;
    for (size_t i = 0; i < MOOT_ACCESS_PARTS; i++) {
        struct moot_credential *credential = &keeper->spec.secrets[i];
        if (credential->secret && moot__credential_refresh(credential, NULL) == MOOT_OK)
            is_other = true;
    }
    if (!is_other)
        return false;
    moot__access_deinit(&keeper->access);
    keeper->access = moot__credential_spec_access(&keeper->spec);
    keeper->generation++;
    return true;
}

enum moot_keeper_refusal moot__keeper_refused(struct moot_keeper *keeper, unsigned generation)
{
    if (!keeper->spec.source)
        return MOOT_KEEPER_SAME;
    if (generation != keeper->generation)
        return MOOT_KEEPER_OTHER;
    if (!is_async(keeper))
        return read_again(keeper) ? MOOT_KEEPER_OTHER : MOOT_KEEPER_SAME;
    keeper->is_refused = true;
    return MOOT_KEEPER_RENEW;
}

/* ---- Beginning and end ---- */

int moot__keeper_init(struct moot_keeper *keeper, struct moot_engine *engine, unsigned index,
                      void (*wake)(struct moot_list *node))
{
    const struct moot_provider *provider = &engine->plan->providers[index];
    *keeper = (struct moot_keeper){.engine = engine, .wake = wake, .region = provider->region};
    moot__sm_init(&keeper->sm, keeper_states, STATES, IDLE);
    moot__list_init(&keeper->waiting);
    keeper->timer.on_fire = on_timer;
    int rc = moot__credential_spec_copy(&keeper->spec, &provider->credential);
    if (rc)
        return rc;
    if (!is_async(keeper))
        keeper->access = moot__credential_spec_access(&keeper->spec);
    keeper->fetch = (struct moot_fetch){
        .spec = &keeper->spec,
        .pool = &engine->pool,
        .proxy = provider->proxy,
        .identity = MOOT_LIMIT_PROVIDERS + (uint64_t)index,
        .on_done = on_fetched,
    };
    return MOOT_OK;
}

bool moot__keeper_close(struct moot_keeper *keeper)
{
    assert(moot__list_is_empty(&keeper->waiting));
    if (!keeper->is_closed && keeper->sm.current == FETCHING)
        keeper->spec.source->cancel(&keeper->fetch);
    if (keeper->sm.current == PAUSING) {
        moot__timer_stop(keeper->engine->transport, &keeper->timer);
        moot__sm_move(&keeper->sm, IDLE);
    }
    keeper->is_closed = true;
    return keeper->sm.current == IDLE;
}

void moot__keeper_deinit(struct moot_keeper *keeper)
{
    if (!keeper->engine)
        return;
    assert(keeper->sm.current == IDLE);
    moot__access_deinit(&keeper->access);
    moot__credential_spec_deinit(&keeper->spec);
}
