#include "memnet.h"

#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "test.h"

struct mem_stream {
    struct moot_stream stream;
    struct memnet *net;
    struct mem_stream *peer; /* NULL: closed */
    struct moot_list node;
    unsigned interest, visited;
    char *data; /* what the peer wrote */
    size_t len, cap;
    bool fin, reset;
    bool connecting, refused; /* a client's, without a server's end */
};

static struct memnet *net_of(struct moot_transport *transport)
{
    return moot__container_of(transport, struct memnet, transport);
}

static struct mem_stream *mem_of(struct moot_stream *stream)
{
    return moot__container_of(stream, struct mem_stream, stream);
}

static size_t portion(struct memnet *net, size_t len)
{
    if (net->chunk_max == 0)
        return len;
    size_t most = 1 + (size_t)moot__rng_below(&net->rng, net->chunk_max);
    return len < most ? len : most;
}

static size_t room(const struct mem_stream *peer)
{
    return peer->cap - peer->len;
}

/* --- streams --------------------------------------------------------------------------------- */

static ptrdiff_t mem_read(struct moot_stream *stream, void *data, size_t cap)
{
    struct mem_stream *mem = mem_of(stream);
    assert(cap > 0);
    mem->net->reads++;
    if (mem->reset)
        return MOOT_ERESET;
    if (mem->len == 0)
        return mem->fin ? 0 : MOOT_EAGAIN;
    size_t n = portion(mem->net, cap < mem->len ? cap : mem->len);
    memcpy(data, mem->data, n);
    mem->len -= n;
    memmove(mem->data, mem->data + n, mem->len);
    return (ptrdiff_t)n;
}

static ptrdiff_t mem_write(struct moot_stream *stream, const void *data, size_t len)
{
    struct mem_stream *mem = mem_of(stream);
    assert(len > 0);
    mem->net->writes++;
    if (mem->reset || !mem->peer)
        return MOOT_ERESET;
    size_t space = room(mem->peer);
    if (space == 0)
        return MOOT_EAGAIN;
    size_t n = portion(mem->net, len < space ? len : space);
    memcpy(mem->peer->data + mem->peer->len, data, n);
    mem->peer->len += n;
    return (ptrdiff_t)n;
}

static void mem_want(struct moot_stream *stream, unsigned interest)
{
    mem_of(stream)->interest = interest;
}

static bool mem_ended_cleanly(const struct moot_stream *stream)
{
    (void)stream;
    return true;
}

static void mem_end(struct moot_stream *stream, bool reset)
{
    struct mem_stream *mem = mem_of(stream);
    if (mem->peer) {
        mem->peer->peer = NULL;
        mem->peer->fin = true;
        mem->peer->reset |= reset;
    }
    moot__list_remove(&mem->node);
    mem->net->streams_open--;
    moot__free(mem->net->transport.allocator, mem->data);
    moot__free(mem->net->transport.allocator, mem);
}

static void mem_close(struct moot_stream *stream)
{
    mem_end(stream, false);
}

static void mem_abort(struct moot_stream *stream)
{
    mem_end(stream, true);
}

static const struct moot_stream_ops mem_ops = {
    .read = mem_read,
    .write = mem_write,
    .want = mem_want,
    .ended_cleanly = mem_ended_cleanly,
    .close = mem_close,
    .abort = mem_abort,
};

static struct mem_stream *mem_new(struct memnet *net)
{
    const struct moot_allocator *allocator = net->transport.allocator;
    struct mem_stream *mem = moot__calloc(allocator, 1, sizeof(*mem));
    if (!mem)
        return NULL;
    mem->cap = net->pipe_max ? net->pipe_max : 64 << 10;
    mem->data = moot__alloc(allocator, mem->cap);
    if (!mem->data) {
        moot__free(allocator, mem);
        return NULL;
    }
    mem->stream.ops = &mem_ops;
    mem->net = net;
    moot__list_init(&mem->node);
    moot__list_push_back(&net->streams, &mem->node);
    net->streams_open++;
    return mem;
}

bool memnet_pair(struct memnet *net, struct moot_stream **a, struct moot_stream **b)
{
    struct mem_stream *one = mem_new(net);
    struct mem_stream *other = one ? mem_new(net) : NULL;
    if (!other) {
        if (one)
            mem_close(&one->stream);
        return false;
    }
    one->peer = other;
    other->peer = one;
    *a = &one->stream;
    *b = &other->stream;
    return true;
}

void memnet_send_fin(struct moot_stream *stream)
{
    mem_of(stream)->peer->fin = true;
}

void memnet_send_reset(struct moot_stream *stream)
{
    mem_of(stream)->peer->reset = true;
}

/* --- the table ------------------------------------------------------------------------------- */

static uint64_t now_ns(struct moot_transport *transport)
{
    return net_of(transport)->now_ns;
}

static uint64_t wall_ns(struct moot_transport *transport)
{
    return net_of(transport)->now_ns + UINT64_C(1700000000) * MOOT_NS_PER_S;
}

static void random_bytes(struct moot_transport *transport, void *data, size_t len)
{
    unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)moot__rng_next(&net_of(transport)->rng);
}

static void timer_start(struct moot_transport *transport, struct moot_timer *timer,
                        uint64_t deadline_ns)
{
    moot__timers_start(&net_of(transport)->timers, timer, deadline_ns);
}

static void timer_stop(struct moot_transport *transport, struct moot_timer *timer)
{
    moot__timers_stop(&net_of(transport)->timers, timer);
}

static void task_post(struct moot_transport *transport, struct moot_task *task)
{
    if (!moot__list_is_linked(&task->node))
        moot__list_push_back(&net_of(transport)->tasks, &task->node);
}

static void task_cancel(struct moot_transport *transport, struct moot_task *task)
{
    (void)transport;
    moot__list_remove(&task->node);
}

static void hold(struct moot_transport *transport)
{
    net_of(transport)->held++;
}

static void let_go(struct moot_transport *transport)
{
    assert(net_of(transport)->held > 0);
    net_of(transport)->held--;
}

static int work_submit(struct moot_transport *transport, struct moot_work *work)
{
    moot__list_init(&work->node);
    moot__list_push_back(&net_of(transport)->works, &work->node);
    return MOOT_OK;
}

static int do_listen(struct moot_transport *transport, const struct moot_address *address,
                     struct moot_acceptor *acceptor)
{
    struct memnet *net = net_of(transport);
    if (net->acceptor)
        return MOOT_ECONNECT;
    net->acceptor = acceptor;
    acceptor->address = *address;
    acceptor->address.port = 4433;
    return MOOT_OK;
}

static void do_unlisten(struct moot_transport *transport, struct moot_acceptor *acceptor)
{
    if (net_of(transport)->acceptor == acceptor)
        net_of(transport)->acceptor = NULL;
}

static int resolve_start(struct moot_transport *transport, struct moot_resolve *resolve)
{
    struct memnet *net = net_of(transport);
    for (size_t i = 0; i < MEMNET_LOOKUPS_MAX; i++) {
        if (!net->lookups[i]) {
            net->lookups[i] = resolve;
            resolve->internal = &net->lookups[i];
            return MOOT_OK;
        }
    }
    return MOOT_EDNS;
}

static void resolve_cancel(struct moot_transport *transport, struct moot_resolve *resolve)
{
    (void)transport;
    if (resolve->internal)
        *(struct moot_resolve **)resolve->internal = NULL;
    resolve->internal = NULL;
}

static int connect_result(struct moot_stream *stream, char *detail, size_t size)
{
    struct mem_stream *mem = mem_of(stream);
    moot__view_copy(mem->refused ? MOOT_VIEW("refused by the test") : MOOT_VIEW(""), detail, size);
    return mem->refused ? MOOT_ECONNECT : mem->connecting ? MOOT_EAGAIN : MOOT_OK;
}

static int connect_nowhere(struct memnet *net, struct moot_stream **out)
{
    struct mem_stream *mem = mem_new(net);
    if (!mem)
        return MOOT_ENOMEM;
    mem->connecting = net->hold_connects;
    mem->refused = !net->hold_connects;
    *out = &mem->stream;
    return MOOT_OK;
}

/* Connects at once; the test calls it from its own stack, so on_accept is not nested. */
static int do_connect(struct moot_transport *transport, const struct moot_address *address,
                      struct moot_stream **out)
{
    (void)address;
    struct memnet *net = net_of(transport);
    struct moot_stream *server;
    *out = NULL;
    if (net->hold_connects || net->refuse_connects)
        return connect_nowhere(net, out);
    if (!net->acceptor)
        return MOOT_ECONNECT;
    if (!memnet_pair(net, out, &server))
        return MOOT_ENOMEM;
    net->acceptor->on_accept(net->acceptor, server);
    return MOOT_OK;
}

static const struct moot_transport_ops ops = {
    .now_ns = now_ns,
    .clock_ns = now_ns,
    .wall_ns = wall_ns,
    .random = random_bytes,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .task_post = task_post,
    .task_cancel = task_cancel,
    .hold = hold,
    .let_go = let_go,
    .work_submit = work_submit,
    .resolve = resolve_start,
    .resolve_cancel = resolve_cancel,
    .connect = do_connect,
    .connect_result = connect_result,
    .listen = do_listen,
    .unlisten = do_unlisten,
};

void memnet_init(struct memnet *net, const struct moot_allocator *allocator)
{
    *net = (struct memnet){.transport = {&ops, allocator}, .now_ns = MOOT_NS_PER_S * 1000};
    moot__timers_init(&net->timers);
    moot__list_init(&net->tasks);
    moot__list_init(&net->works);
    moot__list_init(&net->streams);
    moot__rng_init(&net->rng, 1);
}

void memnet_deinit(struct memnet *net)
{
    assert_true(moot__list_is_empty(&net->tasks));
    assert_true(moot__list_is_empty(&net->works));
    assert_int_equal(net->streams_open, 0);
    assert_true(moot__timers_next_ns(&net->timers) == MOOT_NEVER_NS);
    assert_int_equal(net->held, 0);
    for (size_t i = 0; i < MEMNET_LOOKUPS_MAX; i++)
        assert_null(net->lookups[i]);
}

/* --- turning --------------------------------------------------------------------------------- */

static unsigned readiness(const struct mem_stream *mem)
{
    unsigned ready = 0;
    if (mem->connecting)
        return 0;
    if (mem->len > 0 || mem->fin || mem->reset)
        ready |= MOOT_READABLE;
    if (mem->reset || !mem->peer || room(mem->peer) > 0)
        ready |= MOOT_WRITABLE;
    return ready & mem->interest;
}

/* One that was not called in this turn. */
static struct mem_stream *next_ready(struct memnet *net)
{
    MOOT_LIST_FOREACH (node, &net->streams) {
        struct mem_stream *mem = moot__list_entry(node, struct mem_stream, node);
        if (mem->visited != net->turn && readiness(mem))
            return mem;
    }
    return NULL;
}

static bool run_tasks(struct memnet *net)
{
    struct moot_list batch, *node;
    moot__list_init(&batch);
    moot__list_splice(&batch, &net->tasks);
    bool any = false;
    while ((node = moot__list_pop_front(&batch))) {
        struct moot_task *task = moot__list_entry(node, struct moot_task, node);
        task->run(task);
        any = true;
    }
    return any;
}

static bool run_works(struct memnet *net)
{
    struct moot_list *node = net->hold_work ? NULL : moot__list_pop_front(&net->works);
    if (!node)
        return false;
    struct moot_work *work = moot__list_entry(node, struct moot_work, node);
    work->run(work);
    net->works_done++;
    work->done(work);
    return true;
}

static bool run_lookups(struct memnet *net)
{
    bool any = false;
    for (size_t i = 0; i < MEMNET_LOOKUPS_MAX; i++) {
        struct moot_resolve *resolve = net->lookups[i];
        if (!resolve || net->hold_lookups)
            continue;
        net->lookups[i] = NULL;
        resolve->internal = NULL;
        resolve->status = MOOT_OK;
        resolve->count = 1;
        resolve->addresses[0] = (struct moot_address){.bytes = {127, 0, 0, 1}};
        resolve->on_done(resolve);
        any = true;
    }
    return any;
}

static bool run_streams(struct memnet *net)
{
    struct mem_stream *mem;
    bool any = false;
    while ((mem = next_ready(net))) {
        mem->visited = net->turn;
        mem->stream.on_ready(&mem->stream, readiness(mem));
        any = true;
    }
    return any;
}

static bool run_timers(struct memnet *net)
{
    struct moot_timer *timer;
    bool any = false;
    while ((timer = moot__timers_take_due(&net->timers, net->now_ns))) {
        timer->on_fire(timer);
        any = true;
    }
    return any;
}

static bool turn(struct memnet *net)
{
    net->turn++;
    net->now_ns += MOOT_NS_PER_US;
    bool any = run_tasks(net);
    any |= run_works(net);
    any |= run_lookups(net);
    any |= run_streams(net);
    any |= run_timers(net);
    return any;
}

bool memnet_turn(struct memnet *net)
{
    if (turn(net))
        return true;
    uint64_t next_ns = moot__timers_next_ns(&net->timers);
    if (next_ns == MOOT_NEVER_NS)
        return false;
    net->now_ns = next_ns;
    return true;
}

bool memnet_run_until(struct memnet *net, const int *counter, int count)
{
    for (int turns = 0; *counter < count && turns < 200000; turns++)
        if (!memnet_turn(net))
            return false;
    return *counter >= count;
}

void memnet_run_idle(struct memnet *net)
{
    for (int turns = 0; turns < 1000 && turn(net); turns++)
        ;
}
