#include "probes.h"

#include "engine/base/check.h"
#include "test.h"

static void on_tick(struct moot_timer *timer)
{
    struct test_ticker *ticker = moot__container_of(timer, struct test_ticker, timer);
    ticker->count++;
    ticker->fired_ns = moot__clock_ns(ticker->transport);
    if (ticker->restarts-- > 0)
        moot__timer_start(ticker->transport, timer, 0);
}

struct test_ticker test_ticker_on(struct moot_transport *transport)
{
    return (struct test_ticker){.timer = {.on_fire = on_tick}, .transport = transport};
}

static void on_task(struct moot_task *task)
{
    struct test_poster *poster = moot__container_of(task, struct test_poster, task);
    poster->count++;
    if (poster->reposts-- > 0)
        moot__task_post(poster->transport, task);
}

void test_poster_init(struct test_poster *poster, struct moot_transport *transport)
{
    *poster = (struct test_poster){.transport = transport};
    moot__task_init(&poster->task, on_task);
}

static void on_resolved(struct moot_resolve *resolve)
{
    moot__container_of(resolve, struct test_asker, resolve)->done++;
}

void test_ask(struct test_asker *asker, struct test_loop *test, const char *host)
{
    *asker = (struct test_asker){.resolve = {.on_done = on_resolved, .port = 443}};
    moot__view_copy(moot__view_str(host), asker->resolve.host, sizeof asker->resolve.host);
    struct moot_transport *transport = test->transport;
    assert_int_equal(transport->ops->resolve(transport, &asker->resolve), MOOT_OK);
    assert_int_equal(asker->done, 0);
}

static void work_run(struct moot_work *work)
{
    moot__container_of(work, struct test_worker, work)->runs++;
}

static void work_done(struct moot_work *work)
{
    struct test_worker *worker = moot__container_of(work, struct test_worker, work);
    worker->done++;
    worker->status = work->status;
}

void test_work(struct test_worker *worker, struct test_loop *test)
{
    *worker = (struct test_worker){.work = {.run = work_run, .done = work_done}};
    struct moot_transport *transport = test->transport;
    assert_int_equal(transport->ops->work_submit(transport, &worker->work), MOOT_OK);
    assert_int_equal(worker->done, 0); /* it may be running already */
}
