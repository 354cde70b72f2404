/* Posts from other threads wait in a locked list and one uv_async tells of them; the loop takes the
 * whole list at once. The list's order is the order of running, and the seal is under the same
 * lock, so nothing that was accepted can be lost. */
#include "loop.h"

#include <pthread.h>
#include <signal.h>
#include <uv.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "net/transport_uv.h"

struct post {
    struct moot_list node;
    moot_loop_run_fn *run;
    void *data;
};

struct moot_loop {
    const struct moot_allocator *allocator;
    enum moot_engine_mode mode;
    void *owner;
    uv_loop_t *uv; /* the host's, or &own */
    uv_loop_t own;
    uv_async_t async;
    struct moot_transport *transport;
    struct post last_post; /* memory for the last one, so that a close cannot fail */
    pthread_t thread;
    bool closed;  /* nothing of ours is left in `uv` */
    bool turning; /* inside moot__loop_turn */
    void (*on_closed)(void *data);
    void *on_closed_data;

    struct {
        pthread_mutex_t mutex; /* guards the two below; any thread */
        struct moot_list posts;
        bool sealed;
    } synced;
};

/* ---- Posts ---- */

static void run_posts(struct moot_loop *loop)
{
    struct moot_list posts, *node;
    moot__list_init(&posts);
    pthread_mutex_lock(&loop->synced.mutex);
    moot__list_splice(&posts, &loop->synced.posts);
    pthread_mutex_unlock(&loop->synced.mutex);
    while ((node = moot__list_pop_front(&posts))) {
        struct post *post = moot__list_entry(node, struct post, node);
        moot_loop_run_fn *run = post->run;
        void *data = post->data;
        if (post != &loop->last_post)
            moot__free(loop->allocator, post);
        run(loop->owner, data);
    }
}

static void on_async(uv_async_t *async)
{
    run_posts(async->data);
}

static bool enqueue(struct moot_loop *loop, struct post *post, bool seal)
{
    pthread_mutex_lock(&loop->synced.mutex);
    bool open = !loop->synced.sealed;
    if (open && post) {
        moot__list_push_back(&loop->synced.posts, &post->node);
        /* Under the lock: once it is released, a close on the loop's thread may end the async. */
        uv_async_send(&loop->async);
    }
    if (seal)
        loop->synced.sealed = true;
    pthread_mutex_unlock(&loop->synced.mutex);
    return open;
}

static struct post *new_post(struct moot_loop *loop, moot_loop_run_fn *run, void *data)
{
    struct post *post = moot__alloc(loop->allocator, sizeof *post);
    if (!post)
        return NULL;
    *post = (struct post){.run = run, .data = data};
    moot__list_init(&post->node);
    return post;
}

int moot__loop_post(struct moot_loop *loop, moot_loop_run_fn *run, void *data)
{
    struct post *post = new_post(loop, run, data);
    if (!post)
        return MOOT_ENOMEM;
    if (enqueue(loop, post, false))
        return MOOT_OK;
    moot__free(loop->allocator, post);
    return MOOT_EBUSY;
}

bool moot__loop_seal(struct moot_loop *loop, moot_loop_run_fn *last, void *data)
{
    struct post *post = NULL;
    if (last) {
        post = &loop->last_post;
        *post = (struct post){.run = last, .data = data};
        moot__list_init(&post->node);
        if (loop->mode == MOOT_ENGINE_ON_LOOP)
            uv_ref((uv_handle_t *)&loop->async); /* the end is work: the host's loop stays for it */
    }
    return enqueue(loop, post, true);
}

/* ---- Making ---- */

static int open_handles(struct moot_loop *loop)
{
    if (uv_async_init(loop->uv, &loop->async, on_async) != 0)
        return MOOT_EIO;
    loop->async.data = loop;
    if (loop->mode == MOOT_ENGINE_ON_LOOP)
        uv_unref((uv_handle_t *)&loop->async); /* an idle engine does not keep the host's loop up */
    int rc = moot__transport_uv_new(loop->allocator, loop->uv, &loop->transport);
    if (rc)
        uv_close((uv_handle_t *)&loop->async, NULL);
    return rc;
}

/* What a host gave may be any number. */
static bool is_mode(enum moot_engine_mode mode)
{
    switch (mode) {
    case MOOT_ENGINE_ON_LOOP:
    case MOOT_ENGINE_EMBEDDED:
    case MOOT_ENGINE_THREAD:
        return true;
    }
    return false;
}

int moot__loop_new(const struct moot_loop_options *options, struct moot_loop **out)
{
    *out = NULL;
    bool on_host = options->mode == MOOT_ENGINE_ON_LOOP;
    if (!is_mode(options->mode) || on_host != (options->host != NULL))
        return MOOT_EINVAL;
    struct moot_loop *loop = moot__calloc(options->allocator, 1, sizeof *loop);
    if (!loop)
        return MOOT_ENOMEM;
    loop->allocator = options->allocator;
    loop->mode = options->mode;
    moot__list_init(&loop->synced.posts);
    loop->uv = on_host ? options->host : &loop->own;
    if (!on_host && uv_loop_init(&loop->own) != 0) {
        moot__free(options->allocator, loop);
        return MOOT_EIO;
    }
    pthread_mutex_init(&loop->synced.mutex, NULL);
    int rc = open_handles(loop);
    if (rc) {
        if (!on_host) {
            uv_run(&loop->own, UV_RUN_DEFAULT);
            uv_loop_close(&loop->own);
        }
        pthread_mutex_destroy(&loop->synced.mutex);
        moot__free(options->allocator, loop);
        return rc;
    }
    *out = loop;
    return MOOT_OK;
}

struct moot_transport *moot__loop_transport(struct moot_loop *loop)
{
    return loop->transport;
}

void moot__loop_set_owner(struct moot_loop *loop, void *owner)
{
    loop->owner = owner;
}

enum moot_engine_mode moot__loop_mode(const struct moot_loop *loop)
{
    return loop->mode;
}

/* ---- Closing ---- */

static void finish(struct moot_loop *loop)
{
    void (*on_closed)(void *) = loop->on_closed;
    void *data = loop->on_closed_data;
    if (loop->uv == &loop->own) {
        int rc = uv_loop_close(&loop->own);
        assert(rc == 0);
        moot__ignore(rc);
    }
    pthread_mutex_destroy(&loop->synced.mutex);
    moot__free(loop->allocator, loop);
    on_closed(data);
}

static void on_async_closed(uv_handle_t *handle)
{
    struct moot_loop *loop = handle->data;
    loop->closed = true;
    if (loop->mode == MOOT_ENGINE_ON_LOOP)
        finish(loop); /* the other modes finish when uv_run has returned */
}

static void on_transport_closed(void *data)
{
    struct moot_loop *loop = data;
    run_posts(loop); /* what came in before the seal and was not yet told of */
    uv_close((uv_handle_t *)&loop->async, on_async_closed);
}

void moot__loop_close(struct moot_loop *loop, void (*on_closed)(void *data), void *data)
{
    moot__ignore(moot__loop_seal(loop, NULL, NULL));
    loop->on_closed = on_closed;
    loop->on_closed_data = data;
    run_posts(loop);
    moot__transport_uv_close(loop->transport, on_transport_closed, loop);
}

static void forget(void *data)
{
    (void)data;
}

void moot__loop_abandon(struct moot_loop *loop)
{
    moot__loop_close(loop, forget, NULL);
    if (loop->mode == MOOT_ENGINE_ON_LOOP)
        return;
    while (!loop->closed)
        uv_run(loop->uv, UV_RUN_DEFAULT);
    finish(loop);
}

/* ---- Turning ---- */

static void *run_thread(void *data)
{
    struct moot_loop *loop = data;
    while (!loop->closed)
        uv_run(loop->uv, UV_RUN_DEFAULT);
    finish(loop);
    return NULL;
}

/* Signals are for the host's threads. */
int moot__loop_start_thread(struct moot_loop *loop)
{
    assert(loop->mode == MOOT_ENGINE_THREAD);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    int rc = pthread_attr_init(&attributes);
    if (rc == 0) {
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        rc = pthread_create(&loop->thread, &attributes, run_thread, loop);
        pthread_attr_destroy(&attributes);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? MOOT_OK : MOOT_EIO;
}

int moot__loop_fd(const struct moot_loop *loop)
{
    return uv_backend_fd(loop->uv);
}

/* libuv counts from the time of its last turn, and the host may have been busy since. A socket that
 * its descriptor does not watch yet makes it 0. */
int moot__loop_timeout_ms(const struct moot_loop *loop)
{
    uv_update_time(loop->uv);
    return uv_loop_alive(loop->uv) ? uv_backend_timeout(loop->uv) : -1;
}

void moot__loop_turn(struct moot_loop *loop)
{
    if (loop->turning)
        return; /* called from one of our callbacks */
    loop->turning = true;
    uv_run(loop->uv, UV_RUN_NOWAIT);
    loop->turning = false;
    if (loop->closed)
        finish(loop);
}
