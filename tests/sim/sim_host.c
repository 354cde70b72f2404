/* Work and lookups of the simulated transport.
 *
 * Both are events of the world, and when they are over wait in a list of their host for its next
 * turn. A work runs on the one thread there is, at a moment of its own; between it and its `done`
 * it counts as running on some other thread, so that closing has to wait for it. */
#include <arpa/inet.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "transport_sim_internal.h"

enum { DNS_GIVES_UP_S = 40 };

struct job {
    struct moot_timer event;
    struct sim_host *host;
    struct moot_list node; /* in host->works, then in host->works_done */
    struct moot_work *work;
    bool has_run;
};

struct lookup {
    struct moot_timer event;
    struct sim_host *host;
    struct moot_list node; /* in host->lookups, then in host->lookups_done */
    struct moot_resolve *resolve;
    int status;
    bool is_empty, is_dead; /* it has no address; or dead ones, before the real or alone */
};

/* ---- work ---- */

static void job_to_done(struct job *job)
{
    moot__list_remove(&job->node);
    moot__list_push_back(&job->host->works_done, &job->node);
}

static void on_job_event(struct moot_timer *event)
{
    struct job *job = moot__container_of(event, struct job, event);
    struct moot_sim *sim = job->host->sim;
    if (job->has_run) {
        job_to_done(job);
        return;
    }
    job->has_run = true;
    moot__sim_note(sim, &(struct moot_sim_event){.kind = MOOT_SIM_WORK_RUN, .host = job->host->id});
    job->work->run(job->work);
    uint64_t end_ns = sim->now_ns + moot__sim_between(sim, 1, sim->options.work_ns_max);
    moot__timers_start(&sim->events, event, end_ns);
}

int moot__sim_work_submit(struct moot_transport *base, struct moot_work *work)
{
    struct sim_host *host = sim_host_of(base);
    struct moot_sim *sim = host->sim;
    assert(work->run && work->done);
    if (host->is_closing || host->work_count >= MOOT_LIMIT_WORK_PENDING)
        return MOOT_EBUSY;
    struct job *job = moot__calloc(sim->allocator, 1, sizeof *job);
    if (!job)
        return MOOT_ENOMEM;
    *job = (struct job){.event = {.on_fire = on_job_event}, .host = host, .work = work};
    work->status = MOOT_OK;
    moot__list_init(&job->node);
    moot__list_push_back(&host->works, &job->node);
    host->work_count++;
    uint64_t begin_ns = sim->now_ns + moot__sim_between(sim, 1, sim->options.work_ns_max);
    moot__timers_start(&sim->events, &job->event, begin_ns);
    return MOOT_OK;
}

/* ---- lookups ---- */

bool moot__sim_parse_address(const char *text, struct moot_address *out)
{
    *out = (struct moot_address){.port = 0};
    if (inet_pton(AF_INET, text, out->bytes) == 1)
        return true;
    out->is_ipv6 = true;
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static void lookup_free(struct lookup *lookup)
{
    struct moot_sim *sim = lookup->host->sim;
    lookup->resolve->internal = NULL;
    moot__timers_stop(&sim->events, &lookup->event);
    moot__list_remove(&lookup->node);
    moot__free(sim->allocator, lookup);
}

static void fill_addresses(const struct lookup *lookup)
{
    const struct moot_sim *sim = lookup->host->sim;
    struct moot_resolve *resolve = lookup->resolve;
    struct moot_address literal;
    if (moot__sim_parse_address(resolve->host, &literal)) {
        resolve->addresses[resolve->count++] = literal;
        return;
    }
    for (unsigned i = 0; i < sim->name_count && !lookup->is_empty; i++) {
        if (strcmp(sim->names[i].name, resolve->host) != 0)
            continue;
        resolve->count = sim->names[i].count;
        memcpy(resolve->addresses, sim->names[i].addresses, sizeof resolve->addresses);
    }
}

/* Nobody listens there. */
static void add_dead_addresses(struct moot_sim *sim, struct moot_resolve *resolve)
{
    static const struct moot_address dead = {.bytes = {127, 66, 6, 1}};
    unsigned count = (unsigned)moot__sim_between(sim, 1, 3);
    if (resolve->count + count > MOOT_LIMIT_DNS_ADDRESSES || moot__sim_chance(sim, 300000))
        resolve->count = 0;
    memmove(resolve->addresses + count, resolve->addresses,
            resolve->count * sizeof resolve->addresses[0]);
    for (unsigned i = 0; i < count; i++) {
        resolve->addresses[i] = dead;
        resolve->addresses[i].bytes[3] = (uint8_t)(1 + i);
    }
    resolve->count += count;
}

static void fill_answer(const struct lookup *lookup)
{
    struct moot_resolve *resolve = lookup->resolve;
    resolve->status = lookup->status;
    resolve->count = 0;
    resolve->detail[0] = '\0';
    if (resolve->status == MOOT_OK)
        fill_addresses(lookup);
    if (resolve->count > 0 && lookup->is_dead)
        add_dead_addresses(lookup->host->sim, resolve);
    for (unsigned i = 0; i < resolve->count; i++)
        resolve->addresses[i].port = resolve->port;
    if (resolve->count > 0)
        return;
    bool is_unknown = resolve->status == MOOT_OK;
    resolve->status = MOOT_EDNS;
    const char *why = lookup->is_empty ? "No address associated with hostname"
                      : is_unknown     ? "Name or service not known"
                                       : "Temporary failure in name resolution";
    moot__view_copy(moot__view_str(why), resolve->detail, sizeof resolve->detail);
}

static void on_lookup_event(struct moot_timer *event)
{
    struct lookup *lookup = moot__container_of(event, struct lookup, event);
    moot__list_remove(&lookup->node);
    moot__list_push_back(&lookup->host->lookups_done, &lookup->node);
}

int moot__sim_resolve(struct moot_transport *base, struct moot_resolve *resolve)
{
    struct sim_host *host = sim_host_of(base);
    struct moot_sim *sim = host->sim;
    assert(resolve->on_done && !resolve->internal);
    if (host->is_closing)
        return MOOT_EBUSY;
    if (resolve->host[0] == '\0' || !memchr(resolve->host, '\0', sizeof resolve->host))
        return MOOT_EINVAL;
    struct lookup *lookup = moot__calloc(sim->allocator, 1, sizeof *lookup);
    if (!lookup)
        return MOOT_ENOMEM;
    *lookup = (struct lookup){.event = {.on_fire = on_lookup_event}, .host = host};
    lookup->resolve = resolve;
    resolve->internal = lookup;
    moot__list_init(&lookup->node);
    moot__list_push_back(&host->lookups, &lookup->node);
    uint64_t delay_ns = moot__sim_between(sim, 1, sim->options.dns_ns_max);
    if (moot__sim_chance(sim, sim->faults.dns_hang)) {
        lookup->status = MOOT_EDNS;
        delay_ns = DNS_GIVES_UP_S * MOOT_NS_PER_S;
    } else if (moot__sim_chance(sim, sim->faults.dns_fail)) {
        lookup->status = MOOT_EDNS;
    }
    lookup->is_empty = moot__sim_chance(sim, sim->faults.dns_empty);
    lookup->is_dead = moot__sim_chance(sim, sim->faults.dns_dead);
    moot__timers_start(&sim->events, &lookup->event, sim->now_ns + delay_ns);
    return MOOT_OK;
}

void moot__sim_resolve_cancel(struct moot_transport *base, struct moot_resolve *resolve)
{
    moot__ignore(base == NULL);
    if (resolve->internal)
        lookup_free(resolve->internal);
}

/* ---- what is due, and the end ---- */

/* Whatever a callback does takes what it concerns off the lists, so popping until they are empty,
 * but not what comes meanwhile, is right. */
void moot__sim_run_done(struct sim_host *host)
{
    struct moot_sim *sim = host->sim;
    struct moot_list *node;
    while (!moot__list_is_empty(&host->lookups_done)) {
        struct lookup *lookup = moot__list_entry(host->lookups_done.next, struct lookup, node);
        struct moot_resolve *resolve = lookup->resolve;
        fill_answer(lookup);
        lookup_free(lookup);
        moot__sim_note(sim, &(struct moot_sim_event){.kind = MOOT_SIM_RESOLVED,
                                                     .host = host->id,
                                                     .value = resolve->status});
        resolve->on_done(resolve);
    }
    while ((node = moot__list_pop_front(&host->works_done))) {
        struct job *job = moot__list_entry(node, struct job, node);
        struct moot_work *work = job->work;
        moot__free(sim->allocator, job);
        host->work_count--;
        moot__sim_note(sim, &(struct moot_sim_event){.kind = MOOT_SIM_WORK_DONE,
                                                     .host = host->id,
                                                     .value = work->status});
        work->done(work);
    }
}

/* Lookups are forgotten; work that has not begun is left out, and what runs is waited for. */
void moot__sim_drop_under_way(struct sim_host *host)
{
    struct moot_list *const lists[] = {&host->lookups, &host->lookups_done};
    for (size_t i = 0; i < moot__countof(lists); i++)
        while (!moot__list_is_empty(lists[i]))
            lookup_free(moot__list_entry(lists[i]->next, struct lookup, node));
    MOOT_LIST_FOREACH_SAFE (node, after, &host->works) {
        struct job *job = moot__list_entry(node, struct job, node);
        if (job->has_run)
            continue;
        job->work->status = MOOT_ECANCELED;
        moot__timers_stop(&host->sim->events, &job->event);
        job_to_done(job);
    }
}
