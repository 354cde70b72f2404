#ifndef MOOT_PREVIEW_INTERNAL_H
#define MOOT_PREVIEW_INTERNAL_H

/* The part of a preview that a run needs: what one conversation can cost at most. */
#include <moot/preview.h>

/* What is asked. */
struct moot_question {
    const struct moot_message *messages;
    size_t message_count;
    struct moot_view params; /* the caller's own, a JSON object or empty */
};

/* US dollars, by estimates of the input and the bounds of the answers, every call made once. 0 if
 * nobody knows: an endpoint has no price, an answer no bound; the question cannot be asked; there
 * is no memory. Any thread. */
double moot__preview_cost(const struct moot_plan *plan, const struct moot_allocator *allocator,
                          const struct moot_question *question);

#endif
