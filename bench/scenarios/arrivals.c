/* See the header. Only reads of watched connections pay for a stamp. */
#include "arrivals.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS = 1 << 16 };

static struct arrivals {
    uint16_t port;
    int first;
    uint64_t latest_ns;
    bool is_watched[DESCRIPTORS];
} arrivals;

int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
ssize_t __real_recv(int fd, void *data, size_t cap, int flags);
int __real_close(int fd);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
ssize_t __wrap_recv(int fd, void *data, size_t cap, int flags);
int __wrap_close(int fd);

void arrivals_watch(uint16_t port)
{
    const int on = 1;
    arrivals.port = port;
    /* The kernel stamps nothing until some socket wants it, and begins in its own time. */
    arrivals.first = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(arrivals.first, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

uint64_t arrivals_latest_ns(void)
{
    return arrivals.latest_ns;
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    struct sockaddr_in in;
    const int on = 1;
    if (fd < DESCRIPTORS && to->sa_family == AF_INET && len == sizeof in) {
        memcpy(&in, to, sizeof in);
        arrivals.is_watched[fd] = ntohs(in.sin_port) == arrivals.port &&
                                  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
    }
    return __real_connect(fd, to, len);
}

static void note(struct msghdr *message)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        struct timespec at;
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&at, CMSG_DATA(head), sizeof at);
        arrivals.latest_ns = (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
    }
}

ssize_t __wrap_recv(int fd, void *data, size_t cap, int flags)
{
    if (fd >= DESCRIPTORS || !arrivals.is_watched[fd])
        return __real_recv(fd, data, cap, flags);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct timespec))];
    } control;
    struct iovec into = {data, cap};
    struct msghdr message = {.msg_iov = &into,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fd, &message, flags);
    if (got > 0)
        arrivals.latest_ns = 0;
    if (got > 0)
        note(&message);
    return got;
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        arrivals.is_watched[fd] = false;
    return __real_close(fd);
}
