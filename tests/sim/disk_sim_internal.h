#ifndef MOOT_TEST_DISK_SIM_INTERNAL_H
#define MOOT_TEST_DISK_SIM_INTERNAL_H

/* What the two parts of the simulated disk share: disk_sim.c is what a process sees, disk_sim_cut.c
 * what there is of it on the disk. Nobody else includes this. */
#include "disk_sim.h"
#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/list.h"
#include "engine/base/rng.h"

enum {
    SIM_DISK_NAMES = 32,
    SIM_DISK_NAME_BYTES = 96,
    SIM_DISK_HANDLES = 32,
    SIM_DISK_SECTOR = 512,
    SIM_DISK_PAGE = 4096,
    SIM_DISK_FILE_BYTES_MAX = 1 << 26,
};

/* Since the last sync: a write, or a change of the size. */
struct sim_disk_change {
    struct moot_list node;
    bool is_size;
    uint64_t at; /* or the size */
    size_t len;
    char bytes[];
};

struct sim_disk_inode {
    struct moot_list node; /* in disk->inodes */
    uint64_t number;
    struct moot_buf cache;    /* as a reader sees it */
    struct moot_buf platter;  /* as it is on the disk */
    struct moot_list changes; /* in the cache alone */
    uint64_t promised;        /* by syncs: the first bytes that are on the disk */
    unsigned handles;
    const struct sim_disk_open *locked_by;
};

struct sim_disk_name {
    char name[SIM_DISK_NAME_BYTES];
    struct sim_disk_inode *inode; /* NULL: a free place */
};

/* What names mean. */
struct sim_disk_folder {
    struct sim_disk_name names[SIM_DISK_NAMES];
};

/* Since the folder's last sync. `gone` and `name` change together. */
struct sim_disk_act {
    struct moot_list node;
    char name[SIM_DISK_NAME_BYTES]; /* means `inode` from here; "": nothing does */
    struct sim_disk_inode *inode;
    char gone[SIM_DISK_NAME_BYTES]; /* means nothing from here; "": none */
};

/* An open file, shared by handles that were duplicated. */
struct sim_disk_open {
    struct sim_disk_inode *inode;
    uint64_t position;
    unsigned handles;
    enum moot_disk_use use;
};

struct moot_disk_sim {
    struct moot_disk face;
    const struct moot_allocator *allocator;
    struct moot_sim *sim;
    struct moot_rng rng;
    struct moot_disk_sim_faults faults;
    struct moot_list inodes;
    uint64_t inodes_made;
    struct sim_disk_folder cache, platter;
    struct moot_list acts;
    struct sim_disk_open *handles[SIM_DISK_HANDLES]; /* handle n is at n - 1 */
    size_t handle_count;
    bool is_dead;
    uint64_t dies_in_calls; /* 0: not */
    uint64_t calls, hash;
};

struct sim_disk_inode *moot__sim_folder_find(struct sim_disk_folder *folder, const char *name);
void moot__sim_folder_apply(struct sim_disk_folder *folder, const struct sim_disk_act *act);

void moot__sim_inode_forget_changes(struct moot_disk_sim *disk, struct sim_disk_inode *inode);
void moot__sim_inode_sync(struct moot_disk_sim *disk, struct sim_disk_inode *inode);
void moot__sim_inode_fail_sync(struct moot_disk_sim *disk, struct sim_disk_inode *inode);
void moot__sim_disk_forget_acts(struct moot_disk_sim *disk);

/* Free inodes that nothing names and nothing has open. */
void moot__sim_disk_sweep(struct moot_disk_sim *disk);

#endif
