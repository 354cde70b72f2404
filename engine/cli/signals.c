#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "out.h"

void cli_process_prepare(void)
{
    /* open gives the lowest free number: the loop ends with the first above 2. */
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* a full file is said by the write that fails */
}

static sigset_t interrupts(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

int cli_signals_open(void)
{
    sigset_t set = interrupts();
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        cli_error("no descriptor is left: %s", strerror(errno));
        sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    return fd;
}

unsigned cli_signals_take(int fd)
{
    unsigned count = 0;
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
        count++;
    return count;
}

void cli_signals_wait(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    while (cli_signals_take(fd) == 0) {
        if (poll(&entry, 1, -1) < 0 && errno != EINTR)
            return;
    }
}

void cli_signals_close(int fd)
{
    if (fd < 0)
        return;
    cli_signals_take(fd);
    close(fd);
    sigset_t set = interrupts();
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
