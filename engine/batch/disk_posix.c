/* disk.h on the files of this machine: handles are descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "engine/base/check.h"

enum { MODE = 0600 };

static int told(int result)
{
    return result == 0 ? 0 : errno;
}

static int open_file(const struct moot_disk *disk, const char *path, enum moot_disk_use use,
                     int *file)
{
    static const int flags[] = {
        [MOOT_DISK_READ] = O_RDONLY,
        /* NONBLOCK: to open a pipe without a reader must not block. */
        [MOOT_DISK_APPEND] = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK,
        [MOOT_DISK_REPLACE] = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW,
    };
    moot__ignore(disk);
    *file = open(path, flags[use] | O_CLOEXEC, MODE);
    return *file >= 0 ? 0 : errno;
}

static int close_file(const struct moot_disk *disk, int file)
{
    moot__ignore(disk);
    return told(close(file));
}

static int duplicate(const struct moot_disk *disk, int file, int *copy)
{
    moot__ignore(disk);
    *copy = fcntl(file, F_DUPFD_CLOEXEC, 0);
    return *copy >= 0 ? 0 : errno;
}

static int read_file(const struct moot_disk *disk, int file, void *to, size_t room, size_t *got)
{
    moot__ignore(disk);
    ssize_t n = read(file, to, room);
    *got = n > 0 ? (size_t)n : 0;
    return n >= 0 ? 0 : errno;
}

static int seek(const struct moot_disk *disk, int file, uint64_t to)
{
    moot__ignore(disk);
    return lseek(file, (off_t)to, SEEK_SET) >= 0 ? 0 : errno;
}

static int write_file(const struct moot_disk *disk, int file, struct moot_view bytes,
                      size_t *written)
{
    moot__ignore(disk);
    ssize_t n = write(file, bytes.ptr, bytes.len);
    *written = n > 0 ? (size_t)n : 0;
    return n >= 0 ? 0 : errno;
}

static int truncate_file(const struct moot_disk *disk, int file, uint64_t bytes)
{
    moot__ignore(disk);
    return told(ftruncate(file, (off_t)bytes));
}

static int sync_file(const struct moot_disk *disk, int file)
{
    moot__ignore(disk);
    return told(fdatasync(file));
}

/* The folder of a path as a path; false if it is too long. */
static bool folder_of(const char *path, char *folder, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (len >= size)
        return false;
    memcpy(folder, slash ? path : ".", len);
    folder[len] = '\0';
    return true;
}

static int sync_folder(const struct moot_disk *disk, const char *path)
{
    char folder[4096];
    moot__ignore(disk);
    if (!folder_of(path, folder, sizeof folder))
        return ENAMETOOLONG;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    /* EINVAL: a file system that cannot, and that is all there is to do. */
    int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return error;
}

static int take_stat(int result, const struct stat *st, struct moot_disk_stat *out)
{
    if (result != 0)
        return errno;
    *out = (struct moot_disk_stat){
        .bytes = (uint64_t)st->st_size,
        .device = (uint64_t)st->st_dev,
        .number = (uint64_t)st->st_ino,
        .is_regular = S_ISREG(st->st_mode),
    };
    return 0;
}

static int stat_file(const struct moot_disk *disk, int file, struct moot_disk_stat *out)
{
    struct stat st;
    moot__ignore(disk);
    return take_stat(fstat(file, &st), &st, out);
}

static int stat_path(const struct moot_disk *disk, const char *path, struct moot_disk_stat *out)
{
    struct stat st;
    moot__ignore(disk);
    return take_stat(stat(path, &st), &st, out);
}

static int rename_file(const struct moot_disk *disk, const char *from, const char *to)
{
    moot__ignore(disk);
    return told(rename(from, to));
}

static int link_file(const struct moot_disk *disk, const char *from, const char *to)
{
    moot__ignore(disk);
    return told(link(from, to));
}

static int unlink_file(const struct moot_disk *disk, const char *path)
{
    moot__ignore(disk);
    return told(unlink(path));
}

static int lock_file(const struct moot_disk *disk, int file)
{
    moot__ignore(disk);
    return told(flock(file, LOCK_EX | LOCK_NB));
}

static const struct moot_disk_ops posix_ops = {
    .open = open_file,
    .close = close_file,
    .duplicate = duplicate,
    .read = read_file,
    .seek = seek,
    .write = write_file,
    .truncate = truncate_file,
    .sync = sync_file,
    .sync_folder = sync_folder,
    .stat = stat_file,
    .stat_path = stat_path,
    .rename = rename_file,
    .link = link_file,
    .unlink = unlink_file,
    .lock = lock_file,
};

const struct moot_disk moot__disk_posix = {.ops = &posix_ops};
