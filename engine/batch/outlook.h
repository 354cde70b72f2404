#ifndef MOOT_BATCH_OUTLOOK_H
#define MOOT_BATCH_OUTLOOK_H

/* What a run has before it, as its budget knows: what it waits for, and how long the rest takes. */
#include <moot/batch.h>

/* Fill in `wait` and what belongs to it, and raise `remaining_ns` to what the quotas in force allow
 * for `rows_left` rows (0: not known how many). Any thread. */
void moot__batch_outlook(const struct moot_plan *plan, struct moot_budget *budget, uint64_t now_ns,
                         uint64_t rows_left, struct moot_batch_progress *out);

#endif
