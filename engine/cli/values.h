#ifndef MOOT_CLI_VALUES_H
#define MOOT_CLI_VALUES_H

/* Texts of the command line and of variables as values. Pure, locale-free. Each returns NULL, or
 * what the text should have been ("a whole number such as 600 or 80k"), with *out untouched. */
#include <moot/version.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* One value; which members count is the kind's business. */
struct cli_value {
    const char *text; /* as it was given; borrowed */
    bool truth;       /* a flag; `auto`; per cent */
    uint64_t number;  /* count; duration in ns; shard's I; a choice's index */
    uint64_t total;   /* shard's N */
    double amount;    /* amount; per cent */
    /* A rate. 0: not given. */
    size_t provider_bytes; /* the first bytes of `text` name it */
    uint64_t rpm, itpm, otpm;
};

MOOT_NODISCARD const char *cli_value_read(const struct cli_option *option, const char *text,
                                          struct cli_value *out);

#endif
