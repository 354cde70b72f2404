#ifndef MOOT_QUOTA_FILE_H
#define MOOT_QUOTA_FILE_H

/* A limiter's meters in a file that several processes of one host map, so that they keep within one
 * quota together. The file belongs to one user, one boot of one host and one quota.
 *
 * Nobody waits for anybody: meters are atomics, and the locks are the kernel's, which ends them
 * with the process however it ends. A process that opens the file alone may begin it anew; while
 * others have it open, a newcomer takes it as it is, or is refused.
 *
 * Thread: open and close by one thread; the meters by any. */
#include <moot/error.h>
#include <stddef.h>

#include "limiter.h"

struct moot_quota_page;

struct moot_quota_file {
    int fd;
    struct moot_quota_page *page;       /* mapped */
    struct moot_limiter_meters *meters; /* in it */
};

/* Open or make the file, readable by its owner alone, for limiters of these options. Blocks while
 * another process begins it, for a moment. What earlier processes of this boot spent is kept.
 * MOOT_ECONFIG with a message: the quota names no rate a minute; or the file is not one of these,
 * not ours alone, or in use with another quota, by another version or on another host.
 * MOOT_EIO, MOOT_ENOSPC: the system said no. On failure there is nothing to close. */
MOOT_NODISCARD int moot__quota_file_open(struct moot_quota_file *file, const char *path,
                                         const struct moot_limiter_options *quota,
                                         struct moot_error_info *info);

/* No limiter may use it any more. The file stays, for who comes next. */
void moot__quota_file_close(struct moot_quota_file *file);

#endif
