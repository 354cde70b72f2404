#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "hash.h"

enum { PRINT_BYTES = 1 << 20, MODE = 0600 };

int moot__file_error(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return MOOT_ENOSPC;
    case ENOENT:
        return MOOT_ENOTFOUND;
    case ENOMEM:
        return MOOT_ENOMEM;
    default:
        return MOOT_EIO;
    }
}

int moot__file_fail(struct moot_error_info *info, int error, const char *what, const char *path)
{
    char reason[128] = "";
    if (strerror_r(error, reason, sizeof reason) != 0)
        reason[0] = '\0';
    return moot__fail(info, moot__file_error(error), MOOT_PHASE_NONE, "%s %s: %s", what, path,
                      reason);
}

/* 0 or an errno; *written: how many bytes are there in any case. */
static int write_all(int fd, struct moot_view bytes, size_t *written)
{
    *written = 0;
    while (*written < bytes.len) {
        ssize_t n = write(fd, bytes.ptr + *written, bytes.len - *written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        *written += (size_t)n;
    }
    return 0;
}

int moot__file_sync_folder(const char *path)
{
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    if (slash)
        moot__view_copy(moot__view(path, slash == path ? 1 : (size_t)(slash - path)), folder,
                        sizeof folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return moot__file_error(errno);
    int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return error == 0 ? MOOT_OK : moot__file_error(error);
}

int moot__file_replace(const struct moot_allocator *allocator, const char *path,
                       struct moot_view bytes, struct moot_error_info *info)
{
    size_t room = strlen(path) + sizeof ".tmp";
    char *temporary = moot__alloc(allocator, room);
    if (!temporary)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "no memory");
    snprintf(temporary, room, "%s.tmp", path);
    int error = 0;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, MODE);
    if (fd < 0) {
        error = errno;
    } else {
        size_t written;
        error = write_all(fd, bytes, &written);
        if (error == 0 && fsync(fd) != 0)
            error = errno;
        if (close(fd) != 0 && error == 0)
            error = errno;
        if (error == 0 && rename(temporary, path) != 0)
            error = errno;
        if (error != 0)
            unlink(temporary);
    }
    moot__free(allocator, temporary);
    if (error != 0)
        return moot__file_fail(info, error, "cannot write", path);
    int rc = moot__file_sync_folder(path);
    return rc == MOOT_OK ? rc : moot__fail(info, rc, MOOT_PHASE_NONE, "cannot sync %s", path);
}

static int hash_part(int fd, char *buffer, off_t from, struct moot_hasher *hasher)
{
    size_t done = 0;
    while (done < PRINT_BYTES) {
        ssize_t n = pread(fd, buffer + done, PRINT_BYTES - done, from + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    moot__hasher_add(hasher, moot__view(buffer, done));
    return 0;
}

int moot__file_print(const struct moot_allocator *allocator, const char *path,
                     struct moot_file_print *out, struct moot_error_info *info)
{
    *out = (struct moot_file_print){0};
    if (strcmp(path, "-") == 0)
        return MOOT_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return moot__file_fail(info, errno, "cannot read", path);
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return MOOT_OK;
    }
    int error = ENOMEM;
    char *buffer = moot__alloc(allocator, PRINT_BYTES);
    struct moot_hasher hasher = {0};
    if (buffer) {
        error = hash_part(fd, buffer, 0, &hasher);
        if (error == 0 && st.st_size > PRINT_BYTES)
            error = hash_part(fd, buffer, st.st_size - PRINT_BYTES, &hasher);
    }
    moot__free(allocator, buffer);
    close(fd);
    if (error != 0)
        return moot__file_fail(info, error, "cannot read", path);
    out->bytes = (uint64_t)st.st_size;
    moot__hash_text(moot__hasher_result(&hasher), out->hash);
    out->is_known = true;
    return MOOT_OK;
}

int moot__log_file_open(struct moot_log_file *file, const char *path, struct moot_error_info *info)
{
    struct stat st;
    *file = (struct moot_log_file){.fd = -1};
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, MODE);
    if (fd < 0)
        return moot__file_fail(info, errno, "cannot open", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_NONE,
                          "%s is not a regular file, and only such a one can be resumed", path);
    }
    *file = (struct moot_log_file){.fd = fd, .bytes = (uint64_t)st.st_size};
    return MOOT_OK;
}

void moot__log_file_close(struct moot_log_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* How many of the bytes are whole lines. */
static size_t whole_lines(struct moot_view bytes)
{
    while (bytes.len > 0 && bytes.ptr[bytes.len - 1] != '\n')
        bytes.len--;
    return bytes.len;
}

int moot__log_file_append(struct moot_log_file *file, struct moot_view lines)
{
    assert(lines.len > 0 && lines.ptr[lines.len - 1] == '\n');
    size_t written;
    int error = write_all(file->fd, lines, &written);
    file->bytes += whole_lines(moot__view(lines.ptr, written));
    file->is_dirty = true;
    if (error == 0)
        return MOOT_OK;
    /* What is there of a torn line goes again; should that fail too, the next run does it. */
    moot__ignore(ftruncate(file->fd, (off_t)file->bytes));
    return moot__file_error(error);
}

int moot__log_file_sync(struct moot_log_file *file)
{
    if (!file->is_dirty)
        return MOOT_OK;
    if (fdatasync(file->fd) != 0)
        return moot__file_error(errno);
    file->is_dirty = false;
    return MOOT_OK;
}

int moot__log_file_begin_sync(struct moot_log_file *file, int *fd)
{
    *fd = -1;
    if (!file->is_dirty)
        return MOOT_OK;
    *fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    if (*fd < 0)
        return MOOT_EAGAIN;
    file->is_dirty = false;
    return MOOT_OK;
}

void moot__log_file_give_up_sync(struct moot_log_file *file, int *fd)
{
    if (*fd < 0)
        return;
    close(*fd);
    *fd = -1;
    file->is_dirty = true;
}

int moot__log_file_cut(struct moot_log_file *file, uint64_t bytes)
{
    assert(bytes <= file->bytes);
    if (bytes == file->bytes)
        return MOOT_OK;
    if (ftruncate(file->fd, (off_t)bytes) != 0)
        return moot__file_error(errno);
    file->bytes = bytes;
    file->is_dirty = true;
    return MOOT_OK;
}
