#ifndef MOOT_BATCH_LINES_H
#define MOOT_BATCH_LINES_H

/* A file, line by line: plain or gzip (told by its first bytes, many members are one), with a byte
 * order mark, CRLF and a missing last newline tolerated. Blocks while it reads; one thread. */
#include <moot/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "engine/base/buf.h"
#include "hash.h"

struct moot_inflater;

struct moot_lines {
    const struct moot_disk *disk;
    int fd; /* the disk's handle, borrowed */
    const struct moot_allocator *allocator;
    struct moot_inflater *inflater; /* NULL: not gzip */
    struct moot_buf bytes;          /* plain text that was read; lines point into it */
    size_t line_bytes_max;
    size_t start, scanned; /* the line in work: where it begins, how far it was looked at */
    uint64_t bytes_read;
    bool is_hashed;               /* set it before the first line, or `hasher` is left alone */
    struct moot_hasher hasher;    /* over the file's bytes as they are stored */
    unsigned long long next_line; /* number of the line at `start`, from 1 */
    bool quoted;                  /* CSV: a newline within double quotes ends no record */
    bool in_quotes, ended, began;
    bool skipping; /* the rest of a line that was too long */
};

/* One line, without its end. `text` is valid until the next call. */
struct moot_line {
    struct moot_view text;
    unsigned number;  /* from 1; of a CSV record, its first line */
    bool has_newline; /* false only for a last line without one */
};

/* `line_bytes_max` bounds the memory. Allocates nothing yet. */
void moot__lines_init(struct moot_lines *lines, const struct moot_allocator *allocator,
                      const struct moot_disk *disk, int fd, size_t line_bytes_max);
void moot__lines_deinit(struct moot_lines *lines); /* leaves `fd` open */

/* The next line. MOOT_OK; MOOT_ENOTFOUND at the end; MOOT_ELIMIT for a line that is too long, whose
 * number is told and whose text is empty, and reading goes on after it; and, for good, MOOT_EIO,
 * MOOT_EENCODING (broken or cut gzip), MOOT_ENOMEM. */
MOOT_NODISCARD int moot__lines_next(struct moot_lines *lines, struct moot_line *line);

/* Where the line after the last one begins: bytes since the file's start; plain files only. */
uint64_t moot__lines_offset(const struct moot_lines *lines);

#endif
