#ifndef MOOT_CONFIG_READ_H
#define MOOT_CONFIG_READ_H

/* Taking values out of a configuration's tree: each with its check and its message. Every message
 * says what, where and what to do, and quotes names of keys, never values: a value may be a secret
 * that stands in the wrong place. */
#include "config.h"
#include "config_tree.h"

struct moot_config_reader {
    struct moot_plan *plan; /* being made */
    const char *file;       /* for messages */
    struct moot_view folder;
    struct moot_environment environment;
    struct moot_error_info *info;
};

/* Fail at a value, or at its key. Return the code. */
int moot__config_fail(struct moot_config_reader *reader, int code, const struct moot_tree *node,
                      const char *format, ...) MOOT_PRINTF(4, 5);
int moot__config_fail_key(struct moot_config_reader *reader, int code, const struct moot_tree *node,
                          const char *format, ...) MOOT_PRINTF(4, 5);
int moot__config_out_of_memory(struct moot_config_reader *reader);

/* Note a doubt: at a key of the file, or without a place (`node` NULL). Too many: none.
 * MOOT_ENOMEM. */
MOOT_NODISCARD int moot__config_warn(struct moot_config_reader *reader,
                                     const struct moot_tree *node, const char *format, ...)
    MOOT_PRINTF(3, 4);

/* A list of words, NULL at its end. */
typedef const char *const moot_words[];

/* The word that was probably meant: at most two edits away; or NULL. */
const char *moot__config_guess(struct moot_view word, const char *const *words);

/* `node` must be a map, with these keys only. */
MOOT_NODISCARD int moot__config_check_keys(struct moot_config_reader *reader,
                                           const struct moot_tree *node, const char *where,
                                           const char *const *words);
MOOT_NODISCARD int moot__config_expect(struct moot_config_reader *reader,
                                       const struct moot_tree *node, enum moot_json_type type);

/* Each of these leaves *out alone when `node` is NULL (the key is absent) or null, and fails with
 * MOOT_ECONFIG when the value is not what it should be. */
MOOT_NODISCARD int moot__config_text(struct moot_config_reader *reader,
                                     const struct moot_tree *node, struct moot_view *out);
MOOT_NODISCARD int moot__config_bool(struct moot_config_reader *reader,
                                     const struct moot_tree *node, bool *out);

/* A whole number that may end in k or M: 600, 80k, 1.5M. */
MOOT_NODISCARD int moot__config_quantity(struct moot_config_reader *reader,
                                         const struct moot_tree *node, uint64_t *out);

/* 250ms, 5s, 10m, 1h; a bare number is seconds. Greater than zero. */
MOOT_NODISCARD int moot__config_duration(struct moot_config_reader *reader,
                                         const struct moot_tree *node, uint64_t *out_ns);

/* A number that is not negative. */
MOOT_NODISCARD int moot__config_amount(struct moot_config_reader *reader,
                                       const struct moot_tree *node, double *out);

/* One of the words; *out is its place. */
MOOT_NODISCARD int moot__config_choice(struct moot_config_reader *reader,
                                       const struct moot_tree *node, const char *const *words,
                                       unsigned *out);

/* The parts of a plan, in the order in which they are read. In config_providers.c, config_models.c
 * and config.c. */
MOOT_NODISCARD int moot__config_read_providers(struct moot_config_reader *reader,
                                               const struct moot_tree *providers);
MOOT_NODISCARD int moot__config_read_provider(struct moot_config_reader *reader,
                                              const struct moot_tree *node,
                                              struct moot_provider *provider);
MOOT_NODISCARD int moot__config_read_address(struct moot_config_reader *reader,
                                             const struct moot_tree *node,
                                             struct moot_provider *provider);
MOOT_NODISCARD int moot__config_read_models(struct moot_config_reader *reader,
                                            const struct moot_tree *root);

#endif
