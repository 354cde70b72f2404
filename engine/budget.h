#ifndef MOOT_ENGINE_BUDGET_H
#define MOOT_ENGINE_BUDGET_H

/* The limiters of a plan's providers, one each, in the plan's order. */
#include <moot/budget.h>

#include "limiter.h"

struct moot_limiter *moot__budget_limiter(struct moot_budget *budget, unsigned provider);
unsigned moot__budget_count(const struct moot_budget *budget);

#endif
