#ifndef MOOT_CONFIG_TREE_H
#define MOOT_CONFIG_TREE_H

/* A configuration's text as a tree that knows where everything stands, whether it was written as
 * YAML or as JSON. Read once, on the way to a plan; nothing keeps it. */
#include <moot/error.h>

#include "engine/base/arena.h"
#include "engine/base/json_read.h"
#include "engine/base/view.h"

/* The types are those of JSON; numbers are kept as text in JSON's grammar. Lines and columns count
 * from 1. Everything lives in the arena given to the reader. */
struct moot_tree {
    enum moot_json_type type;
    unsigned line, column;         /* of the value */
    unsigned key_line, key_column; /* of the key; of a member of a map */
    struct moot_view key;
    struct moot_view text; /* string: decoded; number */
    bool truth;
    size_t count;            /* children */
    struct moot_tree *child; /* array, object: the first */
    struct moot_tree *next;  /* of the same container */
};

/* Read strict JSON; duplicate keys are errors. `file` is a name for messages, which have the form
 * FILE:LINE:COLUMN: text. MOOT_ECONFIG, MOOT_ENOMEM. */
MOOT_NODISCARD int moot__tree_read_json(struct moot_arena *arena, struct moot_view text,
                                        const char *file, const struct moot_tree **out,
                                        struct moot_error_info *info);

/* Read one document of YAML with the types of the 1.2 core schema (`no` is a string). Duplicate
 * keys, keys that are no scalars, unknown tags, and documents that grow through aliases beyond the
 * limits are errors. MOOT_ECONFIG, MOOT_ENOMEM. Written in config_yaml.c. */
MOOT_NODISCARD int moot__tree_read_yaml(struct moot_arena *arena, struct moot_view text,
                                        const char *file, const struct moot_tree **out,
                                        struct moot_error_info *info);

/* The member of a map, or NULL; NULL and other types have none. */
const struct moot_tree *moot__tree_get(const struct moot_tree *map, const char *key);

/* A copy as JSON in another arena, texts included; NULL when there is no memory. Offsets are 0. */
struct moot_json *moot__tree_to_json(const struct moot_tree *tree, struct moot_arena *arena);

/* "a string", "a map", ... for messages. */
const char *moot__tree_type_name(enum moot_json_type type);

#endif
