/* Sockets, threads, the loop, and the libraries with a call of their own to begin. */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

#include "wrap.h"

#define FAIL(number) return (errno = (number), -1)

/* ---- Sockets ---- */

WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), TORTURE_SOCKET,
     FAIL(EMFILE))
WRAP(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size), TORTURE_SOCKET, FAIL(ENOPROTOOPT))
WRAP(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size), TORTURE_SOCKET, FAIL(ENOBUFS))
WRAP(int, getsockname, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size),
     TORTURE_SOCKET, FAIL(ENOBUFS))
WRAP(int, getpeername, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size),
     TORTURE_SOCKET, FAIL(ENOBUFS))
WRAP(int, bind, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size),
     TORTURE_SOCKET, FAIL(EADDRINUSE))
WRAP(int, listen, (int fd, int backlog), (fd, backlog), TORTURE_SOCKET, FAIL(EADDRINUSE))
WRAP(int, accept4, (int fd, struct sockaddr *name, socklen_t *size, int flags),
     (fd, name, size, flags), TORTURE_SOCKET, FAIL(EMFILE))
WRAP(int, connect, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size),
     TORTURE_SOCKET, FAIL(ENETUNREACH))
WRAP(int, getaddrinfo,
     (const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out),
     (host, service, hints, out), TORTURE_SOCKET, return EAI_AGAIN)

/* What is failed here was reset: nothing comes of the socket any more. */
ssize_t __real_recv(int fd, void *data, size_t cap, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t cap, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t cap, int flags)
{
    if (torture_fails(TORTURE_SOCKET)) {
        shutdown(fd, SHUT_RDWR);
        FAIL(ECONNRESET);
    }
    if (torture_fails(TORTURE_INTERRUPTED))
        FAIL(EINTR);
    if (cap > 1 && torture_fails(TORTURE_SHORT))
        cap = 1;
    return __real_recv(fd, data, cap, flags);
}

ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    if (torture_fails(TORTURE_SOCKET)) {
        shutdown(fd, SHUT_RDWR);
        FAIL(EPIPE);
    }
    if (torture_fails(TORTURE_INTERRUPTED))
        FAIL(EINTR);
    if (len > 1 && torture_fails(TORTURE_SHORT))
        len /= 2;
    return __real_send(fd, data, len, flags);
}

/* ---- Threads: one that is started by what is counted is counted too ---- */

struct start {
    void *(*run)(void *);
    void (*run_uv)(void *);
    void *argument;
    bool is_exempt;
};

static void *begin(void *data)
{
    struct start start = *(struct start *)data;
    free(data);
    torture_exempt(start.is_exempt);
    return start.run(start.argument);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    if (torture_fails(TORTURE_SYSTEM))
        return EAGAIN;
    struct start *start = calloc(1, sizeof *start);
    *start = (struct start){.run = run, .argument = argument, .is_exempt = !torture_is_counting()};
    int rc = __real_pthread_create(thread, attributes, begin, start);
    if (rc)
        free(start);
    return rc;
}

/* The same of libuv's threads. */
static void begin_uv(void *data)
{
    struct start start = *(struct start *)data;
    free(data);
    torture_exempt(start.is_exempt);
    start.run_uv(start.argument);
}

int __real_uv_thread_create(uv_thread_t *thread, uv_thread_cb run, void *argument);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb run, void *argument);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb run, void *argument)
{
    if (torture_fails(TORTURE_SYSTEM))
        return UV_EAGAIN;
    struct start *start = calloc(1, sizeof *start);
    *start =
        (struct start){.run_uv = run, .argument = argument, .is_exempt = !torture_is_counting()};
    int rc = __real_uv_thread_create(thread, begin_uv, start);
    if (rc)
        free(start);
    return rc;
}

WRAP(int, pthread_mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes),
     (mutex, attributes), TORTURE_SYSTEM, return ENOMEM)
WRAP(int, pthread_cond_init, (pthread_cond_t * condition, const pthread_condattr_t *attributes),
     (condition, attributes), TORTURE_SYSTEM, return ENOMEM)

/* ---- libuv ---- */

WRAP(int, uv_loop_init, (uv_loop_t * loop), (loop), TORTURE_UV, return UV_ENOMEM)
WRAP(int, uv_async_init, (uv_loop_t * loop, uv_async_t *async, uv_async_cb run), (loop, async, run),
     TORTURE_UV, return UV_EMFILE)
WRAP(int, uv_poll_init, (uv_loop_t * loop, uv_poll_t *poll, int fd), (loop, poll, fd), TORTURE_UV,
     return UV_ENOMEM)

/* ---- Libraries that are begun. yajl is not among them: it gets memory that was reserved before
 * (engine/base/json_reserve.h), and never fails. ---- */

WRAP(int, inflateInit2_, (void *stream, int bits, const char *version, int size),
     (stream, bits, version, size), TORTURE_ZLIB, return -4) /* Z_MEM_ERROR */
WRAP(int, yaml_parser_initialize, (void *parser), (parser), TORTURE_YAML, return 0)
