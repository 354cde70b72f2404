/* The breaker.
 *
 *        a run of failures, nothing answered between them
 *   closed ────────────────────────────────────────────────► open ◄──┐
 *      ▲                                                      │      │ failures in a row
 *      │ the old pace held for a while                        │      │
 *      └──────────────────────────────────── half open ◄──────┴──────┘
 *                                                  an answer to a probe
 *
 * Open. One call passes at a time, at a distance that doubles up to a quarter of a minute, each
 * with jitter. Whoever is in front of the queue is the probe, so nobody has to be waited for: a
 * probe that is cancelled or hangs is followed by the next one in its time. All others wait as they
 * do for quota, and have not failed.
 *
 * Half open. Calls pass at a pace, evenly: a little to begin with, more with every answer, up to
 * what was answered a second before the failures began. That pace is held until as many calls are
 * under way as there are at it; then nothing waits that could rush in.
 *
 * What opens it is a run of failures that any request would have met, or that different rows met:
 * connections refused, names unknown, 503, 529, silence. A row that the provider stumbles over each
 * time fails alone. The more calls are under way, the longer the run has to be, so that noise is
 * not taken for an outage. */
#include "limiter_breaker.h"

#include <string.h>

#include "engine/base/check.h"
#include "engine/base/rng.h"

#define RUN_LEAST        5 /* failures */
#define RUN_MOST         32
#define RUN_HALF_OPEN    3
#define SPACING_FIRST_NS (500 * MOOT_NS_PER_MS)
#define SPACING_MAX_NS   (15 * MOOT_NS_PER_S)
#define BLIP_NS          (5 * MOOT_NS_PER_S) /* an outage no longer than this is forgotten sooner */
#define BLIP_SHARE       8
#define PACE_LEAST       1.0    /* calls a second, to begin with */
#define PACE_UNKNOWN     1000.0 /* where nothing was ever answered */
#define HOLD_NS          (3 * MOOT_NS_PER_S)
#define BURST_NS         (2 * MOOT_NS_PER_MS) /* how far calls may be ahead of their pace */
#define RATE_SPAN_NS     MOOT_NS_PER_S
#define IDLE_NS          (10 * MOOT_NS_PER_S)

/* ---- The cause, written by one and read by any ---- */

static void write_cause(struct moot_breaker *breaker, struct moot_view text)
{
    char bytes[MOOT_BREAKER_CAUSE_BYTES] = {0};
    moot__view_copy(text, bytes, sizeof bytes);
    atomic_fetch_add(&breaker->cause_version, 1);
    for (size_t i = 0; i < moot__countof(breaker->cause); i++) {
        uint64_t word;
        memcpy(&word, bytes + i * sizeof word, sizeof word);
        atomic_store(&breaker->cause[i], word);
    }
    atomic_fetch_add(&breaker->cause_version, 1);
}

static void read_cause(struct moot_breaker *breaker, char out[MOOT_BREAKER_CAUSE_BYTES])
{
    enum { TRIES = 8 };
    for (unsigned try = 0; try < TRIES; try++) {
        uint32_t version = atomic_load(&breaker->cause_version);
        for (size_t i = 0; i < moot__countof(breaker->cause); i++) {
            uint64_t word = atomic_load(&breaker->cause[i]);
            memcpy(out + i * sizeof word, &word, sizeof word);
        }
        if (version % 2 == 0 && atomic_load(&breaker->cause_version) == version)
            return;
    }
    out[0] = '\0';
}

void moot__breaker_view(struct moot_breaker *breaker, struct moot_breaker_view *view)
{
    view->state = (enum moot_breaker_state)atomic_load(&breaker->state);
    view->since_ns = atomic_load(&breaker->since_ns);
    view->next_ns = atomic_load(&breaker->next_ns);
    view->opens = atomic_load(&breaker->opens);
    read_cause(breaker, view->cause);
}

/* ---- Passing ---- */

int moot__breaker_take(struct moot_breaker *breaker, uint64_t now_ns, uint64_t *retry_at_ns)
{
    uint64_t gap_ns = atomic_load(&breaker->gap_ns);
    if (gap_ns == 0)
        return MOOT_OK;
    uint64_t ahead_ns = gap_ns < BURST_NS ? BURST_NS : 0;
    uint64_t seen = atomic_load(&breaker->next_ns), next;
    do {
        if (seen > now_ns + ahead_ns) {
            *retry_at_ns = seen - ahead_ns;
            return MOOT_EAGAIN;
        }
        next = (seen > now_ns ? seen : now_ns) + gap_ns;
    } while (!atomic_compare_exchange_weak(&breaker->next_ns, &seen, next));
    return MOOT_OK;
}

/* ---- Moving ---- */

/* Three quarters to five quarters of it, by a number that nobody shares. */
static uint64_t jittered(uint64_t span_ns, uint64_t now_ns)
{
    struct moot_rng rng;
    moot__rng_init(&rng, now_ns);
    return span_ns * 3 / 4 + moot__rng_below(&rng, span_ns / 2 + 1);
}

static void move(struct moot_breaker *breaker, enum moot_breaker_state state, uint64_t now_ns)
{
    breaker->own.run = 0;
    breaker->own.last_who = 0;
    breaker->own.moved_ns = breaker->own.failed_ns = now_ns;
    breaker->own.held_ns = 0;
    breaker->own.mark_ns = 0;
    atomic_store(&breaker->state, state);
}

static void space(struct moot_breaker *breaker, uint64_t now_ns)
{
    uint64_t gap_ns = jittered(breaker->own.spacing_ns, now_ns);
    atomic_store(&breaker->next_ns, now_ns + gap_ns);
    atomic_store(&breaker->gap_ns, gap_ns);
}

static void trip(struct moot_breaker *breaker, uint64_t now_ns)
{
    breaker->own.spacing_ns = SPACING_FIRST_NS;
    space(breaker, now_ns); /* first: who sees it open must find the gap */
    move(breaker, MOOT_BREAKER_OPEN, now_ns);
    atomic_fetch_add(&breaker->opens, 1);
}

static void set_pace(struct moot_breaker *breaker, double pace)
{
    breaker->own.pace = pace < breaker->own.target ? pace : breaker->own.target;
    double gap_ns = (double)MOOT_NS_PER_S / breaker->own.pace;
    atomic_store(&breaker->gap_ns, gap_ns > 1 ? (uint64_t)gap_ns : 1);
}

static void half_open(struct moot_breaker *breaker, uint64_t now_ns)
{
    uint64_t outage_ns = moot__ns_until(breaker->own.moved_ns, now_ns);
    double target = breaker->own.rate > 0 ? breaker->own.rate : PACE_UNKNOWN;
    double step = outage_ns < BLIP_NS ? target / BLIP_SHARE : PACE_LEAST;
    move(breaker, MOOT_BREAKER_HALF_OPEN, now_ns);
    breaker->own.target = target;
    breaker->own.step = step > PACE_LEAST ? step : PACE_LEAST;
    set_pace(breaker, breaker->own.step);
    atomic_store(&breaker->next_ns, now_ns + atomic_load(&breaker->gap_ns));
}

static void recover(struct moot_breaker *breaker, uint64_t now_ns)
{
    move(breaker, MOOT_BREAKER_CLOSED, now_ns);
    atomic_store(&breaker->gap_ns, 0);
}

/* ---- What happened ---- */

static uint32_t run_to_open(uint32_t in_flight)
{
    uint32_t run = in_flight < 8 ? RUN_LEAST : in_flight / 4 > 8 ? in_flight / 4 : 8;
    return run < RUN_MOST ? run : RUN_MOST;
}

bool moot__breaker_fail(struct moot_breaker *breaker, const struct moot_failure *failure,
                        uint32_t in_flight, uint64_t now_ns)
{
    uint32_t state = atomic_load(&breaker->state);
    bool is_news = state == MOOT_BREAKER_CLOSED || failure->sent_at_ns >= breaker->own.moved_ns;
    bool is_same = failure->fault == MOOT_FAULT_UNSURE && failure->who == breaker->own.last_who;
    assert(failure->fault != MOOT_FAULT_NONE);
    if (!is_news)
        return false;
    breaker->own.last_who = failure->who;
    if (state == MOOT_BREAKER_OPEN) {
        if (failure->sent_at_ns < breaker->own.failed_ns)
            return false; /* one failure a probe, however many hung before */
        breaker->own.failed_ns = now_ns;
        uint64_t doubled_ns = 2 * breaker->own.spacing_ns;
        breaker->own.spacing_ns = doubled_ns < SPACING_MAX_NS ? doubled_ns : SPACING_MAX_NS;
        space(breaker, now_ns);
        write_cause(breaker, failure->cause);
        return false;
    }
    if (is_same && breaker->own.run > 0)
        return false;
    if (breaker->own.run++ == 0)
        breaker->own.run_ns = now_ns;
    uint32_t enough = state == MOOT_BREAKER_CLOSED ? run_to_open(in_flight) : RUN_HALF_OPEN;
    if (breaker->own.run < enough)
        return false;
    if (state == MOOT_BREAKER_CLOSED)
        atomic_store(&breaker->since_ns, breaker->own.run_ns);
    write_cause(breaker, failure->cause);
    trip(breaker, now_ns);
    return true;
}

static void measure(struct moot_breaker *breaker, uint64_t now_ns)
{
    uint64_t span_ns = moot__ns_until(breaker->own.mark_ns, now_ns);
    breaker->own.answers++;
    if (breaker->own.mark_ns && span_ns < RATE_SPAN_NS)
        return;
    if (breaker->own.mark_ns && span_ns < IDLE_NS) {
        double rate = (double)breaker->own.answers * 1e9 / (double)span_ns;
        breaker->own.rate = breaker->own.rate > 0 ? (3 * breaker->own.rate + rate) / 4 : rate;
    }
    breaker->own.mark_ns = now_ns;
    breaker->own.answers = 0;
}

/* More with each answer, until the pace is what it was. */
static bool climb(struct moot_breaker *breaker, uint64_t now_ns)
{
    set_pace(breaker, breaker->own.pace + breaker->own.step);
    if (breaker->own.pace < breaker->own.target)
        return false;
    if (breaker->own.held_ns == 0)
        breaker->own.held_ns = now_ns;
    if (now_ns < breaker->own.held_ns + HOLD_NS)
        return false;
    recover(breaker, now_ns);
    return true;
}

bool moot__breaker_answer(struct moot_breaker *breaker, uint64_t sent_at_ns, uint64_t now_ns)
{
    uint32_t state = atomic_load(&breaker->state);
    if (state == MOOT_BREAKER_CLOSED) {
        breaker->own.run = 0;
        measure(breaker, now_ns);
        return false;
    }
    if (sent_at_ns < breaker->own.moved_ns)
        return false;
    atomic_store(&breaker->since_ns, now_ns);
    breaker->own.run = 0;
    if (state == MOOT_BREAKER_HALF_OPEN)
        return climb(breaker, now_ns);
    half_open(breaker, now_ns);
    return true;
}
