/* The seam over libuv: one host loop, many sockets, no handle left behind.
 *
 * A turn of the loop, as libuv runs it, and what we do there:
 *
 *   timers    one uv_timer armed for the earliest of our heap, so that poll ends in time
 *   prepare   runs posted tasks; then the clock's cache opens
 *   poll      sockets: on_ready, on_accept; waker: work and lookups that threads finished
 *   check     fires the timers that were due when poll returned, runs tasks; the cache closes
 *   closing   the memory of closed sockets; at last our own
 *
 * Read before you judge: a timer fires only after the sockets were read at a time when it was due.
 * However long a turn took (a disk that stalls, a host that computes, a machine that slept), no
 * deadline passes for want of bytes that are there.
 *
 * Time: now_ns reads the clock at most once between prepare and check, and always outside, where
 * nobody knows how long the host has been busy.
 *
 * Keeping the loop alive: every handle is unreferenced but two. The prepare handle is referenced
 * while anybody holds the transport; the idle handle, running while tasks wait, makes poll not
 * block.
 *
 * Ownership: `handles` counts what libuv still has of us, sockets included; a closing transport
 * goes when it is 0. */
#include "transport_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "lookup.h"
#include "transport_uv_internal.h"
#include "workers.h"

/* A loop that shares its core with computations goes first; one that is never idle still leaves
 * each of them a tenth. */
enum { WORK_NICE = 10 };

/* How long what a poll has told is believed: less than a packet is on its way. */
#define POLL_KNOWN_NS (5 * MOOT_NS_PER_MS)

/* The end of a transport. */

static void free_if_closed(struct transport_uv *t)
{
    assert(t->is_closing);
    if (t->handles > 0)
        return;
    assert(t->works == 0 && moot__list_is_empty(&t->streams) && moot__list_is_empty(&t->lookups));
    void (*on_closed)(void *) = t->on_closed;
    void *data = t->data;
    moot__free(t->base.allocator, t);
    if (on_closed)
        on_closed(data);
}

void moot__uv_handle_closed(struct transport_uv *t)
{
    assert(t->handles > 0);
    t->handles--;
    if (t->is_closing)
        free_if_closed(t);
}

static void on_handle_closed(uv_handle_t *handle)
{
    moot__uv_handle_closed(handle->data);
}

static void hold(struct moot_transport *base)
{
    struct transport_uv *t = moot__uv_from_base(base);
    if (t->holds++ == 0)
        uv_ref((uv_handle_t *)&t->prepare);
}

static void let_go(struct moot_transport *base)
{
    struct transport_uv *t = moot__uv_from_base(base);
    assert(t->holds > 0);
    if (--t->holds == 0)
        uv_unref((uv_handle_t *)&t->prepare);
}

/* Time and randomness. */

static uint64_t clock_ns(struct moot_transport *base)
{
    moot__ignore(base == NULL);
    return uv_hrtime();
}

static uint64_t now_ns(struct moot_transport *base)
{
    struct transport_uv *t = moot__uv_from_base(base);
    if (!t->is_cache_open)
        return uv_hrtime();
    if (!t->is_cached) {
        t->now_ns = uv_hrtime();
        t->is_cached = true;
    }
    return t->now_ns;
}

static void open_cache(struct transport_uv *t)
{
    t->is_cache_open = true;
    t->is_cached = false;
}

static void refresh_now(struct moot_transport *base)
{
    struct transport_uv *t = moot__uv_from_base(base);
    t->is_cached = false;
    t->is_behind = true;
    uv_update_time(t->loop);
}

static uint64_t wall_ns(struct moot_transport *base)
{
    moot__ignore(base == NULL);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * MOOT_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The kernel's generator does not fail once it is seeded, and until then it blocks. */
static void fill_random(void *data, size_t len)
{
    unsigned char *at = data;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        assert(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

/* Identifiers are small and many, so they are cut off a block; what was given out is wiped. */
static void random_bytes(struct moot_transport *base, void *data, size_t len)
{
    struct transport_uv *t = moot__uv_from_base(base);
    if (len > sizeof t->random) {
        fill_random(data, len);
        return;
    }
    if (len > t->random_left) {
        fill_random(t->random, sizeof t->random);
        t->random_left = sizeof t->random;
    }
    t->random_left -= len;
    memcpy(data, t->random + t->random_left, len);
    moot__wipe(t->random + t->random_left, len);
}

/* Timers. uv_timer counts from the loop's cached time in milliseconds of the clock that uv_hrtime
 * reads, so the moment itself is armed, rounded up, however old that cache is. */

static void on_uv_idle(uv_idle_t *handle)
{
    moot__ignore(handle == NULL); /* running it is what keeps poll from blocking */
}

static void poll_first(struct transport_uv *t)
{
    t->is_late = true;
    uv_idle_start(&t->idle, on_uv_idle);
}

/* Due before poll could wait for it: the turn before took long. */
static void on_uv_timer(uv_timer_t *handle)
{
    poll_first(handle->data);
}

static void arm_timer(struct transport_uv *t)
{
    if (t->timers.count == 0) {
        t->armed_ms = MOOT_NEVER_NS;
        uv_timer_stop(&t->timer);
        return;
    }
    uint64_t next_ns = moot__timers_next_ns(&t->timers);
    uint64_t due_ms = next_ns / MOOT_NS_PER_MS + (next_ns % MOOT_NS_PER_MS != 0);
    if (due_ms >= t->armed_ms) /* going off too early is harmless and rare */
        return;
    uint64_t now_ms = uv_now(t->loop);
    t->armed_ms = due_ms;
    uv_timer_start(&t->timer, on_uv_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

/* Those that were due when poll returned, which is the time that libuv took then, unless somebody
 * had it taken again. */
static void fire_timers(struct transport_uv *t)
{
    uint64_t polled_ms = uv_now(t->loop);
    t->is_late = false;
    if (t->armed_ms > polled_ms)
        return;
    if (t->is_behind) {
        poll_first(t);
        return;
    }
    t->is_firing = true;
    t->armed_ms = MOOT_NEVER_NS;
    /* Each that is started now fires at most once, or a timer restarted in the past would take the
     * turn for itself. */
    for (size_t budget = t->timers.count; budget > 0; budget--) {
        struct moot_timer *timer = moot__timers_take_due(&t->timers, polled_ms * MOOT_NS_PER_MS);
        if (!timer)
            break;
        timer->on_fire(timer);
    }
    t->is_firing = false;
    if (!t->is_closing)
        arm_timer(t);
}

static void timer_start(struct moot_transport *base, struct moot_timer *timer, uint64_t deadline_ns)
{
    struct transport_uv *t = moot__uv_from_base(base);
    assert(timer->on_fire);
    if (t->is_closing)
        return;
    moot__timers_start(&t->timers, timer, deadline_ns);
    if (!t->is_firing)
        arm_timer(t);
}

static void timer_stop(struct moot_transport *base, struct moot_timer *timer)
{
    moot__timers_stop(&moot__uv_from_base(base)->timers, timer);
}

/* Tasks. */

static void task_post(struct moot_transport *base, struct moot_task *task)
{
    struct transport_uv *t = moot__uv_from_base(base);
    assert(task->run);
    if (t->is_closing || moot__list_is_linked(&task->node))
        return;
    if (moot__list_is_empty(&t->tasks))
        uv_idle_start(&t->idle, on_uv_idle);
    moot__list_push_back(&t->tasks, &task->node);
}

static void task_cancel(struct moot_transport *base, struct moot_task *task)
{
    moot__ignore(base == NULL);
    moot__list_remove(&task->node);
}

/* Let poll block, when nothing waits for the end of it. */
static void rest_if_idle(struct transport_uv *t)
{
    if (!t->is_closing && !t->is_late && moot__list_is_empty(&t->tasks))
        uv_idle_stop(&t->idle);
}

/* One round: what these tasks post waits for the next, so that sockets get their turn. */
static void run_tasks(struct transport_uv *t)
{
    struct moot_list round;
    moot__list_init(&round);
    moot__list_splice(&round, &t->tasks);
    struct moot_list *node;
    while (!t->is_closing && (node = moot__list_pop_front(&round))) {
        struct moot_task *task = moot__list_entry(node, struct moot_task, node);
        task->run(task);
    }
    while (moot__list_pop_front(&round)) { /* closing: none may stay linked to our stack */
    }
    rest_if_idle(t);
}

static void on_uv_prepare(uv_prepare_t *handle)
{
    struct transport_uv *t = handle->data;
    if (!moot__list_is_empty(&t->tasks)) {
        open_cache(t);
        if (moot__ns_until(t->checked_ns, now_ns(&t->base)) > POLL_KNOWN_NS)
            t->believed_turn = t->turn + 1; /* the host was busy: what the poll told is old */
        run_tasks(t);
    } else {
        rest_if_idle(t); /* the last one was cancelled */
    }
    t->is_behind = false;
    t->believed_turn = ++t->turn;
    open_cache(t);
}

static void on_uv_check(uv_check_t *handle)
{
    struct transport_uv *t = handle->data;
    t->believed_turn = 1;
    fire_timers(t);
    if (!moot__list_is_empty(&t->tasks))
        run_tasks(t);
    t->checked_ns = t->now_ns;
    t->is_cache_open = false;
}

/* Work and lookups. */

static int work_submit(struct moot_transport *base, struct moot_work *work)
{
    struct transport_uv *t = moot__uv_from_base(base);
    assert(work->run && work->done);
    if (t->is_closing)
        return MOOT_EBUSY;
    const struct moot_workers_options options = {.threads_max = MOOT_LIMIT_WORK_THREADS,
                                                 .queue_max = MOOT_LIMIT_WORK_PENDING,
                                                 .nice = WORK_NICE,
                                                 .wake_fd = t->wake_fd};
    int status = t->computers ? MOOT_OK : moot__workers_new(&options, &t->computers);
    if (status != MOOT_OK)
        return status;
    work->status = MOOT_OK;
    status = moot__workers_submit(t->computers, work);
    if (status != MOOT_OK)
        return status;
    t->works++;
    hold(base);
    return MOOT_OK;
}

static int resolve_start(struct moot_transport *base, struct moot_resolve *resolve)
{
    struct transport_uv *t = moot__uv_from_base(base);
    assert(resolve->on_done && !resolve->internal);
    if (t->is_closing)
        return MOOT_EBUSY;
    if (resolve->host[0] == '\0' || !memchr(resolve->host, '\0', sizeof resolve->host))
        return MOOT_EINVAL;
    const struct moot_workers_options options = {.threads_max = MOOT_LIMIT_DNS_THREADS,
                                                 .threads_lost_max = MOOT_LIMIT_DNS_THREADS_LOST,
                                                 .queue_max = MOOT_LIMIT_DNS_PENDING,
                                                 .wake_fd = t->wake_fd,
                                                 .drop = moot__lookup_drop};
    int status = t->names ? MOOT_OK : moot__workers_new(&options, &t->names);
    if (status != MOOT_OK)
        return status;
    struct moot_lookup *lookup = moot__lookup_new(resolve);
    if (!lookup)
        return MOOT_ENOMEM;
    status = moot__workers_submit(t->names, &lookup->work);
    if (status != MOOT_OK) {
        moot__lookup_drop(&lookup->work);
        return status == MOOT_EBUSY ? MOOT_EDNS : status;
    }
    moot__list_push_back(&t->lookups, &lookup->node);
    resolve->internal = lookup;
    hold(base);
    return MOOT_OK;
}

static void resolve_cancel(struct moot_transport *base, struct moot_resolve *resolve)
{
    struct moot_lookup *lookup = resolve->internal;
    if (!lookup)
        return;
    assert(lookup->resolve == resolve);
    resolve->internal = NULL;
    moot__list_remove(&lookup->node);
    moot__workers_abandon(moot__uv_from_base(base)->names, &lookup->work);
    let_go(base);
}

static void finish_lookup(struct transport_uv *t, struct moot_lookup *lookup)
{
    struct moot_resolve *resolve = lookup->resolve;
    const struct moot_resolve *answer = &lookup->answer;
    moot__list_remove(&lookup->node);
    resolve->internal = NULL;
    resolve->status = answer->status;
    resolve->count = answer->count;
    memcpy(resolve->addresses, answer->addresses, sizeof answer->addresses);
    memcpy(resolve->detail, answer->detail, sizeof answer->detail);
    moot__lookup_drop(&lookup->work);
    let_go(&t->base);
    resolve->on_done(resolve);
}

static void finish_work(struct transport_uv *t, struct moot_work *work)
{
    assert(t->works > 0);
    t->works--;
    let_go(&t->base);
    work->done(work);
}

/* Once it is closing and nothing more can come from a thread. */
static void close_waker_if_idle(struct transport_uv *t)
{
    if (!t->is_closing || t->works > 0 || uv_is_closing((uv_handle_t *)&t->waker))
        return;
    moot__workers_close(t->computers);
    t->computers = NULL;
    uv_close((uv_handle_t *)&t->waker, on_handle_closed);
    close(t->wake_fd);
}

/* Whatever a callback does, cancelling or closing included, takes what it concerns off the lists
 * here, so that popping until they are empty is right. */
static void on_uv_wake(uv_poll_t *handle, int status, int events)
{
    struct transport_uv *t = handle->data;
    struct moot_list done, *node;
    eventfd_t count;
    moot__ignore(status != 0 || events != 0);
    moot__ignore(eventfd_read(t->wake_fd, &count) != 0); /* first: what is done later wakes again */
    moot__list_init(&done);
    if (t->names)
        moot__workers_take_done(t->names, &done);
    while ((node = moot__list_pop_front(&done)))
        finish_lookup(t, moot__container_of(moot__list_entry(node, struct moot_work, node),
                                            struct moot_lookup, work));
    if (t->computers)
        moot__workers_take_done(t->computers, &done);
    moot__list_splice(&done, &t->works_skipped);
    while ((node = moot__list_pop_front(&done)))
        finish_work(t, moot__list_entry(node, struct moot_work, node));
    close_waker_if_idle(t);
}

/* The whole. */

static const struct moot_transport_ops transport_ops = {
    .now_ns = now_ns,
    .clock_ns = clock_ns,
    .refresh_now = refresh_now,
    .wall_ns = wall_ns,
    .random = random_bytes,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .task_post = task_post,
    .task_cancel = task_cancel,
    .work_submit = work_submit,
    .hold = hold,
    .let_go = let_go,
    .resolve = resolve_start,
    .resolve_cancel = resolve_cancel,
    .connect = moot__uv_connect,
    .connect_result = moot__uv_connect_result,
    .listen = moot__uv_listen,
    .unlisten = moot__uv_unlisten,
};

/* The kernel doubles the table of descriptors when it is full, and in a process with threads every
 * other one then waits 10 to 20 ms (for RCU): in the middle of a burst of connections, three times
 * on the way to a thousand. So it grows once, here, as far as it may. Best effort. */
static void make_room_for_descriptors(int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == 0)
        return;
    int last = MOOT_LIMIT_DESCRIPTORS_AHEAD - 1;
    if (limit.rlim_cur <= (rlim_t)last)
        last = (int)limit.rlim_cur - 1;
    int highest = fcntl(fd, F_DUPFD_CLOEXEC, last);
    if (highest >= 0)
        close(highest);
}

/* The waker comes first, as the only one whose making can fail. */
static int open_handles(struct transport_uv *t)
{
    t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (t->wake_fd < 0)
        return MOOT_ENOMEM;
    if (uv_poll_init(t->loop, &t->waker, t->wake_fd) != 0) {
        close(t->wake_fd);
        return MOOT_ENOMEM;
    }
    make_room_for_descriptors(t->wake_fd);
    uv_poll_start(&t->waker, UV_READABLE, on_uv_wake);
    uv_timer_init(t->loop, &t->timer);
    uv_prepare_init(t->loop, &t->prepare);
    uv_check_init(t->loop, &t->check);
    uv_idle_init(t->loop, &t->idle);
    uv_prepare_start(&t->prepare, on_uv_prepare);
    uv_check_start(&t->check, on_uv_check);
    t->waker.data = t->timer.data = t->prepare.data = t->check.data = t->idle.data = t;
    uv_unref((uv_handle_t *)&t->waker);
    uv_unref((uv_handle_t *)&t->timer);
    uv_unref((uv_handle_t *)&t->prepare);
    uv_unref((uv_handle_t *)&t->check);
    t->handles = 5;
    return MOOT_OK;
}

int moot__transport_uv_new(const struct moot_allocator *allocator, struct uv_loop_s *loop,
                           struct moot_transport **out)
{
    *out = NULL;
    struct transport_uv *t = moot__calloc(allocator, 1, sizeof *t);
    if (!t)
        return MOOT_ENOMEM;
    t->base.ops = &transport_ops;
    t->base.allocator = allocator;
    t->loop = loop;
    t->turn = t->believed_turn = 1;
    t->armed_ms = MOOT_NEVER_NS;
    moot__timers_init(&t->timers);
    moot__list_init(&t->tasks);
    moot__list_init(&t->streams);
    moot__list_init(&t->listeners);
    moot__list_init(&t->lookups);
    moot__list_init(&t->works_skipped);
    int status = open_handles(t);
    if (status != MOOT_OK) {
        moot__free(allocator, t);
        return status;
    }
    *out = &t->base;
    return MOOT_OK;
}

static void drop_everything(struct transport_uv *t)
{
    struct moot_list *node;
    while (moot__timers_take_due(&t->timers, MOOT_NEVER_NS)) {
    }
    while (moot__list_pop_front(&t->tasks)) {
    }
    moot__uv_drop_sockets(t);
    while (!moot__list_is_empty(&t->lookups)) {
        node = t->lookups.next;
        resolve_cancel(&t->base, moot__list_entry(node, struct moot_lookup, node)->resolve);
    }
    moot__workers_close(t->names);
    t->names = NULL;
    if (!t->computers)
        return;
    moot__workers_take_queued(t->computers, &t->works_skipped);
    MOOT_LIST_FOREACH (skipped, &t->works_skipped)
        moot__list_entry(skipped, struct moot_work, node)->status = MOOT_ECANCELED;
}

void moot__transport_uv_close(struct moot_transport *base, void (*on_closed)(void *data),
                              void *data)
{
    struct transport_uv *t = moot__uv_from_base(base);
    assert(!t->is_closing);
    t->is_closing = true;
    t->on_closed = on_closed;
    t->data = data;
    drop_everything(t);
    uv_close((uv_handle_t *)&t->timer, on_handle_closed);
    uv_close((uv_handle_t *)&t->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&t->check, on_handle_closed);
    uv_close((uv_handle_t *)&t->idle, on_handle_closed);
    uv_ref((uv_handle_t *)&t->waker); /* works that run keep the loop until their `done` */
    moot__ignore(eventfd_write(t->wake_fd, 1) != 0);
}
