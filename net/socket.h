#ifndef MOOT_NET_SOCKET_H
#define MOOT_NET_SOCKET_H

/* Non-blocking TCP sockets with the options that every one of ours has: close-on-exec, no Nagle,
 * keepalive after 60 s. Failures are negative errno values, as the callers map them by place. */
#include <moot/version.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "transport.h"

/* The address of a struct sockaddr_in or sockaddr_in6; false for other families. */
MOOT_NODISCARD bool moot__socket_address(const struct sockaddr *from, struct moot_address *out);

/* A connected or connecting socket; *is_made tells which. */
MOOT_NODISCARD int moot__socket_connect(const struct moot_address *address, bool *is_made);

/* Whether a connecting socket got there: 0 yes, -EINPROGRESS not yet, else why not. */
MOOT_NODISCARD int moot__socket_connect_result(int fd);

/* A listening socket; *actual is the address with the real port. */
MOOT_NODISCARD int moot__socket_listen(const struct moot_address *address,
                                       struct moot_address *actual);

/* A connection off a listening socket. -EAGAIN: none waits. */
MOOT_NODISCARD int moot__socket_accept(int fd);

/* Bytes moved, or a negative errno; never SIGPIPE, never EINTR. */
MOOT_NODISCARD ptrdiff_t moot__socket_read(int fd, void *data, size_t cap);
MOOT_NODISCARD ptrdiff_t moot__socket_write(int fd, const void *data, size_t len);

/* Close; with `reset`, by an RST that leaves no TIME_WAIT. errno is kept. */
void moot__socket_close(int fd, bool reset);

/* The text of an errno value (either sign), in `text`. Any thread. */
void moot__socket_error(int error, char *text, size_t size);

#endif
