/* The calls of the simulated disk, as the one process sees them: everything comes from and goes to
 * the cache, and is noted as a change until a sync. */
#include "disk_sim.h"

#include <errno.h>
#include <string.h>

#include "disk_sim_internal.h"
#include "engine/base/alloc.h"
#include "transport_sim.h"

static struct moot_disk_sim *sim_of(const struct moot_disk *face)
{
    return face->context;
}

static bool chance(struct moot_disk_sim *disk, uint32_t of_a_million)
{
    return of_a_million && moot__rng_below(&disk->rng, 1000000) < of_a_million;
}

static void note(struct moot_disk_sim *disk, uint64_t what, uint64_t value)
{
    disk->hash = (disk->hash ^ what) * UINT64_C(0x100000001b3);
    disk->hash = (disk->hash ^ value) * UINT64_C(0x100000001b3);
}

/* Every call begins here. 0, EIO for a process that is dead, ECANCELED for one that dies of this
 * call: how much of it is done is the call's to draw. */
static int enter(struct moot_disk_sim *disk, uint64_t what)
{
    if (disk->is_dead)
        return EIO;
    disk->calls++;
    note(disk, what, disk->calls);
    if (disk->dies_in_calls > 0 && --disk->dies_in_calls == 0)
        return ECANCELED;
    return 0;
}

static void stall(struct moot_disk_sim *disk)
{
    if (disk->sim && disk->faults.stall_ns_max && chance(disk, disk->faults.stall))
        moot__sim_pass(disk->sim, moot__rng_below(&disk->rng, disk->faults.stall_ns_max));
}

/* ---- files ---- */

static struct sim_disk_open *opened(struct moot_disk_sim *disk, int file)
{
    assert(file >= 1 && file <= SIM_DISK_HANDLES && disk->handles[file - 1]);
    return disk->handles[file - 1];
}

static int take_handle(struct moot_disk_sim *disk, struct sim_disk_open *open, int *file)
{
    for (int i = 0; i < SIM_DISK_HANDLES; i++) {
        if (disk->handles[i])
            continue;
        disk->handles[i] = open;
        disk->handle_count++;
        open->handles++;
        *file = i + 1;
        return 0;
    }
    return EMFILE;
}

static void let_go(struct moot_disk_sim *disk, int file)
{
    struct sim_disk_open *open = opened(disk, file);
    disk->handles[file - 1] = NULL;
    disk->handle_count--;
    if (--open->handles > 0)
        return;
    if (open->inode->locked_by == open)
        open->inode->locked_by = NULL;
    open->inode->handles--;
    moot__free(disk->allocator, open);
    moot__sim_disk_sweep(disk);
}

static struct sim_disk_inode *make_inode(struct moot_disk_sim *disk)
{
    struct sim_disk_inode *inode = moot__calloc(disk->allocator, 1, sizeof *inode);
    if (!inode)
        return NULL;
    inode->number = ++disk->inodes_made;
    moot__buf_init(&inode->cache, disk->allocator, SIM_DISK_FILE_BYTES_MAX);
    moot__buf_init(&inode->platter, disk->allocator, SIM_DISK_FILE_BYTES_MAX);
    moot__list_init(&inode->changes);
    moot__list_init(&inode->node);
    moot__list_push_back(&disk->inodes, &inode->node);
    return inode;
}

/* A change of the cache's names. */
static int act(struct moot_disk_sim *disk, const char *name, struct sim_disk_inode *inode,
               const char *gone)
{
    struct sim_disk_act *made = moot__calloc(disk->allocator, 1, sizeof *made);
    if (!made)
        return ENOMEM;
    assert(strlen(name) < sizeof made->name && strlen(gone) < sizeof made->gone);
    moot__view_copy(moot__view_str(name), made->name, sizeof made->name);
    moot__view_copy(moot__view_str(gone), made->gone, sizeof made->gone);
    made->inode = inode;
    moot__list_init(&made->node);
    moot__list_push_back(&disk->acts, &made->node);
    moot__sim_folder_apply(&disk->cache, made);
    return 0;
}

static int change(struct moot_disk_sim *disk, struct sim_disk_inode *inode, uint64_t at,
                  const struct moot_view *bytes)
{
    size_t len = bytes ? bytes->len : 0;
    struct sim_disk_change *made = moot__alloc(disk->allocator, sizeof *made + len);
    if (!made)
        return ENOMEM;
    *made = (struct sim_disk_change){.is_size = !bytes, .at = at, .len = len};
    if (len > 0)
        memcpy(made->bytes, bytes->ptr, len);
    moot__list_init(&made->node);
    moot__list_push_back(&inode->changes, &made->node);
    return 0;
}

static int set_size(struct moot_disk_sim *disk, struct sim_disk_inode *inode, uint64_t bytes)
{
    assert(bytes <= inode->cache.len);
    inode->cache.len = (size_t)bytes;
    if (inode->promised > bytes)
        inode->promised = bytes;
    return change(disk, inode, bytes, NULL);
}

uint64_t moot__disk_sim_bytes(const struct moot_disk_sim *disk)
{
    uint64_t bytes = 0;
    MOOT_LIST_FOREACH (node, &disk->inodes)
        bytes += moot__list_entry(node, struct sim_disk_inode, node)->cache.len;
    return bytes;
}

static bool is_full(const struct moot_disk_sim *disk)
{
    return disk->faults.bytes_max && moot__disk_sim_bytes(disk) >= disk->faults.bytes_max;
}

static int open_inode(struct moot_disk_sim *disk, struct sim_disk_inode *inode,
                      enum moot_disk_use use, int *file)
{
    struct sim_disk_open *open = moot__calloc(disk->allocator, 1, sizeof *open);
    if (!open)
        return ENOMEM;
    *open = (struct sim_disk_open){.inode = inode, .use = use};
    int error = take_handle(disk, open, file);
    if (error != 0) {
        moot__free(disk->allocator, open);
        return error;
    }
    inode->handles++;
    return use == MOOT_DISK_REPLACE && inode->cache.len > 0 ? set_size(disk, inode, 0) : 0;
}

static int sim_open(const struct moot_disk *face, const char *path, enum moot_disk_use use,
                    int *file)
{
    struct moot_disk_sim *disk = sim_of(face);
    int error = enter(disk, 'o');
    struct sim_disk_inode *inode = moot__sim_folder_find(&disk->cache, path);
    if (error == ECANCELED)
        moot__disk_sim_kill(disk);
    if (error != 0)
        return EIO;
    if (chance(disk, disk->faults.name_fail))
        return EIO;
    if (!inode) {
        if (use == MOOT_DISK_READ)
            return ENOENT;
        if (is_full(disk))
            return ENOSPC;
        inode = make_inode(disk);
        error = inode ? act(disk, path, inode, "") : ENOMEM;
    }
    return error == 0 ? open_inode(disk, inode, use, file) : error;
}

/* Of a dead process all are closed. */
static int sim_close(const struct moot_disk *face, int file)
{
    struct moot_disk_sim *disk = sim_of(face);
    if (!disk->is_dead)
        let_go(disk, file);
    return 0;
}

static int sim_duplicate(const struct moot_disk *face, int file, int *copy)
{
    struct moot_disk_sim *disk = sim_of(face);
    return disk->is_dead ? EIO : take_handle(disk, opened(disk, file), copy);
}

static int sim_read(const struct moot_disk *face, int file, void *to, size_t room, size_t *got)
{
    struct moot_disk_sim *disk = sim_of(face);
    *got = 0;
    if (disk->is_dead)
        return EIO;
    struct sim_disk_open *open = opened(disk, file);
    const struct moot_buf *cache = &open->inode->cache;
    if (chance(disk, disk->faults.interrupted))
        return EINTR;
    if (chance(disk, disk->faults.read_fail))
        return EIO;
    if (open->position >= cache->len)
        return 0;
    *got = cache->len - (size_t)open->position;
    if (*got > room)
        *got = room;
    if (chance(disk, disk->faults.short_read))
        *got = 1 + (size_t)moot__rng_below(&disk->rng, *got);
    memcpy(to, cache->data + open->position, *got);
    open->position += *got;
    return 0;
}

static int sim_seek(const struct moot_disk *face, int file, uint64_t to)
{
    struct moot_disk_sim *disk = sim_of(face);
    if (disk->is_dead)
        return EIO;
    opened(disk, file)->position = to;
    return 0;
}

/* How many of the bytes this call writes, or an errno. */
static int draw_write(struct moot_disk_sim *disk, size_t len, size_t *take)
{
    uint64_t used = moot__disk_sim_bytes(disk), max = disk->faults.bytes_max;
    *take = len;
    if (chance(disk, disk->faults.interrupted))
        return EINTR;
    if (chance(disk, disk->faults.write_fail))
        return EIO;
    if (max && used >= max)
        return ENOSPC;
    if (max && *take > max - used)
        *take = (size_t)(max - used);
    if (chance(disk, disk->faults.short_write))
        *take = 1 + (size_t)moot__rng_below(&disk->rng, *take);
    return 0;
}

static int sim_write(const struct moot_disk *face, int file, struct moot_view bytes,
                     size_t *written)
{
    struct moot_disk_sim *disk = sim_of(face);
    size_t take = 0;
    int error = enter(disk, 'w');
    *written = 0;
    if (error == EIO)
        return EIO;
    struct sim_disk_inode *inode = opened(disk, file)->inode;
    assert(opened(disk, file)->use != MOOT_DISK_READ && bytes.len > 0);
    bool dies = error == ECANCELED;
    error = 0;
    if (dies)
        take = (size_t)moot__rng_below(&disk->rng, bytes.len + 1);
    else
        error = draw_write(disk, bytes.len, &take);
    if (error != 0)
        return error;
    struct moot_view part = moot__view(bytes.ptr, take);
    note(disk, take, inode->number);
    if (take > 0) {
        error = change(disk, inode, inode->cache.len, &part);
        if (error == 0 && moot__buf_append_view(&inode->cache, part) != MOOT_OK)
            error = ENOMEM;
    }
    if (dies) {
        moot__disk_sim_kill(disk);
        return EIO;
    }
    stall(disk);
    *written = error == 0 ? take : 0;
    return error;
}

static int sim_truncate(const struct moot_disk *face, int file, uint64_t bytes)
{
    struct moot_disk_sim *disk = sim_of(face);
    int error = enter(disk, 't');
    if (error == EIO)
        return EIO;
    bool dies = error == ECANCELED;
    if (!dies && chance(disk, disk->faults.truncate_fail))
        return EIO;
    error = 0;
    if (!dies || moot__rng_below(&disk->rng, 2) == 0)
        error = set_size(disk, opened(disk, file)->inode, bytes);
    if (dies)
        moot__disk_sim_kill(disk);
    return dies ? EIO : error;
}

static int sim_sync(const struct moot_disk *face, int file)
{
    struct moot_disk_sim *disk = sim_of(face);
    int error = enter(disk, 's');
    if (error == ECANCELED)
        moot__disk_sim_kill(disk); /* what is on the disk by then is as if it had not been called */
    if (error != 0)
        return EIO;
    if (chance(disk, disk->faults.interrupted))
        return EINTR;
    stall(disk);
    struct sim_disk_inode *inode = opened(disk, file)->inode;
    if (chance(disk, disk->faults.sync_fail)) {
        moot__sim_inode_fail_sync(disk, inode);
        return moot__rng_below(&disk->rng, 2) == 0 ? EIO : ENOSPC;
    }
    moot__sim_inode_sync(disk, inode);
    return 0;
}

static int sim_stat(const struct moot_disk *face, int file, struct moot_disk_stat *out)
{
    struct moot_disk_sim *disk = sim_of(face);
    if (disk->is_dead)
        return EIO;
    const struct sim_disk_inode *inode = opened(disk, file)->inode;
    *out = (struct moot_disk_stat){
        .bytes = inode->cache.len, .number = inode->number, .is_regular = true};
    return 0;
}

static int sim_lock(const struct moot_disk *face, int file)
{
    struct moot_disk_sim *disk = sim_of(face);
    if (disk->is_dead)
        return EIO;
    struct sim_disk_open *open = opened(disk, file);
    if (open->inode->locked_by && open->inode->locked_by != open)
        return EWOULDBLOCK;
    open->inode->locked_by = open;
    return 0;
}

/* ---- names ---- */

static int sim_stat_path(const struct moot_disk *face, const char *path, struct moot_disk_stat *out)
{
    struct moot_disk_sim *disk = sim_of(face);
    const struct sim_disk_inode *inode = moot__sim_folder_find(&disk->cache, path);
    if (disk->is_dead || !inode)
        return disk->is_dead ? EIO : ENOENT;
    *out = (struct moot_disk_stat){
        .bytes = inode->cache.len, .number = inode->number, .is_regular = true};
    return 0;
}

/* An act on names: 0 and it happens; else it does not, or nobody lives to hear that it did. */
static int enter_act(struct moot_disk_sim *disk, uint64_t what, bool *dies)
{
    int error = enter(disk, what);
    *dies = error == ECANCELED && moot__rng_below(&disk->rng, 2) == 0;
    if (*dies)
        return 0;
    if (error == ECANCELED)
        moot__disk_sim_kill(disk);
    if (error != 0)
        return EIO;
    stall(disk);
    return chance(disk, disk->faults.name_fail) ? EIO : 0;
}

static int leave_act(struct moot_disk_sim *disk, int error, bool dies)
{
    if (dies)
        moot__disk_sim_kill(disk);
    moot__sim_disk_sweep(disk);
    return dies ? EIO : error;
}

static int sim_sync_folder(const struct moot_disk *face, const char *path)
{
    struct moot_disk_sim *disk = sim_of(face);
    bool dies;
    moot__ignore(path == NULL); /* there is one */
    int error = enter_act(disk, 'f', &dies);
    if (error != 0)
        return error;
    disk->platter = disk->cache;
    moot__sim_disk_forget_acts(disk);
    return leave_act(disk, 0, dies);
}

static int sim_rename(const struct moot_disk *face, const char *from, const char *to)
{
    struct moot_disk_sim *disk = sim_of(face);
    bool dies;
    int error = enter_act(disk, 'r', &dies);
    if (error != 0)
        return error;
    struct sim_disk_inode *inode = moot__sim_folder_find(&disk->cache, from);
    return leave_act(disk, inode ? act(disk, to, inode, from) : ENOENT, dies);
}

static int sim_link(const struct moot_disk *face, const char *from, const char *to)
{
    struct moot_disk_sim *disk = sim_of(face);
    bool dies;
    int error = enter_act(disk, 'l', &dies);
    if (error != 0)
        return error;
    struct sim_disk_inode *inode = moot__sim_folder_find(&disk->cache, from);
    if (!inode)
        error = ENOENT;
    else if (moot__sim_folder_find(&disk->cache, to))
        error = EEXIST;
    else
        error = act(disk, to, inode, "");
    return leave_act(disk, error, dies);
}

static int sim_unlink(const struct moot_disk *face, const char *path)
{
    struct moot_disk_sim *disk = sim_of(face);
    bool dies;
    int error = enter_act(disk, 'u', &dies);
    if (error != 0)
        return error;
    bool is_there = moot__sim_folder_find(&disk->cache, path) != NULL;
    return leave_act(disk, is_there ? act(disk, "", NULL, path) : ENOENT, dies);
}

static const struct moot_disk_ops sim_ops = {
    .open = sim_open,
    .close = sim_close,
    .duplicate = sim_duplicate,
    .read = sim_read,
    .seek = sim_seek,
    .write = sim_write,
    .truncate = sim_truncate,
    .sync = sim_sync,
    .sync_folder = sim_sync_folder,
    .stat = sim_stat,
    .stat_path = sim_stat_path,
    .rename = sim_rename,
    .link = sim_link,
    .unlink = sim_unlink,
    .lock = sim_lock,
};

/* ---- the world's side ---- */

int moot__disk_sim_new(const struct moot_disk_sim_options *options, struct moot_disk_sim **out)
{
    struct moot_disk_sim *disk = moot__calloc(options->allocator, 1, sizeof *disk);
    *out = disk;
    if (!disk)
        return MOOT_ENOMEM;
    disk->face = (struct moot_disk){.ops = &sim_ops, .context = disk};
    disk->allocator = options->allocator;
    disk->sim = options->sim;
    disk->hash = UINT64_C(0xcbf29ce484222325);
    moot__rng_init(&disk->rng, options->seed);
    moot__list_init(&disk->inodes);
    moot__list_init(&disk->acts);
    return MOOT_OK;
}

void moot__disk_sim_free(struct moot_disk_sim *disk)
{
    if (!disk)
        return;
    moot__disk_sim_kill(disk);
    moot__sim_disk_forget_acts(disk);
    disk->cache = disk->platter = (struct sim_disk_folder){0};
    moot__sim_disk_sweep(disk);
    assert(moot__list_is_empty(&disk->inodes));
    moot__free(disk->allocator, disk);
}

const struct moot_disk *moot__disk_sim_face(struct moot_disk_sim *disk)
{
    return &disk->face;
}

void moot__disk_sim_set_faults(struct moot_disk_sim *disk,
                               const struct moot_disk_sim_faults *faults)
{
    disk->faults = *faults;
}

void moot__disk_sim_kill(struct moot_disk_sim *disk)
{
    for (int i = 1; i <= SIM_DISK_HANDLES; i++)
        if (disk->handles[i - 1])
            let_go(disk, i);
    assert(disk->handle_count == 0);
    disk->is_dead = true;
    disk->dies_in_calls = 0;
}

void moot__disk_sim_kill_within(struct moot_disk_sim *disk, uint64_t calls)
{
    disk->dies_in_calls = calls;
}

void moot__disk_sim_start(struct moot_disk_sim *disk)
{
    assert(disk->handle_count == 0);
    disk->is_dead = false;
}

bool moot__disk_sim_is_dead(const struct moot_disk_sim *disk)
{
    return disk->is_dead;
}

size_t moot__disk_sim_handles(const struct moot_disk_sim *disk)
{
    return disk->handle_count;
}

uint64_t moot__disk_sim_calls(const struct moot_disk_sim *disk)
{
    return disk->calls;
}

uint64_t moot__disk_sim_hash(const struct moot_disk_sim *disk)
{
    return disk->hash;
}

int moot__disk_sim_put(struct moot_disk_sim *disk, const char *name, struct moot_view bytes)
{
    struct sim_disk_inode *inode = make_inode(disk);
    int rc = inode ? moot__buf_append_view(&inode->cache, bytes) : MOOT_ENOMEM;
    if (rc == MOOT_OK)
        rc = moot__buf_append_view(&inode->platter, bytes);
    if (rc != MOOT_OK)
        return rc;
    struct sim_disk_act put = {.inode = inode};
    moot__view_copy(moot__view_str(name), put.name, sizeof put.name);
    moot__sim_folder_apply(&disk->cache, &put);
    moot__sim_folder_apply(&disk->platter, &put);
    inode->promised = bytes.len;
    return MOOT_OK;
}

bool moot__disk_sim_get(struct moot_disk_sim *disk, const char *name, struct moot_view *out)
{
    const struct sim_disk_inode *inode = moot__sim_folder_find(&disk->cache, name);
    *out = inode ? moot__buf_view(&inode->cache) : moot__view(NULL, 0);
    return inode != NULL;
}

bool moot__disk_sim_get_synced(struct moot_disk_sim *disk, const char *name, struct moot_view *out)
{
    const struct sim_disk_inode *inode = moot__sim_folder_find(&disk->platter, name);
    *out = inode ? moot__view(inode->cache.data, (size_t)inode->promised) : moot__view(NULL, 0);
    return inode != NULL;
}
