#ifndef MOOT_EMULATOR_WORLD_H
#define MOOT_EMULATOR_WORLD_H

/* One provider: what its connections share. */
#include "emulator.h"
#include "engine/base/rng.h"
#include "engine/base/view.h"
#include "quota.h"

struct moot_emulator {
    const struct moot_allocator *allocator;
    struct moot_emulator_options options;
    struct moot_emulator_meters meters;
    struct moot_emulator_ledger ledger;
    struct moot_emulator_log_entry *log; /* entry n of all ever written is at n % log_max */
    uint64_t log_written;
    size_t connections_open;
};

/* A question that the seed decides for request or connection `number`, each its own stream of
 * draws, so that no answer depends on what else went on. */
enum moot_emulator_draw {
    MOOT_EMULATOR_DRAW_ACCEPT,
    MOOT_EMULATOR_DRAW_FAULT,
    MOOT_EMULATOR_DRAW_TEXT,
    MOOT_EMULATOR_DRAW_JITTER,
    MOOT_EMULATOR_DRAW_PADDING,
    MOOT_EMULATOR_DRAW_TOKEN,
};
void moot__emulator_draw(const struct moot_emulator *emulator, enum moot_emulator_draw draw,
                         uint64_t number, struct moot_rng *out);

/* When a rule is looked for: at accept, after a request's head, after the whole request. */
enum moot_emulator_stage {
    MOOT_EMULATOR_STAGE_ACCEPT,
    MOOT_EMULATOR_STAGE_HEAD,
    MOOT_EMULATOR_STAGE_WHOLE,
};

/* The rule that applies, or NULL. `text` is the last user message, for STAGE_WHOLE. */
const struct moot_emulator_rule *moot__emulator_rule_for(const struct moot_emulator *emulator,
                                                         enum moot_emulator_stage stage,
                                                         uint64_t number, struct moot_view text);

/* Note a planned token; returns its number for log_sent. */
uint64_t moot__emulator_log_planned(struct moot_emulator *emulator, uint64_t request,
                                    uint64_t token, uint64_t planned_ns);
void moot__emulator_log_sent(struct moot_emulator *emulator, uint64_t entry, uint64_t now_ns);

/* Does `text` hold `part`? The empty part is in every text. */
bool moot__emulator_holds(struct moot_view text, struct moot_view part);

#endif
