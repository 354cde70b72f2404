/* The emulated provider of real scenarios, in a process of its own, so that nothing of it is ever
 * counted. It ends when the driver does. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "bench/emulator/server.h"
#include "materials.h"
#include "net/transport_uv.h"
#include "torture.h"

static struct {
    pid_t pid;
    int life; /* closed by the driver's end */
    uint16_t ports[2];
} provider = {.life = -1};

unsigned provider_port(void)
{
    return provider.ports[0];
}

unsigned provider_port_tls(void)
{
    return provider.ports[1];
}

static void on_life(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
    _exit(0);
}

static _Noreturn void serve(int life, int tell)
{
    struct moot_emulator_options emulator = moot_emulator_options_default();
    struct moot_emulator_server_options options = {.address = {.bytes = {127, 0, 0, 1}},
                                                   .emulator = &emulator};
    struct moot_emulator_server *servers[2];
    struct moot_transport *transport;
    uint16_t ports[2];
    uv_loop_t loop;
    uv_poll_t poll;
    if (uv_loop_init(&loop) || moot__transport_uv_new(NULL, &loop, &transport) ||
        uv_poll_init(&loop, &poll, life) || uv_poll_start(&poll, UV_READABLE, on_life))
        _exit(1);
    options.transport = transport;
    for (int i = 0; i < 2; i++) {
        if (i == 1 &&
            moot__tls_server_new(transport, materials()->identity, MOOT_TLS_DEFAULT, &options.tls))
            _exit(1);
        if (moot__emulator_server_open(&options, &servers[i]))
            _exit(1);
        ports[i] = moot__emulator_server_address(servers[i]).port;
    }
    if (write(tell, ports, sizeof ports) != sizeof ports)
        _exit(1);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(0);
}

void provider_start(void)
{
    int life[2], tell[2];
    uv_loop_t loop; /* the first of a process opens what is never closed */
    torture_check(uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0, "no loop");
    torture_check(pipe(life) == 0 && pipe(tell) == 0, "no pipe");
    provider.pid = fork();
    if (provider.pid == 0) {
        close(life[1]);
        close(tell[0]);
        serve(life[0], tell[1]);
    }
    close(life[0]);
    close(tell[1]);
    provider.life = life[1];
    torture_check(read(tell[0], provider.ports, sizeof provider.ports) == sizeof provider.ports,
                  "no provider");
    close(tell[0]);
}

void provider_stop(void)
{
    close(provider.life);
    while (waitpid(provider.pid, NULL, 0) < 0 && errno == EINTR) {
    }
}
