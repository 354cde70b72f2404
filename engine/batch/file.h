#ifndef MOOT_BATCH_FILE_H
#define MOOT_BATCH_FILE_H

/* Files that survive: written whole or not at all, one line or none of it. Everything blocks. Paths
 * in messages are the caller's own. */
#include <moot/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "engine/base/alloc.h"
#include "engine/base/buf.h"
#include "engine/base/view.h"

/* MOOT_ENOSPC, MOOT_ENOTFOUND or MOOT_EIO for an errno. */
int moot__file_error(int error);

/* Fail with it: "WHAT PATH: REASON". Returns the code. */
int moot__file_fail(struct moot_error_info *info, int error, const char *what, const char *path);

/* Replace a file by one with these bytes: a temporary one beside it, fsync, rename, fsync of the
 * folder. After a failure or a crash the old one is still there. Created with mode 0600. */
MOOT_NODISCARD int moot__file_replace(const struct moot_disk *disk,
                                      const struct moot_allocator *allocator, const char *path,
                                      struct moot_view bytes, struct moot_error_info *info);

/* Until what was written is on the disk. */
MOOT_NODISCARD int moot__file_sync(const struct moot_disk *disk, int fd);

/* Make the folder of a path remember its names. */
MOOT_NODISCARD int moot__file_sync_folder(const struct moot_disk *disk, const char *path);

/* All of a small file, appended; the ceiling is the buffer's. MOOT_ENOTFOUND, MOOT_EIO,
 * MOOT_ELIMIT, MOOT_ENOMEM. */
MOOT_NODISCARD int moot__file_read(const struct moot_disk *disk, const char *path,
                                   struct moot_buf *out);

/* What tells one input from another without reading all of it: its size, and a hash of its first
 * and last MiB. A change in the middle that keeps the size is not seen here. */
struct moot_file_print {
    uint64_t bytes;
    char hash[33];
    bool is_known; /* false for what cannot be read twice, such as a pipe */
};
MOOT_NODISCARD int moot__file_print(const struct moot_disk *disk,
                                    const struct moot_allocator *allocator, const char *path,
                                    struct moot_file_print *out, struct moot_error_info *info);

/* A file that only grows, line by line, O_APPEND. */
struct moot_log_file {
    const struct moot_disk *disk;
    int fd;         /* the disk's handle; -1: closed */
    uint64_t bytes; /* of whole lines */
    bool is_dirty;  /* something is not on the disk for sure */
    /* That are on the disk, or were found there; and that will be once a sync is over. */
    uint64_t synced_bytes, syncing_bytes;
};

/* Open or create a regular file; no symbolic links. It counts as dirty: who wrote to it, or cut off
 * from it, may not have lived to sync it. MOOT_EINVAL, MOOT_EIO, MOOT_ENOSPC. */
MOOT_NODISCARD int moot__log_file_open(struct moot_log_file *file, const struct moot_disk *disk,
                                       const char *path, struct moot_error_info *info);
void moot__log_file_close(struct moot_log_file *file);

/* Whole lines, in one write. On failure none of them is torn: those that fitted stay, nothing of
 * the next does. MOOT_ENOSPC, MOOT_EIO. */
MOOT_NODISCARD int moot__log_file_append(struct moot_log_file *file, struct moot_view lines);

/* Until it is on the disk. After a failure nobody knows what is: stop. The lines that were not on
 * the disk before are cut off then, as far as that works: the cache still has them, and whoever
 * reads them there would take them for done, until the power fails. What was found when the file
 * was opened is never cut off. */
MOOT_NODISCARD int moot__log_file_sync(struct moot_log_file *file);
void moot__log_file_fail_sync(struct moot_log_file *file);

/* A handle of its own to sync on another thread, or -1 when everything is on the disk already; the
 * last one that was given has been synced, or this is not called. MOOT_EAGAIN: none is left. Given
 * up, the file is as before. If the sync fails: moot__log_file_fail_sync. */
MOOT_NODISCARD int moot__log_file_begin_sync(struct moot_log_file *file, int *fd);
void moot__log_file_give_up_sync(struct moot_log_file *file, int *fd);

/* Keep the first `bytes`. */
MOOT_NODISCARD int moot__log_file_cut(struct moot_log_file *file, uint64_t bytes);

#endif
