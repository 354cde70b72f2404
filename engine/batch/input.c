/* The reader's thread makes rows and queues them; the feeders take them. `resume` and the lines are
 * the reader's alone while it runs, everything in `synced` is under the mutex. */
#include "input.h"

#include <limits.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "file.h"

enum { QUEUE_BYTES = 8 << 20, STDIN_HANDLE = 0 };

/* A line that is not blank. */
static int next_line(struct moot_input *input, struct moot_line *line)
{
    int rc;
    do
        rc = moot__lines_next(&input->reader.lines, line);
    while (rc == MOOT_OK && moot__view_trim(line->text).len == 0);
    return rc;
}

/* The first line tells the dialect; of CSV it is no row. */
static int look_at_first(struct moot_input *input, struct moot_error_info *info)
{
    struct moot_line *first = &input->reader.first;
    int rc = next_line(input, first);
    if (rc == MOOT_ENOTFOUND)
        return MOOT_OK;
    if (rc != MOOT_OK)
        return moot__fail(info, rc == MOOT_ELIMIT ? MOOT_EINPUT : rc, MOOT_PHASE_NONE,
                          "cannot read %s: the first line: %s", input->options.path,
                          moot_error_text(rc));
    struct moot_error_info why = {0};
    input->dialect = moot__row_sniff(input->options.allocator, first->text, &why);
    if (!input->dialect)
        return moot__fail_at(info, why.code, first->number, why.column, "%s: %s",
                             input->options.path, why.message);
    input->reader.has_first = !moot__row_dialect_is_csv(input->dialect);
    if (input->reader.has_first)
        return MOOT_OK;
    input->reader.lines.quoted = true;
    rc = moot__buf_append_view(&input->reader.header, first->text);
    return rc == MOOT_OK ? rc : moot__fail(info, rc, MOOT_PHASE_NONE, "no memory");
}

static int next_row(struct moot_row_source *source, struct moot_row **out);

int moot__input_open(struct moot_input *input, const struct moot_input_options *options,
                     struct moot_error_info *info)
{
    *input = (struct moot_input){.source = {.next = next_row}, .options = *options};
    moot__list_init(&input->synced.rows);
    moot__buf_init(&input->reader.header, options->allocator, MOOT_LIMIT_ROW_BYTES);
    const struct moot_disk *disk = options->disk ? options->disk : &moot__disk_posix;
    int opened = 0;
    input->options.disk = disk;
    input->reader.fd = STDIN_HANDLE;
    if (strcmp(options->path, "-") != 0)
        opened = disk->ops->open(disk, options->path, MOOT_DISK_READ, &input->reader.fd);
    if (opened != 0)
        input->reader.fd = -1;
    moot__lines_init(&input->reader.lines, options->allocator, disk, input->reader.fd,
                     MOOT_LIMIT_ROW_BYTES);
    input->reader.lines.is_hashed = true;
    if (pthread_mutex_init(&input->synced.mutex, NULL) != 0 ||
        pthread_cond_init(&input->synced.room, NULL) != 0)
        return moot__fail(info, MOOT_ENOMEM, MOOT_PHASE_NONE, "no memory");
    if (opened != 0)
        return moot__file_fail(info, opened, "cannot read", options->path);
    return look_at_first(input, info);
}

/* Room for a row, or the order to stop. A full queue is left until half of it was taken, as waking
 * up costs more than reading a row. */
static bool wait_for_room(struct moot_input *input)
{
    pthread_mutex_lock(&input->synced.mutex);
    input->synced.full = input->synced.row_count >= MOOT_LIMIT_BATCH_QUEUE_ROWS ||
                         input->synced.bytes >= QUEUE_BYTES;
    while (!input->synced.stop && input->synced.full)
        pthread_cond_wait(&input->synced.room, &input->synced.mutex);
    bool go_on = !input->synced.stop;
    pthread_mutex_unlock(&input->synced.mutex);
    return go_on;
}

static void push(struct moot_input *input, struct moot_row *row)
{
    pthread_mutex_lock(&input->synced.mutex);
    moot__list_push_back(&input->synced.rows, &row->node);
    input->synced.row_count++;
    input->synced.bytes += row->arena.used;
    input->synced.bytes_read = input->reader.lines.bytes_read;
    bool was_hungry = input->synced.hungry;
    input->synced.hungry = false;
    pthread_mutex_unlock(&input->synced.mutex);
    if (was_hungry)
        input->options.on_ready(input->options.data);
}

static bool is_half_empty(const struct moot_input *input)
{
    return input->synced.row_count <= MOOT_LIMIT_BATCH_QUEUE_ROWS / 2 &&
           input->synced.bytes <= QUEUE_BYTES / 2;
}

static int next_row(struct moot_row_source *source, struct moot_row **out)
{
    struct moot_input *input = moot__container_of(source, struct moot_input, source);
    int rc = MOOT_OK;
    pthread_mutex_lock(&input->synced.mutex);
    struct moot_list *node = moot__list_pop_front(&input->synced.rows);
    if (node) {
        *out = moot__list_entry(node, struct moot_row, node);
        input->synced.row_count--;
        input->synced.bytes -= (*out)->arena.used;
        if (input->synced.full && is_half_empty(input)) {
            input->synced.full = false;
            pthread_cond_signal(&input->synced.room);
        }
    } else if (input->synced.ended) {
        rc = input->synced.error == MOOT_OK ? MOOT_ENOTFOUND : input->synced.error;
    } else {
        input->synced.hungry = true;
        rc = MOOT_EAGAIN;
    }
    pthread_mutex_unlock(&input->synced.mutex);
    return rc;
}

/* Known already? A row that earlier runs did has note 0 until it is met in this one. */
static int admit(struct moot_input *input, struct moot_row *row, bool *is_known)
{
    struct moot_id_set *done = &input->options.resume->done;
    uint32_t *line = moot__id_set_find(done, row->key);
    *is_known = line && *line == 0;
    if (line && *line == 0) {
        *line = row->line;
        return MOOT_OK;
    }
    if (line) {
        moot__row_reject_duplicate(row, *line);
        *is_known = moot__id_set_find(done, row->key) != NULL;
        return MOOT_OK;
    }
    int rc = moot__id_set_add(done, row->key, row->line);
    return rc == MOOT_OK ? moot__known_calls_give(&input->options.resume->calls, row) : rc;
}

static bool is_wanted(struct moot_input *input)
{
    unsigned shards = input->options.shards;
    return input->reader.ordinal++ % (shards ? shards : 1) == input->options.shard;
}

int moot__input_read(struct moot_input *input, struct moot_row **out)
{
    *out = NULL;
    if (!input->dialect)
        return MOOT_ENOTFOUND;
    struct moot_line line = input->reader.first;
    int rc = MOOT_OK;
    if (input->options.rows_max > 0 && input->reader.taken == input->options.rows_max)
        return MOOT_ENOTFOUND;
    if (!input->reader.has_first)
        rc = next_line(input, &line);
    input->reader.has_first = false;
    if ((rc != MOOT_OK && rc != MOOT_ELIMIT) || !is_wanted(input))
        return rc == MOOT_ELIMIT ? MOOT_OK : rc;
    input->reader.taken++;
    struct moot_row_line row_line = {
        .dialect = input->dialect,
        .text = line.text,
        .header = moot__buf_view(&input->reader.header),
        .number = line.number,
        .too_long = rc == MOOT_ELIMIT,
    };
    struct moot_row *row = NULL;
    bool is_known = false;
    rc = moot__row_new(input->options.allocator, &row_line, &row);
    if (rc == MOOT_OK)
        rc = admit(input, row, &is_known);
    if (rc != MOOT_OK || is_known) {
        moot__row_free(row);
        pthread_mutex_lock(&input->synced.mutex);
        input->synced.rows_known += rc == MOOT_OK;
        pthread_mutex_unlock(&input->synced.mutex);
        return rc;
    }
    *out = row;
    return MOOT_OK;
}

static void *read_rows(void *data)
{
    struct moot_input *input = data;
    struct moot_row *row = NULL;
    int rc = MOOT_OK;
    while (rc == MOOT_OK && wait_for_room(input)) {
        rc = moot__input_read(input, &row);
        if (row)
            push(input, row);
    }
    pthread_mutex_lock(&input->synced.mutex);
    input->synced.ended = true;
    if (rc == MOOT_ENOTFOUND) {
        input->synced.rows_total = input->reader.taken;
        if (input->reader.lines.ended)
            moot__hash_text(moot__hasher_result(&input->reader.lines.hasher), input->synced.hash);
    } else if (rc != MOOT_OK) {
        input->synced.error = rc;
        moot__fail_at(
            &input->synced.info, rc,
            input->reader.lines.next_line < UINT_MAX ? (unsigned)input->reader.lines.next_line : 0,
            0, "cannot read %s: %s", input->options.path, moot_error_text(rc));
    }
    pthread_mutex_unlock(&input->synced.mutex);
    input->options.on_ready(input->options.data);
    return NULL;
}

int moot__input_start(struct moot_input *input)
{
    assert(!input->is_running);
    if (pthread_create(&input->thread, NULL, read_rows, input) != 0)
        return MOOT_EIO;
    input->is_running = true;
    return MOOT_OK;
}

void moot__input_stop(struct moot_input *input)
{
    if (!input->is_running)
        return;
    pthread_mutex_lock(&input->synced.mutex);
    input->synced.stop = true;
    pthread_cond_broadcast(&input->synced.room);
    pthread_mutex_unlock(&input->synced.mutex);
    pthread_join(input->thread, NULL);
    input->is_running = false;
}

void moot__input_close(struct moot_input *input)
{
    moot__input_stop(input);
    struct moot_list *node;
    while ((node = moot__list_pop_front(&input->synced.rows)))
        moot__row_free(moot__list_entry(node, struct moot_row, node));
    moot__lines_deinit(&input->reader.lines);
    moot__buf_deinit(&input->reader.header);
    if (input->reader.fd > STDIN_HANDLE)
        input->options.disk->ops->close(input->options.disk, input->reader.fd);
    input->reader.fd = -1;
    pthread_cond_destroy(&input->synced.room);
    pthread_mutex_destroy(&input->synced.mutex);
}

void moot__input_state(struct moot_input *input, struct moot_input_state *out)
{
    pthread_mutex_lock(&input->synced.mutex);
    *out = (struct moot_input_state){
        .ended = input->synced.ended && input->synced.error == MOOT_OK && !input->synced.stop,
        .rows_total = input->synced.rows_total,
        .rows_known = input->synced.rows_known,
        .bytes_read = input->synced.bytes_read,
        .error = input->synced.error,
        .info = input->synced.info,
    };
    memcpy(out->hash, input->synced.hash, sizeof out->hash);
    pthread_mutex_unlock(&input->synced.mutex);
}
