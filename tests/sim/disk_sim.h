#ifndef MOOT_TEST_DISK_SIM_H
#define MOOT_TEST_DISK_SIM_H

/* The second implementation of engine/batch/disk.h: one folder of files in memory, which knows what
 * of them is on the disk and what only in the cache, and whose power can be cut. Every fault and
 * everything that survives a cut is drawn from one seed.
 *
 * It has one process at a time. That one may be killed: its files are closed, its locks are gone,
 * what it wrote is all there. When the power is cut, what was not synced survives in any part:
 *
 *   bytes   nothing, all, the writes up to one that is torn at a byte or a sector, any sectors of
 *           512 bytes in any of the states they had, with the size that the file had at any moment;
 *           where the size is there and the bytes are not, there are zeros
 *   names   any of the acts since the folder was synced, each whole or not at all
 *
 * A sync that fails leaves its pages marked as clean, as Linux does: some are on the disk, the
 * others never will be, and the next sync succeeds without them.
 *
 * Everything runs on one thread; what the real one does while others write is over in an instant
 * here, and takes its time in the transport's work. */
#include <moot/alloc.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/batch/disk.h"

struct moot_disk_sim;
struct moot_sim;

/* In parts of a million, of the calls of each kind. */
struct moot_disk_sim_faults {
    uint32_t write_fail, sync_fail, name_fail, truncate_fail, read_fail;
    uint32_t short_write, short_read, interrupted;
    uint32_t stall; /* of writes, syncs and acts on names */
    uint64_t stall_ns_max;
    uint64_t bytes_max; /* of all files together; 0: no end */
};

struct moot_disk_sim_options {
    uint64_t seed;
    const struct moot_allocator *allocator; /* NULL: the process's */
    struct moot_sim *sim;                   /* whose time stalls take; NULL: nobody's */
};

/* No faults, no files. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__disk_sim_new(const struct moot_disk_sim_options *options,
                                      struct moot_disk_sim **out);
void moot__disk_sim_free(struct moot_disk_sim *disk); /* NULL does nothing */

/* What a process is given. Valid as long as the disk, for every process. */
const struct moot_disk *moot__disk_sim_face(struct moot_disk_sim *disk);

void moot__disk_sim_set_faults(struct moot_disk_sim *disk,
                               const struct moot_disk_sim_faults *faults);

/* The process is no more: whatever it still calls fails and changes nothing. */
void moot__disk_sim_kill(struct moot_disk_sim *disk);

/* The same within its `calls`-th call from now: a write may then be there in part. 0: not. */
void moot__disk_sim_kill_within(struct moot_disk_sim *disk, uint64_t calls);

/* The same for all that only the cache had. */
void moot__disk_sim_cut_power(struct moot_disk_sim *disk);

/* Another process. The one before must be dead, or have closed everything. */
void moot__disk_sim_start(struct moot_disk_sim *disk);

bool moot__disk_sim_is_dead(const struct moot_disk_sim *disk);
size_t moot__disk_sim_handles(const struct moot_disk_sim *disk); /* that are open */
uint64_t moot__disk_sim_calls(const struct moot_disk_sim *disk);
uint64_t moot__disk_sim_hash(const struct moot_disk_sim *disk);  /* over all that happened */
uint64_t moot__disk_sim_bytes(const struct moot_disk_sim *disk); /* of all files */

/* A file from outside, on the disk at once. MOOT_ENOMEM. */
MOOT_NODISCARD int moot__disk_sim_put(struct moot_disk_sim *disk, const char *name,
                                      struct moot_view bytes);

/* What a reader would see; of it, what a sync has promised. Valid until the next call. False: there
 * is no such file. */
bool moot__disk_sim_get(struct moot_disk_sim *disk, const char *name, struct moot_view *out);
bool moot__disk_sim_get_synced(struct moot_disk_sim *disk, const char *name, struct moot_view *out);

#endif
