#ifndef MOOT_PREVIEW_H
#define MOOT_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moot/alloc.h>
#include <moot/conversation.h>
#include <moot/error.h>
#include <moot/plan.h>
#include <moot/version.h>
#include <moot/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a plan would do with questions, without doing it: nothing is sent. */

/* One step of a plan's flow. Views live as long as the plan. */
struct moot_plan_step {
    struct moot_view role, endpoint, provider, base_url;
};

/* The steps of the flow, in the order in which they speak; at least one. Any thread. */
MOOT_API size_t moot_plan_step_count(const struct moot_plan *plan);
MOOT_API struct moot_plan_step moot_plan_step_at(const struct moot_plan *plan, size_t index);

/* The endpoints of a step, in the order in which they are asked: the step's own, then its
 * fallbacks. At least one. Any thread. */
MOOT_API size_t moot_plan_choice_count(const struct moot_plan *plan, size_t index);
MOOT_API struct moot_plan_step moot_plan_choice_at(const struct moot_plan *plan, size_t index,
                                                   size_t choice);

/* One call of a conversation, as it would be made. Everything is valid until the callback returns.
 */
struct moot_preview_call {
    size_t step;
    struct moot_plan_step who;
    /* Answers of earlier steps, which nobody knows yet, stand as "{answer of ROLE}". */
    const struct moot_message *messages;
    size_t message_count;
    uint64_t input_tokens;  /* estimated from sizes; earlier answers count as long as they may be */
    uint64_t output_tokens; /* the most that the answer may have; 0: nothing bounds it */
    bool has_price;
    double cost; /* of both, by the plan's prices, no input from a cache */
};

struct moot_preview_options {
    size_t size; /* sizeof(struct moot_preview_options) */
    const struct moot_allocator *allocator;
    struct moot_plan *plan; /* required */
    /* A file of rows in any dialect of a batch, plain or gzip; or NULL, and one conversation of
     * these messages. */
    const char *path;
    const struct moot_message *messages;
    size_t message_count;
    uint64_t limit; /* look at this many rows only; 0: all */
    /* Each call of the first sound conversation, in order. May be NULL. */
    void (*on_call)(const struct moot_preview_call *call, void *data);
    /* Everything that is wrong: rows (`line` set), and doubts about the plan (code MOOT_OK; `line`
     * and `column` in its file, which the message begins with, or 0). May be NULL. */
    void (*on_problem)(const struct moot_error_info *problem, void *data);
    void *data;
};

/* Sums over all sound conversations, each call made once. */
struct moot_preview {
    uint64_t rows, rows_wrong;
    uint64_t calls, input_tokens, output_tokens;
    bool is_bounded; /* every call has a bound on its output */
    bool has_prices; /* every call has a price */
    double cost;
};

/* Look. Calls back before it returns; blocks while it reads; any thread. MOOT_OK even if rows are
 * wrong; MOOT_EINVAL, MOOT_ENOTFOUND, MOOT_EIO, MOOT_EENCODING (broken gzip), MOOT_EINPUT (the
 * file's kind is not known, or it has no row), MOOT_ENOMEM. `info` may be NULL. */
MOOT_API MOOT_NODISCARD int moot_preview(const struct moot_preview_options *options,
                                         struct moot_preview *out, struct moot_error_info *info);

#ifdef __cplusplus
}
#endif
#endif
