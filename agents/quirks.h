#ifndef MOOT_AGENTS_QUIRKS_H
#define MOOT_AGENTS_QUIRKS_H

/* What single models refuse or want, whoever serves them: a table in quirks.c, a source a row. */
#include "engine/base/view.h"

enum moot_quirk {
    MOOT_QUIRK_NEWER_NAMES = 1 << 0,    /* max_completion_tokens: max_tokens is refused */
    MOOT_QUIRK_NO_TEMPERATURE = 1 << 1, /* but the model's own is refused */
    MOOT_QUIRK_ONE_SAMPLER = 1 << 2,    /* temperature or top_p, not both */
};

/* All that is known of the model by this name, as any provider spells it. */
unsigned moot__model_quirks(struct moot_view model);

#endif
