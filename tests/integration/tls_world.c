#include "tls_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/test.h"

static void start_tls(struct tls_world *world)
{
    const struct moot_view names[] = {MOOT_VIEW("api.test"), MOOT_VIEW("127.0.0.1")};
    struct moot_tls_mint_options options = {
        .names = names, .name_count = 2, .wall_ns = (uint64_t)time(NULL) * MOOT_NS_PER_S};
    struct moot_error_info info;
    assert_int_equal(moot__tls_mint(NULL, &options, &world->minted), MOOT_OK);
    assert_int_equal(moot__tls_identity_parse(NULL, moot__view_str(world->minted.certificate_pem),
                                              moot__view_str(world->minted.key_pem),
                                              &world->identity, &info),
                     MOOT_OK);
    assert_int_equal(
        moot__tls_server_new(world->loop.transport, world->identity, MOOT_TLS_DEFAULT, &world->tls),
        MOOT_OK);
}

void tls_world_open(struct tls_world *world, bool tls)
{
    memset(world, 0, sizeof *world);
    test_loop_init(&world->loop);
    start_tls(world);
    struct moot_emulator_options emulator = moot_emulator_options_default();
    struct moot_emulator_server_options options = {
        .transport = world->loop.transport,
        .address = {.bytes = {127, 0, 0, 1}},
        .emulator = &emulator,
        .tls = tls ? world->tls : NULL,
    };
    assert_int_equal(moot__emulator_server_open(&options, &world->server), MOOT_OK);
    world->address = moot__emulator_server_address(world->server);
}

static const char *environment(void *context, const char *name)
{
    if (strcmp(name, "TEST_KEY") == 0)
        return "test-key-0123456789";
    return strcmp(name, "HTTPS_PROXY") == 0 ? context : NULL;
}

static void load_plan(struct tls_world *world, const char *url, const char *https_proxy)
{
    char text[1024], proxy[128] = "";
    if (https_proxy)
        snprintf(proxy, sizeof proxy, "%s", https_proxy);
    snprintf(text, sizeof text,
             "models: {oracle: {endpoint: model-a, instruction: You know.}}\nflow: [oracle]\n"
             "providers:\n  default: {type: openai, base_url: '%s', api_key: env:TEST_KEY,\n"
             "            retry: {max_attempts: 1}}\n",
             url);
    struct moot_plan_options options = {
        .size = sizeof options,
        .path = "test.yaml",
        .text = moot__view_str(text),
        .environment = environment,
        .environment_context = proxy,
    };
    struct moot_error_info info;
    if (moot_plan_load(&options, &world->plan, &info))
        fail_msg("%s", info.message);
}

void tls_world_engine(struct tls_world *world, const char *url, const char *https_proxy,
                      const char *ca_pem)
{
    load_plan(world, url, https_proxy);
    snprintf(world->ca_file, sizeof world->ca_file, "moot-ca-XXXXXX");
    int fd = mkstemp(world->ca_file);
    assert_true(fd >= 0);
    if (!ca_pem)
        ca_pem = world->minted.ca_pem;
    assert_int_equal(write(fd, ca_pem, strlen(ca_pem)), strlen(ca_pem));
    close(fd);
    struct moot_engine_options options = {
        .size = sizeof options,
        .plan = world->plan,
        .mode = MOOT_ENGINE_ON_LOOP,
        .loop = &world->loop.loop,
        .ca_file = world->ca_file,
    };
    struct moot_error_info info;
    if (moot_engine_new(&options, &world->engine, &info))
        fail_msg("%s", info.message);
}

static void on_done(struct moot_conversation *conversation, const struct moot_outcome *outcome,
                    void *data)
{
    (void)conversation;
    struct tls_world *world = data;
    world->done++;
    world->error = outcome->error;
    moot__view_copy(outcome->text, world->text, sizeof world->text);
}

void tls_world_ask(struct tls_world *world, bool stream)
{
    struct moot_message message = {MOOT_VIEW("user"), MOOT_VIEW("Why?")};
    struct moot_conversation_options options = {
        .size = sizeof options,
        .messages = &message,
        .message_count = 1,
        .stream = stream,
        .on_done = on_done,
        .data = world,
    };
    struct moot_conversation *conversation;
    world->done = 0;
    assert_int_equal(moot_conversation_begin(world->engine, &options, &conversation), MOOT_OK);
    assert_true(test_loop_run_until_count(&world->loop, &world->done, 1));
    assert_int_equal(world->done, 1);
}

static void on_closed(void *data)
{
    ++*(int *)data;
}

void tls_world_close_engine(struct tls_world *world)
{
    world->engine_closed = 0;
    moot_engine_close(world->engine, on_closed, &world->engine_closed);
    assert_true(test_loop_run_until_count(&world->loop, &world->engine_closed, 1));
    moot_plan_unref(world->plan);
    assert_int_equal(unlink(world->ca_file), 0);
}

void tls_world_close(struct tls_world *world)
{
    moot__emulator_server_close(world->server);
    moot__tls_server_free(world->tls);
    moot__tls_identity_unref(world->identity);
    moot__tls_minted_deinit(&world->minted);
    test_loop_deinit(&world->loop);
}
