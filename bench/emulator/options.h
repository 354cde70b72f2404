#ifndef MOOT_EMULATOR_OPTIONS_H
#define MOOT_EMULATOR_OPTIONS_H

/* Options from the texts of a command line. All return MOOT_OK, or MOOT_EINVAL with a message that
 * names the part that is wrong and what would be right; on an error *out is untouched. `info` may
 * be NULL. Nothing is allocated or borrowed. */
#include <stdio.h>

#include "emulator.h"

/* One --fault: NAME:WHEN[:EXTRA]..., as "429:30%:hint=ms/250ms", "reset-mid-body:1%:after=5",
 * "500:#3", "stall-accept:#2-4", "bad-json:~scones". WHEN is a rate in per cent, the number of a
 * request (or a range of numbers), or a text in the last user message; without it: always. EXTRA
 * is hint=FORM[/DURATION] and after=TOKENS. */
MOOT_NODISCARD int moot_emulator_rule_parse(struct moot_view text, struct moot_emulator_rule *out,
                                            struct moot_error_info *info);

/* One --quota: "rpm=600,tpm=80k,itpm=..,otpm=..,concurrency=16,window=fixed|sliding,every=10s,
 * headers=openai". */
MOOT_NODISCARD int moot_emulator_quota_parse(struct moot_view text, struct moot_emulator_quota *out,
                                             struct moot_error_info *info);

/* How quotas are told: "surface", "none", "openai", "azure", "mistral", "anthropic", "ietf". */
MOOT_NODISCARD int moot_emulator_rates_parse(struct moot_view text, enum moot_emulator_rates *out,
                                             struct moot_error_info *info);

/* "120" or "50-200"; and "echo", "generated", "golden", "tool". */
MOOT_NODISCARD int moot_emulator_range_parse(struct moot_view text, uint64_t *min, uint64_t *max,
                                             struct moot_error_info *info);
MOOT_NODISCARD int moot_emulator_answer_parse(struct moot_view text, enum moot_emulator_answer *out,
                                              struct moot_error_info *info);

/* "250ms", "5s", "1.5s", "10m", "1h", "800us", "0". */
MOOT_NODISCARD int moot_emulator_duration_parse(struct moot_view text, uint64_t *out_ns,
                                                struct moot_error_info *info);

/* The list of faults or hints, one to a line, for --help. */
void moot_emulator_print_faults(FILE *file);

#endif
