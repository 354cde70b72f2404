#include "fake_net.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "engine/base/check.h"
#include "test.h"

static struct fake_net *from_base(struct moot_transport *base)
{
    return moot__container_of(base, struct fake_net, base);
}

static struct fake_stream *from_stream(struct moot_stream *base)
{
    return moot__container_of(base, struct fake_stream, base);
}

static uint64_t now_ns(struct moot_transport *base)
{
    return from_base(base)->now_ns;
}

static void timer_start(struct moot_transport *base, struct moot_timer *timer, uint64_t deadline_ns)
{
    moot__timers_start(&from_base(base)->timers, timer, deadline_ns);
}

static void timer_stop(struct moot_transport *base, struct moot_timer *timer)
{
    moot__timers_stop(&from_base(base)->timers, timer);
}

static void task_post(struct moot_transport *base, struct moot_task *task)
{
    if (!moot__list_is_linked(&task->node))
        moot__list_push_back(&from_base(base)->tasks, &task->node);
}

static void task_cancel(struct moot_transport *base, struct moot_task *task)
{
    (void)base;
    moot__list_remove(&task->node);
}

static int resolve_start(struct moot_transport *base, struct moot_resolve *resolve)
{
    struct fake_net *net = from_base(base);
    if (net->resolve_error)
        return net->resolve_error;
    assert_true(net->lookup_count < FAKE_MAX);
    resolve->internal = &net->lookups[net->lookup_count];
    net->lookups[net->lookup_count++] = resolve;
    return MOOT_OK;
}

static void resolve_cancel(struct moot_transport *base, struct moot_resolve *resolve)
{
    if (!resolve->internal)
        return;
    from_base(base)->cancel_count++;
    *(struct moot_resolve **)resolve->internal = NULL;
    resolve->internal = NULL;
}

static void stream_want(struct moot_stream *stream, unsigned interest)
{
    from_stream(stream)->wanted = interest;
}

static void stream_close(struct moot_stream *stream)
{
    assert_true(from_stream(stream)->is_open);
    from_stream(stream)->is_open = false;
}

static const struct moot_stream_ops stream_ops = {
    .want = stream_want, .close = stream_close, .abort = stream_close};

static int connect_start(struct moot_transport *base, const struct moot_address *address,
                         struct moot_stream **out)
{
    struct fake_net *net = from_base(base);
    *out = NULL;
    if (net->connect_error)
        return net->connect_error;
    assert_true(net->stream_count < moot__countof(net->streams));
    struct fake_stream *stream = &net->streams[net->stream_count++];
    *stream =
        (struct fake_stream){.base = {.ops = &stream_ops}, .address = *address, .is_open = true};
    *out = &stream->base;
    return MOOT_OK;
}

static int connect_result(struct moot_stream *stream, char *detail, size_t size)
{
    enum fake_outcome outcome = from_stream(stream)->outcome;
    snprintf(detail, size, "%s", outcome == FAKE_REFUSED ? "refused by the test" : "");
    return outcome == FAKE_PENDING ? MOOT_EAGAIN : outcome == FAKE_MADE ? MOOT_OK : MOOT_ECONNECT;
}

static const struct moot_transport_ops ops = {
    .now_ns = now_ns,
    .clock_ns = now_ns,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .task_post = task_post,
    .task_cancel = task_cancel,
    .resolve = resolve_start,
    .resolve_cancel = resolve_cancel,
    .connect = connect_start,
    .connect_result = connect_result,
};

void fake_net_init(struct fake_net *net, const struct moot_allocator *allocator)
{
    memset(net, 0, sizeof *net);
    net->base.ops = &ops;
    net->base.allocator = allocator;
    net->now_ns = 1000;
    moot__timers_init(&net->timers);
    moot__list_init(&net->tasks);
}

void fake_net_run(struct fake_net *net)
{
    struct moot_list *node;
    struct moot_timer *timer;
    for (;;) {
        if ((node = moot__list_pop_front(&net->tasks))) {
            struct moot_task *task = moot__list_entry(node, struct moot_task, node);
            task->run(task);
        } else if ((timer = moot__timers_take_due(&net->timers, net->now_ns))) {
            timer->on_fire(timer);
        } else {
            return;
        }
    }
}

void fake_net_advance(struct fake_net *net, uint64_t span_ns)
{
    net->now_ns += span_ns;
    fake_net_run(net);
}

static void parse(struct moot_view text, struct moot_address *out)
{
    char literal[64];
    moot__view_copy(text, literal, sizeof literal);
    *out = (struct moot_address){0};
    if (inet_pton(AF_INET, literal, out->bytes) == 1)
        return;
    out->is_ipv6 = true;
    assert_int_equal(inet_pton(AF_INET6, literal, out->bytes), 1);
}

void fake_net_answer(struct fake_net *net, unsigned lookup, const char *addresses)
{
    assert_true(lookup < net->lookup_count);
    struct moot_resolve *resolve = net->lookups[lookup];
    assert_non_null(resolve);
    net->lookups[lookup] = NULL;
    resolve->internal = NULL;
    resolve->count = 0;
    resolve->status = addresses ? MOOT_OK : MOOT_EDNS;
    if (!addresses)
        snprintf(resolve->detail, sizeof resolve->detail, "no such name, says the test");
    struct moot_view rest = moot__view_str(addresses), part;
    while (addresses && moot__view_split(&rest, ' ', &part))
        parse(part, &resolve->addresses[resolve->count++]);
    resolve->on_done(resolve);
    fake_net_run(net);
}

void fake_net_decide(struct fake_net *net, unsigned stream, enum fake_outcome outcome)
{
    struct fake_stream *fake = &net->streams[stream];
    assert_true(stream < net->stream_count && fake->is_open);
    fake->outcome = outcome;
    if (fake->wanted)
        fake->base.on_ready(&fake->base, fake->wanted);
    fake_net_run(net);
}

unsigned fake_net_open_streams(const struct fake_net *net)
{
    unsigned count = 0;
    for (unsigned i = 0; i < net->stream_count; i++)
        count += net->streams[i].is_open;
    return count;
}
