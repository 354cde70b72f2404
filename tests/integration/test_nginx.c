/* Conversations through nginx, a TLS server that is not ours, in front of the emulated provider.
 *
 * The listening socket is made here and inherited (nginx takes those that its variable NGINX
 * names), so that no port is guessed and nobody waits for nginx to be ready. */
#define _GNU_SOURCE
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls_world.h"

#define NGINX "/usr/sbin/nginx"

struct nginx {
    char folder[32];
    unsigned port;
    pid_t pid;
};

static void write_file(const struct nginx *nginx, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", nginx->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void write_config(const struct nginx *nginx, unsigned upstream_port)
{
    char text[2048];
    snprintf(text, sizeof text,
             "daemon off; worker_processes 1; pid nginx.pid; error_log error.log;\n"
             "events { worker_connections 64; }\n"
             "http {\n"
             "  access_log off;\n"
             "  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
             "  uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
             "  server {\n"
             "    listen 127.0.0.1:%u ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;\n"
             "    location / {\n"
             "      proxy_pass http://127.0.0.1:%u; proxy_http_version 1.1;\n"
             "      proxy_set_header Connection \"\"; proxy_buffering off;\n"
             "    }\n  }\n}\n",
             nginx->port, upstream_port);
    write_file(nginx, "nginx.conf", text);
}

static int listen_somewhere(struct nginx *nginx)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    nginx->port = ntohs(address.sin_port);
    return fd;
}

static void become_nginx(const struct nginx *nginx, int fd)
{
    char inherited[16], config[64], folder[4096];
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    snprintf(inherited, sizeof inherited, "%d;", fd);
    setenv("NGINX", inherited, 1);
    if (!realpath(nginx->folder, folder))
        _exit(126);
    snprintf(config, sizeof config, "nginx.conf");
    execl(NGINX, NGINX, "-p", folder, "-e", "error.log", "-c", config, (char *)NULL);
    _exit(127);
}

static void nginx_start(struct nginx *nginx, const struct tls_world *world)
{
    snprintf(nginx->folder, sizeof nginx->folder, "moot-nginx-XXXXXX");
    assert_non_null(mkdtemp(nginx->folder));
    int fd = listen_somewhere(nginx);
    write_config(nginx, world->address.port);
    write_file(nginx, "cert.pem", world->minted.certificate_pem);
    write_file(nginx, "key.pem", world->minted.key_pem);
    nginx->pid = fork();
    assert_true(nginx->pid >= 0);
    if (nginx->pid == 0)
        become_nginx(nginx, fd);
    close(fd);
}

static void nginx_stop(struct nginx *nginx)
{
    static const char *const files[] = {"nginx.conf", "cert.pem", "key.pem", "nginx.pid",
                                        "error.log"};
    static const char *const folders[] = {"body", "proxy", "fastcgi", "uwsgi", "scgi", ""};
    char path[64];
    int status;
    assert_int_equal(kill(nginx->pid, SIGTERM), 0);
    assert_int_equal(waitpid(nginx->pid, &status, 0), nginx->pid);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", nginx->folder, files[i]);
        unlink(path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", nginx->folder, folders[i]);
        rmdir(path);
    }
}

static void answers_through_nginx(void **state)
{
    (void)state;
    static struct tls_world world;
    struct nginx nginx;
    char url[64];
    tls_world_open(&world, false);
    nginx_start(&nginx, &world);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/v1", nginx.port);
    tls_world_engine(&world, url, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        tls_world_ask(&world, i % 2);
        assert_string_equal(world.error.message, "");
        assert_string_equal(world.text, "model-a heard: Why?");
    }
    struct moot_engine_stats stats = {.size = sizeof stats};
    moot_engine_stats(world.engine, &stats);
    assert_int_equal(stats.connections, 1);
    tls_world_close_engine(&world);
    nginx_stop(&nginx);
    tls_world_close(&world);
}

int main(void)
{
    if (access(NGINX, X_OK)) {
        printf("skipped: " NGINX " is missing\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_through_nginx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
