/* The file: a head that says whose it is, and the meters behind it.
 *
 *      open --lock for ourselves alone--> got it: begin anew if the head is not ours
 *                                   \---> others are there
 *           --lock together (held to the end)--> check the head --> map
 *
 * Between the two locks somebody else may have begun it, so the head is checked after the second.
 * Times are those of CLOCK_MONOTONIC, which all processes of a host share until it boots again: the
 * head tells the boot, and another one begins anew. */
#include "quota_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/err.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

enum { VERSION = 1, MAGIC_BYTES = 8, BOOT_BYTES = 40 };

static const char magic[MAGIC_BYTES] = "mootquo";

struct head {
    char magic[MAGIC_BYTES];
    uint32_t version, bytes;
    char boot[BOOT_BYTES];
    uint64_t per_minute[MOOT_METERS], per_day[MOOT_DAY_METERS];
    uint64_t burst_ns, headroom_millionths;
};

struct moot_quota_page {
    struct head head;
    struct moot_limiter_meters meters;
};

/* Where the system does not tell, it stays empty, and the file is one boot's for ever. */
static void read_boot(char out[BOOT_BYTES])
{
    memset(out, 0, BOOT_BYTES);
    int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t got = read(fd, out, BOOT_BYTES - 1);
    size_t len = got > 0 ? (size_t)got : 0;
    memset(out + len, 0, BOOT_BYTES - len);
    close(fd);
}

static void fill_head(struct head *head, const struct moot_limiter_options *quota)
{
    memset(head, 0, sizeof *head); /* padding is compared as well */
    memcpy(head->magic, magic, sizeof magic);
    head->version = VERSION;
    head->bytes = sizeof(struct moot_quota_page);
    read_boot(head->boot);
    memcpy(head->per_minute, quota->per_minute, sizeof head->per_minute);
    memcpy(head->per_day, quota->per_day, sizeof head->per_day);
    head->burst_ns = quota->burst_ns;
    head->headroom_millionths = (uint64_t)(quota->headroom * 1e6);
}

static int fail_system(struct moot_error_info *info, const char *path, const char *what)
{
    int error = errno;
    char reason[128] = "";
    if (strerror_r(error, reason, sizeof reason) != 0)
        reason[0] = '\0';
    int code = error == ENOSPC || error == EDQUOT ? MOOT_ENOSPC : MOOT_EIO;
    return moot__fail(info, code, MOOT_PHASE_NONE, "the shared quota %s cannot be %s: %s", path,
                      what, reason);
}

static int fail_file(struct moot_error_info *info, const char *path, const char *why)
{
    return moot__fail(info, MOOT_ECONFIG, MOOT_PHASE_NONE, "the shared quota %s %s", path, why);
}

/* A signal must not look like a refusal. */
static int lock(int fd, int how)
{
    int rc;
    do {
        rc = flock(fd, how);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

static int check_owner(const struct stat *is, const char *path, struct moot_error_info *info)
{
    if (!S_ISREG(is->st_mode))
        return fail_file(info, path, "is not a file; name one that moot may make");
    if (is->st_uid != geteuid())
        return fail_file(info, path, "belongs to another user; name a file of your own");
    if (is->st_mode & (S_IRWXG | S_IRWXO))
        return fail_file(info, path, "may be opened by other users; chmod 600 it, or name another");
    return MOOT_OK;
}

/* What is there of a head; 0 where the file is shorter. */
static int read_head(int fd, struct head *head)
{
    memset(head, 0, sizeof *head);
    ssize_t got = pread(fd, head, sizeof *head, 0);
    return got < 0 ? -1 : 0;
}

/* Alone: begin anew unless it is ours already. What is no such file at all is left alone. */
static int begin(int fd, const struct stat *is, const char *path, const struct head *ours,
                 struct moot_error_info *info)
{
    struct head head;
    struct moot_quota_page fresh;
    if (read_head(fd, &head))
        return fail_system(info, path, "read");
    if (is->st_size == (off_t)sizeof fresh && memcmp(&head, ours, sizeof head) == 0)
        return MOOT_OK;
    if (is->st_size != 0 && memcmp(head.magic, magic, sizeof magic) != 0)
        return fail_file(info, path, "is another kind of file; name one that moot may make");
    memset(&fresh, 0, sizeof fresh); /* all of it is written, so that a full disk says so now */
    fresh.head = *ours;
    if (ftruncate(fd, 0))
        return fail_system(info, path, "made");
    ssize_t written = pwrite(fd, &fresh, sizeof fresh, 0);
    if (written == (ssize_t)sizeof fresh)
        return MOOT_OK;
    errno = written < 0 ? errno : ENOSPC;
    return fail_system(info, path, "made");
}

/* Others have it open, or may have: it must be as we would have made it. */
static int check_head(int fd, const char *path, const struct head *ours,
                      struct moot_error_info *info)
{
    struct head head;
    if (read_head(fd, &head))
        return fail_system(info, path, "read");
    if (memcmp(head.magic, magic, sizeof magic) != 0)
        return fail_file(info, path, "is another kind of file; name one that moot may make");
    if (head.version != ours->version || head.bytes != ours->bytes)
        return fail_file(info, path, "is in use by another version of moot; name another file");
    if (memcmp(head.boot, ours->boot, sizeof head.boot) != 0)
        return fail_file(info, path,
                         "is in use on another host; a quota is shared on one: name a local file");
    if (memcmp(&head, ours, sizeof head) != 0)
        return fail_file(info, path,
                         "is in use with another quota; give all processes that share it the same, "
                         "or name another file");
    return MOOT_OK;
}

static int open_locked(int fd, const char *path, const struct head *ours,
                       struct moot_error_info *info)
{
    struct stat is;
    int rc = MOOT_OK;
    if (fstat(fd, &is))
        return fail_system(info, path, "read");
    rc = check_owner(&is, path, info);
    if (rc == MOOT_OK && lock(fd, LOCK_EX | LOCK_NB) == 0) {
        rc = fstat(fd, &is) ? fail_system(info, path, "read") : MOOT_OK;
        if (rc == MOOT_OK)
            rc = begin(fd, &is, path, ours, info);
    }
    if (rc == MOOT_OK && lock(fd, LOCK_SH))
        rc = fail_system(info, path, "locked");
    return rc ? rc : check_head(fd, path, ours, info);
}

static int map(struct moot_quota_file *file, const char *path, struct moot_error_info *info)
{
    void *at = mmap(NULL, sizeof *file->page, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (at == MAP_FAILED)
        return fail_system(info, path, "mapped");
    file->page = at;
    file->meters = &file->page->meters;
    return MOOT_OK;
}

int moot__quota_file_open(struct moot_quota_file *file, const char *path,
                          const struct moot_limiter_options *quota, struct moot_error_info *info)
{
    struct head ours;
    bool is_given = false;
    *file = (struct moot_quota_file){.fd = -1};
    for (unsigned i = 0; i < MOOT_METERS; i++)
        is_given = is_given || quota->per_minute[i];
    if (!is_given)
        return fail_file(info, path,
                         "has no rate; add requests_per_minute or another quota a minute");
    fill_head(&ours, quota);
    /* NONBLOCK: to open a pipe must not wait for its other end. */
    file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (file->fd < 0)
        return fail_system(info, path, "opened");
    int rc = open_locked(file->fd, path, &ours, info);
    if (rc == MOOT_OK)
        rc = map(file, path, info);
    if (rc)
        moot__quota_file_close(file);
    return rc;
}

void moot__quota_file_close(struct moot_quota_file *file)
{
    if (file->page && munmap(file->page, sizeof *file->page))
        moot__unreachable();
    if (file->fd >= 0)
        close(file->fd); /* and with it the lock */
    *file = (struct moot_quota_file){.fd = -1};
}
