/* What is on the disk: after a sync, after one that failed, after the power was cut. */
#include <string.h>

#include "disk_sim_internal.h"

/* How the bytes of a file come through. */
enum survival {
    SURVIVES_NOTHING,
    SURVIVES_ALL,
    SURVIVES_TORN_AT_BYTE,
    SURVIVES_TORN_AT_SECTOR,
    SURVIVES_SECTORS,      /* any of them, the size of some moment */
    SURVIVES_SIZE,         /* alone: zeros */
    SURVIVES_SIZE_SECTORS, /* the last size, any of the sectors */
    SURVIVALS,
};

static uint64_t below(struct moot_disk_sim *disk, uint64_t bound)
{
    return moot__rng_below(&disk->rng, bound);
}

static void set_len(struct moot_buf *buf, uint64_t len)
{
    if (len > buf->len) {
        int rc = moot__buf_reserve(buf, (size_t)len - buf->len);
        assert(rc == MOOT_OK);
        moot__ignore(rc);
        memset(buf->data + buf->len, 0, (size_t)len - buf->len);
    }
    buf->len = (size_t)len;
}

static void put_bytes(struct moot_buf *to, uint64_t at, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    if (at + len > to->len)
        set_len(to, at + len);
    memcpy(to->data + at, bytes, len);
}

static void apply(struct moot_buf *to, const struct sim_disk_change *change, size_t len)
{
    if (change->is_size)
        set_len(to, change->at);
    else
        put_bytes(to, change->at, change->bytes, len);
}

static void copy(struct moot_buf *to, const struct moot_buf *from)
{
    to->len = 0;
    put_bytes(to, 0, from->data, from->len);
}

void moot__sim_inode_forget_changes(struct moot_disk_sim *disk, struct sim_disk_inode *inode)
{
    struct moot_list *node;
    while ((node = moot__list_pop_front(&inode->changes)))
        moot__free(disk->allocator, moot__list_entry(node, struct sim_disk_change, node));
}

/* The bytes of a file that changes touch, in blocks of a size: what is not touched is left. */
struct range {
    uint64_t from, to;
};

static struct range touched(const struct sim_disk_change *change, uint64_t block)
{
    uint64_t end = change->at + (change->is_size ? 1 : change->len);
    return (struct range){change->at / block * block, (end + block - 1) / block * block};
}

/* One block of `from`, zeros behind its end, up to the length of `to`. */
static void copy_block(struct moot_buf *to, const struct moot_buf *from, uint64_t at, size_t block)
{
    char bytes[SIM_DISK_PAGE] = {0};
    assert(block <= sizeof bytes);
    if (at >= to->len)
        return;
    size_t room = to->len - (size_t)at < block ? to->len - (size_t)at : block;
    if (at < from->len)
        memcpy(bytes, from->data + at, from->len - (size_t)at < room ? from->len - at : room);
    memcpy(to->data + at, bytes, room);
}

/* The cache's pages go to the disk: those that changed, and of them those that are drawn. */
static void write_pages(struct moot_disk_sim *disk, struct sim_disk_inode *inode, bool is_all)
{
    MOOT_LIST_FOREACH (node, &inode->changes) {
        struct range range =
            touched(moot__list_entry(node, struct sim_disk_change, node), SIM_DISK_PAGE);
        for (uint64_t at = range.from; at < range.to; at += SIM_DISK_PAGE)
            if (is_all || below(disk, 2) == 0)
                copy_block(&inode->platter, &inode->cache, at, SIM_DISK_PAGE);
    }
}

void moot__sim_inode_sync(struct moot_disk_sim *disk, struct sim_disk_inode *inode)
{
    set_len(&inode->platter, inode->cache.len);
    write_pages(disk, inode, true);
    moot__sim_inode_forget_changes(disk, inode);
    inode->promised = inode->cache.len;
}

void moot__sim_inode_fail_sync(struct moot_disk_sim *disk, struct sim_disk_inode *inode)
{
    if (below(disk, 2) == 0)
        set_len(&inode->platter, inode->cache.len);
    write_pages(disk, inode, false);
    moot__sim_inode_forget_changes(disk, inode);
}

static size_t count(const struct moot_list *list)
{
    size_t found = 0;
    MOOT_LIST_FOREACH (node, list)
        found++;
    return found;
}

/* The first `whole` changes, and a part of the next. */
static void replay(struct moot_disk_sim *disk, struct sim_disk_inode *inode, size_t whole,
                   size_t block)
{
    size_t at = 0;
    MOOT_LIST_FOREACH (node, &inode->changes) {
        const struct sim_disk_change *change = moot__list_entry(node, struct sim_disk_change, node);
        size_t len = change->len;
        if (at == whole) {
            /* Torn where a block of the file ends, not where the write has one. */
            uint64_t torn = (change->at + below(disk, len + 1)) / block * block;
            len = torn > change->at ? (size_t)(torn - change->at) : 0;
        }
        if (at++ > whole)
            return;
        apply(&inode->platter, change, len);
    }
}

/* Sectors in any of the states they had since the sync; `len` is the size in the end. */
static void scatter(struct moot_disk_sim *disk, struct sim_disk_inode *inode, uint64_t len)
{
    struct moot_buf state;
    moot__buf_init(&state, disk->allocator, SIM_DISK_FILE_BYTES_MAX);
    copy(&state, &inode->platter);
    set_len(&inode->platter, len);
    MOOT_LIST_FOREACH (node, &inode->changes) {
        const struct sim_disk_change *change = moot__list_entry(node, struct sim_disk_change, node);
        struct range range = touched(change, SIM_DISK_SECTOR);
        apply(&state, change, change->len);
        for (uint64_t at = range.from; at < range.to; at += SIM_DISK_SECTOR)
            if (below(disk, 2) == 0)
                copy_block(&inode->platter, &state, at, SIM_DISK_SECTOR);
    }
    moot__buf_deinit(&state);
}

/* The size that the file had after that many changes. */
static uint64_t size_after(const struct sim_disk_inode *inode, size_t changes)
{
    uint64_t size = inode->platter.len;
    MOOT_LIST_FOREACH (node, &inode->changes) {
        const struct sim_disk_change *change = moot__list_entry(node, struct sim_disk_change, node);
        if (changes-- == 0)
            break;
        size = change->is_size                   ? change->at
               : change->at + change->len > size ? change->at + change->len
                                                 : size;
    }
    return size;
}

static void cut_inode(struct moot_disk_sim *disk, struct sim_disk_inode *inode)
{
    size_t changes = count(&inode->changes);
    enum survival survival = (enum survival)below(disk, SURVIVALS);
    if (changes > 0)
        switch (survival) {
        case SURVIVES_ALL:
            replay(disk, inode, changes, 1);
            break;
        case SURVIVES_TORN_AT_BYTE:
            replay(disk, inode, (size_t)below(disk, changes), 1);
            break;
        case SURVIVES_TORN_AT_SECTOR:
            replay(disk, inode, (size_t)below(disk, changes), SIM_DISK_SECTOR);
            break;
        case SURVIVES_SECTORS:
            scatter(disk, inode, size_after(inode, (size_t)below(disk, changes + 1)));
            break;
        case SURVIVES_SIZE:
            set_len(&inode->platter, inode->cache.len);
            break;
        case SURVIVES_SIZE_SECTORS:
            scatter(disk, inode, inode->cache.len);
            break;
        case SURVIVES_NOTHING:
        case SURVIVALS:
            break;
        }
    moot__sim_inode_forget_changes(disk, inode);
    copy(&inode->cache, &inode->platter);
    inode->promised = inode->cache.len;
}

/* ---- names ---- */

struct sim_disk_inode *moot__sim_folder_find(struct sim_disk_folder *folder, const char *name)
{
    for (unsigned i = 0; i < SIM_DISK_NAMES; i++)
        if (folder->names[i].inode && strcmp(folder->names[i].name, name) == 0)
            return folder->names[i].inode;
    return NULL;
}

static void set_name(struct sim_disk_folder *folder, const char *name, struct sim_disk_inode *inode)
{
    struct sim_disk_name *place = NULL;
    for (unsigned i = 0; i < SIM_DISK_NAMES; i++) {
        struct sim_disk_name *at = &folder->names[i];
        bool is_it = at->inode && strcmp(at->name, name) == 0;
        if (is_it || (!at->inode && !place))
            place = at;
        if (is_it)
            break;
    }
    assert(place || !inode);
    if (!place)
        return;
    place->inode = inode;
    moot__view_copy(moot__view_str(name), place->name, sizeof place->name);
}

void moot__sim_folder_apply(struct sim_disk_folder *folder, const struct sim_disk_act *act)
{
    if (act->gone[0])
        set_name(folder, act->gone, NULL);
    if (act->name[0])
        set_name(folder, act->name, act->inode);
}

void moot__sim_disk_forget_acts(struct moot_disk_sim *disk)
{
    struct moot_list *node;
    while ((node = moot__list_pop_front(&disk->acts)))
        moot__free(disk->allocator, moot__list_entry(node, struct sim_disk_act, node));
}

/* In their order, as journals of file systems keep it, or any of them, as POSIX allows. */
static void cut_names(struct moot_disk_sim *disk)
{
    bool is_ordered = below(disk, 2) == 0;
    size_t whole = (size_t)below(disk, count(&disk->acts) + 1), at = 0;
    MOOT_LIST_FOREACH (node, &disk->acts)
        if (is_ordered ? at++ < whole : below(disk, 2) == 0)
            moot__sim_folder_apply(&disk->platter,
                                   moot__list_entry(node, struct sim_disk_act, node));
    moot__sim_disk_forget_acts(disk);
    disk->cache = disk->platter;
}

static bool is_named(const struct moot_disk_sim *disk, const struct sim_disk_inode *inode)
{
    for (unsigned i = 0; i < SIM_DISK_NAMES; i++)
        if (disk->cache.names[i].inode == inode || disk->platter.names[i].inode == inode)
            return true;
    MOOT_LIST_FOREACH (node, &disk->acts)
        if (moot__list_entry(node, struct sim_disk_act, node)->inode == inode)
            return true;
    return false;
}

void moot__sim_disk_sweep(struct moot_disk_sim *disk)
{
    for (struct moot_list *node = disk->inodes.next, *next; node != &disk->inodes; node = next) {
        struct sim_disk_inode *inode = moot__list_entry(node, struct sim_disk_inode, node);
        next = node->next;
        if (inode->handles > 0 || is_named(disk, inode))
            continue;
        moot__list_remove(&inode->node);
        moot__sim_inode_forget_changes(disk, inode);
        moot__buf_deinit(&inode->cache);
        moot__buf_deinit(&inode->platter);
        moot__free(disk->allocator, inode);
    }
}

void moot__disk_sim_cut_power(struct moot_disk_sim *disk)
{
    moot__disk_sim_kill(disk);
    cut_names(disk);
    moot__sim_disk_sweep(disk);
    MOOT_LIST_FOREACH (node, &disk->inodes)
        cut_inode(disk, moot__list_entry(node, struct sim_disk_inode, node));
}
