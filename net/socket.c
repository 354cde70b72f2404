/* The system calls of the real transport, in one place and without a loop.
 *
 * libuv writes without MSG_NOSIGNAL, so a reset by a peer would end a host that did not ignore
 * SIGPIPE; hence own sockets. Options are set once on a listening socket: Linux hands them to every
 * connection that is accepted, which saves four calls each. */
#define _GNU_SOURCE /* accept4, SOCK_CLOEXEC, TCP_USER_TIMEOUT */

#include "socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"

enum {
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 6,
    UNACKNOWLEDGED_MAX_MS = 60 * 1000, /* of what we sent: then the peer is gone */
    BACKLOG = 1024,
};

bool moot__socket_address(const struct sockaddr *from, struct moot_address *out)
{
    *out = (struct moot_address){0};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        memcpy(out->bytes, &in.sin_addr, 4);
        out->port = ntohs(in.sin_port);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        memcpy(out->bytes, &in6.sin6_addr, 16);
        out->port = ntohs(in6.sin6_port);
        out->is_ipv6 = true;
        out->scope = in6.sin6_scope_id;
        return true;
    }
    return false;
}

static socklen_t to_sockaddr(const struct moot_address *from, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (!from->is_ipv6) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(from->port)};
        memcpy(&in.sin_addr, from->bytes, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(from->port), .sin6_scope_id = from->scope};
    memcpy(&in6.sin6_addr, from->bytes, 16);
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

/* Best effort: a socket without one of these still works. */
static void set_option(int fd, int level, int name, int value)
{
    moot__ignore(setsockopt(fd, level, name, &value, sizeof value) != 0);
}

static int open_socket(const struct moot_address *address)
{
    int fd = socket(address->is_ipv6 ? AF_INET6 : AF_INET,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -errno;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    return fd;
}

int moot__socket_connect(const struct moot_address *address, bool *is_made)
{
    int fd = open_socket(address);
    if (fd < 0)
        return fd;
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MAX_MS);
    struct sockaddr_storage to;
    socklen_t len = to_sockaddr(address, &to);
    *is_made = connect(fd, (struct sockaddr *)&to, len) == 0;
    /* An interrupted connect goes on by itself. */
    if (*is_made || errno == EINPROGRESS || errno == EINTR)
        return fd;
    int error = errno;
    moot__socket_close(fd, false);
    return -error;
}

int moot__socket_connect_result(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return -errno;
    if (error != 0)
        return -error;
    struct sockaddr_storage peer;
    len = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
        return 0;
    return errno == ENOTCONN ? -EINPROGRESS : -errno;
}

int moot__socket_listen(const struct moot_address *address, struct moot_address *actual)
{
    int fd = open_socket(address);
    if (fd < 0)
        return fd;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    struct sockaddr_storage at;
    socklen_t len = to_sockaddr(address, &at);
    if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, BACKLOG) != 0)
        goto fail;
    len = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        goto fail;
    if (!moot__socket_address((struct sockaddr *)&at, actual))
        moot__unreachable();
    return fd;

fail:;
    int error = errno;
    moot__socket_close(fd, false);
    return -error;
}

int moot__socket_accept(int fd)
{
    for (;;) {
        int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0)
            return accepted;
        /* A connection that died in the queue says nothing about the next one. */
        if (errno != EINTR && errno != ECONNABORTED)
            return -errno;
    }
}

ptrdiff_t moot__socket_read(int fd, void *data, size_t cap)
{
    assert(cap > 0);
    ssize_t got;
    do {
        got = recv(fd, data, cap, 0);
    } while (got < 0 && errno == EINTR);
    return got >= 0 ? got : -errno;
}

ptrdiff_t moot__socket_write(int fd, const void *data, size_t len)
{
    assert(len > 0);
    ssize_t put;
    do {
        put = send(fd, data, len, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return put >= 0 ? put : -errno;
}

void moot__socket_close(int fd, bool reset)
{
    int error = errno;
    if (reset) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        moot__ignore(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) != 0);
    }
    close(fd);
    errno = error;
}

void moot__socket_error(int error, char *text, size_t size)
{
    char scratch[128];
    snprintf(text, size, "%s", strerror_r(error < 0 ? -error : error, scratch, sizeof scratch));
}
