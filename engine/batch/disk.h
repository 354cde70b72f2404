#ifndef MOOT_BATCH_DISK_H
#define MOOT_BATCH_DISK_H

/* The seam below everything of a run that must survive it: files and the folders that name them, as
 * a table of functions. disk_posix.c is the real one, tests/sim/disk_sim.c the simulated one, whose
 * power can be cut; journal, manifest, side file, reports and input run unchanged on both.
 *
 * Everything blocks. Any thread; one file is used by one thread at a time, but for `sync`, which
 * may run while another thread writes. Functions return 0 or an errno, as POSIX would tell it for
 * the call of that name; file_error in file.h makes it one of ours. Reads and writes may do less
 * than they were asked for, and EINTR happens. */
#include <moot/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/view.h"

/* What a file is opened for. None follows a symbolic link but READ. */
enum moot_disk_use {
    MOOT_DISK_READ,    /* what is there; anything that can be read */
    MOOT_DISK_APPEND,  /* to read and to grow: created if it is not there, mode 0600 */
    MOOT_DISK_REPLACE, /* to write anew: created or emptied, mode 0600 */
};

struct moot_disk_stat {
    uint64_t bytes;
    uint64_t device, number; /* two names with the same are one file */
    bool is_regular;
};

struct moot_disk;

struct moot_disk_ops {
    /* A handle of 0 or more, to be closed. Handle 0 is standard input. */
    int (*open)(const struct moot_disk *disk, const char *path, enum moot_disk_use use, int *file);
    int (*close)(const struct moot_disk *disk, int file); /* closed also when it fails */
    /* Another handle of the same open file, to be closed too. */
    int (*duplicate)(const struct moot_disk *disk, int file, int *copy);
    /* At the file's read position, which moves on; *got is 0 at the end. */
    int (*read)(const struct moot_disk *disk, int file, void *to, size_t room, size_t *got);
    int (*seek)(const struct moot_disk *disk, int file, uint64_t to); /* the read position */
    /* At the end; *written of the bytes are there when it returns 0. */
    int (*write)(const struct moot_disk *disk, int file, struct moot_view bytes, size_t *written);
    int (*truncate)(const struct moot_disk *disk, int file, uint64_t bytes);
    /* The bytes and the size are on the disk. After a failure nobody knows which of them are, and
     * another sync that succeeds does not tell. */
    int (*sync)(const struct moot_disk *disk, int file);
    int (*sync_folder)(const struct moot_disk *disk, const char *path); /* of this file */
    int (*stat)(const struct moot_disk *disk, int file, struct moot_disk_stat *out);
    int (*stat_path)(const struct moot_disk *disk, const char *path, struct moot_disk_stat *out);
    int (*rename)(const struct moot_disk *disk, const char *from, const char *to);
    int (*link)(const struct moot_disk *disk, const char *from, const char *to); /* or EEXIST */
    int (*unlink)(const struct moot_disk *disk, const char *path);
    /* Alone among all open files, until it is closed; EWOULDBLOCK when somebody is. */
    int (*lock)(const struct moot_disk *disk, int file);
};

struct moot_disk {
    const struct moot_disk_ops *ops;
    void *context; /* the implementation's */
};

/* The files of this machine. */
extern const struct moot_disk moot__disk_posix;

#endif
