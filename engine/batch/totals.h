#ifndef MOOT_BATCH_TOTALS_H
#define MOOT_BATCH_TOTALS_H

/* What the rows of the files add up to. Counted from rows that are written, those of earlier runs
 * read back from the files, never from counts that were kept. */
#include <moot/error.h>

#include "engine/base/json_write.h"
#include "row.h"
#include "trace/hist.h"

enum { MOOT_TOTALS_CLASSES = MOOT_CLASS_MEMORY + 1 };

struct moot_totals {
    uint64_t succeeded, failed, duplicates;
    uint64_t failed_by_class[MOOT_TOTALS_CLASSES];
    uint64_t calls, retries, fallbacks, possible_duplicates;
    uint64_t input_tokens, output_tokens;
    uint64_t cached_tokens, cache_written_tokens; /* of the input */
    double cost;
    struct moot_hist took;   /* nanoseconds from begin to end of the rows that were answered */
    struct moot_hist worked; /* the same without the waiting */
};

void moot__totals_add(struct moot_totals *totals, const struct moot_row_facts *facts);

/* The members of a summary. */
void moot__totals_write(const struct moot_totals *totals, struct moot_json_writer *w);

#endif
