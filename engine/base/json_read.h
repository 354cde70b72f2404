#ifndef MOOT_BASE_JSON_READ_H
#define MOOT_BASE_JSON_READ_H

/* Reading JSON (RFC 8259): one whole document in, one immutable tree out.
 *
 * Strict: exactly one value, valid UTF-8, no byte order mark, no comments. Depth, size, keys of an
 * object and length of a number are limited. Numbers stay text until someone asks for one. */
#include <moot/error.h>

#include "arena.h"
#include "limits.h"
#include "view.h"

enum moot_json_type {
    MOOT_JSON_NULL,
    MOOT_JSON_BOOL,
    MOOT_JSON_NUMBER,
    MOOT_JSON_STRING,
    MOOT_JSON_ARRAY,
    MOOT_JSON_OBJECT,
};

/* A value. Everything lives in the arena that was given; nobody writes to it after the read. Walk a
 * container with
 *     for (const struct moot_json *member = node->child; member; member = member->next) */
struct moot_json {
    enum moot_json_type type;
    uint32_t offset;      /* of the value's first byte in the input */
    uint32_t count;       /* of an array or object: how many children */
    bool truth;           /* of a bool */
    struct moot_view key; /* decoded; of a member of an object */
    union {
        struct moot_view text;   /* string: decoded, may hold NUL; number: as it was written */
        struct moot_json *child; /* array, object: the first, or NULL */
    };
    struct moot_json *next; /* in the same container, in the order of the input */
};

/* Zero means the default everywhere. */
struct moot_json_read_options {
    size_t bytes_max;           /* MOOT_LIMIT_JSON_BYTES */
    uint32_t depth_max;         /* MOOT_LIMIT_JSON_DEPTH; never more than that */
    uint32_t keys_max;          /* MOOT_LIMIT_JSON_KEYS: keys of one object */
    bool reject_duplicate_keys; /* for what people write; what providers send is read leniently */
    bool keep_halves;           /* lone surrogate escapes: three bytes each, see utf8.h, instead of
                                   U+FFFD */
};

/* What was wrong, and where. `reason` is static and quotes nothing of the input. */
struct moot_json_error {
    int code;
    size_t offset;         /* in bytes, from 0; as near as the parser can tell */
    unsigned line, column; /* from 1; the column counts bytes */
    const char *reason;
};

/* Read `text`, which may go away afterwards. On success `*out` is the root and lives as long as
 * `arena`. On failure `*out` is NULL and `error`, which may be NULL, is filled; what the arena has
 * handed out until then stays handed out.
 *
 * MOOT_EJSON   not one JSON value, or a duplicate key where those are rejected
 * MOOT_EUTF8   not UTF-8
 * MOOT_ELIMIT  a limit of the options, or the ceiling of the arena
 * MOOT_ENOMEM */
MOOT_NODISCARD int moot__json_read(struct moot_arena *arena, struct moot_view text,
                                   const struct moot_json_read_options *options,
                                   const struct moot_json **out, struct moot_json_error *error);

/* Every function below takes NULL for "not there" and a value of another type than it wants, and
 * answers NULL, false or an empty view; so they nest without checks between:
 *     moot__json_get(moot__json_at(moot__json_get(root, "choices"), 0), "delta") */

/* The element of an array, from 0. */
const struct moot_json *moot__json_at(const struct moot_json *array, size_t index);

static inline bool moot__json_is(const struct moot_json *node, enum moot_json_type type)
{
    return node && node->type == type;
}

static inline bool moot__json_is_null(const struct moot_json *node)
{
    return moot__json_is(node, MOOT_JSON_NULL);
}

static inline bool moot__json_is_string(const struct moot_json *node)
{
    return moot__json_is(node, MOOT_JSON_STRING);
}

static inline bool moot__json_is_number(const struct moot_json *node)
{
    return moot__json_is(node, MOOT_JSON_NUMBER);
}

static inline bool moot__json_is_array(const struct moot_json *node)
{
    return moot__json_is(node, MOOT_JSON_ARRAY);
}

static inline bool moot__json_is_object(const struct moot_json *node)
{
    return moot__json_is(node, MOOT_JSON_OBJECT);
}

/* The member of an object; of several with one key the last. Inline, as nearly every key is a
 * literal, and comparing with one of known length is an instruction or two. */
static inline const struct moot_json *moot__json_get_view(const struct moot_json *object,
                                                          struct moot_view key)
{
    const struct moot_json *found = NULL;
    if (!moot__json_is_object(object))
        return NULL;
    for (const struct moot_json *member = object->child; member; member = member->next)
        if (moot__view_eq(member->key, key))
            found = member;
    return found;
}

static inline const struct moot_json *moot__json_get(const struct moot_json *object,
                                                     const char *key)
{
    return moot__json_get_view(object, moot__view_str(key));
}

/* A string's text. On false `*out` is untouched, as with all that follow. */
bool moot__json_string(const struct moot_json *node, struct moot_view *out);

bool moot__json_bool(const struct moot_json *node, bool *out);

/* A number that is a whole one within the type. 12.0 and 1e3 are whole, up to 2^53. */
bool moot__json_u64(const struct moot_json *node, uint64_t *out);
bool moot__json_i64(const struct moot_json *node, int64_t *out);

/* Any number; out of range gives +-HUGE_VAL or 0. */
bool moot__json_double(const struct moot_json *node, double *out);

/* The text of a member that is a string; empty when it is missing or anything else. */
static inline struct moot_view moot__json_text(const struct moot_json *object, const char *key)
{
    struct moot_view text = {"", 0};
    moot__json_string(moot__json_get(object, key), &text);
    return text;
}

#endif
