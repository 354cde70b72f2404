#ifndef MOOT_BASE_JSON_WRITE_H
#define MOOT_BASE_JSON_WRITE_H

/* Writing JSON, compact, through typed calls. Commas, colons and escapes are the writer's; what
 * comes out is always one valid document in valid UTF-8. Errors stick: write everything, then ask
 * moot__json_write_finish once.
 *
 * Calling out of order (a key in an array, a value in an object without its key, the wrong end, a
 * second root, deeper than JSON_WRITE_DEPTH) is a mistake of the program: asserted in debug builds,
 * MOOT_EINVAL in release. */
#include <moot/error.h>
#include <stdbool.h>

#include "buf.h"
#include "json_read.h"
#include "view.h"

enum { MOOT_JSON_WRITE_DEPTH = 128 }; /* a document as deep as one that was read, and its frame */

struct moot_json_writer {
    struct moot_buf *buf;
    size_t start; /* of the document in `buf` */
    int error;
    unsigned depth;
    bool comma;    /* the next key or element needs one before it */
    bool has_key;  /* a key waits for its value */
    bool complete; /* the root is written */
    unsigned char objects[MOOT_JSON_WRITE_DEPTH / 8]; /* a bit a level: object or array */
};

/* Append to what `buf` holds. It is borrowed until finish. Its ceiling is the document's. */
void moot__json_write_init(struct moot_json_writer *w, struct moot_buf *buf);

/* MOOT_OK; MOOT_ELIMIT, MOOT_ENOMEM as the buffer says; MOOT_EINVAL if the document is incomplete,
 * or for a number text that is none. On failure the buffer is cut back to what it held at init. */
MOOT_NODISCARD int moot__json_write_finish(struct moot_json_writer *w);

void moot__json_write_object_begin(struct moot_json_writer *w);
void moot__json_write_object_end(struct moot_json_writer *w);
void moot__json_write_array_begin(struct moot_json_writer *w);
void moot__json_write_array_end(struct moot_json_writer *w);

void moot__json_write_key(struct moot_json_writer *w, struct moot_view key);
void moot__json_write_key_str(struct moot_json_writer *w, const char *key);

/* Ill-formed UTF-8 becomes U+FFFD. Escaped is only what must be; U+2028 and DEL are left as they
 * are. */
void moot__json_write_string(struct moot_json_writer *w, struct moot_view text);
void moot__json_write_str(struct moot_json_writer *w, const char *text);
void moot__json_write_u64(struct moot_json_writer *w, uint64_t value);
void moot__json_write_i64(struct moot_json_writer *w, int64_t value);

/* The shortest decimal that reads back as the same double, whatever the locale. NaN and the
 * infinities, which JSON lacks, become null. */
void moot__json_write_double(struct moot_json_writer *w, double value);
void moot__json_write_bool(struct moot_json_writer *w, bool value);
void moot__json_write_null(struct moot_json_writer *w);

/* Verbatim, if it is a number in JSON's grammar. */
void moot__json_write_number_text(struct moot_json_writer *w, struct moot_view number);

/* A tree again: numbers as they were written, duplicate keys kept. NULL writes null. */
void moot__json_write_value(struct moot_json_writer *w, const struct moot_json *value);

/* Members: a key and a value. */
void moot__json_write_member_string(struct moot_json_writer *w, const char *key,
                                    struct moot_view text);
void moot__json_write_member_str(struct moot_json_writer *w, const char *key, const char *text);
void moot__json_write_member_u64(struct moot_json_writer *w, const char *key, uint64_t value);
void moot__json_write_member_i64(struct moot_json_writer *w, const char *key, int64_t value);
void moot__json_write_member_double(struct moot_json_writer *w, const char *key, double value);
void moot__json_write_member_bool(struct moot_json_writer *w, const char *key, bool value);
void moot__json_write_member_null(struct moot_json_writer *w, const char *key);
void moot__json_write_member_value(struct moot_json_writer *w, const char *key,
                                   const struct moot_json *value);
void moot__json_write_member_object_begin(struct moot_json_writer *w, const char *key);
void moot__json_write_member_array_begin(struct moot_json_writer *w, const char *key);

#endif
