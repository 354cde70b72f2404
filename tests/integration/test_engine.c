/* What moot/engine.h promises to a host, for each of the ways to run an engine. The provider runs
 * on a thread of its own, so that nothing but the engine turns the engine's loop. */
#include "tests/support/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/emulator/thread.h"
#include "world.h"

enum { PATIENCE_MS = 5000 };

struct guest {
    struct moot_emulator_options emulator;
    struct moot_emulator_thread *provider;
    struct moot_plan *plan;
    struct moot_engine *engine;
    pthread_mutex_t mutex; /* of what engines on threads change */
    pthread_cond_t changed;
    int posts, closed, posts_at_close;
    int begin_rc, post_rc;
};

static void guest_init(struct guest *guest, uint64_t whole_ns)
{
    *guest = (struct guest){.emulator = moot_emulator_options_default(),
                            .mutex = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
    guest->emulator.whole_ns = whole_ns;
    struct moot_emulator_thread_options provided = {.size = sizeof provided,
                                                    .emulator = &guest->emulator};
    assert_int_equal(moot_emulator_thread_start(&provided, &guest->provider, NULL), MOOT_OK);
    struct world_options options = world_options();
    guest->plan = world_plan(&options, moot_emulator_thread_url(guest->provider));
}

static struct moot_engine_options guest_options(struct guest *guest, enum moot_engine_mode mode)
{
    return (struct moot_engine_options){
        .size = sizeof(struct moot_engine_options), .plan = guest->plan, .mode = mode};
}

static void guest_engine(struct guest *guest, enum moot_engine_mode mode)
{
    struct moot_engine_options options = guest_options(guest, mode);
    struct moot_error_info info;
    if (moot_engine_new(&options, &guest->engine, &info))
        fail_msg("%s", info.message);
}

static void guest_deinit(struct guest *guest)
{
    moot_plan_unref(guest->plan);
    moot_emulator_thread_stop(guest->provider);
}

static void on_closed(void *data)
{
    struct guest *guest = data;
    pthread_mutex_lock(&guest->mutex);
    guest->closed++;
    guest->posts_at_close = guest->posts;
    pthread_cond_signal(&guest->changed);
    pthread_mutex_unlock(&guest->mutex);
}

static void wait_closed(struct guest *guest)
{
    pthread_mutex_lock(&guest->mutex);
    while (!guest->closed)
        pthread_cond_wait(&guest->changed, &guest->mutex);
    pthread_mutex_unlock(&guest->mutex);
}

static int ask(struct moot_engine *engine, struct talk *talk)
{
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why?")};
    struct moot_conversation_options options = talk_options(talk);
    options.messages = &message;
    options.message_count = 1;
    return moot_conversation_begin(engine, &options, &talk->conversation);
}

/* A host that looks at nothing but the descriptor and the timeout, and is patient. */
static void embedded_turn(struct guest *guest)
{
    int timeout = moot_engine_timeout_ms(guest->engine);
    bool is_patient = timeout >= 0 && timeout < PATIENCE_MS;
    struct pollfd fd = {.fd = moot_engine_fd(guest->engine), .events = POLLIN};
    int ready = poll(&fd, 1, is_patient ? timeout : PATIENCE_MS);
    assert_true(ready > 0 || is_patient);
    moot_engine_turn(guest->engine);
}

static void embedded_close(struct guest *guest)
{
    moot_engine_close(guest->engine, on_closed, guest);
    assert_int_equal(guest->closed, 0);
    while (!guest->closed)
        embedded_turn(guest);
    assert_int_equal(guest->closed, 1);
}

/* ---- Making ---- */

static void bad_options_are_refused(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, 0);
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct moot_engine_options bad[5];
    for (int i = 0; i < 5; i++)
        bad[i] = guest_options(&guest, MOOT_ENGINE_EMBEDDED);
    bad[0].size--;
    bad[1].plan = NULL;
    bad[2].mode = MOOT_ENGINE_ON_LOOP; /* and no loop */
    bad[3].loop = &loop;               /* and not on it */
    bad[4].mode = (enum moot_engine_mode)7;
    for (int i = 0; i < 5; i++) {
        struct moot_error_info info = {0};
        struct moot_engine *engine = (void *)&info;
        assert_int_equal(moot_engine_new(&bad[i], &engine, &info), MOOT_EINVAL);
        assert_null(engine);
        assert_true(info.message[0]);
        assert_int_equal(moot_engine_new(&bad[i], &engine, NULL), MOOT_EINVAL);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    guest_deinit(&guest);
}

/* ---- Inside another loop ---- */

/* By name, so that the connection begins from where a look-up ends: inside the poll. */
static void by_name(struct guest *guest)
{
    char url[64];
    const char *port = strrchr(moot_emulator_thread_url(guest->provider), ':');
    snprintf(url, sizeof url, "http://localhost%s", port);
    moot_plan_unref(guest->plan);
    struct world_options options = world_options();
    guest->plan = world_plan(&options, url);
}

static void embedded_needs_only_its_descriptor(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, 2 * MOOT_NS_PER_MS);
    by_name(&guest);
    guest_engine(&guest, MOOT_ENGINE_EMBEDDED);
    struct talk talks[3] = {0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(guest.engine, &talks[i]), MOOT_OK);
        while (!talks[i].done)
            embedded_turn(&guest);
        assert_int_equal(talks[i].error.code, MOOT_OK);
    }
    embedded_close(&guest);
    guest_deinit(&guest);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The host was busy since the engine's last turn; that time has passed for the engine as well. */
static void embedded_timeout_is_from_now(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, UINT64_C(3600) * MOOT_NS_PER_S);
    guest_engine(&guest, MOOT_ENGINE_EMBEDDED);
    struct talk talk = {0};
    assert_int_equal(ask(guest.engine, &talk), MOOT_OK);
    while (moot_engine_timeout_ms(guest.engine) == 0)
        moot_engine_turn(guest.engine);
    int before = moot_engine_timeout_ms(guest.engine);
    assert_true(before > 1000);
    for (uint64_t end = now_ms() + 30; now_ms() < end;) {
    }
    assert_true(moot_engine_timeout_ms(guest.engine) <= before - 25);
    embedded_close(&guest);
    assert_int_equal(talk.done, 1);
    assert_int_equal(talk.error.code, MOOT_ECANCELED);
    guest_deinit(&guest);
}

/* ---- Closing ---- */

static void count_post(struct moot_engine *engine, void *data)
{
    struct guest *guest = data;
    assert_non_null(engine);
    pthread_mutex_lock(&guest->mutex);
    guest->posts++;
    pthread_mutex_unlock(&guest->mutex);
}

static void closing_takes_nothing_new(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, 0);
    guest_engine(&guest, MOOT_ENGINE_EMBEDDED);
    for (int i = 0; i < 3; i++)
        assert_int_equal(moot_engine_post(guest.engine, count_post, &guest), MOOT_OK);
    struct talk before = {0}, after = {0};
    assert_int_equal(ask(guest.engine, &before), MOOT_OK);
    moot_engine_close(guest.engine, on_closed, &guest);
    assert_int_equal(guest.posts, 0);
    assert_int_equal(moot_engine_post(guest.engine, count_post, &guest), MOOT_EBUSY);
    assert_int_equal(ask(guest.engine, &after), MOOT_EBUSY);
    while (!guest.closed)
        embedded_turn(&guest);
    assert_int_equal(guest.posts_at_close, 3);
    assert_int_equal(before.done, 1);
    assert_int_equal(before.error.code, MOOT_ECANCELED);
    assert_int_equal(after.done, 0);
    guest_deinit(&guest);
}

/* Posts and the close come from here, the rest happens there. */
static void thread_runs_posts_before_it_is_gone(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct guest guest;
        guest_init(&guest, 0);
        guest_engine(&guest, MOOT_ENGINE_THREAD);
        for (int i = 0; i < round; i++)
            assert_int_equal(moot_engine_post(guest.engine, count_post, &guest), MOOT_OK);
        moot_engine_close(guest.engine, on_closed, &guest);
        wait_closed(&guest);
        assert_int_equal(guest.posts_at_close, round);
        guest_deinit(&guest);
    }
}

static void close_here(struct moot_engine *engine, void *data)
{
    struct guest *guest = data;
    moot_engine_close(engine, on_closed, guest);
    guest->post_rc = moot_engine_post(engine, count_post, guest);
    struct talk talk = {0};
    guest->begin_rc = ask(engine, &talk);
}

static void thread_may_close_itself(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, 0);
    guest_engine(&guest, MOOT_ENGINE_THREAD);
    assert_int_equal(moot_engine_post(guest.engine, close_here, &guest), MOOT_OK);
    wait_closed(&guest);
    assert_int_equal(guest.posts, 0);
    assert_int_equal(guest.post_rc, MOOT_EBUSY);
    assert_int_equal(guest.begin_rc, MOOT_EBUSY);
    guest_deinit(&guest);
}

/* ---- Looking in ---- */

static void stats_tell_what_happened(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, 0);
    guest_engine(&guest, MOOT_ENGINE_EMBEDDED);
    struct talk talk = {0};
    assert_int_equal(ask(guest.engine, &talk), MOOT_OK);
    while (!talk.done)
        embedded_turn(&guest);
    struct moot_engine_stats stats = {.size = sizeof stats};
    moot_engine_stats(guest.engine, &stats);
    assert_int_equal(stats.size, sizeof stats);
    assert_int_equal(stats.conversations_begun, 1);
    assert_int_equal(stats.conversations_done, 1);
    assert_int_equal(stats.calls, 2);
    assert_int_equal(stats.calls_failed, 0);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.input_tokens, talk.usage.input_tokens);
    assert_int_equal(stats.output_tokens, talk.usage.output_tokens);
    struct moot_engine_stats older = {.size = offsetof(struct moot_engine_stats, calls),
                                      .calls = 77};
    moot_engine_stats(guest.engine, &older);
    assert_int_equal(older.conversations_done, 1);
    assert_int_equal(older.calls, 77);
    embedded_close(&guest);
    guest_deinit(&guest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(embedded_needs_only_its_descriptor),
        cmocka_unit_test(embedded_timeout_is_from_now),
        cmocka_unit_test(closing_takes_nothing_new),
        cmocka_unit_test(thread_runs_posts_before_it_is_gone),
        cmocka_unit_test(thread_may_close_itself),
        cmocka_unit_test(stats_tell_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
