/* Files, and what is done to them: an error; an interrupted call, to be made again; a read or write
 * of less than was asked for. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wrap.h"

#define FAIL(number) return (errno = (number), -1)

WRAP(int, fstat, (int fd, struct stat *out), (fd, out), TORTURE_FILE, FAIL(EIO))
WRAP(int, stat, (const char *path, struct stat *out), (path, out), TORTURE_FILE, FAIL(EIO))
WRAP(int, lstat, (const char *path, struct stat *out), (path, out), TORTURE_FILE, FAIL(EIO))
WRAP(off_t, lseek, (int fd, off_t offset, int from), (fd, offset, from), TORTURE_FILE, FAIL(EIO))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), TORTURE_FILE, FAIL(EIO))
WRAP(int, fdatasync, (int fd), (fd), TORTURE_FILE, FAIL(EIO))
WRAP(int, fsync, (int fd), (fd), TORTURE_FILE, FAIL(EIO))
WRAP(int, rename, (const char *from, const char *to), (from, to), TORTURE_FILE, FAIL(EIO))
WRAP(int, link, (const char *from, const char *to), (from, to), TORTURE_FILE, FAIL(EIO))
WRAP(int, unlink, (const char *path), (path), TORTURE_FILE, FAIL(EIO))
WRAP(int, flock, (int fd, int how), (fd, how), TORTURE_FILE, FAIL(EIO))
WRAP(ssize_t, pread, (int fd, void *data, size_t cap, off_t offset), (fd, data, cap, offset),
     TORTURE_FILE, FAIL(EIO))
WRAP(int, pipe, (int fds[2]), (fds), TORTURE_SYSTEM, FAIL(EMFILE))

/* Whatever it returns, the descriptor is gone. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    bool fails = torture_fails(TORTURE_CLOSE);
    int rc = __real_close(fd);
    if (!fails)
        return rc;
    FAIL(EIO);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    unsigned mode = 0;
    if (flags & O_CREAT) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, unsigned);
        va_end(args);
    }
    if (torture_fails(TORTURE_FILE))
        FAIL(EIO);
    return __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    long argument = va_arg(args, long);
    va_end(args);
    if (torture_fails(TORTURE_SYSTEM))
        FAIL(EMFILE);
    return __real_fcntl(fd, command, argument);
}

ssize_t __real_read(int fd, void *data, size_t cap);
ssize_t __wrap_read(int fd, void *data, size_t cap);
ssize_t __wrap_read(int fd, void *data, size_t cap)
{
    if (torture_fails(TORTURE_FILE))
        FAIL(EIO);
    if (torture_fails(TORTURE_INTERRUPTED))
        FAIL(EINTR);
    if (cap > 1 && torture_fails(TORTURE_SHORT))
        cap = 1;
    return __real_read(fd, data, cap);
}

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    if (torture_fails(TORTURE_FILE))
        FAIL(ENOSPC);
    if (torture_fails(TORTURE_INTERRUPTED))
        FAIL(EINTR);
    if (len > 1 && torture_fails(TORTURE_SHORT))
        len /= 2;
    return __real_write(fd, data, len);
}
