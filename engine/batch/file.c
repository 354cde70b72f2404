#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "hash.h"

enum { PRINT_BYTES = 1 << 20, READ_BYTES = 4096 };

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
static int write_all(const struct moot_disk *disk, int fd, struct moot_view bytes, size_t *written)
{
    *written = 0;
    while (*written < bytes.len) {
        size_t n = 0;
        struct moot_view rest = moot__view(bytes.ptr + *written, bytes.len - *written);
        int error = disk->ops->write(disk, fd, rest, &n);
        if (error == EINTR)
            continue;
        if (error != 0 || n == 0)
            return error != 0 ? error : EIO;
        *written += n;
    }
    return 0;
}

/* Until there is no room, or the file ends. 0 or an errno. */
static int read_all(const struct moot_disk *disk, int fd, char *to, size_t room, size_t *got)
{
    *got = 0;
    while (*got < room) {
        size_t n = 0;
        int error = disk->ops->read(disk, fd, to + *got, room - *got, &n);
        if (error == EINTR)
            continue;
        if (error != 0 || n == 0)
            return error;
        *got += n;
    }
    return 0;
}

/* 0 or an errno. */
static int sync_all(const struct moot_disk *disk, int fd)
{
    int error;
    do
        error = disk->ops->sync(disk, fd);
    while (error == EINTR);
    return error;
}

int moot__file_sync(const struct moot_disk *disk, int fd)
{
    int error = sync_all(disk, fd);
    return error == 0 ? MOOT_OK : moot__file_error(error);
}

int moot__file_sync_folder(const struct moot_disk *disk, const char *path)
{
    int error = disk->ops->sync_folder(disk, path);
    return error == 0 ? MOOT_OK : moot__file_error(error);
}

/* A new file, on the disk but for its name. 0 or an errno. */
static int write_new(const struct moot_disk *disk, const char *path, struct moot_view bytes)
{
    int fd;
    size_t written;
    int error = disk->ops->open(disk, path, MOOT_DISK_REPLACE, &fd);
    if (error != 0)
        return error;
    error = write_all(disk, fd, bytes, &written);
    if (error == 0)
        error = sync_all(disk, fd);
    int closed = disk->ops->close(disk, fd);
    return error != 0 ? error : closed;
}

int moot__file_replace(const struct moot_disk *disk, const struct moot_allocator *allocator,
                       const char *path, struct moot_view bytes, struct moot_error_info *info)
{
    size_t room = strlen(path) + sizeof ".tmp";
    char *temporary = moot__alloc(allocator, room);
    if (!temporary)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "no memory");
    snprintf(temporary, room, "%s.tmp", path);
    int error = write_new(disk, temporary, bytes);
    if (error == 0)
        error = disk->ops->rename(disk, temporary, path);
    if (error != 0)
        disk->ops->unlink(disk, temporary);
    moot__free(allocator, temporary);
    if (error != 0)
        return moot__file_fail(info, error, "cannot write", path);
    int rc = moot__file_sync_folder(disk, path);
    return rc == MOOT_OK ? rc : moot__fail(info, rc, MOOT_PHASE_NONE, "cannot sync %s", path);
}

int moot__file_read(const struct moot_disk *disk, const char *path, struct moot_buf *out)
{
    int fd, error = 0;
    int rc = disk->ops->open(disk, path, MOOT_DISK_READ, &fd);
    if (rc != 0)
        return moot__file_error(rc);
    size_t got;
    do {
        got = 0;
        rc = moot__buf_reserve(out, READ_BYTES);
        if (rc == MOOT_OK)
            error = read_all(disk, fd, out->data + out->len, READ_BYTES, &got);
        out->len += got;
    } while (rc == MOOT_OK && error == 0 && got > 0);
    disk->ops->close(disk, fd);
    return error != 0 ? moot__file_error(error) : rc;
}

static int hash_part(const struct moot_disk *disk, int fd, char *buffer, uint64_t from,
                     struct moot_hasher *hasher)
{
    size_t got = 0;
    int error = disk->ops->seek(disk, fd, from);
    if (error == 0)
        error = read_all(disk, fd, buffer, PRINT_BYTES, &got);
    moot__hasher_add(hasher, moot__view(buffer, got));
    return error;
}

int moot__file_print(const struct moot_disk *disk, const struct moot_allocator *allocator,
                     const char *path, struct moot_file_print *out, struct moot_error_info *info)
{
    int fd;
    struct moot_disk_stat stat;
    *out = (struct moot_file_print){0};
    if (strcmp(path, "-") == 0)
        return MOOT_OK;
    int error = disk->ops->open(disk, path, MOOT_DISK_READ, &fd);
    if (error != 0)
        return moot__file_fail(info, error, "cannot read", path);
    if (disk->ops->stat(disk, fd, &stat) != 0 || !stat.is_regular) {
        disk->ops->close(disk, fd);
        return MOOT_OK;
    }
    error = ENOMEM;
    char *buffer = moot__alloc(allocator, PRINT_BYTES);
    struct moot_hasher hasher = {0};
    if (buffer) {
        error = hash_part(disk, fd, buffer, 0, &hasher);
        if (error == 0 && stat.bytes > PRINT_BYTES)
            error = hash_part(disk, fd, buffer, stat.bytes - PRINT_BYTES, &hasher);
    }
    moot__free(allocator, buffer);
    disk->ops->close(disk, fd);
    if (error != 0)
        return moot__file_fail(info, error, "cannot read", path);
    out->bytes = stat.bytes;
    moot__hash_text(moot__hasher_result(&hasher), out->hash);
    out->is_known = true;
    return MOOT_OK;
}

int moot__log_file_open(struct moot_log_file *file, const struct moot_disk *disk, const char *path,
                        struct moot_error_info *info)
{
    struct moot_disk_stat stat;
    int fd;
    *file = (struct moot_log_file){.disk = disk, .fd = -1};
    int error = disk->ops->open(disk, path, MOOT_DISK_APPEND, &fd);
    if (error != 0)
        return moot__file_fail(info, error, "cannot open", path);
    error = disk->ops->stat(disk, fd, &stat);
    if (error != 0 || !stat.is_regular) {
        disk->ops->close(disk, fd);
        if (error != 0)
            return moot__file_fail(info, error, "cannot read", path);
        return moot__fail(info, MOOT_EINVAL, MOOT_PHASE_NONE,
                          "%s is not a regular file, and only such a one can be resumed", path);
    }
    file->fd = fd;
    file->bytes = file->synced_bytes = file->syncing_bytes = stat.bytes;
    file->is_dirty = true;
    return MOOT_OK;
}

void moot__log_file_close(struct moot_log_file *file)
{
    if (file->fd >= 0)
        file->disk->ops->close(file->disk, file->fd);
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
    int error = write_all(file->disk, file->fd, lines, &written);
    file->bytes += whole_lines(moot__view(lines.ptr, written));
    file->is_dirty = true;
    if (error == 0)
        return MOOT_OK;
    /* What is there of a torn line goes again; should that fail too, the next run does it. */
    moot__ignore(file->disk->ops->truncate(file->disk, file->fd, file->bytes));
    return moot__file_error(error);
}

int moot__log_file_sync(struct moot_log_file *file)
{
    if (!file->is_dirty)
        return MOOT_OK;
    int rc = moot__file_sync(file->disk, file->fd);
    if (rc != MOOT_OK) {
        moot__log_file_fail_sync(file);
        return rc;
    }
    file->is_dirty = false;
    file->synced_bytes = file->syncing_bytes = file->bytes;
    return MOOT_OK;
}

void moot__log_file_fail_sync(struct moot_log_file *file)
{
    assert(file->synced_bytes <= file->bytes);
    file->bytes = file->synced_bytes;
    file->is_dirty = true;
    moot__ignore(file->disk->ops->truncate(file->disk, file->fd, file->bytes));
}

int moot__log_file_begin_sync(struct moot_log_file *file, int *fd)
{
    *fd = -1;
    file->synced_bytes = file->syncing_bytes;
    if (!file->is_dirty)
        return MOOT_OK;
    if (file->disk->ops->duplicate(file->disk, file->fd, fd) != 0) {
        *fd = -1;
        return MOOT_EAGAIN;
    }
    file->is_dirty = false;
    file->syncing_bytes = file->bytes;
    return MOOT_OK;
}

void moot__log_file_give_up_sync(struct moot_log_file *file, int *fd)
{
    if (*fd < 0)
        return;
    file->disk->ops->close(file->disk, *fd);
    *fd = -1;
    file->is_dirty = true;
    file->syncing_bytes = file->synced_bytes;
}

int moot__log_file_cut(struct moot_log_file *file, uint64_t bytes)
{
    assert(bytes <= file->bytes);
    if (bytes == file->bytes)
        return MOOT_OK;
    int error = file->disk->ops->truncate(file->disk, file->fd, bytes);
    if (error != 0)
        return moot__file_error(error);
    file->bytes = bytes;
    file->is_dirty = true;
    if (file->synced_bytes > bytes)
        file->synced_bytes = bytes;
    if (file->syncing_bytes > bytes)
        file->syncing_bytes = bytes;
    return MOOT_OK;
}
