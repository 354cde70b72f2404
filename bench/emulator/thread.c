/* The emulator on a thread. Everything is set up before the thread begins and freed after it ended;
 * between, the other side only leaves a wish and wakes the loop, which fulfils it and says so. */
#include "thread.h"

#include <stdio.h>
#include <uv.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "engine/base/err.h"
#include "net/tls_mint.h"
#include "net/transport_uv.h"
#include "server.h"

enum wish { WISH_NOTHING, WISH_LEDGER, WISH_STOP };

struct moot_emulator_thread {
    const struct moot_allocator *allocator;
    uv_loop_t loop;
    uv_async_t wake;
    uv_thread_t thread;
    struct moot_transport *transport;
    struct moot_tls_identity *identity;
    struct moot_tls_server *tls;
    struct moot_tls_minted minted;
    struct moot_emulator_server *server;
    char url[64];
    uv_mutex_t lock;
    uv_cond_t fulfilled;
    struct { /* by `lock` */
        enum wish wish;
        struct moot_emulator_ledger ledger;
    } synced;
};

/* ---- on the loop ---- */

static void on_transport_closed(void *data)
{
    struct moot_emulator_thread *thread = data;
    uv_close((uv_handle_t *)&thread->wake, NULL);
}

/* Close what lives on the loop; it then runs out of handles and returns. */
static void shut(struct moot_emulator_thread *thread)
{
    moot__emulator_server_close(thread->server);
    moot__tls_server_free(thread->tls);
    if (thread->transport)
        moot__transport_uv_close(thread->transport, on_transport_closed, thread);
    else
        uv_close((uv_handle_t *)&thread->wake, NULL);
}

static void on_wake(uv_async_t *wake)
{
    struct moot_emulator_thread *thread = wake->data;
    uv_mutex_lock(&thread->lock);
    enum wish wish = thread->synced.wish;
    if (wish == WISH_LEDGER)
        thread->synced.ledger =
            *moot_emulator_ledger(moot__emulator_server_emulator(thread->server));
    thread->synced.wish = WISH_NOTHING;
    uv_cond_signal(&thread->fulfilled);
    uv_mutex_unlock(&thread->lock);
    if (wish == WISH_STOP)
        shut(thread);
}

static void run(void *data)
{
    struct moot_emulator_thread *thread = data;
    uv_run(&thread->loop, UV_RUN_DEFAULT);
}

/* ---- on the other side ---- */

static void make_wish(struct moot_emulator_thread *thread, enum wish wish)
{
    uv_mutex_lock(&thread->lock);
    assert(thread->synced.wish == WISH_NOTHING);
    thread->synced.wish = wish;
    uv_async_send(&thread->wake);
    while (thread->synced.wish != WISH_NOTHING)
        uv_cond_wait(&thread->fulfilled, &thread->lock);
    uv_mutex_unlock(&thread->lock);
}

/* The loop is over, or never ran: free what is left. */
static void dispose(struct moot_emulator_thread *thread)
{
    moot__tls_identity_unref(thread->identity);
    moot__tls_minted_deinit(&thread->minted);
    uv_cond_destroy(&thread->fulfilled);
    uv_mutex_destroy(&thread->lock);
    int rc = uv_loop_close(&thread->loop);
    assert(rc == 0);
    moot__ignore(rc);
    moot__free(thread->allocator, thread);
}

static int make_tls(struct moot_emulator_thread *thread, struct moot_error_info *info)
{
    const struct moot_view names[] = {MOOT_VIEW("localhost"), MOOT_VIEW("127.0.0.1"),
                                      MOOT_VIEW("::1")};
    struct moot_tls_mint_options mint = {.names = names,
                                         .name_count = moot__countof(names),
                                         .wall_ns = moot__wall_ns(thread->transport)};
    int rc = moot__tls_mint(thread->allocator, &mint, &thread->minted);
    if (rc == MOOT_OK)
        rc = moot__tls_identity_parse(
            thread->allocator, moot__view_str(thread->minted.certificate_pem),
            moot__view_str(thread->minted.key_pem), &thread->identity, info);
    if (rc == MOOT_OK)
        rc = moot__tls_server_new(thread->transport, thread->identity, MOOT_TLS_DEFAULT,
                                  &thread->tls);
    return rc;
}

/* Everything that lives on the loop, before it runs. */
static int set_up(struct moot_emulator_thread *thread,
                  const struct moot_emulator_thread_options *options, struct moot_error_info *info)
{
    int rc = moot__transport_uv_new(thread->allocator, &thread->loop, &thread->transport);
    if (rc == MOOT_OK && options->tls)
        rc = make_tls(thread, info);
    if (rc)
        return rc;
    struct moot_emulator_server_options server = {
        .transport = thread->transport,
        .address = {.bytes = {127, 0, 0, 1}, .port = options->port},
        .emulator = options->emulator,
        .tls = thread->tls,
    };
    rc = moot__emulator_server_open(&server, &thread->server);
    if (rc)
        return rc;
    snprintf(thread->url, sizeof thread->url,
             options->tls ? "https://localhost:%u" : "http://127.0.0.1:%u",
             (unsigned)moot__emulator_server_address(thread->server).port);
    return MOOT_OK;
}

/* The primitives; true when all are there, else none is. */
static bool init_primitives(struct moot_emulator_thread *thread)
{
    if (uv_loop_init(&thread->loop))
        return false;
    if (uv_mutex_init(&thread->lock))
        goto no_mutex;
    if (uv_cond_init(&thread->fulfilled))
        goto no_cond;
    if (uv_async_init(&thread->loop, &thread->wake, on_wake))
        goto no_async;
    thread->wake.data = thread;
    return true;

no_async:
    uv_cond_destroy(&thread->fulfilled);
no_cond:
    uv_mutex_destroy(&thread->lock);
no_mutex:
    uv_loop_close(&thread->loop);
    return false;
}

int moot_emulator_thread_start(const struct moot_emulator_thread_options *options,
                               struct moot_emulator_thread **out, struct moot_error_info *info)
{
    *out = NULL;
    if (options->size != sizeof *options)
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_PREPARE,
                          "options.size is not that of this version");
    struct moot_emulator_thread *thread = moot__calloc(options->allocator, 1, sizeof *thread);
    if (!thread)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_PREPARE, "no memory for the emulator");
    thread->allocator = options->allocator;
    if (!init_primitives(thread)) {
        moot__free(options->allocator, thread);
        return moot__fail(info, MOOT_EIO, MOOT_PHASE_PREPARE, "libuv gave no event loop");
    }
    int rc = set_up(thread, options, info);
    if (rc == MOOT_OK && uv_thread_create(&thread->thread, run, thread) != 0)
        rc = MOOT_EIO;
    if (rc) {
        shut(thread);
        run(thread);
        dispose(thread);
        return moot__fail(info, rc, MOOT_PHASE_PREPARE, "the emulator cannot start: %s",
                          moot_error_text(rc));
    }
    *out = thread;
    return MOOT_OK;
}

const char *moot_emulator_thread_url(const struct moot_emulator_thread *thread)
{
    return thread->url;
}

const char *moot_emulator_thread_ca_pem(const struct moot_emulator_thread *thread)
{
    return thread->minted.ca_pem;
}

void moot_emulator_thread_ledger(struct moot_emulator_thread *thread,
                                 struct moot_emulator_ledger *out)
{
    make_wish(thread, WISH_LEDGER);
    uv_mutex_lock(&thread->lock);
    *out = thread->synced.ledger;
    uv_mutex_unlock(&thread->lock);
}

void moot_emulator_thread_stop(struct moot_emulator_thread *thread)
{
    if (!thread)
        return;
    make_wish(thread, WISH_STOP);
    uv_thread_join(&thread->thread);
    dispose(thread);
}
