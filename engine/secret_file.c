#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"

static int read_all(int fd, struct moot_buf *buf)
{
    while (buf->len < buf->max) {
        ssize_t got = read(fd, buf->data + buf->len, buf->max - buf->len);
        if (got == 0)
            return MOOT_OK;
        if (got > 0)
            buf->len += (size_t)got;
        else if (errno != EINTR)
            return MOOT_EIO;
    }
    char more;
    return read(fd, &more, 1) > 0 ? MOOT_ELIMIT : MOOT_OK;
}

int moot__secret_file_read(const char *path, struct moot_buf *buf, bool *is_world_readable,
                           const char **why)
{
    assert(buf->len == 0);
    int rc = moot__buf_reserve(buf, buf->max);
    if (rc)
        return rc;
    /* O_NONBLOCK: a FIFO without a writer must not hang the plan. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        *why = errno == ENOENT   ? "opened: it does not exist"
               : errno == EACCES ? "opened: permission denied"
                                 : "opened: input or output failed";
        return errno == ENOENT ? MOOT_ENOTFOUND : MOOT_EIO;
    }
    struct stat st;
    rc = fstat(fd, &st) || S_ISDIR(st.st_mode) ? MOOT_EIO : read_all(fd, buf);
    close(fd);
    *why = rc == MOOT_ELIMIT ? "read: it is too long" : "read";
    if (rc == MOOT_OK && is_world_readable)
        *is_world_readable = (st.st_mode & S_IROTH) != 0 && S_ISREG(st.st_mode);
    return rc;
}

void moot__secret_file_deinit(struct moot_buf *buf)
{
    if (buf->data)
        moot__wipe(buf->data, buf->cap);
    moot__buf_deinit(buf);
}
