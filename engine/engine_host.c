/* The engine's face to its host: on the host's loop, inside another loop, on a thread. */
#include "engine.h"
#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/err.h"

struct posted {
    void (*run)(struct moot_engine *engine, void *data);
    void *data;
};

int moot_engine_new(const struct moot_engine_options *options, struct moot_engine **out,
                    struct moot_error_info *info)
{
    *out = NULL;
    if (options->size != sizeof *options || !options->plan) /* before anything else is believed */
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_NONE, "incomplete engine options");
    struct moot_loop_options loop_options = {
        .allocator = options->allocator,
        .mode = options->mode,
        .host = options->loop,
    };
    struct moot_loop *loop;
    int rc = moot__loop_new(&loop_options, &loop);
    if (rc)
        return moot__fail(info, rc, MOOT_PHASE_NONE, "no event loop could be made: %s",
                          moot_error_text(rc));
    struct moot_engine *engine;
    rc = moot__engine_new_on(moot__loop_transport(loop), options, &engine, info);
    if (rc) {
        moot__loop_abandon(loop);
        return rc;
    }
    engine->loop = loop;
    moot__loop_set_owner(loop, engine);
    if (options->mode == MOOT_ENGINE_THREAD && (rc = moot__loop_start_thread(loop)) != MOOT_OK) {
        moot__engine_abandon(engine);
        moot__loop_abandon(loop);
        return moot__fail(info, rc, MOOT_PHASE_NONE, "no thread could be started");
    }
    *out = engine;
    return MOOT_OK;
}

static void run_posted(void *owner, void *data)
{
    struct moot_engine *engine = owner;
    struct posted posted = *(struct posted *)data;
    moot__free(engine->allocator, data);
    posted.run(engine, posted.data);
}

int moot_engine_post(struct moot_engine *engine,
                     void (*run)(struct moot_engine *engine, void *data), void *data)
{
    struct posted *posted = moot__alloc(engine->allocator, sizeof *posted);
    if (!posted)
        return MOOT_ENOMEM;
    *posted = (struct posted){run, data};
    int rc = moot__loop_post(engine->loop, run_posted, posted);
    if (rc)
        moot__free(engine->allocator, posted);
    return rc;
}

static void begin_closing(void *owner, void *data)
{
    (void)data;
    moot__engine_close_here(owner);
}

void moot_engine_close(struct moot_engine *engine, void (*on_closed)(void *data), void *data)
{
    engine->on_closed = on_closed;
    engine->on_closed_data = data;
    atomic_store(&engine->sealed, true);
    bool was_open = moot__loop_seal(engine->loop, begin_closing, NULL);
    assert(was_open);
    moot__ignore(was_open);
}

int moot_engine_fd(const struct moot_engine *engine)
{
    return moot__loop_fd(engine->loop);
}

int moot_engine_timeout_ms(const struct moot_engine *engine)
{
    return moot__loop_timeout_ms(engine->loop);
}

void moot_engine_turn(struct moot_engine *engine)
{
    moot__loop_turn(engine->loop);
}
